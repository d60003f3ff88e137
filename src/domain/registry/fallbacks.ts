// Which extensions are fallbacks of another (`policy.fallback`): those of its type, and never in a circle.
//
// FALLBACKS-1. What closes a circle is refused alone, and its extension goes on without it. What was in force before stays; of what is
//      new, and if nothing was before, the order of the names decides. It is in force as soon as another row opens the circle.
// FALLBACKS-2. An extension of another type is reported, and skipped when it would be asked. One that does not exist may be inserted later.
// FALLBACKS-3. A start takes time linear in the extensions and their fallbacks; later only what is new is looked into.
// FALLBACKS-4. A graph that is kept as rows change is what a computation of all rows gives, at a cost that depends on the changed rows, what they
//      name and what names them; and, if an extension names less than before, on the fallbacks that are refused.

import { done, type Steps, sorting } from '../steps.js';

/** What counts of an extension. */
export interface FallbackRow {
  readonly id: string;
  readonly type: string;
  readonly fallback: readonly string[];
}

type Fallbacks = ReadonlyMap<string, readonly string[]>;

interface FallbacksInForce {
  /** Of those that have any. */
  readonly inForce: Fallbacks;
  /** By extension, each with what was expected. */
  readonly problems: ReadonlyMap<string, readonly string[]>;
}

const NOTHING: Fallbacks = new Map();

/** Of all extensions that there are. `before`: what was in force until now. */
export function fallbacksInForce(rows: Iterable<FallbackRow>, before: Fallbacks = NOTHING): FallbacksInForce {
  const byId = new Map([...rows].sort((a, b) => (a.id < b.id ? -1 : 1)).map((row) => [row.id, row]));
  const circles = before.size === 0 ? done(findingCircles(byId)) : circlesByNews(byId, before);
  const inForce = new Map<string, readonly string[]>();
  const problems = new Map<string, readonly string[]>();
  for (const { id, type, fallback } of byId.values()) {
    if (fallback.length === 0) continue;
    const refused = circles.get(id);
    inForce.set(
      id,
      fallback.filter((other) => refused?.has(other) !== true),
    );
    const reported = problemsOf({ id, type, fallback }, refused, (other) => byId.get(other)?.type);
    if (reported.length > 0) problems.set(id, reported);
  }
  return { inForce, problems };
}

/** By fallback that is refused: the circle that it would close. */
type Refused = ReadonlyMap<string, readonly string[]>;

/** What is to be reported of a row. `typeOf`: undefined of an extension that does not exist. */
function problemsOf(
  { type, fallback }: FallbackRow,
  refused: Refused | undefined,
  typeOf: (id: string) => string | undefined,
): readonly string[] {
  return fallback.flatMap((other) => {
    const circle = refused?.get(other);
    if (circle !== undefined) return [`policy.fallback goes in a circle: ${circle.join(' -> ')}`];
    const otherType = typeOf(other) ?? type;
    return otherType === type
      ? []
      : [`policy.fallback must name extensions of type ${type}, ${other} has ${otherType}`];
  });
}

/** By extension and fallback that is refused: the circle that it would close. */
type Circles = Map<string, Map<string, readonly string[]>>;

function refuse(circles: Circles, id: string, other: string, circle: readonly string[]): void {
  circles.set(id, (circles.get(id) ?? new Map()).set(other, circle));
}

/** Depth first, in the order of names, without recursion: a chain may be as long as the registry. */
function* findingCircles(byId: ReadonlyMap<string, FallbackRow>): Steps<Circles> {
  const circles: Circles = new Map();
  const done = new Set<string>();
  for (const root of byId.values()) {
    if (root.fallback.length === 0 || done.has(root.id)) continue;
    const way: { readonly row: FallbackRow; next: number }[] = [{ row: root, next: 0 }];
    const onWay = new Set([root.id]);
    for (let top = way.at(-1); top !== undefined; top = way.at(-1)) {
      yield;
      const { row } = top;
      const other = row.fallback[top.next++];
      if (other === undefined) {
        way.pop();
        onWay.delete(row.id);
        done.add(row.id);
      } else if (onWay.has(other)) {
        const ids = way.map((step) => step.row.id);
        refuse(circles, row.id, other, [row.id, ...ids.slice(ids.indexOf(other))]);
      } else {
        const peer = byId.get(other);
        if (peer === undefined || done.has(other) || peer.fallback.length === 0) continue;
        way.push({ row: peer, next: 0 });
        onWay.add(other);
      }
    }
  }
  return circles;
}

/** What was in force before goes in no circle; each new one is looked into. */
function circlesByNews(byId: ReadonlyMap<string, FallbackRow>, before: Fallbacks): Circles {
  const circles: Circles = new Map();
  const graph = new Map<string, string[]>();
  const isOld = (id: string, other: string): boolean => before.get(id)?.includes(other) === true;
  for (const { id, fallback } of byId.values())
    graph.set(
      id,
      fallback.filter((other) => isOld(id, other)),
    );
  for (const { id, fallback } of byId.values())
    for (const other of fallback) {
      if (isOld(id, other)) continue;
      const back = other === id ? [id] : done(findingWay(other, id, graph));
      if (back === null) graph.get(id)?.push(other);
      else refuse(circles, id, other, [id, ...back]);
    }
  return circles;
}

/** null: there is none. */
function* findingWay(
  start: string,
  end: string,
  graph: ReadonlyMap<string, readonly string[]>,
): Steps<readonly string[] | null> {
  const cameFrom = new Map<string, string | null>([[start, null]]);
  const next = [start];
  for (let at = next.pop(); at !== undefined; at = next.pop()) {
    yield;
    if (at === end) {
      const way: string[] = [];
      for (let step: string | null = at; step !== null; step = cameFrom.get(step) ?? null) way.unshift(step);
      return way;
    }
    for (const other of graph.get(at) ?? []) {
      if (cameFrom.has(other)) continue;
      cameFrom.set(other, at);
      next.push(other);
    }
  }
  return null;
}

const NONE: readonly string[] = [];

/** FALLBACKS-4. */
export class FallbackGraph {
  /** Of those that have any; as they name them, and as they are in force. */
  readonly #rows = new Map<string, FallbackRow>();
  readonly #inForce = new Map<string, readonly string[]>();
  readonly #circles: Circles = new Map();
  readonly #namedBy = new Map<string, Set<string>>();

  /** The fallbacks of this extension. */
  of(id: string): readonly string[] {
    return this.#inForce.get(id) ?? NONE;
  }

  /**
   * Takes over these rows; null: the extension is gone. `typeOf`: of any extension; undefined: it does not exist. Returns what is to be
   * reported of each that this may have changed, nothing of most.
   */
  *changing(
    changes: ReadonlyMap<string, FallbackRow | null>,
    typeOf: (id: string) => string | undefined,
  ): Steps<ReadonlyMap<string, readonly string[]>> {
    const isFirst = this.#inForce.size === 0;
    const touched = new Set<string>();
    const open = new Set<string>();
    let isAnyGone = false;
    for (const [id, row] of changes) {
      touched.add(id);
      if (this.#put(id, row)) isAnyGone = true;
      if (this.#rows.has(id)) open.add(id);
      for (const other of this.#namedBy.get(id) ?? NONE) touched.add(other);
      yield;
    }
    // What was refused may go in no circle any more.
    if (isAnyGone) for (const id of this.#circles.keys()) open.add(id);
    const inOrder = yield* sorting([...open], (a, b) => (a < b ? -1 : 1));
    if (isFirst) yield* this.#lookIntoAll(inOrder);
    else for (const id of inOrder) yield* this.#lookInto(id);
    for (const id of open) touched.add(id);
    const problems = new Map<string, readonly string[]>();
    for (const id of touched) {
      const row = this.#rows.get(id);
      problems.set(id, row === undefined ? NONE : problemsOf(row, this.#circles.get(id), typeOf));
      yield;
    }
    return problems;
  }

  /** Keeps of what was in force what the row still names. True: it names less. */
  #put(id: string, row: FallbackRow | null): boolean {
    const before = this.of(id);
    for (const other of this.#rows.get(id)?.fallback ?? NONE) {
      const namers = this.#namedBy.get(other);
      namers?.delete(id);
      if (namers?.size === 0) this.#namedBy.delete(other);
    }
    this.#rows.delete(id);
    this.#inForce.delete(id);
    this.#circles.delete(id);
    const fallback = row?.fallback ?? NONE;
    if (row !== null && fallback.length > 0) {
      this.#rows.set(id, row);
      this.#inForce.set(
        id,
        fallback.filter((other) => before.includes(other)),
      );
      for (const other of fallback) this.#namedBy.set(other, (this.#namedBy.get(other) ?? new Set()).add(id));
    }
    return before.some((other) => !fallback.includes(other));
  }

  *#lookIntoAll(ids: readonly string[]): Steps<void> {
    const circles = yield* findingCircles(new Map(ids.map((id) => [id, this.#rows.get(id) as FallbackRow])));
    for (const id of ids) {
      const refused = circles.get(id);
      if (refused !== undefined) this.#circles.set(id, refused);
      const { fallback } = this.#rows.get(id) as FallbackRow;
      this.#inForce.set(id, refused === undefined ? fallback : fallback.filter((other) => !refused.has(other)));
      yield;
    }
  }

  /** Each fallback of it that is not in force yet. */
  *#lookInto(id: string): Steps<void> {
    const { fallback } = this.#rows.get(id) as FallbackRow;
    this.#circles.delete(id);
    for (const other of fallback) {
      const inForce = this.of(id);
      if (inForce.includes(other)) continue;
      const back = other === id ? [id] : yield* findingWay(other, id, this.#inForce);
      if (back !== null) refuse(this.#circles, id, other, [id, ...back]);
      else
        this.#inForce.set(
          id,
          fallback.filter((one) => one === other || inForce.includes(one)),
        );
    }
  }
}
