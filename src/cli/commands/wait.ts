// `extreg wait <id> --for <state>`: ends with 0 when the extension is in that state, with 75 when it is not in time.
//
// WAIT-1. One connection: the daemon says when the extension changes, and is asked for its state only after each connection.

import { Command, Option } from '#commander';
import { BOARD_FLAGS, BOARD_STATES } from '../../domain/board-codes.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import { liveEvents } from '../daemon/live-events.js';
import { extensionPath, pathWith } from '../daemon/paths.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { durationOf } from '../options/durations.js';
import { addExamples } from '../options/examples.js';
import { json } from '../output/output.js';
import { type OneHealth, stateOf, stateText } from '../output/state-text.js';
import { painted, styleOf } from '../output/style.js';
import { singleLine } from '../output/terminal-text.js';
import { durationText } from '../output/times.js';
import { CommandError, EXIT } from '../process/command-error.js';
import { untilReaderGone } from '../process/repeat.js';

const GOALS = ['closed', 'open', 'half_open', 'enabled'] as const;
type Goal = (typeof GOALS)[number];

interface WaitOptions extends OutputOptions, DaemonOptions {
  readonly for?: Goal;
  readonly timeout?: string;
}

export const waitCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('wait')
      .argument('<id>', 'extension')
      .addOption(new Option('--for <state>', 'state to wait for').choices(GOALS).makeOptionMandatory())
      .option('--timeout <duration>', 'how long at most, such as 30s or 5m (default: 60s)')
      .option('--json', 'print JSON'),
    'extreg wait pii_guard --for closed --timeout 5m && deploy-the-next',
  ),
  settings: 'http',
  action: async (id: string, options: WaitOptions) => {
    const { for: goal = 'closed', timeout = '60s' } = options;
    const timeoutMs = durationOf('--timeout', timeout);
    const daemon = await DaemonClient.of(io, options);
    const begin = performance.now();
    const found = await untilReaderGone(io, (signal) => waited(daemon, id, goal, timeoutMs, signal));
    const waited_ms = Math.round(performance.now() - begin);
    const { state = null, reached = false, problem = null } = found ?? {};
    if (options.json) io.stdout.write(json({ id, for: goal, state, reached, waited_ms }));
    const style = styleOf(io, options);
    if (!reached) {
      const is = state === null ? 'unknown' : state;
      const lost = problem === null ? '' : `; ${problem}`;
      throw new CommandError(
        EXIT.waitedInVain,
        `${id} is ${is}, not ${goal}, after ${durationText(timeoutMs)}${lost}`,
        {
          next: `extreg show ${id} says why`,
        },
      );
    }
    if (!options.json && !style.quiet)
      io.stdout.write(
        `${singleLine(id)} is ${painted(goal === 'enabled' ? 'enabled' : stateText(goal), style)} after ${durationText(waited_ms)}\n`,
      );
    return 0;
  },
});

interface Waited {
  readonly reached: boolean;
  /** As it was seen last. */
  readonly state: string | null;
  /** Why nothing is known since. */
  readonly problem: string | null;
}

interface Seen {
  readonly state: string;
  readonly enabled: boolean;
}

/** WAIT-1. */
async function waited(
  daemon: DaemonClient,
  id: string,
  goal: Goal,
  timeoutMs: number,
  gone: AbortSignal,
): Promise<Waited> {
  const signal = AbortSignal.any([gone, AbortSignal.timeout(timeoutMs)]);
  const isReached = ({ state, enabled }: Seen): boolean => (goal === 'enabled' ? enabled : state === goal);
  const path = pathWith('/admin/events', { topics: 'rows', extension_id: id });
  let last: Seen | null = null;
  let problem: string | null = null;
  let asked: Seen | null = null;
  const begin = async (either: AbortSignal): Promise<void> => {
    asked = await askFor(daemon, id, either);
  };
  for await (const { event, data } of liveEvents(daemon, path, { signal, begin })) {
    if (event === 'lost') problem = data;
    const seen: Seen | null = event === 'hello' ? asked : seenIn(event, data, id);
    if (seen === null) continue;
    problem = null;
    last = seen;
    if (isReached(seen)) return { reached: true, state: seen.state, problem: null };
  }
  return { reached: false, state: last?.state ?? null, problem };
}

async function askFor(daemon: DaemonClient, id: string, signal: AbortSignal): Promise<Seen> {
  const { text } = await daemon.request(extensionPath(id, 'health'), { signal });
  const health = JSON.parse(text) as OneHealth;
  return { state: stateOf(health), enabled: health.enabled };
}

/** `rows` has tuples: k, number of the state, flags, …; the stream is about one extension. */
function seenIn(event: string, data: string, id: string): Seen | null {
  if (event === 'rows_removed')
    throw new CommandError(EXIT.answeredWithError, `extension_not_found: ${id} was deleted meanwhile`, {
      next: 'extreg audit says by whom',
    });
  if (event !== 'rows' && event !== 'rows_added') return null;
  const rows = JSON.parse(data) as readonly (readonly number[] | { readonly state: number; readonly flags: number })[];
  const row = rows.at(-1);
  if (row === undefined) return null;
  const [state = 0, flags = 0] = 'state' in row ? [row.state, row.flags] : [row[1], row[2]];
  const word = BOARD_STATES[state] ?? 'closed';
  return { state: word, enabled: word !== 'disabled' && (flags & BOARD_FLAGS.auto_disabled) === 0 };
}
