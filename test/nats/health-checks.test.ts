import anyTest, { type TestFn } from 'ava';
import type { Msg, NatsConnection } from '#@nats-io/nats-core';
import type { Route } from '../../src/actors/ports/transport.js';
import { type Answer, startExtension, TestServer } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';
import { blockOf, Ends, invoke, Rig, type RigOptions, rawBlock } from './wire-rig.js';

const test = anyTest as TestFn<{ server: TestServer; caller: NatsConnection }>;
const MAX_PAYLOAD = 4096;
const NOTHING = new Uint8Array();

test.before(async (t) => {
  const server = await TestServer.start(`max_payload: ${MAX_PAYLOAD}`);
  t.context = { server, caller: await server.connect() };
});
test.after.always((t) => t.context.server.stop());

type Context = { context: { server: TestServer; caller: NatsConnection }; teardown(fn: () => unknown): void };

async function scene(
  t: Context,
  options: RigOptions = {},
  answer: (request: Msg) => Answer = () => ({ body: 'pong' }),
) {
  const extension = await startExtension(t.context.caller, 'ext.normalize', answer);
  const rig = await Rig.start(t.context.server, options);
  t.teardown(async () => {
    extension.stop();
    await rig.close();
    await t.context.caller.flush();
  });
  return { rig, extension };
}

async function endOf(rig: Rig, body: Uint8Array, timeoutMs = 5000, route: Route = rig.route): Promise<Ends> {
  const seen = new Ends();
  rig.requester.sendCheck(route, body, timeoutMs, seen);
  await until('its end', () => seen.ends.length === 1);
  return seen;
}

test.serial('check: it says what a first attempt says, and that it is a check', async (t) => {
  const { rig, extension } = await scene(t, {
    route: { instanceId: 'i-1', config: { limit: 3 } },
    environment: 'stage',
  });
  const seen = await endOf(rig, Buffer.from('{"ping":1}'), 250);
  t.like(seen.ends[0], { end: 'reply', reply: { serviceErrorCode: 0 } });
  const request = extension.received[0] as Msg;
  t.is(
    blockOf(request),
    'NATS/1.0\r\nExtreg-Extension-Id: normalize\r\nExtreg-Version: v1\r\nExtreg-Instance-Id: i-1\r\nExtreg-Config: {"limit":3}\r\n' +
      'Extreg-Environment: stage\r\nExtreg-Attempt: 1\r\nExtreg-Hops: 1\r\nExtreg-Timeout-Ms: 250\r\nExtreg-Probe: 1\r\n\r\n',
  );
  t.is(request.string(), '{"ping":1}');
});

test.serial('check: its body may be empty', async (t) => {
  const { rig, extension } = await scene(t);
  await endOf(rig, NOTHING);
  t.is(extension.received[0]?.data.length, 0);
});

test.serial(
  'check: a call after it carries nothing of it, and what a caller says of a probe goes nowhere',
  async (t) => {
    const { rig, extension } = await scene(t);
    await endOf(rig, NOTHING);
    await invoke(t.context.caller, 'normalize');
    for (const name of ['Extreg-Probe', 'extreg-probe', 'EXTREG-PROBE'])
      await invoke(t.context.caller, 'normalize', `NATS/1.0\r\nA: 1\r\n${name}: 1\r\nB: 2\r\n\r\n`);
    t.is(extension.received.length, 5);
    for (const request of extension.received.slice(1)) t.notRegex(blockOf(request), /probe/i);
    t.regex(blockOf(extension.received[4] as Msg), /A: 1\r\nB: 2\r\n/);
  },
);

test.serial('check: a service error is told with its code', async (t) => {
  const { rig } = await scene(t, {}, () => ({
    headers: rawBlock('NATS/1.0\r\nNats-Service-Error-Code: 503\r\nNats-Service-Error: busy\r\n\r\n'),
  }));
  t.is((await endOf(rig, NOTHING)).ends[0]?.reply?.serviceErrorCode, 503);
});

test.serial('check: one that is not answered ends by its own time', async (t) => {
  const { rig } = await scene(t, {}, () => null);
  t.deepEqual((await endOf(rig, NOTHING, 30)).kinds, ['timeout']);
  t.is(rig.requester.counts().pending, 0);
});

test.serial('check: it ends in the ways of an attempt where nobody receives it', async (t) => {
  const { rig, extension } = await scene(t);
  const to = (subject: string) =>
    rig.prepare(null, { extensionId: 'a', version: 'v1', instanceId: null, subject, config: null });
  t.deepEqual((await endOf(rig, NOTHING, 5000, to('ext.nobody'))).kinds, ['no_responders']);
  t.deepEqual((await endOf(rig, NOTHING, 5000, to('extreg.v1.invoke.a'))).kinds, ['not_permitted']);
  t.deepEqual((await endOf(rig, new Uint8Array(MAX_PAYLOAD))).kinds, ['too_large']);
  rig.requester.close();
  t.deepEqual((await endOf(rig, NOTHING)).kinds, ['disconnected']);
  t.is(extension.received.length, 0);
});
