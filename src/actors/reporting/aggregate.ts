// The health of all extensions together, once a minute: logged, kept for the metrics page, and each of them judged.
//
// AGGREGATE-1. It looks at the extensions that had outcomes in their health window, in slices; how many there are, and are healthy, is counted anyway.
// AGGREGATE-2. `high_failure_rate` is reported when an extension's success rate falls under the minimum, and again only after it was
//     back. Too few outcomes to judge change nothing.
import { catchError, EMPTY, exhaustMap, type Subscription } from '#rxjs';
import type { DirtyReader, DirtySet } from '../../domain/dirty-set.js';
import { SummaryInProgress } from '../../domain/health/health-report.js';
import type { ExtensionRowHealth, HealthSummary } from '../../domain/health/health-schema.js';
import { HEALTH_WINDOW_MS } from '../../domain/health/health-window.js';
import { judgeSuccessRate } from '../../domain/health/success-rate.js';
import type { Steps } from '../../domain/steps.js';
import { logUnexpected } from '../../telemetry/guard.js';
import type { Logger } from '../../telemetry/log.js';
import { type Notices, publicEvidence, SYSTEM_REGISTRY } from '../events/notices.js';
import { every } from '../extension/actor-supervision.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import { inSlices } from '../extension/slices.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type { Target } from '../target/target.js';
import type { HealthView } from './health-view.js';

const AGGREGATE_MS = 60_000;

export class Aggregate {
  /** AGGREGATE-2. Targets whose low rate was reported. */
  readonly #low = new WeakSet<Target>();
  readonly #touched: DirtyReader<ExtensionRuntime>;
  /** AGGREGATE-1. As far as is known, besides the touched ones. */
  readonly #measured = new Set<ExtensionRuntime>();
  #last: HealthSummary | null = null;
  #passes: Subscription | null = null;

  constructor(
    private readonly deps: {
      readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
      /** Of the extensions that are touched. */
      readonly dirty: DirtySet<ExtensionRuntime>;
      /** Of all extensions, as of now. */
      readonly counts: () => Pick<HealthSummary, 'total' | 'enabled' | 'healthy' | 'unhealthy'>;
      readonly view: HealthView;
      /** 0..1 */
      readonly minSuccessRate: number;
      readonly clock: Clock;
      readonly wall: WallClock;
      readonly notices: Notices;
      readonly log: Logger;
    },
  ) {
    this.#touched = deps.dirty.read();
  }

  /** As of the last minute; null before the first one is over. */
  get last(): HealthSummary | null {
    return this.#last;
  }

  start(): void {
    const { clock, log } = this.deps;
    this.#passes = every(AGGREGATE_MS, clock)
      .pipe(
        exhaustMap(() =>
          inSlices(this.#passing(), clock).pipe(
            catchError((error: unknown) => {
              logUnexpected(log, 'the aggregate of health', error);
              return EMPTY;
            }),
          ),
        ),
      )
      .subscribe();
  }

  stop(): void {
    this.#passes?.unsubscribe();
  }

  /** AGGREGATE-1. */
  *#passing(): Steps<void> {
    for (let left = this.#touched.size; left > 0; left--) {
      const runtime = this.#touched.take();
      if (runtime !== undefined && runtime.defaultService?.target.health.overMs != null) this.#measured.add(runtime);
      yield;
    }
    const measured = new SummaryInProgress();
    for (const runtime of this.#measured) {
      const health = this.#read(runtime);
      if (health === null) this.#measured.delete(runtime);
      else measured.add(health);
      yield;
    }
    const { total, enabled, healthy, unhealthy } = this.deps.counts();
    this.#last = { ...measured.summary, total, enabled, healthy, unhealthy };
    this.deps.log.info({ event: 'health_aggregate', ...this.#last });
  }

  /** null: nothing is in its health window. */
  #read(runtime: ExtensionRuntime): ExtensionRowHealth | null {
    if (this.deps.runtimes.get(runtime.id) !== runtime) return null;
    try {
      const health = this.deps.view.extension(runtime);
      if (health.health.latency_samples === 0) return null;
      this.#judge(runtime, health);
      return health;
    } catch (error) {
      logUnexpected(this.deps.log, `the health of ${runtime.id}`, error);
      return null;
    }
  }

  /** AGGREGATE-2. */
  #judge(runtime: ExtensionRuntime, { version, health }: ExtensionRowHealth): void {
    const target = runtime.defaultService?.target;
    if (target === undefined) return;
    const { clock, wall, minSuccessRate } = this.deps;
    const counts = target.health.counts(clock.now());
    const verdict = judgeSuccessRate(counts, minSuccessRate);
    if (verdict === 'fine') this.#low.delete(target);
    if (verdict !== 'low' || this.#low.has(target)) return;
    this.#low.add(target);
    const { successes, failures } = counts;
    const outcomes = successes + failures;
    const evidence = {
      failures,
      outcomes,
      slow: 0,
      overdue: 0,
      errorRate: failures / outcomes,
      windowMs: HEALTH_WINDOW_MS,
      firstFailureMs: null,
      lastFailureMs: target.last.failureMs,
    };
    this.deps.notices.publish({
      event: 'high_failure_rate',
      extensionId: runtime.id,
      version,
      actor: SYSTEM_REGISTRY,
      reason: 'success_rate_under_minimum',
      evidence: publicEvidence(evidence, clock, wall),
      health: { ...health },
      audited: false,
    });
  }
}
