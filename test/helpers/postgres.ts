// Databases for tests: a PostgreSQL cluster and the embedded database, behind one interface.
//
// - One server per test file and engine, started at first use; every test has a database of its own, copied from a template.
// - Nothing outlives the test process: a keeper holds the server and ends it when its own stdin closes.
import type { ExecutionContext, TestFn } from 'ava';
import { PgliteEngine } from './pglite-engine.js';
import { PostgresEngine } from './postgres-engine.js';
import type { DatabaseState, Engine, TestDatabase } from './test-database.js';

export { type TestDatabase, temporaryDirectory } from './test-database.js';

type Body = (t: ExecutionContext, database: TestDatabase) => Promise<void>;

/** AVA runs every test file in a process of its own. */
const engines: Record<TestDatabase['engine'], Engine> = { postgres: new PostgresEngine(), pglite: new PgliteEngine() };

/** Registers each test once per engine; `state` is what its database holds. Serial: an embedded database takes 300 MB. */
export function onBothEngines(test: TestFn, state: DatabaseState = 'migrated'): (title: string, body: Body) => void {
  test.after.always(closeEngines);
  return (title, body) => {
    for (const [name, engine] of Object.entries(engines))
      test.serial(`${title} (${name})`, async (t) => body(t, await engine.database(t, state)));
  };
}

/** Registers each test on PostgreSQL alone: what needs several sessions at a time. */
export function onPostgres(test: TestFn, state: DatabaseState = 'migrated'): (title: string, body: Body) => void {
  return onOne(test, 'postgres', state);
}

/** Registers each test on the embedded database alone. */
export function onPglite(test: TestFn): (title: string, body: Body) => void {
  return onOne(test, 'pglite', 'migrated');
}

function onOne(test: TestFn, name: TestDatabase['engine'], state: DatabaseState) {
  test.after.always(closeEngines);
  return (title: string, body: Body) =>
    test.serial(`${title} (${name})`, async (t) => body(t, await engines[name].database(t, state)));
}

async function closeEngines(): Promise<void> {
  await engines.postgres.close();
  await engines.pglite.close();
}
