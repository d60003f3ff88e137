// What is written once although the answer to its commit was lost: HEALTH-QUERIES-6 of health-queries.ts, AUDIT-QUERIES-2, AUTO-QUERIES-2, VERB-QUERIES-4, ROLLOUT-QUERIES-2, INSTANCE-QUERIES-1.
import { randomUUID } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import anyTest, { type TestFn } from 'ava';
import type { Database } from '../../../src/db/client.js';
import { isAnswerLost } from '../../../src/db/database-errors.js';
import { writeAudit } from '../../../src/db/queries/audit-queries.js';
import { applyAutoChange } from '../../../src/db/queries/auto-queries.js';
import { healthFlusher } from '../../../src/db/queries/health-flusher.js';
import { flushHealth, wasFlushed } from '../../../src/db/queries/health-queries.js';
import { writeInstanceStatus } from '../../../src/db/queries/instance-queries.js';
import { writeRegistryChanges } from '../../../src/db/queries/registry-file-queries.js';
import { setRollout } from '../../../src/db/queries/rollout-queries.js';
import { applyVerb } from '../../../src/db/queries/verb-queries.js';
import type { RowChange } from '../../../src/domain/registry-file/registry-file-diff.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { CuttingProxy } from '../../helpers/cutting-proxy.js';
import { healthRow } from '../../helpers/health-rows.js';
import { holding } from '../../helpers/holding.js';
import { onPostgres, type TestDatabase } from '../../helpers/postgres.js';

const test = anyTest as TestFn;
const onServer = onPostgres(test);

/** `near` reaches the database directly, `far` through the proxy. */
async function world(t: ExecutionContext, database: TestDatabase) {
  const near = database.open(1);
  const proxy = await CuttingProxy.before(t, database.connection);
  await near.$client.unsafe(`
    insert into extensions (id, type, subject) values ('a', 'pre', 'x');
    insert into extension_versions (id, version, subject) values ('a', 'v1', 'x'), ('a', 'v2', 'y');
    insert into extension_instances (extension_id, instance_id, subject) values ('a', 'i', 'x')`);
  return { near, proxy, far: database.open(2, proxy.connection) };
}

const audits = async (near: Database, where: string): Promise<number> =>
  Number((await near.$client.unsafe(`select count(*) from extension_audit_log where ${where}`))[0]?.count);

const inTime = () => 5000;

onServer(
  'HEALTH-QUERIES-6: a health flush whose answer is lost is found to be written, and counts once',
  async (t, database) => {
    const { near, far, proxy } = await world(t, database);
    const flush = { writer: randomUUID(), number: 1 };
    proxy.cutAnswerTo('extension_health_writers');
    const error = await t.throwsAsync(() => flushHealth(far, flush, [healthRow({ success_delta: 3 })]));
    t.true(isAnswerLost(error));
    t.deepEqual(await wasFlushed(far, flush), { dropped: [], held: [] });
    const next = { ...flush, number: 2 };
    t.is(await wasFlushed(far, next), null, 'one that was never sent was not written');
    t.is(await wasFlushed(far, next), null, 'also if the answer to the question is lost, and it is asked again');
    await flushHealth(far, next, [healthRow({ success_delta: 100 })]);
    const [row] = await near.$client`select success_count::int as successes from extension_health`;
    t.is(row?.successes, 3, 'and is not written later, where it was still on its way');
    t.is(proxy.cuts, 1);
  },
);

for (const [how, more] of [
  ['as a batch', []],
  ['row by row', [healthRow({ version: 'v2', published: false, success_delta: 2 ** 63 })]],
] as const)
  onServer(
    `HEALTH-FLUSHER-1: a number of flushes from other hands loses nothing that is written ${how}`,
    async (t, database) => {
      const { near } = await world(t, database);
      const writer = randomUUID();
      const flusher = healthFlusher(near, writer, silentLogger);
      await flusher.flushHealth(1, [healthRow({ success_delta: 1 })]);
      await near.$client`update extension_health_writers set flush = 9223372036854775807 where writer = ${writer}`;
      for (const number of [2, 3]) {
        const { dropped } = await flusher.flushHealth(number, [healthRow({ success_delta: 10 }), ...more]);
        t.is(dropped.length, more.length);
        t.is((await flusher.wasFlushed(number))?.dropped.length, more.length);
      }
      const [row] = await near.$client`select success_count::int as successes from extension_health`;
      t.is(row?.successes, 21);
    },
  );

/** Each way in which a flush is written, with rows that it does not write. */
const REFUSED: readonly [string, Parameters<typeof healthRow>[0][], { held: string[]; dropped: string[] }][] = [
  ['skips a held row', [], { held: ['b'], dropped: [] }],
  ['drops a row that the database refuses', [{ extension_id: 'c', trips: 2 ** 40 }], { held: ['b'], dropped: ['c'] }],
];

for (const [title, more, refused] of REFUSED)
  onServer(
    `HEALTH-QUERIES-6: a flush that ${title} and whose answer is lost is found with those rows`,
    async (t, database) => {
      const { near, far, proxy } = await world(t, database);
      await near.$client.unsafe(`
        insert into extensions (id, type, subject) values ('b', 'pre', 'x'), ('c', 'pre', 'x');
        insert into extension_health (extension_id, version) values ('b', 'v1')`);
      const end = await holding(t, database, "update extension_health set version = 'v1' where extension_id = 'b'");
      const flush = { writer: randomUUID(), number: 1 };
      const rows = [{ extension_id: 'a' }, { extension_id: 'b' }, ...more].map((one) =>
        healthRow({ success_delta: 3, ...one }),
      );
      // A batch that fails is no answer that is lost: the one that is cut writes each row by itself.
      proxy.cutAnswerTo(more.length === 0 ? 'extension_health_writers' : 'json_array_elements_text');
      await t.throwsAsync(() => flushHealth(far, flush, rows));
      t.is(proxy.cuts, 1);
      const result = await wasFlushed(far, flush);
      const ids = (of: 'held' | 'dropped') => result?.[of].map(({ extension_id }) => extension_id);
      t.deepEqual({ held: ids('held'), dropped: ids('dropped') }, refused);
      t.regex(result?.held[0]?.error ?? '', /lock/);
      await end();
      const again = { ...flush, number: 2 };
      t.deepEqual(await flushHealth(far, again, rows.slice(1, 2)), { dropped: [], held: [] });
      t.deepEqual(await wasFlushed(far, again), { dropped: [], held: [] });
      const counts = await near.$client`select success_count::int as n from extension_health order by extension_id`;
      t.deepEqual(
        counts.map(({ n }) => n),
        [3, 3],
      );
    },
  );

for (const change of ['auto_disable', 'auto_enable'] as const)
  onServer(`AUTO-QUERIES-2: ${change} whose answer is lost is found by its id, and made once`, async (t, database) => {
    const { near, far, proxy } = await world(t, database);
    let revision = 1;
    const of = (which: typeof change) =>
      ({ id: randomUUID(), extension_id: 'a', change: which, revision, reason: 'circuit' }) as const;
    if (change === 'auto_enable') {
      await applyAutoChange(near, of('auto_disable'));
      revision = 2;
    }
    const decided = of(change);
    t.deepEqual(await applyAutoChange(far, { ...decided, isOnlyAsked: true }), { applied: false });
    proxy.cutAnswerTo('extension_audit_log');
    await t.throwsAsync(() => applyAutoChange(far, decided));
    const done = { applied: true, revision: revision + 1 };
    t.deepEqual(await applyAutoChange(far, { ...decided, isOnlyAsked: true }), done);
    t.deepEqual(await applyAutoChange(far, decided), done);
    t.is(await audits(near, `id = '${decided.id}'`), 1);
    t.is(await audits(near, `changed_by = 'system:auto-manager'`), revision);
  });

for (const verb of ['disable', 'reset'] as const)
  onServer(`VERB-QUERIES-4: ${verb} whose answer is lost is done once, and answered`, async (t, database) => {
    const { near, far, proxy } = await world(t, database);
    proxy.cutAnswerTo('breaker_resets');
    const command = { id: randomUUID(), extension_id: 'a', version: null, verb, actor: 'admin:ada', reason: 'why' };
    const result = await applyVerb(far, { ...command, decidedEarlier: null }, inTime);
    t.is(result.kind, 'applied');
    t.is(proxy.cuts, 1);
    t.is(await audits(near, `changed_by = 'admin:ada'`), 1);
    const [row] = await near.$client`select breaker_resets, revision::int from extensions`;
    t.deepEqual({ ...row }, { breaker_resets: verb === 'reset' ? 1 : 0, revision: 2 });
  });

onServer('ROLLOUT-QUERIES-2: a rollout whose answer is lost is set once, and answered', async (t, database) => {
  const { near, far, proxy } = await world(t, database);
  proxy.cutAnswerTo('rollout_percent');
  const command = { id: randomUUID(), extension_id: 'a', version: 'v2', percent: 5, actor: 'admin:ada', reason: 'why' };
  t.like(await setRollout(far, command, inTime), { kind: 'written', was: null });
  t.is(proxy.cuts, 1);
  t.is(await audits(near, `changed_by = 'admin:ada'`), 1);
});

onServer('AUDIT-QUERIES-2: audit facts whose answer is lost are written once', async (t, database) => {
  const { near, far, proxy } = await world(t, database);
  const facts = ['x', 'y'].map((action, i) => ({
    ...{ id: randomUUID(), extension_id: 'a', action, new_values: {}, changed_by: 'system:breaker' },
    ...{ reason: null, at_ms: Date.UTC(2026, 0, 1 + i) },
  }));
  proxy.cutAnswerTo('extension_audit_log');
  await t.throwsAsync(() => writeAudit(far, facts, silentLogger));
  await writeAudit(far, facts, silentLogger);
  t.is(await audits(near, `changed_by = 'system:breaker'`), 2);
});

onServer(
  'INSTANCE-QUERIES-1: an instance status whose answer is lost is written again, and makes no revision',
  async (t, database) => {
    const { near, far, proxy } = await world(t, database);
    const row = { extension_id: 'a', instance_id: 'i', health_status: 'unhealthy', checked_ago_ms: 0 } as const;
    proxy.cutAnswerTo('extension_instances');
    await t.throwsAsync(() => writeInstanceStatus(far, [row]));
    t.deepEqual(await writeInstanceStatus(far, [row]), []);
    const [found] = await near.$client`select health_status, revision::int from extension_instances`;
    t.deepEqual({ ...found }, { health_status: 'unhealthy', revision: 1 });
    t.is(await audits(near, `action = 'instance_update'`), 0);
  },
);

onServer('an import whose answer is lost may have been written, and says so', async (t, database) => {
  const { near, far, proxy } = await world(t, database);
  proxy.cutAnswerTo('extreg.import');
  const change: RowChange = {
    action: 'change',
    kind: 'extension',
    extensionId: 'a',
    name: '',
    revision: 1,
    fields: { subject: { old: 'x', new: 'z' } },
  };
  await t.throwsAsync(() => writeRegistryChanges(far, [change], { actor: 'cli:ada', reason: '' }), {
    message: /lost after COMMIT was sent.*run it again, if it was written, that changes nothing/,
  });
  const [row] = await near.$client`select subject from extensions`;
  t.is(row?.subject, 'z');
});
