// `POST /admin/extensions/:id/<verb>`: STRICT-BODY-1 of strict-body.ts, and what goes in and comes out.
import test from 'ava';
import type { VerbAnswer, VerbOrder } from '../../../src/actors/ports/api.js';
import { needsReason, VERBS } from '../../../src/domain/registry/verbs.js';
import { HTTP_ERRORS } from '../../../src/http/app/http-errors.js';
import { listen } from '../helpers.js';

const IN_FORCE: VerbAnswer = {
  kind: 'in_force',
  revision: 12,
  owed: false,
  enabled: true,
  autoDisabled: false,
  override: 'isolated',
  breakerState: 'open',
};

const JSON_TYPE = { 'content-type': 'application/json' };

for (const verb of VERBS)
  test(`verbs: ${verb} is told with its reason, and answered with what is in force`, async (t) => {
    const orders: VerbOrder[] = [];
    const { url } = await listen(t, {
      executeVerb: async (order) => {
        orders.push(order);
        return IN_FORCE;
      },
    });
    const post = async (body: object) => {
      const response = await fetch(`${url}/admin/extensions/a%3Ab_C-1/${verb}`, {
        method: 'POST',
        headers: JSON_TYPE,
        body: JSON.stringify(body),
      });
      t.is(response.status, 200);
      return response.json();
    };
    const expected = {
      extension_id: 'a:b_C-1',
      verb,
      revision: 12,
      owed: false,
      enabled: true,
      auto_disabled: false,
      override: 'isolated',
      circuit_breaker_state: 'open',
    };
    t.deepEqual(await post({ reason: 'a bad deploy' }), expected);
    t.deepEqual(await post({ reason: 'ä\n"x"', version: 'v 2/ä', by: 'ada lovelace' }), {
      ...expected,
      version: 'v 2/ä',
    });
    await post({ reason: 'x', by: 'system:auto-manager' });
    const told = { extensionId: 'a:b_C-1', verb };
    t.deepEqual(orders, [
      { ...told, version: null, reason: 'a bad deploy', actor: 'admin' },
      { ...told, version: 'v 2/ä', reason: 'ä\n"x"', actor: 'admin:ada lovelace' },
      { ...told, version: null, reason: 'x', actor: 'admin:system:auto-manager' },
    ]);
  });

for (const verb of VERBS)
  test(`verbs: a reason for ${verb} is ${needsReason(verb) ? 'asked for' : 'optional'}`, async (t) => {
    const orders: VerbOrder[] = [];
    const { url } = await listen(t, {
      executeVerb: async (order) => {
        orders.push(order);
        return IN_FORCE;
      },
    });
    const post = (body: string) =>
      fetch(`${url}/admin/extensions/a/${verb}`, { method: 'POST', headers: JSON_TYPE, body });
    const isNeeded = ['disable', 'isolate', 'force-closed'].includes(verb);
    t.is((await post('{}')).status, isNeeded ? 400 : 200);
    t.deepEqual(
      orders.map(({ reason }) => reason),
      isNeeded ? [] : [null],
    );
    t.is((await post('{"reason": " "}')).status, 400, 'one that is given says something');
  });

test('verbs: what is owed has no revision, and what has no breaker no state', async (t) => {
  const answer: VerbAnswer = { ...IN_FORCE, revision: null, owed: true, override: null, breakerState: null };
  const { url } = await listen(t, { executeVerb: async () => answer });
  const init = { method: 'POST', headers: JSON_TYPE, body: '{"reason":"x"}' };
  t.like(await (await fetch(`${url}/admin/extensions/a/isolate`, init)).json(), {
    revision: null,
    owed: true,
    override: null,
    circuit_breaker_state: null,
  });
});

for (const kind of ['extension_not_found', 'version_not_found', 'database_unavailable'] as const)
  test(`verbs: ${kind} is answered as such`, async (t) => {
    const { url } = await listen(t, { executeVerb: async () => ({ kind, message: 'why' }) });
    const init = { method: 'POST', headers: JSON_TYPE, body: '{"reason":"x"}' };
    const response = await fetch(`${url}/admin/extensions/a/reset`, init);
    t.is(response.status, HTTP_ERRORS[kind].status);
    t.like(await response.json(), { code: kind, detail: 'why', error: { code: kind, message: 'why' } });
  });

const refused = test.macro<
  [
    what: string,
    body: string | Buffer | null,
    code: keyof typeof HTTP_ERRORS,
    message: RegExp,
    headers?: Record<string, string>,
    path?: string,
  ]
>({
  async exec(t, _, body, code, message, headers = JSON_TYPE, path = 'a/isolate') {
    const { url } = await listen(t, { executeVerb: async () => t.fail('it is not told') as never });
    const response = await fetch(`${url}/admin/extensions/${path}`, { method: 'POST', headers, body });
    const answer = (await response.json()) as { error: { code: string; message: string } };
    t.is(answer.error.code, code);
    t.is(response.status, HTTP_ERRORS[code].status);
    t.regex(answer.error.message, message);
  },
  title: (_, what, __, code) => `STRICT-BODY-1: ${what} is answered ${code}`,
});
const bad = (what: string, body: unknown, message: RegExp) =>
  test(refused, what, JSON.stringify(body), 'invalid_request', message);
bad('no reason', {}, /reason/);
bad('an empty reason', { reason: '' }, /body\/reason/);
bad('a blank reason', { reason: ' \n ' }, /body\/reason/);
bad('a reason that is too long', { reason: 'x'.repeat(1001) }, /body\/reason/);
bad('a reason that is a number', { reason: 5 }, /body\/reason must be string/);
bad('a reason that is a list', { reason: ['x'] }, /body\/reason must be string/);
bad('a reason with a zero byte', { reason: 'a\0b' }, /body\/reason must not contain the character U\+0000/);
bad('a reason with half a surrogate pair', { reason: 'a\ud800' }, /body\/reason must be text/);
bad('a version that is a number', { reason: 'x', version: 2 }, /body\/version must be string/);
bad('a version that is null', { reason: 'x', version: null }, /body\/version must be string/);
bad('an empty version', { reason: 'x', version: '' }, /body\/version/);
bad('a version that is too long', { reason: 'x', version: 'v'.repeat(33) }, /body\/version/);
bad('an empty by', { reason: 'x', by: '' }, /body\/by/);
bad('a by that is too long', { reason: 'x', by: 'x'.repeat(201) }, /body\/by/);
bad('a by with a line break', { reason: 'x', by: 'a\nb' }, /body\/by/);
bad('a field that is none', { reason: 'x', versoin: 'v2' }, /body/);
bad('a list', ['x'], /the body must be a JSON object with reason/);
test(refused, 'no body', null, 'invalid_request', /./, {});
test(refused, 'an empty body', '', 'invalid_request', /./);
test(refused, 'half a body', '{"reason":', 'invalid_request', /./);
for (const [what, body] of [
  ['a reason that is given twice', '{"reason":"a","reason":"b"}'],
  ['a version that is given twice, once in escapes', '{"reason":"a","version":"v1","versi\\u006fn":"v2"}'],
  ['__proto__', '{"reason":"a","__proto__":{"version":"v1"}}'],
  ['a body that is nested too deeply', `{"reason":${'['.repeat(500)}${']'.repeat(500)}}`],
] as const)
  test(refused, what, body, 'invalid_request', /given twice|no field '__proto__'|nested deeper/);
test(
  refused,
  'a reason that is no UTF-8',
  Buffer.from('7b22726561736f6e223a22ff227d', 'hex'),
  'invalid_request',
  /UTF-8/,
);
test(refused, 'a body that is too large', JSON.stringify({ reason: 'x'.repeat(20_000) }), 'payload_too_large', /./);
for (const type of [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/jsonp',
])
  test(refused, `a body of ${type}`, '{"reason":"x"}', 'unsupported_media_type', /./, { 'content-type': type });
test(refused, 'an unknown verb', '{"reason":"x"}', 'route_not_found', /no such path/, JSON_TYPE, 'a/destroy');
test(refused, 'an id that is none', '{"reason":"x"}', 'invalid_request', /extension id/, JSON_TYPE, 'a.b/isolate');
test(refused, 'a page of another origin', '{"reason":"x"}', 'origin_not_allowed', /Origin/, {
  ...JSON_TYPE,
  origin: 'http://evil.example',
});

test('APP-2: a verb that is read is answered with the method that it has', async (t) => {
  const { url } = await listen(t);
  const response = await fetch(`${url}/admin/extensions/a/isolate`);
  t.is(response.status, 405);
  t.is(response.headers.get('allow'), 'POST');
});
