// The auto-manager's change (AUTO-QUERIES-1 of auto-queries.ts), the audit trail (AUDIT-QUERIES-1 of audit-queries.ts) and a person's statement.
import { randomUUID } from 'node:crypto';
import anyTest, { type TestFn } from 'ava';
import { pino } from '#pino';
import type { AuditFact } from '../../../src/actors/ports/storage.js';
import type { Database } from '../../../src/db/client.js';
import { pruneAudit, readAudit, readMarks, writeAudit } from '../../../src/db/queries/audit-queries.js';
import { applyAutoChange } from '../../../src/db/queries/auto-queries.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { onBothEngines } from '../../helpers/postgres.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);

const change = (over: Partial<Parameters<typeof applyAutoChange>[1]> = {}) => ({
  id: randomUUID(),
  extension_id: 'a',
  change: 'auto_disable' as const,
  revision: 1,
  reason: 'failure_count',
  ...over,
});

async function withExtension(db: Database): Promise<void> {
  await db.$client`insert into extensions (id, type, subject) values ('a', 'pre', 'x')`;
}

async function flags(db: Database) {
  const [row] = await db.$client`select enabled, auto_disabled, revision::int from extensions where id = 'a'`;
  return { ...row };
}

onBoth('applyAutoChange: disables and enables, with actor and reason in the trail', async (t, database) => {
  const db = database.open();
  await withExtension(db);
  t.deepEqual(await applyAutoChange(db, change()), { applied: true, revision: 2 });
  t.deepEqual(await flags(db), { enabled: false, auto_disabled: true, revision: 2 });
  t.deepEqual(await applyAutoChange(db, change({ change: 'auto_enable', revision: 2, reason: 'recovered' })), {
    applied: true,
    revision: 3,
  });
  t.deepEqual(await flags(db), { enabled: true, auto_disabled: false, revision: 3 });
  const trail = await readAudit(db, { extensionId: 'a', limit: 2 });
  t.like(trail[1], { action: 'disable', changed_by: 'system:auto-manager', reason: 'failure_count', revision: 2 });
  t.like(trail[0], { action: 'enable', changed_by: 'system:auto-manager', reason: 'recovered', revision: 3 });
});

const STALE: [title: string, statement: string, change: ReturnType<typeof change>][] = [
  ['somebody changed the row', "update extensions set subject = 'y'", change()],
  ['a person disabled it', 'update extensions set enabled = false', change({ revision: 2 })],
  ['the extension is gone', 'delete from extensions', change()],
  ['nothing was auto-disabled', 'select 1', change({ change: 'auto_enable' as 'auto_disable' })],
];

for (const [title, statement, decided] of STALE)
  onBoth(`AUTO-QUERIES-1: is stale where ${title}`, async (t, database) => {
    const db = database.open();
    await withExtension(db);
    await db.$client.unsafe(statement);
    const before = await flags(db);
    t.deepEqual(await applyAutoChange(db, decided), { applied: false });
    t.deepEqual(await flags(db), before);
  });

onBoth('applyAutoChange: never re-enables what a person disabled meanwhile', async (t, database) => {
  const db = database.open();
  await withExtension(db);
  await applyAutoChange(db, change());
  await db.$client`update extensions set enabled = enabled`;
  t.deepEqual(await applyAutoChange(db, change({ change: 'auto_enable' as 'auto_disable', revision: 3 })), {
    applied: false,
  });
  t.deepEqual(await flags(db), { enabled: false, auto_disabled: false, revision: 3 });
});

const fact = (over: Partial<AuditFact> = {}): AuditFact => ({
  id: randomUUID(),
  extension_id: 'a',
  action: 'circuit_opened',
  new_values: { failures: 5 },
  changed_by: 'system:breaker',
  reason: 'failure_count',
  at_ms: Date.UTC(2025, 0, 27, 12),
  ...over,
});

onBoth('writeAudit: keeps what happened when, beyond its extension, without a revision', async (t, database) => {
  const db = database.open();
  await writeAudit(db, [fact(), fact({ extension_id: 'b', reason: null, at_ms: Date.UTC(2025, 0, 28) })], silentLogger);
  await writeAudit(db, [], silentLogger);
  const rows = await readAudit(db, { limit: 10 });
  t.deepEqual(
    rows.map((row) => [row.extension_id, row.changed_at, row.reason]),
    [
      ['b', '2025-01-28T00:00:00.000Z', null],
      ['a', '2025-01-27T12:00:00.000Z', 'failure_count'],
    ],
  );
  t.like(rows[1], { new_values: { failures: 5 }, old_values: null, changed_by: 'system:breaker', revision: null });
  t.deepEqual((await readAudit(db, { extensionId: 'a', limit: 10 })).length, 1);
  t.deepEqual((await readAudit(db, { limit: 1 })).length, 1);
});

onBoth('AUDIT-QUERIES-1: a fact that the database refuses is logged and dropped alone', async (t, database) => {
  const db = database.open();
  const lines: string[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => lines.push(line) });
  await writeAudit(db, [fact(), fact({ action: 'x'.repeat(65) }), fact({ new_values: { bad: 'a\u0000b' } })], log);
  t.is((await readAudit(db, { limit: 10 })).length, 1);
  t.deepEqual(
    lines.map((line) => JSON.parse(line).event),
    ['audit_fact_dropped', 'audit_fact_dropped'],
  );
});

onBoth('writeAudit: rejects while the database is away', async (t, database) => {
  const db = database.open();
  await database.stopServer();
  await t.throwsAsync(() => writeAudit(db, [fact()], silentLogger));
});

onBoth('pruneAudit: forgets what is older, and nothing at 0 days', async (t, database) => {
  const db = database.open();
  const day = 24 * 3_600_000;
  await writeAudit(
    db,
    [fact({ at_ms: Date.now() - 10 * day }), fact({ at_ms: Date.now() - 10 * day }), fact({ at_ms: Date.now() - day })],
    silentLogger,
  );
  t.is(await pruneAudit(db, 0), 0);
  t.is(await pruneAudit(db, 9), 2);
  t.is(await pruneAudit(db, 9), 0);
  t.is((await readAudit(db, { limit: 10 })).length, 1);
});

onBoth(
  'readMarks: rows and facts of one extension from a time on, with what they concern and without configuration',
  async (t, database) => {
    const db = database.open();
    const sinceMs = Date.now() - 60_000;
    await withExtension(db);
    await db.$client`insert into extensions (id, type, subject) values ('b', 'pre', 'y')`;
    await db.$client`insert into extension_versions (id, version, subject, config) values ('a', 'v2', 'x.v2', '{"secret": "geheim"}')`;
    await db.$client`insert into extension_instances (extension_id, instance_id, subject, version) values ('a', 'i1', 'x.i1', 'v2')`;
    const evidence = { failures: 5, outcomes: 77 };
    const fact = (action: string, new_values: object, at_ms: number): AuditFact =>
      ({
        id: randomUUID(),
        extension_id: 'a',
        action,
        new_values,
        changed_by: 'system:breaker',
        reason: 'failure_count',
        at_ms,
      }) as AuditFact;
    const nowMs = Date.now() + 1000;
    await writeAudit(
      db,
      [
        fact('circuit_opened', { version: 'v1', evidence }, nowMs),
        fact('circuit_closed', { version: 'v1' }, sinceMs - 1000),
      ],
      silentLogger,
    );
    const marks = await readMarks(db, 'a', sinceMs, 10);
    t.deepEqual(
      marks.map(({ kind, version, instance_id }) => [kind, version, instance_id]),
      [
        ['create', null, undefined],
        ['version_create', 'v2', undefined],
        ['instance_create', 'v2', 'i1'],
        ['circuit_opened', 'v1', undefined],
      ],
    );
    t.deepEqual(marks.at(-1), {
      at: new Date(nowMs).toISOString(),
      kind: 'circuit_opened',
      version: 'v1',
      reason: 'failure_count',
      actor: 'system:breaker',
      evidence,
    });
    t.false(JSON.stringify(marks).includes('geheim'));
    t.deepEqual(
      (await readMarks(db, 'a', sinceMs, 1)).map(({ kind }) => kind),
      ['circuit_opened'],
      'the newest ones',
    );
  },
);
