// The rollout percentage of a version: set by an operator, and read with its result.
//
// ROLLOUT-QUERIES-1. Two operators cannot exceed 100 together. The message is one transaction whose statements each see what was committed
//     before they began: the first takes the extension's row, which also keeps versions from coming, the second the rows of
//     its versions, so the third reads and writes what no other transaction changes. (One statement would compute from what it saw
//     before it waited.)
// ROLLOUT-QUERIES-2. The audit row has the command's id, `version_rollout`, actor and reason. A command whose id is in the trail was done, and
//     is not done again: if an answer was lost, it is sent again.
// ROLLOUT-QUERIES-3. Nothing is written after the time that the caller waits.
// ROLLOUT-QUERIES-4. A percentage that is set already is no change, and taking a version out of the rollout is never refused.
import { sql } from '#drizzle-orm';
import type {
  ReadRollout,
  RolloutCommand,
  RolloutResult,
  RolloutRows,
  SetRollout,
} from '../../actors/ports/storage.js';
import type { Database } from '../client.js';
import { isAnswerLost, sqlState } from '../database-errors.js';
import { TOO_LATE, timeLeft } from './time-left.js';
import { inTransaction, literal, resultsOf } from './transaction.js';

const ATTEMPTS = 3;
/** One id twice: the first is there by now. */
const UNIQUE = '23505';
/** ROLLOUT-QUERIES-3. What the time left is for: to begin, to wait for the extension's row, for a version's, and to commit. */
const PARTS = 4;

type OtherVersions = (RolloutResult & { kind: 'rollout_over_100' })['others'];

interface Answer {
  readonly verdict:
    | 'version_not_found'
    | 'done'
    | 'version_has_rules'
    | 'rollout_over_100'
    | 'rollout_keys_differ'
    | 'unchanged'
    | 'late'
    | 'write';
  readonly is_own_row: boolean;
  readonly was: number | null;
  readonly key: string | null;
  readonly others: OtherVersions;
}

/** Implements SetRollout of the ports. */
export async function setRollout(
  db: Database,
  command: RolloutCommand,
  remainingMs: () => number,
): ReturnType<SetRollout> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await trySet(db, command, remainingMs);
    } catch (error) {
      const mayPass = isAnswerLost(error) || sqlState(error) === UNIQUE;
      if (!mayPass || attempt === ATTEMPTS || remainingMs() <= 0) throw error;
    }
  }
}

async function trySet(db: Database, command: RolloutCommand, remainingMs: () => number): Promise<RolloutResult> {
  const { nowSeconds, leftMs } = await timeLeft(db, remainingMs);
  const byMs = (leftMs * (PARTS - 1)) / PARTS;
  const { id, extension_id, actor, reason } = command;
  const settings = {
    'extreg.actor': actor,
    'extreg.reason': reason,
    'extreg.verb': 'rollout',
    'extreg.id': id,
    lock_timeout: String(Math.ceil(leftMs / PARTS)),
    about: `extensions '${extension_id}'`,
  };
  const results = await resultsOf(
    db,
    settings,
    sql`select from extensions where id = ${extension_id} for update`,
    sql`select from extension_versions where id = ${extension_id} order by version for update`,
    sql.raw(judgeAndWrite({ ...command, bySeconds: nowSeconds + byMs / 1000 })),
    sql`set constraints all immediate`,
    sql`select coalesce((select revision from extension_audit_log where id = ${id}::uuid),
      (select revision from registry_revision))::float8 as revision`,
  );
  const [answer] = results.at(-2) as Answer[];
  const [{ revision = 0 } = {}] = results.at(-1) as { revision?: number }[];
  return answer === undefined ? { kind: 'extension_not_found' } : resultOf(answer, revision);
}

const HAS_RULES = `coalesce(v.routing_rules, '{}') not in ('{}', 'null')`;

/** ROLLOUT-QUERIES-4. No row: there is no such extension. */
function judgeAndWrite({
  id,
  extension_id,
  version,
  percent,
  bySeconds,
}: RolloutCommand & { bySeconds: number }): string {
  const given = `${percent ?? 'null'}::numeric`;
  return `
    with seen as materialized (
      select v.version, v.rollout_percent, v.rollout_key as key, ${HAS_RULES} as has_rules, e.version = ${literal(version)} as is_own_row,
        done.id is not null as is_done, (done.old_values ->> 'rollout_percent')::numeric as done_from,
        coalesce(others.sum, 0) as others_sum, coalesce(others.list, '[]') as others,
        (select count(distinct key) from unnest(array_append(others.keys, v.rollout_key)) as key) as keys
      from extensions as e left join extension_versions as v on v.id = e.id and v.version = ${literal(version)}
        left join extension_audit_log as done on done.id = ${literal(id)}::uuid
        cross join lateral (
          select sum(v.rollout_percent), array_agg(v.rollout_key) as keys,
            jsonb_agg(jsonb_build_object('version', v.version, 'percent', v.rollout_percent, 'key', v.rollout_key)
              order by v.version) as list
          from extension_versions as v
          where v.id = e.id and v.version <> ${literal(version)} and coalesce(v.enabled, true)
            and v.rollout_percent is not null and not ${HAS_RULES}
        ) as others
      where e.id = ${literal(extension_id)}
    ), judged as materialized (
      select *, case
        when version is null then 'version_not_found'
        when is_done then 'done'
        when has_rules and ${given} is not null then 'version_has_rules'
        when others_sum + ${given} > 100 then 'rollout_over_100'
        when ${given} is not null and keys > 1 then 'rollout_keys_differ'
        when rollout_percent is not distinct from ${given} then 'unchanged'
        when clock_timestamp() > to_timestamp(${bySeconds}::float8) then 'late'
        else 'write' end as verdict
      from seen
    ), written as (
      update extension_versions as v set rollout_percent = ${given} from judged
      where v.id = ${literal(extension_id)} and v.version = judged.version and verdict = 'write'
    )
    select verdict, coalesce(is_own_row, false) as is_own_row, key, others,
      (case when is_done then done_from else rollout_percent end)::float8 as was
    from judged`;
}

function resultOf(answer: Answer, revision: number): RolloutResult {
  const { verdict, was, key, others } = answer;
  switch (verdict) {
    case 'write':
    case 'done':
      return { kind: 'written', was, revision };
    case 'unchanged':
      return { kind: 'unchanged', revision };
    case 'version_not_found':
      return { kind: 'version_not_found', isOwnRow: answer.is_own_row };
    case 'version_has_rules':
      return { kind: verdict };
    case 'rollout_over_100':
    case 'rollout_keys_differ':
      return { kind: verdict, key, others };
    case 'late':
      throw new Error(TOO_LATE);
    default:
      return verdict satisfies never;
  }
}

/** Implements ReadRollout of the ports. One statement, which sees one moment. */
export async function readRollout(db: Database, extensionId: string, historyLimit: number): ReturnType<ReadRollout> {
  const [rows] = await inTransaction<RolloutRows>(
    db,
    {},
    sql`
    select (select revision from registry_revision)::float8 as revision,
      (select coalesce(jsonb_agg(jsonb_build_object('version', v.version, 'enabled', coalesce(v.enabled, true),
          'has_rules', ${sql.raw(HAS_RULES)}, 'rollout_percent', v.rollout_percent, 'rollout_key', v.rollout_key)
          order by v.version), '[]')
        from extension_versions as v where v.id = e.id) as versions,
      (select coalesce(jsonb_agg(to_jsonb(change) order by change.revision desc, change.at desc), '[]') from (
        select coalesce(new_values, old_values) ->> 'version' as version, action,
          old_values -> 'rollout_percent' as from, new_values -> 'rollout_percent' as to, changed_by as by,
          to_char(changed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, reason, revision
        from extension_audit_log
        where extension_id = e.id and revision is not null and left(action, 8) = 'version_'
          and old_values ->> 'rollout_percent' is distinct from new_values ->> 'rollout_percent'
        order by revision desc, changed_at desc limit ${historyLimit}
      ) as change) as history
    from extensions as e where e.id = ${extensionId}`,
  );
  return rows ?? null;
}
