// Publishes what happened: one log line, one NATS event and, for audited events, one audit fact per notice.
//
// NOTICES-1. A notice is logged in full before anything else, so that nothing that happened depends on NATS or the database.
// NOTICES-2. A publisher that throws is logged, and ends neither the notice nor the breaker's step that it reports.

import type { TripEvidence } from '../../domain/breaker/trip-evidence.js';
import type { EventKind, Evidence, RegistryEvent } from '../../domain/registry/events.js';
import type { JsonObject } from '../../domain/registry/extension.js';
import type { Logger } from '../../telemetry/log.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type { AuditFact } from '../ports/storage.js';
import type { PublishEvent } from '../ports/transport.js';

/** Breaker transitions are the breaker's doing in the audit trail. */
export const SYSTEM_BREAKER = 'system:breaker';
export const SYSTEM_REGISTRY = 'system:registry';

export interface Notice {
  readonly event: EventKind;
  readonly extensionId: string;
  readonly actor: string;
  readonly version?: string;
  readonly instance_id?: string;
  readonly revision?: number;
  readonly reason?: string;
  readonly evidence?: Evidence;
  readonly health?: JsonObject;
  /** False: the change made its own audit row, or it is no fact for the trail. */
  readonly audited: boolean;
}

const QUIET: ReadonlySet<EventKind> = new Set([
  'circuit_half_opened',
  'circuit_closed',
  'auto_enabled',
  'instance_returned',
  'mass_failure_ended',
  'overload_ended',
]);

export class Notices {
  constructor(
    private readonly deps: {
      readonly log: Logger;
      readonly wall: WallClock;
      readonly publish: PublishEvent;
      readonly audit: (fact: Omit<AuditFact, 'id'>) => void;
    },
  ) {}

  publish(notice: Notice): void {
    const atMs = this.deps.wall();
    const { extensionId, audited, ...about } = notice;
    const event: RegistryEvent = { ...about, extension_id: extensionId, at: new Date(atMs).toISOString() };
    const { at: _, ...fields } = event;
    if (QUIET.has(notice.event)) this.deps.log.info(fields);
    else this.deps.log.warn(fields);
    this.#publish(event);
    if (!audited) return;
    this.deps.audit({
      extension_id: extensionId,
      action: notice.event,
      new_values: {
        ...(notice.version === undefined ? {} : { version: notice.version }),
        ...(notice.instance_id === undefined ? {} : { instance_id: notice.instance_id }),
        ...(notice.evidence === undefined ? {} : { evidence: notice.evidence }),
      },
      changed_by: notice.actor,
      reason: notice.reason ?? null,
      at_ms: atMs,
    });
  }

  /** NOTICES-2. */
  #publish(event: RegistryEvent): void {
    try {
      this.deps.publish(event);
    } catch (error) {
      this.deps.log.error({ event: 'notice_not_published', kind: event.event, error: String(error) });
    }
  }
}

/** Its times are the same wherever and whenever it is shown. */
const PUBLISHED = new WeakMap<TripEvidence, Evidence>();

/** Evidence for the world: wall clock and the names of the wire. */
export function publicEvidence(evidence: TripEvidence, clock: Clock, wall: WallClock): Evidence {
  const known = PUBLISHED.get(evidence);
  if (known !== undefined) return known;
  const published = {
    failures: evidence.failures,
    outcomes: evidence.outcomes,
    slow: evidence.slow,
    overdue: evidence.overdue,
    error_rate: evidence.errorRate,
    window_seconds: evidence.windowMs / 1000,
    first_failure: isoAt(evidence.firstFailureMs, clock, wall),
    last_failure: isoAt(evidence.lastFailureMs, clock, wall),
  };
  PUBLISHED.set(evidence, published);
  return published;
}

/** A monotonic time as ISO 8601 by the wall clock; null stays null. */
export function isoAt(monotonicMs: number | null, clock: Clock, wall: WallClock): string | null {
  return monotonicMs === null ? null : new Date(wall() - (clock.now() - monotonicMs)).toISOString();
}
