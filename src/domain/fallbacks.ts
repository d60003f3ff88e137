// Which extensions may stand in for another (`policy.fallback`): those of its type, and never in a circle.
//
// FB1. What closes a circle is refused alone, and its extension goes on without it. Which one that is depends on the rows and
//      nothing else (those that were changed earlier come first), so that every daemon, and each after every start, refuses
//      the same; and it is in force again as soon as another row opens the circle.
// FB2. An extension of another type is told, and skipped when it would be asked. One that is not there may come.
// FB3. One pass, in time linear in the extensions and their fallbacks.

/** What counts of an extension. */
export interface FallbackRow {
  readonly id: string;
  readonly type: string;
  readonly fallback: readonly string[];
  /** Of its row. */
  readonly revision: number;
}

export interface FallbacksInForce {
  /** Of those that have any. */
  readonly inForce: ReadonlyMap<string, readonly string[]>;
  /** By extension, each with what was expected. */
  readonly problems: ReadonlyMap<string, readonly string[]>;
}

/** Of all extensions that there are. */
export function fallbacksInForce(rows: Iterable<FallbackRow>): FallbacksInForce {
  const byId = new Map<string, FallbackRow>();
  for (const row of rows) byId.set(row.id, row);
  const inForce = new Map<string, string[]>();
  const problems = new Map<string, string[]>();
  const tell = (id: string, problem: string) => problems.set(id, [...(problems.get(id) ?? []), problem]);
  const done = new Set<string>();
  const roots = [...byId.values()].filter(({ fallback }) => fallback.length > 0).sort(byAge);
  for (const root of roots) {
    if (done.has(root.id)) continue;
    // Depth first, without recursion: a chain may be as long as the registry.
    const way: { readonly row: FallbackRow; next: number }[] = [{ row: root, next: 0 }];
    const onWay = new Set([root.id]);
    for (let top = way.at(-1); top !== undefined; top = way.at(-1)) {
      const { row } = top;
      const other = row.fallback[top.next++];
      if (other === undefined) {
        way.pop();
        onWay.delete(row.id);
        done.add(row.id);
        continue;
      }
      if (onWay.has(other)) {
        const ids = way.map((step) => step.row.id);
        tell(row.id, `policy.fallback goes in a circle: ${[row.id, ...ids.slice(ids.indexOf(other))].join(' -> ')}`);
        continue;
      }
      inForce.set(row.id, [...(inForce.get(row.id) ?? []), other]);
      const peer = byId.get(other);
      if (peer === undefined) continue;
      if (peer.type !== row.type)
        tell(row.id, `policy.fallback must name extensions of type ${row.type}, ${other} has ${peer.type}`);
      if (done.has(other) || peer.fallback.length === 0) continue;
      way.push({ row: peer, next: 0 });
      onWay.add(other);
    }
  }
  return { inForce, problems };
}

const byAge = (a: FallbackRow, b: FallbackRow): number => a.revision - b.revision || (a.id < b.id ? -1 : 1);
