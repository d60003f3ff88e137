import { join } from 'node:path';
import test from 'ava';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { processesNaming } from '../helpers/processes.js';
import { until } from '../helpers/until.js';

const BLOCKING = new URL('./blocking-loop.js', import.meta.url).href;
const CALLS = 1000;
const BODY = 'x'.repeat(8000);
/** Enough for all calls on a machine that does other things beside. */
const TIMEOUT_MS = 3000;

test('FM 17, 19, WATCHDOG-1, WATCHDOG-2: a stall of the daemon longer than the timeout charges nobody, megabytes of replies that wait for it count; only one that hangs is ended', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  // The calls that wait behind the replies may take a slow machine so long that some would be refused.
  const daemon = await DaemonProcess.startReady(t, {
    NATS_URL: server.url,
    EXTENSION_REGISTRY_ADMISSION: 'off',
    EXTENSION_REGISTRY_HANG_SECONDS: '2',
    NODE_OPTIONS: `--import=${BLOCKING}`,
  });
  let errors = '';
  daemon.child.stderr?.on('data', (text: string) => (errors += text));
  const [caller, callee] = [await server.connect(), await server.connect()];
  const extension = await startExtension(callee, 'ext.echo', (request) => ({ body: request.data }));
  await daemon.sql()`insert into extensions (id, type, subject, timeout_ms) values ('echo', 'pre', 'ext.echo', ${TIMEOUT_MS})`;
  await until('the extension is called', async () => (await invoke(caller, 'echo')).error === '');
  const answers = Array.from({ length: CALLS }, () => invoke(caller, 'echo', BODY));
  await until('some calls are out', () => extension.received.length > 50);
  daemon.child.kill('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 2 * TIMEOUT_MS));
  daemon.child.kill('SIGCONT');
  const refused = (await Promise.all(answers)).filter((answer) => answer.error !== '');
  t.deepEqual(refused, []);
  t.like((await daemon.health('echo')).health, { circuit_breaker_state: 'closed', failure_count: 0 });
  t.true(daemon.has('event_loop_stalled'));
  t.is(errors, '', 'it was suspended for longer than hang_seconds');
  daemon.child.kill('SIGUSR2');
  await daemon.exited;
  t.is(daemon.child.signalCode, 'SIGKILL');
  t.regex(errors, /^extreg: the event loop has not turned for 2\.\d s \(hang_seconds\): the daemon ends itself\n$/);
});

test('DAEMON-3: a nats-server of its own that is frozen, with its keeper, ends with the daemon all the same', async (t) => {
  const daemon = await DaemonProcess.startReady(t);
  const conf = join(daemon.dataDir, 'nats', 'nats-server.conf');
  const frozen = processesNaming(conf);
  t.teardown(() => {
    for (const { pid } of processesNaming(conf)) process.kill(pid, 'SIGKILL');
  });
  t.is(frozen.length, 2, 'server and keeper');
  for (const { pid } of frozen) process.kill(pid, 'SIGSTOP');
  t.is(await daemon.stop(), 0);
  t.deepEqual(processesNaming(conf), []);
  t.like(
    daemon.log.find((line) => line.step === 'nats_closed'),
    { result: 'done' },
  );
});
