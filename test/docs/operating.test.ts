// docs/operating.md does what it says: its commands print what it shows, its SQL is what the verbs are.
import { existsSync, readdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import test, { type ExecutionContext } from 'ava';
import { snapshotPath } from '../../src/db/feed/snapshot-file.js';
import { VERBS } from '../../src/domain/registry/verbs.js';
import { TEMPLATE_FILE } from '../../src/embedded/postgres/embedded-template.js';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { until } from '../helpers/until.js';
import { isLike } from './page.js';
import { Shell } from './shell.js';
import { readDocument } from './tables.js';

const DOCUMENT = readDocument('operating.md');
const blocks = (language: string): string[] =>
  [...DOCUMENT.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, block = '']) => block);

test('docs/operating.md: its table has every verb', (t) => {
  const listed = [...DOCUMENT.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, verb]) => verb);
  t.deepEqual(listed.sort(), [...VERBS].sort());
});

/** Each command of a block with what it prints, in an order that they share. */
const stepsOf = (console: string): { readonly command: string; readonly expected: string }[] =>
  console
    .split(/^\$ /m)
    .slice(1)
    .map((step) => {
      const [command = ''] = step.split('\n');
      return { command, expected: step.slice(command.length + 1) };
    });

const shared = DaemonProcess.shared(test);

const shellOf = (t: ExecutionContext, { url, dataDir }: DaemonProcess): Shell =>
  new Shell(t, { url, links: { '.extreg': dataDir } });

// First, because it prints revisions of the registry.
test.serial('docs/operating.md: a rollout goes as it says', async (t) => {
  const daemon = await shared();
  const sql = daemon.sql();
  await sql`insert into extensions (id, type, subject) values ('normalize_text', 'pre', 'ext.a')`;
  await sql`insert into extension_versions (id, version, subject) values ('normalize_text', 'v1', 'ext.a')`;
  await sql.unsafe(blocks('postgresql').find((block) => block.includes('rollout_percent')) ?? '');
  await until('it is known', async () => ((await daemon.health('normalize_text')).versions?.length ?? 0) === 2);
  const shell = shellOf(t, daemon);
  const steps = blocks('console').slice(1).flatMap(stepsOf);
  t.is(steps.length, 8);
  // Whoever runs it is called ada, at any time; columns are as wide as they are.
  const plain = (printed: string): string =>
    printed
      .replaceAll(`local:${userInfo().username}`, 'local:ada')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'now')
      .replace(/ {2,}/g, '  ')
      .trimEnd();
  for (const { command, expected } of steps) t.is(plain(await shell.run(command)), plain(expected), command);
});

test.serial(
  'docs/operating.md: its commands print what it says, its SQL does what it says, its data directory is listed',
  async (t) => {
    const daemon = await shared();
    const sql = daemon.sql();
    await sql`delete from extensions`;
    await sql`truncate extension_audit_log`;
    await until(
      'nothing is known',
      async () => (await daemon.fetch('/admin/extensions/normalize_text/health')).status === 404,
    );
    await sql`insert into extensions (id, type, subject) values ('normalize_text', 'pre', 'ext.a')`;
    await sql`insert into extension_versions (id, version, subject)
    values ('normalize_text', 'v1', 'ext.a'), ('normalize_text', 'v2', 'ext.a2')`;
    await until('it is known', async () => ((await daemon.health('normalize_text')).versions?.length ?? 0) === 2);

    const shell = shellOf(t, daemon);
    const [verbs = ''] = blocks('console');
    const steps = stepsOf(verbs);
    t.is(steps.length, 5);
    for (const { command, expected } of steps)
      t.is(likeAda(await shell.run(command)).trimEnd(), expected.trimEnd(), command);

    const [statements = '', transaction = ''] = blocks('sql');
    for (const line of statements.trim().split('\n')) {
      const [statement = '', action] = line.split(/ *-- /);
      await sql.unsafe(statement);
      const [row] =
        await sql`select action, changed_by from extension_audit_log where revision > 0 order by revision desc limit 1`;
      t.deepEqual({ ...row }, { action, changed_by: 'db:postgres' });
    }
    t.is(statements.trim().split('\n').length, VERBS.length);
    await sql.unsafe(transaction);
    const [row] =
      await sql`select action, changed_by, reason from extension_audit_log where revision > 0 order by revision desc limit 1`;
    t.deepEqual({ ...row }, { action: 'isolate', changed_by: 'ada', reason: 'returns garbage' });

    // The data directory of a daemon that runs, and what may be there besides.
    await until('the snapshot is written', () => existsSync(snapshotPath(daemon.dataDir)));
    const listed = new Set([...DOCUMENT.matchAll(/^\| `([\w.-]+)\/?` \|/gm)].map(([, name]) => name));
    for (const name of [...readdirSync(daemon.dataDir), TEMPLATE_FILE, 'pgdata.new', 'registry-snapshot.json.new'])
      t.true(listed.has(name), name);
  },
);

test.serial('docs/operating.md: an operator at night finds what is wrong, why, and what to do', async (t) => {
  const daemon = await shared();
  const sql = daemon.sql();
  await sql`delete from extensions`;
  await sql`insert into extensions (id, type, subject) values ('pii_guard', 'pre', 'ext.a')`;
  await until('it is known', async () => (await daemon.fetch('/admin/extensions/pii_guard/health')).status === 200);
  const shell = shellOf(t, daemon);
  await shell.run("npx extreg isolate pii_guard --reason 'returns garbage'");
  const steps = blocks('shell-session').flatMap(stepsOf);
  t.is(steps.length, 6);
  for (const { command, expected } of steps) {
    let printed = '';
    // The board and the trail may be a moment behind.
    await until(command, async () => {
      printed = await shell.run(command);
      return isLike(printed, expected) || !/extreg (ls|audit|events)/.test(command);
    }).catch(() => undefined);
    if (!isLike(printed, expected)) t.is(printed, expected, command);
  }
  t.pass();
});

/** Whoever runs the tests is called ada; columns are as wide as their widest cell. */
function likeAda(printed: string): string {
  const user = `local:${userInfo().username}`;
  const width = Math.max(user.length, 'changed_by'.length, 'admin:ada'.length);
  return printed
    .replaceAll(user.padEnd(width), 'local:ada'.padEnd('changed_by'.length))
    .replaceAll('changed_by'.padEnd(width), 'changed_by')
    .replaceAll('admin:ada'.padEnd(width), 'admin:ada'.padEnd('changed_by'.length));
}
