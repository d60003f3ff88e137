// Who is asked to take a call, in order: the version chosen for it, then whoever may stand in for that one.
//
// CA1. A version that rules chose is replaced by nobody, unless the extension's policy has `rules_fallback`.
// CA2. A version that the rollout chose gives its share to the default in the same instant.
// CA3. Then, where routing looks at health: versions without rules or percentage, the highest first, then the extensions of
//      `policy.fallback`, each with its own choice, candidates and breaker. Nobody is asked twice.
// CA4. A default version that fails too often is asked last, but for every tenth call, so that it can come back.
import type { UnavailableReason } from '../domain/errors.js';
import { unmetCondition } from '../domain/routing-rules.js';
import type { Choice, Why } from '../domain/routing-table.js';
import { judgeSuccessRate } from '../domain/success-rate.js';
import type { CallContext } from './ports.js';
import type { Service } from './service.js';
import type { Slot } from './slot.js';
import type { Target } from './target.js';

export interface Candidate {
  readonly slot: Slot;
  readonly service: Service;
  readonly why: Why;
}

export interface CandidateDeps {
  readonly slots: ReadonlyMap<string, Slot>;
  readonly random: () => number;
  readonly healthBasedRouting: boolean;
  readonly minSuccessRate: number;
}

/** How a question differs from a call: `explain` counts nothing, and wants to know who is not asked at all. */
export interface Asking {
  /** CA4: whether this call is one of those that a default version gets that fails too often. */
  readonly isTrial: (target: Target) => boolean;
  /** An extension of `policy.fallback` that is no candidate. */
  readonly onSkipped: (extensionId: string, reason: SkipReason) => void;
}

/** True: nobody but the version chosen can take the call, so there is no order to think of. */
export function isAlone(slot: Slot, { by }: Choice, { healthBasedRouting }: CandidateDeps): boolean {
  const { table, extension } = slot;
  if (slot.gate !== null || by === 'rollout') return false;
  if (by === 'rules') return extension.policy.rules_fallback !== true;
  return !healthBasedRouting || (table.standIns.length === 0 && (extension.policy.fallback ?? []).length === 0);
}

/** `choice`: what `slot.table` chose for `context`. */
export function* candidatesFor(
  slot: Slot,
  choice: Choice,
  context: CallContext,
  deps: CandidateDeps,
  nowMs: number,
  { isTrial, onSkipped }: Asking = CALL,
): Generator<Candidate, void> {
  const asked = new Set([slot.id]);
  yield* ofExtension(slot, choice, choice.by);

  function* ofExtension(of: Slot, chosen: Choice, why: Why): Generator<Candidate, void> {
    const isGated = of.gate !== null;
    if (!isGated && chosen.by !== 'default') yield* known(of, chosen.version, why);
    if (chosen.by === 'rules') {
      if (of.extension.policy.rules_fallback !== true) return;
      if (!isGated) yield* otherRuled(of, chosen, why);
    }
    const byDefault = of.table.default;
    const last = byDefault === null || isGated ? null : of.service(byDefault.version);
    const isPassedOver =
      last !== null && deps.healthBasedRouting && isWeak(last.target, deps, nowMs) && !isTrial(last.target);
    const lastWhy = chosen.by === 'default' ? why : insteadOf(why);
    if (last !== null && !isPassedOver) yield { slot: of, service: last, why: lastWhy };
    if (deps.healthBasedRouting) {
      if (!isGated) for (const version of of.table.standIns) yield* known(of, version, insteadOf(why));
      yield* fallbacksOf(of);
    }
    if (last !== null && isPassedOver) yield { slot: of, service: last, why: lastWhy };
  }

  function* otherRuled(of: Slot, chosen: Choice, why: Why): Generator<Candidate, void> {
    for (const { choice: other, conditions } of of.table.ruled)
      if (other !== chosen && unmetCondition(conditions, context) === null)
        yield* known(of, other.version, insteadOf(why));
  }

  function* fallbacksOf(of: Slot): Generator<Candidate, void> {
    for (const id of of.extension.policy.fallback ?? []) {
      if (asked.has(id)) continue;
      asked.add(id);
      const other = deps.slots.get(id);
      const reason = other === undefined ? 'extension_not_found' : skipReason(other, slot);
      if (other === undefined || reason !== null) {
        onSkipped(id, reason ?? 'extension_not_found');
        continue;
      }
      const its = other.table.choose(context, deps.random);
      if (other.table.readsContext && context.problem !== null) onSkipped(id, 'context_needed');
      else if (its === null) onSkipped(id, other.table.noneReason);
      else yield* ofExtension(other, its, 'fallback');
    }
  }
}

export type SkipReason = 'extension_not_found' | 'other_type' | 'context_needed' | UnavailableReason;

const CALL: Asking = { isTrial: (target) => target.measured.isTrialDue(), onSkipped: () => undefined };

/** A person's disable is not passed over to anybody; an automatic one leaves it to the extension's own fallbacks. */
function skipReason(other: Slot, calledFor: Slot): SkipReason | null {
  if (other.extension.type !== calledFor.extension.type) return 'other_type';
  return other.gate === 'auto_disabled' ? null : other.gate;
}

/** CA4: enough outcomes in the health window, and too few of them good. */
export function isWeak(target: Target, { minSuccessRate }: CandidateDeps, nowMs: number): boolean {
  return judgeSuccessRate(target.health.counts(nowMs), minSuccessRate) === 'low';
}

function* known(slot: Slot, version: string, why: Why): Generator<Candidate, void> {
  const service = slot.service(version);
  if (service !== null) yield { slot, service, why };
}

const insteadOf = (why: Why): Why => (why === 'fallback' ? 'fallback' : 'stand_in');
