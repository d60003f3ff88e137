// What `extreg serve` does on SIGHUP.
import { renameSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { DaemonProcess, type LogLine } from '../helpers/daemon-process.js';
import { TestServer } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';

const token = (value: string): string => `authorization { token: "${value}" }`;

test('SIGNALS-4, LOGIN-RENEWAL-1: a token is rotated with SIGHUP: the daemon says whether the server accepts it, and stays connected', async (t) => {
  const server = await TestServer.start(token('first'));
  t.teardown(() => server.stop());
  const directory = await mkdtemp(join(tmpdir(), 'extreg-token-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const file = join(directory, 'token');
  const settings = join(directory, 'extreg.config.yaml');
  const writeSettings = (level: string) =>
    writeFileSync(settings, `extension_registry:\n  log_levels: [nats=${level}]\n`);
  writeSettings('info');
  writeFileSync(file, 'first\n');
  const daemon = await DaemonProcess.startReady(t, {
    NATS_URL: server.url,
    EXTENSION_REGISTRY_NATS_TOKEN_FILE: file,
    EXTENSION_REGISTRY_CONFIG: settings,
  });
  const linesOf = (event: string): LogLine[] => daemon.log.filter((line) => line.event === event);
  const hangUp = async (expected: string): Promise<void> => {
    const before = linesOf(expected).length;
    daemon.child.kill('SIGHUP');
    await until(expected, () => linesOf(expected).length > before);
    await until('the reload is over', () => linesOf('settings_read').length === linesOf('reloading').length);
  };

  await hangUp('nats_login_accepted');
  t.like(linesOf('reloading'), [{ reason: 'SIGHUP' }]);
  t.like(linesOf('nats_login_read'), [{ changed: [], kept: [] }]);

  writeFileSync(`${file}.new`, 'second\n');
  renameSync(`${file}.new`, file);
  await hangUp('nats_login_failed');
  t.like(linesOf('nats_login_read').at(-1), { changed: [file] });
  t.is(linesOf('nats_disconnected').length, 0);
  t.is((await daemon.fetch('/readyz')).status, 200);

  server.reconfigure(token('second'));
  await until('it is connected again', () => linesOf('nats_connected').length === 2);
  await daemon.ready();
  await hangUp('nats_login_accepted');
  t.false(JSON.stringify(daemon.log).includes('second'));

  // The levels of the log are those settings that need no restart.
  writeSettings('error');
  await hangUp('settings_read');
  t.deepEqual(linesOf('settings_read').at(-1)?.needs_restart, []);
  const { settings: shown } = (await (await daemon.fetch('/admin/settings')).json()) as {
    settings: { key: string; value: unknown }[];
  };
  t.deepEqual(shown.find(({ key }) => key === 'log_levels')?.value, ['nats=error']);
  const read = linesOf('nats_login_read').length;
  await hangUp('settings_read');
  t.is(linesOf('nats_login_read').length, read);
  writeSettings('loud');
  await hangUp('settings_read');
  t.regex(String(linesOf('settings_read').at(-1)?.configuration_problems), /log_levels/);
});
