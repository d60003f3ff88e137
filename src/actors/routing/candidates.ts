// The candidates for a call, in order: the version chosen for it, then those that it may fail over to.
//
// CANDIDATES-1. A call does not fail over from a version that rules chose, unless the extension's policy has `rules_fallback`.
// CANDIDATES-2. A version that the rollout chose gives its share to the default in the same instant.
// CANDIDATES-3. Then, if routing considers health: versions without rules or percentage, the highest first, then the extensions of
//      `policy.fallback`, each with its own choice, candidates and breaker. No extension is asked twice, and at most eight other
//      extensions for one call: those have fallbacks too, and the cost of one call is bounded.
// CANDIDATES-4. A default version that fails too often is asked after those that do not, and before others that do; except for
//      every tenth call, so that it can recover. What it did before its breaker opened is not held against it once that has
//      half-opened: from there on its breaker says how many calls it may have.

import { judgeSuccessRate } from '../../domain/health/success-rate.js';
import type { UnavailableReason } from '../../domain/registry/errors.js';
import { type Context, unmetCondition } from '../../domain/routing/routing-rules.js';
import type { Choice, Why } from '../../domain/routing/routing-table.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Service } from '../extension/service.js';
import type { Target } from '../target/target.js';

/** CANDIDATES-3. */
const MAX_FALLBACKS_ASKED = 8;

export interface Candidate {
  readonly runtime: ExtensionRuntime;
  readonly service: Service;
  readonly why: Why;
  /** CANDIDATES-4: others were asked before it. */
  readonly isDeprioritised: boolean;
}

export interface CandidateDeps {
  readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
  /** The fallbacks of this extension. */
  readonly fallbacksOf: (extensionId: string) => readonly string[];
  readonly random: () => number;
  readonly healthBasedRouting: boolean;
  readonly minSuccessRate: number;
}

/** What one call is asked for. */
interface Request {
  readonly context: Context;
  readonly nowMs: number;
  /** CANDIDATES-4: whether this call is one of those that a default version gets that fails too often. */
  readonly isTrial: (target: Target) => boolean;
  /** An extension of `policy.fallback` that is no candidate. */
  readonly onSkipped: (extensionId: string, reason: SkipReason) => void;
}

/** CANDIDATES-4: of the version chosen, by default, whether others are asked before it. */
export function isDeprioritised(
  { id, table, gate }: ExtensionRuntime,
  { by }: Choice,
  { target }: Service,
  deps: CandidateDeps,
  { nowMs, isTrial }: Pick<Request, 'nowMs' | 'isTrial'>,
): boolean {
  // An extension whose gate is closed is not asked at all.
  if (by !== 'default' || gate !== null || !deps.healthBasedRouting) return false;
  const isAlone = table.standIns.length === 0 && deps.fallbacksOf(id).length === 0;
  return !isAlone && isWeak(target, deps, nowMs) && !isTrial(target);
}

/** All of them, for a call that `choice` was made for. */
export function* candidatesFor(
  runtime: ExtensionRuntime,
  choice: Choice,
  deps: CandidateDeps,
  request: Request,
): Candidates {
  yield* allOf(runtime, choice, choice.by, new Set([runtime.id]), deps, request);
}

/** Those after the version chosen, which was asked; or before it, if it is skipped. */
export function otherCandidates(
  runtime: ExtensionRuntime,
  choice: Choice,
  isChosenPassedOver: boolean,
  deps: CandidateDeps,
  request: Request,
): Candidates {
  return othersOf(runtime, choice, choice.by, isChosenPassedOver, new Set([runtime.id]), deps, request);
}

export type Candidates = Generator<Candidate, void>;

function* allOf(
  of: ExtensionRuntime,
  choice: Choice,
  why: Why,
  asked: Set<string>,
  deps: CandidateDeps,
  request: Request,
): Candidates {
  const service = of.gate === null ? of.service(choice.version) : null;
  const isLater = service !== null && isDeprioritised(of, choice, service, deps, request);
  if (service !== null && !isLater) yield { runtime: of, service, why, isDeprioritised: false };
  yield* othersOf(of, choice, why, isLater, asked, deps, request);
}

function* othersOf(
  of: ExtensionRuntime,
  choice: Choice,
  why: Why,
  isChosenPassedOver: boolean,
  asked: Set<string>,
  deps: CandidateDeps,
  request: Request,
): Candidates {
  const isGated = of.gate !== null;
  const byDefault = of.table.default;
  if (choice.by === 'rules') {
    if (of.extension.policy.rules_fallback !== true) return;
    if (!isGated) yield* otherRuled(of, choice, why, request);
  }
  if (choice.by !== 'default' && byDefault !== null)
    return yield* allOf(of, byDefault, insteadOf(why), asked, deps, request);
  if (!deps.healthBasedRouting) return;
  const later: Candidate[] = [];
  for (const candidate of inPlaceOf(of, why, asked, deps, request))
    if (isChosenPassedOver && isWeak(candidate.service.target, deps, request.nowMs)) later.push(candidate);
    else yield candidate;
  if (isChosenPassedOver) yield* known(of, choice.version, why, true);
  yield* later;
}

function* otherRuled(of: ExtensionRuntime, choice: Choice, why: Why, { context }: Request): Candidates {
  for (const { choice: other, conditions } of of.table.ruled)
    if (other !== choice && unmetCondition(conditions, context) === null)
      yield* known(of, other.version, insteadOf(why));
}

/** CANDIDATES-3. */
function* inPlaceOf(
  of: ExtensionRuntime,
  why: Why,
  asked: Set<string>,
  deps: CandidateDeps,
  request: Request,
): Candidates {
  if (of.gate === null) for (const version of of.table.standIns) yield* known(of, version, insteadOf(why));
  for (const id of deps.fallbacksOf(of.id)) {
    if (asked.has(id) || asked.size > MAX_FALLBACKS_ASKED) continue;
    asked.add(id);
    const other = deps.runtimes.get(id);
    const reason = other === undefined ? 'extension_not_found' : skipReason(other, of);
    if (other === undefined || reason !== null) {
      request.onSkipped(id, reason ?? 'extension_not_found');
      continue;
    }
    const its = other.table.choose(request.context, deps.random);
    if (its === null) request.onSkipped(id, other.table.noneReason);
    else if ('code' in its) request.onSkipped(id, 'context_needed');
    else yield* allOf(other, its, 'fallback', asked, deps, request);
  }
}

type SkipReason = 'extension_not_found' | 'other_type' | 'context_needed' | UnavailableReason;

/** An operator's disable fails over to nothing; after an automatic one only the extension's own fallbacks are candidates. */
function skipReason(other: ExtensionRuntime, calledFor: ExtensionRuntime): SkipReason | null {
  if (other.extension.type !== calledFor.extension.type) return 'other_type';
  return other.gate === 'auto_disabled' ? null : other.gate;
}

/** CANDIDATES-4: enough outcomes in the last five minutes and since its breaker recovered, and too few of them good. */
const isWeak = (target: Target, { minSuccessRate }: CandidateDeps, nowMs: number): boolean =>
  judgeSuccessRate(target.stats.routingCounts(nowMs), minSuccessRate) === 'low';

function* known(runtime: ExtensionRuntime, version: string, why: Why, isDeprioritised = false): Candidates {
  const service = runtime.service(version);
  if (service !== null) yield { runtime, service, why, isDeprioritised };
}

const insteadOf = (why: Why): Why => (why === 'fallback' ? 'fallback' : 'stand_in');
