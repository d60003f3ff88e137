// What would become of a call, said by the code that would decide it: the router's, the candidates', the targets' and the pools'.
//
// EXPLAIN-1. Nothing is taken, counted or moved by asking: no permit, no turn, no trial.
// EXPLAIN-2. If a choice is random, one draw is shown; the shares show what the others would be.

import { MAX_REFUSED_ROWS } from '../../domain/health/health-report.js';
import { ERROR_TABLE, type InvocationError } from '../../domain/registry/errors.js';
import type { Instance } from '../../domain/registry/extension.js';
import { type Refusal, refusedRow } from '../../domain/registry/refused-row.js';
import { compareVersions } from '../../domain/registry/version-choice.js';
import { keyWarnings, ruleKeysOf } from '../../domain/routing/context-keys.js';
import type {
  ExplainedCandidate,
  ExplainedInstance,
  ExplainedVersion,
  Explanation,
} from '../../domain/routing/explanation-schema.js';
import type { Draw } from '../../domain/routing/pool-member.js';
import { type Context, unmetCondition } from '../../domain/routing/routing-rules.js';
import type { Choice } from '../../domain/routing/routing-table.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Service } from '../extension/service.js';
import type { Explain } from '../ports/api.js';
import type { Clock } from '../ports/clock.js';
import type { Decided } from './call.js';
import { type Candidate, type CandidateDeps, candidatesFor } from './candidates.js';
import { chooseInstance, drawOf, NOTHING_TRIED } from './instance-choice.js';
import { placeRefusal, refusalOf, unavailable } from './refusals.js';
import type { Router } from './router.js';

interface ExplainDeps extends CandidateDeps {
  readonly router: Router;
  readonly clock: Clock;
  /** The daemon's own environment, over everything that a caller says; null if none is configured. */
  readonly environment: string | null;
  /** Rows of the extension that are refused now. */
  readonly refusedRows: (extensionId: string) => Iterable<Refusal>;
}

export function createExplain(deps: ExplainDeps): Explain {
  return (extensionId, given) => {
    const context = contextOf(given, deps.environment);
    const decision = deps.router.decide(extensionId, { context });
    const runtime = deps.runtimes.get(extensionId);
    if (!('code' in decision)) {
      const asked = askCandidates(decision, context, deps);
      return { ...about(extensionId, runtime, decision.choice, context, deps), ...asked };
    }
    if (decision.code === 'extension_not_found') return null;
    const choice = runtime?.table.choose(context, deps.random) ?? null;
    const facts = about(extensionId, runtime, choice, context, deps);
    return { ...facts, candidates: [], skipped: [], answer: refusedBy(decision) };
  };
}

/** Of an explanation: every value is given, so none is an error. */
interface ExplainContext extends Context<never> {
  readonly values: Readonly<Record<string, string>>;
  /** Keys that have not been read so far. */
  unused(): string[];
}

function contextOf(given: Readonly<Record<string, string>>, environment: string | null): ExplainContext {
  const values = new Map(Object.entries(given));
  if (environment !== null) values.set('environment', environment);
  const asked = new Set<string>();
  return {
    get: (key) => {
      asked.add(key);
      return values.get(key);
    },
    values: Object.fromEntries(values),
    unused: () => [...values.keys()].filter((key) => !asked.has(key)),
  };
}

function about(
  extensionId: string,
  runtime: ExtensionRuntime | undefined,
  choice: Choice | null,
  context: ExplainContext,
  deps: ExplainDeps,
) {
  const table = runtime?.table;
  const hasRollout = table !== undefined && table.shares.length > 0;
  // Nothing asks for its key if there is none.
  const key = hasRollout ? table.rolloutKey(context) : null;
  return {
    extension_id: extensionId,
    context: context.values,
    versions: runtime === undefined ? [] : explainVersions(runtime, choice, context),
    chosen: choice,
    rollout: hasRollout ? { key: key?.name ?? null, value: key?.value ?? null } : null,
    // Last, since what the versions asked for counts.
    ...aboutKeys(runtime, hasRollout, context, deps.environment),
    ...aboutRows(extensionId, deps),
  };
}

/** A rule that was not read as far as one of its keys uses that key nevertheless. */
function aboutKeys(
  runtime: ExtensionRuntime | undefined,
  hasRollout: boolean,
  context: ExplainContext,
  environment: string | null,
): Pick<Explanation, 'unused' | 'warnings'> {
  const unread = context.unused();
  if (runtime === undefined) return { unused: unread, warnings: [] };
  const rules = ruleKeysOf(runtime.extension);
  const unused = unread.filter((key) => !rules.enabled.has(key));
  // The environment of the configuration is none that the caller has written.
  const given = environment === null ? unused : unused.filter((key) => key !== 'environment');
  const { balancer } = runtime.extension.policy;
  const others = [
    ...(hasRollout ? runtime.table.rolloutKeys : []),
    ...(balancer === 'consistent_hash' ? ['routing_key'] : []),
  ];
  return { unused, warnings: keyWarnings(given, rules, others, context.values) };
}

function aboutRows(extensionId: string, deps: ExplainDeps): Pick<Explanation, 'in_force' | 'refused_rows'> {
  const refused = [...deps.refusedRows(extensionId)];
  const isOwn = ({ version, instanceId }: Refusal): boolean => version === undefined && instanceId === undefined;
  return {
    in_force: !refused.some(isOwn),
    refused_rows: refused.slice(0, MAX_REFUSED_ROWS).map(refusedRow),
  };
}

function explainVersions(
  { extension, table }: ExtensionRuntime,
  choice: Choice | null,
  context: ExplainContext,
): ExplainedVersion[] {
  const names = new Set([
    ...extension.versions.map(({ version }) => version),
    ...(table.default ? [table.default.version] : []),
  ]);
  const ruledVersions = new Map(table.ruled.map((ruled) => [ruled.choice.version, ruled]));
  const shares = new Map(table.shares.map((share) => [share.choice.version, share]));
  const standIns = new Set(table.standIns);
  const otherVerdict = (version: string, hasRules: boolean, isExcluded: boolean): ExplainedVersion['verdict'] => {
    if (hasRules) return isExcluded ? 'excluded' : 'outranked';
    if (version === table.default?.version) return 'default';
    if (standIns.has(version)) return 'stand_in';
    return shares.has(version) ? 'rollout' : 'disabled';
  };
  return [...names].toSorted(compareVersions).map((version) => {
    const rules = ruledVersions.get(version);
    const unmet = rules === undefined ? null : unmetCondition(rules.conditions, context);
    return {
      version,
      verdict: version === choice?.version ? 'chosen' : otherVerdict(version, rules !== undefined, unmet !== null),
      percent: shares.get(version)?.percent ?? null,
      unmet: unmet && { key: unmet.key, wanted: [...unmet.anyOf], got: context.get(unmet.key) ?? null },
    };
  });
}

function askCandidates({ runtime, choice }: Decided, context: Context, deps: ExplainDeps) {
  const nowMs = deps.clock.now();
  const skipped: { extension_id: string; reason: string }[] = [];
  const candidates: ExplainedCandidate[] = [];
  let answer: Explanation['answer'] | null = null;
  let refusal: InvocationError | null = null;
  const request = {
    context,
    nowMs,
    isTrial: () => false,
    onSkipped: (id: string, reason: string) => skipped.push({ extension_id: id, reason }),
  };
  for (const candidate of candidatesFor(runtime, choice, deps, request)) {
    const { runtime: serving, service, why } = candidate;
    const { instance, error } = ask(candidate, runtime, context, deps, nowMs);
    if (answer === null && error !== null && (refusal === null || why === choice.by)) refusal = error;
    const verdict = answer !== null ? 'not_asked' : error === null ? 'taken' : 'refused';
    candidates.push({
      extension_id: serving.id,
      version: service.version.version,
      why,
      verdict,
      reason: verdict === 'refused' ? reasonOf(error) : null,
      circuit_breaker_state: service.target.publishedState,
      success_rate: service.target.health.read(nowMs).successRate,
      passed_over: candidate.isDeprioritised,
      instances: explainInstances(
        service,
        instance,
        drawOf(serving.extension.policy, { context }, [], deps.random, nowMs),
      ),
    });
    if (verdict !== 'taken') continue;
    answer = {
      kind: 'taken',
      extension_id: serving.id,
      version: service.version.version,
      instance_id: instance?.id ?? null,
      subject: instance?.subject ?? service.version.subject,
    };
  }
  const own = runtime.gate === null ? refusal : unavailable(runtime.gate, runtime.id);
  return { candidates, skipped, answer: answer ?? refusedBy(own ?? unavailable('no_version', runtime.id)) };
}

/** EXPLAIN-1: what `Call` would do with this candidate. */
function ask(
  { runtime: serving, service }: Candidate,
  called: ExtensionRuntime,
  context: Context,
  { random }: ExplainDeps,
  nowMs: number,
): { readonly instance: Instance | null; readonly error: InvocationError | null } {
  const { target, pool } = service;
  const place = placeRefusal(serving, called);
  if (place !== null) return { instance: null, error: place };
  const refusal = target.refusal(nowMs);
  if (refusal !== 0) {
    const { reason, retryAfterMs } = refusalOf(refusal, service, nowMs);
    return { instance: null, error: unavailable(reason, serving.id, retryAfterMs) };
  }
  const chosen = chooseInstance(service, pool?.fork() ?? null, serving, NOTHING_TRIED, { context }, random, nowMs);
  return typeof chosen === 'string'
    ? { instance: null, error: unavailable(chosen, serving.id) }
    : { instance: chosen.member?.instance ?? null, error: null };
}

function explainInstances(
  { instances, pool, target }: Service,
  next: Instance | null,
  draw: Draw,
): ExplainedInstance[] {
  const full = draw.keyHash === null ? null : (pool?.full(draw) ?? null);
  const standings = new Map(pool?.standings(draw.nowMs).map((standing) => [standing.instance.id, standing]));
  const turns = [...standings.values()].filter(({ isInRotation, isResting }) => isInRotation && !isResting);
  const total = turns.reduce((sum, { instance }) => sum + instance.weight, 0);
  return instances.map(({ id, subject, weight, enabled }) => {
    const standing = standings.get(id);
    const hasTurns = standing?.isInRotation === true && !standing.isResting;
    const verdict = (): ExplainedInstance['verdict'] => {
      if (standing === undefined) return enabled ? 'drained' : 'disabled';
      const endpoint = target.rotation.at(subject);
      if (id === next?.id) return endpoint.isInRotation ? 'next' : 'trial';
      if (endpoint.withheld.has(id)) return 'reported';
      if (!standing.isInRotation) return 'ejected';
      return standing.isResting ? 'resting' : full?.has(id) ? 'full' : 'in_rotation';
    };
    return { id, subject, weight, share: hasTurns ? weight / total : 0, verdict: verdict() };
  });
}

const reasonOf = (error: InvocationError | null): string | null => {
  const reason = error?.details?.reason;
  return typeof reason === 'string' ? reason : (error?.code ?? null);
};

const refusedBy = (error: InvocationError): Explanation['answer'] => ({
  kind: 'refused',
  code: error.code,
  reason: reasonOf(error),
  message: error.message,
  retryable: (error.retryable ?? ERROR_TABLE[error.code].retryable) === 'yes',
});
