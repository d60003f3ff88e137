// What is asked of the audit trail, over HTTP and over NATS.
//
// AUDIT-QUERY-1. A time that is none, or that the database would take for another one, is refused, and named.
import { timeIn } from '../iso-time.js';
import { quoted } from '../quoted.js';

/** A row's position in the trail: rows of one moment are in order of their ids. */
export interface AuditPosition {
  /** ISO 8601, UTC, with microseconds. */
  readonly at: string;
  /** A UUID. */
  readonly id: string;
}

export interface AuditQuery {
  readonly limit: number;
  /** The page begins with the row that follows this one, which is older; null: with the newest. */
  readonly after: AuditPosition | null;
  /** `_`: of no single extension. */
  readonly extensionId: string | null;
  readonly action: string | null;
  /** The actor, or a name in it: `ada` of `admin:ada`, `ci` of `token:ci/ada`. */
  readonly by: string | null;
  /** ISO 8601: not before. */
  readonly since: string | null;
  /** ISO 8601: before. */
  readonly until: string | null;
  /** Only changes of the registry after this revision of it. */
  readonly afterRevision: number | null;
}

/** As a request names it. */
interface AskedAudit {
  readonly limit?: number;
  readonly after?: string;
  readonly extension_id?: string;
  readonly action?: string;
  readonly by?: string;
  readonly since?: string;
  readonly until?: string;
  readonly after_revision?: number;
}

export const AUDIT_LIMIT = 100;

export function auditQuery(asked: AskedAudit): AuditQuery | { readonly problem: string } {
  const { limit = AUDIT_LIMIT, after, extension_id, action, by, since, until, after_revision } = asked;
  const position = after === undefined ? null : positionIn(after);
  if (position === undefined)
    return { problem: `parameter 'after' must be the 'next' of a page, got ${quoted(after ?? '')}` };
  const [from, before] = [utcOf(since), utcOf(until)];
  const wrong = from === undefined ? 'since' : before === undefined ? 'until' : null;
  if (wrong !== null || from === undefined || before === undefined)
    return {
      problem: `parameter '${wrong}' must be a time such as 2026-01-31T23:14:00Z, got ${quoted(asked[wrong ?? 'since'] ?? '')}`,
    };
  return {
    limit,
    after: position,
    extensionId: extension_id ?? null,
    action: action ?? null,
    by: by ?? null,
    since: from,
    until: before,
    afterRevision: after_revision ?? null,
  };
}

/** Opaque to those who ask. */
export const cursorOf = ({ at, id }: AuditPosition): string => Buffer.from(`${at} ${id}`).toString('base64url');

/** undefined: it is none. */
function positionIn(cursor: string): AuditPosition | undefined {
  const [, at, id] = CURSOR.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (at === undefined || id === undefined) return undefined;
  // The database refuses the 30th of February, which a Date takes for the 2nd of March.
  const time = Date.parse(at);
  const isTime = !Number.isNaN(time) && new Date(time).toISOString().slice(0, 19) === at.slice(0, 19);
  return isTime ? { at, id } : undefined;
}
const CURSOR = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** In UTC; undefined: it is no time. */
function utcOf(given: string | undefined): string | null | undefined {
  if (given === undefined) return null;
  const time = timeIn(given);
  return time === null ? undefined : new Date(time).toISOString();
}
