// `…/instances/:instance/drain` and `…/undrain`: what goes in and comes out.
import test, { type ExecutionContext } from 'ava';
import type { DrainOrder, UndrainOrder, WeightAnswer } from '../../../src/actors/ports/instances.js';
import { HTTP_ERRORS } from '../../../src/http/app/http-errors.js';
import { listen, noManagement } from '../helpers.js';

const SET: WeightAnswer = { kind: 'set', weight: 0, was: 70, revision: 4, inForce: true, inFlight: 3 };

async function world(t: ExecutionContext, answer: WeightAnswer = SET) {
  const drains: DrainOrder[] = [];
  const undrains: UndrainOrder[] = [];
  const { url } = await listen(t, {
    management: {
      ...noManagement,
      instances: {
        drain: async (order) => {
          drains.push(order);
          return answer;
        },
        undrain: async (order) => {
          undrains.push(order);
          return { ...answer, weight: 70, was: 0 } as WeightAnswer;
        },
      },
    },
  });
  const post = async (path: string, body: object | string) => {
    const response = await fetch(`${url}/admin/extensions/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return { drains, undrains, post };
}

test('drain: who, why and which instance go in; the weight, what it was and what is in flight come out', async (t) => {
  const { post, drains } = await world(t);
  t.deepEqual(await post('a/instances/i%2F1%20x/drain', { reason: 'a new machine', by: 'ada' }), {
    status: 200,
    body: { weight: 0, was: 70, in_flight: 3, revision: 4, in_force: true },
  });
  t.deepEqual(drains, [{ extensionId: 'a', instanceId: 'i/1 x', reason: 'a new machine', actor: 'admin:ada' }]);
});

test('undrain: without anything, or with a weight', async (t) => {
  const { post, undrains } = await world(t);
  t.deepEqual(await post('a/instances/i-1/undrain', {}), {
    status: 200,
    body: { weight: 70, was: 0, revision: 4, in_force: true },
  });
  t.is((await post('a/instances/i-1/undrain', { weight: 1, reason: 'slowly' })).status, 200);
  const row = { extensionId: 'a', instanceId: 'i-1', actor: 'admin' };
  t.deepEqual(undrains, [
    { ...row, weight: null, reason: null },
    { ...row, weight: 1, reason: 'slowly' },
  ]);
});

for (const [what, path, body, code] of [
  ['a drain without a reason', 'a/instances/i/drain', {}, 'invalid_request'],
  ['a drain with a weight', 'a/instances/i/drain', { reason: 'x', weight: 5 }, 'invalid_request'],
  ['an undrain to 0', 'a/instances/i/undrain', { weight: 0 }, 'invalid_request'],
  ['an undrain to 101', 'a/instances/i/undrain', { weight: 101 }, 'invalid_request'],
  ['an undrain to a text', 'a/instances/i/undrain', { weight: '5' }, 'invalid_request'],
  ['an id that is none', 'a.b/instances/i/drain', { reason: 'x' }, 'invalid_request'],
  ['a reason that no column holds', 'a/instances/i/drain', { reason: 'a\0' }, 'invalid_request'],
  ['an instance that no column holds', 'a/instances/i%00/drain', { reason: 'x' }, 'instance_not_found'],
] as const)
  test(`drain: ${what} is answered ${code}`, async (t) => {
    const { post, drains, undrains } = await world(t);
    const { status, body: answer } = await post(path, body);
    t.is(answer.code, code);
    t.is(status, HTTP_ERRORS[code].status);
    t.is(drains.length + undrains.length, 0);
  });

for (const kind of ['extension_not_found', 'instance_not_found', 'database_unavailable'] as const)
  test(`drain: ${kind} is answered as such`, async (t) => {
    const { post } = await world(t, { kind, message: 'why' });
    for (const path of ['drain', 'undrain'])
      t.like(await post(`a/instances/i/${path}`, { reason: 'x' }), {
        status: HTTP_ERRORS[kind].status,
        body: { code: kind, detail: 'why' },
      });
  });
