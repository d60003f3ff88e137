// Which extensions may stand in for another (`policy.fallback`): those of its type, and never in a circle.
import type { ExtensionType } from './extension.js';

/** What counts of another extension; as its row has it, so nothing here is checked. */
export interface FallbackPeer {
  readonly type: string;
  readonly fallback: readonly string[];
}

/** Each problem with what was expected. An extension that is not there is none: it may come, and is skipped until then. */
export function fallbackProblems(
  id: string,
  type: ExtensionType,
  fallback: readonly string[],
  peer: (id: string) => FallbackPeer | null,
): string[] {
  return fallback.flatMap((other) => {
    const circle = other === id ? [id, id] : circleThrough(id, other, peer);
    if (circle !== null) return [`policy.fallback goes in a circle: ${circle.join(' -> ')}`];
    const otherType = peer(other)?.type ?? type;
    return otherType === type
      ? []
      : [`policy.fallback must name extensions of type ${type}, ${other} has ${otherType}`];
  });
}

/** The way from `id` by `first` back to `id`; null: there is none. */
function circleThrough(id: string, first: string, peer: (id: string) => FallbackPeer | null): string[] | null {
  const cameFrom = new Map<string, string>([[first, id]]);
  const wayTo = (end: string): string[] => {
    const way = [end];
    for (let at = cameFrom.get(end); at !== undefined && at !== id; at = cameFrom.get(at)) way.unshift(at);
    return [id, ...way];
  };
  const next = [first];
  for (let at = next.shift(); at !== undefined; at = next.shift()) {
    for (const other of peer(at)?.fallback ?? []) {
      if (other === id) return [...wayTo(at), id];
      if (cameFrom.has(other)) continue;
      cameFrom.set(other, at);
      next.push(other);
    }
  }
  return null;
}
