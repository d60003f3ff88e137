// `POST /admin/extensions/:id/invoke`: INVOKE-ROUTES-1, and what goes in and comes out.
import test, { type ExecutionContext } from 'ava';
import type { InvokeAnswer, InvokeOrder } from '../../../src/actors/ports/invoke.js';
import { listen, noManagement } from '../helpers.js';

type Answered = InvokeAnswer & { readonly kind: 'answered' };
const ANSWER: Answered = {
  ...{ kind: 'answered', error: null, version: 'v1', instanceId: null, attempts: 1, durationMs: 1.23456 },
  headers: { X: '1' },
  body: Buffer.from('"ä"'),
};

async function world(t: ExecutionContext, over: Partial<Answered> = {}) {
  const orders: InvokeOrder[] = [];
  const invoke = async (order: InvokeOrder): Promise<InvokeAnswer> => {
    orders.push(order);
    return { ...ANSWER, ...over };
  };
  const { url } = await listen(t, { management: { ...noManagement, invoke } });
  const post = async (body: string) => {
    const response = await fetch(`${url}/admin/extensions/a/invoke`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    // biome-ignore lint/suspicious/noExplicitAny: whatever the answer is
    return { status: response.status, body: (await response.json()) as any };
  };
  return { orders, post };
}

test('invoke: payload, context, headers and budget go in, with every digit; the answer comes out', async (t) => {
  const { post, orders } = await world(t);
  const payload = '{"n":12345678901234567890,"d":0.10}';
  const given = `{"payload": ${payload}, "context": {"tenant_id": "acme"}, "headers": {"X": "y"}, "timeout_ms": 50}`;
  t.deepEqual(await post(given), {
    status: 200,
    body: {
      ...{ ok: true, version: 'v1', instance_id: null, attempts: 1, duration_ms: 1.235, headers: { X: '1' } },
      ...{ body: '"ä"', body_encoding: 'utf-8', truncated: false },
    },
  });
  await post('{"payload": null}');
  t.deepEqual(
    orders.map(({ body, ...order }) => ({ ...order, body: String(body) })),
    [
      { extensionId: 'a', body: payload, context: { tenant_id: 'acme' }, headers: { X: 'y' }, timeoutMs: 50 },
      { extensionId: 'a', body: 'null', context: {}, headers: {}, timeoutMs: null },
    ],
  );
});

test('invoke: an error of the call is in the answer, with its details', async (t) => {
  const error = {
    ...{ code: 'extension_unavailable', message: 'no', extension_id: 'a', retryable: true, retry_after_ms: 5 },
    details: { reason: 'circuit_open', list: [1, { deep: true }] },
  };
  const nothing = { version: null, attempts: null, body: new Uint8Array(), headers: {} };
  const { post } = await world(t, { error, ...nothing });
  t.like(await post('{"payload": 1}'), {
    status: 200,
    body: { ok: false, error, version: null, attempts: null, body: '' },
  });
});

test('INVOKE-ROUTES-1: no UTF-8 is base64, and what is too long is cut between characters', async (t) => {
  const binary = await world(t, { body: Buffer.from([0xff, 0, 1]) });
  t.like((await binary.post('{"payload": 1}')).body, { body: '/wAB', body_encoding: 'base64', truncated: false });
  const long = await world(t, { body: Buffer.from(`a${'ä'.repeat(40_000)}`) });
  const { body } = await long.post('{"payload": 1}');
  t.like(body, { body_encoding: 'utf-8', truncated: true, body: `a${'ä'.repeat(32_767)}` });
  const cut = await world(t, { body: Buffer.concat([Buffer.from('ä'), Buffer.alloc(70_000, 0xff)]) });
  const { body: other } = await cut.post('{"payload": 1}');
  t.like(other, { body_encoding: 'base64', truncated: true });
  t.is(Buffer.from(other.body, 'base64').length, 65_536);
});

for (const [body, message] of [
  ['{}', /with payload/],
  ['[]', /with payload/],
  ['{"payload": 1, "timeout_ms": 0}', /body\/timeout_ms/],
  ['{"payload": 1, "timeout_ms": 25001}', /body\/timeout_ms/],
  ['{"payload": 1, "context": {"a": 1}}', /body\/context/],
  ['{"payload": 1, "headers": ["x"]}', /body\/headers/],
  ['{"payload": 1, "reason": "x"}', /no field 'reason'/],
  ['{"payload": 1', /line 1/],
] as const)
  test(`invoke: ${body} is refused by name`, async (t) => {
    const { post, orders } = await world(t);
    const { status, body: answer } = await post(body);
    t.is(status, 400);
    t.regex(answer.detail, message);
    t.is(orders.length, 0);
  });
