// The start of a breaker that has nothing to resume.
//
// BREAKER-START-1. An actor that is started from this snapshot is the one that its input would have made, whatever happens to it afterwards.
import type { Snapshot } from 'xstate';
import { contextOf } from './breaker-context.js';
import type { BreakerContext, BreakerInput } from './breaker-types.js';

/** As `createActor` takes it: state nodes are found there, once. */
export type StartSnapshot = Snapshot<unknown> & { readonly value: object; readonly context: BreakerContext };

const AT_REST = { status: 'active', output: undefined, error: undefined, historyValue: {}, children: {} } as const;

/**
 * Closed and empty, as `restoring` of the machine would have made it: nearly every breaker of a registry begins like that, and its actor
 * costs little more than half as much. null: it begins otherwise, and the machine decides.
 */
export function closedFromStart(input: BreakerInput): StartSnapshot | null {
  const { override, facts, mustProve, window, settings, now, nextGeneration } = input;
  if (override !== null || mustProve || facts.state !== 'closed') return null;
  window.clear();
  const nowMs = now();
  const context: BreakerContext = {
    ...contextOf(input),
    generation: nextGeneration(),
    closedAtMs: nowMs,
    rampUntilMs: nowMs + settings.recovery_ramp_seconds * 1000,
    openedAtMs: null,
  };
  return { ...AT_REST, value: { closed: 'steady' }, context };
}
