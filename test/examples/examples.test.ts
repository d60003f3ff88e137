import anyTest, { type TestFn } from 'ava';
import { headers, type NatsConnection } from '#@nats-io/nats-core';
import { TestServer } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';
import { call, startExample } from './example-process.js';

const test = anyTest as TestFn<{ server: TestServer; client: NatsConnection }>;

test.before(async (t) => {
  const server = await TestServer.start();
  t.context = { server, client: await server.connect() };
});
test.after.always((t) => t.context.server.stop());

const NORMALIZE = 'beamline.ext.pre.normalize_text.v1';
const GUARD = 'beamline.ext.validate.pii_guard.v1';
const MASK = 'beamline.ext.post.mask_pii.v1';

test.serial(
  'normalize_text: trims, collapses white space and lower-cases every text, and leaves the rest',
  async (t) => {
    const { server, client } = t.context;
    await startExample(t, server, 'normalize-text.mjs');
    const cases: [unknown, unknown][] = [
      ['  Hello\t\n  WORLD ', 'hello world'],
      ['\u00a0ÄÖÜ\u2003Straße ΣΑΣ\u3000', 'äöü straße σας'],
      ['e\u0301', '\u00e9'],
      ['', ''],
      [
        { Title: ' A  B ', tags: [' X ', { deep: ' Y' }], n: 1, no: null },
        { Title: 'a b', tags: ['x', { deep: 'y' }], n: 1, no: null },
      ],
      [7, 7],
    ];
    for (const [payload, expected] of cases) {
      const metadata = { Lang: ' EN ' };
      const { body } = await call(client, NORMALIZE, { trace_id: 't', tenant_id: 'a', payload, metadata });
      t.deepEqual(body, { payload: expected, metadata });
    }
  },
);

test.serial('pii_guard: says ok, or the kinds it found, and never what it found', async (t) => {
  const { server, client } = t.context;
  const guard = await startExample(t, server, 'pii-guard.mjs');
  t.deepEqual((await call(client, GUARD, { payload: 'nothing to see' })).body, { status: 'ok' });
  const secrets = ['ada@example.org', '4111 1111 1111 1111', 'bob@example.org'];
  const { body, code } = await call(client, GUARD, {
    payload: { text: secrets.slice(0, 2).join(' '), 'bob@example.org': 1 },
  });
  t.deepEqual(body, { status: 'reject', reason: 'pii_detected', details: { kinds: { card: 1, email: 2 } } });
  t.is(code, '');
  for (const secret of secrets) t.false((JSON.stringify(body) + guard.output()).includes(secret));
});

test.serial('mask_pii: masks the payload and counts in the metadata, which is otherwise kept', async (t) => {
  const { server, client } = t.context;
  await startExample(t, server, 'mask-pii.mjs');
  const { body } = await call(client, MASK, {
    payload: { reply: ['Mail ada@example.org', 'or not'] },
    metadata: { lang: 'en' },
  });
  t.deepEqual(body, { payload: { reply: ['Mail [email]', 'or not'] }, metadata: { lang: 'en', pii_masked: 1 } });
});

test.serial('envelope: what is none is answered with service error 400 that repeats nothing of it', async (t) => {
  const { server, client } = t.context;
  const guard = await startExample(t, server, 'pii-guard.mjs');
  let nested: unknown = 'ada@example.org';
  for (let depth = 0; depth < 100; depth += 1) nested = [nested];
  const cases: [unknown, RegExp][] = [
    ['ada@example.org', /not JSON/],
    ['', /not JSON/],
    ['["ada@example.org"]', /not a JSON object/],
    ['"ada@example.org"', /not a JSON object/],
    ['null', /not a JSON object/],
    [{ text: 'ada@example.org' }, /payload is missing/],
    [{ payload: 'x', metadata: 'ada@example.org' }, /metadata is not an object/],
    [{ payload: nested }, /nested more than 64 deep/],
  ];
  for (const [sent, expected] of cases) {
    const { body, code, error } = await call(client, GUARD, sent);
    t.is(code, '400');
    t.regex(error, expected);
    t.deepEqual(body, { error: { code: 400, message: error } });
  }
  t.false(guard.output().includes('ada@'));
  t.deepEqual((await call(client, GUARD, { payload: 'still here' })).body, { status: 'ok' });
});

test.serial(
  'E3: a health check without a body is well while the extension is, and fails where its switches say so',
  async (t) => {
    const { server, client } = t.context;
    await startExample(t, server, 'pii-guard.mjs', { EXTENSION_CONTROL_SUBJECT: 'x.control' });
    const check = async (body: string) => {
      const h = headers();
      h.set('Extreg-Probe', '1');
      const reply = await client.request(GUARD, body, { headers: h, timeout: 5000 });
      return [reply.string(), reply.headers?.get('Nats-Service-Error-Code') ?? ''];
    };
    t.deepEqual(await check(''), ['{"status":"ok"}', '']);
    t.is((await check('{"payload":"ada@example.org"}'))[0]?.includes('reject'), true);
    await call(client, 'x.control', { failure_rate: 1 });
    t.is((await check(''))[1], '500');
  },
);

test.serial('discovery: PING, INFO and STATS as ADR-32 wants them, by name and by id', async (t) => {
  const { server, client } = t.context;
  await startExample(t, server, 'pii-guard.mjs', { EXTENSION_SUBJECT: 'mine.guard', EXTENSION_QUEUE: 'pool' });
  await call(client, 'mine.guard', { payload: 'x' });
  await call(client, 'mine.guard', 'broken');
  const ping = (await call(client, '$SRV.PING.pii_guard', '')).body as Record<string, string>;
  t.like(ping, { type: 'io.nats.micro.v1.ping_response', name: 'pii_guard', version: '1.0.0', metadata: {} });
  const info = (await call(client, `$SRV.INFO.pii_guard.${ping.id}`, '')).body;
  t.like(info, {
    type: 'io.nats.micro.v1.info_response',
    id: ping.id,
    endpoints: [{ subject: 'mine.guard', queue_group: 'pool' }],
  });
  const stats = (await call(client, '$SRV.STATS', '')).body as { started: string };
  t.like(stats, {
    type: 'io.nats.micro.v1.stats_response',
    endpoints: [{ num_requests: 2, num_errors: 1, last_error: '400:the body is not JSON' }],
  });
  t.false(Number.isNaN(Date.parse(stats.started)));
});

test.serial('queue group: two processes share the requests, each is answered once', async (t) => {
  const { server, client } = t.context;
  await startExample(t, server, 'pii-guard.mjs');
  await startExample(t, server, 'pii-guard.mjs');
  const answers = await Promise.all(Array.from({ length: 200 }, () => call(client, GUARD, { payload: 'x' })));
  t.is(answers.length, 200);
  const stats = await client.requestMany('$SRV.STATS.pii_guard', '', { strategy: 'count', maxMessages: 2 });
  const counts: number[] = [];
  for await (const reply of stats)
    counts.push(reply.json<{ endpoints: [{ num_requests: number }] }>().endpoints[0].num_requests);
  t.is(
    counts.reduce((sum, count) => sum + count, 0),
    200,
  );
  t.true(Math.min(...counts) > 0);
});

test.serial('switches: failing is turned on and off while it runs', async (t) => {
  const { server, client } = t.context;
  const control = 'control.pii_guard';
  await startExample(t, server, 'pii-guard.mjs', { EXTENSION_CONTROL_SUBJECT: control });
  const off = { delay_ms: 0, failure_rate: 0, hang_rate: 0, crash_rate: 0 };
  t.deepEqual((await call(client, control, '')).body, off);
  t.deepEqual((await call(client, control, { failure_rate: 1 })).body, { ...off, failure_rate: 1 });
  t.like(await call(client, GUARD, { payload: 'x' }), { code: '500', error: 'failing on purpose' });
  t.deepEqual((await call(client, control, { failure_rate: 0 })).body, off);
  t.deepEqual((await call(client, GUARD, { payload: 'x' })).body, { status: 'ok' });
});

test.serial('switches: a wrong one is refused and changes nothing', async (t) => {
  const { server, client } = t.context;
  const control = 'control.pii_guard';
  await startExample(t, server, 'pii-guard.mjs', { EXTENSION_CONTROL_SUBJECT: control });
  for (const wrong of ['nonsense', '[]', { delay_ms: 5, failure_rate: 2 }, { failure_rate: '1' }, { fail: 1 }])
    t.is((await call(client, control, wrong)).code, '400');
  t.like((await call(client, control, '')).body, { delay_ms: 0, failure_rate: 0 });
});

test.serial('switches: without a control subject nobody can turn them', async (t) => {
  const { server, client } = t.context;
  await startExample(t, server, 'pii-guard.mjs');
  await t.throwsAsync(call(client, 'control.pii_guard', { failure_rate: 1 }));
});

test.serial('switches: slow waits, hang does not answer, crash ends the process', async (t) => {
  const { server, client } = t.context;
  const slow = await startExample(t, server, 'pii-guard.mjs', {
    EXTENSION_SUBJECT: 'x.slow',
    EXTENSION_DELAY_MS: '150',
  });
  const begun = performance.now();
  t.is((await call(client, 'x.slow', { payload: 'x' })).code, '');
  t.true(performance.now() - begun >= 149);
  slow.child.kill('SIGKILL');

  await startExample(t, server, 'pii-guard.mjs', { EXTENSION_SUBJECT: 'x.hang', EXTENSION_HANG_RATE: '1' });
  await t.throwsAsync(client.request('x.hang', '{"payload":"x"}', { timeout: 200 }), { message: /timeout/i });

  const crash = await startExample(t, server, 'pii-guard.mjs', {
    EXTENSION_SUBJECT: 'x.crash',
    EXTENSION_CRASH_RATE: '1',
  });
  client.publish('x.crash', '{"payload":"x"}', { reply: 'nobody' });
  t.is(await crash.ended(), 70);
});

test.serial('switches: a variable out of range is refused at start', async (t) => {
  const { server } = t.context;
  await t.throwsAsync(startExample(t, server, 'pii-guard.mjs', { EXTENSION_FAILURE_RATE: '1.5' }), {
    message: /EXTENSION_FAILURE_RATE must be 0\.\.1/,
  });
});

test.serial('E4: SIGTERM drains: what has begun is answered, then it ends with 0', async (t) => {
  const { server, client } = t.context;
  const example = await startExample(t, server, 'pii-guard.mjs', { EXTENSION_DELAY_MS: '300' });
  const pending = call(client, GUARD, { payload: 'x' });
  await client.flush();
  // A later request is answered by the same process, so the first has arrived there.
  await call(client, '$SRV.PING.pii_guard', '');
  example.child.kill('SIGTERM');
  t.deepEqual((await pending).body, { status: 'ok' });
  t.is(await example.ended(), 0);
});

test.serial('E4: the end of standard input ends it where that is asked for', async (t) => {
  const { server } = t.context;
  const example = await startExample(t, server, 'pii-guard.mjs', { EXTENSION_END_WITH_STDIN: '1' });
  example.child.stdin?.end();
  t.is(await example.ended(), 0);
});

test.serial('login: a token by variable or in the URL, user and password in the URL', async (t) => {
  const withToken = await TestServer.start('authorization { token: "s/cret" }');
  t.teardown(() => withToken.stop());
  await startExample(t, withToken, 'pii-guard.mjs', { NATS_TOKEN: 's/cret' });
  await startExample(t, withToken, 'pii-guard.mjs', { NATS_URL: withToken.url.replace('//', '//s%2Fcret@') });
  const withUser = await TestServer.start('authorization { user: "u", password: "p@ss" }');
  t.teardown(() => withUser.stop());
  await startExample(t, withUser, 'pii-guard.mjs', { NATS_URL: withUser.url.replace('//', '//u:p%40ss@') });
  t.pass();
});

test.serial('reconnect: a server that comes back finds it on its subject again', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  await startExample(t, server, 'pii-guard.mjs');
  await server.kill();
  await server.restart();
  const client = await server.connect();
  await until('it answers again', () =>
    call(client, GUARD, { payload: 'x' }).then(
      () => true,
      () => false,
    ),
  );
  t.pass();
});
