// Why a breaker is as it is, and what happens next, in a sentence.
import type { ExtensionHealth, TargetHealth } from '../../src/domain/health/health-schema.js';
import { count, percent, some } from './numbers.js';
import type { BoardState } from './states.js';
import { duration } from './times.js';

/** `slow` is absent in what was written before there were any. */
type Evidence = Omit<NonNullable<TargetHealth['trip_evidence']>, 'slow'> & { readonly slow?: number };

/** `5 failures (2 slow) and 1 overdue of 77 in 60 s`. */
export function failures({ failures: failed, slow = 0, overdue, outcomes, window_seconds: seconds }: Evidence): string {
  const late = slow === 0 ? '' : ` (${count(slow)} slow)`;
  const hung = overdue === 0 ? '' : ` and ${count(overdue)} overdue`;
  return `${some(failed, 'failure')}${late}${hung} of ${count(outcomes + overdue)} in ${count(seconds)} s`;
}

type Trip = Pick<TargetHealth, 'trip_reason' | 'trip_evidence' | 'circuit_breaker_trips'>;

/** Why the breaker opened last; '' if it never did. */
export function trip({ trip_reason: reason, trip_evidence: evidence, circuit_breaker_trips: trips }: Trip): string {
  if (reason === null) return '';
  const numbers = evidence === null ? reason : `${failures(evidence)} (${reason})`;
  return trips > 1 ? `${numbers}, ${ordinal(trips)} trip in a row` : numbers;
}

/** What a breaker tripped by is not kept over a start of the daemon; its transitions are in the audit trail. */
export const OPENED_BEFORE = 'opened before the daemon was started';

/** Why a breaker that is open is so. */
export const reasonOpen = (health: Trip): string => trip(health) || OPENED_BEFORE;

function ordinal(value: number): string {
  const rest = value % 100;
  const ending = rest >= 11 && rest <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][value % 10] ?? 'th');
  return `${value}${ending}`;
}

/** Probes at a time; null: not known. */
export function probeLimit({ breaker_settings: settings }: Pick<ExtensionHealth, 'breaker_settings'>): number | null {
  const value = settings?.half_open_max_requests?.value;
  return typeof value === 'number' ? value : null;
}

type Breaker = Pick<TargetHealth, 'circuit_breaker_open_until' | 'half_open_requests_count'>;

/** When it tries again; '' where it does not try automatically. `limit`: probes at a time; null: not known. */
export function next(state: BoardState, breaker: Breaker, nowMs: number, limit: number | null = null): string {
  const { circuit_breaker_open_until: until, half_open_requests_count: probes } = breaker;
  if (state === 'half_open')
    return limit === null ? `${some(probes, 'probe')} in flight` : `${probes} of ${some(limit, 'probe')} in flight`;
  if (state !== 'open' || until === null) return '';
  const left = Date.parse(until) - nowMs;
  return left > 0 ? `probes in ${duration(left)}` : 'the next call is a probe';
}

type Switches = Pick<ExtensionHealth, 'enabled' | 'auto_disabled' | 'override' | 'health'>;

/** What is in force for calls: what an operator decided comes before the breaker. */
export function stateOf({ enabled, auto_disabled: isAuto, override, health }: Switches): BoardState {
  if (!enabled && !isAuto) return 'disabled';
  return override ?? health.circuit_breaker_state;
}

/** What a caller gets now. */
export function forCallers(state: BoardState, successRate: number | null): string {
  const failing = successRate === null || successRate === 1 ? '' : `, though ${percent(1 - successRate)} fail now`;
  const texts: Readonly<Record<BoardState, string>> = {
    closed: 'Calls pass.',
    open: 'Calls are refused until probes succeed.',
    half_open: 'A few calls pass as probes, the rest are refused.',
    isolated: 'Every call is refused until an operator releases it.',
    forced_closed: `Every call passes whatever the breaker measures${failing}.`,
    disabled: 'Callers get the error disabled until an operator enables it.',
  };
  return texts[state];
}
