// An explanation as text: EXPLANATION-TEXT-1 and EXPLANATION-TEXT-2 of explanation-text.ts.
import test from 'ava';
import { explanationText } from '../../../src/cli/output/explanation-text.js';
import { UNAVAILABLE_REASONS } from '../../../src/domain/registry/errors.js';
import type {
  ExplainedCandidate,
  ExplainedInstance,
  Explanation,
} from '../../../src/domain/routing/explanation-schema.js';
import {
  explainedCandidate,
  explainedInstance,
  explainedVersion,
  explanation,
  FULL_EXPLANATION,
  refusedAnswer,
} from '../../helpers/explanations.js';

test('explanation: the least that there is to say', (t) => {
  t.is(
    explanationText(explanation()),
    `a  no context
chosen: v1 by default

VERSION  WHY
v1       chosen: the default

CANDIDATE  AS       STATE   SUCCESS  RESULT
a@v1       default  closed  -        taken: any subscriber of ext.a

answer: taken by a@v1, any subscriber of ext.a
`,
  );
});

test('explanation: all that there is to say', (t) => {
  t.is(
    explanationText(FULL_EXPLANATION),
    `a  tenant_id=größer  a\\nb=1  plan=x
chosen: v2 by rollout, for tenant_id=größer
nothing looks at: a\\nb
warning: no rule uses "a\\nb"; did you mean "ab"?

VERSION  WHY
v1       the default, takes the 66.67 % that the rollout leaves
v2       chosen: the key is in its 33.33 % of the rollout
v3       excluded: plan must be gold or 1, got x
v4       excluded: plan must be gold, got none

CANDIDATE  AS                 STATE      SUCCESS  RESULT
a@v2       chosen by rollout  half_open  25.0 %   refused: no_instance, it has instances and none of them is usable
a@v1       stand-in           closed     -        taken: instance i2 on ext.a; fails so often that nine calls of ten ask other candidates first
b          fallback           -          -        skipped: it is of another type

INSTANCE  OF    SUBJECT  WEIGHT  SHARE  WHY
i1        a@v2  ext.a    100     0 %    disabled
i2        a@v1  ext.a    50      33 %   picked for this call
i1        a@v1  ext.a    100     100 %  picked for this call

the daemon refuses 1 row, and keeps to the rest:
  extension a (since 2026-01-02T03:04:05.000Z): policy.retry must be an object, got 1

answer: taken by a@v1, instance i2 on ext.a
`,
  );
});

const BY_CHANCE = { key: null, value: null };
const FOR_KEY = { key: 'tenant_id', value: 't1' };
const by = (kind: 'rules' | 'rollout' | 'default', version = 'v1') => ({ version, by: kind });
const version = (over: Parameters<typeof explainedVersion>[0], rest: Partial<Explanation> = {}) =>
  explanation({ versions: [explainedVersion(over)], ...rest });
const candidate = (over: Partial<ExplainedCandidate>, rest: Partial<Explanation> = {}) =>
  explanation({ candidates: [explainedCandidate(over)], ...rest });

/** Compares the line that begins so; columns are as wide as they are. */
const says = test.macro<[start: string, given: Explanation, expected: string]>({
  exec(t, start, given, expected) {
    const line = explanationText(given)
      .split('\n')
      .find((one) => one.startsWith(start));
    t.is(line?.replace(/ {2,}/g, ' '), `${start} ${expected}`);
  },
  title: (_, start, __, expected) => `EXPLANATION-TEXT-1: ${start} ${expected}`,
});

const chosen = (given: Partial<Explanation>, expected: string) => test(says, 'chosen:', explanation(given), expected);
chosen({ chosen: null }, 'no version');
chosen({ chosen: by('rules', 'v2') }, 'v2 by rules');
chosen({ chosen: by('rules', 'v3'), rollout: BY_CHANCE }, 'v3 by rules');
chosen({ chosen: by('rollout'), rollout: FOR_KEY }, 'v1 by rollout, for tenant_id=t1');
chosen({ chosen: by('default', 'v4'), rollout: FOR_KEY }, 'v4 by default, for tenant_id=t1');
for (const kind of ['rollout', 'default'] as const)
  chosen(
    { chosen: by(kind, `v-${kind}`), rollout: BY_CHANCE },
    `v-${kind} by ${kind}, by chance at each call, since the context has no key for it`,
  );

test('EXPLANATION-TEXT-1: what nothing looks at is told, and without such a key there is no line of it', (t) => {
  const told = explanationText(explanation({ context: { tenant: 'x', plan: 'y' }, unused: ['tenant', 'plan'] }));
  t.regex(told, /^nothing looks at: tenant, plan$/m);
  t.notRegex(explanationText(explanation()), /nothing looks at/);
});

const versionSays = (name: string, given: Explanation, expected: string) => test(says, name, given, expected);
versionSays('v11', version({ version: 'v11' }, { chosen: by('rules', 'v11') }), 'chosen: its rules match');
versionSays(
  'v12',
  version({ version: 'v12', percent: 5 }, { chosen: by('rollout', 'v12'), rollout: FOR_KEY }),
  'chosen: the key is in its 5 % of the rollout',
);
versionSays(
  'v13',
  version({ version: 'v13', percent: 5 }, { chosen: by('rollout', 'v13'), rollout: BY_CHANCE }),
  'chosen: this draw is in its 5 % of the rollout',
);
versionSays(
  'v14',
  version({ version: 'v14', percent: 95 }, { chosen: by('default', 'v14'), rollout: FOR_KEY }),
  'chosen: the default, takes the 95 % that the rollout leaves',
);
versionSays('v15', version({ version: 'v15', verdict: 'disabled' }), 'disabled');
versionSays('v16', version({ version: 'v16', verdict: 'excluded' }), 'excluded: its rules do not match');
versionSays(
  'v17',
  version({ version: 'v17', verdict: 'outranked' }),
  'outranked: its rules match, those of another come first',
);
versionSays(
  'v18',
  version({ version: 'v18', verdict: 'rollout', percent: 0 }, { rollout: FOR_KEY }),
  'has 0 % of the rollout, the key is not in it',
);
versionSays(
  'v19',
  version({ version: 'v19', verdict: 'rollout', percent: 20 }, { rollout: BY_CHANCE }),
  'has 20 % of the rollout, this draw is not in it',
);
versionSays(
  'v20',
  version({ version: 'v20', verdict: 'rollout', percent: 20 }, { chosen: by('rules', 'v1'), rollout: FOR_KEY }),
  'has 20 % of the rollout, which takes what no rules take',
);
versionSays('v21', version({ version: 'v21', verdict: 'default' }), 'the default');
versionSays('v22', version({ version: 'v22', verdict: 'stand_in' }), 'a failover candidate of the default');

const candidateSays = (name: string, given: Explanation, expected: string) => test(says, name, given, expected);
const names: readonly (readonly [ExplainedCandidate['why'], string])[] = [
  ['rules', 'chosen by rules'],
  ['rollout', 'chosen by rollout'],
  ['default', 'default'],
  ['stand_in', 'stand-in'],
  ['fallback', 'fallback'],
];
for (const [why, name] of names)
  candidateSays('a@v1', candidate({ why }), `${name} closed - taken: any subscriber of ext.a`);
candidateSays(
  'a@v2',
  candidate({ version: 'v2', verdict: 'not_asked', success_rate: 1, circuit_breaker_state: 'open' }),
  'default open 100.0 % not asked: another gets the call',
);
candidateSays(
  'a@v3',
  candidate({ version: 'v3', verdict: 'refused', reason: 'circuit_open', passed_over: true }),
  'default closed - refused: circuit_open, its breaker is open; fails so often that nine calls of ten ask other candidates first',
);
candidateSays(
  'a@v4',
  candidate({ version: 'v4', verdict: 'refused', reason: 'overloaded' }),
  'default closed - refused: overloaded, max_in_flight calls are in flight',
);
candidateSays(
  'a@v5',
  candidate({ version: 'v5', verdict: 'refused', reason: 'constructor' }),
  'default closed - refused: constructor',
);
candidateSays('a@v6', candidate({ version: 'v6', verdict: 'refused' }), 'default closed - refused: no reason given');

const skipped = (id: string, reason: string, expected: string) =>
  test(says, id, explanation({ skipped: [{ extension_id: id, reason }] }), `fallback - - skipped: ${expected}`);
skipped('b1', 'extension_not_found', 'there is no such extension');
skipped('b2', 'other_type', 'it is of another type');
skipped('b4', 'disabled', 'disabled, an operator disabled it');
skipped('b5', 'toString', 'toString');

test('EXPLANATION-TEXT-1: every reason is a sentence without the marks of a document', (t) => {
  for (const reason of Object.keys(UNAVAILABLE_REASONS)) {
    const told = explanationText(candidate({ verdict: 'refused', reason }));
    t.regex(told, new RegExp(`refused: ${reason}, [\\w-]+ `), reason);
    t.notRegex(told, /`/, reason);
  }
});

const instance = (verdict: ExplainedInstance['verdict'], taken: string, notAsked = taken) => {
  for (const [result, expected] of [
    ['taken', taken],
    ['not_asked', notAsked],
  ] as const)
    test(`EXPLANATION-TEXT-1: an instance is ${verdict} where its candidate is ${result}`, (t) => {
      const instances = [explainedInstance({ id: 'x1', verdict, share: 2 / 3, weight: 7 })];
      const told = explanationText(candidate({ verdict: result, instances }));
      t.is(
        told
          .split('\n')
          .find((line) => line.startsWith('x1'))
          ?.replace(/ {2,}/g, ' '),
        `x1 a@v1 ext.a 7 67 % ${expected}`,
      );
    });
};
instance('next', 'picked for this call', 'would be picked');
instance(
  'trial',
  'out of rotation: it failed too often, tried with this call',
  'out of rotation: it failed too often, would be tried',
);
instance('in_rotation', 'in rotation');
instance('ejected', 'out of rotation: it failed too often');
instance('resting', 'resting: it asked for a pause');
instance('drained', 'drained: its weight is 0');
instance('disabled', 'disabled');

const answered = (answer: Explanation['answer'], expected: string) =>
  test(says, 'answer:', explanation({ answer }), expected);
answered(refusedAnswer, 'refused, extension_unavailable: a cannot be called: circuit_open; retryable');
answered(
  { ...refusedAnswer, message: 'it cannot be called' },
  'refused, extension_unavailable: it cannot be called (circuit_open); retryable',
);
answered(
  { kind: 'refused', code: 'overloaded', reason: 'overloaded', message: 'it is full', retryable: true },
  'refused, overloaded: it is full; retryable',
);
answered({ ...refusedAnswer, reason: null, message: 'why' }, 'refused, extension_unavailable: why; retryable');

test('explanation: where no version and nobody is asked, there are no empty tables', (t) => {
  const answer = {
    ...refusedAnswer,
    reason: 'row_invalid',
    message: 'a cannot be called: row_invalid',
    retryable: false,
  };
  t.is(
    explanationText(explanation({ chosen: null, versions: [], candidates: [], answer })),
    'a  no context\nchosen: no version\n\nanswer: refused, extension_unavailable: a cannot be called: row_invalid; not retryable\n',
  );
});

test('EXPLANATION-TEXT-2: what somebody named cannot obey the terminal', (t) => {
  const evil = '\u001b[2J';
  const told = explanationText(
    explanation({
      extension_id: evil,
      context: { [evil]: evil },
      unused: [evil],
      chosen: { version: evil, by: 'rules' },
      versions: [
        explainedVersion({ version: evil, verdict: 'excluded', unmet: { key: evil, wanted: [evil], got: evil } }),
      ],
      candidates: [
        explainedCandidate({
          extension_id: evil,
          verdict: 'refused',
          reason: evil,
          instances: [explainedInstance({ id: evil, subject: evil })],
        }),
      ],
      skipped: [{ extension_id: evil, reason: evil }],
      answer: { ...refusedAnswer, message: evil },
    }),
  );
  t.is([...told.matchAll(/\\u001b\[2J/g)].length, 17);
  t.false(told.includes('\u001b'));
});

test('explanation: warnings and refused rows stand before the answer', (t) => {
  const { refused_rows } = FULL_EXPLANATION;
  const text = explanationText(
    explanation({
      context: { Plan: 'x' },
      unused: ['Plan'],
      warnings: ['no rule uses "Plan"; did you mean "plan"?'],
      in_force: false,
      refused_rows,
    }),
  );
  const lines = text.split('\n');
  const found = lines.indexOf('warning: no rule uses "Plan"; did you mean "plan"?');
  t.is(lines[found - 1], 'nothing looks at: Plan');
  t.deepEqual(lines.slice(-5), [
    'the daemon refuses 1 row, and keeps to the rest:',
    '  extension a (since 2026-01-02T03:04:05.000Z): policy.retry must be an object, got 1',
    '',
    'answer: taken by a@v1, any subscriber of ext.a',
    '',
  ]);
});
