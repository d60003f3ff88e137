// What the benchmark of the breaker measures of ours: targets with default settings and a running actor, latencies for
// them, and the one call that is shaped like those of other breakers.

import type { Clock } from '../src/actors/ports/clock.js';
import { unavailable } from '../src/actors/routing/refusals.js';
import type { Endpoint } from '../src/actors/target/endpoint.js';
import { Attempt } from '../src/actors/target/in-flight.js';
import { Target } from '../src/actors/target/target.js';
import { breakerDefaults, loadConfig } from '../src/config/config.js';
import type { InvocationError } from '../src/domain/registry/errors.js';
import type { BreakerSettings } from '../src/domain/registry/policy.js';

export const DEFAULTS = breakerDefaults(loadConfig({ flags: {}, env: {}, cwd: '/nonexistent' }));

/** Far enough for a benchmark. */
export const NEVER_MS = 2 ** 31 - 1;

/** Stands still unless it is moved. Its timers cost what timers cost, and never fire. */
export class StillClock implements Clock {
  nowMs = 1_000_000;
  readonly now = (): number => this.nowMs;
  readonly setTimeout = (fn: () => void): NodeJS.Timeout => setTimeout(fn, NEVER_MS).unref();
  readonly clearTimeout = (id: unknown): void => clearTimeout(id as NodeJS.Timeout);
}

export const runningClock: Clock = {
  now: () => performance.now(),
  // A slice that follows another one is waited for; timers of actors are not.
  setTimeout: (fn, ms) => (ms === 0 ? setTimeout(fn, 0) : setTimeout(fn, ms).unref()),
  clearTimeout: (id) => clearTimeout(id as NodeJS.Timeout),
};

let lastId = 0;

export function startTarget(clock: Clock, changes: Partial<BreakerSettings> = {}): Target {
  const target = new Target({
    extensionId: `bench-${++lastId}`,
    version: 'v1',
    settings: { ...DEFAULTS, ...changes },
    timeoutMs: 5000,
    override: null,
    facts: null,
    mustProve: false,
    clock,
    random: Math.random,
    onEvent: () => undefined,
    onRotation: () => undefined,
  });
  target.life$.subscribe();
  return target;
}

/** Longer than any run of the benchmark. */
const DAY_SECONDS = 86_400;
export const STAYS_OPEN: Partial<BreakerSettings> = { open_seconds: DAY_SECONDS, open_max_seconds: DAY_SECONDS };
/** However many calls fail, it stays closed. */
export const NEVER_OPENS: Partial<BreakerSettings> = { failure_threshold: 2 ** 31, error_rate_threshold: 1 };

/** Sends nothing: the attempt ends at once, after `latencyMs` by its own account. */
export function settleAt(
  target: Target,
  outcome: 'success' | 'failure',
  latencyMs: number,
  nowMs: number,
  endpoint: Endpoint | null = null,
): void {
  const one = new Attempt();
  target.begin(one, target.tryAdmit(nowMs), endpoint, false, nowMs);
  target.settle(one, outcome, latencyMs, nowMs);
}

/** Until it opens. */
export function trip(target: Target, nowMs: number): void {
  while (target.mode !== 'open') settleAt(target, 'failure', 1, nowMs);
}

/** Calls that a busy breaker has had, at 20 a second: in our health window, and in the window of opossum. */
export const BUSY_CALLS = 6000;
export const OPOSSUM_BUSY_CALLS = 200;

/** The i-th of latencies that are spread over six octaves, 1 to 64 ms. */
export const spreadMs = (i: number): number => 2 ** ((i * 0.618_033_988_75 * 6) % 6);

/** Waits for `call` behind a target, with what actors/routing/call.ts does for each attempt: its clock is read twice. */
export async function guarded<T>(target: Target, call: () => Promise<T>): Promise<T | InvocationError> {
  const nowMs = performance.now();
  const permit = target.tryAdmit(nowMs);
  if (permit < 0) return unavailable('circuit_open', target.extensionId, target.openRemainingMs(nowMs));
  const one = new Attempt();
  target.begin(one, permit, null, false, nowMs);
  let outcome: 'success' | 'failure' = 'failure';
  try {
    const value = await call();
    outcome = 'success';
    return value;
  } finally {
    const endMs = performance.now();
    target.settle(one, outcome, endMs - nowMs, endMs);
  }
}
