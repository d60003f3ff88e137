// `GET /admin/extensions/:id/explain`: what is asked, and what goes in comes out.
import test from 'ava';
import type { Explanation } from '../../../src/domain/routing/explanation-schema.js';
import { HTTP_ERRORS } from '../../../src/http/app/http-errors.js';
import { explanation, FULL_EXPLANATION, refusedAnswer } from '../../helpers/explanations.js';
import { listen } from '../helpers.js';

const comesOut = test.macro<[what: string, given: Explanation]>({
  async exec(t, _, given) {
    const { url } = await listen(t, { explain: () => given });
    const response = await fetch(`${url}/admin/extensions/a/explain`);
    t.is(response.status, 200);
    // As text: the order of the fields is that of the type.
    t.is(await response.text(), JSON.stringify(given));
  },
  title: (_, what) => `explain: ${what} is answered as it is`,
});
test(comesOut, 'all that there is to say', FULL_EXPLANATION);
test(comesOut, 'the least that there is to say', explanation());
test(comesOut, 'a refusal', explanation({ chosen: null, versions: [], candidates: [], answer: refusedAnswer }));
test(comesOut, 'a refusal without a reason', explanation({ answer: { ...refusedAnswer, reason: null } }));
test(comesOut, 'a rollout by chance', explanation({ rollout: { key: null, value: null } }));
test(comesOut, 'a key of a name with a meaning', explanation({ context: JSON.parse('{"__proto__":"a"}') }));

/** The context that a query is understood as. */
async function contextOf(t: Parameters<typeof listen>[0], query: string): Promise<unknown> {
  const asked: unknown[] = [];
  const { url } = await listen(t, {
    explain: (id, context) => {
      asked.push([id, context]);
      return explanation();
    },
  });
  const response = await fetch(`${url}/admin/extensions/a/explain${query}`);
  t.is(response.status, 200);
  t.is(asked.length, 1);
  return asked[0];
}

const understood = test.macro<[query: string, context: Readonly<Record<string, string>>]>({
  async exec(t, query, context) {
    t.deepEqual(await contextOf(t, query), ['a', context]);
  },
  title: (_, query, context) => `explain: '${query.slice(0, 60)}' asks about ${JSON.stringify(context).slice(0, 60)}`,
});
test(understood, '', {});
test(understood, '?', {});
test(understood, '?tenant_id=t1&policy_id=gold&environment=prod&routing_key=k&plan=x', {
  tenant_id: 't1',
  policy_id: 'gold',
  environment: 'prod',
  routing_key: 'k',
  plan: 'x',
});
test(understood, '?tenant_id=gr%C3%B6%C3%9Fer+als%20a%3Db%26c', { tenant_id: 'größer als a=b&c' });
test(understood, '?plan=&region=%20%09&tenant_id=t', { tenant_id: 't' });
test(understood, '?plan', {});
test(understood, '?a=b?c=d', { a: 'b?c=d' });
test(understood, '?constructor=1&toString=2', { constructor: '1', toString: '2' });
test(understood, `?k=${'x'.repeat(1000)}`, { k: 'x'.repeat(1000) });
const keys = (count: number): [string, string][] => Array.from({ length: count }, (_, i) => [`k${i}`, '1']);
test(understood, `?${new URLSearchParams(keys(32))}`, Object.fromEntries(keys(32)));

test('explain: a key __proto__ is one like any other', async (t) => {
  const [, context] = (await contextOf(t, '?__proto__=a')) as [string, object];
  t.deepEqual(Object.entries(context), [['__proto__', 'a']]);
});

const refused = test.macro<
  [what: string, path: string, code: keyof typeof HTTP_ERRORS, message: RegExp, init?: RequestInit]
>({
  async exec(t, _, path, code, message, init = {}) {
    const { url } = await listen(t, { explain: () => t.fail('it is not asked') as never });
    const response = await fetch(`${url}/admin/extensions/${path}`, init);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    t.is(error.code, code);
    t.is(response.status, HTTP_ERRORS[code].status);
    t.regex(error.message, message);
  },
  title: (_, what, __, code) => `explain: ${what} is answered ${code}`,
});
const bad = (what: string, query: string, message: RegExp) =>
  test(refused, what, `a/explain?${query}`, 'invalid_request', message);
bad('a key that is given twice', 'plan=1&plan=1', /^context key "plan" must be given once, got it twice$/);
bad('a key that is given twice, once without a value', 'plan=&plan=1', /must be given once/);
bad('a key that is given twice, once escaped', 'plan=1&pl%61n=1', /must be given once/);
bad('an empty key', '=x', /^a context key must not be empty$/);
bad('too many keys', String(new URLSearchParams(keys(33))), /at most 32 keys, got more$/);
bad('a value that is too long', `k=${'x'.repeat(1001)}`, /^context key "k" .*at most 1000 characters, got 1001$/);
bad('a key that is too long', `${'k'.repeat(1001)}=x`, /at most 1000 characters, got 1001$/);
test(refused, 'an id that is none', 'a.b/explain', 'invalid_request', /extension id/);
test(refused, 'an id that is too long', `${'a'.repeat(256)}/explain`, 'invalid_request', /extension id/);
test(refused, 'a POST', 'a/explain', 'method_not_allowed', /expected GET, HEAD, got POST/, { method: 'POST' });
test(refused, 'a page of another origin', 'a/explain', 'origin_not_allowed', /Origin/, {
  headers: { origin: 'http://evil.example' },
});

test('explain: an extension that there is not is answered as such', async (t) => {
  const { url } = await listen(t, { explain: () => null });
  const response = await fetch(`${url}/admin/extensions/a/explain?plan=x`);
  t.is(response.status, 404);
  t.like(await response.json(), {
    code: 'extension_not_found',
    detail: "no extension 'a'",
    error: { code: 'extension_not_found', message: "no extension 'a'" },
  });
});
