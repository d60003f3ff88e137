// `extreg doctor`: what it finds, and what it says to do.
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { NatsConnection } from '#@nats-io/nats-core';
import postgresClient from '#postgres';
import { findingsText } from '../../../src/cli/commands/doctor.js';
import { checkClock, checkDatabase } from '../../../src/cli/doctor/database.js';
import { failed } from '../../../src/cli/doctor/findings.js';
import { checkDisk, checkNode } from '../../../src/cli/doctor/machine.js';
import { checkNats, checkPermissions } from '../../../src/cli/doctor/nats.js';
import { loadConfig } from '../../../src/config/config.js';
import { TestServer } from '../../helpers/nats-server.js';
import { startPostgres } from '../../helpers/postgres-engine.js';
import { directory, type Run, run } from '../run.js';

interface Answer {
  readonly ok: boolean;
  readonly findings: readonly { check: string; verdict: string; found: string; advice: string | null }[];
}

const answerOf = ({ stdout }: Run): Answer => JSON.parse(stdout) as Answer;
const of = ({ findings }: Answer, check: string) => findings.find((one) => one.check === check);

test('a machine without anything: nothing is wrong, and nothing is made', async (t) => {
  const cwd = directory(t);
  const env = { NATS_SERVER_BIN: process.env.NATS_SERVER_BIN ?? '' };
  const found = await run(['doctor', '--json'], { cwd, env });
  t.is(found.code, 0, found.stdout);
  const answer = answerOf(found);
  t.true(answer.ok);
  t.deepEqual(
    answer.findings.map(({ check, verdict }) => `${check} ${verdict}`).filter((one) => !one.startsWith('disk')),
    ['configuration ok', 'node ok', 'start ok', 'database skipped', 'nats skipped', 'daemon skipped'],
  );
  const { stdout } = await run(['doctor'], { cwd, env });
  t.regex(stdout, /^CHECK +RESULT +FOUND\nconfiguration +ok +is valid\n/);
});

test('a terminal of 80 columns: what was found is broken into lines, shared advice stands once', (t) => {
  const found = 'there is no nats-server on this machine: install one (apt-get install nats-server), or set NATS_URL';
  const findings = [failed('start', found, 'correct it'), failed('start', 'no space', 'correct it')];
  const text = findingsText(findings, { width: 80, colour: false, quiet: false });
  const lines = text.trimEnd().split('\n');
  t.true(
    lines.every((line) => line.length <= 80),
    text,
  );
  t.false(text.includes('…'));
  t.is(
    lines
      .slice(1, 3)
      .map((line) => line.replace(/^(start)? +(failed)? +/, ''))
      .join(' '),
    found,
  );
  t.deepEqual(
    lines.filter((line) => line.startsWith('next: ')),
    ['next: start: correct it'],
  );
});

test('settings that are wrong are found first, each with its sentence', async (t) => {
  const cwd = directory(t);
  const found = await run(['doctor', '--json', '--http-port', 'x', '--log-level', 'loud'], { cwd });
  t.is(found.code, 1);
  const { findings } = answerOf(found);
  t.deepEqual([...new Set(findings.map(({ check, verdict }) => `${check} ${verdict}`))], ['configuration failed']);
  t.regex(findings.map((one) => one.found).join('\n'), /http_port.*\n.*log_level/s);
  const { stdout } = await run(['doctor', '--http-port', 'x'], { cwd });
  t.regex(stdout, /\nnext: configuration: correct the setting/);
});

test('PostgreSQL and NATS: what is well, and rights and permissions that are missing', async (t) => {
  const cwd = directory(t);
  const postgres = await startPostgres();
  t.teardown(() => postgres.remove());
  await postgres.administer('create database doctor template migrated');
  const server = await TestServer.start(`authorization { users: [
    { user: admin, password: admin }
    { user: daemon, password: geheim, permissions: { publish: { deny: ["_R_.>"] }, subscribe: { deny: ["extreg.v1.invoke.>"] } } }
  ] }`);
  t.teardown(() => server.stop());
  const { url } = postgres.connection('doctor') as { url: string };
  const natsUrl = (login: string) => server.url.replace('nats://', `nats://${login}@`);
  const env = { DATABASE_URL: url, NATS_URL: natsUrl('admin:admin') };
  const well = await run(['doctor', '--json'], { cwd, env });
  t.is(well.code, 0, well.stdout);
  for (const check of ['database', 'clock', 'schema', 'rights', 'nats', 'payload', 'permissions'])
    t.is(of(answerOf(well), check)?.verdict, 'ok', `${check}: ${well.stdout}`);

  const denied = await run(['doctor', '--json'], { cwd, env: { ...env, NATS_URL: natsUrl('daemon:geheim') } });
  t.is(denied.code, 1);
  t.like(of(answerOf(denied), 'permissions'), {
    verdict: 'failed',
    found: 'may not listen on extreg.v1.invoke.>, publish to _R_.>',
  });
  t.false(denied.stdout.includes('geheim'));

  await postgres.administer('create database doctor_new');
  const newUrl = (postgres.connection('doctor_new') as { url: string }).url;
  for (const [flag, verdict] of [
    ['--migrate', 'warning'],
    ['--no-migrate', 'failed'],
  ] as const) {
    const found = await run(['doctor', '--json', flag], { cwd, env: { ...env, DATABASE_URL: newUrl } });
    t.is(of(answerOf(found), 'schema')?.verdict, verdict, found.stdout);
  }

  await postgres.administer('create database doctor_poor template migrated');
  await postgres.administer("create role poor login password 'geheim'");
  const poorUrl = (postgres.connection('doctor_poor') as { url: string }).url.replace(/\/\/[^@]*@/, '//poor:geheim@');
  const poor = answerOf(await run(['doctor', '--json'], { cwd, env: { ...env, DATABASE_URL: poorUrl } }));
  t.is(of(poor, 'database')?.verdict, 'ok');
  t.is(of(poor, 'schema')?.verdict, 'failed', JSON.stringify(poor));
  t.is(of(poor, 'rights')?.verdict, 'skipped');

  const admin = postgresClient((postgres.connection('doctor_poor') as { url: string }).url, { max: 1 });
  t.teardown(() => admin.end());
  await admin.unsafe(`grant usage on schema drizzle to poor; grant select on drizzle.__drizzle_migrations to poor;
    grant select, insert, update, delete on all tables in schema public to poor;
    revoke insert, update, delete on extension_rollouts from poor; revoke delete on extension_health_writers from poor`);
  const rightsOf = async () =>
    of(answerOf(await run(['doctor', '--json'], { cwd, env: { ...env, DATABASE_URL: poorUrl } })), 'rights');
  t.like(await rightsOf(), {
    verdict: 'failed',
    found: 'may not read and write extension_health_writers',
    advice: 'grant select, insert, update, delete on extension_health_writers to this user',
  });
  await admin.unsafe('grant delete on extension_health_writers to poor');
  t.is((await rightsOf())?.verdict, 'ok', 'a table that its trigger writes need only be read');
  await admin.unsafe('revoke all on extension_rollouts, extension_tokens from poor');
  t.is(
    (await rightsOf())?.advice,
    'grant select, insert, update, delete on extension_tokens; grant select on extension_rollouts to this user',
  );
  t.false(JSON.stringify(poor).includes('geheim'));
});

test('what cannot be reached: each with its reason, and the others are checked all the same', async (t) => {
  const cwd = directory(t);
  const env = { DATABASE_URL: 'postgres://me:geheim@127.0.0.1:1/x', NATS_URL: 'nats://127.0.0.1:1' };
  const found = await run(['doctor', '--json', '--data-dir', join(cwd, 'data')], { cwd, env });
  t.is(found.code, 1);
  const answer = answerOf(found);
  t.is(of(answer, 'database')?.verdict, 'failed');
  t.regex(of(answer, 'database')?.found ?? '', /127\.0\.0\.1:1/);
  t.is(of(answer, 'nats')?.verdict, 'failed');
  t.false(found.stdout.includes('geheim'));
});

/** Its port. */
async function listening(t: ExecutionContext, serve: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => serve(socket.on('error', () => undefined)));
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

test('servers that let the command in and then answer nothing are waited for no longer than the limit', async (t) => {
  const natsPort = await listening(t, (socket) => {
    socket.write('INFO {"server_id":"x","version":"2.10.0","proto":1,"headers":true,"max_payload":1048576}\r\n');
    socket.once('data', () => socket.write('PONG\r\n'));
  });
  const databasePort = await listening(t, (socket) => {
    // AuthenticationOk, ReadyForQuery.
    socket.once('data', () => socket.write(Buffer.from('5200000008000000005a0000000549', 'hex')));
    // Later than the limit: a query in flight keeps the driver from closing.
    const end = setTimeout(() => socket.destroy(), 500);
    socket.once('close', () => clearTimeout(end));
  });
  const env = {
    DATABASE_URL: `postgres://me:geheim@127.0.0.1:${databasePort}/x`,
    NATS_URL: `nats://127.0.0.1:${natsPort}`,
  };
  const config = loadConfig({ flags: {}, env, cwd: directory(t) });
  const [nats, database] = await Promise.all([checkNats(config, null, 100), checkDatabase(config, 100)]);
  t.like(nats, [{ check: 'nats', verdict: 'failed', found: 'connected, and then: no answer within 0.1 s' }]);
  t.like(database, [{ check: 'database', verdict: 'failed', found: 'no answer within 0.1 s' }]);
});

test('permissions that cannot be watched are not found to be right', async (t) => {
  const broken = {
    status: () => {
      throw new Error('status is broken');
    },
    subscribe: () => undefined,
    publish: () => undefined,
    flush: async () => undefined,
  } as unknown as NatsConnection;
  const config = loadConfig({ flags: {}, env: {}, cwd: directory(t) });
  await t.throwsAsync(checkPermissions(broken, config), { message: 'status is broken' });
});

test('a daemon.json that cannot be read is a finding, beside all others', async (t) => {
  const cwd = directory(t);
  mkdirSync(join(cwd, 'data', 'daemon.json'), { recursive: true });
  const found = await run(['doctor', '--json', '--data-dir', 'data'], { cwd });
  t.is(found.code, 1, found.stderr);
  const answer = answerOf(found);
  t.like(of(answer, 'daemon'), { verdict: 'failed' });
  t.regex(of(answer, 'daemon')?.found ?? '', /daemon\.json cannot be read/);
  t.truthy(of(answer, 'disk'));
  t.is(of(answer, 'nats')?.verdict, 'skipped');
});

test('node, disk and clock: where they begin to be wrong', (t) => {
  t.deepEqual(
    ['v20.18.9', 'v20.19.0', 'v22.1.0', 'v18.20.0'].map((version) => checkNode(version).verdict),
    ['failed', 'ok', 'ok', 'failed'],
  );
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } };
  t.is(engines.node, `>=${/Node (\S+) or newer/.exec(checkNode('v18.0.0').advice ?? '')?.[1]}`);
  const disk = (mb: number) => checkDisk('/nowhere/at/all', () => ({ bavail: mb, bsize: 1_000_000 })).verdict;
  t.deepEqual([99, 100, 999, 1000].map(disk), ['failed', 'warning', 'warning', 'ok']);
  const unreadable = checkDisk('/', () => {
    throw new Error('EIO');
  });
  t.like(unreadable, { verdict: 'warning', found: 'cannot be read: EIO' });
  const clock = (theirMs: number) => checkClock(theirMs, 10_000, 10_100).verdict;
  t.deepEqual([7999, 8000, 10_050, 12_100, 12_101].map(clock), ['warning', 'ok', 'ok', 'ok', 'warning']);
});
