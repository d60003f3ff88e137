// Reading the audit trail in pages, newest first. Types alone.

import type { AuditPosition, AuditQuery } from '../../domain/registry/audit-query.js';

export interface AuditPageRow extends AuditPosition {
  readonly extension_id: string;
  readonly action: string;
  /** JSON; null if there are none. */
  readonly old_values: string | null;
  readonly new_values: string | null;
  /** The values are too large to be read with a page: both are null here. */
  readonly is_too_large: boolean;
  readonly changed_by: string | null;
  readonly reason: string | null;
  /** Of the registry; null for a fact that is no change of it. */
  readonly revision: number | null;
}

export interface AuditPage {
  readonly kind: 'page';
  /** May be fewer than the limit, and yet others follow. */
  readonly rows: readonly AuditPageRow[];
  /** For the next page; null: this is the last one. */
  readonly next: AuditPosition | null;
}

/** Rejects while the database is away. */
export type ReadAuditPage = (query: AuditQuery) => Promise<AuditPage>;

export type ListAudit = (
  query: AuditQuery,
) => Promise<AuditPage | { readonly kind: 'database_unavailable'; readonly message: string }>;
