// What happens to NATS or to this process is held against no extension: the real core and edges, in real time.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import type { NatsConnection } from '#@nats-io/nats-core';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { extensionRow, registryEntry } from '../helpers/registry-rows.js';
import { until } from '../helpers/until.js';
import { type Called, CoreRig, type CoreRigOptions } from './core-rig.js';

const NAMES = Array.from({ length: 20 }, (_, i) => `e${i}`);
const NOTICED_MS = 20_000;

async function worldOf(t: ExecutionContext, timeoutMs: number, options: CoreRigOptions = {}) {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const [caller, callee] = [await server.connect(), await server.connect()];
  const rig = await CoreRig.start(
    t,
    server,
    caller,
    (subjectOf) =>
      NAMES.map((name) => registryEntry(extensionRow(name, { subject: subjectOf(name), timeout_ms: timeoutMs }))),
    options,
  );
  return { server, caller, callee, rig };
}

/** Nothing failed, nothing is open, and nobody was told twice. */
async function blamesNobody(t: ExecutionContext, rig: CoreRig, caller: NatsConnection, calls: readonly Called[]) {
  for (const name of NAMES) {
    await until(`the end of the calls of ${name}`, () => rig.inFlight(name) === 0);
    t.is(rig.counts(name).failures, 0, name);
    t.is(rig.target(name).mode, 'closed', name);
  }
  await caller.flush();
  t.deepEqual(
    calls.filter(({ replies }) => replies.length !== 1),
    [],
  );
  t.deepEqual(
    rig.events.map(({ event }) => event),
    [],
  );
}

test('FM 31: a NATS that is lost in the middle of 200 calls to 20 extensions opens none of them', async (t) => {
  const { server, caller, callee, rig } = await worldOf(t, 30_000);
  let received = 0;
  for (const name of NAMES)
    await startExtension(callee, rig.subjectOf(name), () => {
      received += 1;
      return null;
    });
  const calls = NAMES.flatMap((name) => Array.from({ length: 10 }, () => rig.call(name)));
  await until('they are out', () => received === 200);
  await server.kill();
  await until('the disconnect', () => !rig.connection.connected);
  await server.restart();
  for (const called of calls) {
    const told = await rig.told(called);
    t.like(told, { error: 'not_connected', status: '503', retryable: false, details: { maybe_executed: true } });
  }
  await blamesNobody(t, rig, caller, calls);
});

test('FM 31: a subject that NATS does not let us publish to opens nothing, however often, and holds up no other', async (t) => {
  const server = await TestServer.start(`authorization { users: [
    { user: admin, password: admin }
    { user: daemon, password: daemon, permissions: { publish: { deny: ["ext.*.e0"] }, subscribe: ">" } }
  ] }`);
  t.teardown(() => server.stop());
  const admin = { user: 'admin', pass: 'admin' };
  const [caller, callee] = [await server.connect(admin), await server.connect(admin)];
  const rig = await CoreRig.start(
    t,
    server,
    caller,
    (subjectOf) => NAMES.map((name) => registryEntry(extensionRow(name, { subject: subjectOf(name) }))),
    { connection: { user: 'daemon', password: 'daemon' } },
  );
  for (const name of NAMES) await startExtension(callee, rig.subjectOf(name), () => ({ body: 'fine' }));
  const denied = Array.from({ length: 20 }, () => rig.call('e0'));
  const others = NAMES.slice(1).map((name) => rig.call(name));
  for (const called of denied) t.is((await rig.told(called)).details?.reason, 'not_permitted');
  for (const called of others) t.is((await rig.told(called)).body, 'fine');
  await blamesNobody(t, rig, caller, [...denied, ...others]);
});

// Serial: it holds up every test of this process.
test.serial(
  'FM 17, 19: a stall of our own that is longer than the timeout charges nobody: the replies are in the buffer',
  async (t) => {
    const { server, caller, rig } = await worldOf(t, 1000);
    const workerData = { url: server.url, subject: `ext.t${rig.number}.*`, delayMs: 300 };
    const worker = new Worker(new URL('./echo-worker.js', import.meta.url), { workerData });
    t.teardown(() => worker.terminate());
    await once(worker, 'message');
    const calls = NAMES.flatMap((name) => Array.from({ length: 10 }, () => rig.call(name)));
    await until('they are out', () => rig.requester.counts().pending === 200);
    // What was published in this turn leaves before the stall.
    await new Promise((resolve) => setImmediate(resolve));
    const end = performance.now() + 1500;
    while (performance.now() < end);
    for (const called of calls) t.is((await rig.told(called)).error, '');
    await blamesNobody(t, rig, caller, calls);
  },
);

/** Calls every extension again and again; returns how to stop it, and all calls. */
function traffic(rig: CoreRig): { readonly calls: Called[]; stop(): void } {
  const calls: Called[] = [];
  const timer = setInterval(() => {
    for (const name of NAMES) calls.push(rig.call(name));
  }, 200);
  return { calls, stop: () => clearInterval(timer) };
}

test('FM 31: a NATS that stands still for 5 s with traffic opens nothing, and every caller gets his answer', async (t) => {
  const { server, caller, callee, rig } = await worldOf(t, 2000);
  let received = 0;
  for (const name of NAMES)
    await startExtension(callee, rig.subjectOf(name), (request) => {
      received += 1;
      // So long that there are always calls under way.
      setTimeout(() => request.respond('fine'), 300);
      return null;
    });
  const { calls, stop } = traffic(rig);
  t.teardown(stop);
  // Enough to know how long it takes, and then as many again that are under way.
  for (let i = 0; i < 40; i += 1) calls.push(rig.call('e0'));
  await until('there is traffic', () => NAMES.every((name) => rig.counts(name).successes > 5));
  const sent = received;
  for (let i = 0; i < 40; i += 1) calls.push(rig.call('e0'));
  await until('they are out', () => received >= sent + 40);
  await server.freeze();
  await new Promise((resolve) => setTimeout(resolve, 5000));
  t.true(rig.connection.connected, 'that is short enough to wait for it');
  server.thaw();
  const more = calls.length + 200;
  await until('there is traffic again', () => calls.length > more);
  stop();
  for (const called of calls) t.is((await rig.told(called)).error, '');
  await blamesNobody(t, rig, caller, calls);
});

test('FM 31: a NATS that stands still for longer ends what is out as our own fault, and calls are served when it goes on', async (t) => {
  const { server, caller, callee, rig } = await worldOf(t, 30_000);
  for (const name of NAMES.slice(1))
    await startExtension(callee, rig.subjectOf(name), (request) => ({ body: request.data }));
  const hanging = await startExtension(callee, rig.subjectOf('e0'), () => null);
  const calls = Array.from({ length: 20 }, () => rig.call('e0'));
  await until('they are out', () => hanging.received.length === 20);
  await server.freeze();
  await until('the disconnect', () => !rig.connection.connected, NOTICED_MS);
  server.thaw();
  for (const called of calls) t.is((await rig.told(called)).error, 'not_connected');
  for (const name of NAMES.slice(1)) {
    // The server may hand what comes first to the connection that we have left.
    await until('it is served', async () => {
      const called = rig.call(name);
      await until('a reply', () => called.replies.length > 0, 500).catch(() => undefined);
      return called.replies.length > 0;
    });
    t.is(rig.counts(name).failures, 0);
  }
  await blamesNobody(t, rig, caller, calls);
});
