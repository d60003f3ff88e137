import anyTest, { type TestFn } from 'ava';
import { headers, type Msg, type MsgHdrsImpl, type NatsConnection } from '#@nats-io/nats-core';
import type { Invocation } from '../../src/actors/ports/transport.js';
import { ERROR_TABLE, type ErrorCode } from '../../src/domain/registry/errors.js';
import { type Answer, type FakeExtension, startExtension, TestServer } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';
import {
  blockOf,
  errorOf,
  invoke,
  PREFIX,
  RawBlock,
  Rig,
  type RigOptions,
  rawBlock,
  recordingLogger,
} from './wire-rig.js';

interface World {
  server: TestServer;
  caller: NatsConnection;
}

const test = anyTest as TestFn<World>;
const MAX_PAYLOAD = 65_536;

// Each test has a rig, and so an intake, of its own: one at a time on the one server.
test.before(async (t) => {
  const server = await TestServer.start(`max_payload: ${MAX_PAYLOAD}`);
  t.context = { server, caller: await server.connect() };
});
test.after.always((t) => t.context.server.stop());

interface Scene {
  readonly rig: Rig;
  readonly caller: NatsConnection;
  readonly extension: FakeExtension;
}

const echo = (request: Msg): Answer => ({ body: request.data });

async function scene(
  t: { context: World; teardown(fn: () => unknown): void },
  options: RigOptions = {},
  answer: (request: Msg) => Answer = echo,
): Promise<Scene> {
  const { server, caller } = t.context;
  const extension = await startExtension(caller, options.route?.subject ?? 'ext.normalize', answer);
  const rig = await Rig.start(server, options);
  t.teardown(async () => {
    extension.stop();
    await rig.close();
    await caller.flush();
  });
  return { rig, caller, extension };
}

test.serial('intake: body and answer pass byte for byte, and the extension learns who is called', async (t) => {
  const body = Uint8Array.from({ length: 256 }, (_, i) => i);
  const { caller, extension } = await scene(t, { route: { instanceId: 'i-1', config: { limit: 3 } } }, (request) => ({
    body: Uint8Array.from(request.data).reverse(),
  }));
  const reply = await invoke(caller, 'normalize', '', body);
  t.deepEqual([...reply.data], [...body].reverse());
  const request = extension.received[0] as Msg;
  t.deepEqual([...request.data], [...body]);
  t.is(
    blockOf(request),
    'NATS/1.0\r\nExtreg-Extension-Id: normalize\r\nExtreg-Version: v1\r\nExtreg-Instance-Id: i-1\r\nExtreg-Config: {"limit":3}\r\n' +
      'Extreg-Attempt: 1\r\nExtreg-Hops: 1\r\nExtreg-Timeout-Ms: 5000\r\n\r\n',
  );
  t.regex(
    blockOf(reply),
    /^NATS\/1\.0\r\nExtreg-Version: v1\r\nExtreg-Instance-Id: i-1\r\nExtreg-Attempts: 1\r\nExtreg-Duration-Ms: \d+\.\d{3}\r\n\r\n$/,
  );
});

test.serial('intake: an empty body passes both ways', async (t) => {
  const { caller, extension } = await scene(t);
  const reply = await invoke(caller, 'normalize', '', '');
  t.is(reply.data.length, 0);
  t.is(extension.received[0]?.data.length, 0);
});

test.serial('HEADERS-1: header values that are not UTF-8 survive both ways, in order and repeated', async (t) => {
  const lines = 'X-Name: caf\u00e9\r\nX-Empty:\r\nx-name:\u00ff\u0001 tight\r\nX-Name: again\r\n';
  const { caller, extension } = await scene(t, {}, (request) => ({
    headers: rawBlock(`NATS/1.0\r\n${lines}\r\n`),
    body: request.data,
  }));
  const reply = await invoke(caller, 'normalize', `NATS/1.0\r\n${lines}\r\n`);
  t.true(blockOf(extension.received[0] as Msg).endsWith(`\r\n${lines}\r\n`));
  t.true(blockOf(reply).endsWith(`\r\n${lines}\r\n`));
});

test.serial(
  'HEADERS-3: an extension can forge neither our errors nor our headers, a caller not those of the extension',
  async (t) => {
    const forged = headers();
    forged.set('Extreg-Error', 'extension_timeout');
    forged.set('Extreg-Attempts', '99');
    forged.set('Extreg-Tenant-Id', 'acme');
    forged.set('Nats-Trace-Dest', 'x');
    const { caller, extension } = await scene(t, {}, () => ({ headers: forged }));
    const reply = await invoke(
      caller,
      'normalize',
      'NATS/1.0\r\nExtreg-Config: {}\r\nExtreg-Attempt: 7\r\nExtreg-Probe: 1\r\nNats-Msg-Id: 1\r\nExtreg-Tenant-Id: acme\r\n\r\n',
    );
    t.false(reply.headers?.has('Extreg-Error'));
    t.false(reply.headers?.has('Extreg-Tenant-Id'));
    t.deepEqual(reply.headers?.values('Extreg-Attempts'), ['1']);
    const seen = extension.received[0]?.headers;
    t.deepEqual(seen?.values('Extreg-Attempt'), ['1']);
    t.is(seen?.get('Extreg-Tenant-Id'), 'acme');
    for (const name of ['Extreg-Config', 'Extreg-Probe', 'Nats-Msg-Id']) t.false(seen?.has(name), name);
  },
);

test.serial('intake: the tenant of the subject stands over the header, for router and extension', async (t) => {
  const seen: Invocation[] = [];
  const { caller, extension } = await scene(t, {
    handle: (rig) => (invocation) => {
      seen.push(invocation);
      rig.attempt(invocation);
    },
  });
  await invoke(caller, 'normalize.acme', 'NATS/1.0\r\nExtreg-Tenant-Id: evil\r\nExtreg-Ctx-Region: eu\r\n\r\n');
  await invoke(caller, 'normalize', 'NATS/1.0\r\nExtreg-Tenant-Id: claimed\r\n\r\n');
  await invoke(caller, 'normalize.Łódź');
  t.deepEqual(
    seen.map(({ context }) => context.get('tenant_id')),
    ['acme', 'claimed', 'Łódź'],
  );
  t.deepEqual(
    extension.received.map((request) => request.headers?.values('Extreg-Tenant-Id')),
    [['acme'], ['claimed'], ['Łódź']],
  );
  t.is(seen[0]?.context.get('Region'), 'eu');
  t.is(seen[0]?.context.get('region'), undefined);
});

test.serial('intake: a configured environment stands over the header', async (t) => {
  const { caller, extension } = await scene(t, { environment: 'prod' });
  await invoke(caller, 'normalize', 'NATS/1.0\r\nExtreg-Environment: dev\r\n\r\n');
  await invoke(caller, 'normalize');
  t.deepEqual(
    extension.received.map((request) => request.headers?.values('Extreg-Environment')),
    [['prod'], ['prod']],
  );
});

test.serial(
  'intake: a valid traceparent is continued with a span of our own per attempt, tracestate passes',
  async (t) => {
    const { caller, extension } = await scene(t);
    const given = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    for (let i = 0; i < 2; i += 1)
      await invoke(caller, 'normalize', `NATS/1.0\r\ntracestate: a=b\r\ntraceparent: ${given}\r\n\r\n`);
    const spans = extension.received.map((request) => request.headers?.get('traceparent') ?? '');
    for (const span of spans) t.regex(span, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    t.is(new Set([given, ...spans]).size, 3);
    t.is(extension.received[0]?.headers?.get('tracestate'), 'a=b');
  },
);

test.serial('intake: budget and hops are read, and hops grow by one', async (t) => {
  const seen: Invocation[] = [];
  const { caller, extension } = await scene(t, {
    handle: (rig) => (invocation) => {
      seen.push(invocation);
      rig.attempt(invocation, 2);
    },
  });
  await invoke(caller, 'normalize', 'NATS/1.0\r\nExtreg-Timeout-Ms: 750\r\nExtreg-Hops: 3\r\n\r\n');
  t.is(seen[0]?.budgetMs, 750);
  t.is(extension.received[0]?.headers?.get('Extreg-Hops'), '4');
  t.is(extension.received[0]?.headers?.get('Extreg-Attempt'), '2');
});

const refused = test.macro<[string, string, RegExp, Record<string, unknown>?]>({
  async exec(t, rest, block, message, details) {
    const { caller, extension, rig } = await scene(t);
    const reply = await invoke(caller, rest, block);
    t.is(reply.headers?.get('Extreg-Error'), 'invalid_request');
    t.is(reply.headers?.get('Nats-Service-Error-Code'), '400');
    const error = errorOf(reply);
    t.regex(String(error.message), message);
    t.is(error.retryable, false);
    if (details !== undefined) t.like(error.details, details);
    t.is(extension.received.length, 0);
    t.is(rig.intake.counts().refused.get('invalid_request'), 1);
    // INTAKE-4, and the reader is alive.
    t.is((await invoke(caller, 'normalize', '', 'again')).string(), 'again');
  },
  title: (given) => `INTAKE-4: invalid_request for ${given}`,
});
test.serial('an id with a character that none may have', refused, 'a$b', '', /extension id must be .* got "a\$b"/);
test.serial('an id that is too long', refused, 'a'.repeat(256), '', /extension id must be/);
test.serial('an id that is a wildcard', refused, '*', '', /extension id must be/);
test.serial('an id that is not ASCII', refused, 'zażółć', '', /extension id must be/);
test.serial('a subject that is too deep', refused, 'normalize.acme.more', '', /must end after the tenant/);
test.serial('a tenant that is a wildcard', refused, 'normalize.>', '', /tenant token must be/);
test.serial('a tenant that is too long', refused, `normalize.${'t'.repeat(256)}`, '', /tenant token must be/);
test.serial('a malformed block', refused, 'normalize', 'NATS/1.0\r\nA b: c\r\n\r\n', /malformed/);
test.serial(
  'a header smuggled behind a bare LF',
  refused,
  'normalize',
  'NATS/1.0\r\nA: b\nExtreg-Config: {}\r\n\r\n',
  /malformed/,
);
test.serial('a block that is garbage', refused, 'normalize', '\u0000\u00ff\r\n\r\n', /malformed/);
test.serial(
  'a context header given twice',
  refused,
  'normalize',
  'NATS/1.0\r\nExtreg-Tenant-Id: a\r\nExtreg-Tenant-Id: b\r\n\r\n',
  /Extreg-Tenant-Id must be given once/,
);
for (const value of ['9', '60001', '0', '-5', '1.5', 'soon', ''])
  test.serial(
    `a budget of ${JSON.stringify(value)}`,
    refused,
    'normalize',
    `NATS/1.0\r\nExtreg-Timeout-Ms: ${value}\r\n\r\n`,
    new RegExp(`of 10\\.\\.60000, got "${value.replace('.', '\\.')}"`),
    { header: 'Extreg-Timeout-Ms', minimum: 10, maximum: 60_000 },
  );
test.serial('a loop', refused, 'normalize', 'NATS/1.0\r\nExtreg-Hops: 4\r\n\r\n', /loop/, { reason: 'loop', hops: 4 });
test.serial(
  'hops that are no number',
  refused,
  'normalize',
  'NATS/1.0\r\nExtreg-Hops: x\r\n\r\n',
  /Extreg-Hops must be/,
);

const wireForm = test.macro<[ErrorCode]>({
  async exec(t, code) {
    const { caller } = await scene(t, {
      handle: () => (invocation) =>
        invocation.refuse({
          code,
          message: 'it failed\r\nNats-Evil: Łódź',
          retryAfterMs: 12.3,
          details: { reason: 'test' },
        }),
    });
    const reply = await invoke(caller, 'normalize');
    const { status, retryable } = ERROR_TABLE[code];
    const maybe = retryable === 'maybe_executed';
    t.is(reply.headers?.get('Extreg-Error'), code);
    t.is(reply.headers?.get('Nats-Service-Error-Code'), String(status));
    t.is(reply.headers?.get('Nats-Service-Error'), 'it failed  Nats-Evil: Łódź');
    t.is(reply.headers?.keys().length, 3);
    t.deepEqual(reply.json(), {
      error: {
        code,
        message: 'it failed\r\nNats-Evil: Łódź',
        extension_id: 'normalize',
        retryable: retryable === 'yes',
        retry_after_ms: 13,
        details: { reason: 'test', ...(maybe ? { maybe_executed: true } : {}) },
      },
    });
  },
  title: (_, code) => `ERROR-REPLY-1: ${code} has its form on the wire`,
});
for (const code of Object.keys(ERROR_TABLE) as ErrorCode[]) test.serial(wireForm, code);

test.serial(
  'ERROR-REPLY-1: an error says what is known better than the table, and leaves out what it has not',
  async (t) => {
    const { caller } = await scene(t, {
      handle: () => (invocation) => invocation.refuse({ code: 'deadline_exceeded', message: 'm', retryable: 'yes' }),
    });
    t.deepEqual((await invoke(caller, 'normalize')).json(), {
      error: { code: 'deadline_exceeded', message: 'm', extension_id: 'normalize', retryable: true },
    });
  },
);

test.serial('INTAKE-1: a second answer is dropped and logged', async (t) => {
  const { log, lines } = recordingLogger();
  const { caller, rig } = await scene(t, {
    log,
    handle: () => (invocation) => {
      invocation.refuse({ code: 'overloaded', message: 'first' });
      invocation.refuse({ code: 'overloaded', message: 'second' });
    },
  });
  const replies: Msg[] = [];
  const inbox = caller.subscribe('_INBOX.once', { callback: (_, message) => void replies.push(message) });
  caller.publish(`${PREFIX}.invoke.normalize`, 'x', { reply: '_INBOX.once' });
  await until('the answer', () => replies.length > 0);
  await rig.connection.flush();
  await caller.flush();
  inbox.unsubscribe();
  t.is(replies.length, 1);
  t.true(lines.some((line) => line.event === 'invocation_answered_twice'));
  t.like(rig.intake.counts(), { accepted: 1, inFlight: 0 });
});

test.serial('INTAKE-1: a handler that throws costs its caller an error and nobody else anything', async (t) => {
  const { log, lines } = recordingLogger();
  const { caller } = await scene(t, {
    log,
    handle: (rig) => (invocation) => {
      if (invocation.extensionId === 'bomb') throw new Error('boom');
      if (invocation.extensionId === 'no-json')
        invocation.refuse({ code: 'overloaded', message: 'm', details: { count: 1n } });
      rig.attempt(invocation);
    },
  });
  const reply = await invoke(caller, 'bomb');
  t.is(reply.headers?.get('Extreg-Error'), 'internal_error');
  t.is(reply.headers?.get('Nats-Service-Error-Code'), '500');
  t.like(errorOf(reply), { retryable: false, details: { maybe_executed: true } });
  t.true(lines.some((line) => line.event === 'invocation_handler_failed'));
  t.is((await invoke(caller, 'no-json')).headers?.get('Extreg-Error'), 'internal_error');
  t.is((await invoke(caller, 'normalize', '', 'alive')).string(), 'alive');
});

test.serial(
  'INTAKE-2: without a reply subject, or with one that is not a caller\u2019s inbox, nothing is answered or sent',
  async (t) => {
    const { log, lines } = recordingLogger();
    const { caller, extension, rig } = await scene(t, { log });
    const spoofed: Msg[] = [];
    const spy = caller.subscribe('>', { callback: (_, message) => void spoofed.push(message) });
    const hostile = [
      'extreg.v1.event.circuit_opened.a',
      'ext.other',
      '_INBOX_extreg.0.1',
      '_INBOX.*',
      '_R_x.1',
      `_INBOX.${'x'.repeat(600)}`,
    ];
    caller.publish(`${PREFIX}.invoke.normalize`, 'x');
    for (const reply of hostile) caller.publish(`${PREFIX}.invoke.normalize`, 'x', { reply });
    await caller.flush();
    t.is((await invoke(caller, 'normalize', '', 'through')).string(), 'through');
    await caller.flush();
    spy.unsubscribe();
    t.is(rig.intake.counts().notAccepted, 7);
    t.is(extension.received.length, 1);
    t.deepEqual(
      spoofed.filter(({ subject }) => hostile.includes(subject)),
      [],
    );
    const warned = lines.filter((line) => line.event === 'invocation_not_accepted');
    t.is(warned.length, 1, 'logged at a limited rate');
  },
);

test.serial('INTAKE-2: reply prefixes are configurable', async (t) => {
  const { caller, rig } = await scene(t, { settings: { replyPrefixes: ['answers.'] } });
  const replies: Msg[] = [];
  const inbox = caller.subscribe('answers.1', { callback: (_, message) => void replies.push(message) });
  caller.publish(`${PREFIX}.invoke.normalize`, 'x', { reply: 'answers.1' });
  caller.publish(`${PREFIX}.invoke.normalize`, 'x', { reply: '_INBOX.1' });
  await until('the answer', () => replies.length > 0);
  inbox.unsubscribe();
  t.is(rig.intake.counts().notAccepted, 1);
});

test.serial('intake: a body over the configured limit is refused, one at the limit is not', async (t) => {
  const { caller } = await scene(t, { settings: { maxBodyBytes: 10 } });
  t.is((await invoke(caller, 'normalize', '', 'x'.repeat(10))).string(), 'x'.repeat(10));
  const reply = await invoke(caller, 'normalize', '', 'x'.repeat(11));
  t.is(reply.headers?.get('Extreg-Error'), 'payload_too_large');
  t.like(errorOf(reply).details, { direction: 'request', limit_bytes: 10, got_bytes: 11 });
});

test.serial('intake: a reply that is too large with our headers is told as payload_too_large', async (t) => {
  const { caller, rig } = await scene(t, {}, () => ({ body: new Uint8Array(MAX_PAYLOAD) }));
  const reply = await invoke(caller, 'normalize');
  t.is(reply.headers?.get('Extreg-Error'), 'payload_too_large');
  t.like(errorOf(reply).details, { direction: 'reply', limit_bytes: MAX_PAYLOAD });
  t.deepEqual(rig.outcomes, ['payload_too_large']);
});

test.serial('requester: a body that is too large with our headers is not sent', async (t) => {
  const { caller, extension, rig } = await scene(t);
  const reply = await invoke(caller, 'normalize', '', new Uint8Array(MAX_PAYLOAD));
  t.is(errorOf(reply).message, 'attempt ended: too_large');
  t.is(extension.received.length, 0);
  t.is(rig.requester.counts().pending, 0);
});

test.serial('intake: large bodies pass beside small ones', async (t) => {
  const { caller } = await scene(t);
  const sizes = Array.from({ length: 200 }, (_, i) => (i % 7 === 0 ? 60_000 : i * 37));
  const replies = await Promise.all(
    sizes.map((size) => invoke(caller, 'normalize', '', Buffer.alloc(size, size % 251))),
  );
  t.deepEqual(
    replies.map(({ data }) => data.length),
    sizes,
  );
  t.true(replies.every(({ data }, i) => data.every((byte) => byte === (sizes[i] as number) % 251)));
});

test.serial('intake: an extension\u2019s own error passes through unchanged', async (t) => {
  const { caller } = await scene(t, {}, () => ({
    body: 'nope',
    headers: rawBlock('NATS/1.0\r\nNats-Service-Error-Code: 422\r\nNats-Service-Error: nope\r\n\r\n'),
  }));
  const reply = await invoke(caller, 'normalize');
  t.is(reply.string(), 'nope');
  t.is(reply.headers?.get('Nats-Service-Error-Code'), '422');
  t.is(reply.headers?.get('Nats-Service-Error'), 'nope');
  t.false(reply.headers?.has('Extreg-Error'));
});

test.serial('intake: the answer of a fallback names it', async (t) => {
  const { caller } = await scene(t);
  t.is((await invoke(caller, 'other')).headers?.get('Extreg-Fallback'), 'normalize');
  t.false((await invoke(caller, 'normalize')).headers?.has('Extreg-Fallback'));
});

test.serial('intake: after draining it takes nothing, and what was under way is answered', async (t) => {
  let release: () => void = () => undefined;
  const { caller, rig } = await scene(t, {
    handle: (scene) => (invocation) => {
      release = () => scene.attempt(invocation);
    },
  });
  const pending = invoke(caller, 'normalize', '', 'last');
  await until('the invocation', () => rig.intake.counts().inFlight === 1);
  await rig.intake.drain();
  await t.throwsAsync(invoke(caller, 'normalize'), { message: /no responders/ });
  t.is(rig.intake.counts().inFlight, 1);
  release();
  t.is((await pending).string(), 'last');
  t.is(rig.intake.counts().inFlight, 0);
});

test.serial('header contract: what the public API sends is what passes', async (t) => {
  const given = headers();
  given.set('Content-Type', 'application/json');
  given.append('X-Many', 'one');
  given.append('X-Many', 'two');
  const { caller, extension } = await scene(t, {}, () => ({ headers: given }));
  const reply = await caller.request(`${PREFIX}.invoke.normalize`, 'x', { timeout: 5000, headers: given });
  for (const message of [reply, extension.received[0] as Msg]) {
    t.is(message.headers?.get('Content-Type'), 'application/json');
    t.deepEqual(message.headers?.values('X-Many'), ['one', 'two']);
  }
  t.deepEqual(new RawBlock((given as MsgHdrsImpl).encode()).encode(), (given as MsgHdrsImpl).encode());
});
