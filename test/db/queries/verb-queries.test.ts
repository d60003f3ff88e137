// A person's verb in the database: VERB-QUERIES-1 and VERB-QUERIES-2 of verb-queries.ts, M6 and M7 of drizzle/0001_verbs.sql, and who has the last word.
import { randomUUID } from 'node:crypto';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import type { VerbCommand } from '../../../src/actors/ports/storage.js';
import type { Database } from '../../../src/db/client.js';
import { readAudit } from '../../../src/db/queries/audit-queries.js';
import { applyAutoChange } from '../../../src/db/queries/auto-queries.js';
import { readEntries, readRevision } from '../../../src/db/queries/registry-queries.js';
import { applyVerb as applyVerbInTime } from '../../../src/db/queries/verb-queries.js';
import type { Verb } from '../../../src/domain/registry/verbs.js';
import { onBothEngines, onPostgres } from '../../helpers/postgres.js';
import { until } from '../../helpers/until.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);
const onPostgresOnly = onPostgres(test);

const command = (verb: Verb, over: Partial<VerbCommand> = {}): VerbCommand => ({
  id: randomUUID(),
  extension_id: 'a',
  version: null,
  verb,
  actor: 'admin:ada',
  reason: 'a bad deploy',
  decidedEarlier: null,
  ...over,
});

/** With time enough for any machine. */
const applyVerb = (db: Database, told: VerbCommand) => applyVerbInTime(db, told, () => 60_000);

async function withExtension({ $client }: Database, ...versions: string[]): Promise<void> {
  await $client`insert into extensions (id, type, subject) values ('a', 'pre', 'x')`;
  for (const version of versions)
    await $client`insert into extension_versions (id, version, subject) values ('a', ${version}, 'x')`;
}

async function autoDisable(db: Database): Promise<void> {
  const [row] = await db.$client`select revision::int from extensions where id = 'a'`;
  const change = {
    id: randomUUID(),
    extension_id: 'a',
    change: 'auto_disable',
    revision: row?.revision,
    reason: 'circuit opened',
  } as const;
  if (!(await applyAutoChange(db, change)).applied) throw new Error('not applied');
}

const SWITCHES = 'enabled, breaker_override, breaker_resets';

async function switches({ $client }: Database) {
  const [row] = await $client.unsafe(`select ${SWITCHES}, auto_disabled from extensions where id = 'a'`);
  return { ...row };
}

async function versionSwitches({ $client }: Database, version = 'v2') {
  const [row] = await $client.unsafe(`select ${SWITCHES} from extension_versions where version = $1`, [version]);
  return { ...row };
}

/** A row of switches: enabled, auto_disabled, override, resets. */
type State = [enabled: boolean, autoDisabled: boolean, override: string | null, resets: number];
const ON: State = [true, false, null, 0];
const OFF: State = [false, false, null, 0];
const AUTO: State = [false, true, null, 0];
const ISOLATED: State = [true, false, 'isolated', 0];

const asRow = ([enabled, auto_disabled, breaker_override, breaker_resets]: State) => ({
  enabled,
  auto_disabled,
  breaker_override,
  breaker_resets,
});

const TABLE: [verb: Verb, from: State, to: State][] = [
  ['disable', ON, OFF],
  ['disable', AUTO, OFF],
  ['disable', OFF, OFF],
  ['enable', OFF, ON],
  ['enable', ON, ON],
  ['enable', AUTO, ON],
  ['enable', [false, false, 'isolated', 0], ISOLATED],
  ['isolate', ON, ISOLATED],
  ['isolate', AUTO, [false, true, 'isolated', 0]],
  ['isolate', ISOLATED, ISOLATED],
  ['force-closed', ISOLATED, [true, false, 'forced_closed', 0]],
  ['release', ISOLATED, ON],
  ['release', ON, ON],
  ['reset', ON, [true, false, null, 1]],
  ['reset', ISOLATED, [true, false, null, 1]],
  ['reset', AUTO, [true, false, null, 1]],
  ['reset', OFF, [false, false, null, 1]],
];

onBoth(
  'verbs: each does to the row of an extension what the table says, and leaves its own audit row',
  async (t, database) => {
    const db = database.open();
    for (const [verb, from, to] of TABLE) {
      const title = `${verb} from ${JSON.stringify(from)}`;
      await db.$client`delete from extensions`;
      await db.$client`
        insert into extensions (id, type, subject, enabled, auto_disabled, breaker_override)
        values ('a', 'pre', 'x', ${from[0]}, ${from[1]}, ${from[2]})`;
      t.deepEqual(await switches(db), asRow(from), title);
      const before = await readRevision(db);
      const told = command(verb);
      const result = await applyVerb(db, told);
      t.deepEqual(await switches(db), asRow(to), title);
      const [row] = await db.$client`select revision::int, updated_by from extensions`;
      t.is(row?.updated_by, 'admin:ada');
      t.deepEqual(result, {
        kind: 'applied',
        version: null,
        row: {
          enabled: to[0],
          autoDisabled: to[1],
          breakerOverride: to[2] as 'isolated' | null,
          breakerResets: to[3],
          revision: row?.revision,
        },
      });
      t.is(await readRevision(db), before + 1, title);
      const [audit] = await readAudit(db, { extensionId: 'a', limit: 1 });
      t.like(audit, {
        id: told.id,
        action: verb.replace('-', '_'),
        changed_by: 'admin:ada',
        reason: 'a bad deploy',
        revision: before + 1,
      });
      t.like(audit?.new_values, asRow(to));
    }
  },
);

const VERSION_TABLE: [verb: Verb, enabled: boolean, override: string | null, resets: number][] = [
  ['isolate', true, 'isolated', 0],
  ['isolate', true, 'isolated', 0],
  ['force-closed', true, 'forced_closed', 0],
  ['release', true, null, 0],
  ['disable', false, null, 0],
  ['enable', true, null, 0],
  ['isolate', true, 'isolated', 0],
  ['reset', true, null, 1],
];

onBoth('verbs: of a version, only its row is written, under the names of versions', async (t, database) => {
  const db = database.open();
  await withExtension(db, 'v1', 'v2');
  await autoDisable(db);
  const extension = await switches(db);
  for (const [verb, enabled, breaker_override, breaker_resets] of VERSION_TABLE) {
    const result = await applyVerb(db, command(verb, { version: 'v2' }));
    t.deepEqual(await versionSwitches(db), { enabled, breaker_override, breaker_resets }, verb);
    t.like(result, {
      kind: 'applied',
      version: 'v2',
      row: { enabled, breakerOverride: breaker_override, breakerResets: breaker_resets, autoDisabled: true },
    });
    const [audit] = await readAudit(db, { extensionId: 'a', limit: 1 });
    t.like(audit, { action: `version_${verb.replace('-', '_')}`, changed_by: 'admin:ada', reason: 'a bad deploy' });
    t.like(audit?.new_values, { version: 'v2' });
  }
  t.deepEqual(await switches(db), extension);
  t.deepEqual(await versionSwitches(db, 'v1'), { enabled: true, breaker_override: null, breaker_resets: 0 });
});

onBoth('VERB-QUERIES-1: a verb that is sent twice is done once', async (t, database) => {
  const db = database.open();
  await withExtension(db, 'v2');
  for (const version of [null, 'v2']) {
    const told = command('reset', { version });
    const first = await applyVerb(db, told);
    t.deepEqual(await applyVerb(db, told), first);
    t.deepEqual(await applyVerb(db, { ...told, decidedEarlier: { revision: 0, after: [] } }), first);
  }
  t.is((await switches(db)).breaker_resets, 1);
  t.is((await versionSwitches(db)).breaker_resets, 1);
});

onBoth('verbs: what does not exist is told, and nothing is written', async (t, database) => {
  const db = database.open();
  await withExtension(db);
  const before = await readRevision(db);
  t.deepEqual(await applyVerb(db, command('reset', { extension_id: 'b' })), { kind: 'extension_not_found' });
  t.deepEqual(await applyVerb(db, command('reset', { version: 'v2' })), { kind: 'version_not_found', isOwnRow: false });
  t.is(await readRevision(db), before);
  t.like(await applyVerb(db, command('isolate', { version: 'v1' })), { kind: 'applied', version: null });
  t.like(await switches(db), { breaker_override: 'isolated' });
  await db.$client`insert into extension_versions (id, version, subject) values ('a', 'v2', 'x')`;
  t.deepEqual(await applyVerb(db, command('reset', { version: 'v1' })), { kind: 'version_not_found', isOwnRow: true });
  t.like(await applyVerb(db, command('reset', { version: 'v2' })), { kind: 'applied', version: 'v2' });
});

const VOID: [title: string, isVoid: boolean, statement: string][] = [
  ['a person disabled it', true, 'update extensions set enabled = false'],
  ['a person released it', true, 'update extensions set breaker_override = null where breaker_override is not null'],
  ['a person reset it', true, 'update extensions set breaker_resets = breaker_resets + 1'],
  ['a person isolated a version of it', true, "update extension_versions set breaker_override = 'isolated'"],
  [
    'it was made anew',
    true,
    "delete from extensions; insert into extensions (id, type, subject) values ('a', 'pre', 'y')",
  ],
  ['somebody changed its subject', false, "update extensions set subject = 'y'"],
  ['a version came', false, "insert into extension_versions (id, version, subject) values ('a', 'v3', 'x')"],
  [
    'another extension was decided about',
    false,
    "insert into extensions (id, type, subject) values ('b', 'pre', 'y'); update extensions set enabled = false where id = 'b'",
  ],
  [
    'the auto-manager switched it',
    false,
    "select set_config('extreg.actor', 'system:auto-manager', true); update extensions set enabled = false, auto_disabled = true",
  ],
];

for (const [title, isVoid, statement] of VOID)
  onBoth(
    `VERB-QUERIES-2: a verb that was decided earlier is ${isVoid ? 'void' : 'written'} where ${title} since`,
    async (t, database) => {
      const db = database.open();
      await withExtension(db, 'v2');
      await db.$client`update extensions set breaker_override = 'forced_closed'`;
      const decidedEarlier = { revision: await readRevision(db), after: [] };
      await db.$client.unsafe(statement);
      const before = await readRevision(db);
      const result = await applyVerb(db, command('isolate', { decidedEarlier }));
      t.is(result.kind, isVoid ? 'void' : 'applied');
      t.is(await readRevision(db), before + (isVoid ? 0 : 1));
      if (result.kind === 'void') t.is(result.by, 'db:postgres');
    },
  );

onBoth(
  'VERB-QUERIES-2: what the same place decided before it, and what was known to it, does not make a verb void',
  async (t, database) => {
    const db = database.open();
    await withExtension(db, 'v2');
    await applyVerb(db, command('disable'));
    const revision = await readRevision(db);
    const own = command('enable');
    await applyVerb(db, own);
    t.like(await applyVerb(db, command('isolate', { decidedEarlier: { revision, after: [] } })), {
      kind: 'void',
      action: 'enable',
      by: 'admin:ada',
    });
    t.like(await applyVerb(db, command('isolate', { decidedEarlier: { revision, after: [own.id] } })), {
      kind: 'applied',
    });
  },
);

onBoth('VERB-QUERIES-2: a version that was made anew is another one', async (t, database) => {
  const db = database.open();
  await withExtension(db, 'v2', 'v3');
  const decidedEarlier = { revision: await readRevision(db), after: [] };
  await db.$client`delete from extension_versions where version = 'v2'`;
  t.like(await applyVerb(db, command('isolate', { version: 'v3', decidedEarlier })), { kind: 'applied' });
  t.like(await applyVerb(db, command('isolate', { version: 'v2', decidedEarlier })), { kind: 'version_not_found' });
  await db.$client`insert into extension_versions (id, version, subject) values ('a', 'v2', 'x')`;
  t.like(await applyVerb(db, command('isolate', { version: 'v2', decidedEarlier: { ...decidedEarlier, after: [] } })), {
    kind: 'void',
  });
});

onBoth(
  'M6: by plain SQL, a reset switches on what was switched off automatically, and is named',
  async (t, database) => {
    const db = database.open();
    await withExtension(db, 'v2');
    await autoDisable(db);
    await db.$client`update extensions set breaker_override = null, breaker_resets = breaker_resets + 1`;
    t.deepEqual(await switches(db), asRow([true, false, null, 1]));
    await autoDisable(db);
    await db.$client`update extensions set breaker_resets = breaker_resets + 1, enabled = false`;
    t.deepEqual(await switches(db), asRow([false, false, null, 2]));
    await db.$client`update extensions set breaker_resets = breaker_resets + 1`;
    t.deepEqual(await switches(db), asRow([false, false, null, 3]));
    await db.$client`update extension_versions set breaker_resets = breaker_resets + 1`;
    await db.$client`update extension_versions set breaker_override = 'forced_closed'`;
    const trail = await readAudit(db, { extensionId: 'a', limit: 100 });
    t.deepEqual(trail.map((row) => row.action).reverse(), [
      'create',
      'version_create',
      'disable',
      'reset',
      'disable',
      'reset',
      'reset',
      'version_reset',
      'version_force_closed',
    ]);
  },
);

onBoth('registry: says who put a breaker back, where and when; of the auto-manager nothing', async (t, database) => {
  const db = database.open();
  await withExtension(db, 'v2', 'v3');
  const entry = async () => {
    const [found] = await readEntries(db, ['a']);
    const version = (name: string) => found?.versions.find((v) => v.version === name)?.put_back;
    const { put_back, switched_by } = found?.extension ?? {};
    for (const one of [put_back, version('v2')]) t.true(one == null || (one.ago_ms >= 0 && one.ago_ms < 60_000));
    return [switched_by, put_back?.to ?? null, version('v2')?.to ?? null, version('v3')?.to ?? null];
  };
  t.deepEqual(await entry(), [null, null, null, null]);
  await autoDisable(db);
  t.deepEqual(await entry(), ['system:auto-manager', null, null, null]);
  await applyVerb(db, command('enable'));
  t.deepEqual(await entry(), ['admin:ada', 'half_open', null, null]);
  await applyVerb(db, command('isolate'));
  await applyVerb(db, command('disable'));
  t.deepEqual(await entry(), ['admin:ada', null, null, null]);
  await db.$client`update extensions set enabled = true`;
  t.deepEqual(await entry(), ['db:postgres', 'closed', null, null]);
  await applyVerb(db, command('reset'));
  t.deepEqual(await entry(), ['admin:ada', 'closed', null, null]);
  await applyVerb(db, command('disable', { version: 'v2' }));
  t.deepEqual(await entry(), ['admin:ada', 'closed', null, null]);
  await applyVerb(db, command('enable', { version: 'v2' }));
  t.deepEqual(await entry(), ['admin:ada', 'closed', 'closed', null]);
});

onBoth('verbs: reject while the database is away', async (t, database) => {
  const db = database.open();
  await withExtension(db);
  await database.stopServer();
  await t.throwsAsync(() => applyVerb(db, command('isolate')));
});

onPostgresOnly(
  'verbs: a row that somebody holds for long is not waited for, and nothing of the verb is left',
  async (t, database) => {
    const db = database.open();
    await withExtension(db);
    const { $client: holder } = database.open(1);
    await holder`begin`;
    await holder`select from extensions for update`;
    await t.throwsAsync(() => applyVerbInTime(db, command('isolate'), () => 1000), {
      message: /extensions 'a' is locked by process/,
    });
    await holder`rollback`;
    t.deepEqual(await switches(db), asRow(ON));
    t.is((await readAudit(db, { extensionId: 'a', limit: 10 })).length, 1);
  },
);

onBoth('VERB-QUERIES-3: nothing is written when the time is over, wherever it was spent', async (t, database) => {
  const db = database.open();
  await withExtension(db, 'v2');
  for (const left of [[0], [1000, 0], [1000, 0.001]])
    for (const version of [null, 'v2']) {
      const remaining = [...left];
      const late = applyVerbInTime(db, command('isolate', { version }), () => remaining.shift() ?? 0);
      await t.throwsAsync(late, { message: 'the database took too long; nothing was written' });
    }
  t.deepEqual(await switches(db), asRow(ON));
  t.is(await readRevision(db), 2);
});

/** Resolves once somebody waits for a lock. */
async function waiting({ $client }: Database, count: number): Promise<void> {
  await until(`${count} wait for a lock`, async () => {
    const [row] = await $client`
      select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return row?.waiting >= count;
  });
}

onPostgresOnly(
  'VERB-QUERIES-2: a decision whose commit is delayed makes a verb void that waited for it',
  async (t, database) => {
    const db = database.open();
    await withExtension(db);
    const decidedEarlier = { revision: await readRevision(db), after: [] };
    const { $client: late } = database.open(1);
    await late`begin`;
    await late`update extensions set breaker_override = 'forced_closed'`;
    const result = applyVerb(db, command('isolate', { decidedEarlier }));
    await waiting(db, 1);
    await late`commit`;
    t.like(await result, { kind: 'void', action: 'force_closed', by: 'db:postgres' });
    t.deepEqual(await switches(db), asRow([true, false, 'forced_closed', 0]));
  },
);

// Who has the last word

type Writer = 'sql' | 'verb' | 'auto_disable' | 'auto_enable';
const WRITERS: readonly Writer[] = ['sql', 'verb', 'auto_disable', 'auto_enable'];

function permutations<T>(of: readonly T[]): T[][] {
  if (of.length === 0) return [[]];
  return of.flatMap((one) => permutations(of.filter((other) => other !== one)).map((rest) => [one, ...rest]));
}

/** One writes; where it is the auto-manager, only what it would want, on the revision that is committed as it decides. True: it did. */
async function write(db: Database, reader: Database, writer: Writer, sqlEnables: boolean): Promise<boolean> {
  if (writer === 'sql') return (await db.$client`update extensions set enabled = ${sqlEnables}`).count === 1;
  if (writer === 'verb') return (await applyVerb(db, command(sqlEnables ? 'disable' : 'enable'))).kind === 'applied';
  const [row] = await reader.$client`select enabled, auto_disabled, revision::int from extensions where id = 'a'`;
  const isWanted = writer === 'auto_disable' ? row?.enabled : row?.auto_disabled;
  if (!isWanted) return false;
  return (
    await applyAutoChange(db, {
      id: randomUUID(),
      extension_id: 'a',
      change: writer,
      revision: row?.revision,
      reason: '',
    })
  ).applied;
}

async function round(
  t: ExecutionContext,
  clients: { readonly each: readonly Database[]; readonly reader: Database },
  order: readonly Writer[],
  delayed: Writer | null,
  sqlEnables: boolean,
): Promise<void> {
  const { each, reader } = clients;
  await reader.$client`truncate extensions cascade`;
  await withExtension(reader);
  const pending: Promise<boolean>[] = [];
  let holder: Database | null = null;
  let wanting = 0;
  for (const [i, writer] of order.entries()) {
    const db = each[i] as Database;
    if (writer === delayed) {
      holder = db;
      await db.$client`begin`;
    }
    let isDone = false;
    const writing = write(db, reader, writer, sqlEnables).finally(() => {
      isDone = true;
    });
    pending.push(writing);
    if (holder === db) {
      // Who has nothing to write holds nothing.
      if (!(await writing)) {
        await db.$client`rollback`;
        holder = null;
      }
    } else if (holder === null) await writing;
    // The row is held: whoever writes waits for its turn, in this order.
    else if (writer === 'sql' || writer === 'verb') await waiting(reader, ++wanting);
    else
      await until('it waits, or wants nothing', async () => {
        if (isDone) return true;
        const [row] = await reader.$client`
          select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
        if (row?.waiting <= wanting) return false;
        wanting++;
        return true;
      });
  }
  if (holder !== null) await holder.$client`commit`;
  await Promise.all(pending);
  const title = `${order.join(' ')}, ${delayed ?? 'none'} delayed, SQL ${sqlEnables ? 'enables' : 'disables'}`;
  const { enabled, auto_disabled } = await switches(reader);
  const behind = holder === null ? [] : order.slice(order.indexOf(delayed as Writer) + 1);
  const inTurn = order.lastIndexOf('sql') > order.lastIndexOf('verb') ? 'sql' : 'verb';
  // Of two that wait for the same row, the database chooses who is first: the last one is who commits last.
  const last = behind.includes('sql') && behind.includes('verb') ? await lastToCommit(reader) : inTurn;
  const isEnabling = (last === 'sql') === sqlEnables;
  if (!isEnabling) t.deepEqual([enabled, auto_disabled], [false, false], title);
  else if (order.indexOf('auto_disable') < order.indexOf(inTurn))
    t.deepEqual([enabled, auto_disabled], [true, false], title);
  else t.not(enabled, auto_disabled, title);
}

async function lastToCommit(db: Database): Promise<Writer> {
  const trail = await readAudit(db, { extensionId: 'a', limit: 3 });
  const by = trail.find((row) => row.changed_by !== 'system:auto-manager')?.changed_by;
  return by === 'admin:ada' ? 'verb' : 'sql';
}

onBoth('whoever writes in whatever order, the row ends as the last person decided', async (t, database) => {
  const db = database.open(1);
  const clients = { each: [db, db, db, db], reader: db };
  for (const sqlEnables of [true, false])
    for (const order of permutations(WRITERS)) await round(t, clients, order, null, sqlEnables);
});

onPostgresOnly('whoever commits late, the row ends as the last person decided', async (t, database) => {
  const clients = { each: [1, 2, 3, 4].map(() => database.open(1)), reader: database.open(1) };
  for (const sqlEnables of [true, false])
    for (const order of permutations(WRITERS))
      for (const delayed of WRITERS) await round(t, clients, order, delayed, sqlEnables);
});

onBoth('VERB-QUERIES-1: a verb without a reason has none in the trail', async (t, database) => {
  const db = database.open();
  await withExtension(db);
  await applyVerb(db, command('enable', { reason: null }));
  const [fact] = await readAudit(db, { extensionId: 'a', limit: 1 });
  t.like(fact, { action: 'enable', changed_by: 'admin:ada', reason: null });
});
