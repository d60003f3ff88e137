// A registry file and a daemon that runs: what is imported is in force, what is pruned is gone.
import { join } from 'node:path';
import test from 'ava';
import { directory, run } from '../cli/run.js';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';

test('import: takes effect in the daemon that has the database open', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const client = await server.connect();
  for (const subject of ['x.a', 'x.a.v2']) await startExtension(client, subject, () => ({ body: subject }));
  const daemon = await DaemonProcess.startReady(t, { NATS_URL: server.url });
  const nc = await daemon.connect();
  const cwd = directory(t);
  const extreg = (args: string[], input = '') =>
    run(args, { cwd, env: { EXTENSION_REGISTRY_DATA_DIR: daemon.dataDir }, input });
  const answers = (what: string, expected: string) =>
    until(what, async () => {
      const { body, error } = await invoke(nc, 'a');
      return body === expected || error === expected;
    });

  const own = 'type: pre, subject: x.a';
  t.is((await extreg(['import', '-'], `format: 1\nextensions: {a: {${own}}}\n`)).code, 0);
  await answers('the extension', 'x.a');
  t.is(
    (await extreg(['import', '-'], `format: 1\nextensions: {a: {${own}, versions: {v2: {subject: x.a.v2}}}}\n`)).code,
    0,
  );
  await answers('its version', 'x.a.v2');

  const unwritable = await extreg(['export', join(cwd, 'none', 'r.yaml')]);
  t.is(unwritable.code, 65);
  t.regex(unwritable.stderr, /r\.yaml cannot be written: ENOENT/);
  t.is((await extreg(['export', 'r.yaml'])).code, 0);
  t.is((await extreg(['import', '-', '--prune', '--yes'], 'format: 1\nextensions: {}\n')).code, 0);
  await answers('it is gone', 'extension_not_found');
  t.is((await extreg(['import', 'r.yaml'])).code, 0);
  await answers('it is back', 'x.a.v2');
});
