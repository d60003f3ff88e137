// Prometheus and Alertmanager as processes of the tests, on free ports of loopback.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endOf } from './processes.js';
import { until } from './until.js';

const { EXTREG_TEST_MONITORING: directory = '', EXTREG_TEST_MONITORING_MISSING: reason } = process.env;

/** Why tests that need these programs cannot run; null: they can. */
export const monitoringMissing: string | null =
  directory === '' ? (reason ?? 'EXTREG_TEST_MONITORING names no Prometheus: npm test finds one') : null;

interface Owner {
  teardown(end: () => Promise<void>): void;
}

/** What promtool or amtool writes, with its exit code. */
export async function runTool(
  name: 'promtool' | 'amtool',
  args: readonly string[],
  { cwd, input = '' }: { readonly cwd?: string; readonly input?: string } = {},
): Promise<{ readonly code: number; readonly output: string }> {
  const running = promisify(execFile)(join(directory, name), args, { cwd, timeout: 30_000 });
  running.child.stdin?.end(input);
  try {
    const { stdout, stderr } = await running;
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

/** Starts it with a configuration (JSON is YAML); resolves with its URL. It ends with its owner, and its data with it. */
async function startServer(t: Owner, name: string, config: object, args: readonly string[]): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'extreg-'));
  writeFileSync(join(home, 'config.yml'), JSON.stringify(config));
  // A fetched one looks for its templates here (scripts/monitoring.mjs).
  for (const template of ['default.tmpl', 'email.tmpl'])
    if (existsSync(join(directory, template))) copyFileSync(join(directory, template), join(home, template));
  const child = spawn(
    join(directory, name),
    ['--config.file=config.yml', '--web.listen-address=127.0.0.1:0', ...args],
    {
      cwd: home,
      env: { ...process.env, GOMAXPROCS: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const ended = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });
  const address = () => /msg="Listening on" address=(\S+)/.exec(log)?.[1];
  await until(`${name} listens`, () => address() !== undefined || endOf(child) !== null, 30_000);
  if (endOf(child) !== null) throw new Error(`${name} ended with ${endOf(child)}: ${log}`);
  return `http://${address()}`;
}

export const startAlertmanager = (t: Owner, config: object): Promise<string> =>
  startServer(t, 'prometheus-alertmanager', config, ['--cluster.listen-address=', '--storage.path=data']);

export const startPrometheus = (t: Owner, config: object): Promise<string> =>
  startServer(t, 'prometheus', config, ['--storage.tsdb.path=data']);
