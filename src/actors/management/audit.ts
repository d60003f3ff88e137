// The audit trail for those who read it: from the database, for a limited time.
import { answerWithin } from '../../telemetry/deadline.js';
import type { Logger } from '../../telemetry/log.js';
import type { ListAudit, ReadAuditPage } from '../ports/audit.js';
import type { Clock } from '../ports/clock.js';

/** A page of a long trail that is filtered by what is rare in it. */
const ANSWER_MS = 10_000;

interface AuditDeps {
  readonly read: ReadAuditPage;
  readonly clock: Clock;
  readonly log: Logger;
}

export const listAudit =
  ({ read, clock, log }: AuditDeps): ListAudit =>
  async (query) => {
    try {
      return await answerWithin(ANSWER_MS, read(query), clock);
    } catch (error) {
      log.warn({ event: 'audit_unavailable', error: String(error) });
      return {
        kind: 'database_unavailable',
        message: `the audit trail is in the database: ${(error as Error).message}`,
      };
    }
  };
