// The text form of a chart: each active state in words, since when, and what leads out of it.
import { activeNodes } from './active.js';
import type { Machine, StateNode, Transition } from './definition.js';
import type { View } from './log.js';
import { dueAtMs } from './timers.js';
import { eventText, nodeName, targetText } from './words.js';

interface Sentences {
  readonly node: StateNode;
  readonly name: string;
  /** `after openTime in 46 s → halfOpen`. */
  readonly leaves: readonly string[];
  /** What it takes without leaving. */
  readonly stays: readonly string[];
}

/** `nowMs`: epoch ms of the daemon. `duration`: how a time is said. */
export function sentencesOf(
  machine: Machine,
  view: View,
  sinceMs: number | null,
  nowMs: number,
  duration: (ms: number) => string,
): Sentences[] {
  const said = (transition: Transition): string => {
    const due = dueAtMs(transition, view, sinceMs);
    const when = due === null ? '' : ` ${due <= nowMs ? 'now' : `in ${duration(due - nowMs)}`}`;
    const guard = transition.guard === null ? '' : ` if ${transition.guard}`;
    const target = targetText(transition);
    const done = transition.actions.length === 0 ? 'nothing' : transition.actions.join(', ');
    return `${eventText(transition)}${when}${guard} ${target === '' || target === 'stays' ? `does ${done}` : target}`;
  };
  return activeNodes(machine, view.value).map((node) => ({
    node,
    name: nodeName(node),
    leaves: node.transitions.filter((one) => isLeaving(one)).map(said),
    stays: node.transitions.filter((one) => !isLeaving(one)).map(said),
  }));
}

const isLeaving = ({ source, targets }: Transition): boolean => targets.some((target) => target !== source);

/** What leaves every state. */
export const anywhere = ({ root }: Machine): string[] =>
  root.transitions
    .filter(isLeaving)
    .map((one) => `${eventText(one)}${one.guard === null ? '' : ` if ${one.guard}`} ${targetText(one)}`);
