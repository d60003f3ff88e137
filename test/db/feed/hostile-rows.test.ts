// Whatever stands in the registry's tables, what it is about concerns itself alone: every column of every table gets every
// kind of value that its type can hold, while the daemon's core follows the registry. Its neighbour is served and follows its
// own changes, the database counts as reached, every row can be disabled, and what is measured is written.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import fc from 'fast-check';
import { getTableConfig, type PgTable } from '#drizzle-orm/pg-core';
import { Subject } from '#rxjs';
import type { FlushResult } from '../../../src/actors/ports/storage.js';
import { type Database, openDatabase } from '../../../src/db/client.js';
import { registryFeed } from '../../../src/db/feed/registry-feed.js';
import { readSnapshotFile, writeSnapshotFile } from '../../../src/db/feed/snapshot-file.js';
import { healthFlusher } from '../../../src/db/queries/health-flusher.js';
import { tokenStore } from '../../../src/db/queries/token-queries.js';
import * as schema from '../../../src/db/schema.js';
import type { RegistryUpdate } from '../../../src/domain/registry/registry-rows.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { ActorWorld, reasonOf, reportOf } from '../../helpers/actor-world.js';
import { isDeep } from '../../helpers/depth.js';
import { onBothEngines, type TestDatabase, temporaryDirectory } from '../../helpers/postgres.js';
import { until } from '../../helpers/until.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);

const nested = (depth: number, open: string, close: string) => `${open.repeat(depth)}1${close.repeat(depth)}`;

const NAMES = [
  '',
  ' ',
  '__proto__',
  'constructor',
  'v1',
  'v2',
  'i1',
  '*',
  'a.>',
  '$SYS',
  '_INBOX.x',
  "'; --",
  '\u0001',
  'ü€𝄞',
];
const text = (length: number) =>
  fc.oneof(
    fc.constantFrom(
      ...NAMES,
      'ext.b',
      'pre',
      'isolated',
      'forced_closed',
      'open',
      'half_open',
      'unhealthy',
      'ajar',
      'x'.repeat(length),
    ),
    fc.string({ unit: 'binary', maxLength: 40 }),
  );

/** JSON as text, so that it may hold what no JavaScript value does. */
const json = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc.constantFrom(
    'null',
    '[]',
    '{}',
    '"text"',
    '0',
    'true',
    '1e400',
    '-0',
    '{"__proto__": {"enabled": true}}',
    '1e131071',
  ),
  fc.constantFrom(50, 70, 3000).map((depth) => nested(depth, '{"x":', '}')),
  fc.constantFrom(70, 3000).map((depth) => nested(depth, '[', ']')),
  fc.constantFrom(1000, 300_000, 1_000_000).map((length) => `{"x": "${'y'.repeat(length)}"}`),
  fc.constant(`[${Array.from({ length: 60_000 }, (_, i) => i).join()}]`),
  fc.constantFrom(
    '{"breaker": {"window_seconds": 1e300}}',
    '{"health_check": {"interval_seconds": 1e9}}',
    '{"fallback": ["b", "a", "a"], "panic": "fail"}',
    '{"fallback": ["b"], "rules_fallback": true}',
    '{"auto_disabled": "perhaps", "version": {}, "id": [], "extension_id": {}}',
    '{"auto_disabled": true, "id": "b", "extension_id": "b", "version": "v2"}',
    '{"tenant_id": ["t", 1, true], "policy_id": 7}',
    '{"tenant_id": 9007199254740993}',
  ),
);

const TYPES: readonly [type: RegExp, values: fc.Arbitrary<string | null>][] = [
  [/^jsonb$/, json],
  [
    /^timestamp/,
    fc.oneof(
      fc.constantFrom(
        'infinity',
        '-infinity',
        '4713-01-01 BC',
        '0001-01-01 BC',
        '294276-12-31',
        '9999-12-31',
        'now',
        'epoch',
      ),
      fc
        .date({ noInvalidDate: true, min: new Date(-1e13), max: new Date(8e15) })
        .map((date) => date.toISOString().replace('+', '')),
    ),
  ],
  [
    /^bigint$/,
    fc.constantFrom(
      '9223372036854775807',
      '-9223372036854775808',
      '9007199254740993',
      '9007199254740991',
      '-1',
      '0',
      '2',
      '41',
    ),
  ],
  [/^integer$/, fc.constantFrom('2147483647', '-2147483648', '0', '-1', '1', '5000', '86400001')],
  [/^numeric\(5/, fc.constantFrom('NaN', '999.99', '-1', '0.5', '100', '33.33', '0')],
  [/^numeric\(10/, fc.constantFrom('NaN', '99999999.99', '-1', '0')],
  [/^boolean$/, fc.constantFrom('true', 'false')],
  [/^uuid$/, fc.uuid()],
  [/^text$|^varchar/, text(255)],
];

function valuesOf(type: string): fc.Arbitrary<string | null> {
  const found = TYPES.find(([pattern]) => pattern.test(type));
  if (found === undefined) throw new Error(`no values of type ${type}`);
  return fc.oneof({ weight: 9, arbitrary: found[1] }, { weight: 1, arbitrary: fc.constant(null) });
}

interface Statement {
  readonly sql: string;
  readonly values: readonly (string | null)[];
}

const ROWS: Readonly<Record<string, string>> = {
  extensions: `id = 'a'`,
  extension_versions: `id = 'a'`,
  extension_instances: `extension_id = 'a'`,
  extension_health: `extension_id = 'a'`,
  extension_version_health: `extension_id = 'a'`,
  extension_audit_log: `extension_id = 'a'`,
  extension_rollouts: `extension_id = 'a'`,
  extension_health_writers: 'true',
  extension_tokens: 'true',
  registry_revision: 'true',
};

/** Every column of every table but the keys that say whose row it is. */
const COLUMNS = Object.values(schema).flatMap((table) => {
  const { name, columns } = getTableConfig(table as PgTable);
  return columns
    .filter((column) => !['id', 'extension_id', 'one'].includes(column.name))
    .map((column) => ({ table: name, column: column.name, type: column.getSQLType() }));
});

const updates: fc.Arbitrary<Statement> = fc.constantFrom(...COLUMNS).chain(({ table, column, type }) =>
  valuesOf(type).map((value) => ({
    sql: `update ${table} set ${column} = $1::text::${type} where ${ROWS[table]}`,
    values: [value],
  })),
);

const trail: fc.Arbitrary<Statement> = fc
  .tuple(
    fc.constantFrom('enable', 'disable', 'reset', 'version_enable', 'version_reset', 'create', 'delete', 'odd'),
    fc.constantFrom('a', 'a', '*', 'nobody'),
    json,
    json,
    valuesOf('timestamp with time zone'),
    valuesOf('bigint'),
    text(255),
  )
  .map(([action, id, before, after, at, revision, by]) => ({
    sql: `insert into extension_audit_log (action, extension_id, old_values, new_values, changed_at, revision, changed_by)
      values ($1, $2, $3::text::jsonb, $4::text::jsonb, coalesce($5::text::timestamptz, now()), $6::text::bigint, $7)`,
    values: [action, id, before, after, at, revision, by],
  }));

const others: fc.Arbitrary<Statement> = fc.oneof(
  fc.constantFrom(...NAMES).map((name) => ({
    sql: `insert into extension_versions (id, version, subject) values ('a', $1, 'ext.a') on conflict do nothing`,
    values: [name],
  })),
  fc.constantFrom(...NAMES).map((name) => ({
    sql: `insert into extension_instances (extension_id, instance_id, subject) values ('a', $1, 'ext.a') on conflict do nothing`,
    values: [name],
  })),
  fc
    .constantFrom(
      'delete from registry_revision',
      'update registry_revision set revision = 0',
      `delete from extension_versions where id = 'a'`,
      `delete from extensions where id = 'a'`,
    )
    .map((sql) => ({ sql, values: [] })),
);

const hostilities = fc.array(fc.oneof({ weight: 8, arbitrary: updates }, { weight: 2, arbitrary: trail }, others), {
  minLength: 1,
  maxLength: 8,
});

/**
 * Each run has a trail of its own: an update of it writes a large value to every row, and to those of 300 runs for minutes, as long as
 * a thread of the embedded database may stand still.
 */
const SEED = `
  delete from extension_audit_log;
  insert into extensions (id, type, subject) values ('a', 'pre', 'ext.a') on conflict do nothing;
  insert into extension_versions (id, version, subject) values ('a', 'v1', 'ext.a.v1') on conflict do nothing;
  insert into extension_instances (extension_id, instance_id, subject) values ('a', 'i1', 'ext.a.i1') on conflict do nothing;
  insert into extension_health (extension_id) values ('a') on conflict do nothing;
  insert into extension_version_health (extension_id, version) values ('a', 'v1') on conflict do nothing;
  insert into extension_tokens (name, role, hash, created_by)
    select 'ada', 'viewer', repeat('0', 64), 'ada' where not exists (select from extension_tokens);`;

/** As an adopted database may be: only types keep values out. */
const NO_CHECKS = `do $$ declare c record; begin
  for c in select conrelid::regclass as t, conname from pg_constraint where contype = 'c' and connamespace = current_schema()::regnamespace
  loop execute format('alter table %s drop constraint %I', c.t, c.conname); end loop; end $$`;

/** The core over a real registry; its clock is simulated, so that it takes updates over at once. */
class Following {
  readonly world = new ActorWorld();
  readonly states: string[] = [];
  readonly dropped: FlushResult['dropped'][number][] = [];
  readonly requests$ = new Subject<number>();
  #number = 0;
  last: RegistryUpdate | null = null;
  snapshots = 0;

  constructor(t: ExecutionContext, { connection }: TestDatabase, db: Database) {
    const flusher = healthFlusher(db, randomUUID(), silentLogger);
    this.world.flush = async (rows) => {
      const result = await flusher.flushHealth(++this.#number, rows);
      this.dropped.push(...result.dropped);
      return result;
    };
    const subscription = registryFeed({
      connect: () => openDatabase(connection, { max: 1, prepare: true, applicationName: 'feed', log: silentLogger }),
      onState: (state) => this.states.push(state),
      snapshotRequests$: this.requests$,
      pollMs: 10,
    }).subscribe((update) => {
      this.last = update;
      this.world.feed$.next(update);
      if (update.kind === 'snapshot') this.snapshots++;
    });
    t.teardown(() => subscription.unsubscribe());
  }
}

async function attempt({ $client }: Database, { sql, values }: Statement): Promise<boolean> {
  return $client.unsafe(sql, [...values]).then(
    () => true,
    () => false,
  );
}

onBoth('a hostile value concerns its own row alone', async (t, database) => {
  t.true(COLUMNS.length > 80);
  t.deepEqual(
    COLUMNS.filter(({ table }) => !Object.hasOwn(ROWS, table)),
    [],
    'each table says which of its rows are hostile',
  );
  const db = database.open(2);
  await db.$client.unsafe(`${NO_CHECKS}; insert into extensions (id, type, subject) values ('b', 'pre', 'ext.b');`);
  const following = new Following(t, database, db);
  const { world } = following;
  const path = join(temporaryDirectory(t), 'snapshot.json');
  let canary = 0;
  let written = 0;
  const property = fc.asyncProperty(hostilities, async (statements) => {
    await db.$client.unsafe(SEED);
    for (const statement of statements) written += Number(await attempt(db, statement));

    const subject = `ext.b.${++canary}`;
    await db.$client`update extensions set subject = ${subject} where id = 'b'`;
    await until(`the neighbour's change`, () => world.core.supervisor.runtimes.get('b')?.extension.subject === subject);
    t.deepEqual(world.callEnding('b', 0).answers, ['ok']);
    t.is(world.sent.at(-1)?.route.subject, subject);
    world.callEnding('a', 0);

    const { snapshots } = following;
    following.requests$.next(1);
    await until('a snapshot', () => following.snapshots > snapshots);
    await writeSnapshotFile(path, following.last as RegistryUpdate, 0, (error) => t.fail(String(error)));
    const file = await readSnapshotFile(path, 0);
    t.is(file.kind === 'found' && file.snapshot.entries.length, following.last?.entries.length as number);

    const [token] = (await tokenStore(db).read()) ?? [];
    t.true(token?.expiresAtMs === null || Number.isFinite(token?.expiresAtMs));
    await world.pass(1000, 1000);
    JSON.stringify([await reportOf(world), world.core.view.one('a'), [...world.core.view.extensions()]]);
    await db.$client`update extensions set enabled = false where id = 'a'`;
    await until('that it is disabled', () =>
      ['disabled', 'row_invalid', 'extension_not_found'].includes(String(reasonOf(world.call('a')))),
    );
    await db.$client`delete from extensions where id = 'a'`;
  });
  await fc.assert(property, { numRuns: isDeep ? 300 : 15, endOnFailure: true });
  await world.pass(1000, 1000);
  t.true(written > 15);
  t.deepEqual(following.dropped, []);
  t.deepEqual(
    world.events.flatMap(({ reason = '' }) => (/cannot (be (read|applied)|hand over)/.test(reason) ? [reason] : [])),
    [],
  );
  const [row] = await db.$client`select success_count::int as calls from extension_health where extension_id = 'b'`;
  t.true(row?.calls >= canary - 1);
  // That registry_revision had no row for a moment is told; nothing else is.
  t.is(following.states.at(-1), 'up');
});
