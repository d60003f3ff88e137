import test from 'ava';
import { type Context, compileRules, unmetCondition } from '../../../src/domain/routing/routing-rules.js';

const contextOf = (values: Readonly<Record<string, string>>): Context<never> => new Map(Object.entries(values));

const matching = test.macro<[rules: Record<string, unknown>, context: Record<string, string>, unmet: string | null]>({
  exec(t, rules, context, unmet) {
    t.is(unmetCondition(compileRules(rules), contextOf(context))?.key ?? null, unmet);
  },
  title: (_, rules, context, unmet) =>
    `ROUTING-RULES-1: ${JSON.stringify(context)} ${unmet === null ? 'meets' : `fails at ${unmet} of`} ${JSON.stringify(rules)}`,
});
test(matching, {}, {}, null);
test(matching, { a: 'x' }, { a: 'x' }, null);
test(matching, { a: 'x' }, { a: 'X' }, 'a');
test(matching, { a: 'x' }, { a: 'xy' }, 'a');
test(matching, { a: 'x' }, {}, 'a');
test(matching, { a: 'x' }, { b: 'x' }, 'a');
test(matching, { a: ['x', 'y'] }, { a: 'y' }, null);
test(matching, { a: ['x', 'y'] }, { a: 'z' }, 'a');
test(matching, { a: [] }, { a: 'x' }, 'a');
test(matching, { a: 'x', b: 'y' }, { a: 'x', b: 'y' }, null);
test(matching, { a: 'x', b: 'y' }, { a: 'x' }, 'b');
test(matching, { a: 'x', b: 'y' }, { b: 'y' }, 'a');
test(matching, { a: 'x' }, { a: 'x', more: 'z' }, null);

const asText = test.macro<[wanted: unknown, got: string, isMet: boolean]>({
  exec(t, wanted, got, isMet) {
    t.is(unmetCondition(compileRules({ a: wanted }), contextOf({ a: got })) === null, isMet);
    t.is(unmetCondition(compileRules({ a: ['-', wanted] }), contextOf({ a: got })) === null, isMet);
  },
  title: (_, wanted, got, isMet) =>
    `ROUTING-RULES-2: ${JSON.stringify(wanted)} ${isMet ? 'is' : 'is not'} ${JSON.stringify(got)}`,
});
test(asText, 1, '1', true);
test(asText, 1, '1.0', false);
test(asText, 1, '01', false);
test(asText, 0.5, '0.5', true);
test(asText, 1e21, `1${'0'.repeat(21)}`, true);
test(asText, 1e-7, '0.0000001', true);
test(asText, '12345678901234567890', '12345678901234567890', true);
test(asText, '12345678901234567890', '12345678901234567891', false);
test(asText, true, 'true', true);
test(asText, false, 'false', true);
test(asText, false, '', false);
test(asText, 'true', 'true', true);
test(asText, 'constructor', 'constructor', true);
test(asText, 'ä', 'ä', true);

test('ROUTING-RULES-1: a key of the rules that every object has is a key like others', (t) => {
  const rules = JSON.parse('{"__proto__": "x", "toString": "y"}') as Record<string, unknown>;
  t.is(unmetCondition(compileRules(rules), contextOf({}))?.key, '__proto__');
  t.is(unmetCondition(compileRules(rules), contextOf(Object.fromEntries([['__proto__', 'x']])))?.key, 'toString');
});
