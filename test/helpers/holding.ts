// A transaction of another session that holds rows while a test runs.
import type { ExecutionContext } from 'ava';
import type { TestDatabase } from './postgres.js';

/** Another session sends `statements` in a transaction, which stays open until the returned function is called. */
export async function holding(
  t: ExecutionContext,
  database: TestDatabase,
  statements: string,
): Promise<() => Promise<void>> {
  const other = database.open(1).$client;
  await other.unsafe(`set application_name = 'psql of ada'`);
  await other.unsafe('begin');
  await other.unsafe(statements);
  let isOver = false;
  const end = async () => {
    if (!isOver) await other.unsafe('rollback');
    isOver = true;
  };
  t.teardown(end);
  return end;
}
