// The frames of the wire: those of @statelyai/inspect 0.7.2, and our own for what that format has no word for.
//
// FRAMES-1. An actor is `<extension>@<version>` in `sessionId`, `rootId` and `name`, whatever process or rebuild it lives in.
// FRAMES-2. Of a context only what SHOWN_CONTEXT names is sent, of an event's `input` only SHOWN_INPUT; functions never are.
// FRAMES-3. A control frame has no `type` and no `_version`, by which receivers know frames of the format.
// FRAMES-4. A definition keeps the order in which its states were written.
import type { AnyEventObject, AnyMachineSnapshot } from 'xstate';

/** What this format's package calls itself. */
export const FORMAT_VERSION = '0.7.2';

export const SHOWN_CONTEXT = [
  'settings',
  'leaseMs',
  'window',
  'generation',
  'epoch',
  'trips',
  'recoveries',
  'tripReason',
  'openedAtMs',
  'openUntilMs',
  'closedAtMs',
  'rampUntilMs',
  'probes',
  'leasesUntilMs',
  'probeSuccesses',
  'warnedAtMs',
] as const;

export const SHOWN_INPUT = ['settings', 'leaseMs', 'override', 'facts', 'mustProve'] as const;

/** The actor that the frame is about, and its time, epoch ms. */
export interface Stamp {
  readonly sessionId: string;
  readonly atMs: number;
}

export const actorFrame = (stamp: Stamp, config: object, snapshot: AnyMachineSnapshot): string =>
  frame(stamp, {
    type: '@xstate.actor',
    name: stamp.sessionId,
    definition: definitionOf(config),
    snapshot: shownSnapshot(snapshot),
  });

/** `fromItself`: a timer of the actor; else it came from outside, which the format shows by the lack of a source. */
export const eventFrame = (stamp: Stamp, event: AnyEventObject, fromItself: boolean): string =>
  frame(stamp, {
    type: '@xstate.event',
    event: shownEvent(event),
    ...(fromItself ? { sourceId: stamp.sessionId } : {}),
  });

export const snapshotFrame = (stamp: Stamp, event: AnyEventObject, snapshot: AnyMachineSnapshot): string =>
  frame(stamp, { type: '@xstate.snapshot', event: shownEvent(event), snapshot: shownSnapshot(snapshot) });

type Control =
  /** What this socket watches now; `left_out`: targets beyond the limit. */
  | { control: 'watching'; targets: readonly string[]; left_out: number }
  /** What was not sent since the last such frame: over the rate, merged into a later snapshot, or read too slowly. */
  | { control: 'dropped'; target: string; events: number; snapshots: number };

/** FRAMES-3. */
export const controlFrame = (control: Control): string => JSON.stringify(control);

const frame = ({ sessionId, atMs }: Stamp, own: object): string =>
  JSON.stringify({
    ...own,
    sessionId,
    rootId: sessionId,
    _version: FORMAT_VERSION,
    createdAt: String(Math.round(atMs)),
    id: null,
  });

const shownSnapshot = (snapshot: AnyMachineSnapshot): object => ({
  status: snapshot.status,
  value: snapshot.value,
  context: only(SHOWN_CONTEXT, snapshot.context),
  tags: [...snapshot.tags],
  children: {},
  historyValue: {},
  ...(snapshot.status === 'error' ? { error: String(snapshot.error) } : {}),
});

const shownEvent = (event: AnyEventObject): object =>
  'input' in event ? { type: event.type, input: only(SHOWN_INPUT, event.input) } : event;

const only = (names: readonly string[], all: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(names.filter((name) => name in all).map((name) => [name, all[name]]));

const definitions = new WeakMap<object, string>();

/** FRAMES-4. Made once for each machine. The first context is none of the chart's business. */
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
