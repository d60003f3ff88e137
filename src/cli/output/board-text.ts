// The board as a table: `extreg ls`.
import { countText, textTable } from './output.js';
import { type OneHealth, probeText, stateText, tripText } from './state-text.js';
import type { Style } from './style.js';
import { singleLine } from './terminal-text.js';
import { durationText } from './times.js';

/** An item of GET /admin/extensions. */
export interface ListItem {
  readonly id: string;
  readonly type: string | null;
  readonly version?: string;
  readonly auto_disabled?: boolean;
  readonly in_force: boolean;
  readonly refused: readonly string[] | null;
  /** null: its row was never valid. */
  readonly health: {
    readonly state: string;
    /** ISO 8601. */
    readonly since: string | null;
    readonly success_rate: number | null;
    readonly p95_latency_ms: number | null;
    readonly calls_per_second: number;
    readonly failed_per_second: number;
    readonly refused_per_second: number;
    readonly recovering: boolean;
    readonly canary: boolean;
    readonly ejected_instance: boolean;
    readonly no_call_ever: boolean;
  } | null;
}

/** What is known of one beside its item. */
export interface Beside {
  readonly health: OneHealth | null;
  /** Who decided what is in force, and why; null: none did, or it is not known. */
  readonly decision: { readonly by: string | null; readonly reason: string | null } | null;
}

const HEADER = ['STATE', 'FOR', 'SUCCESS', 'CALLS/S', 'REFUSED/S', 'P95 ms', 'NOTE', 'ID'];
const NUMBERS = ['SUCCESS', 'CALLS/S', 'REFUSED/S', 'P95 ms'];

export function boardText(
  items: readonly ListItem[],
  beside: ReadonlyMap<string, Beside>,
  style: Style,
  nowMs: number,
): string {
  if (style.quiet) return items.map(({ id }) => `${singleLine(id)}\n`).join('');
  const rows = items.map((item) => cellsOf(item, beside.get(item.id) ?? null, nowMs));
  return textTable(HEADER, rows, style, NUMBERS);
}

export function boardSummary(
  shown: number,
  total: number,
  all: number | null,
  isWrong: boolean,
  first: string | undefined,
): string {
  const rest = shown < total ? `; ${total - shown} more are not shown` : '';
  if (!isWrong) return `${countText(total, 'extension')}${rest}\n`;
  const of = all === null ? '' : ` of ${all}`;
  if (total === 0) return `nothing needs a look${of === '' ? '' : `: all ${all} are well`}\n`;
  const next = first === undefined ? '' : `  Next: extreg show ${singleLine(first)}`;
  return `${total}${of} ${total === 1 ? 'needs' : 'need'} a look${rest}.${next}\n`;
}

function cellsOf(item: ListItem, beside: Beside | null, nowMs: number): string[] {
  const { health, id } = item;
  if (health === null) return ['-', '-', '-', '-', '-', '-', noteOf(item, beside, nowMs), id];
  return [
    stateText(health.state),
    health.since === null ? '-' : durationText(nowMs - Date.parse(health.since)),
    health.success_rate === null ? '-' : `${(health.success_rate * 100).toFixed(1)} %`,
    health.calls_per_second.toFixed(1),
    health.refused_per_second.toFixed(1),
    health.p95_latency_ms === null ? '-' : health.p95_latency_ms.toFixed(1),
    noteOf(item, beside, nowMs),
    id,
  ];
}

function noteOf(
  { health, auto_disabled, in_force: inForce, refused }: ListItem,
  beside: Beside | null,
  nowMs: number,
): string {
  const isBroken = health?.state === 'open' || health?.state === 'half_open';
  const one = beside?.health ?? null;
  const notes = [
    ...(auto_disabled ? ['auto-disabled'] : []),
    ...(isBroken && one !== null ? [tripText(one.health), probeText(one, nowMs)] : []),
    ...(beside?.decision ? [decisionText(beside.decision)] : []),
    ...(health?.recovering ? ['recovering'] : []),
    ...(health?.ejected_instance ? ['an instance is out of rotation'] : []),
    ...(refused === null ? [] : [`${inForce ? 'a row' : 'its row'} is refused: ${refused[0] ?? ''}`]),
    ...(health?.canary ? ['a rollout is in progress'] : []),
    ...(health?.no_call_ever ? ['never called'] : []),
  ];
  return notes.filter((note) => note !== '').join('; ') || '-';
}

const decisionText = ({ by, reason }: { readonly by: string | null; readonly reason: string | null }): string =>
  [`by ${by ?? 'an operator'}`, ...(reason ? [reason] : [])].join(': ');
