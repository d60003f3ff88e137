// `/admin/extensions/:id/rollout`: STRICT-BODY-1 of strict-body.ts, and what goes in and comes out.
import test from 'ava';
import type { RolloutDesk, RolloutOrder, RolloutReport } from '../../../src/actors/ports/api.js';
import { HTTP_ERRORS } from '../../../src/http/app/http-errors.js';
import { listen } from '../helpers.js';

const JSON_TYPE = { 'content-type': 'application/json' };
const post = (url: string, body: string | null, headers: Record<string, string> = JSON_TYPE, id = 'a') =>
  fetch(`${url}/admin/extensions/${id}/rollout`, { method: 'POST', headers, body });

const desk = (over: Partial<RolloutDesk>): { rollout: RolloutDesk } => ({
  rollout: {
    set: async () => Promise.reject(new Error('it is not told')),
    report: async () => Promise.reject(new Error('it is not asked')),
    ...over,
  },
});

test('rollout: a percentage is told with its reason, and answered with what is in force', async (t) => {
  const orders: RolloutOrder[] = [];
  const set: RolloutDesk['set'] = async (order) => {
    orders.push(order);
    return { kind: 'set', changed: true, was: 5, revision: 12, inForce: true };
  };
  const { url } = await listen(t, desk({ set }));
  const response = await post(url, '{"version":"v2","percent":33.33,"reason":"looks well","by":"ada"}');
  t.is(response.status, 200);
  const expected = { extension_id: 'a', version: 'v2', percent: 33.33, was: 5, changed: true, revision: 12 };
  t.deepEqual(await response.json(), { ...expected, in_force: true });
  for (const percent of ['null', '0', '100', '0.01'])
    await post(url, `{"version":"v2","percent":${percent},"reason":"x"}`);
  const told = { extensionId: 'a', version: 'v2', reason: 'x', actor: 'admin' };
  t.deepEqual(orders, [
    { extensionId: 'a', version: 'v2', percent: 33.33, reason: 'looks well', actor: 'admin:ada' },
    ...[null, 0, 100, 0.01].map((percent) => ({ ...told, percent })),
  ]);
});

test('rollout: what was so already, without a percentage, and not in force is answered as such', async (t) => {
  const set: RolloutDesk['set'] = async () => ({ kind: 'set', changed: false, was: null, revision: 1, inForce: false });
  const { url } = await listen(t, desk({ set }));
  t.like(await (await post(url, '{"version":"v2","percent":null,"reason":"x"}')).json(), {
    percent: null,
    was: null,
    changed: false,
    in_force: false,
  });
});

const KINDS = {
  extension_not_found: 404,
  version_not_found: 404,
  version_has_rules: 409,
  rollout_over_100: 409,
  rollout_keys_differ: 409,
  database_unavailable: 503,
} as const;
for (const [kind, status] of Object.entries(KINDS) as [keyof typeof KINDS, number][])
  test(`rollout: ${kind} is answered as such`, async (t) => {
    const { url } = await listen(t, desk({ set: async () => ({ kind, message: 'why' }) }));
    const response = await post(url, '{"version":"v2","percent":5,"reason":"x"}');
    t.is(response.status, status);
    t.like(await response.json(), { code: kind, detail: 'why', error: { code: kind, message: 'why' } });
  });

const refused = test.macro<
  [
    what: string,
    body: string | null,
    code: keyof typeof HTTP_ERRORS,
    message: RegExp,
    headers?: Record<string, string>,
    id?: string,
  ]
>({
  async exec(t, _, body, code, message, headers = JSON_TYPE, id = 'a') {
    const { url } = await listen(t, desk({}));
    const response = await post(url, body, headers, id);
    const answer = (await response.json()) as { error: { code: string; message: string } };
    t.is(answer.error.code, code);
    t.is(response.status, HTTP_ERRORS[code].status);
    t.regex(answer.error.message, message);
  },
  title: (_, what, __, code) => `STRICT-BODY-1: ${what} is answered ${code}`,
});
const good = { version: 'v2', percent: 5, reason: 'x' };
const bad = (what: string, over: object, message: RegExp) =>
  test(refused, what, JSON.stringify({ ...good, ...over }), 'invalid_request', message);
bad('no percentage', { percent: undefined }, /percent/);
bad('a percentage that is text', { percent: '5' }, /body\/percent must be/);
bad('a percentage over 100', { percent: 101 }, /^body\/percent must be a number from 0 to 100 .*, got 101$/);
bad('a percentage under 0', { percent: -1 }, /^body\/percent must be a number from 0 to 100 .*, got -1$/);
bad('a percentage of three digits', { percent: 12.345 }, /at most two digits after the point, got 12.345$/);
bad('a percentage that is a list', { percent: [5] }, /body\/percent must be/);
bad('no version', { version: undefined }, /version/);
bad('a version that is null', { version: null }, /body\/version must be string/);
bad('an empty version', { version: '' }, /body\/version/);
bad('a version that is too long', { version: 'v'.repeat(33) }, /body\/version/);
bad('a version with a zero byte', { version: 'a\0' }, /body\/version must not contain the character U\+0000/);
bad('no reason', { reason: undefined }, /reason/);
bad('a blank reason', { reason: ' ' }, /body\/reason/);
bad('a reason with half a surrogate pair', { reason: '\ud800' }, /body\/reason must be text/);
bad('a by with a line break', { by: 'a\nb' }, /body\/by/);
bad('a field that is none', { percentage: 5 }, /no field 'percentage'; it takes version, percent, reason, by$/);
test(refused, 'a list', '[]', 'invalid_request', /the body must be a JSON object with version, percent, reason/);
test(refused, 'a body of text', '{}', 'unsupported_media_type', /./, { 'content-type': 'text/plain' });
test(refused, 'a body that is too large', `"${'x'.repeat(20_000)}"`, 'payload_too_large', /./);
test(refused, 'an id that is none', JSON.stringify(good), 'invalid_request', /extension id/, JSON_TYPE, 'a.b');
test(refused, 'a page of another origin', JSON.stringify(good), 'origin_not_allowed', /Origin/, {
  ...JSON_TYPE,
  origin: 'http://evil.example',
});

const REPORT: RolloutReport = {
  kind: 'report',
  revision: 9,
  defaultVersion: 'v1',
  versions: [
    { version: 'v1', enabled: true, hasRules: false, percent: null, key: null, share: 94.5 },
    { version: 'v2', enabled: true, hasRules: false, percent: 5.5, key: 'k', share: 5.5 },
    { version: 'v3', enabled: false, hasRules: true, percent: null, key: null, share: null },
  ],
  history: [
    {
      version: 'v2',
      action: 'version_rollout',
      from: null,
      to: 5.5,
      by: null,
      at: '2026-01-01T00:00:00.000Z',
      reason: null,
      revision: 8,
    },
  ],
};

test('rollout: shares and history are read, and limited', async (t) => {
  const asked: [string, number][] = [];
  const report: RolloutDesk['report'] = async (id, limit) => {
    asked.push([id, limit]);
    return REPORT;
  };
  const { url } = await listen(t, desk({ report }));
  const answer = await fetch(`${url}/admin/extensions/a/rollout`);
  t.is(answer.status, 200);
  t.deepEqual(await answer.json(), {
    extension_id: 'a',
    revision: 9,
    default_version: 'v1',
    versions: [
      { version: 'v1', enabled: true, has_rules: false, percent: null, rollout_key: null, share: 94.5 },
      { version: 'v2', enabled: true, has_rules: false, percent: 5.5, rollout_key: 'k', share: 5.5 },
      { version: 'v3', enabled: false, has_rules: true, percent: null, rollout_key: null, share: null },
    ],
    history: REPORT.history,
  });
  await fetch(`${url}/admin/extensions/a/rollout?limit=200`);
  t.deepEqual(asked, [
    ['a', 20],
    ['a', 200],
  ]);
  for (const path of [
    'a/rollout?limit=0',
    'a/rollout?limit=201',
    'a/rollout?limit=x',
    'a/rollout?since=1',
    'a.b/rollout',
  ])
    t.is((await fetch(`${url}/admin/extensions/${path}`)).status, 400, path);
  t.is(asked.length, 2);
});

for (const kind of ['extension_not_found', 'database_unavailable'] as const)
  test(`rollout: that it cannot be read is answered ${kind}`, async (t) => {
    const { url } = await listen(t, desk({ report: async () => ({ kind, message: 'why' }) }));
    const response = await fetch(`${url}/admin/extensions/a/rollout`);
    t.is(response.status, HTTP_ERRORS[kind].status);
    t.like(await response.json(), { code: kind, detail: 'why', error: { code: kind, message: 'why' } });
  });
