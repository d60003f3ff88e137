// LOCAL-CALL-1 and LOCAL-CALL-2 of local-call.ts: what enters the intake, and what comes back.
import test from 'ava';
import type { InvokeOrder } from '../../../src/actors/ports/invoke.js';
import type { Route } from '../../../src/actors/ports/transport.js';
import { localCalls, type TakeLocalCall } from '../../../src/nats/intake/local-call.js';

const order = (over: Partial<InvokeOrder> = {}): InvokeOrder => ({
  ...{ extensionId: 'a', body: Buffer.from('{}'), context: {}, headers: {}, timeoutMs: null },
  ...over,
});
const REPLY = { body: Buffer.from('done'), serviceErrorCode: 0, serviceError: '', retryAfterMs: null };
const route = {
  version: 'v2',
  replyBlock: () => 'NATS/1.0\r\nExtreg-Version: v2\r\nExtreg-Instance-Id: i-1\r\n\r\n',
} as unknown as Route;

test('LOCAL-CALL-1: context, headers and budget become the block of a message, the tenant that of a subject', async (t) => {
  const taken: Parameters<TakeLocalCall>[] = [];
  const call = localCalls((...given) => {
    taken.push(given);
    given[4].succeeded(route, { ...REPLY, forwardedHeaders: 'X: 1\r\nX: 2\r\nY: \u00c3\u00a4\r\n' }, 2, 12.5);
    return true;
  }, 7000);
  const context = { tenant_id: 'acme', environment: 'tést', routing_key: 'k', region: 'eu' };
  const answer = await call(order({ context, headers: { 'X-Mine': 'a: b', traceparent: 'x' } }));
  t.deepEqual(answer, {
    ...{ kind: 'answered', error: null, version: 'v2', attempts: 2, durationMs: 12.5, body: REPLY.body },
    instanceId: 'i-1',
    headers: { X: '1, 2', Y: 'ä' },
  });
  const [id, tenant, block, body] = taken[0] ?? [];
  t.deepEqual([id, tenant, String(body)], ['a', 'acme', '{}']);
  t.deepEqual(
    Buffer.from(block?.text ?? '', 'latin1')
      .toString()
      .split('\r\n'),
    [
      'NATS/1.0',
      'X-Mine: a: b',
      'traceparent: x',
      'Extreg-Environment: tést',
      'Extreg-Routing-Key: k',
      'Extreg-Ctx-region: eu',
      'Extreg-Timeout-Ms: 7000',
      '',
      '',
    ],
  );
  await call(order({ timeoutMs: 5 }));
  t.is(taken[1]?.[2].text, 'NATS/1.0\r\nExtreg-Timeout-Ms: 5\r\n\r\n');
});

const refuses = (what: string, over: Partial<InvokeOrder>, message: RegExp) =>
  test(`LOCAL-CALL-2: ${what} is refused by name`, async (t) => {
    const answer = await localCalls(() => t.fail('it is not taken') as never, 1)(order(over));
    t.is(answer.kind, 'invalid_request');
    t.regex((answer as { message: string }).message, message);
  });
for (const name of [
  'Extreg-Attempt',
  'extreg-hops',
  'Extreg-Timeout-Ms',
  'Extreg-Tenant-Id',
  'NATS-Service-Error',
  'extreg-ctx-a',
])
  refuses(`the header ${name}`, { headers: { [name]: 'x' } }, new RegExp(`"${name}" is set by the daemon alone`));
refuses('a header with a blank in its name', { headers: { 'a b': 'x' } }, /a name is printable ASCII/);
refuses('a line end in a header', { headers: { a: 'x\r\nExtreg-Hops: 1' } }, /"a": a value has no line ends/);
refuses('a line end in the context', { context: { region: 'x\ny' } }, /"Extreg-Ctx-region": a value has no line ends/);
refuses('a blank value in the context', { context: { region: ' ' } }, /"region" must not be blank/);
refuses('a key that no header can carry', { context: { 'a b': 'x' } }, /no header can carry the key "a b"/);

test('local calls: what refuses it, and an intake that takes none', async (t) => {
  const error = { code: 'extension_not_found', message: 'no', extension_id: 'a', retryable: false };
  const refused = localCalls((...[, , , , answer]) => {
    answer.refused(error, 3);
    return true;
  }, 1);
  t.like(await refused(order()), { kind: 'answered', error, version: null, attempts: null, durationMs: 3 });
  t.like(await localCalls(() => false, 1)(order()), { kind: 'shutting_down' });
});
