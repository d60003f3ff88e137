// Reading the audit trail in pages, newest first. Types alone.

import type { AuditRow } from '../../domain/registry/audit-answer.js';
import type { AuditPosition, AuditQuery } from '../../domain/registry/audit-query.js';

export interface AuditPage {
  readonly kind: 'page';
  /** May be fewer than the limit, and yet others follow. */
  readonly rows: readonly AuditRow[];
  /** For the next page; null: this is the last one. */
  readonly next: AuditPosition | null;
}

/** Rejects while the database is away. */
export type ReadAuditPage = (query: AuditQuery) => Promise<AuditPage>;

export type ListAudit = (
  query: AuditQuery,
) => Promise<AuditPage | { readonly kind: 'database_unavailable'; readonly message: string }>;
