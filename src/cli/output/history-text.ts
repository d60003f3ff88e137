// The history of an extension as sparks and marks.
import { textTable } from './output.js';
import type { Style } from './style.js';
import { singleLine } from './terminal-text.js';
import { clockText } from './times.js';

type Numbers = readonly (number | null)[];

/** Of GET /admin/extensions/:id/history. */
export interface History {
  /** Seconds. */
  readonly step: number;
  /** Epoch s of the first slot. */
  readonly start: number;
  readonly calls: Numbers;
  readonly failed: Numbers;
  readonly refused: Numbers;
  readonly p95: Numbers;
  readonly marks: readonly {
    /** ISO 8601. */
    readonly at: string;
    readonly kind: string;
    readonly version: string | null;
    readonly instance_id?: string;
    readonly reason?: string | null;
    readonly actor: string | null;
  }[];
  /** Epoch s: the numbers know nothing of before. */
  readonly begins: number | null;
}

const SPARKS = '▁▂▃▅▇';
const LABEL = 9;
const MIN_SPARKS = 10;

/** A character for each slot, by its share of the most; a blank where nothing is known. */
export function sparks(numbers: Numbers): string {
  const most = numbers.reduce<number>((max, value) => Math.max(max, value ?? 0), 0);
  return numbers
    .map((value) => {
      if (value === null) return ' ';
      if (most === 0 || value === 0) return SPARKS[0];
      return SPARKS[Math.min(SPARKS.length - 1, Math.max(1, Math.ceil((value / most) * SPARKS.length) - 1))];
    })
    .join('');
}

export function historyText(id: string, history: History, style: Style): string {
  const { step, start, calls, failed, refused, p95, marks, begins } = history;
  const room = style.width === null ? calls.length : Math.max(MIN_SPARKS, style.width - LABEL - 16);
  const perSpark = Math.max(1, Math.ceil(calls.length / room));
  const end = start + calls.length * step;
  const head = [
    `${singleLine(id)}  ${clock(start)} to ${clock(end)}, a spark for ${spanText(step * perSpark)}`,
    ...(begins !== null && begins > start ? [`nothing is known of before ${clock(begins)}: the daemon started`] : []),
  ];
  const lines = [
    lineOf('calls', bySum(calls, perSpark), ''),
    lineOf('failed', bySum(failed, perSpark), ''),
    lineOf('refused', bySum(refused, perSpark), ''),
    lineOf('p95', byMost(p95, perSpark), ' ms'),
  ];
  const table = textTable(
    ['WHEN', 'WHAT', 'VERSION', 'WHO', 'WHY'],
    marks.map((mark) => [
      clockText(mark.at),
      mark.kind,
      mark.instance_id ?? mark.version ?? '-',
      mark.actor ?? '-',
      mark.reason ?? '-',
    ]),
    style,
  );
  const note = style.quiet ? '' : `${head.join('\n')}\n\n`;
  return `${note}${lines.join('')}${marks.length === 0 ? '' : `\n${table}`}`;
}

const clock = (seconds: number): string => clockText(new Date(seconds * 1000).toISOString());
const spanText = (seconds: number): string => (seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`);

function lineOf(name: string, numbers: Numbers, unit: string): string {
  const most = numbers.reduce<number | null>((max, value) => (value === null ? max : Math.max(max ?? 0, value)), null);
  const top = most === null ? '-' : `up to ${Number(most.toFixed(1))}${unit}`;
  return `${name.padEnd(LABEL)}${sparks(numbers)}  ${top}\n`;
}

const bySum = (numbers: Numbers, per: number): Numbers => grouped(numbers, per, (a, b) => a + b);
/** Of percentiles there is no sum. */
const byMost = (numbers: Numbers, per: number): Numbers => grouped(numbers, per, Math.max);

function grouped(numbers: Numbers, per: number, join: (a: number, b: number) => number): Numbers {
  const groups: (number | null)[] = [];
  for (let at = 0; at < numbers.length; at += per)
    groups.push(
      numbers
        .slice(at, at + per)
        .reduce<number | null>((sum, value) => (value === null ? sum : sum === null ? value : join(sum, value)), null),
    );
  return groups;
}
