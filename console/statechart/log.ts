// What an actor did, as far as frames of it came, and how it was at any moment of that.
//
// LOG-1. The newest MAX_ENTRIES are kept, each with what it changed; with a whole state for every KEYFRAME-th of them any can be rebuilt.
// LOG-2. A snapshot belongs to the event that caused it (ACTIVE-1), which came before it.
// LOG-3. What was left out is an entry: a reader sees where the log has a gap.
import { causeAmong, isSameState, transitionTaken } from './active.js';
import { type Json, type Machine, machineOf, type Transition } from './definition.js';
import { type Change, differences, withChanges } from './differences.js';
import type { Context, EventOf, Frame, Snapshot } from './frames.js';

export const MAX_ENTRIES = 2000;
export const KEYFRAME = 50;

/** How an actor is at one moment. */
export interface View {
  readonly value: Json;
  readonly status: string;
  readonly error: string | null;
  readonly context: Context;
}

type EntryKind =
  /** The actor received an event. */
  | 'event'
  /** It was introduced: a connection was made, or it was started again. */
  | 'joined'
  /** LOG-3. */
  | 'dropped';

export interface Entry {
  /** Counts from 0 and is never used again. */
  readonly n: number;
  readonly kind: EntryKind;
  readonly atMs: number;
  readonly event: EventOf;
  /** Left out: only of `dropped`. */
  readonly events: number;
  readonly snapshots: number;
  readonly changes: readonly Change[];
  /** Set where it changed them. */
  readonly value: Json | undefined;
  readonly before: Json | undefined;
  readonly status: string | undefined;
  readonly error: string | null;
  /** Which transition it took; null: none, or none that the definition has. */
  readonly transition: Transition | null;
}

const NO_VIEW: View = { value: null, status: 'active', error: null, context: {} };

export class ActorLog {
  /** Of the last actor that was introduced; null before the first. */
  machine: Machine | null = null;
  /** The definition cannot be read: why. */
  problem: string | null = null;
  now: View = NO_VIEW;
  /** What was left out, in all. */
  readonly left = { events: 0, snapshots: 0 };
  #definition = '';
  #entries: Entry[] = [];
  /** Views before the entry with that number. */
  readonly #keyframes = new Map<number, View>();
  #next = 0;
  /** Number of the first entry that may be the cause of the next snapshot. */
  #pending = 0;

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Number of the oldest entry that is kept. */
  get first(): number {
    return this.#next - this.#entries.length;
  }

  get last(): number {
    return this.#next - 1;
  }

  at(n: number): Entry | undefined {
    return this.#entries[n - this.first];
  }

  /** Frames of another actor are the caller's to leave out. */
  take(frame: Frame): void {
    switch (frame.kind) {
      case 'actor':
        return this.#introduced(frame);
      case 'event':
        this.#add({ kind: 'event', event: frame.event, atMs: frame.atMs });
        return;
      case 'snapshot':
        return this.#snapshot(frame);
      case 'dropped':
        return this.#dropped(frame);
      case 'watching':
        return;
      default:
        return frame satisfies never;
    }
  }

  /** LOG-1. How it was after this entry, or as it is now where the entry is not kept. */
  viewAt(n: number): View {
    if (n >= this.last) return this.now;
    const from = Math.max(this.first, 0);
    let start = Math.max(n, from);
    while (start > from && !this.#keyframes.has(start)) start--;
    let view = this.#keyframes.get(start);
    if (view === undefined) return this.now;
    for (let i = start; i <= Math.max(n, from); i++) view = after(view, this.at(i));
    return view;
  }

  /** The latest entry up to this one that led to its state from another one. */
  transitionAt(n: number): Entry | null {
    for (let i = Math.min(n, this.last); i >= this.first; i--) {
      const entry = this.at(i);
      if (entry?.kind === 'joined') return entry.transition === null ? null : entry;
      if (entry !== undefined && isStateChange(entry)) return entry;
    }
    return null;
  }

  /** Since when its state has been what it is after this entry, epoch ms; null: longer than the log goes back. */
  sinceAt(n: number): number | null {
    for (let i = Math.min(n, this.last); i >= this.first; i--) {
      const entry = this.at(i);
      if (entry?.value !== undefined) return entry.kind === 'joined' ? null : entry.atMs;
    }
    return null;
  }

  #introduced({ definition, snapshot, atMs }: Extract<Frame, { kind: 'actor' }>): void {
    if (definition !== this.#definition) this.#read(definition);
    const event = { type: 'joined' };
    const n = this.#add({ kind: 'joined', event, atMs });
    this.#apply(n, snapshot, { value: snapshot.value });
    this.#pending = this.#next;
  }

  #read(definition: string): void {
    this.#definition = definition;
    try {
      this.machine = machineOf(definition);
      this.problem = null;
    } catch (error) {
      this.machine = null;
      this.problem = (error as Error).message;
    }
  }

  /** LOG-2. */
  #snapshot({ event, snapshot, atMs }: Extract<Frame, { kind: 'snapshot' }>): void {
    const before = this.now;
    const isChanged = !isSameState(before.value, snapshot.value) || before.status !== snapshot.status;
    if (this.#isIntroduction(isChanged, snapshot)) return this.#explain(event);
    const pending = this.#entries.slice(Math.max(this.#pending - this.first, 0)).filter(({ kind }) => kind === 'event');
    const types = pending.map((entry) => entry.event.type);
    const inferred = isChanged && this.machine ? causeAmong(this.machine, before.value, snapshot.value, types) : -1;
    const cause = pending[inferred] ?? pending.findLast((entry) => entry.event.type === event.type);
    const n = cause?.n ?? this.#add({ kind: 'event', event, atMs });
    const { type } = this.at(n)?.event ?? event;
    const transition = this.machine && transitionTaken(this.machine, before.value, snapshot.value, type);
    const entered = isChanged || transition?.reenter === true;
    this.#apply(n, snapshot, {
      transition,
      ...(entered ? { value: snapshot.value, before: before.value } : {}),
    });
    this.#pending = n + 1;
  }

  /** The snapshot that follows an introduction says nothing new but the event that led to the state. */
  #isIntroduction(isChanged: boolean, snapshot: Snapshot): boolean {
    const last = this.at(this.last);
    return last?.kind === 'joined' && !isChanged && differences(this.now.context, snapshot.context).length === 0;
  }

  /** What led to the state in which it was introduced: the transitions that end there, of that event. */
  #explain(event: EventOf): void {
    const { machine } = this;
    const { value } = this.now;
    if (machine === null) return;
    const states = machine.nodes.filter(({ children }) => children.length === 0).map(({ path }) => stateOfPath(path));
    const found = states
      .filter((from) => !isSameState(from, value))
      .map((from) => transitionTaken(machine, from, value, event.type))
      .filter((one) => one !== null);
    const [transition = null] = new Set(found).size === 1 ? found : [];
    this.#change(this.last, { transition, event: { ...event } });
  }

  #dropped({ events, snapshots }: Extract<Frame, { kind: 'dropped' }>): void {
    this.left.events += events;
    this.left.snapshots += snapshots;
    const { atMs } = this.#entries.at(-1) ?? { atMs: 0 };
    this.#add({ kind: 'dropped', event: { type: 'left out' }, atMs, events, snapshots });
  }

  #add(entry: Pick<Entry, 'kind' | 'event' | 'atMs'> & Partial<Entry>): number {
    const n = this.#next++;
    const nothing = { value: undefined, before: undefined, status: undefined, error: null, transition: null };
    this.#entries.push({ n, events: 0, snapshots: 0, changes: [], ...nothing, ...entry });
    if (n % KEYFRAME === 0) this.#keyframes.set(n, this.now);
    this.#forget();
    return n;
  }

  /** LOG-1. Dropped together down to the next whole state, from which everything newer is rebuilt. */
  #forget(): void {
    if (this.#entries.length < MAX_ENTRIES + KEYFRAME) return;
    const first = this.first;
    this.#entries.splice(0, KEYFRAME);
    for (const n of this.#keyframes.keys()) if (n < first + KEYFRAME) this.#keyframes.delete(n);
  }

  #apply(n: number, { status, error, context }: Snapshot, more: Partial<Entry>): void {
    const { now } = this;
    const changes = differences(now.context, context);
    this.#change(n, { changes, error: error ?? null, ...(status === now.status ? {} : { status }), ...more });
    this.now = after(now, this.at(n));
    // Whole states of entries that came between this event and its snapshot.
    for (const m of this.#keyframes.keys()) if (m > n) this.#keyframes.set(m, this.now);
  }

  #change(n: number, more: Partial<Entry>): void {
    const at = n - this.first;
    const entry = this.#entries[at];
    if (entry !== undefined) this.#entries[at] = { ...entry, ...more };
  }
}

/** It led to another state; one that was entered again is the same. */
const isStateChange = ({ value, before, status }: Entry): boolean =>
  status !== undefined || (value !== undefined && !isSameState(before, value));

const after = (view: View, entry: Entry | undefined): View =>
  entry === undefined
    ? view
    : {
        value: entry.value ?? view.value,
        status: entry.status ?? view.status,
        error: entry.status === undefined ? view.error : entry.error,
        context: withChanges(view.context, entry.changes),
      };

/** `['halfOpen', 'probing']` as the value of a snapshot. */
function stateOfPath(path: readonly string[]): Json {
  const [last = '', ...above] = [...path].reverse();
  return above.reduce<Json>((value, key) => ({ [key]: value }), last);
}
