// deploy/systemd: what systemd itself says of the unit, and that it agrees with the code.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '../../src/config/config.js';
import { envName, SETTING_KEYS } from '../../src/config/schema.js';
import { run } from '../cli/run.js';
import { unless } from '../helpers/skip.js';

const FILE = 'deploy/systemd/extension-registry.service';
const EXTREG = '/opt/extension-registry/node_modules/.bin/extreg';
/** Ten times the exposure level of systemd-analyze, of 0 to 100; it was 14 when this was written. */
const EXPOSURE = 15;
const unit = readFileSync(FILE, 'utf8');
const valuesOf = (name: string): string[] =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);

const analyze = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' });
const version = Number(/systemd (\d+)/.exec(analyze.stdout ?? '')?.[1] ?? 0);
const missing = version >= 250 ? null : 'needs systemd-analyze 250 or newer';

function copyOf(t: ExecutionContext, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'extreg-unit-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'extension-registry.service');
  writeFileSync(file, text);
  return file;
}

const systemd = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });

unless(missing, test)(
  'deploy/systemd: systemd-analyze verify finds nothing, and finds what is wrong with another unit',
  (t) => {
    // It also looks for the program.
    const text = unit.replace(EXTREG, process.execPath);
    const { status, stderr } = systemd('verify', '--man=no', copyOf(t, text));
    t.is(
      stderr
        .split('\n')
        .filter((line) => line.includes('extension-registry'))
        .join('\n'),
      '',
    );
    t.is(status, 0);
    const wrong = systemd('verify', '--man=no', copyOf(t, text.replace('Type=notify', 'Type=notified')));
    t.regex(wrong.stderr, /notified/);
  },
);

unless(missing, test)('deploy/systemd: its exposure is at most 1.5 of 10', (t) => {
  const check = (text: string) =>
    systemd('security', '--offline=yes', '--no-pager', `--threshold=${EXPOSURE}`, copyOf(t, text));
  const { status, stdout } = check(unit);
  t.regex(stdout, /Overall exposure level for extension-registry.service: \d\.\d/);
  t.is(status, 0, stdout);
  t.not(check(unit.replace('ProtectSystem=strict\n', '').replace('PrivateDevices=yes\n', '')).status, 0);
});

test('deploy/systemd: its variables are settings, and its times fit those of the daemon', (t) => {
  const names = valuesOf('Environment').map((value) => value.split('=')[0] ?? '');
  t.deepEqual(
    names.filter((name) => name !== 'NODE_ENV' && !SETTING_KEYS.map(envName).includes(name)),
    [],
  );
  t.is(names.length, 2);
  const { shutdown_timeout_seconds } = loadConfig({ flags: {}, env: {}, cwd: '/nonexistent' });
  // STOP_GRACE_MS of serve.ts, and time for the exit.
  t.true(Number(valuesOf('TimeoutStopSec')) > shutdown_timeout_seconds + 5);
  t.deepEqual(valuesOf('Type'), ['notify']);
  t.deepEqual(valuesOf('NotifyAccess'), ['all']);
  t.deepEqual(valuesOf('ExecReload'), ['/bin/kill -HUP $MAINPID']);
  t.deepEqual(valuesOf('WatchdogSec'), ['30']);
});

test('deploy/systemd: what it starts is the command of the package', async (t) => {
  const [, program, command = ''] = /^(\S+) (\S+)$/.exec(valuesOf('ExecStart')[0] ?? '') ?? [];
  t.is(program, EXTREG);
  const { bin } = JSON.parse(readFileSync('package.json', 'utf8')) as { bin: Record<string, string> };
  t.true(Object.hasOwn(bin, 'extreg'));
  t.regex((await run([command, '--help'], { cwd: tmpdir() })).stdout, /extreg serve/);
});

const TEMPLATE = readFileSync('deploy/systemd/extension-registry@.service', 'utf8');
/** What is set, in order; without what is written beside it. */
const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('deploy/systemd: the template differs from the unit in what each replica has of its own', (t) => {
  const [one, many] = [linesOf(unit), linesOf(TEMPLATE)];
  t.deepEqual(
    many.filter((line) => !one.includes(line)),
    [
      'Description=Extension Registry, replica %i',
      'Documentation=file:/opt/extension-registry/node_modules/extension-registry/docs/scaling.md',
      'Environment=EXTENSION_REGISTRY_DATA_DIR=/var/lib/extension-registry-%i',
      'Environment=EXTENSION_REGISTRY_HTTP_PORT=842%i',
      'Environment=EXTENSION_REGISTRY_REPLICA_ID=%l-%i',
      'EnvironmentFile=/etc/extension-registry/environment',
      'EnvironmentFile=-/etc/extension-registry/environment-%i',
      'StateDirectory=extension-registry-%i',
    ],
  );
  t.is(one.filter((line) => !many.includes(line)).length, 5);
  const names = [...TEMPLATE.matchAll(/^Environment=(EXTENSION_\w+)/gm)].map(([, name = '']) => name);
  t.deepEqual(
    names.filter((name) => !SETTING_KEYS.map(envName).includes(name)),
    [],
  );
});

unless(missing, test)('deploy/systemd: systemd-analyze verify finds nothing in a replica of the template', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'extreg-unit-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'extension-registry@1.service');
  writeFileSync(file, TEMPLATE.replace(EXTREG, process.execPath));
  const { status, stderr } = systemd('verify', '--man=no', file);
  t.deepEqual(
    stderr.split('\n').filter((line) => line.includes('extension-registry')),
    [],
  );
  t.is(status, 0);
});
