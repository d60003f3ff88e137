import test from 'ava';
import fc from 'fast-check';
import type { Extension, Version } from '../../../src/domain/registry/extension.js';
import { NO_SLOTS } from '../../../src/domain/registry/rollout-slots.js';
import { callableVersions, compareVersions, defaultVersion } from '../../../src/domain/registry/version-choice.js';

const compare = test.macro<[a: string, b: string, expected: -1 | 0 | 1]>({
  exec(t, a, b, expected) {
    t.is(Math.sign(compareVersions(a, b)), expected);
    t.is(Math.sign(compareVersions(b, a)), expected === 0 ? 0 : -expected);
  },
  title: (_, a, b, expected) => `compareVersions: ${a} ${['<', '=', '>'][expected + 1]} ${b}`,
});
test(compare, 'v1', 'v1', 0);
test(compare, 'v10', 'v9', 1);
test(compare, 'v2', 'v10', -1);
test(compare, 'v2-beta', 'v2', -1);
test(compare, 'v2-beta', 'v1', 1);
test(compare, 'v2-beta.2', 'v2-beta.10', -1);
test(compare, 'v2-rc1', 'v2-beta9', 1);
test(compare, 'v2.1', 'v2', 1);
test(compare, 'v2.1-rc1', 'v2.1', -1);
test(compare, '1.9.0', '1.10.0', -1);
test(compare, 'v01', 'v1', -1);
test(compare, 'v1', 'w1', -1);
test(compare, 'a', 'b', -1);
test(compare, '2', 'v1', -1);
test(compare, 'v1-x', 'v1+1', -1);
test(compare, 'v9007199254740993', 'v9007199254740992', 1);
test(compare, `v${'9'.repeat(30)}`, `v1${'0'.repeat(30)}`, -1);

/** Names of few kinds of characters, so that beginnings are often shared. */
const name = fc.oneof(
  fc.string({ unit: fc.constantFrom('v', '1', '0', '2', '-', '.', '+', ' ', 'b'), minLength: 1, maxLength: 8 }),
  fc.string({ minLength: 1, maxLength: 8 }),
);

test('compareVersions: is antisymmetric, and 0 only for the same name', (t) => {
  fc.assert(
    fc.property(name, name, (a, b) => {
      t.is(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a)), 0);
      t.is(compareVersions(a, b) === 0, a === b);
    }),
    { numRuns: 3000 },
  );
});

test('compareVersions: is transitive, so that every replica finds the same highest version', (t) => {
  fc.assert(
    fc.property(name, name, name, (a, b, c) => {
      if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) t.true(compareVersions(a, c) <= 0);
      else t.pass();
    }),
    { numRuns: 20_000 },
  );
});

const version = (of: string, changes: Partial<Version> = {}): Version => ({
  version: of,
  subject: `ext.a.${of}`,
  timeoutMs: 1000,
  retry: 0,
  config: {},
  routingRules: {},
  rolloutPercent: null,
  rolloutKey: null,
  enabled: true,
  breakerOverride: null,
  breakerResets: 0,
  putBackId: null,
  revision: 1,
  ...changes,
});

const extension = (versions: readonly Version[], ownVersion = 'v1'): Extension => ({
  id: 'a',
  type: 'pre',
  subject: 'ext.a',
  timeoutMs: 777,
  retry: 2,
  enabled: true,
  autoDisabled: false,
  breakerOverride: null,
  breakerResets: 0,
  putBackId: null,
  switchedBy: null,
  version: ownVersion,
  config: { of: 'the extension' },
  policy: {},
  revision: 1,
  versions,
  rolloutSlots: NO_SLOTS,
  instances: [],
});

const choice = test.macro<[when: string, of: Extension, expectedDefault: string | null, callable: readonly string[]]>({
  exec(t, _, of, expectedDefault, callable) {
    t.is(defaultVersion(of)?.version ?? null, expectedDefault);
    t.deepEqual(
      callableVersions(of).map((v) => v.version),
      callable,
    );
  },
  title: (_, when, __, expectedDefault) =>
    `VERSION-CHOICE-1, VERSION-CHOICE-2, FM 48: the default is ${expectedDefault ?? 'nobody'}, ${when}`,
});
const off = { enabled: false };
const ruled = { routingRules: { tenant_id: 't1' } };
const rolledOut = { rolloutPercent: 10 };
test(choice, 'without a version row', extension([]), 'v1', ['v1']);
test(choice, 'the highest, where there are several', extension([version('v9'), version('v10'), version('v2')]), 'v10', [
  'v10',
  'v9',
  'v2',
]);
test(choice, 'where a higher one is disabled', extension([version('v3', off), version('v2')]), 'v2', ['v2']);
test(choice, 'where a higher one has rules', extension([version('v3', ruled), version('v2')]), 'v2', ['v2', 'v3']);
test(choice, 'where a higher one is rolled out', extension([version('v3', rolledOut), version('v2')]), 'v2', [
  'v2',
  'v3',
]);
test(
  choice,
  'where a higher one is rolled out to 0 %',
  extension([version('v3', { rolloutPercent: 0 }), version('v2')]),
  'v2',
  ['v2', 'v3'],
);
test(choice, 'the own row, where all others have rules', extension([version('v3', ruled)]), 'v1', ['v1', 'v3']);
test(choice, 'the own row, where all others are disabled', extension([version('v3', off)]), 'v1', ['v1']);
test(choice, 'where a row has the name of the own row and is on', extension([version('v1')]), 'v1', ['v1']);
test(choice, 'where a row has the name of the own row and is disabled', extension([version('v1', off)]), null, []);
test(
  choice,
  'where a row has the name of the own row and has rules',
  extension([version('v1', ruled), version('v2', rolledOut)]),
  null,
  ['v1', 'v2'],
);
test(choice, 'a beta below its release', extension([version('v2-beta'), version('v2')]), 'v2', ['v2', 'v2-beta']);

test('VERSION-CHOICE-1: the own row as a version has the subject, timeout and retries of the extension, and no rule', (t) => {
  t.deepEqual(defaultVersion(extension([])), {
    version: 'v1',
    subject: 'ext.a',
    timeoutMs: 777,
    retry: 2,
    config: {},
    routingRules: {},
    rolloutPercent: null,
    rolloutKey: null,
    enabled: true,
    breakerOverride: null,
    breakerResets: 0,
    putBackId: null,
    revision: 1,
  });
});

test('VERSION-CHOICE-1: the default does not depend on the order of the rows, for any names', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { minLength: 1, maxLength: 6 }).chain((names) =>
        fc.record({
          names: fc.constant(names),
          shuffled: fc.shuffledSubarray(names, { minLength: names.length, maxLength: names.length }),
        }),
      ),
      ({ names, shuffled }) => {
        const of = (list: readonly string[]) => defaultVersion(extension(list.map((n) => version(n))))?.version;
        t.is(of(names), of(shuffled));
      },
    ),
    { numRuns: 1000 },
  );
});
