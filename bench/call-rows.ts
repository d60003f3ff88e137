// Rows of the benchmark: one call that is awaited behind a breaker, ours and those of others, in the same shape. The call
// itself resolves or rejects at once.
import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleAll, type IBreaker, SamplingBreaker } from 'cockatiel';
import CircuitBreaker from 'opossum';
import {
  guarded,
  NEVER_MS,
  NEVER_OPENS,
  runningClock,
  STAYS_OPEN,
  settleAt,
  spreadMs,
  startTarget,
  trip,
} from './targets.js';
import type { Row } from './turns.js';

type Call = () => Promise<unknown>;

const succeeds = async (): Promise<number> => 1;
/** Made once: what an error costs is the callee's. */
const problem = new Error('no');
const fails = (): Promise<never> => Promise.reject(problem);

/** What a call behind one breaker looks like: one that succeeds, one that fails though it stays closed, one refused. */
export interface Contender {
  readonly name: string;
  readonly success: Call;
  readonly failure: Call;
  /** Before some failures are measured. */
  readonly beforeFailures?: () => void;
  /** null: it refuses nothing. */
  readonly refusal: Call | null;
}

function ours(): Contender {
  const closed = startTarget(runningClock);
  const failing = startTarget(runningClock, NEVER_OPENS);
  const open = startTarget(runningClock, STAYS_OPEN);
  trip(open, performance.now());
  return {
    name: 'this daemon',
    success: () => guarded(closed, succeeds),
    failure: () => guarded(failing, fails),
    refusal: () => guarded(open, succeeds),
  };
}

/** `breakerOf`: one that opens only after so many failures. */
async function cockatiel(name: string, breakerOf: (failures: number) => IBreaker): Promise<Contender> {
  const policyOf = (failures: number) =>
    circuitBreaker(handleAll, { halfOpenAfter: NEVER_MS, breaker: breakerOf(failures) });
  const closed = policyOf(5);
  const failing = policyOf(Number.POSITIVE_INFINITY);
  const open = policyOf(5);
  while (open.state !== CircuitState.Open) await open.execute(fails).catch(() => undefined);
  return {
    name: `cockatiel, ${name}`,
    success: () => closed.execute(succeeds),
    failure: () => failing.execute(fails),
    refusal: () => open.execute(succeeds),
  };
}

const DAY_MS = 86_400_000;

/** Its window does not move on while it is measured, and it does not open by itself. */
const OPOSSUM_HELD: CircuitBreaker.Options = {
  rollingCountTimeout: DAY_MS,
  resetTimeout: NEVER_MS,
  errorThresholdPercentage: 100,
};

/** Failures are measured with as many latencies in its window, which it sorts at each. */
export const OPOSSUM_LATENCIES = 1000;

function opossum(name: string, options: CircuitBreaker.Options): Contender {
  const closed = new CircuitBreaker(succeeds, options);
  const open = new CircuitBreaker(succeeds, { ...options, resetTimeout: NEVER_MS });
  open.open();
  let failing = new CircuitBreaker(fails, { ...options, ...OPOSSUM_HELD });
  return {
    name: `opossum, ${name}`,
    success: () => closed.fire(),
    failure: () => failing.fire(),
    beforeFailures: () => {
      failing.shutdown();
      failing = new CircuitBreaker(fails, { ...options, ...OPOSSUM_HELD });
      fillOpossum(failing, OPOSSUM_LATENCIES);
    },
    refusal: () => open.fire(),
  };
}

/** Leaves in it what calls with those latencies leave. */
export function fillOpossum(breaker: CircuitBreaker, samples: number): void {
  for (let i = 0; i < samples; i++) {
    breaker.emit('fire', []);
    breaker.emit('success', undefined, Math.round(spreadMs(i)));
  }
}

export async function contenders(): Promise<Contender[]> {
  const sampling = (failures: number) =>
    new SamplingBreaker({ threshold: 0.5, duration: 60_000, minimumRps: failures / 60 });
  return [
    { name: 'no breaker', success: succeeds, failure: fails, refusal: null },
    ours(),
    await cockatiel('consecutive', (failures) => new ConsecutiveBreaker(failures)),
    await cockatiel('sampling', sampling),
    opossum('no timeout, no percentiles', { timeout: false, rollingPercentilesEnabled: false }),
    opossum('no timeout', { timeout: false }),
    opossum('defaults', {}),
  ];
}

/** The name of a contender's row. */
export const callRow = (contender: string, kind: 'success' | 'failure' | 'refusal'): string => `${contender}: ${kind}`;

export function callRows({ name, success, failure, beforeFailures, refusal }: Contender): Row[] {
  return [
    { name: callRow(name, 'success'), run: (times) => repeat(success, times) },
    {
      name: callRow(name, 'failure'),
      run: (times) => repeatFailing(failure, times),
      ...(beforeFailures === undefined ? {} : { prepare: beforeFailures }),
    },
    ...(refusal === null
      ? []
      : [{ name: callRow(name, 'refusal'), run: (times: number) => repeatFailing(refusal, times) }]),
  ];
}

/** Rows over a window that holds so many latencies: reading its percentiles, and a call that fails. */
export function samplesRows(samples: number): Row[] {
  const target = startTarget(runningClock, NEVER_OPENS);
  const nowMs = performance.now();
  for (let i = 0; i < samples; i++) settleAt(target, 'success', spreadMs(i), nowMs);
  const breaker = new CircuitBreaker(fails, { ...OPOSSUM_HELD, timeout: false });
  fillOpossum(breaker, samples);
  return [
    {
      name: samplesRow('this daemon', 'read', samples),
      run: (times) => repeatSync(() => target.health.read(nowMs), times),
    },
    { name: samplesRow('opossum', 'read', samples), run: (times) => repeatSync(() => breaker.stats, times) },
    {
      name: samplesRow('this daemon', 'failure', samples),
      run: (times) => repeatFailing(() => guarded(target, fails), times),
    },
    { name: samplesRow('opossum', 'failure', samples), run: (times) => repeatFailing(() => breaker.fire(), times) },
  ];
}

export const samplesRow = (contender: string, kind: 'read' | 'failure', samples: number): string =>
  `${contender}: ${kind} over ${samples}`;

async function repeat(call: Call, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await call();
}

async function repeatFailing(call: Call, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    try {
      await call();
    } catch {
      // As wanted.
    }
  }
}

function repeatSync(read: () => unknown, times: number): void {
  for (let i = 0; i < times; i++) read();
}
