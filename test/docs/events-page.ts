// docs/events.md as its tests read it.
import { readDocument } from './tables.js';

interface EventSection {
  readonly kind: string;
  readonly level: string;
  readonly isWebhook: boolean;
  readonly examples: readonly Record<string, unknown>[];
}

interface LogSection {
  /** Of its lines; `without a component`, `any component`. */
  readonly title: string;
  /** The levels of each event. */
  readonly rows: ReadonlyMap<string, readonly string[]>;
  readonly examples: readonly Record<string, unknown>[];
}

/** What is under the headings of one rank, with the text of the heading. */
const sectionsOf = (page: string): (readonly [title: string, text: string])[] =>
  page
    .split(/^### /m)
    .slice(1)
    .map((section) => [section.split('\n')[0] ?? '', section.split(/^## /m)[0] ?? ''] as const);

/** One object in each line of the blocks of JSON. */
const examplesOf = (text: string): Record<string, unknown>[] =>
  [...text.matchAll(/^```json\n([\s\S]*?)^```/gm)]
    .flatMap(([, block = '']) => block.trimEnd().split('\n'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

function eventSection(kind: string, text: string): EventSection {
  const [, level = '', webhook = ''] = /^Log level: (\w+); webhook: (by default|if selected)\. /m.exec(text) ?? [];
  return { kind, level, isWebhook: webhook === 'by default', examples: examplesOf(text) };
}

function logSection(title: string, text: string): LogSection {
  const rows = [...text.matchAll(/^\| `(\w+)` \| ([\w, ]+) \| \S/gm)];
  return {
    title,
    rows: new Map(rows.map(([, event = '', levels = '']) => [event, levels.split(', ')])),
    examples: examplesOf(text),
  };
}

const PAGE = readDocument('events.md');
const LOG = 'Log: ';

/** One for each event on NATS. */
export const EVENT_SECTIONS: readonly EventSection[] = sectionsOf(PAGE)
  .filter(([title]) => !title.startsWith(LOG))
  .map(([title, text]) => eventSection(title, text));

/** One for each component of the log. */
export const LOG_SECTIONS: readonly LogSection[] = sectionsOf(PAGE)
  .filter(([title]) => title.startsWith(LOG))
  .map(([title, text]) => logSection(title.slice(LOG.length), text));

/** Whether the page has the event of a line, at its level and below its component. */
export function isOnPage(line: Readonly<Record<string, unknown>>): boolean {
  const { event, level, component } = line;
  if (EVENT_SECTIONS.some((section) => section.kind === event && section.level === level))
    return component === undefined;
  const fits = ({ title }: LogSection) => title === 'any component' || title === (component ?? 'without a component');
  return LOG_SECTIONS.some((section) => fits(section) && section.rows.get(String(event))?.includes(String(level)));
}
