// Rows of the benchmark: what this daemon does for an attempt, piece by piece. None of it waits for anything.
import { Attempt } from '../src/actors/target/in-flight.js';
import type { Target } from '../src/actors/target/target.js';
import { DecisionWindow } from '../src/domain/breaker/decision-window.js';
import { HealthWindow } from '../src/domain/health/health-window.js';
import { done } from '../src/domain/steps.js';
import { NEVER_OPENS, STAYS_OPEN, StillClock, settleAt, spreadMs, startTarget, trip } from './targets.js';
import type { Row } from './turns.js';

/** Between two attempts. */
const STEP_MS = 0.001;
const OUT = 64;
/** Latencies to choose from, so that making them is no part of the cost. */
const LATENCIES = Float64Array.from({ length: 256 }, (_, i) => spreadMs(i));

/** `work` gets the number of the time and the time it happens at; time passes from one turn to the next as well. */
function row(name: string, clock: StillClock, work: (i: number, nowMs: number) => void): Row {
  return {
    name,
    run(times) {
      const startMs = clock.nowMs;
      for (let i = 0; i < times; i++) work(i, startMs + i * STEP_MS);
      clock.nowMs = startMs + times * STEP_MS;
    },
  };
}

export function attemptRows(): Row[] {
  const clock = new StillClock();
  const window = new DecisionWindow(60_000);
  const health = new HealthWindow();
  const closed = startTarget(clock);
  const withEndpoint = startTarget(clock);
  done(withEndpoint.rotation.keeping(new Set(['a', 'b']), new Set(['a', 'b'])));
  const endpoint = withEndpoint.rotation.at('a');
  const failing = startTarget(clock, NEVER_OPENS);
  const open = startTarget(clock, STAYS_OPEN);
  trip(open, clock.nowMs);
  const halfOpen = startTarget(clock, { half_open_max_requests: 1 });
  trip(halfOpen, clock.nowMs);
  halfOpen.tryAdmit(clock.nowMs + halfOpen.openRemainingMs(clock.nowMs));
  const idle = startTarget(clock);
  const busy = startTarget(clock);
  for (let i = 0; i < OUT; i++) busy.begin(new Attempt(), busy.tryAdmit(clock.nowMs), null, false, clock.nowMs);
  const latency = (i: number): number => LATENCIES[i % LATENCIES.length] as number;
  const one = new Attempt();
  return [
    row('record a success in the decision window', clock, (_, nowMs) => window.recordSuccess(nowMs)),
    row('record a latency in the health window', clock, (i, nowMs) => health.record(true, latency(i), nowMs)),
    row('admit: closed', clock, (_, nowMs) => void closed.tryAdmit(nowMs)),
    row('admit, begin, settle a success', clock, (i, nowMs) => {
      closed.begin(one, closed.tryAdmit(nowMs), null, false, nowMs);
      closed.settle(one, 'success', latency(i), nowMs);
    }),
    row('the same with an instance', clock, (i, nowMs) => {
      withEndpoint.begin(one, withEndpoint.tryAdmit(nowMs), endpoint, false, nowMs);
      withEndpoint.settle(one, 'success', latency(i), nowMs);
    }),
    row('admit, begin, settle a failure: an event for the actor', clock, (i, nowMs) => {
      failing.begin(one, failing.tryAdmit(nowMs), null, false, nowMs);
      failing.settle(one, 'failure', latency(i), nowMs);
    }),
    row('refuse: open', clock, (_, nowMs) => void open.tryAdmit(nowMs)),
    row('refuse: half-open and full', clock, (_, nowMs) => void halfOpen.tryAdmit(nowMs)),
    cycle('five failures, open, half-open, two probes, closed'),
    row('tick: idle', clock, (_, nowMs) => idle.tick(nowMs)),
    row(`tick: ${OUT} attempts out`, clock, (_, nowMs) => busy.tick(nowMs)),
  ];
}

/** Seven attempts and four transitions, with their timers. */
function cycle(name: string): Row {
  const clock = new StillClock();
  const target: Target = startTarget(clock);
  return {
    name,
    run(times) {
      for (let i = 0; i < times; i++) {
        trip(target, clock.nowMs);
        clock.nowMs += target.openRemainingMs(clock.nowMs);
        while (target.mode !== 'closed') settleAt(target, 'success', 1, clock.nowMs);
        // A whole window closed: the next trip is a first one again.
        clock.nowMs += 60_000;
      }
    },
  };
}
