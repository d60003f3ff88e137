// What follows from what targets do: events, log lines, facts for the audit trail, and the parts that have to act on it.
//
// BREAKER-EVENTS-1. A transition is logged and published immediately and persisted asynchronously: nothing waits for the database.
// BREAKER-EVENTS-2. The listeners are called within an actor's step, which an exception would end: none of them throws.
import type { Instance } from '../../domain/registry/extension.js';
import type { BreakerEmitted } from '../../machines/breaker-types.js';
import { stackOf } from '../../telemetry/error-text.js';
import { guarded } from '../../telemetry/guard.js';
import type { Logger } from '../../telemetry/log.js';
import { type Notices, publicEvidence, SYSTEM_BREAKER, SYSTEM_REGISTRY } from '../events/notices.js';
import type { ExtensionRuntime, RuntimeDeps } from '../extension/extension-runtime.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type { Endpoint } from '../target/endpoint.js';
import type { RotationChange } from '../target/outlier-detector.js';
import type { Target } from '../target/target.js';

interface BreakerEventsDeps {
  readonly notices: Notices;
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly log: Logger;
  readonly healthOf: (target: Target, runtime: ExtensionRuntime) => Readonly<Record<string, unknown>>;
  /** Its breaker is in another state now. */
  readonly onTransition: (runtime: ExtensionRuntime, target: Target, isDefault: boolean) => void;
}

export class BreakerEvents {
  /** BREAKER-EVENTS-2. */
  readonly listeners: Pick<RuntimeDeps, 'onBreakerEvent' | 'onRotation' | 'onReportRefused' | 'onActorFailed'>;
  readonly #deps: BreakerEventsDeps;

  constructor(deps: BreakerEventsDeps) {
    this.#deps = deps;
    const { log } = deps;
    this.listeners = {
      onBreakerEvent: guarded(log, 'a transition', this.#breakerEvent.bind(this)),
      onRotation: guarded(log, 'a change of the rotation', this.#rotation.bind(this)),
      onReportRefused: guarded(log, 'a refused report', this.#reportRefused.bind(this)),
      onActorFailed: guarded(log, 'the failure of an actor', this.#actorFailed.bind(this)),
    };
  }

  #breakerEvent(runtime: ExtensionRuntime, target: Target, event: BreakerEmitted): void {
    const { notices, clock, wall, healthOf, onTransition } = this.#deps;
    const isDefault = runtime.defaultService?.target === target;
    const about = {
      extensionId: runtime.id,
      version: target.version,
      actor: SYSTEM_BREAKER,
      health: healthOf(target, runtime),
      ...('evidence' in event ? { evidence: publicEvidence(event.evidence, clock, wall) } : {}),
      ...('reason' in event ? { reason: event.reason } : {}),
    };
    switch (event.type) {
      case 'breaker.opened': {
        // A re-opening is not audited: the trail would grow by a row per open time for as long as an outage lasts.
        const name = isDefault ? 'circuit_opened' : 'version_opened';
        notices.publish({ ...about, event: name, audited: !event.reopened });
        break;
      }
      case 'breaker.half_opened':
        notices.publish({ ...about, event: 'circuit_half_opened', audited: false });
        break;
      case 'breaker.closed': {
        const reason = event.recovered ? 'probes_succeeded' : 'reset';
        notices.publish({ ...about, event: 'circuit_closed', reason, audited: true });
        break;
      }
      case 'breaker.would_open':
        notices.publish({ ...about, event: 'circuit_would_open', audited: false });
        return;
      case 'breaker.high_failure_count':
        notices.publish({ ...about, event: 'high_failure_count', audited: false });
        return;
      default:
        event satisfies never;
    }
    onTransition(runtime, target, isDefault);
  }

  /** Published for each instance that it concerns. */
  #rotation(runtime: ExtensionRuntime, target: Target, endpoint: Endpoint, change: RotationChange): void {
    const { notices, clock, wall } = this.#deps;
    const concerned = runtime
      .instancesAt(target, endpoint.subject)
      .filter(({ id }) => (change.instanceId === undefined ? !endpoint.withheld.has(id) : id === change.instanceId));
    for (const instance of concerned)
      notices.publish({
        event: change.type === 'ejected' ? 'instance_ejected' : 'instance_returned',
        extensionId: runtime.id,
        version: target.version,
        instance_id: instance.id,
        actor: SYSTEM_BREAKER,
        reason: change.reason,
        ...(change.type === 'ejected' ? { evidence: publicEvidence(change.evidence, clock, wall) } : {}),
        audited: true,
      });
  }

  #reportRefused(runtime: ExtensionRuntime, instance: Instance, problem: string): void {
    this.#deps.notices.publish({
      event: 'registry_row_rejected',
      extensionId: runtime.id,
      instance_id: instance.id,
      actor: SYSTEM_REGISTRY,
      reason: problem,
      revision: instance.revision,
      audited: true,
    });
  }

  #actorFailed(runtime: ExtensionRuntime, target: Target, error: unknown, givenUp: boolean): void {
    const about = { extension_id: runtime.id, version: target.version, error: stackOf(error), given_up: givenUp };
    this.#deps.log.error({ event: 'actor_restarted', ...about });
    if (!givenUp) return;
    this.#deps.notices.publish({
      event: 'actor_failed',
      extensionId: runtime.id,
      version: target.version,
      actor: SYSTEM_REGISTRY,
      reason: String(error),
      audited: true,
    });
  }
}
