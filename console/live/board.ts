// The board as this page knows it: a signal for each extension, so that a change of one redraws one row.
//
// CONSOLE-BOARD-1. Changes are put in at most four times a second, all of them together: that is how often the page paints.
// CONSOLE-BOARD-2. An extension keeps its row through reconnections and restarts of the daemon, whatever number the daemon gives it.
import { batch, type Signal, signal } from '@preact/signals';
import type { BoardEntry, BoardTuple } from '../../src/domain/board-codes.js';
import { needsLook } from '../words/states.js';

export interface Row {
  readonly id: string;
  readonly entry: Signal<BoardEntry>;
}

export interface Overview {
  readonly boot: string;
  readonly revision: number | null;
  readonly now: string;
  readonly columns: Readonly<Record<keyof BoardEntry, readonly unknown[]>>;
}

const PAINT_MS = 250;
/** Of an extension that the daemon has not started yet. */
export const NO_NUMBER = -1;

const byId = new Map<string, Row>();
const byK = new Map<number, Row>();
let waiting = new Map<number, BoardTuple>();
let timer: ReturnType<typeof setTimeout> | null = null;
let paintedMs = 0;

/** Grows when extensions came or went. */
export const membership = signal(0);
/** Grows with each paint that changed a row. */
export const paints = signal(0);
/** Whether an overview was read. */
export const isLoaded = signal(false);
/** While true, what arrives is kept and not shown. */
export const isPaused = signal(false);

export const allRows = (): Row[] => [...byId.values()];
export const rowOf = (id: string): Row | undefined => byId.get(id);
export const rowCount = (): number => byId.size;

/** What needs a look: first what refuses and fails most, then what has done so longest. */
export function wrongEntries(): BoardEntry[] {
  const found: BoardEntry[] = [];
  for (const { entry } of byId.values()) {
    const one = entry.peek();
    if (needsLook(one.state, one.flags)) found.push(one);
  }
  const impact = (one: BoardEntry): number => one.refused + one.failed;
  return found.sort(
    (a, b) => impact(b) - impact(a) || (a.since ?? Infinity) - (b.since ?? Infinity) || (a.id < b.id ? -1 : 1),
  );
}

/**
 * CONSOLE-BOARD-2. `isOfOtherBoot`: numbers mean other extensions than before; what is missing may not have been started yet, and is kept
 * without a number.
 */
export function putOverview({ columns }: Overview, isOfOtherBoot = false): void {
  const names = Object.keys(columns) as (keyof BoardEntry)[];
  batch(() => {
    byK.clear();
    if (isOfOtherBoot) waiting.clear();
    const gone = new Set(byId.keys());
    for (let i = 0; i < columns.k.length; i++) {
      const entry = Object.fromEntries(names.map((name) => [name, columns[name][i]])) as unknown as BoardEntry;
      gone.delete(entry.id);
      put(entry);
    }
    for (const id of gone) {
      const row = byId.get(id);
      if (isOfOtherBoot && row !== undefined) row.entry.value = { ...row.entry.peek(), k: NO_NUMBER };
      else byId.delete(id);
    }
    for (const k of waiting.keys()) if (!byK.has(k)) waiting.delete(k);
    isLoaded.value = true;
    membership.value++;
    paints.value++;
  });
}

function put(entry: BoardEntry): void {
  const known = byId.get(entry.id);
  const row = known ?? { id: entry.id, entry: signal(entry) };
  if (known !== undefined && !isSame(known.entry.peek(), entry)) known.entry.value = entry;
  byId.set(entry.id, row);
  byK.set(entry.k, row);
}

const isSame = (a: BoardEntry, b: BoardEntry): boolean =>
  (Object.keys(b) as (keyof BoardEntry)[]).every((name) => a[name] === b[name]);

export function addRows(entries: readonly BoardEntry[]): void {
  batch(() => {
    for (const entry of entries) put(entry);
    membership.value++;
  });
}

export function removeRows(numbers: readonly number[]): void {
  for (const k of numbers) {
    const row = byK.get(k);
    byK.delete(k);
    waiting.delete(k);
    if (row?.entry.peek().k === k) byId.delete(row.id);
  }
  membership.value++;
}

/** CONSOLE-BOARD-1. */
export function changeRows(tuples: readonly BoardTuple[]): void {
  for (const tuple of tuples) {
    // What is no list fails here, in its own message, and not among those that are painted together.
    const [k] = tuple;
    waiting.set(k, tuple);
  }
  if (timer !== null || isPaused.peek()) return;
  timer = setTimeout(paint, Math.max(0, paintedMs + PAINT_MS - performance.now()));
}

export function resume(): void {
  isPaused.value = false;
  changeRows([]);
}

function paint(): void {
  timer = null;
  if (isPaused.peek()) return;
  paintedMs = performance.now();
  const tuples = waiting;
  waiting = new Map();
  batch(() => {
    for (const tuple of tuples.values()) changeRow(tuple);
    paints.value++;
  });
}

function changeRow([k, state, flags, success_rate, p50, p95, p99, calls, failed, refused, since]: BoardTuple): void {
  const row = byK.get(k);
  if (row === undefined) return;
  const changed = { state, flags, success_rate, p50, p95, p99, calls, failed, refused, since };
  row.entry.value = { ...row.entry.peek(), ...changed };
}
