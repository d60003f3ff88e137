// Access tokens: read, made, revoked, and their facts in the audit trail.
//
// TOKEN-QUERIES-1. A change and its audit row are one statement. Sign-ins are not in the trail: what they change is.
import { type SQL, sql } from '#drizzle-orm';
import type { NewToken, TokenReport, TokenStore } from '../../actors/ports/access.js';
import type { Role } from '../../domain/access/principal.js';
import type { Token } from '../../domain/access/token.js';
import { storageProblem } from '../../domain/exact-json.js';
import type { Database } from '../client.js';
import { sqlState } from '../database-errors.js';
import { inTransaction } from './transaction.js';

const UNIQUE_VIOLATION = '23505';
/** The parent was revoked meanwhile. */
const FOREIGN_KEY_VIOLATION = '23503';
const UNDEFINED_TABLE = '42P01';

const isoTime = (column: string): SQL =>
  sql.raw(`to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`);
const REPORT = sql`id, name, role, created_by, ${isoTime('created_at')} as created_at, ${isoTime('expires_at')} as expires_at,
  ${isoTime('last_used_at')} as last_used_at`;

interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly kind: Token['kind'];
  readonly hash: string;
  readonly created_by: string;
  readonly expires_ms: number | null;
}

/** null: the schema has no tokens yet. */
async function readTokens(db: Database): Promise<readonly Token[] | null> {
  try {
    const rows = await inTransaction<TokenRow>(
      db,
      {},
      sql`select id, name, role, kind, hash, created_by, (extract(epoch from expires_at) * 1000)::float8 as expires_ms
        from extension_tokens`,
    );
    return rows.map(({ id, name, role, kind, hash, created_by, expires_ms }) => ({
      id,
      name,
      role,
      kind,
      hash,
      actor: kind === 'token' ? `token:${name}` : created_by,
      // `infinity` is never, and `-infinity` was always: a file can hold neither.
      expiresAtMs: expires_ms === null || expires_ms === Number.POSITIVE_INFINITY ? null : Math.max(expires_ms, 0),
    }));
  } catch (error) {
    if (sqlState(error) === UNDEFINED_TABLE) return null;
    throw error;
  }
}

const listTokens = (db: Database): Promise<TokenReport[]> =>
  inTransaction<TokenReport>(db, {}, sql`select ${REPORT} from extension_tokens where kind = 'token' order by name`);

/** TOKEN-QUERIES-1. null: there is a token of this name, or none of the parent's id. */
async function createToken(db: Database, token: NewToken): Promise<TokenReport | null> {
  const { name, role, kind, hash, parent, createdBy, expiresAtMs } = token;
  const expires = expiresAtMs === null ? sql`null` : sql`to_timestamp(${expiresAtMs / 1000}::float8)`;
  const audited =
    kind === 'token'
      ? sql`, fact as (
          insert into extension_audit_log (id, extension_id, action, new_values, changed_by, changed_at)
          select gen_random_uuid(), '_', 'token_created', jsonb_build_object('id', id, 'name', name, 'role', role, 'expires_at', expires_at), created_by, current_timestamp
          from made)`
      : sql``;
  try {
    const [row] = await inTransaction<TokenReport>(
      db,
      {},
      sql`with made as (
          insert into extension_tokens (name, role, kind, hash, parent, created_by, expires_at)
          values (${name}, ${role}, ${kind}, ${hash}, ${parent}::uuid, ${createdBy}, ${expires}) returning *)${audited}
        select ${REPORT} from made`,
    );
    return row ?? null;
  } catch (error) {
    if ([UNIQUE_VIOLATION, FOREIGN_KEY_VIOLATION].includes(sqlState(error) ?? '')) return null;
    throw error;
  }
}

/** TOKEN-QUERIES-1. False: there is none of this id. */
async function revokeToken(
  db: Database,
  id: string,
  { actor, reason }: { readonly actor: string; readonly reason: string | null },
): Promise<boolean> {
  // No token has such an id, and no statement can hold it.
  if (storageProblem(id) !== null) return false;
  const [row] = await inTransaction<{ count: number }>(
    db,
    {},
    sql`with gone as (delete from extension_tokens where id::text = ${id} returning *), fact as (
        insert into extension_audit_log (id, extension_id, action, old_values, changed_by, changed_at, reason)
        select gen_random_uuid(), '_', 'token_revoked', jsonb_build_object('id', id, 'name', name, 'role', role, 'expires_at', expires_at), ${actor}, current_timestamp, ${reason}
        from gone where kind = 'token')
      select count(*)::int as count from gone`,
  );
  return (row?.count ?? 0) > 0;
}

export function tokenStore(db: Database): TokenStore {
  return {
    read: () => readTokens(db),
    list: () => listTokens(db),
    create: (token) => createToken(db, token),
    revoke: (id, who) => revokeToken(db, id, who),
    noteUses: async (uses) => {
      const rows = JSON.stringify([...uses].map(([id, at_ms]) => ({ id, at_ms })));
      await inTransaction(
        db,
        {},
        sql`update extension_tokens as token set last_used_at = to_timestamp(use.at_ms / 1000)
          from jsonb_to_recordset(${rows}::jsonb) as use (id uuid, at_ms float8) where token.id = use.id returning token.id`,
      );
    },
    prune: async () => {
      await inTransaction(
        db,
        {},
        sql`delete from extension_tokens where kind = 'sign_in' and expires_at < now() returning id`,
      );
    },
  };
}
