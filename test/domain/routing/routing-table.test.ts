import test from 'ava';
import fc from 'fast-check';
import type { Extension } from '../../../src/domain/registry/extension.js';
import type { ExtensionRow, VersionRow } from '../../../src/domain/registry/registry-rows.js';
import { parseEntry } from '../../../src/domain/registry/registry-validation.js';
import { compareVersions, defaultVersion } from '../../../src/domain/registry/version-choice.js';
import { type Context, NO_CONTEXT } from '../../../src/domain/routing/routing-rules.js';
import { RoutingTable } from '../../../src/domain/routing/routing-table.js';
import { runs } from '../../helpers/depth.js';
import { extensionRow, registryEntry, versionRow } from '../../helpers/registry-rows.js';
import { ROUTING_SCENARIOS, type RoutingScenario } from '../../helpers/routing-scenarios.js';
import { seededRandom } from '../../helpers/seeded-random.js';

type Versions = Readonly<Record<string, Partial<VersionRow>>>;

function extensionOf(versions: Versions, row: Partial<ExtensionRow> = {}): Extension {
  const { extension, refused } = parseEntry(
    registryEntry(extensionRow('a', row), {
      versions: Object.entries(versions).map(([version, changes]) => versionRow('a', version, changes)),
    }),
    { ownPrefix: 'extreg.v1', allowedPrefixes: [] },
    null,
  );
  if (extension === null || refused.length > 0) throw new Error(refused.flatMap((one) => one.problems).join());
  return extension;
}

const tableOf = (versions: Versions, row: Partial<ExtensionRow> = {}) => new RoutingTable(extensionOf(versions, row));
const contextOf = (values: Readonly<Record<string, string>>): Context<never> => new Map(Object.entries(values));
const noChance = (): number => {
  throw new Error('chance was asked');
};

const scenario = test.macro<[RoutingScenario]>({
  exec(t, { versions, calls }) {
    const table = tableOf(versions);
    for (const [context, version] of calls)
      t.is(table.choose(contextOf(context), noChance)?.version, version, JSON.stringify(context));
  },
  title: (_, { title }) => `ROUTING-TABLE-1: ${title}`,
});
for (const one of ROUTING_SCENARIOS) test(scenario, one);

test('ROUTING-TABLE-1, FM 48: more conditions come first, then the higher version; the order of the rows says nothing', (t) => {
  const versions: Versions = {
    v9: { routing_rules: { tenant_id: 'x' } },
    v10: { routing_rules: { tenant_id: ['x', 'y'] } },
    v1: { routing_rules: { tenant_id: 'x', plan: 'gold' } },
    v0: {},
  };
  const gold = contextOf({ tenant_id: 'x', plan: 'gold' });
  const plain = contextOf({ tenant_id: 'x' });
  for (const order of [Object.entries(versions), Object.entries(versions).toReversed()]) {
    const table = tableOf(Object.fromEntries(order));
    t.deepEqual(table.choose(gold, noChance), { version: 'v1', by: 'rules' });
    t.deepEqual(table.choose(plain, noChance), { version: 'v10', by: 'rules' });
  }
});

test('ROUTING-TABLE-3: without rules that match the default takes the call; of its own row where no version can be it', (t) => {
  t.deepEqual(tableOf({}).choose(NO_CONTEXT, noChance), { version: 'v1', by: 'default' });
  t.deepEqual(tableOf({ v2: { routing_rules: { a: '1' } } }).choose(NO_CONTEXT, noChance), {
    version: 'v1',
    by: 'default',
  });
  const table = tableOf({ v1: {}, v2: {}, v3: { enabled: false }, v0: {} });
  t.deepEqual(table.choose(NO_CONTEXT, noChance), { version: 'v2', by: 'default' });
  t.deepEqual(table.standIns, ['v1', 'v0']);
});

test('ROUTING-TABLE-3, FM 48: where all that match are disabled, the default takes the call', (t) => {
  const table = tableOf({ v1: {}, v2: { routing_rules: { tenant_id: 'x' }, enabled: false } });
  t.is(table.choose(contextOf({ tenant_id: 'x' }), noChance)?.version, 'v1');
});

test('ROUTING-TABLE-3: no version takes a call that all rules exclude where nothing is the default, and it is told why', (t) => {
  const ruled = tableOf({ v1: { routing_rules: { tenant_id: 'x' } } });
  t.is(ruled.choose(contextOf({ tenant_id: 'y' }), noChance), null);
  t.is(ruled.noneReason, 'no_version');
  const off = tableOf({ v1: { enabled: false } });
  t.is(off.choose(NO_CONTEXT, noChance), null);
  t.is(off.noneReason, 'disabled');
});

test('RoutingTable: a table without rules and rollout reads nothing of the context', (t) => {
  t.false(tableOf({ v1: {}, v2: {}, v3: { enabled: false, routing_rules: { a: '1' } } }).readsContext);
  t.true(tableOf({ v1: {}, v2: { routing_rules: { a: '1' } } }).readsContext);
  t.true(tableOf({ v1: {}, v2: { rollout_percent: 0 } }).readsContext);
});

test('RoutingTable: what need not be known is not asked for', (t) => {
  const table = tableOf({
    v1: {},
    v2: { routing_rules: { tenant_id: 'x', plan: 'gold' } },
    v3: { rollout_percent: 5 },
  });
  const asked: string[] = [];
  const context = (values: Record<string, string>) => ({
    get: (key: string) => {
      asked.push(key);
      return values[key];
    },
  });
  table.choose(context({ tenant_id: 'y' }), noChance);
  t.deepEqual(asked, ['tenant_id', 'tenant_id']);
  table.choose(context({ tenant_id: 'x', plan: 'gold' }), noChance);
  t.deepEqual(asked.slice(2), ['tenant_id', 'plan']);
});

/** Share of the keys that each version gets. */
function sharesOver(table: RoutingTable, keys: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i < keys; i++) {
    const version = table.choose(contextOf({ tenant_id: `tenant-${i}` }), noChance)?.version ?? 'none';
    counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  return new Map([...counts].map(([version, count]) => [version, count / keys]));
}

test('ROUTING-TABLE-2: each version gets its percentage of the keys, the default the rest', (t) => {
  const KEYS = 40_000;
  const shares = sharesOver(tableOf({ v1: {}, v2: { rollout_percent: 10 }, v3: { rollout_percent: 0.5 } }), KEYS);
  for (const [version, expected] of [
    ['v1', 0.895],
    ['v2', 0.1],
    ['v3', 0.005],
  ] as const) {
    // Five standard deviations.
    const bound = 5 * Math.sqrt((expected * (1 - expected)) / KEYS);
    t.true(Math.abs((shares.get(version) ?? 0) - expected) < bound, `${version} has ${shares.get(version)}`);
  }
});

test('ROUTING-TABLE-2: 0 gives nothing, 100 everything, and percentages of hundredths that add up to 100 leave nothing', (t) => {
  t.deepEqual([...sharesOver(tableOf({ v1: {}, v2: { rollout_percent: 0 } }), 2000)], [['v1', 1]]);
  t.deepEqual([...sharesOver(tableOf({ v1: {}, v2: { rollout_percent: 100 } }), 2000)], [['v2', 1]]);
  const thirds = { v2: { rollout_percent: 33.33 }, v3: { rollout_percent: 33.33 }, v4: { rollout_percent: 33.34 } };
  t.is(tableOf({ v1: {}, ...thirds }).shares.find((share) => share.choice.version === 'v1')?.percent, 0);
  t.false(sharesOver(tableOf({ v1: {}, ...thirds }), 2000).has('v1'));
});

test('ROUTING-TABLE-2: without a default the versions share everything in proportion; all 0 take nothing', (t) => {
  const shares = sharesOver(tableOf({ v1: { rollout_percent: 5 }, v2: { rollout_percent: 15 } }), 20_000);
  t.true(Math.abs((shares.get('v2') ?? 0) - 0.75) < 0.02);
  const none = tableOf({ v1: { rollout_percent: 0 } });
  t.is(none.choose(contextOf({ tenant_id: 'x' }), noChance), null);
  t.is(
    none.choose(NO_CONTEXT, () => 0.5),
    null,
  );
});

test('ROUTING-TABLE-2: who is in which share is the same in every process and release', (t) => {
  const table = tableOf({ v1: {}, v2: { rollout_percent: 30 }, v3: { rollout_percent: 30 } });
  const versions = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'Łódź', '1', '2'].map(
    (tenant) => table.choose(contextOf({ tenant_id: tenant }), noChance)?.version,
  );
  // Another hash would move callers that are in a rollout: a change for whoever has one.
  t.deepEqual(versions, ['v2', 'v1', 'v3', 'v1', 'v3', 'v1', 'v2', 'v1']);
});

test('FM 49, RT2: where another version becomes the default, nobody in the rollout moves', (t) => {
  const canary = { v3: { rollout_percent: 20 }, v2: { rollout_percent: 10 } };
  const before = tableOf({ v1: {}, ...canary });
  const after = tableOf({ v1: {}, v4: {}, ...canary });
  for (let i = 0; i < 1000; i++) {
    const context = contextOf({ tenant_id: `t${i}` });
    const was = before.choose(context, noChance)?.version;
    t.is(after.choose(context, noChance)?.version, was === 'v1' ? 'v4' : was);
  }
});

test('FM 49, RT2: raising one version only adds keys to it', (t) => {
  const of = (percent: number) => tableOf({ v1: {}, v2: { rollout_percent: percent }, v3: { rollout_percent: 20 } });
  let before = of(0);
  for (const percent of [1, 5, 5.01, 25, 50, 80]) {
    const after = of(percent);
    for (let i = 0; i < 3000; i++) {
      const context = contextOf({ tenant_id: `t${i}` });
      if (before.choose(context, noChance)?.version === 'v2') t.is(after.choose(context, noChance)?.version, 'v2');
    }
    before = after;
  }
});

test('FM 49, RT2: with one canary nobody moves but to it', (t) => {
  const before = tableOf({ v1: {}, v2: { rollout_percent: 10 } });
  const after = tableOf({ v1: {}, v2: { rollout_percent: 30 } });
  for (let i = 0; i < 3000; i++) {
    const context = contextOf({ tenant_id: `t${i}` });
    const now = after.choose(context, noChance)?.version;
    if (now !== before.choose(context, noChance)?.version) t.is(now, 'v2');
  }
});

test('FM 49, RT2: who is first in one extension’s rollout is not first in every other’s', (t) => {
  const versions: Versions = { v1: {}, v2: { rollout_percent: 50 } };
  const a = tableOf(versions);
  const b = new RoutingTable({ ...extensionOf(versions), id: 'b' });
  let both = 0;
  for (let i = 0; i < 4000; i++) {
    const context = contextOf({ tenant_id: `t${i}` });
    if (a.choose(context, noChance)?.version === 'v2' && b.choose(context, noChance)?.version === 'v2') both++;
  }
  t.true(Math.abs(both / 4000 - 0.25) < 0.04);
});

test('ROUTING-TABLE-2: the key is the tenant, else the routing key, else chance; or what rollout_key names, else chance', (t) => {
  const table = tableOf({ v1: {}, v2: { rollout_percent: 50 } });
  const byTenant = (value: string) => table.choose(contextOf({ tenant_id: value }), noChance)?.version;
  for (const value of ['a', 'b', 'c', 'd', 'e', 'f'])
    t.is(table.choose(contextOf({ routing_key: value }), noChance)?.version, byTenant(value));
  t.is(table.choose(contextOf({ tenant_id: 'a', routing_key: 'zzz' }), noChance)?.version, byTenant('a'));
  t.is(table.choose(NO_CONTEXT, () => 0.49)?.version, 'v2');
  t.is(table.choose(NO_CONTEXT, () => 0.51)?.version, 'v1');
  t.is(table.choose(NO_CONTEXT, () => 0)?.by, 'rollout');
  const own = tableOf({ v1: {}, v2: { rollout_percent: 50, rollout_key: 'user' } });
  t.deepEqual(own.rolloutKey(contextOf({ user: 'u', tenant_id: 'a' })), { name: 'user', value: 'u' });
  t.is(own.rolloutKey(contextOf({ tenant_id: 'a' })), null);
});

test('ROUTING-TABLE-2: without a key chance gives each its percentage', (t) => {
  const table = tableOf({
    v1: {},
    v2: { rollout_percent: 25 },
    v3: { rollout_percent: 5 },
    v4: { rollout_percent: 0 },
  });
  const random = seededRandom(7);
  const counts: Record<string, number> = {};
  for (let i = 0; i < 20_000; i++) {
    const { version = 'none' } = table.choose(NO_CONTEXT, random) ?? {};
    counts[version] = (counts[version] ?? 0) + 1;
  }
  t.deepEqual(Object.keys(counts).toSorted(), ['v1', 'v2', 'v3']);
  t.true(Math.abs((counts.v2 ?? 0) / 20_000 - 0.25) < 0.016);
  t.true(Math.abs((counts.v3 ?? 0) / 20_000 - 0.05) < 0.008);
});

test('ROUTING-TABLE-1: rules come before the rollout, which takes no version that has rules', (t) => {
  const table = tableOf({ v1: {}, v2: { routing_rules: { tenant_id: 'x' } }, v3: { rollout_percent: 100 } });
  t.deepEqual(table.choose(contextOf({ tenant_id: 'x' }), noChance), { version: 'v2', by: 'rules' });
  t.deepEqual(table.choose(contextOf({ tenant_id: 'y' }), noChance), { version: 'v3', by: 'rollout' });
});

/** The choice as the specification words it, and as slowly. */
function specified(extension: Extension, context: ReadonlyMap<string, string>): string | null | 'rollout' {
  const met = extension.versions
    .filter(({ enabled, routingRules }) => {
      const rules = Object.entries(routingRules);
      const isMet = ([key, wanted]: [string, unknown]) =>
        [wanted].flat().some((one) => context.has(key) && String(one) === context.get(key));
      return enabled && rules.length > 0 && rules.every(isMet);
    })
    .toSorted((a, b) => {
      const conditions = Object.keys(b.routingRules).length - Object.keys(a.routingRules).length;
      return conditions || compareVersions(b.version, a.version);
    });
  if (met[0] !== undefined) return met[0].version;
  const inRollout = extension.versions.some(
    (v) => v.enabled && v.rolloutPercent !== null && Object.keys(v.routingRules).length === 0,
  );
  return inRollout ? 'rollout' : (defaultVersion(extension)?.version ?? null);
}

test('ROUTING-TABLE-1, ROUTING-TABLE-3: for any versions and contexts the choice is the specified one, and never a version that excludes it', (t) => {
  const key = fc.constantFrom('tenant_id', 'environment', 'tier');
  const value = fc.constantFrom<string | number | boolean>('a', 'b', 1, true);
  const rules = fc.dictionary(key, fc.oneof(value, fc.array(value, { maxLength: 3 })), { maxKeys: 3 });
  const version = fc.oneof(
    fc.record({ enabled: fc.boolean(), routing_rules: rules }),
    fc.record({ enabled: fc.boolean(), rollout_percent: fc.constantFrom(0, 10, 20) }),
  );
  const versions = fc.dictionary(fc.constantFrom('v1', 'v2', 'v3', 'v10', 'v3-beta'), version, { maxKeys: 5 });
  const context = fc.dictionary(key, fc.constantFrom('a', 'b', '1', 'true', 'c'), { maxKeys: 3 });
  fc.assert(
    fc.property(versions, context, (rows, values) => {
      const extension = extensionOf(rows);
      const expected = specified(extension, new Map(Object.entries(values)));
      const choice = new RoutingTable(extension).choose(contextOf(values), () => 0.5);
      if (expected !== 'rollout') return t.is(choice?.version ?? null, expected);
      const chosen = extension.versions.find((v) => v.version === choice?.version);
      t.deepEqual(chosen?.routingRules ?? {}, {});
      t.true(chosen?.enabled ?? true);
    }),
    { numRuns: runs(2000) },
  );
});
