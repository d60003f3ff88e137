// The state of an extension in a word and a symbol, since when, why, and what an operator may do.
import { BOARD_STATES, type BoardState } from '../../domain/board-codes.js';
import type { ExtensionHealth, TargetHealth } from '../../domain/health/health-schema.js';
import { failuresText } from './evidence-text.js';
import { painted, type Style } from './style.js';
import { singleLine } from './terminal-text.js';
import { durationText } from './times.js';

const SYMBOLS: Readonly<Record<BoardState, string>> = {
  closed: '●',
  open: '▲',
  half_open: '◐',
  isolated: '■',
  forced_closed: '◆',
  disabled: '○',
};

const isState = (word: string): word is BoardState => (BOARD_STATES as readonly string[]).includes(word);

/** `▲ open`. */
export const stateText = (state: string): string =>
  isState(state) ? `${SYMBOLS[state]} ${state.replace('_', '-')}` : state;

/** What is in force for its calls: what an operator decided comes before the breaker. */
export function stateOf({
  enabled,
  auto_disabled,
  override,
  health,
}: Pick<ExtensionHealth, 'enabled' | 'auto_disabled' | 'override' | 'health'>): BoardState {
  if (!enabled && !auto_disabled) return 'disabled';
  return override ?? health.circuit_breaker_state;
}

/** What the single view says beside the list. */
export type OneHealth = ExtensionHealth & {
  readonly opened_for_ms?: number | null;
  readonly open_remaining_ms?: number | null;
  readonly refused_per_second?: number | null;
};

/** Why the breaker opened last; '' if it never did. */
export function tripText({ trip_reason, trip_evidence }: Pick<TargetHealth, 'trip_reason' | 'trip_evidence'>): string {
  if (trip_reason === null) return '';
  if (trip_evidence === null) return trip_reason;
  return `${trip_reason} (${failuresText(trip_evidence)})`;
}

/** When the next probe passes, or how many are in flight; '' if the state does not end by probes. */
export function probeText(one: OneHealth, nowMs: number): string {
  const { circuit_breaker_open_until: until, half_open_requests_count: probes } = one.health;
  const state = stateOf(one);
  if (state === 'half_open') return `${probes} ${probes === 1 ? 'probe' : 'probes'} in flight`;
  if (state !== 'open') return '';
  const leftMs = one.open_remaining_ms ?? (until === null ? null : Date.parse(until) - nowMs);
  if (leftMs === null) return '';
  return leftMs > 0 ? `probes in ${durationText(leftMs)}` : 'the next call is a probe';
}

function sinceText(one: OneHealth, nowMs: number): string {
  const { circuit_breaker_opened_at: openedAt } = one.health;
  const state = stateOf(one);
  if (state !== 'open' && state !== 'half_open') return '';
  const ms = one.opened_for_ms ?? (openedAt === null ? null : nowMs - Date.parse(openedAt));
  return ms === null ? '' : ` for ${durationText(ms)}`;
}

/** One line of an extension: id, type, version, state and why. */
export function headText(one: OneHealth, nowMs: number, style: Style): string {
  const state = stateOf(one);
  const facts = [
    ...(one.auto_disabled ? ['auto-disabled'] : []),
    ...(one.health.recovering ? ['recovering'] : []),
    ...(tripText(one.health) === '' ? [] : [`opened last for ${tripText(one.health)}`]),
    probeText(one, nowMs),
    ...((one.refused_per_second ?? 0) > 0 ? [`refuses ${(one.refused_per_second ?? 0).toFixed(1)} calls/s`] : []),
  ].filter((fact) => fact !== '');
  const name = singleLine(`${one.id}  ${one.type}  ${one.version}`);
  const why = facts.length === 0 ? '' : `\n${facts.map((fact) => `  ${singleLine(fact)}\n`).join('')}`.trimEnd();
  return `${name}  ${painted(stateText(state), style)}${sinceText(one, nowMs)}${why}\n`;
}

/** What an operator may do in this state, most useful first. */
function nextSteps(one: OneHealth): readonly string[] {
  const id = singleLine(one.id);
  const steps: Readonly<Record<BoardState, readonly string[]>> = {
    closed: [`extreg history ${id}`, `extreg explain ${id}`],
    open: [
      `extreg history ${id}: since when`,
      `extreg wait ${id} --for closed: it tries again automatically`,
      `extreg reset ${id}: closes it now`,
      ...(one.versions.length > 1 ? [`extreg rollout ${id}: gives calls to another version`] : []),
    ],
    half_open: [`extreg wait ${id} --for closed: probes decide`, `extreg history ${id}`],
    isolated: [`extreg release ${id}: half-open, then its probes decide`, `extreg audit ${id}: who isolated it`],
    forced_closed: [`extreg release ${id}: its breaker decides again`, `extreg audit ${id}: who did it`],
    disabled: [`extreg enable ${id}`, `extreg audit ${id}: who disabled it`],
  };
  const refused = (one.refused_rows ?? []).length === 0 ? [] : [`extreg set ${id} …: corrects the row that is refused`];
  return [...refused, ...steps[stateOf(one)]];
}

export const nextText = (one: OneHealth): string =>
  `Next:\n${nextSteps(one)
    .map((step) => `  ${step}\n`)
    .join('')}`;
