// What `health_status` says of one extension's instances: written for people and other programs, and read as a report of
// theirs where it was not written here.
//
// R1. A row that says `unhealthy` is a report where it is the first that is read of it, or where its revision has moved since:
//     what a daemon writes, this one or another, moves none.
// R2. A row is written when its status changes, and once a REFRESH_MS while its instance has traffic: only what was measured
//     here, or else two daemons would pass each other's reports to and fro. A reset takes an `unhealthy` back.
import { type HealthStatus, type Instance, isSameRow } from '../domain/extension.js';
import type { Steps } from '../domain/steps.js';
import { judgeSuccessRate } from '../domain/success-rate.js';
import type { Endpoint } from './endpoint.js';
import type { InstanceStatusRow } from './ports.js';

const REFRESH_MS = 60_000;

interface Known {
  uid: string | null;
  revision: number;
  /** What the row says, as far as is known. */
  status: HealthStatus;
  /** What is on its way to it. */
  writing: HealthStatus | null;
  writtenMs: number;
  settledMs: number | null;
}

/** `minSuccessRate`: under it an instance is degraded. */
export function statusOf(endpoint: Endpoint, minSuccessRate: number, nowMs: number): HealthStatus {
  if (!endpoint.isInRotation) return 'unhealthy';
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
  readonly #known = new Map<string, Known>();

  /**
   * The rows as the registry has them now; returns the instances that somebody else reports to be unhealthy. `isNewHistory`:
   * their revisions say nothing about those before.
   */
  *reading(instances: readonly Instance[], isNewHistory: boolean): Steps<readonly Instance[]> {
    const reported: Instance[] = [];
    const present = new Set<string>();
    for (const instance of instances) {
      const { id, healthStatus, revision, uid = null } = instance;
      present.add(id);
      const found = this.#known.get(id);
      const known = found !== undefined && isSameRow(found, instance) ? found : undefined;
      const isNews =
        known === undefined ||
        (!isNewHistory && revision > known.revision && known.status !== 'unhealthy' && known.writing !== 'unhealthy');
      if (healthStatus === 'unhealthy' && isNews) reported.push(instance);
      if (known === undefined)
        this.#known.set(id, {
          uid,
          revision,
          status: healthStatus,
          writing: null,
          writtenMs: Number.NEGATIVE_INFINITY,
          settledMs: null,
        });
      else {
        known.uid ??= uid;
        known.revision = isNewHistory ? revision : Math.max(revision, known.revision);
        if (known.writing === null) known.status = healthStatus;
      }
      yield;
    }
    for (const id of this.#known.keys()) {
      if (!present.has(id)) this.#known.delete(id);
      yield;
    }
    return reported;
  }

  /** R2. The row that is owed for one instance, null where none is; it counts as being written from then on. */
  owed(
    extensionId: string,
    instanceId: string,
    endpoints: readonly Endpoint[],
    minSuccessRate: number,
    nowMs: number,
  ): InstanceStatusRow | null {
    const known = this.#known.get(instanceId);
    if (known === undefined || known.writing !== null || endpoints.length === 0) return null;
    const status = worstOf(endpoints.map((endpoint) => statusOf(endpoint, minSuccessRate, nowMs)));
    const settledMs = endpoints.reduce<number | null>(
      (last, e) => (e.settledMs !== null && e.settledMs > (last ?? -1) ? e.settledMs : last),
      null,
    );
    if (endpoints.some((endpoint) => endpoint.isReported)) return null;
    if (settledMs === null && !(status === 'unknown' && known.status === 'unhealthy')) return null;
    const isStale = settledMs !== known.settledMs && nowMs - known.writtenMs >= REFRESH_MS;
    if (status === known.status && !isStale) return null;
    known.writing = status;
    known.settledMs = settledMs;
    known.writtenMs = nowMs;
    return {
      extension_id: extensionId,
      instance_id: instanceId,
      health_status: status,
      checked_ago_ms: nowMs - (settledMs ?? nowMs),
    };
  }

  /** `written` false: the database is away, and the row is owed again. */
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
