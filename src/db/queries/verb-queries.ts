// Writes an operator's verb.
//
// VERB-QUERIES-1. Its audit row has the verb's id, name, actor and reason, also if the row was like that before. A verb whose id is
//     in the trail was done, and is not done again.
// VERB-QUERIES-2. A verb that was decided earlier is superseded if another operator has decided anything about the extension since. One
//     statement reads row and trail at one moment, and writes only to the row that it has read: if another was in
//     between, it is sent again.
// VERB-QUERIES-3. Nothing is written after the time that the caller waits: the statement says by when, by the database's clock.
// VERB-QUERIES-4. It is sent again while there is time: if the row was held, and if the connection was lost, which VERB-QUERIES-1 makes
//     harmless.
import { type SQL, sql } from '#drizzle-orm';
import type { ApplyVerb, VerbCommand, VerbResult, WrittenRow } from '../../actors/ports/storage.js';
import { AUTO_MANAGER } from '../../domain/registry/auto-management.js';
import type { BreakerOverride } from '../../domain/registry/extension.js';
import { HeldError } from '../../domain/registry/held-error.js';
import { actionOf, OVERRIDE_AFTER, VERBS, type Verb } from '../../domain/registry/verbs.js';
import type { Database } from '../client.js';
import { isAnswerLost, sqlState } from '../database-errors.js';
import { TOO_LATE, timeLeft } from './time-left.js';
import { inTransaction } from './transaction.js';

/** How often another transaction may be in between. */
const ATTEMPTS = 10;
/** VERB-QUERIES-3. What the time left is for: to begin, to wait for the transaction that has the row, for those that wait before us, and to commit. */
const PARTS = 4;

/** Actions by which an operator decides about an extension or its versions; inserting and deleting are decisions too. */
const DECISIONS = sql.raw(
  [...VERBS.flatMap((verb) => [actionOf(verb), `version_${actionOf(verb)}`]), 'create', 'delete']
    .map((action) => `'${action}'`)
    .join(', '),
);

interface Row {
  readonly enabled: boolean;
  readonly auto_disabled: boolean;
  readonly breaker_override: BreakerOverride | null;
  readonly breaker_resets: number;
  readonly revision: number;
}

interface Answer extends Record<string, unknown> {
  /** Of the version row; null: the extension's own row is meant. */
  readonly version: string | null;
  readonly is_known: boolean;
  readonly is_own_row: boolean;
  readonly is_done: boolean;
  readonly is_late: boolean;
  readonly decision: { readonly action: string; readonly by: string | null } | null;
  readonly read: Row;
  readonly written: Row | null;
}

/** Implements ApplyVerb of the ports. */
export async function applyVerb(db: Database, command: VerbCommand, remainingMs: () => number): ReturnType<ApplyVerb> {
  let failure: unknown = new Error(`${command.extension_id} is being changed all the time`);
  let isLost = false;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      const { nowSeconds, leftMs } = await timeLeft(db, remainingMs);
      const partMs = leftMs / PARTS;
      const result = await tryVerb(db, command, nowSeconds + partMs / 1000, Math.ceil(partMs));
      if (result !== null) return result;
    } catch (error) {
      if (remainingMs() <= 0 && attempt > 1) break;
      failure = error;
      // VERB-QUERIES-4. The lock's time was a part of what was left: enough is left to try again. One id twice: the first is there by now.
      const mayPass = error instanceof HeldError || (isAnswerLost(error) && !isLost) || sqlState(error) === UNIQUE;
      isLost ||= isAnswerLost(error);
      if (!mayPass || remainingMs() < AGAIN_MS) throw error;
    }
  }
  throw failure;
}

/** Less than this is not worth another attempt. */
const AGAIN_MS = 500;
const UNIQUE = '23505';

/** `by`: the last moment to begin, by the database's clock in seconds. null: another transaction was in between. */
async function tryVerb(db: Database, command: VerbCommand, by: number, lockMs: number): Promise<VerbResult | null> {
  const { id, extension_id, version, verb, decidedEarlier } = command;
  const since = decidedEarlier?.revision ?? null;
  const isNow = sql`${decidedEarlier === null}::boolean`;
  const own = JSON.stringify([id, ...(decidedEarlier?.after ?? [])]);
  const settings = {
    'extreg.actor': command.actor,
    'extreg.reason': command.reason ?? '',
    'extreg.verb': actionOf(verb),
    'extreg.id': id,
    lock_timeout: String(lockMs),
    about: `extensions '${extension_id}'`,
  };
  const [answer] = await inTransaction<Answer>(
    db,
    settings,
    sql`
    with seen as materialized (
      select v.version, e.revision as extension_revision, v.revision as version_revision,
        ${version}::text is null or v.version is not null or (e.version = ${version} and not has_versions) as is_known,
        coalesce(e.version = ${version}, false) as is_own_row,
        exists (select from extension_audit_log where id = ${id}::uuid) as is_done,
        clock_timestamp() > to_timestamp(${by}::float8) as is_late,
        (select jsonb_build_object('action', action, 'by', changed_by) from extension_audit_log
          where extension_id = e.id and revision > ${since}::bigint and changed_by is distinct from ${AUTO_MANAGER}
            and (action in (${DECISIONS}) or action in ('version_create', 'version_delete')
              and coalesce(new_values, old_values) ->> 'version' = ${version})
            and id not in (select value::uuid from jsonb_array_elements_text(${own}::jsonb))
          order by revision desc limit 1) as decision,
        case when v.version is null then ${row('e')} else ${row('v')} end as read
      from extensions as e left join extension_versions as v on v.id = e.id and v.version = ${version}
        cross join lateral (select exists (select from extension_versions where id = e.id) as has_versions) as known
      where e.id = ${extension_id}
    ), writing as (
      select * from seen where is_known and not is_done and decision is null and not is_late
    ), written_extension as (
      update extensions as e set ${change('e', verb)}, updated_by = ${command.actor} from writing
      where e.id = ${extension_id} and writing.version is null and (${isNow} or e.revision = writing.extension_revision)
      returning ${row('e')} as row
    ), written_version as (
      update extension_versions as v set ${change('v', verb)} from writing, extensions as e
      where v.id = ${extension_id} and e.id = v.id and v.version = writing.version
        and (${isNow} or v.revision = writing.version_revision)
      returning ${row('v')} as row
    )
    select seen.*, (select row from written_extension union all select row from written_version) as written from seen`,
  );
  if (answer === undefined) return { kind: 'extension_not_found' };
  if (!answer.is_known) return { kind: 'version_not_found', isOwnRow: answer.is_own_row };
  if (answer.is_done) return { kind: 'applied', version: answer.version, row: writtenRow(answer.read) };
  if (answer.decision !== null) return { kind: 'void', ...answer.decision };
  if (answer.is_late) throw new Error(TOO_LATE);
  return answer.written && { kind: 'applied', version: answer.version, row: writtenRow(answer.written) };
}

/** The switches of an extension (`e`) or of a version of it (`v`). */
function row(table: 'e' | 'v'): SQL {
  return sql.raw(`jsonb_build_object('enabled', coalesce(${table}.enabled, true), 'auto_disabled', e.auto_disabled,
    'breaker_override', ${table}.breaker_override, 'breaker_resets', ${table}.breaker_resets, 'revision', ${table}.revision)`);
}

/** What the triggers add: an operator's `enabled` clears auto_disabled, a reset enables what was disabled automatically. */
function change(table: 'e' | 'v', verb: Verb): SQL {
  switch (verb) {
    case 'enable':
      return sql`enabled = true`;
    case 'disable':
      return sql`enabled = false`;
    case 'reset':
      return sql`breaker_override = null, breaker_resets = ${sql.raw(table)}.breaker_resets + 1`;
    default:
      return sql`breaker_override = ${OVERRIDE_AFTER[verb]}`;
  }
}

const writtenRow = (found: Row): WrittenRow => ({
  enabled: found.enabled,
  autoDisabled: found.auto_disabled,
  breakerOverride: found.breaker_override,
  breakerResets: found.breaker_resets,
  revision: found.revision,
});
