// What is written of states and transitions, in the chart and in its text form.
import type { StateNode, Transition } from './definition.js';

/** `halfOpen.probing`; of the machine itself its id. */
export const nodeName = (node: StateNode): string => (node.path.length === 0 ? node.id : node.path.join('.'));

/** An event as a reader knows it: a timer by its delay, and no event as `always`. */
export function eventText({ event, kind, delay }: Transition): string {
  if (kind === 'after') return `after ${delayText(delay ?? '')}`;
  if (kind === 'always') return 'always';
  if (event.startsWith('xstate.done.state.')) return 'done';
  return event;
}

const delayText = (delay: string): string => (/^\d+$/.test(delay) ? `${delay} ms` : delay);

/** An event of a frame: `xstate.after.openTime.breaker.open` is what the machine's timer sent. */
export function eventTypeText(type: string): string {
  const [, delay] = /^xstate\.after\.([^.]+)\./.exec(type) ?? [];
  return delay === undefined ? type : `after ${delayText(delay)}`;
}

/** Where a transition leads, as seen from its source: `open`, `↺` where it enters its own state again; '' where it stays. */
export function targetText({ source, targets, reenter }: Transition): string {
  if (targets.length === 0) return '';
  if (targets.length === 1 && targets[0] === source) return reenter ? '↺' : 'stays';
  return targets.map((target) => `→ ${shortName(source, target)}`).join(' ');
}

/** A sibling by its own name, anything else from the root. */
const shortName = (source: StateNode, target: StateNode): string =>
  target.parent === source.parent || target.parent === source ? target.key : nodeName(target);

interface RowText {
  readonly left: string;
  readonly guard: string;
  readonly right: string;
}

/** A transition without a target shows its actions: they are all that it does. */
export function rowText(transition: Transition, showsActions: boolean): RowText {
  const { guard, actions, targets } = transition;
  const isShown = actions.length > 0 && (showsActions || targets.length === 0);
  const done = isShown ? `/ ${actions.join(', ')}` : '';
  return {
    left: eventText(transition),
    guard: guard === null ? '' : ` [${guard}]`,
    right: [done, targetText(transition)].filter((part) => part !== '').join(' ') || '/ –',
  };
}

/** All of a transition in one line. */
export function transitionText(transition: Transition): string {
  const { guard, actions } = transition;
  const target = targetText(transition) || 'stays';
  const done = actions.length === 0 ? '' : ` / ${actions.join(', ')}`;
  return `${eventText(transition)}${guard === null ? '' : ` [${guard}]`} ${target}${done}`;
}
