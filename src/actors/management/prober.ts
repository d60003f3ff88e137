// Active checks: requests to each target whose policy has health checks, so that its breaker closes and opens without
// calls.
//
// PROBER-1. A check takes a permit like any attempt and is settled like one. If it gets none, nothing is sent and nothing counts:
//     it never shortens an open time and never reaches a target that an operator isolated.
// PROBER-2. What an operator disabled is not checked. The gate that keeps calls away from what was disabled automatically does not
//     keep checks away.
// PROBER-3. The checks of one target never overlap: a round that is due while one is still in flight is skipped.
// PROBER-4. An endpoint out of rotation is checked only as the trial that may return it to rotation (outlier-detector.ts, OUTLIER-DETECTOR-2).
// PROBER-5. While half-open, a round tries one endpoint that is in rotation, in turn: one that is dead must not open the
//     breaker again before another had its turn.
// PROBER-6. Rounds keep their random phase, also after a stall, so that targets stay spread over the interval.
// PROBER-7. Once its policy, its target or the prober is gone, no check begins; those in flight end like any attempt.
// PROBER-8. A changed interval or timeout never lengthens a running time: it ends when it would have, or sooner.
// PROBER-9. Of the replicas of a fleet, the steward of a target checks it. Another one does as long as its own breaker is not closed or an
//     endpoint is out of rotation there: each judges for itself, so nothing else but calls would close that breaker.
import { DEFAULT_CHECK_INTERVAL_SECONDS, type HealthCheckPolicy } from '../../domain/registry/policy.js';
import { hashOf } from '../../domain/routing/rendezvous.js';
import { stackOf } from '../../telemetry/error-text.js';
import type { Logger } from '../../telemetry/log.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Service } from '../extension/service.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type { FleetView } from '../ports/fleet.js';
import type { AttemptEnd, LimitAttempts, PrepareRoute, Reply, Route, SendCheck } from '../ports/transport.js';
import { endAttempt, failureOf } from '../target/attempt-end.js';
import type { Endpoint } from '../target/endpoint.js';
import { Attempt } from '../target/in-flight.js';
import type { Target } from '../target/target.js';

interface ProberDeps {
  readonly clock: Clock;
  /** 0..1 */
  readonly wall: WallClock;
  readonly random: () => number;
  readonly prepareRoute: PrepareRoute;
  readonly sendCheck: SendCheck;
  readonly limitAttempts: LimitAttempts;
  readonly fleet: FleetView;
  readonly absenceGraceMs: number;
  readonly log: Logger;
}

export class Prober {
  readonly #deps: ProberDeps;
  /** Runtimes that are checked, or were: a round of them may still be in flight. */
  readonly #runtimes = new Map<ExtensionRuntime, Map<Target, TargetChecks>>();
  #isStopped = false;

  constructor(deps: ProberDeps) {
    this.#deps = deps;
  }

  /** A runtime came or its row changed. */
  follow(runtime: ExtensionRuntime): void {
    const policy = runtime.extension.policy.health_check ?? null;
    const known = this.#runtimes.get(runtime);
    if (this.#isStopped || (policy === null && known === undefined)) return;
    const checks = new Map<Target, TargetChecks>();
    for (const service of runtime.services) {
      const { target } = service;
      const own = known?.get(target) ?? new TargetChecks(this.#deps, runtime, target);
      known?.delete(target);
      checks.set(target, own);
      if (policy === null) own.stop();
      else own.follow(service, policy);
    }
    for (const gone of known?.values() ?? []) gone.stop();
    this.#runtimes.set(runtime, checks);
  }

  /** The runtime is stopped. */
  forget(runtime: ExtensionRuntime): void {
    for (const checks of this.#runtimes.get(runtime)?.values() ?? []) checks.stop();
    this.#runtimes.delete(runtime);
  }

  /** PROBER-7. */
  stop(): void {
    this.#isStopped = true;
    for (const runtime of this.#runtimes.keys()) this.forget(runtime);
  }
}

/** What a round needs, made once per registry change. */
interface Plan {
  readonly service: Service;
  /** To the subject that the policy names; null if it names none. */
  readonly route: Route | null;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  readonly intervalMs: number;
}

/** In which a breaker waits for successes. */
const TRYING: ReadonlySet<string> = new Set(['open', 'halfOpen', 'recovering']);

class TargetChecks {
  readonly #deps: ProberDeps;
  readonly #runtime: ExtensionRuntime;
  readonly #target: Target;
  /** Of the target among all of the fleet. */
  readonly #keyHash: number;
  #plan: Plan | null = null;
  #timer: unknown = null;
  #dueMs = 0;
  /** Checks in flight. */
  #out = 0;
  /** The endpoint that the next round begins with. A round that sends nothing takes no turn. */
  #turn = 0;

  constructor(deps: ProberDeps, runtime: ExtensionRuntime, target: Target) {
    this.#deps = deps;
    this.#runtime = runtime;
    this.#target = target;
    this.#keyHash = hashOf(`${target.extensionId}@${target.version}`);
  }

  follow(service: Service, policy: HealthCheckPolicy): void {
    const { clock, random, prepareRoute } = this.#deps;
    const { version, madeOf } = service;
    const { subject, payload, timeout_ms = version.timeoutMs } = policy;
    const intervalMs = (policy.interval_seconds ?? DEFAULT_CHECK_INTERVAL_SECONDS) * 1000;
    const timeoutMs = Math.min(timeout_ms, version.timeoutMs);
    if (this.#out > 0 && timeoutMs < (this.#plan?.timeoutMs ?? 0))
      this.#deps.limitAttempts(this.#runtime.id, version.version, true, timeoutMs);
    const isNew = intervalMs !== this.#plan?.intervalMs;
    const isLonger = intervalMs > (this.#plan?.intervalMs ?? 0);
    this.#plan = {
      service,
      route:
        subject === undefined
          ? null
          : prepareRoute({
              extensionId: this.#runtime.id,
              version: version.version,
              instanceId: null,
              subject,
              config: madeOf.config,
            }),
      body: Buffer.from(payload === undefined ? '' : JSON.stringify(payload)),
      timeoutMs,
      intervalMs,
    };
    if (!isNew) return;
    const nowMs = clock.now();
    const isRunning = this.#timer !== null;
    this.#disarm();
    // A longer interval begins with the next round (PROBER-8).
    if (isRunning && isLonger) this.#arm(this.#dueMs);
    else this.#arm(Math.min(nowMs + random() * intervalMs, isRunning ? this.#dueMs : Number.POSITIVE_INFINITY));
  }

  stop(): void {
    this.#plan = null;
    this.#disarm();
  }

  #arm(dueMs: number): void {
    this.#dueMs = dueMs;
    this.#timer = this.#deps.clock.setTimeout(this.#onTimer, Math.max(dueMs - this.#deps.clock.now(), 0));
  }

  #disarm(): void {
    if (this.#timer !== null) this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  readonly #onTimer = (): void => {
    if (this.#plan === null) return;
    const { intervalMs } = this.#plan;
    const nowMs = this.#deps.clock.now();
    // PROBER-6. A timer may fire early, or many intervals late.
    const passed = Math.max(Math.floor((nowMs - this.#dueMs) / intervalMs) + 1, 1);
    this.#arm(this.#dueMs + passed * intervalMs);
    if (this.#out > 0 || this.#runtime.gate === 'disabled' || !this.#isOurs) return;
    try {
      this.#round(this.#plan, nowMs);
    } catch (error) {
      this.#deps.log.error({
        event: 'health_check_failed',
        extension_id: this.#runtime.id,
        version: this.#target.version,
        error: stackOf(error),
      });
    }
  };

  /** PROBER-9. */
  get #isOurs(): boolean {
    const { mode, rotation } = this.#target;
    return TRYING.has(mode) || rotation.isAnyOut || this.#deps.fleet.isSteward(this.#keyHash);
  }

  #round({ service, route, body, timeoutMs }: Plan, nowMs: number): void {
    const { pool, ownRoute } = service;
    const send = (to: Route, endpoint: Endpoint | null, instanceId: string | null) =>
      this.#send(to, endpoint, instanceId, body, timeoutMs, nowMs);
    if (route !== null || pool === null) {
      send(route ?? ownRoute, null, null);
      return;
    }
    const { rotation } = this.#target;
    const { usable } = rotation;
    const first = this.#turn;
    for (let i = 0; i < usable.length; i++) {
      const endpoint = usable[(first + i) % usable.length] as Endpoint;
      const member = pool.on(endpoint);
      // PROBER-4; and an endpoint that asked for rest gets it.
      if (member === null || endpoint.restUntilMs > nowMs) continue;
      const { isInRotation } = endpoint;
      if (!isInRotation && !rotation.isDue(endpoint, nowMs)) continue;
      if (!send(member.value, endpoint, member.instance.id)) return;
      this.#turn = first + 1;
      // PROBER-5.
      if (isInRotation && this.#target.mode === 'halfOpen') return;
    }
  }

  /** False: the target gives no permit. */
  #send(
    route: Route,
    endpoint: Endpoint | null,
    instanceId: string | null,
    body: Uint8Array,
    timeoutMs: number,
    nowMs: number,
  ): boolean {
    const permit = this.#target.tryAdmit(nowMs);
    if (permit < 0) return false;
    const attempt = new Attempt();
    attempt.instanceId = instanceId;
    this.#target.begin(attempt, permit, endpoint, endpoint !== null && !endpoint.isInRotation, nowMs);
    this.#out++;
    let isOut = true;
    try {
      this.#deps.sendCheck(route, body, timeoutMs, {
        attemptEnded: (end, reply) => {
          if (!isOut) return;
          isOut = false;
          this.#ended(attempt, route, end, reply);
        },
      });
    } catch (error) {
      // What could not be sent for a fault of ours keeps neither its permit nor the next round away.
      if (isOut) {
        isOut = false;
        this.#out--;
        this.#target.settle(attempt, 'neutral', 0, nowMs);
      }
      throw error;
    }
    return true;
  }

  #ended(attempt: Attempt, route: Route, end: AttemptEnd, reply: Reply | null): void {
    const { clock, wall, absenceGraceMs, log } = this.#deps;
    const nowMs = clock.now();
    this.#out--;
    const result = endAttempt(this.#target, attempt, end, reply, absenceGraceMs, nowMs);
    if (result === 'failure') this.#target.stats.noteFailure(failureOf(attempt, end, reply, null, nowMs, wall()));
    this.#runtime.stats.countCheck(result);
    if (log.isLevelEnabled('debug'))
      log.debug({
        event: 'health_check',
        extension_id: this.#runtime.id,
        version: this.#target.version,
        subject: route.subject,
        result,
        duration_ms: nowMs - attempt.startedMs,
      });
  }
}
