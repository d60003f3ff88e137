// The audit trail in pages: AUDIT-PAGE-QUERIES-1–AUDIT-PAGE-QUERIES-3 of audit-page-queries.ts, and the index of M29.
import { randomUUID } from 'node:crypto';
import anyTest, { type TestFn } from 'ava';
import type { AuditPage } from '../../../src/actors/ports/audit.js';
import type { Database } from '../../../src/db/client.js';
import { readAuditPage } from '../../../src/db/queries/audit-page-queries.js';
import type { AuditQuery } from '../../../src/domain/registry/audit-query.js';
import { onBothEngines, onPostgres } from '../../helpers/postgres.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);
const onPostgresOnly = onPostgres(test);

const EVERYTHING: AuditQuery = {
  limit: 100,
  after: null,
  extensionId: null,
  action: null,
  by: null,
  since: null,
  until: null,
  afterRevision: null,
};
const read = (db: Database, query: Partial<AuditQuery> = {}) => readAuditPage(db, { ...EVERYTHING, ...query });

interface Fact {
  readonly id?: string;
  readonly extension_id?: string;
  readonly action?: string;
  readonly changed_by?: string | null;
  readonly changed_at?: string;
  readonly new_values?: object;
  readonly revision?: number | null;
}

async function write({ $client }: Database, ...facts: readonly Fact[]): Promise<void> {
  const rows = facts.map((fact) => ({
    ...{
      id: randomUUID(),
      extension_id: 'a',
      action: 'update',
      changed_by: 'admin',
      changed_at: '2026-01-01T00:00:00Z',
    },
    ...fact,
  }));
  await $client`insert into extension_audit_log (id, extension_id, action, changed_by, changed_at, new_values, revision)
    select id, extension_id, action, changed_by, changed_at, new_values, revision from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
      as x (id uuid, extension_id text, action text, changed_by text, changed_at timestamptz, new_values jsonb, revision bigint)`;
}

const ids = ({ rows }: AuditPage): string[] => rows.map(({ id }) => id);
const actions = ({ rows }: AuditPage): string[] => rows.map(({ action }) => action);

onBoth(
  'AUDIT-PAGE-QUERIES-1: pages hold every row once, however many share a moment and whatever comes meanwhile',
  async (t, database) => {
    const db = database.open();
    const at = (second: number, micros = '000000') => `2026-01-01T00:00:0${second}.${micros}Z`;
    await write(
      db,
      ...Array.from({ length: 7 }, () => ({ changed_at: at(1) })),
      ...Array.from({ length: 3 }, () => ({ changed_at: at(1, '000001') })),
      ...[0, 2, 3].map((second) => ({ changed_at: at(second) })),
    );
    const whole = await read(db);
    t.is(whole.rows.length, 13);
    t.is(whole.next, null);
    t.deepEqual(
      whole.rows.map((row) => row.at),
      whole.rows
        .map((row) => row.at)
        .toSorted()
        .reverse(),
    );
    for (const limit of [1, 2, 3, 5, 13]) {
      const seen: string[] = [];
      let page = await read(db, { limit });
      seen.push(...ids(page));
      while (page.next !== null) {
        await write(db, { changed_at: '2026-02-01T00:00:00Z', action: 'meanwhile' });
        page = await read(db, { limit, after: page.next });
        t.true(page.rows.length > 0);
        seen.push(...ids(page));
      }
      t.deepEqual(seen, ids(whole), `limit ${limit}`);
      await db.$client`delete from extension_audit_log where action = 'meanwhile'`;
    }
  },
);

onBoth('audit pages: each filter takes what it names, alone and with others', async (t, database) => {
  const db = database.open();
  const day = (n: number) => `2026-01-0${n}T00:00:00.000Z`;
  await write(
    db,
    { action: 'one', changed_by: 'admin:ada', changed_at: day(1), revision: 1 },
    { action: 'two', changed_by: 'token:ci/ada', changed_at: day(2), extension_id: 'b', revision: 2 },
    { action: 'three', changed_by: 'token:ci', changed_at: day(3), extension_id: "it's", revision: 3 },
    { action: 'four', changed_by: 'system:breaker', changed_at: day(4) },
    { action: 'four', changed_by: null, changed_at: day(5), extension_id: '_' },
  );
  const cases: [Partial<AuditQuery>, string[]][] = [
    [{}, ['four', 'four', 'three', 'two', 'one']],
    [{ extensionId: 'a' }, ['four', 'one']],
    [{ extensionId: "it's" }, ['three']],
    [{ extensionId: '_' }, ['four']],
    [{ action: 'four' }, ['four', 'four']],
    [{ by: 'ada' }, ['two', 'one']],
    [{ by: 'admin:ada' }, ['one']],
    [{ by: 'ci' }, ['three', 'two']],
    [{ by: 'token:ci' }, ['three', 'two']],
    [{ by: 'token:ci/ada' }, ['two']],
    [{ by: 'token' }, ['three', 'two']],
    [{ by: 'ad' }, []],
    [{ by: '%' }, []],
    [{ since: day(2) }, ['four', 'four', 'three', 'two']],
    [{ until: day(2) }, ['one']],
    [{ since: day(2), until: day(4) }, ['three', 'two']],
    [{ afterRevision: 1 }, ['three', 'two']],
    [{ afterRevision: 1, by: 'ada', extensionId: 'b', action: 'two' }, ['two']],
  ];
  for (const [query, expected] of cases) t.deepEqual(actions(await read(db, query)), expected, JSON.stringify(query));
});

onBoth(
  'AUDIT-PAGE-QUERIES-3: a page with large values is short, and a row that is too large comes without them',
  async (t, database) => {
    const db = database.open();
    const values = (bytes: number) => ({ config: { text: 'x'.repeat(bytes) } });
    const large = Array.from({ length: 12 }, (_, i) => ({
      changed_at: `2026-01-01T00:00:${10 + i}Z`,
      new_values: values(500_000),
    }));
    await write(db, ...large, { changed_at: '2026-01-01T00:01:00Z', action: 'huge', new_values: values(600_000) });
    const first = await read(db);
    t.is(first.rows.length, 1 + 8, 'the huge one counts for nothing, and eight are 4 MB');
    t.like(first.rows[0], { action: 'huge', is_too_large: true, new_values: null });
    t.not(first.next, null);
    const second = await read(db, { after: first.next });
    t.deepEqual([second.rows.length, second.next], [4, null]);
    t.true(second.rows.every((row) => !row.is_too_large && (row.new_values?.length ?? 0) > 500_000));
  },
);

onPostgresOnly(
  'AUDIT-PAGE-QUERIES-2: which rows a page has is found in an index, whatever is asked for',
  async (t, database) => {
    const db = database.open();
    await db.$client`insert into extension_audit_log (extension_id, action, changed_by, changed_at, new_values, revision)
    select 'e' || i % 100, case when i % 5000 = 0 then 'rare' else 'update' end, case when i = 77 then 'admin:eve' else 'admin:ada' end,
      '2026-01-01'::timestamptz + i * interval '1 second', jsonb_build_object('config', repeat('x', 300)), i
    from generate_series(1, 20000) as i`;
    await db.$client`vacuum analyze extension_audit_log`;
    const after = (await read(db, { limit: 1 })).next;
    t.not(after, null);
    for (const query of [
      {},
      { after },
      { action: 'rare' },
      { by: 'eve' },
      { extensionId: 'e7' },
      { since: '2026-01-01T05:00:00Z' },
    ]) {
      const plan = await planOf(db, { ...EVERYTHING, limit: 10, ...query });
      t.regex(plan, /Index (Only )?Scan/, JSON.stringify(query));
      t.notRegex(plan, /Seq Scan on extension_audit_log/, `${JSON.stringify(query)}\n${plan}`);
      if ('extensionId' in query) t.regex(plan, /idx_extension_audit_log_of/, plan);
    }
    t.deepEqual(
      (await read(db, { by: 'eve' })).rows.map(({ revision }) => revision),
      [77],
    );
  },
);

/** Of the statement that readAuditPage sends. */
async function planOf(db: Database, query: AuditQuery): Promise<string> {
  let sent = '';
  const unsafe = async (text: string) => {
    sent = text;
    return [];
  };
  const spy = { $client: { unsafe } } as unknown as Database;
  await readAuditPage(spy, query).catch(() => undefined);
  // After the settings of the transaction.
  const [, statement] = sent.split(';\n');
  const rows = await db.$client.unsafe(`explain ${statement}`);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}
