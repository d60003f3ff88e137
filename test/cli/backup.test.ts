// `extreg backup` and `extreg restore`: what was there is back, and a file that is not whole changes nothing.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { headers } from '#@nats-io/nats-core';
import { openEmbedded } from '../../src/embedded/postgres/embedded.js';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { copyEmbedded } from '../helpers/embedded-template.js';
import { startExtension } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';
import { directory, run } from './run.js';

const broken = () => {
  const of = headers();
  of.set('Nats-Service-Error-Code', '500');
  return { headers: of };
};

const in_ = (cwd: string, dataDir = join(cwd, '.extreg')) => {
  const command = (...args: string[]) => run([...args, '--data-dir', dataDir], { cwd });
  const rowsOf = async (statement: string): Promise<unknown[]> =>
    (JSON.parse((await command('sql', '--json', statement)).stdout) as { rows: unknown[] }).rows;
  return { command, rowsOf };
};

/** Everything that a backup has, in a form that can be compared. */
const EVERYTHING = `select
  (select jsonb_agg(to_jsonb(t) order by id) from extensions t) as extensions,
  (select jsonb_agg(to_jsonb(t) order by id, version) from extension_versions t) as versions,
  (select jsonb_agg(to_jsonb(t) order by id) from extension_audit_log t) as trail,
  (select jsonb_agg(to_jsonb(t) order by id) from extension_tokens t) as tokens,
  (select to_jsonb(t) from registry_revision t) as revision,
  (select jsonb_agg(jsonb_build_array(extension_id, circuit_breaker_state, circuit_breaker_opened_at)) from extension_health t) as breakers`;

test('BACKUP-QUERIES-1, BACKUP-QUERIES-2, BACKUP-QUERIES-3: a running daemon: backed up, changed, restored, and it notices; and once more after all of it is destroyed', async (t) => {
  const daemon = await DaemonProcess.startReady(t);
  const cwd = directory(t);
  const { command, rowsOf } = in_(cwd, daemon.dataDir);
  const nc = await daemon.connect();
  await startExtension(nc, 'ext.flaky', broken);
  await daemon.sql()`insert into extensions (id, type, subject, config) values ('flaky', 'pre', 'ext.flaky', '{"text": "it''s \\"ключ\\"", "number": 12345678901234567890}')`;
  await until('the extension is known', async () => (await daemon.state('flaky')) === 'closed');
  for (let i = 0; i < 5; i += 1) await invoke(nc, 'flaky');
  await until('it is disabled', async () => (await daemon.health('flaky')).auto_disabled);
  const facts = "select count(*)::int as n from extension_health where circuit_breaker_state = 'open'";
  await until('its facts are written', async () => ((await rowsOf(facts)) as { n: number }[])[0]?.n === 1);
  t.is((await command('token', 'create', 'ada', '--role', 'admin')).code, 0);
  const file = join(cwd, 'registry.backup');
  let before: unknown;
  let made = await command('backup', file);
  // What the daemon writes by itself may come in between.
  await until('nothing is written meanwhile', async () => {
    [before] = await rowsOf(EVERYTHING);
    made = await command('backup', file, '--force');
    return isDeepStrictEqual(before, (await rowsOf(EVERYTHING))[0]);
  });
  t.is(made.code, 0, made.stderr);
  t.regex(made.stdout, /^1 extensions, \d+ rows in all: .*registry\.backup\n$/);
  t.is(statSync(file).mode & 0o777, 0o600);

  await daemon.sql()`insert into extensions (id, type, subject) values ('later', 'pre', 'ext.later')`;
  await daemon.sql()`delete from extensions where id = 'flaky'`;
  await daemon.sql()`delete from extension_tokens`;
  await until('the change is in force', async () => (await daemon.state('later')) === 'closed');
  t.is((await command('restore', file)).code, 64, 'without --yes and without a terminal');
  const restored = await command('restore', file, '--yes');
  t.is(restored.code, 0, restored.stderr);
  await until('the daemon notices', () => daemon.has('registry_history_changed'));
  // By the token of daemon.json: the restored one is asked for.
  const isServed = async () => (await command('health', 'flaky')).code === 0;
  await until('it serves what was restored', isServed);
  const isAsked = async () => (await fetch(`${daemon.url}/admin/extensions/later/health`)).status === 401;
  await until('the token is back, and is asked for', isAsked);
  t.is(await daemon.stop(), 0);

  rmSync(join(daemon.dataDir, 'pgdata'), { recursive: true });
  const anew = in_(cwd, await openedCopy(t, join(directory(t), '.extreg')));
  t.is((await anew.command('restore', file, '--yes', '-q')).code, 0);
  t.deepEqual((await anew.rowsOf(EVERYTHING))[0], before);
});

/** Open for all commands: each would open it by itself. */
async function openedCopy(t: ExecutionContext, dataDir: string): Promise<string> {
  await copyEmbedded(dataDir);
  const database = await openEmbedded(dataDir, { onFailure: (error) => t.fail(error.message) });
  t.teardown(() => database.close());
  return dataDir;
}

interface Place {
  readonly cwd: string;
  readonly file: string;
  readonly command: (...args: string[]) => ReturnType<typeof run>;
  readonly rowsOf: (statement: string) => Promise<unknown[]>;
}

async function placeOf(t: ExecutionContext): Promise<Place> {
  const cwd = directory(t);
  await openedCopy(t, join(cwd, '.extreg'));
  const place = in_(cwd);
  const file = join(cwd, 'a.backup');
  await place.command('sql', "insert into extensions (id, type, subject) values ('a', 'pre', 'x.a')");
  t.is((await place.command('backup', file)).code, 0);
  return { cwd, file, ...place };
}

/** With a checksum that fits. */
function changed(text: string, from: RegExp, to: string): string {
  const content = text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1).replace(from, to);
  const sha256 = createHash('sha256').update(content).digest('hex');
  return `${content}${JSON.stringify({ rows: content.split('\n').length - 2, sha256 })}\n`;
}

test('BACKUP-FILE-1, BACKUP-FILE-2: a file that is not whole is refused with its reason and changes nothing; a backup is there as a whole or not at all, and overwrites nothing by itself', async (t) => {
  const { cwd, file, command, rowsOf } = await placeOf(t);
  const text = readFileSync(file, 'utf8');
  const [before] = await rowsOf(EVERYTHING);
  const refused = async (content: string, reason: RegExp): Promise<void> => {
    const other = join(cwd, 'other.backup');
    writeFileSync(other, content);
    const { code, stderr } = await command('restore', other, '--yes');
    t.is(code, 65, content.slice(0, 80));
    t.regex(stderr, reason);
  };
  for (const length of [text.length - 2, text.length - 5, text.length >> 1, text.indexOf('\n') + 1])
    await refused(text.slice(0, length), /cut off, or was changed|not a file of extreg backup/);
  await refused(text.replace('x.a', 'x.b'), /cut off, or was changed/);
  for (const foreign of ['', '{}\n', 'id,type\n', '{"format":"extreg-backup"}\n', '\u0000\u0001'])
    await refused(foreign, /not a file of extreg backup/);
  await refused(changed(text, /"schema":\d+/, '"schema":99'), /newer version \(schema 99, this one knows \d+\)/);
  await refused(changed(text, /"version":1/, '"version":2'), /newer version/);
  await refused(
    changed(text, /^extensions /m, 'extensions_of_later '),
    /rows of extensions_of_later, which this version/,
  );
  await refused(
    changed(text, /"extensions":\[/, '"extensions":[7,'),
    /columns of extensions: expected a list of names/,
  );
  await refused(changed(text, /"schema":\d+/, '"schema":"9"'), /not a file of extreg backup/);
  await refused(changed(text, /"subject"/, '"subject","of_later"'), /extensions\.of_later/);
  const missing = await command('restore', join(cwd, 'nothing'), '--yes');
  t.is(missing.code, 65);
  t.regex(missing.stderr, /ENOENT/);
  t.deepEqual((await rowsOf(EVERYTHING))[0], before);
  const nowhere = join(cwd, 'new');
  const later = join(cwd, 'other.backup');
  writeFileSync(later, changed(text, /"schema":\d+/, '"schema":99'));
  for (const path of [join(cwd, 'nothing'), later])
    t.is((await run(['restore', path, '--yes', '--data-dir', nowhere], { cwd })).code, 65);
  t.false(existsSync(nowhere), 'no database is made for a file that is refused');
  // As of a version that had no such table yet.
  writeFileSync(later, changed(text, /"extension_rollouts":\[[^\]]*\],/, ''));
  const older = await command('restore', later, '--yes');
  t.is(older.code, 0, older.stderr);
  t.deepEqual((await rowsOf(EVERYTHING))[0], before);
  // A row that the database refuses.
  const row = await command('restore', file, '--yes');
  t.is(row.code, 0, row.stderr);
  writeFileSync(file, changed(text, /"type": ?"pre"/, '"type": 7'));
  t.not((await command('restore', file, '--yes')).code, 0);
  t.deepEqual((await rowsOf(EVERYTHING))[0], before);
  writeFileSync(file, text);
  const again = await command('backup', file);
  t.is(again.code, 65);
  t.regex(again.stderr, /exists already\nnext: .*--force/);
  t.is((await command('backup', file, '--force', '--json')).code, 0);
  t.not(readFileSync(file, 'utf8'), text, 'its time is another');
  t.deepEqual(
    readdirSync(cwd).filter((name) => name.includes('backup')),
    ['a.backup', 'other.backup'],
  );
  t.is((await command('backup', join(cwd, 'no', 'such', 'directory'))).code, 65);
});

test('PostgreSQL: both end with an error, and print the line of its own program, without a password', async (t) => {
  const cwd = directory(t);
  const url = 'postgres://me:ge%40heim@db.example:5433/registry?sslmode=require';
  const dump = await run(['backup', "it's.dump"], { cwd, env: { DATABASE_URL: url } });
  t.is(dump.code, 64);
  t.regex(
    dump.stderr,
    /next: pg_dump --format=custom --file='.*it'\\''s\.dump' --dbname='postgres:\/\/me@db\.example:5433\/registry\?sslmode=require'\n/,
  );
  for (const [given, shown] of [
    ['postgres://me:ge@he:im@db.example/registry', 'postgres://me@db.example/registry?sslmode=prefer'],
    ['postgres://me@db.example/registry?password=geheim', 'postgres://me@db.example/registry?sslmode=prefer'],
    ['postgres://db.example/r?user=me&sslpassword=geheim', 'postgres://db.example/r?user=me&sslmode=prefer'],
  ] as const) {
    const { stderr } = await run(['backup', 'a.dump'], { cwd, env: { DATABASE_URL: given } });
    t.true(stderr.includes(`--dbname='${shown}'`) || stderr.includes(`--dbname=${shown}\n`), stderr);
  }
  const parts = { EXTENSION_REGISTRY_DB_HOST: 'db.example', EXTENSION_REGISTRY_DB_PASSWORD: 'geheim' };
  const back = await run(['restore', 'a.dump', '--yes'], { cwd, env: parts });
  t.is(back.code, 64);
  t.regex(
    back.stderr,
    /next: pg_restore --clean --if-exists --single-transaction --dbname=postgresql:\/\/.*@db\.example:5432\/\S+ .*a\.dump\n/,
  );
  t.false(`${dump.stderr}${back.stderr}`.includes('heim'));
});
