// ADAPTIVE-ADMISSION-1..3 on a simulated queue: calls arrive at random times and wait in one line, with the probes between them, for a server that takes
// a fixed time for a call and a shorter one for a refusal.
import test from 'ava';
import fc from 'fast-check';
import { AdaptiveAdmission } from '../../../src/domain/routing/adaptive-admission.js';
import { runs } from '../../helpers/depth.js';
import { seededRandom } from '../../helpers/seeded-random.js';

const GAP_MS = 25;
const SECOND = 1000;

interface Line {
  readonly seed: number;
  readonly targetMs: number;
  /** What a call, and a refusal, takes. */
  readonly serveMs: number;
  readonly refuseMs: number;
  /** Load at a time: arrivals over what can be served. */
  readonly loadAt: (nowMs: number) => number;
  readonly forMs: number;
  /** Round trip of the network alone. */
  readonly wayMs?: number;
  /** The server does nothing from the first to the second. */
  readonly pause?: readonly [fromMs: number, toMs: number];
}

interface Served {
  readonly atMs: number;
  readonly waitedMs: number;
  readonly isRefused: boolean;
}

function simulate(line: Line): Served[] {
  const { serveMs, refuseMs, loadAt, forMs, wayMs = 0.2, pause = [0, 0] } = line;
  const random = seededRandom(line.seed);
  const admission = new AdaptiveAdmission(line.targetMs);
  const gapMs = Math.min(GAP_MS, line.targetMs / 2);
  const arrivals: number[] = [];
  const served: Served[] = [];
  let [nowMs, idleMs, nextMs, first] = [wayMs, wayMs, 0, 0];
  let [sentMs, nextProbeMs] = [Number.POSITIVE_INFINITY, 0];
  admission.sent(0, 0);
  admission.answered(nowMs, idleMs);
  const arrive = (): void => {
    while (nextMs <= nowMs) {
      arrivals.push(nextMs);
      nextMs += (-Math.log(1 - random()) * serveMs) / loadAt(nextMs);
    }
  };
  const take = (arrivedMs: number): void => {
    const isRefused = admission.refuses(nowMs, () => idleMs);
    served.push({ atMs: nowMs, waitedMs: nowMs - arrivedMs, isRefused });
    nowMs += isRefused ? refuseMs : serveMs;
    if (sentMs !== Number.POSITIVE_INFINITY || nowMs < nextProbeMs) return;
    sentMs = nowMs;
    nextProbeMs = nowMs + gapMs;
    admission.sent(nowMs, idleMs);
  };
  while (nowMs < forMs) {
    if (nowMs >= pause[0] && nowMs < pause[1]) nowMs = pause[1];
    arrive();
    const arrivedMs = arrivals[first] ?? Number.POSITIVE_INFINITY;
    if (nowMs >= sentMs + wayMs && arrivedMs >= sentMs) {
      sentMs = Number.POSITIVE_INFINITY;
      admission.answered(nowMs, idleMs);
    } else if (arrivedMs <= nowMs) {
      first += 1;
      take(arrivedMs);
    } else {
      const untilMs = Math.max(nowMs, Math.min(nextMs, sentMs + wayMs));
      idleMs += untilMs - nowMs;
      nowMs = untilMs;
    }
  }
  return served;
}

const answeredOf = (served: readonly Served[]): Served[] => served.filter(({ isRefused }) => !isRefused);
const refusedOf = (served: readonly Served[]): number => served.length - answeredOf(served).length;
const between = (served: readonly Served[], fromMs: number, toMs: number): Served[] =>
  served.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
const constant = (load: number) => (): number => load;

const daemon = fc.record({
  seed: fc.nat(1e9),
  targetMs: fc.constantFrom(20, 50, 200),
  serveMs: fc.double({ min: 0.2, max: 0.5, noNaN: true }),
  wayMs: fc.constantFrom(0.1, 1, 40),
});

test('ADAPTIVE-ADMISSION-1: below capacity nothing is refused', (t) => {
  fc.assert(
    fc.property(daemon, fc.double({ min: 0.05, max: 0.92, noNaN: true }), (line, load) => {
      const served = simulate({ ...line, refuseMs: line.serveMs / 10, loadAt: constant(load), forMs: 3 * SECOND });
      return refusedOf(served) === 0;
    }),
    { numRuns: runs(60) },
  );
  t.pass();
});

test('ADAPTIVE-ADMISSION-1: what a pause has left is served, if that is faster than more arrives', (t) => {
  fc.assert(
    fc.property(daemon, fc.integer({ min: 1, max: 190 }), (line, pauseMs) => {
      const pause = [1000, 1000 + pauseMs] as const;
      const served = simulate({ ...line, pause, refuseMs: line.serveMs, loadAt: constant(0.5), forMs: 2.5 * SECOND });
      return refusedOf(served) === 0;
    }),
    { numRuns: runs(60) },
  );
  t.pass();
});

test('ADAPTIVE-ADMISSION-2: above capacity the server never rests, calls wait for twice the target at most, and the load’s end ends it', (t) => {
  const overload = fc.double({ min: 1.15, max: 5, noNaN: true });
  fc.assert(
    fc.property(daemon, overload, (line, load) => {
      const refuseMs = line.serveMs / 50;
      const [endMs, forMs] = [4 * SECOND, 8 * SECOND];
      const loadAt = (nowMs: number): number => (nowMs < endMs ? load : 0.7);
      const served = simulate({ ...line, refuseMs, loadAt, forMs });
      const steady = between(served, 2 * SECOND, endMs);
      const goodput = (answeredOf(steady).length * line.serveMs) / (endMs - 2 * SECOND);
      const waits = answeredOf(steady)
        .map(({ waitedMs }) => waitedMs)
        .sort((a, b) => a - b);
      const p99Ms = waits[Math.floor(waits.length * 0.99)] ?? 0;
      // A probe is answered its way later; what arrived meanwhile waits as well.
      const most = 2 * (line.targetMs + line.wayMs) * 1.1 + 5;
      return goodput >= 0.9 && p99Ms <= most && refusedOf(between(served, endMs + 2 * SECOND, forMs)) === 0;
    }),
    { numRuns: runs(60) },
  );
  t.pass();
});
