// Reading the audit trail in pages, newest first. Types alone.

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
