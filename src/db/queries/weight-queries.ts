// The weight of an instance: drained by an operator, and given back.
//
// WEIGHT-QUERIES-1. One statement reads row and trail at one moment, and writes only in the revision that it has read: if another
//     transaction was in between, it is sent again.
// WEIGHT-QUERIES-2. The audit row has the command's id, `instance_drain` or `instance_undrain`, actor and reason. A command whose id is in the
//     trail was done, and is not done again: if an answer was lost, it is sent again. A weight that is there already is no change.
// WEIGHT-QUERIES-3. An undrain without a weight gives back what the last drain of this row took, also if the weight was changed otherwise since; of a
//     row that was deleted and inserted again, or whose drain the trail has no more, it gives the default.
// WEIGHT-QUERIES-4. Nothing is written after the time that the caller waits.
import { sql } from '#drizzle-orm';
import type { SetWeight, WeightCommand, WeightResult } from '../../actors/ports/instances.js';
import { HeldError } from '../../domain/registry/held-error.js';
import { defaultOf } from '../../domain/registry-file/registry-file-schema.js';
import type { Database } from '../client.js';
import { isAnswerLost, sqlState } from '../database-errors.js';
import { TOO_LATE, timeLeft } from './time-left.js';
import { resultsOf } from './transaction.js';

/** How often another transaction may be in between. */
const ATTEMPTS = 10;
/** One id twice: the first is there by now. */
const UNIQUE = '23505';
/** WEIGHT-QUERIES-4. What the time left is for: to begin, to wait for the row, and to commit. */
const PARTS = 3;

interface Answer {
  readonly verdict: 'not_found' | 'done' | 'unchanged' | 'late' | 'write';
  readonly was: number;
  readonly weight: number;
  readonly row_revision: number;
  /** null: nothing was written. */
  readonly written_revision: number | null;
}

/** Implements SetWeight of the ports. */
export async function setWeight(
  db: Database,
  command: WeightCommand,
  remainingMs: () => number,
): ReturnType<SetWeight> {
  let failure: unknown = new Error(
    `instance ${command.instance_id} of ${command.extension_id} is being changed all the time`,
  );
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      const result = await trySet(db, command, remainingMs);
      if (result !== null) return result;
    } catch (error) {
      failure = error;
      const mayPass = isAnswerLost(error) || sqlState(error) === UNIQUE || error instanceof HeldError;
      if (!mayPass || remainingMs() <= 0) break;
    }
  }
  throw failure;
}

/** null: another transaction was in between. */
async function trySet(db: Database, command: WeightCommand, remainingMs: () => number): Promise<WeightResult | null> {
  const { nowSeconds, leftMs } = await timeLeft(db, remainingMs);
  const partMs = leftMs / PARTS;
  const { id, extension_id, instance_id, weight, actor, reason } = command;
  const settings = {
    'extreg.actor': actor,
    'extreg.reason': reason ?? '',
    'extreg.verb': weight === 0 ? 'drain' : 'undrain',
    'extreg.id': id,
    lock_timeout: String(Math.ceil(partMs)),
    about: `extension_instances '${extension_id}' '${instance_id}'`,
  };
  const by = nowSeconds + ((PARTS - 1) * partMs) / 1000;
  const results = await resultsOf(
    db,
    settings,
    sql`
    with seen as materialized (
      select i.instance_id, coalesce(i.weight, ${DEFAULT_WEIGHT}) as now, i.revision as row_revision, done.id is not null as is_done,
        (done.old_values ->> 'weight')::integer as done_from,
        coalesce(${weight}::integer, case when i.weight > 0 then i.weight end, ${sql.raw(LAST_DRAINED)}, ${DEFAULT_WEIGHT}) as weight
      from extensions as e
        left join extension_instances as i on i.extension_id = e.id and i.instance_id = ${instance_id}
        left join extension_audit_log as done on done.id = ${id}::uuid
      where e.id = ${extension_id}
    ), judged as materialized (
      select *, case
        when instance_id is null then 'not_found'
        when is_done then 'done'
        when now = weight then 'unchanged'
        when clock_timestamp() > to_timestamp(${by}::float8) then 'late'
        else 'write' end as verdict
      from seen
    ), written as (
      update extension_instances as i set weight = judged.weight from judged
      where i.extension_id = ${extension_id} and i.instance_id = judged.instance_id and i.revision = judged.row_revision
        and verdict = 'write'
      returning i.revision
    )
    select verdict, weight, row_revision::float8, (select revision from written)::float8 as written_revision,
      case when is_done then coalesce(done_from, ${DEFAULT_WEIGHT}) else now end as was
    from judged`,
    sql`set constraints all immediate`,
    sql`select coalesce((select revision from extension_audit_log where id = ${id}::uuid),
      (select revision from registry_revision))::float8 as revision`,
  );
  const [answer] = results.at(-2) as Answer[];
  const [{ revision = 0 } = {}] = results.at(-1) as { revision?: number }[];
  return answer === undefined ? { kind: 'extension_not_found' } : resultOf(answer, revision);
}

const DEFAULT_WEIGHT = Number(defaultOf('instance', 'weight'));

/** WEIGHT-QUERIES-3. Of `i`. */
const LAST_DRAINED = `(
  select nullif((old_values ->> 'weight')::integer, 0) from extension_audit_log
  where extension_id = i.extension_id and action = 'instance_drain' and new_values ->> 'uid' = i.uid::text
  order by revision desc limit 1)`;

function resultOf(answer: Answer, revision: number): WeightResult | null {
  const { verdict, weight, was, row_revision, written_revision } = answer;
  switch (verdict) {
    case 'not_found':
      return { kind: 'instance_not_found' };
    case 'write':
      if (written_revision === null) return null;
      return { kind: 'written', weight, was, rowRevision: written_revision, revision };
    case 'done':
      return { kind: 'written', weight, was, rowRevision: row_revision, revision };
    case 'unchanged':
      return { kind: 'unchanged', weight, was, rowRevision: row_revision, revision };
    case 'late':
      throw new Error(TOO_LATE);
    default:
      return verdict satisfies never;
  }
}
