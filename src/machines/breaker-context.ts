// What a breaker knows before it has entered its first state.
import type { BreakerContext, BreakerInput } from './breaker-types.js';

/**
 * A context that begins with it is laid out as `{}` is. `assign` copies into `{}`: from another layout, and with so many properties, into a
 * dictionary, which takes five times the memory and eight times as long.
 */
const EMPTY = {};

export function contextOf(input: BreakerInput): BreakerContext {
  const { override, facts, mustProve } = input;
  return {
    ...EMPTY,
    window: input.window,
    settings: input.settings,
    leaseMs: input.leaseMs,
    now: input.now,
    random: input.random,
    nextGeneration: input.nextGeneration,
    boot: { override, facts, mustProve },
    generation: 0,
    epoch: facts.epoch,
    trips: facts.trips,
    tripReason: null,
    openedAtMs: facts.openedAgoMs === null ? null : input.now() - facts.openedAgoMs,
    openUntilMs: Number.NEGATIVE_INFINITY,
    closedAtMs: input.now(),
    rampUntilMs: Number.NEGATIVE_INFINITY,
    recoveries: 0,
    probes: [],
    leasesUntilMs: [],
    probeSuccesses: 0,
    warnedAtMs: { wouldOpen: Number.NEGATIVE_INFINITY, highFailureCount: Number.NEGATIVE_INFINITY },
  };
}
