// Marks of a history, as lines of a chart and as lines of text. Pure.
import type { HistoryMark } from '../../src/domain/health/history-answer.js';
import { failures } from '../words/reasons.js';
import { actionWords, whoText } from '../words/why.js';
import type { Mark } from './mark.js';

const TRANSITIONS: Readonly<Record<string, readonly [label: string, colour: string]>> = {
  circuit_opened: ['opened', 'open'],
  version_opened: ['opened', 'open'],
  circuit_half_opened: ['half-open', 'half'],
  circuit_closed: ['closed', 'closed'],
  disable: ['disabled', 'dim'],
  auto_disabled: ['auto-disabled', 'dim'],
  enable: ['enabled', 'closed'],
  auto_enabled: ['auto-enabled', 'closed'],
  isolate: ['isolated', 'override'],
  force_closed: ['forced closed', 'override'],
  release: ['released', 'override'],
};

export function chartMarks(marks: readonly HistoryMark[], begins: number): Mark[] {
  const shown = marks.map(({ at, kind }): Mark => {
    const [label, colour] = TRANSITIONS[kind] ?? [actionWords(kind), 'link'];
    return { at: Date.parse(at) / 1000, label, colour, isDashed: TRANSITIONS[kind] === undefined };
  });
  return [{ at: begins, label: 'daemon started', colour: 'dim', isDashed: true }, ...shown];
}

/** `circuit opened: 5 failures of 77 in 60 s, by ada: reason`. */
export function markLine({ kind, instance_id: instance, reason, actor, evidence }: HistoryMark): string {
  const numbers = evidence === undefined ? '' : `: ${failures(evidence)}`;
  const who = actor.startsWith('system:') ? '' : `, by ${whoText(actor)}`;
  return `${actionWords(kind)}${instance === undefined ? '' : ` ${instance}`}${numbers}${who}${reason === undefined ? '' : `: ${reason}`}`;
}
