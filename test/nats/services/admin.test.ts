// `<prefix>.admin.<verb>` on a real nats-server: ADMIN-1 to ADMIN-3 of admin.ts, and which daemons serve it.

import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { headers, type Msg, type NatsConnection } from '#@nats-io/nats-core';
import type { Admit } from '../../../src/actors/ports/access.js';
import { OPEN_PRINCIPAL } from '../../../src/domain/access/principal.js';
import type { Explanation } from '../../../src/domain/routing/explanation-schema.js';
import { AdminService, type AdminVerb } from '../../../src/nats/services/admin.js';
import { adminVerbs } from '../../../src/nats/services/admin-verbs.js';
import { Subjects } from '../../../src/nats/wire/subjects.js';
import { openAccess } from '../../helpers/access.js';
import { DaemonProcess } from '../../helpers/daemon-process.js';
import { explanation, FULL_EXPLANATION } from '../../helpers/explanations.js';
import { TestServer } from '../../helpers/nats-server.js';
import { until } from '../../helpers/until.js';
import { extensionHealth, fleetAnswer, healthSource } from '../../http/helpers.js';
import { errorOf, type LogLine, Rig, recordingLogger, systemClock } from '../wire-rig.js';

interface World {
  server: TestServer;
  client: NatsConnection;
  rig: Rig;
}
const test = anyTest as TestFn<World>;
test.before(async (t) => {
  const server = await TestServer.start('max_payload: 131072');
  t.context = { server, client: await server.connect(), rig: await Rig.start(server) };
});
test.after.always(async (t) => {
  await t.context.rig.close();
  await t.context.server.stop();
});

const health = healthSource(extensionHealth('a'), extensionHealth('b'));
const OWN_SERVER = { admit: openAccess.admit, isTokenRequired: () => false, isOwnServer: true };
const once = (answer: AdminVerb['answer']): AdminVerb => ({ fields: [], answer });

interface Served {
  readonly service: AdminService;
  readonly prefix: string;
  readonly lines: LogLine[];
  /** What `explain` was asked. */
  readonly asked: [string, Readonly<Record<string, string>>][];
  /** The one reply to a request; fails where there is another. */
  ask(verb: string, body?: string | Uint8Array): Promise<Msg>;
}

let services = 0;

/** The verbs of the daemon and `more`, on subjects of their own. */
async function served(
  t: ExecutionContext<World>,
  more: Readonly<Record<string, AdminVerb>> = {},
  answer: (id: string) => Explanation | null = () => explanation(),
  access: { readonly admit?: Admit; readonly isTokenRequired?: () => boolean; readonly isOwnServer?: boolean } = {},
): Promise<Served> {
  const { rig, client } = t.context;
  services += 1;
  const prefix = `extreg.a${services}`;
  const asked: Served['asked'] = [];
  const explain = (id: string, context: Readonly<Record<string, string>>) => {
    asked.push([id, context]);
    return answer(id);
  };
  const verbs = new Map([...adminVerbs({ health, explain, fleet: () => fleetAnswer }), ...Object.entries(more)]);
  const { log, lines } = recordingLogger();
  const subjects = new Subjects(prefix);
  const { connection, replies } = rig;
  const of = { connection, replies, subjects, clock: systemClock, log, replyPrefixes: ['_INBOX'], verbs };
  const service = new AdminService({ ...of, ...OWN_SERVER, ...access });
  service.start();
  t.teardown(() => service.drain());
  await rig.connection.flush();
  return {
    service,
    prefix,
    lines,
    asked,
    async ask(verb, body = '') {
      const inbox = `_INBOX.${prefix}.${Math.random().toString(36).slice(2)}`;
      const replies: Msg[] = [];
      const subscription = client.subscribe(inbox, { callback: (_, message) => void replies.push(message) });
      client.publish(`${prefix}.admin.${verb}`, body, { reply: inbox });
      await until('the reply', () => replies.length > 0);
      // A second one would have been on its way by now.
      await rig.connection.flush();
      await client.flush();
      t.is(replies.length, 1);
      subscription.unsubscribe();
      return replies[0] as Msg;
    },
  };
}

const request = (context: unknown): string => JSON.stringify({ extension_id: 'a', context });

test('admin: explain answers with the explanation, and without headers', async (t) => {
  const { ask, asked } = await served(t, {}, () => FULL_EXPLANATION);
  const reply = await ask('explain', '{"extension_id": "a", "context": {"tenant_id": "t1", "plan": 1}}');
  t.is(reply.headers, undefined);
  t.deepEqual(reply.json(), FULL_EXPLANATION);
  t.deepEqual(asked, [['a', { tenant_id: 't1', plan: '1' }]]);
});

test('admin: health answers with all extensions, or with one', async (t) => {
  const { ask } = await served(t);
  for (const body of ['', '{}', ' {\n} ']) t.deepEqual((await ask('health', body)).json(), health.report(), body);
  t.deepEqual((await ask('health', '{"extension_id":"b"}')).json(), health.whole('b'));
});

const context = test.macro<[context: string, understood: Readonly<Record<string, string>>]>({
  async exec(t, given, understood) {
    const { ask, asked } = await served(t);
    t.is((await ask('explain', `{"extension_id":"a","context":${given}}`)).headers, undefined);
    t.deepEqual(
      asked.map(([, one]) => Object.entries(one)),
      [Object.entries(understood)],
    );
  },
  title: (_, given, understood) =>
    `admin: the context ${given.slice(0, 60)} is understood as ${JSON.stringify(understood).slice(0, 60)}`,
});
test(context, '{}', {});
test(context, '{"a":"größer","b":true,"c":false}', { a: 'größer', b: 'true', c: 'false' });
test(context, '{"a":1.0,"b":1e3,"c":-0,"d":0.10}', { a: '1', b: '1000', c: '0', d: '0.1' });
test(context, '{"a":12345678901234567890}', { a: '12345678901234567890' });
test(context, '{"a":"","b":" \\t","c":"x"}', { c: 'x' });
test(context, '{"__proto__":"x","constructor":"y"}', JSON.parse('{"__proto__":"x","constructor":"y"}'));
const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
test(context, JSON.stringify(keys(32)), keys(32));
test(context, JSON.stringify({ k: 'x'.repeat(1000) }), { k: 'x'.repeat(1000) });

test('admin: an explanation without a context is one of a call that says nothing', async (t) => {
  const { ask, asked } = await served(t);
  await ask('explain', '{"extension_id":"a"}');
  t.deepEqual(asked, [['a', {}]]);
});

test('admin: an extension that there is not is answered as such', async (t) => {
  const { ask } = await served(t, {}, () => null);
  for (const verb of ['explain', 'health']) {
    const reply = await ask(verb, '{"extension_id":"gone"}');
    t.is(reply.headers?.get('Extreg-Error'), 'extension_not_found');
    t.is(reply.headers?.get('Nats-Service-Error-Code'), '404');
    t.is(reply.headers?.get('Nats-Service-Error'), "no extension 'gone'");
    t.deepEqual(errorOf(reply), {
      code: 'extension_not_found',
      message: "no extension 'gone'",
      extension_id: 'gone',
      retryable: false,
    });
  }
});

const refused = test.macro<[what: string, verb: string, body: string | Uint8Array, message: RegExp]>({
  async exec(t, _, verb, body, message) {
    const { ask, asked, lines } = await served(t);
    const reply = await ask(verb, body);
    t.is(reply.headers?.get('Extreg-Error'), 'invalid_request');
    t.is(reply.headers?.get('Nats-Service-Error-Code'), '400');
    const error = errorOf(reply) as { code: string; message: string; retryable: boolean };
    t.is(error.code, 'invalid_request');
    t.false(error.retryable);
    t.regex(error.message, message);
    t.true(error.message.length < 400);
    t.deepEqual(asked, []);
    t.deepEqual(lines, []);
  },
  title: (_, what) => `ADMIN-3: ${what} is an invalid request`,
});
test(
  refused,
  'a verb that there is not',
  'explian',
  '{}',
  /^the verb must be one of explain, fleet, health, got "explian"$/,
);
test(
  refused,
  'a verb that changes something',
  'isolate',
  '{"extension_id":"a"}',
  /must be one of explain, fleet, health,/,
);
test(refused, 'a verb of two tokens', 'explain.a', '{}', /got "explain\.a"$/);
test(refused, 'a verb of another case', 'Explain', '{}', /got "Explain"$/);
test(refused, 'a name that every object has', 'constructor', '{}', /got "constructor"$/);
test(refused, 'a verb that is too long', 'x'.repeat(400), '{}', /got "x{80}"$/);
test(refused, 'an explanation of nothing', 'explain', '', /^extension_id must be a text, got nothing$/);
test(refused, 'malformed JSON', 'explain', '{"extension_id"', /must be JSON: expected ':', got the end at line 1/);
test(refused, 'text after the end', 'explain', '{} {}', /must be JSON: unexpected '\{' after the end/);
test(refused, 'no JSON at all', 'health', 'hello', /must be JSON: unexpected 'h'/);
test(refused, 'text that is not UTF-8', 'explain', Uint8Array.of(0x22, 0xff, 0x22), /must be JSON: it is not UTF-8/);
test(refused, 'bytes', 'explain', new Uint8Array(100), /must be JSON: unexpected/);
test(refused, 'a list', 'explain', '[]', /^the request must be a JSON object, got a list$/);
test(refused, 'null', 'health', 'null', /^the request must be a JSON object, got null$/);
test(refused, 'a number of many digits', 'health', '1'.repeat(60_000), /a JSON object, got a number$/);
test(refused, 'a text', 'health', '"a"', /a JSON object, got a text$/);
test(refused, 'a deep list', 'explain', '['.repeat(60_000), /nested deeper than 16 levels/);
test(refused, 'a body that is too large', 'explain', ' '.repeat(65_537), /at most 65536 bytes, got 65537$/);
test(
  refused,
  'a field that is none',
  'health',
  '{"extension_id":"a","limit":1}',
  /no field "limit"; it takes extension_id$/,
);
test(
  refused,
  'a misspelled field',
  'explain',
  '{"extension":"a"}',
  /no field "extension"; it takes extension_id, context$/,
);
test(refused, 'the field __proto__', 'explain', '{"__proto__":{"extension_id":"a"}}', /no field "__proto__"/);
test(refused, 'a field that is given twice', 'explain', '{"extension_id":"a","extension_id":"b"}', /given twice/);
test(refused, 'an id that is a number', 'explain', '{"extension_id":1}', /^extension_id must be a text, got a number$/);
test(refused, 'an id that is null', 'health', '{"extension_id":null}', /^extension_id must be a text, got null$/);
test(refused, 'an id that is no token', 'health', '{"extension_id":"a.b"}', /extension id/);
test(refused, 'an empty id', 'explain', '{"extension_id":""}', /extension id/);
test(refused, 'a context that is a text', 'explain', request('a=b'), /^context must be an object, got a text$/);
test(refused, 'a context that is a list', 'explain', request(['a']), /^context must be an object, got a list$/);
test(refused, 'a context that is null', 'explain', request(null), /^context must be an object, got null$/);
test(refused, 'a value that is null', 'explain', request({ plan: null }), /^context key "plan" .*, got null$/);
test(refused, 'a value that is a list', 'explain', request({ plan: ['a'] }), /true or false, got a list$/);
test(refused, 'a value that is an object', 'explain', request({ plan: {} }), /true or false, got an object$/);
test(refused, 'an empty key', 'explain', request({ '': 'a' }), /^a context key must not be empty$/);
test(refused, 'too many keys', 'explain', request(keys(33)), /at most 32 keys/);
test(refused, 'a value that is too long', 'explain', request({ k: 'x'.repeat(1001) }), /at most 1000 .*, got 1001$/);
test(
  refused,
  'a number of too many digits',
  'explain',
  `{"extension_id":"a","context":{"k":${'1'.repeat(1001)}}}`,
  /at most 1000 characters/,
);
test(refused, 'a key that is too long', 'explain', request({ ['k'.repeat(60_000)]: 1 }), /at most 1000 .*, got 60000$/);
test(refused, 'a long key of a wrong value', 'explain', request({ ['k'.repeat(60_000)]: [] }), /got a list$/);

test('ADMIN-3: what is wrong with the context of an extension is answered under its id', async (t) => {
  const { ask } = await served(t);
  t.is(errorOf(await ask('explain', request({ k: null }))).extension_id, 'a');
  t.is(errorOf(await ask('explain', '{"extension_id":7}')).extension_id, '');
});

test('ADMIN-1: a verb that fails is answered and logged, and the next request is answered', async (t) => {
  const thrown = () => {
    throw new Error('a secret');
  };
  const { ask, lines } = await served(t, {
    throws: once(thrown),
    circular: once(() => {
      const value: Record<string, unknown> = {};
      value.itself = value;
      return { kind: 'answer', value };
    }),
    no_json: once(() => ({
      kind: 'refused',
      error: { code: 'invalid_request', message: 'a secret', details: { count: 1n } },
      extensionId: '',
    })),
  });
  for (const verb of ['throws', 'circular', 'no_json']) {
    const reply = await ask(verb);
    t.is(reply.headers?.get('Extreg-Error'), 'internal_error');
    t.like(errorOf(reply), { code: 'internal_error', retryable: true });
    t.false(reply.string().includes('secret'));
  }
  t.deepEqual(
    lines.map(({ event, verb }) => [event, verb]),
    ['throws', 'circular', 'no_json'].map((verb) => ['admin_request_failed', verb]),
  );
  t.is((await ask('explain', '{"extension_id":"a"}')).headers, undefined);
});

test('ADMIN-1: an answer that the server would not take is told as too large', async (t) => {
  const size = (length: number) => once(() => ({ kind: 'answer', value: ['x'.repeat(length - 4)] }));
  const { ask } = await served(t, { fits: size(131_072), exceeds: size(131_073) });
  t.is((await ask('fits')).data.length, 131_072);
  const reply = await ask('exceeds');
  t.is(reply.headers?.get('Nats-Service-Error-Code'), '413');
  t.like(errorOf(reply), {
    code: 'payload_too_large',
    details: { direction: 'reply', limit_bytes: 131_072, got_bytes: 131_073 },
  });
});

test('ADMIN-2: without a reply subject that is published to, nobody is asked: counted, and logged at a limited rate', async (t) => {
  const { service, prefix, lines, asked } = await served(t);
  const { client, rig } = t.context;
  const subject = `${prefix}.admin.explain`;
  const body = '{"extension_id":"a"}';
  client.publish(subject, body);
  for (const reply of ['ext.a', `${subject}`, '_INBOX_extreg.x', '_INBO.x', '$SYS.x'])
    client.publish(subject, body, { reply });
  await client.flush();
  await rig.connection.flush();
  t.is(service.notAccepted, 6);
  t.deepEqual(asked, []);
  t.deepEqual(lines, [{ event: 'admin_request_not_accepted', subject, reply: '', suppressed: 0 }]);
});

test('admin: after draining it takes no more', async (t) => {
  const { service, prefix, asked } = await served(t);
  await service.drain();
  const request = t.context.client.request(`${prefix}.admin.explain`, '{"extension_id":"a"}');
  await t.throwsAsync(request, { message: /no responders/ });
  t.deepEqual(asked, []);
});

test('admin: fleet answers as GET /admin/fleet, and takes nothing', async (t) => {
  const { ask } = await served(t);
  t.deepEqual(JSON.parse((await ask('fleet', '')).string()), fleetAnswer);
  t.is(errorOf(await ask('fleet', '{"id":"a"}')).code, 'invalid_request');
});

test('admin: two daemons share the requests, and each is answered once', async (t) => {
  const { prefix, ask, asked } = await served(t);
  const { rig } = t.context;
  const others: string[] = [];
  const verbs = adminVerbs({
    health,
    fleet: () => fleetAnswer,
    explain: (id) => {
      others.push(id);
      return explanation();
    },
  });
  const subjects = new Subjects(prefix);
  const { log } = recordingLogger();
  const { connection, replies } = rig;
  const of = { connection, replies, subjects, clock: systemClock, log, replyPrefixes: ['_INBOX'], verbs };
  const second = new AdminService({ ...of, ...OWN_SERVER });
  second.start();
  t.teardown(() => second.drain());
  await rig.connection.flush();
  for (let i = 0; i < 30; i += 1) await ask('explain', '{"extension_id":"a"}');
  t.is(asked.length + others.length, 30);
  t.true(asked.length > 0 && others.length > 0);
});

test('admin: a daemon with its own server answers what its admin API answers', async (t) => {
  const daemon = await DaemonProcess.startReady(t);
  const sql = daemon.sql();
  await sql`insert into extensions (id, type, subject) values ('a', 'pre', 'ext.a')`;
  await sql`insert into extension_versions (id, version, subject, routing_rules)
    values ('a', 'v1', 'ext.a1', '{}'), ('a', 'v2', 'ext.a2', '{"plan": "1"}')`;
  await until('it is known', async () => ((await daemon.health('a')).versions?.length ?? 0) === 2);
  const client = await daemon.connect();
  const ask = async (verb: string, body: string): Promise<unknown> =>
    (await client.request(`extreg.v1.admin.${verb}`, body, { timeout: 5000 })).json();
  const get = async (path: string): Promise<unknown> =>
    (await daemon.fetch(`/admin/extensions${path.startsWith('?') ? '' : '/'}${path}`)).json();
  const told = await ask('explain', '{"extension_id": "a", "context": {"plan": 1.0}}');
  t.deepEqual(told, await get('a/explain?plan=1'));
  t.like(told, { chosen: { version: 'v2', by: 'rules' } });
  t.deepEqual(await ask('health', ''), await get('health'));
  t.deepEqual(await ask('health', '{"extension_id":"a"}'), await get('a/health'));
  t.deepEqual(await ask('show', '{"extension_id":"a"}'), await get('a'));
  t.deepEqual(await ask('list', '{"q":"A"}'), await get('?q=A'));
  const trail = await (await daemon.fetch('/admin/audit?extension_id=a')).json();
  t.deepEqual(await ask('audit', '{"extension_id":"a"}'), trail);
  t.false(daemon.has('nats_admin_not_served'));
  t.is(await daemon.stop(), 0);
});

test('ADMIN-4: a token is asked for in the header, as over HTTP, and whoever has none learns nothing', async (t) => {
  const { client } = t.context;
  const admit: Admit = (authorization) =>
    authorization === 'Bearer right'
      ? { kind: 'admitted', principal: { ...OPEN_PRINCIPAL, kind: 'token', role: 'viewer' } }
      : { kind: 'unauthenticated', message: `got ${authorization ?? 'none'}`, delayMs: 0 };
  const { prefix, asked } = await served(t, {}, undefined, { admit, isTokenRequired: () => true, isOwnServer: false });
  const ask = (header?: string, name = 'Authorization') => {
    const sent = headers();
    if (header !== undefined) sent.set(name, header);
    return client.request(`${prefix}.admin.explain`, '{"extension_id": "a"}', { headers: sent, timeout: 5000 });
  };
  for (const [header, message] of [
    [undefined, 'got none'],
    ['Bearer wrong', 'got Bearer wrong'],
  ] as const) {
    t.is(errorOf(await ask(header)).code, 'unauthenticated');
    t.true((await ask(header)).string().includes(message));
  }
  t.is(asked.length, 0);
  t.is((await ask('Bearer right')).headers?.get('Extreg-Error') ?? '', '');
  t.is((await ask('Bearer right', 'authorization')).headers?.get('Extreg-Error') ?? '', '');
  t.is(asked.length, 2);
});

test('ADMIN-4: on a server that is not its own, verbs are served once a token is asked for, and are not open after the last one', async (t) => {
  const { client } = t.context;
  let isRequired = false;
  const { prefix, service, lines } = await served(t, {}, undefined, {
    isOwnServer: false,
    isTokenRequired: () => isRequired,
  });
  const ask = () => client.request(`${prefix}.admin.health`, '', { timeout: 5000 });
  await t.throwsAsync(ask(), { message: /no responders/ });
  service.start();
  t.is(lines.filter(({ event }) => event === 'nats_admin_not_served').length, 1);
  isRequired = true;
  service.accessChanged();
  await t.context.rig.connection.flush();
  // The principal of an open API: the last token has just been revoked.
  t.is(errorOf(await ask()).code, 'unauthenticated');
  isRequired = false;
  service.accessChanged();
  await t.context.rig.connection.flush();
  await until('it is not served', () =>
    ask().then(
      () => false,
      (error: Error) => /no responders/.test(error.message),
    ),
  );
});

test('admin: a daemon on a server that is not its own does not serve it, and says so once', async (t) => {
  const daemon = await DaemonProcess.startReady(t, { NATS_URL: t.context.server.url });
  await t.throwsAsync(t.context.client.request('extreg.v1.admin.health', ''), { message: /no responders/ });
  const told = daemon.log.filter(({ event }) => event === 'nats_admin_not_served');
  t.deepEqual(
    told.map(({ reason }) => reason),
    ['no_access_token'],
  );
  t.is((await daemon.fetch('/admin/extensions/health')).status, 200);
});
