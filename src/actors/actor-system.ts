// The running daemon without its edges: slots, router, writers and the clock that drives them, put together from ports.
// main.ts gives it real edges; tests give it simulated ones.
//
// K1. What a breaker decides is told and logged at once, then written; nothing waits for the database.
// K2. Stopping: calls under way get their answers first (the roof drains the intake before), then writers flush (a person's
//     verbs before automatic changes, facts last), then actors stop.
// K3. Rules are evaluated at a tick only when the replies that were on their way to us are counted. A tick that still waits
//     for them stands for those that come meanwhile.
import type { Subscription } from '#rxjs';
import type { Instance } from '../domain/registry/extension.js';
import type { BreakerSettings } from '../domain/registry/policy.js';
import type { RegistryUpdate } from '../domain/registry/registry-rows.js';
import type { SubjectRules } from '../domain/registry/subject-rules.js';
import type { BreakerEmitted } from '../machines/breaker-types.js';
import { stackOf } from '../telemetry/error-text.js';
import { guarded, unawaited } from '../telemetry/guard.js';
import type { Logger } from '../telemetry/log.js';
import { AuditTrail } from './events/audit-trail.js';
import { Notices, publicEvidence, SYSTEM_BREAKER, SYSTEM_REGISTRY } from './events/notices.js';
import { every } from './extension/actor-supervision.js';
import type { Slot } from './extension/extension-runtime.js';
import { AutoManager } from './management/auto-manager.js';
import { Brake } from './management/disable-guard.js';
import { Operator } from './management/operator.js';
import { Prober } from './management/prober.js';
import { Supervisor } from './management/supervisor.js';
import type { Explain, InspectionSource } from './ports/api.js';
import type {
  AfterRoundTrip,
  ApplyAutoChange,
  ApplyVerb,
  Clock,
  FlushHealth,
  LimitAttempts,
  PrepareRoute,
  PublishEvent,
  RegistryFeed,
  SendAttempt,
  SendCheck,
  WallClock,
  WasFlushed,
  WriteAudit,
  WriteInstanceStatus,
} from './ports/ports.js';
import { Aggregate } from './reporting/aggregate.js';
import { HealthView } from './reporting/health-view.js';
import { HealthWriter } from './reporting/health-writer.js';
import { InstanceStatusWriter } from './reporting/instance-status-writer.js';
import { createExplain } from './routing/explain.js';
import { Router } from './routing/router.js';
import type { Endpoint } from './target/endpoint.js';
import type { RotationChange } from './target/outlier-detector.js';
import type { Target } from './target/target.js';

export interface CorePorts {
  readonly feed$: RegistryFeed;
  /** Asks the feed for the whole registry again. */
  readonly requestSnapshot: () => void;
  readonly prepareRoute: PrepareRoute;
  readonly send: SendAttempt;
  readonly sendCheck: SendCheck;
  readonly limitAttempts: LimitAttempts;
  readonly afterRoundTrip: AfterRoundTrip;
  readonly publish: PublishEvent;
  readonly flushHealth: FlushHealth;
  readonly wasFlushed: WasFlushed;
  readonly writeInstanceStatus: WriteInstanceStatus;
  readonly applyAutoChange: ApplyAutoChange;
  readonly applyVerb: ApplyVerb;
  readonly writeAudit: WriteAudit;
  /** The registry as it came, once it is in force. */
  readonly onApplied: (update: RegistryUpdate) => void;
  readonly clock: Clock;
  readonly wall: WallClock;
  /** 0..1 */
  readonly random: () => number;
  /** A UUID, random. */
  readonly newId: (of: 'verb' | 'change' | 'fact') => string;
  readonly log: Logger;
}

export interface CoreSettings {
  readonly rules: SubjectRules;
  readonly breakerDefaults: BreakerSettings;
  readonly autoDisableOnCircuitOpen: boolean;
  readonly autoEnableOnCircuitClose: boolean;
  /** Calls under way at a time, of all extensions. */
  readonly maxInFlight: number;
  readonly maxBudgetMs: number;
  readonly absenceGraceMs: number;
  /** What a caller's environment is, whatever he says; null: what he says. */
  readonly environment: string | null;
  /** Whether a default version that takes no call, or fails too often, is passed over. */
  readonly healthBasedRouting: boolean;
  /** Under it, a default version is passed over, an instance is degraded, and an extension has a high failure rate; 0..1. */
  readonly minSuccessRate: number;
}

const TICK_MS = 1000;

export class Core {
  readonly supervisor: Supervisor;
  readonly router: Router;
  readonly view: HealthView;
  readonly aggregate: Aggregate;
  readonly inspection: InspectionSource;
  readonly explain: Explain;
  readonly audit: AuditTrail;
  readonly writer: HealthWriter;
  readonly #instanceStatusWriter: InstanceStatusWriter;
  readonly brake: Brake;
  readonly autoManager: AutoManager;
  /** Stopped with the rest; the roof may stop it before. */
  readonly prober: Prober;
  readonly operator: Operator;
  readonly #ports: CorePorts;
  readonly #notices: Notices;
  #ticks: Subscription | null = null;
  #isTickWaiting = false;

  constructor(ports: CorePorts, settings: CoreSettings) {
    const { clock, wall, random, log } = ports;
    this.#ports = ports;
    this.audit = new AuditTrail(ports.writeAudit, log.child({ component: 'audit' }), () => ports.newId('fact'));
    this.#notices = new Notices({ log, wall, publish: ports.publish, audit: this.audit.add });
    this.supervisor = new Supervisor({
      feed$: ports.feed$,
      rules: settings.rules,
      clock,
      notices: this.#notices,
      log: log.child({ component: 'supervisor' }),
      requestSnapshot: ports.requestSnapshot,
      onSlotChanged: (slot) => this.#slotChanged(slot),
      onSlotStopped: (slot) => {
        this.prober.forget(slot);
        this.autoManager.forget(slot.id);
      },
      onHistoryChanged: (revision) => {
        this.operator.startNewHistory(revision);
        this.writer.rewriteAll();
        this.autoManager.startNewHistory();
      },
      onApplied: ports.onApplied,
      slotDeps: {
        clock,
        random,
        prepareRoute: ports.prepareRoute,
        limitAttempts: ports.limitAttempts,
        breakerDefaults: settings.breakerDefaults,
        autoEnableOnCircuitClose: settings.autoEnableOnCircuitClose,
        // They are called from within an actor's step, which an exception would end.
        onBreakerEvent: guarded(log, 'a transition', this.#onBreakerEvent.bind(this)),
        onRotation: guarded(log, 'a change of the rotation', this.#onRotation.bind(this)),
        onReportRefused: guarded(log, 'a refused report', this.#onReportRefused.bind(this)),
        onActorFailed: guarded(log, 'the failure of an actor', this.#onActorFailed.bind(this)),
      },
    });
    const { slots } = this.supervisor;
    const { minSuccessRate } = settings;
    this.view = new HealthView({
      slots,
      clock,
      wall,
      autoDisabledTotal: () => this.autoManager.autoDisabledTotal,
      refusedRows: this.supervisor.refusedRows,
      minSuccessRate,
    });
    this.aggregate = new Aggregate({
      slots,
      view: this.view,
      minSuccessRate,
      clock,
      wall,
      notices: this.#notices,
      log: log.child({ component: 'aggregate' }),
    });
    this.inspection = {
      extensionIds: () => slots.keys(),
      targetsOf: (id) => {
        const slot = slots.get(id);
        return slot === undefined ? null : [...slot.services].map((service) => service.target);
      },
    };
    this.writer = new HealthWriter({
      slots,
      clock,
      flush: ports.flushHealth,
      wasFlushed: ports.wasFlushed,
      log: log.child({ component: 'health_writer' }),
    });
    this.brake = new Brake({ slots, notices: this.#notices });
    this.#instanceStatusWriter = new InstanceStatusWriter({
      slots,
      clock,
      write: ports.writeInstanceStatus,
      minSuccessRate,
      log: log.child({ component: 'instance_status' }),
    });
    this.autoManager = new AutoManager({
      slots,
      settings,
      clock,
      brake: this.brake,
      apply: ports.applyAutoChange,
      notices: this.#notices,
      healthOf: (slot) => this.#healthOf(slot, slot.defaultService?.target ?? null),
      isHeld: (id) => this.operator.owes(id),
      newId: () => ports.newId('change'),
      log: log.child({ component: 'auto_manager' }),
    });
    this.prober = new Prober({
      clock,
      random,
      prepareRoute: ports.prepareRoute,
      sendCheck: ports.sendCheck,
      limitAttempts: ports.limitAttempts,
      absenceGraceMs: settings.absenceGraceMs,
      log: log.child({ component: 'prober' }),
    });
    this.operator = new Operator({
      slots,
      apply: ports.applyVerb,
      revision: () => this.supervisor.revision,
      newId: () => ports.newId('verb'),
      clock,
      notices: this.#notices,
      onChanged: (slot) => this.#slotChanged(slot),
      log: log.child({ component: 'operator' }),
    });
    const { fallbacksOf } = this.supervisor;
    const candidates = { slots, fallbacksOf, random, healthBasedRouting: settings.healthBasedRouting, minSuccessRate };
    this.router = new Router({
      ...candidates,
      clock,
      send: ports.send,
      isInvalid: this.supervisor.isInvalid,
      maxInFlight: settings.maxInFlight,
      maxBudgetMs: settings.maxBudgetMs,
      absenceGraceMs: settings.absenceGraceMs,
      log: log.child({ component: 'router' }),
    });
    this.explain = createExplain({ ...candidates, router: this.router, clock, environment: settings.environment });
  }

  start(): void {
    const { log } = this.#ports;
    this.supervisor.start();
    this.aggregate.start();
    this.#ticks = every(TICK_MS, this.#ports.clock).subscribe(() => {
      guarded(log, 'evaluating', () => this.#evaluate())();
      unawaited(log, 'flushing health', this.writer.flush());
      unawaited(log, 'flushing instance statuses', this.#instanceStatusWriter.flush());
      unawaited(log, 'writing pending verbs', this.operator.flush());
      unawaited(log, 'writing audit facts', this.audit.flush());
    });
  }

  /** K2. Resolves when everything owed is written, or the database is away, and no actor runs. */
  async stop(): Promise<void> {
    this.#ticks?.unsubscribe();
    this.aggregate.stop();
    this.prober.stop();
    const decisions = this.operator.stop().then(() => Promise.all([this.autoManager.flush(), this.audit.flush()]));
    await Promise.all([this.writer.flush(), this.#instanceStatusWriter.flush(), decisions]);
    this.supervisor.stop();
  }

  #slotChanged(slot: Slot): void {
    this.autoManager.consider(slot);
    this.prober.follow(slot);
  }

  /** K3. */
  #evaluate(): void {
    if (this.#isTickWaiting) return;
    this.#isTickWaiting = true;
    const tick = (stalledUntilMs: number): void => {
      this.#isTickWaiting = false;
      const nowMs = this.#ports.clock.now();
      this.supervisor.tick(nowMs, stalledUntilMs);
      this.brake.tick(nowMs);
      this.autoManager.tick();
    };
    this.#ports.afterRoundTrip(guarded(this.#ports.log, 'a tick', tick));
  }

  #onBreakerEvent(slot: Slot, target: Target, event: BreakerEmitted): void {
    const isDefault = slot.defaultService?.target === target;
    const { clock, wall } = this.#ports;
    const about = {
      extensionId: slot.id,
      version: target.version,
      actor: SYSTEM_BREAKER,
      health: this.#healthOf(slot, target),
      ...('evidence' in event ? { evidence: publicEvidence(event.evidence, clock, wall) } : {}),
      ...('reason' in event ? { reason: event.reason } : {}),
    };
    switch (event.type) {
      case 'breaker.opened':
        // A re-opening is no news for the trail: it would grow by a row per open time for as long as an outage lasts.
        this.#notices.tell({
          ...about,
          event: isDefault ? 'circuit_opened' : 'version_opened',
          audited: !event.reopened,
        });
        break;
      case 'breaker.half_opened':
        this.#notices.tell({ ...about, event: 'circuit_half_opened', audited: false });
        break;
      case 'breaker.closed':
        this.#notices.tell({
          ...about,
          event: 'circuit_closed',
          reason: event.recovered ? 'probes_succeeded' : 'reset',
          audited: true,
        });
        break;
      case 'breaker.would_open':
        this.#notices.tell({ ...about, event: 'circuit_would_open', audited: false });
        return;
      case 'breaker.high_failure_count':
        this.#notices.tell({ ...about, event: 'high_failure_count', audited: false });
        return;
      default:
        event satisfies never;
    }
    this.writer.transitioned(target);
    if (isDefault) this.autoManager.consider(slot);
  }

  /** Published for each instance that it concerns. */
  #onRotation(slot: Slot, target: Target, endpoint: Endpoint, change: RotationChange): void {
    const { clock, wall } = this.#ports;
    const concerned = slot
      .instancesAt(target, endpoint.subject)
      .filter(({ id }) => (change.instanceId === undefined ? !endpoint.withheld.has(id) : id === change.instanceId));
    for (const instance of concerned)
      this.#notices.tell({
        event: change.type === 'ejected' ? 'instance_ejected' : 'instance_returned',
        extensionId: slot.id,
        version: target.version,
        instance_id: instance.id,
        actor: SYSTEM_BREAKER,
        reason: change.reason,
        ...(change.type === 'ejected' ? { evidence: publicEvidence(change.evidence, clock, wall) } : {}),
        audited: true,
      });
  }

  #onReportRefused(slot: Slot, instance: Instance, problem: string): void {
    this.#notices.tell({
      event: 'registry_row_rejected',
      extensionId: slot.id,
      instance_id: instance.id,
      actor: SYSTEM_REGISTRY,
      reason: problem,
      revision: instance.revision,
      audited: true,
    });
  }

  #onActorFailed(slot: Slot, target: Target, error: unknown, givenUp: boolean): void {
    const about = {
      extension_id: slot.id,
      version: target.version,
      error: stackOf(error),
    };
    this.#ports.log.error({ event: 'actor_restarted', ...about, given_up: givenUp });
    if (!givenUp) return;
    this.#notices.tell({
      event: 'actor_failed',
      extensionId: slot.id,
      version: target.version,
      actor: SYSTEM_REGISTRY,
      reason: String(error),
      audited: true,
    });
  }

  #healthOf(slot: Slot, target: Target | null) {
    return target === null ? {} : { ...this.view.target(slot, target) };
  }
}
