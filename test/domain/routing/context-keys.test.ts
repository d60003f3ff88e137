import test from 'ava';
import fc from 'fast-check';
import type { Version } from '../../../src/domain/registry/extension.js';
import { isOneTypo, keyWarnings, ruleKeysOf } from '../../../src/domain/routing/context-keys.js';

/** Versions of which each has rules with these keys. */
const versionsOf = (...rules: readonly (readonly string[])[]): Version[] =>
  rules.map((keys) => ({
    enabled: true,
    routingRules: Object.fromEntries(keys.map((key) => [key, 'x'])),
  })) as unknown as Version[];

const rulesOf = (...keys: string[]) => ruleKeysOf({ versions: versionsOf(keys) });

/** What is suggested for a key; null: no warning. */
function suggestion(key: string, rules: readonly string[], others: readonly string[] = []): string | null {
  const warnings = keyWarnings([key], rulesOf(...rules), others, { [key]: 'x' });
  const [, meant] = /; did you mean (".*")\?$/.exec(warnings[0] ?? '') ?? [];
  return meant === undefined ? null : (JSON.parse(meant) as string);
}

const suggests = test.macro<[key: string, rules: readonly string[], expected: string | null]>({
  exec(t, key, rules, expected) {
    t.is(suggestion(key, rules), expected);
  },
  title: (_, key, rules, expected) =>
    `CONTEXT-KEYS-2: ${JSON.stringify(key.slice(0, 20))} beside ${rules.join(', ').slice(0, 40)} ${expected === null ? 'resembles none' : `resembles ${expected}`}`,
});

test(suggests, 'Tenant', ['tenant'], 'tenant');
test(suggests, 'tenant-id', ['tenant_id'], 'tenant_id');
test(suggests, 'tenantId', ['tenant_id'], 'tenant_id');
test(suggests, 'tenant.id', ['tenant_id'], 'tenant_id');
test(suggests, 'tennant', ['tenant'], 'tenant');
test(suggests, 'tenat', ['tenant'], 'tenant');
test(suggests, 'tanant', ['tenant'], 'tenant');
test(suggests, 'tenatn', ['tenant'], 'tenant');
test(suggests, 'tenatm', ['tenant'], null);
test(suggests, 'tenant', ['tenant_id'], 'tenant_id');
test(suggests, 'environment', ['env'], 'env');
test(suggests, 'Extreg-Ctx-plan', ['plan'], 'plan');
test(suggests, 'Extreg-Tenant-Id', ['tenant_id'], 'tenant_id');
test(suggests, 'region', ['plan'], null);
test(suggests, 'tag2', ['tag1'], null);
test(suggests, 'tag12', ['tag1'], null);
test(suggests, 'tag1', ['tag'], null);
test(suggests, 'tagg', ['tag1'], 'tag1');
test(suggests, 'eu', ['us', 'e'], null);
test(suggests, 'e', ['eu'], null);
test(suggests, 'EU', ['eu'], 'eu');
test(suggests, '__', ['-'], null);
test(suggests, '__proto', ['__proto__'], '__proto__');
test(suggests, 'tenant', ['tenant_i', 'TENANT', 'tenan'], 'TENANT');
test(suggests, 'tenants', ['tenant_name_x', 'tenant'], 'tenant');
test(suggests, 'plans', ['planb', 'plana'], 'plana');
test(suggests, 'x'.repeat(1000), ['x'.repeat(999)], null);
test(suggests, 'x'.repeat(99), ['x'.repeat(100)], 'x'.repeat(100));

test('CONTEXT-KEYS-1: a key that a rule uses gets no warning, also that of a version that is disabled', (t) => {
  t.is(suggestion('plan', ['plan', 'Plan', 'plans']), null);
  const [version] = versionsOf(['plan']);
  const rules = ruleKeysOf({ versions: [{ ...(version as Version), enabled: false }, ...versionsOf(['plans'])] });
  t.deepEqual(keyWarnings(['plan', 'Plans', 'plane'], rules, [], {}), [
    'no rule uses "Plans"; did you mean "plans"?',
    'no rule uses "plane"; did you mean "plans"?',
  ]);
});

test('context keys: what decides a rollout is suggested too, what the context has is not, and control characters are shown as such', (t) => {
  t.is(suggestion('routingkey', [], ['tenant_id', 'routing_key']), 'routing_key');
  t.is(suggestion('routing_key', ['routing_keys'], ['routing_key']), null);
  t.deepEqual(keyWarnings(['Plan'], rulesOf('plan'), [], { Plan: 'a', plan: 'b' }), []);
  t.deepEqual(keyWarnings(['a\nbc'], rulesOf('a_bc'), [], {}), ['no rule uses "a\\nbc"; did you mean "a_bc"?']);
  t.deepEqual(keyWarnings([], rulesOf('plan'), [], {}), []);
  t.deepEqual(keyWarnings(['plan'], rulesOf(), [], {}), []);
});

test('CONTEXT-KEYS-3: a key is compared with a thousand keys at most, and they are read once', (t) => {
  const keys = Array.from({ length: 5000 }, (_, i) => `key_${String.fromCharCode(97 + (i % 26))}_${i}`);
  const versions = versionsOf(...keys.map((key) => [key]));
  const rules = ruleKeysOf({ versions });
  t.is(rules.compared.length, 1000);
  t.is(rules.all.size, 5000);
  t.is(ruleKeysOf({ versions }), rules);
  t.deepEqual(keyWarnings([keys[4999] as string], rules, [], {}), [], 'but what a rule uses is known of all');
});

/** The distance of two texts by single edits and exchanges of neighbours, by the textbook. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 0; i <= a.length; i += 1)
    for (let j = 0; j <= b.length; j += 1) {
      let best = i === 0 ? j : j === 0 ? i : Math.min(at(i - 1, j), at(i, j - 1)) + 1;
      if (i > 0 && j > 0) best = Math.min(best, at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(i - 2, j - 2) + 1);
      (rows[i] as number[])[j] = best;
    }
  return at(a.length, b.length);
}

const short = fc.stringMatching(/^[abc]{0,6}$/);

test('CONTEXT-KEYS-2: one typing error is a distance of one, of letters, in both directions', (t) => {
  fc.assert(
    fc.property(short, short, (a, b) => {
      t.is(isOneTypo(a, b), distance(a, b) === 1, `${a} ${b}`);
      t.is(isOneTypo(a, b), isOneTypo(b, a));
    }),
    { numRuns: 1000 },
  );
});

test('CONTEXT-KEYS-2: whatever the case and the separators, a key is found again, and a key that is used is never warned of', (t) => {
  const key = fc.stringMatching(/^[a-z]{1,5}(_[a-z]{1,5}){0,3}$/);
  fc.assert(
    fc.property(key, fc.uniqueArray(key, { maxLength: 5 }), fc.infiniteStream(fc.boolean()), (used, more, flips) => {
      const flip = (): boolean => flips.next().value as boolean;
      const typed = [...used]
        .map((one) => (one === '_' ? (flip() ? '-' : '') : flip() ? one.toUpperCase() : one))
        .join('');
      t.is(suggestion(used, [used, ...more]), null);
      if (typed === used || more.includes(typed)) return;
      const plain = (text: string) => text.toLowerCase().replace(/[-_]/g, '');
      t.is(plain(suggestion(typed, [used, ...more]) ?? ''), plain(used));
    }),
  );
});
