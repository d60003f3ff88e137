// The running daemon without its edges: runtimes, router, writers and the clock that drives them, put together from ports.
// The daemon gives it real edges; tests give it simulated ones.
//
// ACTOR-SYSTEM-1. Stopping: calls in flight get their answers first (the daemon drains the intake before), then writers flush (verbs of
//     operators before automatic changes, facts last), then actors stop.
// ACTOR-SYSTEM-2. Rules are evaluated at a tick only after the replies that were on their way are counted. While a tick waits for
//     them, and while one is not over, further ticks are skipped.
//
// Long: the one place where all of it is put together.
import type { Subscription } from '#rxjs';
import { DirtySet } from '../domain/dirty-set.js';
import type { BreakerSettings } from '../domain/registry/policy.js';
import { absenceText } from '../domain/registry/refused-row.js';
import type { RegistryUpdate } from '../domain/registry/registry-rows.js';
import type { SubjectRules } from '../domain/registry/subject-rules.js';
import type { Steps } from '../domain/steps.js';
import { guarded, logUnexpected, unawaited } from '../telemetry/guard.js';
import type { Logger } from '../telemetry/log.js';
import { AuditTrail } from './events/audit-trail.js';
import { Notices } from './events/notices.js';
import { every } from './extension/actor-supervision.js';
import type { ExtensionRuntime } from './extension/extension-runtime.js';
import { inSlices, resultInSlices } from './extension/slices.js';
import { TargetCensus } from './extension/target-census.js';
import { AutoManager } from './management/auto-manager.js';
import { DisableGuard } from './management/disable-guard.js';
import { Operator } from './management/operator.js';
import { Prober } from './management/prober.js';
import { Supervisor } from './management/supervisor.js';
import { Ticks } from './management/ticks.js';
import type { Explain, HealthSource, InspectionSource, WatchableActor } from './ports/api.js';
import type { Clock, WallClock } from './ports/clock.js';
import type { FleetView } from './ports/fleet.js';
import type {
  ApplyAutoChange,
  ApplyVerb,
  FlushHealth,
  ReadMarks,
  RegistryFeed,
  WasFlushed,
  WriteAudit,
  WriteInstanceStatus,
} from './ports/storage.js';
import type {
  AfterRoundTrip,
  LimitAttempts,
  NoteAttempt,
  PrepareRoute,
  PublishEvent,
  SendAttempt,
  SendCheck,
  StalledUntil,
} from './ports/transport.js';
import { Aggregate } from './reporting/aggregate.js';
import { BoardDesk } from './reporting/board-desk.js';
import { BreakerEvents } from './reporting/breaker-events.js';
import { HealthBoard } from './reporting/health-board.js';
import { HealthView } from './reporting/health-view.js';
import { HealthWriter } from './reporting/health-writer.js';
import { InstanceStatusWriter } from './reporting/instance-status-writer.js';
import type { SortedIds } from './reporting/sorted-ids.js';
import type { CandidateDeps } from './routing/candidates.js';
import { createExplain } from './routing/explain.js';
import { Router } from './routing/router.js';

export interface ActorSystemPorts {
  readonly feed$: RegistryFeed;
  /** Asks the feed for the whole registry again; returns the number of the request, which grows. */
  readonly requestSnapshot: () => number;
  readonly prepareRoute: PrepareRoute;
  readonly send: SendAttempt;
  readonly noteAttempt: NoteAttempt | null;
  readonly sendCheck: SendCheck;
  readonly limitAttempts: LimitAttempts;
  readonly afterRoundTrip: AfterRoundTrip;
  readonly stalledUntil: StalledUntil;
  readonly fleet: FleetView;
  readonly publish: PublishEvent;
  readonly flushHealth: FlushHealth;
  readonly wasFlushed: WasFlushed;
  readonly writeInstanceStatus: WriteInstanceStatus;
  readonly applyAutoChange: ApplyAutoChange;
  readonly applyVerb: ApplyVerb;
  readonly writeAudit: WriteAudit;
  readonly readMarks: ReadMarks;
  /** The registry as it came, once it is in force. */
  readonly onApplied: (update: RegistryUpdate) => void;
  readonly clock: Clock;
  readonly wall: WallClock;
  /** 0..1 */
  readonly random: () => number;
  /** A UUID, random. */
  readonly newId: (of: 'verb' | 'change' | 'fact' | 'boot') => string;
  readonly log: Logger;
}

export interface ActorSystemSettings {
  readonly rules: SubjectRules;
  readonly breakerDefaults: BreakerSettings;
  readonly autoDisableOnCircuitOpen: boolean;
  readonly autoEnableOnCircuitClose: boolean;
  /** Calls in flight at a time, of all extensions. */
  readonly maxInFlight: number;
  readonly maxBudgetMs: number;
  readonly absenceGraceMs: number;
  /** The environment of every call, whatever the caller says; null: the caller's. */
  readonly environment: string | null;
  /** Whether a default version that accepts no calls, or fails too often, is skipped. */
  readonly healthBasedRouting: boolean;
  /** Below it, a default version is skipped, an instance is degraded, and an extension has a high failure rate; 0..1. */
  readonly minSuccessRate: number;
  /** Targets whose history is kept, at most; 0: none. */
  readonly historyTargetsMax: number;
}

const TICK_MS = 1000;

export class ActorSystem {
  readonly supervisor: Supervisor;
  readonly ticks: Ticks;
  readonly router: Router;
  readonly view: HealthView;
  readonly healthBoard: HealthBoard;
  /** For the edges, and for what they show of the daemon. */
  readonly board: BoardDesk;
  readonly aggregate: Aggregate;
  readonly inspection: InspectionSource;
  readonly explain: Explain;
  readonly audit: AuditTrail;
  readonly writer: HealthWriter;
  readonly #instanceStatusWriter: InstanceStatusWriter;
  readonly disableGuard: DisableGuard;
  readonly autoManager: AutoManager;
  /** Stopped with the rest; the roof may stop it before. */
  readonly prober: Prober;
  readonly operator: Operator;
  readonly notices: Notices;
  readonly #ports: ActorSystemPorts;
  /** For the edges. */
  readonly health: HealthSource = {
    list: (selection) => this.healthBoard.list(selection),
    one: (id) => this.view.parts(id),
    absence: (id) => absenceText(id, this.supervisor.refusedRows(id)),
  };
  readonly #dirty = new DirtySet<ExtensionRuntime>();
  readonly #census = new TargetCensus();
  #ticks: Subscription | null = null;
  #isTickWaiting = false;
  #ticking: Subscription | null = null;

  constructor(ports: ActorSystemPorts, settings: ActorSystemSettings) {
    const { clock, log } = ports;
    this.#ports = ports;
    this.audit = new AuditTrail(ports.writeAudit, this.#logOf('audit'), () => ports.newId('fact'), clock);
    this.notices = new Notices({ log, wall: ports.wall, publish: this.#publish, audit: this.audit.add });
    const { notices } = this;
    const events = new BreakerEvents({
      ...ports,
      notices,
      healthOf: (target, runtime) => ({ ...this.view.target(runtime, target) }),
      onTransition: (runtime, _target, isDefault) => {
        this.writer.transitioned(runtime);
        if (isDefault) this.autoManager.consider(runtime);
      },
    });
    this.supervisor = this.#createSupervisor(settings, notices, events);
    const { runtimes, refusedRows } = this.supervisor;
    const { minSuccessRate } = settings;
    const shared = { runtimes, clock, notices, dirty: this.#dirty };
    this.ticks = new Ticks({ ...shared, log: this.#logOf('ticks') });
    this.view = new HealthView({
      ...shared,
      wall: ports.wall,
      autoDisabledTotal: () => this.autoManager.autoDisabledTotal,
      refusedRows,
      refusedPerSecond: (runtime) => this.board.board.ratesOf(runtime).refused,
      minSuccessRate,
    });
    this.healthBoard = new HealthBoard({
      ...shared,
      healthOf: (runtime) => this.view.extension(runtime),
      refusedRows: (limit) => this.view.refusedRows(limit),
    });
    this.board = this.#createBoard(settings);
    this.aggregate = this.#createAggregate(settings, notices);
    this.inspection = inspectionOf(runtimes, this.healthBoard.ids, this.#census, this.supervisor.actor);
    const { flushHealth: flush, wasFlushed } = ports;
    this.writer = new HealthWriter({ ...shared, flush, wasFlushed, log: this.#logOf('health_writer') });
    this.#instanceStatusWriter = new InstanceStatusWriter({
      ...shared,
      write: ports.writeInstanceStatus,
      minSuccessRate,
      log: this.#logOf('instance_status'),
    });
    this.disableGuard = new DisableGuard(shared);
    this.autoManager = this.#createAutoManager(settings, notices);
    this.prober = new Prober({ ...ports, absenceGraceMs: settings.absenceGraceMs, log: this.#logOf('prober') });
    this.operator = new Operator({
      ...shared,
      apply: ports.applyVerb,
      revision: () => this.supervisor.revision,
      newId: () => ports.newId('verb'),
      onChanged: (runtime) => this.#runtimeChanged(runtime),
      log: this.#logOf('operator'),
    });
    const candidates = { ...settings, runtimes, fallbacksOf: this.supervisor.fallbacksOf, random: ports.random };
    this.router = this.#createRouter({ ...settings, ...candidates });
    this.explain = createExplain({ ...candidates, router: this.router, clock, refusedRows });
  }

  #createSupervisor(settings: ActorSystemSettings, notices: Notices, events: BreakerEvents): Supervisor {
    const { feed$, clock, random, prepareRoute, limitAttempts, stalledUntil, fleet } = this.#ports;
    const { requestSnapshot, onApplied } = this.#ports;
    const { rules, breakerDefaults, autoEnableOnCircuitClose } = settings;
    return new Supervisor({
      feed$,
      rules,
      clock,
      wall: this.#ports.wall,
      notices,
      log: this.#logOf('supervisor'),
      requestSnapshot,
      onRuntimeChanged: (runtime) => this.#runtimeChanged(runtime),
      onRuntimeStopped: (runtime) => {
        this.#census.removed(runtime);
        this.prober.forget(runtime);
        this.healthBoard.removed(runtime);
        this.board.removed(runtime);
        this.autoManager.forget(runtime.id);
        this.disableGuard.forget(runtime);
        this.writer.forget(runtime);
        this.#instanceStatusWriter.forget(runtime);
      },
      onRefusedChanged: (id) => {
        const runtime = this.supervisor.runtimes.get(id);
        if (runtime !== undefined) this.#dirty.mark(runtime);
      },
      onHistoryChanged: (revision) => {
        this.operator.startNewHistory(revision);
        this.writer.rewriteAll();
        this.autoManager.startNewHistory();
      },
      onApplied,
      runtimeDeps: {
        clock,
        random,
        prepareRoute,
        limitAttempts,
        stalledUntil,
        fleet,
        onTouched: (runtime) => this.#dirty.mark(runtime),
        onState: guarded(this.#ports.log, 'a row of the board', (runtime: ExtensionRuntime) =>
          this.board.board.renew(runtime),
        ),
        breakerDefaults,
        autoEnableOnCircuitClose,
        ...events.listeners,
        onActorFailed: (runtime, target, error, givenUp) => {
          this.supervisor.actor.report({ type: 'child.failed', target: `${runtime.id}@${target.version}` });
          events.listeners.onActorFailed(runtime, target, error, givenUp);
        },
      },
    });
  }

  #createBoard({ historyTargetsMax }: ActorSystemSettings): BoardDesk {
    const { clock, wall, newId, readMarks } = this.#ports;
    const { runtimes, refusedRows } = this.supervisor;
    return new BoardDesk({
      runtimes,
      refusedRows,
      dirty: this.#dirty,
      revision: () => this.supervisor.revision,
      load: () => ({ in_flight: this.router.inFlight, mass_failure: this.disableGuard.isOn }),
      readMarks,
      boot: newId('boot'),
      historyTargetsMax,
      clock,
      wall,
      log: this.#logOf('board'),
    });
  }

  #createAggregate({ minSuccessRate }: ActorSystemSettings, notices: Notices): Aggregate {
    const { clock, wall } = this.#ports;
    return new Aggregate({
      runtimes: this.supervisor.runtimes,
      dirty: this.#dirty,
      counts: () => this.board.summary(),
      view: this.view,
      minSuccessRate,
      clock,
      wall,
      notices,
      log: this.#logOf('aggregate'),
    });
  }

  #createRouter(candidates: CandidateDeps & ActorSystemSettings): Router {
    const { clock, wall, send, noteAttempt } = this.#ports;
    const { isInvalid } = this.supervisor;
    const onTouched = (runtime: ExtensionRuntime) => this.#dirty.mark(runtime);
    const log = this.#logOf('router');
    return new Router({ ...candidates, clock, wall, send, noteAttempt, isInvalid, onTouched, log });
  }

  /** To streams, and to the world: a stream that fails keeps no event from it. */
  readonly #publish: PublishEvent = (event) => {
    guarded(this.#ports.log, 'keeping an event', () => this.board.published(event))();
    this.#ports.publish(event);
  };

  #createAutoManager(settings: ActorSystemSettings, notices: Notices): AutoManager {
    const { clock, applyAutoChange, newId } = this.#ports;
    return new AutoManager({
      runtimes: this.supervisor.runtimes,
      settings,
      clock,
      disableGuard: this.disableGuard,
      apply: applyAutoChange,
      notices,
      healthOf: (runtime) => {
        const target = runtime.defaultService?.target;
        return target === undefined ? {} : { ...this.view.target(runtime, target) };
      },
      isHeld: (id) => this.operator.hasPending(id),
      newId: () => newId('change'),
      log: this.#logOf('auto_manager'),
    });
  }

  #logOf(component: string): Logger {
    return this.#ports.log.child({ component });
  }

  start(): void {
    const { log } = this.#ports;
    this.supervisor.start();
    this.aggregate.start();
    this.board.start();
    this.#ticks = every(TICK_MS, this.#ports.clock).subscribe(() => {
      guarded(log, 'evaluating', () => this.#evaluate())();
      unawaited(log, 'flushing health', this.writer.flush());
      unawaited(log, 'flushing instance statuses', this.#instanceStatusWriter.flush());
      unawaited(log, 'writing pending verbs', this.operator.flush());
      unawaited(log, 'writing audit facts', this.audit.flush());
    });
  }

  /** How many there are, of all extensions. */
  get targets(): number {
    return this.#census.targets;
  }

  /** ACTOR-SYSTEM-1. Resolves when everything pending is written, or the database is away, and no actor runs. */
  async stop(): Promise<void> {
    this.#ticks?.unsubscribe();
    this.#ticking?.unsubscribe();
    this.aggregate.stop();
    this.healthBoard.stop();
    this.board.stop();
    this.prober.stop();
    const decisions = this.operator.stop().then(() => Promise.all([this.autoManager.flush(), this.audit.flush()]));
    await Promise.all([this.writer.flush(), this.#instanceStatusWriter.flush(), decisions]);
    await resultInSlices(this.supervisor.stopping(), this.#ports.clock);
  }

  #runtimeChanged(runtime: ExtensionRuntime): void {
    // What is stored of it may differ from what is in force. Of any other that has just come there is nothing to write.
    if (runtime.stored.size > 0 || runtime.extension.instances.length > 0) this.#dirty.mark(runtime);
    this.#census.changed(runtime);
    this.autoManager.consider(runtime);
    this.prober.follow(runtime);
    this.healthBoard.added(runtime);
    this.board.board.put(runtime);
  }

  *#evaluating(stalledUntilMs: number): Steps<void> {
    const nowMs = this.#ports.clock.now();
    yield* this.ticks.evaluating(nowMs, stalledUntilMs);
    yield* this.disableGuard.ticking(nowMs);
    this.autoManager.tick();
  }

  /** ACTOR-SYSTEM-2. */
  #evaluate(): void {
    if (this.#isTickWaiting) return;
    this.#isTickWaiting = true;
    const { clock, log, afterRoundTrip } = this.#ports;
    const tick = (stalledUntilMs: number): void => {
      this.#ticking = inSlices(this.#evaluating(stalledUntilMs), clock).subscribe({
        error: (error: unknown) => {
          this.#isTickWaiting = false;
          logUnexpected(log, 'a tick', error);
        },
        complete: () => {
          this.#isTickWaiting = false;
        },
      });
    };
    afterRoundTrip(guarded(log, 'a tick', tick));
  }
}

const inspectionOf = (
  runtimes: ReadonlyMap<string, ExtensionRuntime>,
  ids: SortedIds,
  census: TargetCensus,
  supervisor: WatchableActor,
): InspectionSource => ({
  get changes() {
    return census.changes;
  },
  get targetCount() {
    return census.targets;
  },
  supervisor,
  extensionIds: (after) => ids.each(after),
  targetsOf: (id) => {
    const runtime = runtimes.get(id);
    return runtime === undefined ? null : [...runtime.services].map((service) => service.target);
  },
});
