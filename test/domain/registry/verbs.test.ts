import test from 'ava';
import type { Extension } from '../../../src/domain/registry/extension.js';
import { parseEntry } from '../../../src/domain/registry/registry-validation.js';
import { afterVerb, effectOf, overrideOf, scopeOf } from '../../../src/domain/registry/verbs.js';
import { extensionRow, registryEntry, versionRow } from '../../helpers/registry-rows.js';

const RULES = { ownPrefix: 'extreg.v1', allowedPrefixes: [] };

/** An extension with versions v1 and v2, and these columns. */
function extension(row: Parameters<typeof extensionRow>[1] = {}, v2: Parameters<typeof versionRow>[2] = {}): Extension {
  const versions = [versionRow('a', 'v1'), versionRow('a', 'v2', v2)];
  const { extension: parsed } = parseEntry(registryEntry(extensionRow('a', row), { versions }), RULES, null);
  if (parsed === null) throw new Error('not valid');
  return parsed;
}

const PUT_BACK = { put_back: { id: 'new', to: 'closed', ago_ms: 1 } } as const;

test('VERBS-1: of two overrides the stricter is in force, whichever is whose', (t) => {
  for (const [own, version, expected] of [
    [null, null, null],
    ['isolated', null, 'isolated'],
    [null, 'isolated', 'isolated'],
    ['forced_closed', 'isolated', 'isolated'],
    ['isolated', 'forced_closed', 'isolated'],
    [null, 'forced_closed', 'forced_closed'],
    ['forced_closed', null, 'forced_closed'],
  ] as const) {
    const both = extension({ breaker_override: own }, { breaker_override: version });
    t.is(overrideOf(both, 'v2'), expected);
    t.is(overrideOf(both, 'v1'), own);
    t.is(overrideOf(both, 'v9'), own);
  }
});

test('VERBS-2: a name is that of a version row; of the own row only where there is no other', (t) => {
  t.deepEqual(scopeOf(extension(), null), { version: null });
  t.deepEqual(scopeOf(extension(), 'v2'), { version: 'v2' });
  t.is(scopeOf(extension(), 'v3'), 'none');
  t.is(scopeOf(extension({ version: 'v3' }), 'v3'), 'none');
  t.deepEqual(scopeOf({ ...extension({ version: 'v3' }), versions: [] }, 'v3'), { version: null });
});

type Changes = [row: Parameters<typeof extensionRow>[1], v2?: Parameters<typeof versionRow>[2]];
const AUTO = 'system:auto-manager';
const OFF = { enabled: false, auto_disabled: true, switched_by: AUTO };

const effect = test.macro<[what: string, before: Changes, after: Changes, v1: string | null, v2: string | null]>({
  exec(t, _, before, after, v1, v2) {
    t.is(effectOf(extension(...before), extension(...after), 'v1'), v1 as never);
    t.is(effectOf(extension(...before), extension(...after), 'v2'), v2 as never);
  },
  title: (_, what, __, ___, v1, v2) => `VERBS-3: ${what}: ${v1} of v1, ${v2} of v2`,
});
test(effect, 'nothing', [{}], [{ timeout_ms: 7, revision: 2 }], null, null);
test(effect, 'an override alone', [{}], [{ breaker_override: 'isolated' }], null, null);
test(effect, 'a person disables', [{}], [{ enabled: false, switched_by: 'ada' }], 'renew', 'renew');
test(effect, 'a person enables', [{ enabled: false }], [{ switched_by: 'ada', ...PUT_BACK }], 'enable', 'enable');
test(effect, 'a person enables what was off automatically', [OFF], [{ switched_by: 'ada' }], 'probe', 'probe');
test(effect, 'a person disables what was off automatically', [OFF], [{ enabled: false }], 'renew', 'renew');
test(
  effect,
  'a person enables what is on',
  [{ switched_by: 'ada' }],
  [{ switched_by: 'ada', ...PUT_BACK }],
  'enable',
  'enable',
);
test(effect, 'a person disables, and what he enabled before is forgotten', [PUT_BACK], [{}], null, null);
test(effect, 'the auto-manager disables', [PUT_BACK], [OFF], null, null);
test(effect, 'the auto-manager enables', [OFF], [{ switched_by: AUTO }], null, null);
test(effect, 'a reset', [OFF], [{ breaker_resets: 1, switched_by: 'ada', ...PUT_BACK }], 'reset', 'reset');
test(effect, 'a reset and a disable', [{}], [{ breaker_resets: 1, enabled: false }], 'reset', 'reset');
test(effect, 'an extension made anew', [{ breaker_resets: 7 }], [{ breaker_resets: 0 }], null, null);
test(effect, 'a version is reset', [{}], [{}, { breaker_resets: 1 }], null, 'reset');
test(effect, 'a version is enabled', [{}, { enabled: false }], [{}, PUT_BACK], null, 'enable');
test(effect, 'a version is isolated', [{}], [{}, { breaker_override: 'isolated' }], null, null);

test('VERBS-3: of a version that comes or goes, nothing was decided', (t) => {
  const without = { ...extension(), versions: [] };
  t.is(effectOf(without, extension({}, { breaker_resets: 3, ...PUT_BACK }), 'v2'), null);
  t.is(effectOf(extension({}, { breaker_resets: 3, ...PUT_BACK }), without, 'v2'), null);
});

test('afterVerb: of an extension and of a version, what the statement does to their rows', (t) => {
  const decision = { id: 'x', actor: 'ada' };
  const off = extension({ ...OFF, breaker_override: 'isolated' }, { breaker_override: 'forced_closed' });
  t.deepEqual(afterVerb(off, null, { ...decision, verb: 'isolate' }), { ...off, breakerOverride: 'isolated' });
  t.deepEqual(afterVerb(off, null, { ...decision, verb: 'release' }), { ...off, breakerOverride: null });
  t.deepEqual(afterVerb(off, null, { ...decision, verb: 'reset' }), {
    ...off,
    breakerOverride: null,
    breakerResets: 1,
    putBackId: 'x',
    switchedBy: 'ada',
    enabled: true,
    autoDisabled: false,
  });
  const disabled = extension({ enabled: false });
  t.like(afterVerb(disabled, null, { ...decision, verb: 'reset' }), { enabled: false, autoDisabled: false });
  const [v1, v2] = off.versions;
  t.deepEqual(afterVerb(off, 'v2', { ...decision, verb: 'force-closed' }), {
    ...off,
    versions: [v1, { ...v2, breakerOverride: 'forced_closed' }] as Extension['versions'],
  });
  t.deepEqual(afterVerb(off, 'v2', { ...decision, verb: 'reset' }), {
    ...off,
    versions: [v1, { ...v2, breakerOverride: null, breakerResets: 1, putBackId: 'x' }] as Extension['versions'],
  });
});
