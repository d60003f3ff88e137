// Which extensions are fallbacks of another (`policy.fallback`): those of its type, and never in a circle.
//
// FALLBACKS-1. What closes a circle is refused alone, and its extension goes on without it. What was in force before stays; of what is
//      new, and if nothing was before, the order of the names decides. It is in force as soon as another row opens the circle.
// FALLBACKS-2. An extension of another type is reported, and skipped when it would be asked. One that does not exist may be inserted later.
// FALLBACKS-3. A start takes time linear in the extensions and their fallbacks; later only what is new is looked into.

/** What counts of an extension. */
export interface FallbackRow {
  readonly id: string;
  readonly type: string;
  readonly fallback: readonly string[];
}

export type Fallbacks = ReadonlyMap<string, readonly string[]>;

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
  const circles = before.size === 0 ? circlesIn(byId) : circlesByNews(byId, before);
  const inForce = new Map<string, readonly string[]>();
  const problems = new Map<string, readonly string[]>();
  for (const { id, type, fallback } of byId.values()) {
    if (fallback.length === 0) continue;
    const refused = circles.get(id);
    inForce.set(
      id,
      fallback.filter((other) => refused?.has(other) !== true),
    );
    const reported = fallback.flatMap((other) => {
      const circle = refused?.get(other);
      if (circle !== undefined) return [`policy.fallback goes in a circle: ${circle.join(' -> ')}`];
      const otherType = byId.get(other)?.type ?? type;
      return otherType === type
        ? []
        : [`policy.fallback must name extensions of type ${type}, ${other} has ${otherType}`];
    });
    if (reported.length > 0) problems.set(id, reported);
  }
  return { inForce, problems };
}

/** By extension and fallback that is refused: the circle that it would close. */
type Circles = Map<string, Map<string, readonly string[]>>;

function refuse(circles: Circles, id: string, other: string, circle: readonly string[]): void {
  circles.set(id, (circles.get(id) ?? new Map()).set(other, circle));
}

/** Depth first, in the order of names, without recursion: a chain may be as long as the registry. */
function circlesIn(byId: ReadonlyMap<string, FallbackRow>): Circles {
  const circles: Circles = new Map();
  const done = new Set<string>();
  for (const root of byId.values()) {
    if (root.fallback.length === 0 || done.has(root.id)) continue;
    const way: { readonly row: FallbackRow; next: number }[] = [{ row: root, next: 0 }];
    const onWay = new Set([root.id]);
    for (let top = way.at(-1); top !== undefined; top = way.at(-1)) {
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
      const back = other === id ? [id] : wayFrom(other, id, graph);
      if (back === null) graph.get(id)?.push(other);
      else refuse(circles, id, other, [id, ...back]);
    }
  return circles;
}

/** null: there is none. */
function wayFrom(start: string, end: string, graph: ReadonlyMap<string, readonly string[]>): string[] | null {
  const cameFrom = new Map<string, string | null>([[start, null]]);
  const next = [start];
  for (let at = next.pop(); at !== undefined; at = next.pop()) {
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
