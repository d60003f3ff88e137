// The circuit breaker of one target as a statechart. It decides; it does no I/O. Windows, clock and randomness come in
// by reference, so that a success while closed costs a counter and no event (see actors/target/target.ts).
//
// BREAKER-MACHINE-1. Every entry of a state and every renewal starts a new generation and empties the decision window.
// BREAKER-MACHINE-2. It never stays open shorter than its open time: admission compares the clock with `openUntilMs`; the timer only
//     makes visible what the clock already says.
// BREAKER-MACHINE-3. Half-open holds at most half_open_max_requests probes at a time, and each ends: success, failure, released, or its
//     lease is over, which is a failure.
// BREAKER-MACHINE-4. Facts, not snapshots, are restored: `restoring` boots into the state that the facts and the time left call for.
// BREAKER-MACHINE-5. Entering a state empties the window and draws a generation as part of the transition itself: ask a live breaker for
//     its snapshot, never `snapshot.can(event)`, which would do both.
// BREAKER-MACHINE-6. After probes closed it, or an operator enabled it, it is recovering first: a slow start, which ends with its time or when
//     its target reports that it is complete. Whatever closed does, recovering does too.
// BREAKER-MACHINE-7. Other settings never lengthen a time that runs: it ends when it would have, or sooner, as the settings in force say
//     from now on. The open time is one, and the slow start, and the lease of a probe. (An open breaker then begins a new
//     generation, which has no effect: it has no permits in flight.)
//
// Long: one statechart, with every guard, action and delay named.
import { assign, emit, enqueueActions, setup } from 'xstate';
import { endsBy, evaluateTrip, isHighFailureCount, openMs, type TripReason } from '../domain/breaker/trip.js';
import { evidenceOf, type TripEvidence } from '../domain/breaker/trip-evidence.js';
import { contextOf } from './breaker-context.js';
import type { BreakerContext, BreakerEmitted, BreakerEvent, BreakerInput } from './breaker-types.js';

/** Timers below 0, NaN or beyond this fire immediately; NaN counts as over. */
const MAX_DELAY_MS = 2 ** 31 - 1;
const delay = (ms: number): number => (ms > 0 ? Math.min(Math.ceil(ms), MAX_DELAY_MS) : 0);

const timeOf = (event: { type: string }, context: BreakerContext): number =>
  'nowMs' in event ? (event.nowMs as number) : context.now();

/** Evidence of a trip that one probe decided: the window is empty by then. */
const probeEvidence = (context: BreakerContext, slow: boolean, nowMs: number): TripEvidence => ({
  failures: 1,
  outcomes: context.probeSuccesses + 1,
  slow: slow ? 1 : 0,
  overdue: 0,
  errorRate: 1 / (context.probeSuccesses + 1),
  windowMs: context.window.windowMs,
  firstFailureMs: nowMs,
  lastFailureMs: nowMs,
});

/** BREAKER-MACHINE-7. Without jitter: a time that is set is exact. */
function shortenedOpenUntilMs(
  { openUntilMs, trips }: BreakerContext,
  { settings, nowMs }: Extract<BreakerEvent, { type: 'settings.changed' }>,
): number {
  return endsBy(openUntilMs, nowMs, openMs(trips, settings, 0));
}

/** `reason`: why it would open; null: the count is high. null in all: nothing to warn of, or it was reported in this window. */
function warningDue(
  { window, settings, warnedAtMs }: BreakerContext,
  nowMs: number,
): { which: keyof BreakerContext['warnedAtMs']; reason: TripReason | null } | null {
  const reason = evaluateTrip(window, settings, nowMs);
  if (reason === null && !isHighFailureCount(window, settings, nowMs)) return null;
  const which = reason === null ? 'highFailureCount' : 'wouldOpen';
  return nowMs - warnedAtMs[which] < window.windowMs ? null : { which, reason };
}

export const breakerMachine = setup({
  types: {
    context: {} as BreakerContext,
    events: {} as BreakerEvent,
    input: {} as BreakerInput,
    emitted: {} as BreakerEmitted,
  },
  guards: {
    isIsolated: ({ context }) => context.boot.override === 'isolated',
    isForcedClosed: ({ context }) => context.boot.override === 'forced_closed',
    isStillOpen: ({ context }) => context.boot.facts.state === 'open' && context.boot.facts.openRemainingMs > 0,
    hasToProve: ({ context }) => context.boot.facts.state !== 'closed' || context.boot.mustProve,
    shouldTrip: ({ context, event }) =>
      context.settings.circuit_breaker_enabled &&
      evaluateTrip(context.window, context.settings, timeOf(event, context)) !== null,
    // Asked before the action: most failures and ticks warn of nothing, and a transition costs as much as all the rest.
    hasWarning: ({ context, event }) => warningDue(context, timeOf(event, context)) !== null,
    isOpenTimeOver: ({ context, event }) => !(timeOf(event, context) < context.openUntilMs),
    isLastProbe: ({ context }) => context.probeSuccesses + 1 >= context.settings.half_open_successes,
    isOnlyProbe: ({ context }) => context.probes.length <= 1,
    hasNoRamp: ({ context }) => context.settings.recovery_ramp_seconds === 0,
    isOpenTimeShorter: ({ context, event }) =>
      event.type === 'settings.changed' && shortenedOpenUntilMs(context, event) < context.openUntilMs,
  },
  delays: {
    openTime: ({ context }) => delay(context.openUntilMs - context.now()),
    rampTime: ({ context }) => delay(context.rampUntilMs - context.now()),
    lease: ({ context }) => delay(Math.min(...context.leasesUntilMs) - context.now()),
  },
  actions: {
    startGeneration: enqueueActions(({ context, enqueue }) => {
      context.window.clear();
      enqueue.assign({ generation: context.nextGeneration(), probes: [], leasesUntilMs: [], probeSuccesses: 0 });
    }),
    countTransition: assign({ epoch: ({ context }) => context.epoch + 1 }),
    resumeOpen: assign(({ context }) => {
      const nowMs = context.now();
      const { facts } = context.boot;
      return {
        openedAtMs: facts.openedAgoMs === null ? null : nowMs - facts.openedAgoMs,
        openUntilMs: nowMs + facts.openRemainingMs,
      };
    }),
    /** From closed: the rules decided, the window is the evidence. */
    trip: enqueueActions(({ context, event, enqueue }) => {
      const nowMs = timeOf(event, context);
      const reason = evaluateTrip(context.window, context.settings, nowMs) ?? 'failure_count';
      // A whole window closed means that the last trip is over and done with.
      const isNew = nowMs - context.closedAtMs >= context.window.windowMs;
      const trips = isNew ? 1 : context.trips + 1;
      enqueue.assign({
        trips,
        recoveries: isNew ? 0 : context.recoveries,
        tripReason: reason,
        openedAtMs: nowMs,
        openUntilMs: nowMs + openMs(trips, context.settings, context.random()),
      });
      enqueue.emit({
        type: 'breaker.opened',
        reason,
        evidence: evidenceOf(context.window, nowMs),
        reopened: false,
        nowMs,
      });
    }),
    /** From half-open: one probe decided. */
    reopen: enqueueActions(({ context, event, enqueue }) => {
      const nowMs = timeOf(event, context);
      const reason = event.type === 'probe.failed' ? 'probe_failed' : 'lease_over';
      const trips = context.trips + 1;
      enqueue.assign({
        trips,
        tripReason: reason,
        openedAtMs: nowMs,
        openUntilMs: nowMs + openMs(trips, context.settings, context.random()),
      });
      const evidence = probeEvidence(context, event.type === 'probe.failed' && event.slow === true, nowMs);
      enqueue.emit({ type: 'breaker.opened', reason, evidence, reopened: true, nowMs });
    }),
    tellHalfOpened: emit(({ context, event }) => ({ type: 'breaker.half_opened', nowMs: timeOf(event, context) })),
    tellRecovered: emit(({ context, event }) => ({
      type: 'breaker.closed',
      recovered: true,
      nowMs: timeOf(event, context),
    })),
    tellClosedByHand: emit(({ context, event }) => ({
      type: 'breaker.closed',
      recovered: false,
      nowMs: timeOf(event, context),
    })),
    /** What it would have done, or how near it is. */
    warn: enqueueActions(({ context, event, enqueue }) => {
      const nowMs = timeOf(event, context);
      const warning = warningDue(context, nowMs);
      if (warning === null) return;
      const { which, reason } = warning;
      const evidence = evidenceOf(context.window, nowMs);
      if (reason === null) enqueue.emit({ type: 'breaker.high_failure_count', evidence, nowMs });
      else enqueue.emit({ type: 'breaker.would_open', reason, evidence, nowMs });
      enqueue.assign({ warnedAtMs: { ...context.warnedAtMs, [which]: nowMs } });
    }),
    /** It is published as open: since when belongs to that. */
    noteIsolated: assign({ openedAtMs: ({ context, event }) => context.openedAtMs ?? timeOf(event, context) }),
    noteClosed: assign({
      closedAtMs: ({ context, event }) => timeOf(event, context),
      rampUntilMs: ({ context, event }) => timeOf(event, context) + context.settings.recovery_ramp_seconds * 1000,
      openedAtMs: null,
      // What an operator closed is no recovery.
      recoveries: ({ context, event }) => (event.type === 'probe.succeeded' ? context.recoveries + 1 : 0),
    }),
    forgetTrips: assign({ trips: 0, tripReason: null }),
    addProbe: assign({
      probes: ({ context, event }) => [...context.probes, timeOf(event, context)],
      leasesUntilMs: ({ context, event }) => [...context.leasesUntilMs, timeOf(event, context) + context.leaseMs],
    }),
    endProbe: assign(({ context, event }) => {
      if (!('startedMs' in event)) return {};
      const ended = Math.max(context.probes.indexOf(event.startedMs), 0);
      const isOther = (_: number, i: number): boolean => i !== ended;
      return { probes: context.probes.filter(isOther), leasesUntilMs: context.leasesUntilMs.filter(isOther) };
    }),
    countProbeSuccess: assign({ probeSuccesses: ({ context }) => context.probeSuccesses + 1 }),
    takeSettings: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'settings.changed') return;
      const { settings, leaseMs, nowMs } = event;
      context.window.resize(settings.window_seconds * 1000, nowMs);
      enqueue.assign({
        settings,
        leaseMs,
        openUntilMs: shortenedOpenUntilMs(context, event),
        rampUntilMs: endsBy(context.rampUntilMs, nowMs, settings.recovery_ramp_seconds * 1000),
        leasesUntilMs: context.leasesUntilMs.map((untilMs) => endsBy(untilMs, nowMs, leaseMs)),
      });
    }),
  },
}).createMachine({
  id: 'breaker',
  version: '1',
  context: ({ input }) => contextOf(input),
  initial: 'restoring',
  states: {
    restoring: {
      always: [
        { guard: 'isIsolated', target: 'isolated' },
        { guard: 'isForcedClosed', target: 'forcedClosed' },
        { guard: 'isStillOpen', target: 'open', actions: 'resumeOpen' },
        { guard: 'hasToProve', target: 'halfOpen', actions: 'countTransition' },
        { target: 'closed' },
      ],
    },
    closed: {
      entry: ['startGeneration', 'noteClosed'],
      on: {
        'attempt.failed': [
          { guard: 'shouldTrip', target: 'open', actions: ['trip', 'countTransition'] },
          { guard: 'hasWarning', actions: 'warn' },
        ],
        // Changes nothing, on purpose.
        'attempt.succeeded': {},
        tick: [
          { guard: 'shouldTrip', target: 'open', actions: ['trip', 'countTransition'] },
          { guard: 'hasWarning', actions: 'warn' },
        ],
        'breaker.probe': { target: 'halfOpen', actions: ['countTransition', 'tellHalfOpened'] },
        // Nothing is emitted: it did not close.
        'breaker.reset': { target: 'closed', reenter: true, actions: ['forgetTrips', 'countTransition'] },
        'breaker.enable': { target: 'closed.recovering', reenter: true, actions: 'countTransition' },
      },
      initial: 'steady',
      states: {
        recovering: {
          always: { guard: 'hasNoRamp', target: 'steady' },
          after: { rampTime: 'steady' },
          on: {
            'ramp.completed': 'steady',
            // Entered again, so that its timer is that of the time left (BREAKER-MACHINE-7); so below.
            'settings.changed': { target: 'recovering', reenter: true, actions: 'takeSettings' },
          },
        },
        steady: {},
      },
    },
    open: {
      entry: 'startGeneration',
      after: {
        openTime: [
          { guard: 'isOpenTimeOver', target: 'halfOpen', actions: ['countTransition', 'tellHalfOpened'] },
          // Timers fire early after a stall of the event loop, and cannot wait longer than MAX_DELAY_MS: wait again (BREAKER-MACHINE-2).
          { target: 'open', reenter: true },
        ],
      },
      on: {
        'open.elapsed': { guard: 'isOpenTimeOver', target: 'halfOpen', actions: ['countTransition', 'tellHalfOpened'] },
        'subject.changed': { target: 'halfOpen', actions: ['countTransition', 'tellHalfOpened'] },
        'breaker.probe': { target: 'halfOpen', actions: ['countTransition', 'tellHalfOpened'] },
        'settings.changed': [
          { guard: 'isOpenTimeShorter', target: 'open', reenter: true, actions: 'takeSettings' },
          { actions: 'takeSettings' },
        ],
      },
    },
    halfOpen: {
      entry: 'startGeneration',
      initial: 'waiting',
      on: {
        'breaker.probe': { target: 'halfOpen', reenter: true },
        'breaker.renew': { target: 'halfOpen', reenter: true },
        'subject.changed': { target: 'halfOpen', reenter: true },
      },
      states: {
        waiting: {
          on: { 'probe.started': { target: 'probing', actions: 'addProbe' } },
        },
        probing: {
          after: { lease: { target: '#breaker.open', actions: ['reopen', 'countTransition'] } },
          on: {
            'probe.started': { actions: 'addProbe' },
            'probe.succeeded': [
              {
                guard: 'isLastProbe',
                target: '#breaker.closed.recovering',
                actions: ['endProbe', 'tellRecovered', 'countTransition'],
              },
              { guard: 'isOnlyProbe', target: 'waiting', actions: ['endProbe', 'countProbeSuccess'] },
              { target: 'probing', reenter: true, actions: ['endProbe', 'countProbeSuccess'] },
            ],
            'probe.failed': { target: '#breaker.open', actions: ['reopen', 'countTransition'] },
            'settings.changed': { target: 'probing', reenter: true, actions: 'takeSettings' },
            'probe.released': [
              { guard: 'isOnlyProbe', target: 'waiting', actions: 'endProbe' },
              { target: 'probing', reenter: true, actions: 'endProbe' },
            ],
          },
        },
      },
    },
    /** An operator keeps every call away, probes too. */
    isolated: {
      entry: ['startGeneration', 'noteIsolated'],
      on: {
        'breaker.release': { target: 'halfOpen', actions: ['countTransition', 'tellHalfOpened'] },
      },
    },
    /** An operator lets every call through; it still records, and emits when it would have opened. */
    forcedClosed: {
      entry: ['startGeneration', 'noteClosed'],
      on: {
        'attempt.failed': { guard: 'hasWarning', actions: 'warn' },
        'attempt.succeeded': {},
        tick: { guard: 'hasWarning', actions: 'warn' },
        'breaker.release': { target: 'closed', actions: ['countTransition', 'forgetTrips'] },
      },
    },
  },
  on: {
    'breaker.isolate': { target: '.isolated', actions: 'countTransition' },
    'breaker.force_close': { target: '.forcedClosed', actions: 'countTransition' },
    'breaker.reset': { target: '.closed', actions: ['forgetTrips', 'countTransition', 'tellClosedByHand'] },
    'breaker.enable': { target: '.closed.recovering', actions: ['countTransition', 'tellClosedByHand'] },
    'breaker.renew': { actions: 'startGeneration' },
    'subject.changed': { actions: 'startGeneration' },
    'settings.changed': { actions: 'takeSettings' },
  },
});
