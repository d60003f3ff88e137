// The frames of the wire: those of @statelyai/inspect 0.7.2, and our own for what that format cannot express.
//
// FRAMES-1. An actor's `name` is `<extension>@<version>`, or `supervisor`. Its `sessionId` and `rootId` have the boot of the daemon before that,
//     so that actors of two daemons, or of one before and after a restart, are not taken for each other; a rebuilt actor keeps them.
// FRAMES-2. Of a context only what SHOWN_CONTEXT lists for its machine is sent, of an event's `input` only SHOWN_INPUT; functions never are.
// FRAMES-3. A control frame has no `type` and no `_version`, by which receivers recognise frames of the format.
// FRAMES-4. A definition keeps the order in which its states were written.
// FRAMES-5. Times in contexts and events are epoch milliseconds, and null for never; their names are those of the machine.
import type { AnyEventObject, AnyMachineSnapshot } from 'xstate';

/** What this format's package calls itself. */
export const FORMAT_VERSION = '0.7.2';

/** How a member of a context is sent: as it is, or as a time (one, several in a list, or several by name). */
type Shown = 'value' | 'time';

/** By the id of the machine. */
export const SHOWN_CONTEXT: Readonly<Record<string, Readonly<Record<string, Shown>>>> = {
  breaker: {
    settings: 'value',
    leaseMs: 'value',
    window: 'value',
    generation: 'value',
    epoch: 'value',
    trips: 'value',
    recoveries: 'value',
    tripReason: 'value',
    openedAtMs: 'time',
    openUntilMs: 'time',
    closedAtMs: 'time',
    rampUntilMs: 'time',
    probes: 'time',
    leasesUntilMs: 'time',
    probeSuccesses: 'value',
    warnedAtMs: 'time',
  },
  supervisor: {
    children: 'value',
    revision: 'value',
    failures: 'value',
    appliedAtMs: 'time',
  },
};

export const SHOWN_INPUT = ['settings', 'leaseMs', 'override', 'facts', 'mustProve'] as const;

/** Members of events that are times of the monotonic clock. */
const EVENT_TIMES = ['nowMs', 'startedMs'];

/** The actor that the frame is about, and its time, epoch ms. */
export interface Stamp {
  readonly name: string;
  /** Of the daemon's process. */
  readonly boot: string;
  readonly atMs: number;
  /** FRAMES-5: a time of the monotonic clock in epoch ms. */
  readonly epochOf: (monotonicMs: number) => number | null;
}

export const actorFrame = (stamp: Stamp, config: object, snapshot: AnyMachineSnapshot): string =>
  frame(stamp, {
    type: '@xstate.actor',
    name: stamp.name,
    definition: definitionOf(config),
    snapshot: shownSnapshot(stamp, snapshot),
  });

/** `fromItself`: a timer of the actor; else it came from outside, which the format shows by the lack of a source. */
export const eventFrame = (stamp: Stamp, event: AnyEventObject, fromItself: boolean): string =>
  frame(stamp, {
    type: '@xstate.event',
    event: shownEvent(stamp, event),
    ...(fromItself ? { sourceId: sessionOf(stamp) } : {}),
  });

export const snapshotFrame = (stamp: Stamp, event: AnyEventObject, snapshot: AnyMachineSnapshot): string =>
  frame(stamp, {
    type: '@xstate.snapshot',
    event: shownEvent(stamp, event),
    snapshot: shownSnapshot(stamp, snapshot),
  });

/** FRAMES-1. */
const sessionOf = ({ boot, name }: Stamp): string => `${boot}/${name}`;

type Control =
  /** What this socket watches now; `left_out`: targets beyond the limit. */
  | { control: 'watching'; targets: readonly string[]; left_out: number }
  /** What was not sent since the last such frame: over the rate, replaced by a later snapshot, or read too slowly. */
  | { control: 'dropped'; target: string; events: number; snapshots: number };

/** FRAMES-3. */
export const controlFrame = (control: Control): string => JSON.stringify(control);

function frame(stamp: Stamp, own: object): string {
  const sessionId = sessionOf(stamp);
  return JSON.stringify({
    ...own,
    sessionId,
    rootId: sessionId,
    _version: FORMAT_VERSION,
    createdAt: String(Math.round(stamp.atMs)),
    id: null,
  });
}

const shownSnapshot = (stamp: Stamp, snapshot: AnyMachineSnapshot): object => ({
  status: snapshot.status,
  value: snapshot.value,
  context: shownContext(stamp, snapshot),
  tags: [...snapshot.tags],
  children: {},
  historyValue: {},
  ...(snapshot.status === 'error' ? { error: String(snapshot.error) } : {}),
});

/** FRAMES-2, FRAMES-5. */
function shownContext({ epochOf }: Stamp, { machine, context }: AnyMachineSnapshot): object {
  const shown: Record<string, unknown> = {};
  for (const [name, how] of Object.entries(SHOWN_CONTEXT[machine.id] ?? {}))
    if (name in context) shown[name] = how === 'time' ? epochs(context[name], epochOf) : context[name];
  return shown;
}

/** The same shape, each number an epoch time. */
function epochs(times: unknown, epochOf: Stamp['epochOf']): unknown {
  if (typeof times === 'number') return epochOf(times);
  if (Array.isArray(times)) return times.map((time) => epochs(time, epochOf));
  if (typeof times !== 'object' || times === null) return times;
  return Object.fromEntries(Object.entries(times).map(([name, time]) => [name, epochs(time, epochOf)]));
}

/** FRAMES-2, FRAMES-5. */
function shownEvent({ epochOf }: Stamp, event: AnyEventObject): object {
  if (event.input !== undefined) return { type: event.type, input: only(SHOWN_INPUT, event.input) };
  const shown: Record<string, unknown> = { ...event };
  for (const name of EVENT_TIMES) if (name in shown) shown[name] = epochs(shown[name], epochOf);
  return shown;
}

const only = (names: readonly string[], all: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(names.filter((name) => name in all).map((name) => [name, all[name]]));

const definitions = new WeakMap<object, string>();

/** FRAMES-4. Made once for each machine, without the first context, which no chart shows. */
function definitionOf(config: object): string {
  let definition = definitions.get(config);
  if (definition === undefined) {
    definition = JSON.stringify({ ...config, context: undefined }, (_, value) =>
      typeof value === 'function' ? { type: value.name } : value,
    );
    definitions.set(config, definition);
  }
  return definition;
}
