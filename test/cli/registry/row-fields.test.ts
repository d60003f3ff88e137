// ROW-FIELDS-1 and ROW-FIELDS-2 of row-fields.ts.
import test from 'ava';
import { changesBetween, withFields, withoutFields } from '../../../src/cli/registry/row-fields.js';
import { type JsonMap, parseExactJson, stringifyExactJson } from '../../../src/domain/exact-json.js';

const ROW = parseExactJson(
  '{"subject": "x.a", "timeout_ms": 5, "config": {"n": 12345678901234567890, "m": {"k": 1}}, "policy": {}, "enabled": true}',
  100,
) as JsonMap;

const assigned = test.macro<[assignments: string[], changes: string[]]>({
  exec(t, assignments, changes) {
    const after = withFields(ROW, assignments);
    t.deepEqual(
      changesBetween(ROW, after).map(({ name, from, to }) => `${name}: ${from} → ${to}`),
      changes,
    );
  },
  title: (_, assignments) => `ROW-FIELDS-1: set ${assignments.join(' ')}`,
});
test(assigned, ['timeout_ms=800'], ['timeout_ms: 5 → 800']);
test(assigned, ['timeout_ms=5'], []);
test(assigned, ['subject=ext.a=b'], ['subject: x.a → ext.a=b']);
test(assigned, ['version="2"', 'subject=2'], ['subject: x.a → 2', 'version: - → 2']);
test(
  assigned,
  ['enabled=false', 'policy.breaker.open_seconds=0.50'],
  ['policy.breaker: - → {"open_seconds":0.50}', 'enabled: true → false'],
);
test(assigned, ['config.n=98765432109876543210'], ['config.n: 12345678901234567890 → 98765432109876543210']);
test(assigned, ['config={"m":{}}'], ['config.m.k: 1 → -', 'config.n: 12345678901234567890 → -']);
test(assigned, ['config.m=null', 'subject='], ['subject: x.a → ', 'config.m: {"k":1} → null']);
test(assigned, ['timeout_ms.x=1'], ['timeout_ms: 5 → {"x":1}']);
test(assigned, ['__proto__.x=1'], ['__proto__: - → {"x":1}']);

test('ROW-FIELDS-2: unset takes a member away, and leaves what is beside it', (t) => {
  t.is(
    stringifyExactJson(withoutFields(ROW, ['config.m.k', 'policy.breaker.x', 'timeout_ms', 'none'])),
    '{"subject":"x.a","config":{"n":12345678901234567890,"m":{}},"policy":{},"enabled":true}',
  );
});

for (const wrong of ['timeout_ms', '=5', 'a..b=1', '.a=1'])
  test(`set ${wrong} is wrong usage`, (t) => {
    t.throws(() => withFields(ROW, [wrong]), { message: /^expected / });
  });
for (const wrong of ['timeout_ms=5', '', 'a.'])
  test(`unset '${wrong}' is wrong usage`, (t) => {
    t.throws(() => withoutFields(ROW, [wrong]), { message: /^expected / });
  });
