// `health_status` of one extension's instances: written for operators and other programs, and read as a report of theirs if it
// was not written by a daemon.
//
// INSTANCE-STATUS-1. A report is taken once: its id differs from that of the one before. A row without ids, as an old daemon left it, is a
//     report if its revision has moved and its status differs. The first reading of a row is a report if it says
//     `unhealthy`, whatever wrote it.
// INSTANCE-STATUS-2. A row is written when its status changes, and once a REFRESH_MS while its instance has traffic: only what was measured
//     here, or two daemons would write each other's reports back and forth. A reset withdraws an `unhealthy`.
// INSTANCE-STATUS-3. A report is in force until it is withdrawn, or a call or check has measured the instance here. It is never overwritten by
//     what was measured before it.

import { judgeSuccessRate } from '../../domain/health/success-rate.js';
import { LazyMap } from '../../domain/lazy-map.js';
import { type HealthStatus, type Instance, isSameRow } from '../../domain/registry/extension.js';
import type { Steps } from '../../domain/steps.js';
import type { InstanceStatusRow } from '../ports/storage.js';
import type { Endpoint } from '../target/endpoint.js';

const REFRESH_MS = 60_000;
/** No id of a report: none has been seen. */
const NO_REPORT = '00000000-0000-0000-0000-000000000000';

export interface InstanceReport {
  readonly instance: Instance;
  /** It may be what a daemon measured before this one began. */
  readonly isMeasured: boolean;
}

interface Known {
  uid: string | null;
  revision: number;
  /** INSTANCE-STATUS-1: of the last report that was taken; undefined: its row has no ids. */
  reportId: string | null | undefined;
  /** What the row says, as far as is known. */
  status: HealthStatus;
  /** What is on its way to it. */
  writing: HealthStatus | null;
  writtenMs: number;
  settledMs: number | null;
}

/** Of one instance there. `minSuccessRate`: under it an instance is degraded. */
export function statusOf(endpoint: Endpoint, instanceId: string, minSuccessRate: number, nowMs: number): HealthStatus {
  if (!endpoint.isInRotation || endpoint.withheld.has(instanceId)) return 'unhealthy';
  const counts = endpoint.health.counts(nowMs);
  if (counts.successes + counts.failures === 0) return 'unknown';
  return judgeSuccessRate(counts, minSuccessRate) === 'low' ? 'degraded' : 'healthy';
}

/** An instance that serves several versions is as badly off as it is for the worst of them. */
export function worstOf(statuses: readonly HealthStatus[]): HealthStatus {
  for (const status of ['unhealthy', 'degraded', 'healthy'] as const) if (statuses.includes(status)) return status;
  return 'unknown';
}

export class InstanceStatuses {
  readonly #known = new LazyMap<string, Known>();

  /** What the row says, as far as is known. */
  inRow({ id, healthStatus }: Instance): HealthStatus {
    const known = this.#known.get(id);
    return known?.writing ?? known?.status ?? healthStatus;
  }

  /**
   * The rows as the registry has them now; returns what operators report of them. `isNewHistory`: their revisions say nothing
   * about those before.
   */
  *reading(instances: readonly Instance[], isNewHistory: boolean): Steps<readonly InstanceReport[]> {
    const reports: InstanceReport[] = [];
    const present = new Set<string>();
    for (const instance of instances) {
      present.add(instance.id);
      const found = this.#known.get(instance.id);
      if (found === undefined || !isSameRow(found, instance)) reports.push(...this.#meet(instance));
      else if (noteRow(found, instance, isNewHistory)) reports.push({ instance, isMeasured: false });
      yield;
    }
    for (const id of this.#known.keys()) {
      if (!present.has(id)) this.#known.delete(id);
      yield;
    }
    return reports;
  }

  /** The first that is read of a row. */
  #meet(instance: Instance): InstanceReport[] {
    const { id, healthStatus, revision, reportId, uid = null } = instance;
    this.#known.set(id, {
      ...{ uid, revision, reportId, status: healthStatus },
      ...{ writing: null, writtenMs: Number.NEGATIVE_INFINITY, settledMs: null },
    });
    return healthStatus === 'unhealthy' ? [{ instance, isMeasured: reportId === null }] : [];
  }

  /** INSTANCE-STATUS-2. The pending row of one instance, null if there is none; it counts as being written from then on. */
  takePending(
    extensionId: string,
    instanceId: string,
    endpoints: readonly Endpoint[],
    minSuccessRate: number,
    nowMs: number,
  ): InstanceStatusRow | null {
    const known = this.#known.get(instanceId);
    if (known === undefined || known.writing !== null || endpoints.length === 0) return null;
    // INSTANCE-STATUS-3.
    if (endpoints.some((endpoint) => endpoint.isReported || endpoint.withheld.has(instanceId))) return null;
    const status = worstOf(endpoints.map((endpoint) => statusOf(endpoint, instanceId, minSuccessRate, nowMs)));
    const settledMs = endpoints.reduce<number | null>(
      (last, e) => (e.settledMs !== null && e.settledMs > (last ?? -1) ? e.settledMs : last),
      null,
    );
    if (settledMs === null && !(status === 'unknown' && known.status === 'unhealthy')) return null;
    const isStale = settledMs !== known.settledMs && nowMs - known.writtenMs >= REFRESH_MS;
    if (status === known.status && !isStale) return null;
    known.writing = status;
    known.settledMs = settledMs;
    known.writtenMs = nowMs;
    return {
      extension_id: extensionId,
      instance_id: instanceId,
      uid: known.uid,
      health_status: status,
      checked_ago_ms: nowMs - (settledMs ?? nowMs),
      seen_report: known.reportId ?? NO_REPORT,
    };
  }

  /** `written` false: the database is away, and the row is pending again. */
  settled(instanceId: string, written: boolean): void {
    const known = this.#known.get(instanceId);
    if (known?.writing == null) return;
    if (written) known.status = known.writing;
    else {
      known.writtenMs = Number.NEGATIVE_INFINITY;
      known.settledMs = null;
    }
    known.writing = null;
  }
}

/** What is read of a row that is known. True: it is a report (INSTANCE-STATUS-1). */
function noteRow(known: Known, instance: Instance, isNewHistory: boolean): boolean {
  const { healthStatus, revision, reportId, uid = null } = instance;
  const isNews = isReport(instance, known, isNewHistory);
  // INSTANCE-STATUS-3: what is on its way does not arrive.
  if (isNews) known.writing = null;
  known.uid ??= uid;
  known.revision = isNewHistory ? revision : Math.max(revision, known.revision);
  known.reportId = reportId;
  if (known.writing === null) known.status = healthStatus;
  return isNews;
}

function isReport({ healthStatus, revision, reportId }: Instance, known: Known, isNewHistory: boolean): boolean {
  if (reportId !== undefined) return reportId !== null && reportId !== known.reportId;
  return !isNewHistory && revision > known.revision && healthStatus !== known.status && healthStatus !== known.writing;
}
