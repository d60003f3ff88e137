import test from 'ava';
import { Type } from '#typebox';
import { Compile } from '#typebox/compile';
import { expectation, expectationOf } from '../../src/domain/schema-problem.js';

const validator = Compile(
  Type.Object({
    level: Type.Unsafe<string | null>({ enum: ['info', 'warn', null] }),
    format: Type.Literal('backup'),
    kinds: Type.Array(Type.Enum(['a', 'b'])),
    count: Type.Integer({ minimum: 1 }),
  }),
);
const right = { level: null, format: 'backup', kinds: ['a', 'b'], count: 1 };

const problemsOf = (given: object): string[] =>
  validator.Errors(given).map((error) => `${error.instancePath} ${expectationOf(error, given)}`);

test('schema-problem: values that are listed are named, null among them, and what was got', (t) => {
  t.deepEqual(problemsOf(right), []);
  t.deepEqual(problemsOf({ ...right, level: 'loud\n', format: 'dump', kinds: ['a', 'c'], count: 0 }), [
    '/level must be one of info, warn, null, got "loud\\n"',
    '/format must be backup, got "dump"',
    '/kinds/1 must be one of a, b, got "c"',
    '/count must be >= 1',
  ]);
  t.deepEqual(problemsOf({ ...right, level: { of: 'all' }, kinds: [['a'], null, 7] }), [
    '/level must be one of info, warn, null, got an object',
    '/kinds/0 must be one of a, b, got a list',
    '/kinds/1 must be one of a, b, got null',
    '/kinds/2 must be one of a, b, got 7',
  ]);
});

test('schema-problem: without what was got, for a caller who says it in a way of its own', (t) => {
  t.deepEqual(validator.Errors({ ...right, level: 'loud' }).map(expectation), ['must be one of info, warn, null']);
});
