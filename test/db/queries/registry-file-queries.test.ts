// REGISTRY-FILE-QUERIES-1..REGISTRY-FILE-QUERIES-4 of registry-file-queries.ts, and that what is exported comes back to the byte.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import fc from 'fast-check';
import {
  FILE_FORMATS,
  type FileFormat,
  readRegistryDocument,
  renderRegistryDocument,
} from '../../../src/cli/registry/registry-document.js';
import type { Database } from '../../../src/db/client.js';
import { readRegistryRows, writeRegistryChanges } from '../../../src/db/queries/registry-file-queries.js';
import { readChanges, readPosition } from '../../../src/db/queries/registry-queries.js';
import { type Json, parseExactJson, stringifyExactJson } from '../../../src/domain/exact-json.js';
import { parseRegistryFile, registryFile } from '../../../src/domain/registry-file/registry-file.js';
import { diffRegistryFile } from '../../../src/domain/registry-file/registry-file-diff.js';
import { hostileTexts, propertyRuns, TEXTS_THAT_LOOK_LIKE_MORE } from '../../helpers/hostile-text.js';
import { onBothEngines } from '../../helpers/postgres.js';

const test = anyTest as TestFn;
const onMigrated = onBothEngines(test);

const RULES = { ownPrefix: 'extreg.v1', allowedPrefixes: [] };
const WHO = { actor: "cli:o'brien\\", reason: 'why \\ "not"; \'; drop table extensions; --' };

async function importText(db: Database, text: string, prune = false): Promise<number> {
  const read = parseRegistryFile(parseExactJson(text, 100), RULES);
  if ('problems' in read) throw new Error(read.problems.join('\n'));
  const { changes } = diffRegistryFile(await readRegistryRows(db), read.rows, { prune });
  if ((await writeRegistryChanges(db, changes, WHO)) === 'conflict') throw new Error('conflict');
  return changes.length;
}

const exportText = async (db: Database): Promise<string> =>
  stringifyExactJson(registryFile(await readRegistryRows(db)), 2);

const REGISTRY = `{"format": 1, "extensions": {
  "full": {"type": "provider", "subject": "x.full", "timeout_ms": 86400000, "retry": 3, "enabled": false, "version": "v2",
    "breaker_override": "isolated", "metadata": ["ünï 🎉 \\u2028\\u0007", {"": null}],
    "config": {"big": 12345678901234567890, "small": 0.10, "huge": 1e400, "deep": [[[{"a": [true, null, ""]}]]], "__proto__": {"x": 1}, "10": 1, "9": 2},
    "policy": {"breaker": {"open_seconds": 0.50}, "max_in_flight": 3},
    "thresholds": {"failure_threshold": 9, "error_rate_threshold": 0.25, "window_seconds": 61, "half_open_max_requests": 4},
    "versions": {"v1": {"subject": "x.v1", "timeout_ms": 1, "retry": 1, "enabled": false, "breaker_override": "forced_closed", "config": {"a": 1.0},
        "metadata": "text", "routing_rules": {"tenant_id": ["a", 7]}},
      "V 1.0-ü": {"subject": "x.v1", "rollout_percent": 33.33, "rollout_key": "k"}},
    "instances": {"i/1": {"subject": "x.i", "weight": 0, "enabled": false, "version": "v1"}, "j": {"subject": "x.j"}}},
  "123": {"type": "pre", "subject": "x.n"},
  "plain": {"type": "post", "subject": "x.plain"}}}`;

const trail = ({ $client }: Database, after = 0) =>
  $client<{ action: string; extension_id: string; changed_by: string; reason: string; revision: number }[]>`
    select action, extension_id, changed_by, reason, revision::int as revision from extension_audit_log
    where revision > ${after} order by revision, extension_id, action`;

onMigrated(
  'round trip: what is exported and imported into an empty registry is exported to the byte',
  async (t, database) => {
    const db = database.open();
    t.is(await exportText(db), '{\n  "format": 1,\n  "extensions": {}\n}');
    t.is(await importText(db, REGISTRY), 7);
    const first = await exportText(db);
    for (const exact of ['12345678901234567890', '0.10', `1${'0'.repeat(400)}`, '0.50', '"__proto__"', '33.33'])
      t.true(first.includes(exact), exact);
    t.is(await importText(db, REGISTRY), 0);
    t.is(await importText(db, first), 0);

    t.is(await importText(db, '{"format": 1, "extensions": {}}', true), 7);
    t.is(await exportText(db), '{\n  "format": 1,\n  "extensions": {}\n}');
    t.is(await importText(db, first), 7);
    t.is(await exportText(db), first);
  },
);

/** Rows of one extension that hold every hostile text wherever a column holds text, with the digest of what was stored. */
async function storeHostileTexts({ $client }: Database, seed: number): Promise<void> {
  const texts = [...TEXTS_THAT_LOOK_LIKE_MORE, ...fc.sample(hostileTexts, { numRuns: 100, seed })];
  const tree = { list: texts, keys: Object.fromEntries(texts.map((text) => [text, { [text]: text }])) };
  const named = [...new Set(texts.filter((text) => text !== '' && [...text].length <= 32))];
  const rules = Object.fromEntries(texts.filter((text) => text !== '').map((text) => [text, [text]]));
  await $client`insert into extensions (id, type, subject, version, config, metadata)
    values ('e', 'pre', 'x.e', ${' \u0085v\t'}, ${JSON.stringify(tree)}::text::jsonb, ${JSON.stringify(texts)}::text::jsonb)`;
  await $client`insert into extension_versions (id, version, subject, metadata, routing_rules)
    select 'e', version, 'x.e', to_jsonb(version), case n when 1 then ${JSON.stringify(rules)}::text::jsonb else '{}' end
    from jsonb_array_elements_text(${JSON.stringify(named)}::text::jsonb) with ordinality as v (version, n)`;
  await $client`insert into extension_versions (id, version, subject, rollout_percent, rollout_key)
    values ('e', 'in the rollout', 'x.e', 1, ${'\ta\u2028='})`;
  await $client`insert into extension_instances (extension_id, instance_id, subject, version)
    select 'e', 'i' || n, 'x.e', version
    from jsonb_array_elements_text(${JSON.stringify(named)}::text::jsonb) with ordinality as v (version, n)`;
}

async function storedDigest({ $client }: Database): Promise<unknown> {
  const [row] = await $client`select
    (select md5(string_agg(concat(version, config, metadata), '|')) from extensions) as extensions,
    (select md5(string_agg(concat(version, metadata, routing_rules, rollout_key), '|' order by version collate "C"))
      from extension_versions) as versions,
    (select md5(string_agg(version, '|' order by version collate "C")) from extension_instances) as instances`;
  return row;
}

async function roundTrip(t: ExecutionContext, db: Database, file: string, format: FileFormat): Promise<void> {
  const stored = await storedDigest(db);
  const tree = registryFile(await readRegistryRows(db));
  writeFileSync(file, renderRegistryDocument(tree, format));
  const read = stringifyExactJson(await readRegistryDocument({ stdin: process.stdin, cwd: tmpdir() }, file, format));
  await db.$client`delete from extensions`;
  await importText(db, read);
  t.deepEqual(await storedDigest(db), stored, format);
  t.true(
    renderRegistryDocument(registryFile(await readRegistryRows(db)), format) === renderRegistryDocument(tree, format),
  );
}

onMigrated(
  'round trip: every text comes back to the byte, in every column, as YAML and as JSON',
  async (t, database) => {
    const db = database.open();
    const directory = mkdtempSync(join(tmpdir(), 'extreg-file-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    // An extension has room for so many texts: more of them take another one.
    for (let seed = 1; seed <= propertyRuns(1, 50); seed++) {
      await storeHostileTexts(db, seed);
      for (const format of FILE_FORMATS) await roundTrip(t, db, join(directory, 'registry'), format);
      await db.$client`delete from extensions`;
    }
  },
);

onMigrated(
  'REGISTRY-FILE-QUERIES-1: one revision, one actor, one reason; the second time nothing',
  async (t, database) => {
    const db = database.open();
    await importText(db, REGISTRY);
    const rows = await trail(db);
    t.is(rows.length, 8);
    t.deepEqual(
      [...new Set(rows.map((row) => JSON.stringify([row.revision, row.changed_by, row.reason])))],
      [JSON.stringify([1, WHO.actor, WHO.reason])],
    );
    t.deepEqual(rows.map((row) => `${row.extension_id} ${row.action}`).sort(), [
      '123 create',
      'full create',
      'full instance_create',
      'full instance_create',
      'full thresholds_update',
      'full version_create',
      'full version_create',
      'plain create',
    ]);
    const [made] = await db.$client`select created_by, updated_by from extensions where id = 'plain'`;
    t.deepEqual({ ...made }, { created_by: WHO.actor, updated_by: WHO.actor });
    await importText(db, REGISTRY);
    t.is((await trail(db)).length, 8);
  },
);

onMigrated('REGISTRY-FILE-QUERIES-1: where a row cannot be written none is', async (t, database) => {
  const db = database.open();
  const { $client } = db;
  await $client`alter table extension_instances add constraint no_j check (instance_id <> 'j')`;
  await t
    .throwsAsync(() => importText(db, REGISTRY))
    .finally(() => $client`alter table extension_instances drop constraint no_j`);
  t.is((await db.$client`select 1 from extensions`).length, 0);
});

onMigrated(
  'REGISTRY-FILE-QUERIES-2: a row that somebody changed, made or deleted in between is a conflict, and nothing is written',
  async (t, database) => {
    const db = database.open();
    const { $client } = db;
    await importText(db, REGISTRY);
    const wanted = (tree: Json) => {
      const read = parseRegistryFile(tree, RULES);
      return 'rows' in read ? read.rows : [];
    };
    const changed = {
      full: { type: 'provider', subject: 'x.full', retry: 4 },
      made: { type: 'pre', subject: 'x.made' },
    };
    for (const between of [
      $client`update extensions set timeout_ms = timeout_ms - 1 where id = 'full'`,
      $client`insert into extensions (id, type, subject) values ('made', 'pre', 'x.other')`,
      $client`delete from extensions where id = 'full'`,
    ]) {
      const stored = await readRegistryRows(db);
      await between;
      const { changes } = diffRegistryFile(stored, wanted({ format: 1, extensions: changed }), { prune: false });
      t.is(await writeRegistryChanges(db, changes, WHO), 'conflict');
      const [row] = await $client`select
      (select retry from extensions where id = 'full') as retry, (select subject from extensions where id = 'made') as made`;
      t.true(row?.retry !== 4 && row?.made !== 'x.made');
      await $client`delete from extensions where id = 'made'`;
    }
  },
);

onMigrated(
  'REGISTRY-FILE-QUERIES-3: an extension that is off by itself is exported as on, and stays off by itself',
  async (t, database) => {
    const db = database.open();
    const { $client } = db;
    await importText(db, REGISTRY);
    await $client.unsafe(`
    set local extreg.actor = 'system:auto-manager';
    update extensions set enabled = false, auto_disabled = true where id = 'plain'`);
    const text = await exportText(db);
    const { extensions } = JSON.parse(text) as { extensions: Record<string, { enabled: boolean }> };
    t.deepEqual([extensions.plain?.enabled, extensions.full?.enabled], [true, false]);
    t.is(await importText(db, text), 0);
    await importText(db, text.replace('"x.plain"', '"x.moved"'));
    const state = () => $client`select enabled, auto_disabled, subject from extensions where id = 'plain'`;
    t.deepEqual([...(await state())], [{ enabled: false, auto_disabled: true, subject: 'x.moved' }]);
    // A person's off is one, also where it was off already.
    t.is(
      await importText(
        db,
        '{"format": 1, "extensions": {"plain": {"type": "post", "subject": "x.moved", "enabled": false}}}',
      ),
      1,
    );
    t.deepEqual([...(await state())], [{ enabled: false, auto_disabled: false, subject: 'x.moved' }]);
  },
);

onMigrated('REGISTRY-FILE-QUERIES-4: thresholds alone are audited, and the feed reads them', async (t, database) => {
  const db = database.open();
  await importText(db, REGISTRY);
  const before = await readPosition(db);
  const plain = (thresholds: string) =>
    `{"format": 1, "extensions": {"plain": {"type": "post", "subject": "x.plain", "thresholds": ${thresholds}}}}`;
  t.is(await importText(db, plain('{"failure_threshold": 8}')), 1);
  t.deepEqual(
    (await trail(db, 1)).map((row) => `${row.extension_id} ${row.action} ${row.revision}`),
    ['plain thresholds_update 2'],
  );
  const { entries } = await readChanges(db, before);
  t.like(entries[0], { extension: { id: 'plain' }, thresholds: { failure_threshold: 8, window_seconds: null } });
  t.is(await importText(db, plain('{}')), 1);
  t.is(
    (await readRegistryRows(db)).find((row) => row.extensionId === 'plain')?.fields.thresholds?.toString(),
    {}.toString(),
  );
  t.false((await exportText(db)).includes('"failure_threshold": 8'));
});

onMigrated("round trip: the predecessor's nulls and defaults mean their defaults", async (t, database) => {
  const db = database.open();
  await db.$client.unsafe(`
    insert into extensions (id, type, subject, config, metadata, policy) values ('a', 'pre', 'x.a', null, null, null), ('b', 'pre', 'x.b', 'null', 'null', 'null');
    insert into extension_instances (extension_id, instance_id, subject, weight) values ('a', 'i', 'x.i', null);
    insert into extension_health (extension_id, circuit_breaker_failure_threshold, circuit_breaker_error_rate_threshold, half_open_max_requests)
      values ('a', 5, 0.5, 7)`);
  const text = await exportText(db);
  t.deepEqual(JSON.parse(text).extensions.a, {
    type: 'pre',
    subject: 'x.a',
    timeout_ms: 5000,
    retry: 0,
    enabled: true,
    version: 'v1',
    thresholds: { half_open_max_requests: 7 },
    instances: { i: { subject: 'x.i', weight: 100, enabled: true } },
  });
  t.is(await importText(db, text), 0);
  t.is(await importText(db, text, true), 0);
});
