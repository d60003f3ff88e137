// What a screen reader announces without being asked: transitions, at most one sentence in five seconds, and never a number that ticks.
import { signal } from '@preact/signals';
import { type News, onEvent } from '../live/news.js';

const PAUSE_MS = 5000;
const SENTENCES: Readonly<Record<string, (id: string) => string>> = {
  circuit_opened: (id) => `${id} is open: its calls are refused.`,
  circuit_half_opened: (id) => `${id} is half-open: probes decide.`,
  circuit_closed: (id) => `${id} is closed again.`,
  auto_disabled: (id) => `${id} was disabled automatically.`,
  auto_enabled: (id) => `${id} was enabled automatically.`,
  mass_failure: () => 'Mass failure: more than half of the extensions with traffic fail.',
  mass_failure_ended: () => 'The mass failure has ended.',
  overload: () => 'Overload: more calls arrive than the daemon can serve, and some are refused.',
  overload_ended: () => 'The overload has ended.',
};

export const sentence = signal('');

/** One event as it is, several as a number. */
export function summedUp(events: readonly Pick<News, 'event' | 'extension_id'>[]): string {
  const known = events.filter(({ event }) => SENTENCES[event] !== undefined);
  const [first] = known;
  if (first === undefined) return '';
  const ids = new Set(known.map(({ extension_id: id }) => id));
  const opened = known.filter(({ event }) => event === 'circuit_opened').length;
  if (known.length === 1) return SENTENCES[first.event]?.(first.extension_id) ?? '';
  if (ids.size === 1) return SENTENCES[known.at(-1)?.event ?? '']?.(first.extension_id) ?? '';
  return `${known.length} changes of ${ids.size} extensions${opened > 0 ? `, ${opened} opened` : ''}.`;
}

export function speak(): void {
  let waiting: News[] = [];
  let isPausing = false;
  const say = (): void => {
    isPausing = waiting.length > 0;
    if (!isPausing) return;
    sentence.value = summedUp(waiting);
    waiting = [];
    setTimeout(say, PAUSE_MS);
  };
  onEvent((event) => {
    if (SENTENCES[event.event] === undefined) return;
    waiting.push(event);
    if (isPausing) return;
    isPausing = true;
    // What comes in one burst is summed up.
    setTimeout(say, 100);
  });
}
