// What routing is told of a call and what the extension is told of it, on a real nats-server.

import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import fc from 'fast-check';
import type { Msg, NatsConnection } from '#@nats-io/nats-core';
import type { InvocationError } from '../../../src/domain/registry/errors.js';
import { CONTEXT_SOURCES, type ContextSource, contextHeader } from '../../../src/nats/intake/caller-context.js';
import { headerValue } from '../../../src/nats/wire/headers.js';
import { startExtension, TestServer } from '../../helpers/nats-server.js';
import { errorOf, invoke, Rig, type RigOptions } from '../wire-rig.js';

const test = anyTest as TestFn<{ server: TestServer; caller: NatsConnection }>;

// Each test has a rig, and so an intake, of its own: one at a time on the one server.
test.before(async (t) => {
  const server = await TestServer.start();
  t.context = { server, caller: await server.connect() };
});
test.after.always((t) => t.context.server.stop());

const KEYS = ['tenant_id', 'policy_id', 'environment', 'routing_key', 'region'];
const headerOf = (key: string): string => contextHeader(key)?.name ?? '';

interface Heard {
  /** What routing was told of KEYS; null where it did not ask. */
  readonly routing: Record<string, string> | null;
  /** The context headers that the extension got, without `Extreg-`. */
  readonly extension: Record<string, string>;
  readonly body: Buffer;
}

type Listen = (rest: string, lines?: readonly string[], body?: string) => Promise<Heard | InvocationError['details']>;

/** A daemon whose router asks for KEYS, or does not, before it sends the one attempt. */
async function listening(
  t: ExecutionContext<{ server: TestServer; caller: NatsConnection }>,
  options: RigOptions & { readonly asks?: boolean } = {},
): Promise<Listen> {
  const { server, caller } = t.context;
  const received: Msg[] = [];
  const extension = await startExtension(caller, 'ext.normalize', (request) => {
    received.push(request);
    return { body: request.data };
  });
  let context: ReadonlyMap<string, string> | null = null;
  const rig = await Rig.start(server, {
    ...options,
    handle: (rig) => (invocation) => {
      const asked = options.asks === false ? [] : KEYS;
      const values = asked.map((key) => [key, invocation.context.get(key)] as const);
      context =
        options.asks === false
          ? null
          : new Map(values.filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
      const problem = values.map(([, value]) => value).find((value) => typeof value === 'object');
      if (problem !== undefined) invocation.refuse(problem);
      else rig.attempt(invocation);
    },
  });
  t.teardown(async () => {
    extension.stop();
    await rig.close();
    await caller.flush();
  });
  return async (rest, lines = [], body = 'text') => {
    const block = lines.length === 0 ? '' : `NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
    const reply = await invoke(caller, rest, block, body);
    if (reply.headers?.has('Extreg-Error')) return errorOf(reply).details as InvocationError['details'];
    const request = received.at(-1) as Msg;
    const told: Record<string, string> = {};
    for (const name of KEYS.map(headerOf)) {
      const values = request.headers?.values(name) ?? [];
      t.true(values.length < 2, `${name} is told once`);
      if (values[0] !== undefined) told[name.replace('Extreg-', '')] = values[0];
    }
    const routing = context === null ? null : Object.fromEntries(context);
    return { routing, extension: told, body: Buffer.from(request.data) };
  };
}

const LINES = ['Extreg-Tenant-Id: h', 'Extreg-Policy-Id: h', 'Extreg-Ctx-region: h', 'Extreg-Ctx-tenant_id: evil'];
const BODY = ' {"tenant_id":"b","policy_id":"b","metadata":{"region":"b","routing_key":"b"}}';

const believed = test.macro<
  [from: readonly ContextSource[], routing: Record<string, string>, extension: Record<string, string>]
>({
  async exec(t, contextFrom, routing, extension) {
    const listen = await listening(t, { contextFrom });
    t.deepEqual(await listen('normalize.s', LINES, BODY), { routing, extension, body: Buffer.from(BODY) });
  },
  title: (_, from) => `context_from ${from.join(', ') || 'none'}: what routing and the extension are told`,
});

const ofBody = { tenant_id: 'b', policy_id: 'b', region: 'b', routing_key: 'b' };
const ofHeaders = { 'Tenant-Id': 'h', 'Policy-Id': 'h', 'Ctx-region': 'h' };
test.serial(
  believed,
  ['subject', 'header', 'body'],
  { tenant_id: 's', policy_id: 'h', region: 'h', routing_key: 'b' },
  { ...ofHeaders, 'Tenant-Id': 's' },
);
test.serial(
  believed,
  ['header', 'subject', 'body'],
  { tenant_id: 'h', policy_id: 'h', region: 'h', routing_key: 'b' },
  ofHeaders,
);
test.serial(
  believed,
  ['subject', 'header'],
  { tenant_id: 's', policy_id: 'h', region: 'h' },
  { ...ofHeaders, 'Tenant-Id': 's' },
);
test.serial(believed, ['header'], { tenant_id: 'h', policy_id: 'h', region: 'h' }, ofHeaders);
test.serial(believed, ['subject', 'body'], { ...ofBody, tenant_id: 's' }, { 'Tenant-Id': 's' });
test.serial(believed, ['subject'], { tenant_id: 's' }, { 'Tenant-Id': 's' });
test.serial(believed, ['body'], ofBody, {});
test.serial(believed, ['body', 'subject', 'header'], ofBody, {});
test.serial(believed, [], {}, {});

test.serial(
  'CALLER-CONTEXT-4: where headers go first, the subject is the second choice, also after a blank header',
  async (t) => {
    const listen = await listening(t, { contextFrom: ['header', 'subject'] });
    const told = { routing: { tenant_id: 's' }, extension: { 'Tenant-Id': 's' } };
    t.like(await listen('normalize.s'), told);
    t.like(await listen('normalize.s', ['A: 1']), told);
    t.like(await listen('normalize.s', ['Extreg-Tenant-Id:  ']), told);
    t.like(await listen('normalize.s', [`Extreg-Tenant-Id: ${headerValue('Łódź')}`]), {
      routing: { tenant_id: 'Łódź' },
      extension: { 'Tenant-Id': 'Łódź' },
    });
  },
);

test.serial(
  'CALLER-CONTEXT-2: a router that does not ask passes on what is believed, whatever the body says',
  async (t) => {
    const listen = await listening(t, { contextFrom: ['body', 'header'], asks: false });
    t.like(await listen('normalize.s', LINES, BODY), { routing: null, extension: ofHeaders });
  },
);

test.serial('CALLER-CONTEXT-3: a configured environment is what routing and the extension are told', async (t) => {
  const listen = await listening(t, { environment: 'prod', contextFrom: ['body', 'header'] });
  const heard = await listen('normalize', ['Extreg-Environment: dev'], '{"environment":"dev"}');
  t.like(heard, { routing: { environment: 'prod' }, extension: { Environment: 'prod' } });
});

test.serial(
  'CALLER-CONTEXT-5: a body too large to be looked into is refused; with the headers it passes byte for byte',
  async (t) => {
    const listen = await listening(t, { contextBodyMaxBytes: 20 });
    const headers = KEYS.map(headerOf);
    const details = { reason: 'context_needed', limit_bytes: 20, got_bytes: Buffer.byteLength(BODY) };
    // Of those that are asked for, the first that nothing but the body could give.
    t.deepEqual(await listen('normalize', [], BODY), { ...details, headers: [headers[0]] });
    t.deepEqual(await listen('normalize.s', [], BODY), { ...details, headers: [headers[1]] });
    const lines = headers.map((name) => `${name}: x`);
    t.deepEqual(((await listen('normalize', lines, BODY)) as Heard).body, Buffer.from(BODY));
  },
);

const value = fc.constantFrom('', 'a', 'b', 'Łódź');
const some = (names: readonly string[]) => fc.dictionary(fc.constantFrom(...names), value);
const anyCall = fc.record({
  rest: fc.constantFrom('normalize', 'normalize.a', 'normalize.s'),
  headers: some(KEYS.map(headerOf)),
  top: some(KEYS),
  metadata: some(KEYS),
});

const ORDERS: readonly (readonly ContextSource[])[] = [
  ...CONTEXT_SOURCES.flatMap((a) => [[a], ...CONTEXT_SOURCES.filter((b) => b !== a).map((b) => [a, b])]),
  ...CONTEXT_SOURCES.flatMap((a) => {
    const [b, c] = CONTEXT_SOURCES.filter((other) => other !== a) as [ContextSource, ContextSource];
    return [
      [a, b, c],
      [a, c, b],
    ];
  }),
];

for (const contextFrom of ORDERS)
  test.serial(
    `CALLER-CONTEXT-4: for any call, the extension is told what routing used (${contextFrom.join(', ')})`,
    async (t) => {
      const listen = await listening(t, { contextFrom });
      await fc.assert(
        fc.asyncProperty(anyCall, async ({ rest, headers, top, metadata }) => {
          const lines = Object.entries(headers).map(([name, text]) => `${name}: ${headerValue(text)}`);
          const { routing, extension } = (await listen(rest, lines, JSON.stringify({ ...top, metadata }))) as Heard;
          const inBody: readonly string[] = [...Object.values(top), ...Object.values(metadata)];
          for (const key of KEYS) {
            const used = routing?.[key];
            const told = extension[headerOf(key).replace('Extreg-', '')] ?? '';
            if (told !== '') t.is(told, used ?? '');
            const isInBody = contextFrom.includes('body') && used !== undefined && inBody.includes(used);
            if (!isInBody) t.is(told, used ?? '', 'what no body says is told by a header');
          }
        }),
        { numRuns: 25 },
      );
    },
  );
