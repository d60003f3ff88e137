// Which states of a machine are active, and which transition led there.
//
// ACTIVE-1. The cause of a transition is the latest event that the definition allows from the old state to the new one: other events may have
//     arrived at the actor before its snapshot was sent.
// ACTIVE-2. A transition counts as taken only if its target was entered. While the state stays the same, one with a guard does not count: nothing
//     says whether its guard let it through.
import type { Json, Machine, StateNode, Transition } from './definition.js';

/** `value` of a snapshot: `open`, or `{ closed: 'steady' }`. Active states in document order, without the root; unknown names are left out. */
export function activeNodes(machine: Machine, value: Json | undefined): StateNode[] {
  const found: StateNode[] = [];
  const walk = (node: StateNode, inner: Json | undefined): void => {
    if (typeof inner === 'string') return enter(node, inner, undefined);
    if (typeof inner !== 'object' || inner === null) return;
    for (const [key, deeper] of Object.entries(inner)) enter(node, key, deeper);
  };
  const enter = (node: StateNode, key: string, deeper: Json | undefined): void => {
    const child = node.children.find((one) => one.key === key);
    if (child === undefined) return;
    found.push(child);
    walk(child, deeper);
  };
  walk(machine.root, value);
  return found;
}

/** `closed.steady`; of parallel states `a.b, c.d`. */
export function stateText(value: Json | undefined): string {
  if (typeof value !== 'object' || value === null) return value === undefined ? '–' : String(value);
  return Object.entries(value)
    .map(([key, inner]) => (isEmpty(inner) ? key : `${key}.${stateText(inner)}`))
    .join(', ');
}

const isEmpty = (value: Json): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

export const isSameState = (a: Json | undefined, b: Json | undefined): boolean => stateText(a) === stateText(b);

const isEventOf = ({ event }: Transition, type: string): boolean =>
  event !== '' &&
  (event === type || event === '*' || (event.endsWith('.*') && `${type}.`.startsWith(event.slice(0, -1))));

/** Entering `target` ends in a state in which all of `active` are active. */
function leadsTo(target: StateNode, active: ReadonlySet<StateNode>, seen = new Set<StateNode>()): boolean {
  if (active.has(target)) return true;
  if (seen.has(target)) return false;
  seen.add(target);
  // What it enters, and what it leaves at once.
  const next = [
    target.initial,
    ...target.transitions.filter(({ event }) => event === '').flatMap((one) => one.targets),
  ];
  return next.some((node) => node !== null && leadsTo(node, active, seen));
}

/** The transition that an event of this type takes from one state to the other, innermost states first; null: none, or not known (ACTIVE-2). */
export function transitionTaken(machine: Machine, from: Json, to: Json, type: string): Transition | null {
  const active = new Set(activeNodes(machine, to));
  const isSame = isSameState(from, to);
  const before = [...activeNodes(machine, from)].reverse();
  for (const node of [...before, machine.root]) {
    const first = node.transitions.find(
      (one) =>
        isEventOf(one, type) &&
        (one.targets.length === 0 ? isSame : one.targets.every((target) => leadsTo(target, active))),
    );
    if (first !== undefined) return isSame && first.guard !== null ? null : first;
  }
  return null;
}

/** ACTIVE-1. `types`: of the events since the last snapshot, oldest first; `given`: the event that the snapshot names. Index in `types`, -1: none. */
export function causeAmong(machine: Machine, from: Json, to: Json, types: readonly string[]): number {
  return types.findLastIndex((type) => transitionTaken(machine, from, to, type) !== null);
}

/** A state that is left as soon as it is entered, and that nothing leads to: where a machine decides with which state it begins. */
export function isBootState(machine: Machine, node: StateNode): boolean {
  const isLeft = node.transitions.some(({ event, guard }) => event === '' && guard === null);
  return isLeft && !machine.transitions.some(({ targets, source }) => targets.includes(node) && source !== node);
}
