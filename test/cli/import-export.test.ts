import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { onBothEngines, type TestDatabase } from '../helpers/postgres.js';
import { directory, run, start } from './run.js';

const test = anyTest as TestFn;
const onMigrated = onBothEngines(test);

const REGISTRY = `format: 1
extensions:
  guard:
    type: validator
    subject: x.guard
    config: {big: 12345678901234567890, note: "zwölf 🎉"}
    versions:
      v1: {subject: x.guard.v1, timeout_ms: 200}
    instances:
      a: {subject: x.guard.v1, weight: 50}
  text:
    type: pre
    subject: x.text
`;

function commands(t: ExecutionContext, { connection }: TestDatabase) {
  const cwd = directory(t);
  const env: Record<string, string> =
    connection.kind === 'url'
      ? { DATABASE_URL: connection.url }
      : { EXTENSION_REGISTRY_DATA_DIR: connection.kind === 'embedded' ? connection.socketDir : '' };
  return {
    cwd,
    start: (args: string[]) => start(args, { cwd, env }),
    extreg: (args: string[], input?: string) => run(args, { cwd, env, ...(input === undefined ? {} : { input }) }),
  };
}

onMigrated('import and export: there and back, dry run, prune, and who did it', async (t, database) => {
  const { cwd, extreg } = commands(t, database);
  const { $client } = database.open();
  const trail = () => $client`select changed_by, reason from extension_audit_log`;
  t.is((await extreg(['export'])).stdout, 'format: 1\nextensions: {}\n');

  writeFileSync(join(cwd, 'r.yaml'), REGISTRY);
  const dry = await extreg(['import', 'r.yaml', '--dry-run']);
  t.is(dry.code, 0, dry.stderr);
  t.regex(
    dry.stdout,
    /^create extension guard\n {2}type: validator\n {2}subject: x\.guard\n {2}config: \{"big":12345678901234567890,/,
  );
  t.regex(dry.stdout, /\n4 to create, 0 to change, 0 unchanged; nothing was written\n$/);
  t.is((await trail()).length, 0);

  const made = await extreg(['import', 'r.yaml', '--as', 'Zoë', '--reason', 'the first']);
  t.regex(made.stdout, /\n4 created, 0 changed, 0 unchanged\n$/, made.stderr);
  t.deepEqual([...new Set((await trail()).map((row) => `${row.changed_by}: ${row.reason}`))], ['Zoë: the first']);
  const again = await extreg(['import', '-'], REGISTRY);
  t.is(again.stdout, '0 created, 0 changed, 4 unchanged\n', again.stderr);
  t.is((await trail()).length, 4);

  const changed = await extreg(['import', '-', '--json'], REGISTRY.replace('200', '300'));
  t.deepEqual(JSON.parse(changed.stdout), {
    dry_run: false,
    summary: { create: 0, change: 1, delete: 0, unchanged: 3, needs_force: false },
    changes: [
      {
        action: 'change',
        kind: 'version',
        extension_id: 'guard',
        version: 'v1',
        fields: { timeout_ms: { old: 200, new: 300 } },
      },
    ],
  });
  t.is((await $client`select 1 from extension_audit_log where changed_by = ${`cli:${userInfo().username}`}`).length, 1);

  t.deepEqual(await extreg(['export', 'out.json']), { code: 0, stdout: '', stderr: '' });
  const text = readFileSync(join(cwd, 'out.json'), 'utf8');
  t.true(text.includes('"big": 12345678901234567890'));
  t.is((await extreg(['export', '--format', 'json'])).stdout, text);
  t.is((await extreg(['export', '--json'])).stdout, text);
  const pruned = await extreg(
    ['import', '-', '--prune', '--yes'],
    'format: 1\nextensions: {text: {type: pre, subject: x.text}}\n',
  );
  t.is(
    pruned.stdout,
    'delete extension guard\ndelete version v1 of guard\ndelete instance a of guard\n0 created, 0 changed, 3 deleted, 1 unchanged\n',
    pruned.stderr,
  );
  t.is((await extreg(['import', 'out.json'])).code, 0);
  t.is((await extreg(['export', '--json'])).stdout, text);
  t.deepEqual(readdirSync(cwd).sort(), ['out.json', 'r.yaml']);
});

onMigrated(
  'import: a prune of more than half needs --force, a file with problems writes nothing',
  async (t, database) => {
    const { extreg } = commands(t, database);
    const { $client } = database.open();
    await $client`insert into extensions (id, type, subject) select 'e' || i, 'pre', 'x.' || i from generate_series(1, 10) as i`;
    const empty = 'format: 1\nextensions: {}\n';
    const refused = await extreg(['import', '-', '--prune', '--yes'], empty);
    t.deepEqual(refused, {
      code: 1,
      stdout: '',
      stderr:
        'extreg: this would delete 10 of 10 extensions; nothing was written, --force does it\nnext: see what it deletes with --dry-run\n',
    });
    const dry = await extreg(['import', '-', '--prune', '--dry-run'], empty);
    t.regex(
      dry.stdout,
      /10 to delete.*; nothing was written\nthis would delete 10 of 10 extensions: without --dry-run this needs --force\n$/,
    );

    const bad = await extreg(
      ['import', '-'],
      'format: 1\nextensions:\n  a: {type: pre, subject: "x.*"}\n  b: {type: pre, subject: x.b, retry: -1}\n',
    );
    t.deepEqual(bad, {
      code: 65,
      stdout: '',
      stderr: `extreg: standard input is not valid, and nothing was written; 2 problems:
  extensions.a.subject must be plain tokens joined by dots, without wildcards, got "x.*"
  extensions.b.retry must be >= 0, got -1
`,
    });
    t.is((await $client`select 1 from extensions`).length, 10);
    t.regex((await extreg(['import', '-', '--prune', '--force', '--yes'], empty)).stdout, /10 deleted, 0 unchanged\n$/);
    t.is((await $client`select 1 from extensions`).length, 0);
  },
);

onMigrated('export: what an import would refuse is in the file, and told', async (t, database) => {
  const { extreg } = commands(t, database);
  await database.open().$client`insert into extensions (id, type, subject) values ('a.b', 'pre', 'x.>')`;
  const { code, stdout, stderr } = await extreg(['export']);
  t.is(code, 0);
  t.regex(stdout, /\n {2}a\.b:\n {4}type: pre\n {4}subject: x\.>\n/);
  t.is(
    stderr,
    `extreg: extreg import will not take this file as it is:
  extensions."a.b".id must be 1 to 255 of A-Z a-z 0-9 _ : -, got "a.b"
  extensions."a.b".subject must be plain tokens joined by dots, without wildcards, got "x.>"
`,
  );
});

onMigrated('EXTREG-2: an export larger than a pipe is whole, however slow its reader', async (t, database) => {
  const { cwd, extreg, start } = commands(t, database);
  await database.open().$client`
    insert into extensions (id, type, subject) select 'e' || i, 'pre', 'x.' || i from generate_series(1, 3000) as i`;
  await extreg(['export', 'all.yaml']);
  const child = start(['export']);
  let size = 0;
  for await (const chunk of child.stdout) {
    size += (chunk as Buffer).length;
    await new Promise((resume) => setImmediate(resume));
  }
  t.is(size, statSync(join(cwd, 'all.yaml')).size);
  t.true(size > 300_000);
});

const misuse = test.macro<[args: string[], code: number, expected: RegExp]>({
  async exec(t, args, code, expected) {
    const cwd = directory(t);
    writeFileSync(join(cwd, 'ok.yaml'), 'format: 1\nextensions: {}\n');
    const result = await run(args, { cwd });
    t.is(result.code, code);
    t.is(result.stdout, '');
    t.regex(result.stderr, expected);
    t.notRegex(result.stderr, /\n {4}at /);
    t.false(existsSync(join(cwd, '.extreg')));
  },
  title: (_, args, code) => `MAIN-1: extreg ${args.join(' ')} ends with ${code}`,
});
test(misuse, ['import'], 64, /missing required argument 'file'/);
test(misuse, ['import', 'a.txt'], 64, /expected a name that ends in/);
test(misuse, ['import', 'ok.yaml', '--format', 'xml'], 64, /--format: expected yaml or json, got 'xml'/);
test(misuse, ['import', 'ok.yaml', '--force'], 64, /--force: has a meaning only with --prune/);
test(
  misuse,
  ['import', 'ok.yaml', '--prune'],
  64,
  /--yes: expected, since no terminal can be asked: This deletes what ok.yaml lacks/,
);
test(
  misuse,
  ['import', 'ok.yaml', '--as', 'system:auto-manager'],
  64,
  /names that begin with system: are the daemon's/,
);
test(misuse, ['import', 'ok.yaml', '--as', ''], 64, /--as: expected 1 to 255 characters, got ""/);
test(misuse, ['import', 'none.yaml'], 65, /none\.yaml cannot be read: ENOENT/);
test(misuse, ['import', 'ok.yaml'], 69, /there is no database in .*; 'extreg migrate' makes one/);
test(misuse, ['export'], 69, /there is no database in/);
test(misuse, ['export', 'a.txt'], 64, /expected a name that ends in/);

onMigrated('import: a rollout that does not fit what the file leaves alone is not written', async (t, database) => {
  const { extreg } = commands(t, database);
  const of = (version: string, percent: number) =>
    `{format: 1, extensions: {a: {type: pre, subject: x, versions: {${version}: {subject: x, rollout_percent: ${percent}}}}}}`;
  t.is((await extreg(['import', '-'], of('v2', 60))).code, 0);
  for (const options of [[], ['--dry-run']]) {
    const { code, stdout, stderr } = await extreg(['import', '-', ...options], of('v3', 50));
    t.is(code, 65);
    t.is(stdout, '');
    t.regex(
      stderr,
      /nothing was written; 1 problem:\n {2}extensions\.a, with .*: rollout_percent .*, got 110: v2 60, v3 50\n$/,
    );
  }
  const rows = await database.open().$client`select version from extension_versions`;
  t.deepEqual(
    rows.map((row) => row.version),
    ['v2'],
  );
});
