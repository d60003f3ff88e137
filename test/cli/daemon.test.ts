import { once } from 'node:events';
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { connect } from '#@nats-io/transport-node';
import { EXIT } from '../../src/cli/process/command-error.js';
import { dataDirectoryFailure } from '../../src/cli/process/start-errors.js';
import { copyTemplateFile } from '../helpers/embedded-template.js';
import { startExtension } from '../helpers/nats-server.js';
import { endOf } from '../helpers/processes.js';
import { until } from '../helpers/until.js';
import { directory, run, runProcess, start } from './run.js';

interface DaemonFile {
  readonly pid: number;
  readonly http: string;
  readonly nats: string;
  readonly nats_token: string;
}

test('serve: the daemon runs, every command reaches it from a process of its own, and SIGTERM ends it in order', async (t) => {
  const cwd = directory(t);
  const template = await copyTemplateFile(join(cwd, '.extreg'));
  const daemon = start(['serve', '--http-port', '0'], { cwd });
  t.teardown(() => daemon.kill('SIGKILL'));
  const closed = once(daemon, 'close');
  let log = '';
  let stderr = '';
  daemon.stdout.on('data', (chunk) => {
    log += String(chunk);
  });
  daemon.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const file = join(cwd, '.extreg', 'daemon.json');
  await until('daemon.json', () => isWritten(file) || endOf(daemon) !== null, 150_000);
  t.is(endOf(daemon), null, stderr);
  const { pid, http, nats, nats_token } = JSON.parse(readFileSync(file, 'utf8')) as DaemonFile;
  t.is(pid, daemon.pid ?? 0);
  await until('readiness', async () => (await fetch(`${http}/readyz`)).ok, 60_000);

  const insert =
    "insert into extensions (id, type, subject, policy) values ('shout', 'pre', 'demo.shout', '{\"record\": 100}')";
  t.deepEqual(await runProcess(['sql', insert], { cwd }), { code: 0, stdout: 'INSERT 1\n', stderr: '' });
  const migrated = await runProcess(['migrate'], { cwd });
  t.regex(migrated.stdout, /^the schema is at version \d+ already\n$/, migrated.stderr);
  await until('the row', async () => (await fetch(`${http}/admin/extensions/shout/health`)).ok);

  const client = await connect({ servers: nats.replace('nats://', ''), token: nats_token });
  t.teardown(() => client.close());
  await startExtension(client, 'demo.shout', ({ data }) => ({ body: Buffer.from(data).toString().toUpperCase() }));
  t.deepEqual(await runProcess(['invoke', 'shout', 'hello', '--tenant', 'acme'], { cwd }), {
    code: 0,
    stdout: 'HELLO',
    stderr: '',
  });
  const unknown = await run(['invoke', 'none'], { cwd });
  t.is(unknown.code, 1);
  t.regex(unknown.stderr, /^extreg: extension_not_found: /);
  const budget = await run(['invoke', 'shout', '--header', 'Extreg-Timeout-Ms=1'], { cwd });
  t.is(budget.code, 1);
  t.regex(budget.stderr, /^extreg: invalid_request: .*Extreg-Timeout-Ms/);

  const health = await runProcess(['health', 'shout'], { cwd });
  t.is(health.code, 0);
  t.regex(health.stdout, /\nv1 +yes +yes +closed +100\.0 % /);
  t.is((await run(['health', 'none'], { cwd })).code, 1);

  writeFileSync(join(cwd, 'p.json'), '{"breaker": {"failure_threshold": 1}}');
  for (const [args, expected, exitCode] of [
    [['check-config'], /^the configuration is valid\n$/, 0],
    [['rollout', 'shout'], /^VERSION +SHARE .*\nv1 +100 % /, 0],
    [
      ['replay', 'shout', '--policy', 'p.json', '-q'],
      /^shout@v1: 1 attempt, .*\nwould have opened: never\nopened: never\n$/,
      0,
    ],
    [['inspect', 'shout', '-q'], /^ws:.*\/inspect\?extension=shout&ticket=[\w-]+\n$/, 0],
    [['isolate', 'shout', '--reason', 'a test'], /\nshout +all +yes +isolated /, 0],
    [['explain', 'shout'], /\nanswer: refused, extension_unavailable: .*isolated; not retryable\n$/, 1],
    [['release', 'shout', '--reason', 'a test'], /\nshout +all +yes +- /, 0],
    [['export', 'r.yaml'], /^$/, 0],
    [['import', 'r.yaml'], /^0 created, 0 changed, 1 unchanged\n$/, 0],
    [['log-level', 'debug', '--component', 'db', '--for', '1m', '-q'], /^$/, 0],
    [['doctor'], /\ndaemon +ok /, 0],
    [['backup', 'all.backup', '-q'], /^$/, 0],
    [['restore', 'all.backup', '--yes', '-q'], /^$/, 0],
  ] as const) {
    const { code, stdout, stderr } = await runProcess(args, { cwd });
    t.is(stderr, '', args.join(' '));
    t.regex(stdout, expected);
    t.is(code, exitCode);
  }

  const second = await run(['serve', '--http-port', '0'], { cwd });
  t.is(second.code, 69);
  t.regex(
    second.stderr,
    /^extreg: the data directory .* is in use by another process; end that one, or choose another directory with data_dir \(--data-dir\)\n$/,
  );
  // A database that does not answer is waited for, so the port is what ends it.
  const elsewhere = ['--data-dir', 'other', '--database-url', 'postgres://127.0.0.1:1/x'];
  const port = await run(['serve', ...elsewhere, '--http-port', new URL(http).port], { cwd });
  t.is(port.code, 69);
  t.regex(port.stderr, /^extreg: http:\/\/127\.0\.0\.1:\d+ is in use by another process; choose another port/);

  daemon.kill('SIGTERM');
  const [code] = await closed;
  t.is(code, 0);
  t.is(stderr, '');
  t.false(existsSync(file));
  const lines = log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; template?: string | null; from?: number });
  const events = lines.map(({ event }) => event);
  t.true(events.includes('daemon_started'));
  t.is(lines.find(({ event }) => event === 'embedded_database_made')?.template, realpathSync(template));
  t.is(events.at(-1), 'daemon_stopped');
  t.is((await run(['health'], { cwd })).code, 69);
});

/** It is there, and the whole of it. */
const isWritten = (file: string): boolean => existsSync(file) && readFileSync(file, 'utf8').endsWith('}\n');

test('serve: a data directory that cannot be made or written is told in a sentence', async (t) => {
  const cwd = directory(t);
  const file = join(cwd, 'file');
  writeFileSync(file, '');
  const inFile = await run(['serve', '--http-port', '0', '--data-dir', join(file, 'data')], { cwd });
  t.is(inFile.code, 78);
  t.regex(inFile.stderr, /^extreg: the data directory cannot be used: ENOTDIR: .*\/file\/data'\n$/);
  // From the thread of the embedded database.
  t.is(
    dataDirectoryFailure(new Error("EACCES: permission denied, mkdir '/data/.takeover'"))?.exitCode,
    EXIT.configuration,
  );
  t.is(dataDirectoryFailure(new Error('ENOSPC: no space left on device, write'))?.exitCode, EXIT.unreachable);
  t.is(dataDirectoryFailure(new Error('the query says EACCES: no')), null);
});
