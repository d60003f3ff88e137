// A replay as text: what would have happened beside what did, and what the replay cannot know.
import type { ReplayAnswer } from '../../domain/breaker/replay-answer.js';
import { failuresText } from './evidence-text.js';
import type { Style } from './style.js';
import { singleLine, wrappedTo } from './terminal-text.js';
import { clockText } from './times.js';

type Trip = ReplayAnswer['opened']['trips'][number];

/** Of each list. */
const MAX_SHOWN = 50;

export function replayText(answer: ReplayAnswer, style: Style): string {
  const { extension_id: id, version, recorded, would_open: would, opened, limits } = answer;
  const { attempts, from, to, whole, capacity } = recorded;
  const width = style.width ?? Number.POSITIVE_INFINITY;
  const begins = whole ? '' : `; earlier ones were overwritten (policy.record: ${capacity}), so it begins closed`;
  return [
    singleLine(
      `${id}@${version}: ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}, ${clockText(from)} to ${clockText(to)}${begins}`,
    ),
    ...listOf('would have opened', would),
    ...listOf('opened', opened),
    ...(style.quiet ? [] : ['', ...limits.flatMap((limit) => wrappedTo(`note: ${limit}`, width))]),
    '',
  ].join('\n');
}

function listOf(title: string, { count, trips }: ReplayAnswer['opened']): string[] {
  const shown = trips.slice(0, MAX_SHOWN);
  const more = count - shown.length;
  return [
    `${title}: ${count === 0 ? 'never' : count === 1 ? 'once' : `${count} times`}`,
    ...shown.map((trip) => singleLine(`  ${lineOf(trip)}`)),
    ...(more > 0 ? [`  and ${more} more; --json has up to 1000`] : []),
  ];
}

function lineOf({ at, reason, reopened, evidence }: Trip): string {
  const numbers = evidence === null ? [] : [failuresText(evidence)];
  return [clockText(at), [reason, ...numbers, ...(reopened ? ['again'] : [])].join(', ')].join('  ');
}
