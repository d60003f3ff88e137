import test from 'ava';
import fc from 'fast-check';
import {
  diffRegistry,
  type RegisteredExtension,
  type RegistryPlan,
} from '../../../src/domain/registry/registry-diff.js';
import type { RegistryEntry, RegistryUpdate } from '../../../src/domain/registry/registry-rows.js';
import { changesOf, extensionRow, registryEntry, snapshotOf, versionRow } from '../../helpers/registry-rows.js';

const RULES = { ownPrefix: 'extreg.v1', allowedPrefixes: [] };

const diff = (running: ReadonlyMap<string, RegisteredExtension>, update: RegistryUpdate, isForced = false) =>
  diffRegistry(running, update, RULES, isForced ? 'all' : new Set());

/** What the supervisor does: removals first. */
function apply(
  running: ReadonlyMap<string, RegisteredExtension>,
  plan: RegistryPlan,
): Map<string, RegisteredExtension> {
  const after = new Map(running);
  for (const id of plan.remove) after.delete(id);
  for (const { id, registered } of [...plan.start, ...plan.update]) after.set(id, registered);
  return after;
}

const runningFrom = (...entries: RegistryEntry[]) => apply(new Map(), diff(new Map(), snapshotOf(1, ...entries)));

const byId = (map: ReadonlyMap<string, RegisteredExtension>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

const plain = (...ids: string[]): RegistryEntry[] => ids.map((id) => registryEntry(extensionRow(id)));

const named = (count: number): string[] => Array.from({ length: count }, (_, i) => `e${i}`);

const validEntry = (id: string) =>
  fc
    .record({ timeout_ms: fc.integer({ min: 1, max: 3 }), enabled: fc.boolean(), versions: fc.boolean() })
    .map(({ timeout_ms, enabled, versions }) =>
      registryEntry(extensionRow(id, { timeout_ms, enabled }), { versions: versions ? [versionRow(id, 'v2')] : [] }),
    );

const state = fc
  .uniqueArray(fc.constantFrom(...named(14)), { maxLength: 14 })
  .chain((ids) => fc.tuple(...ids.map(validEntry)));

test('REGISTRY-DIFF-1: applying the plan for a snapshot gives exactly what the snapshot says, from any state', (t) => {
  fc.assert(
    fc.property(state, state, (before, wanted) => {
      const running = runningFrom(...before);
      const plan = diff(running, snapshotOf(2, ...wanted), true);
      t.deepEqual(byId(apply(running, plan)), byId(runningFrom(...wanted)));
      t.deepEqual(plan.refused, []);
      t.deepEqual(plan.held, []);
    }),
    { numRuns: 300 },
  );
});

test('REGISTRY-DIFF-1: changes concern the ids they name and no others, from any state', (t) => {
  fc.assert(
    fc.property(state, state, fc.subarray(named(14)), (before, changed, removed) => {
      const running = runningFrom(...before);
      const changedIds = changed.map((entry) => entry.extension.id);
      const removedIds = removed.filter((id) => !changedIds.includes(id));
      const plan = diff(running, changesOf(2, [...changed], removedIds), true);
      const wanted = new Map([...running, ...runningFrom(...changed)]);
      for (const id of removedIds) wanted.delete(id);
      t.deepEqual(byId(apply(running, plan)), byId(wanted));
    }),
    { numRuns: 300 },
  );
});

test('REGISTRY-DIFF-3: the same snapshot again makes no work, from any state', (t) => {
  fc.assert(
    fc.property(state, (entries) => {
      const plan = diff(runningFrom(...entries), snapshotOf(2, ...entries));
      t.deepEqual(plan, { remove: [], start: [], update: [], refused: [], failed: [], held: [] });
    }),
  );
});

test('REGISTRY-DIFF-3: a plan only starts what did not run and only updates what did', (t) => {
  fc.assert(
    fc.property(state, state, (before, wanted) => {
      const running = runningFrom(...before);
      const plan = diff(running, snapshotOf(2, ...wanted), true);
      t.true(plan.start.every(({ id }) => !running.has(id)));
      t.true(plan.update.every(({ id }) => running.has(id)));
      t.true(plan.remove.every((id) => running.has(id)));
      const ids = [...plan.start, ...plan.update].map(({ id }) => id).concat(plan.remove);
      t.is(new Set(ids).size, ids.length);
    }),
  );
});

test('REGISTRY-DIFF-1: an id that is told gone and does not run makes no work', (t) => {
  const plan = diff(runningFrom(...plain('a')), changesOf(2, [], ['b']));
  t.deepEqual(plan, { remove: [], start: [], update: [], refused: [], failed: [], held: [] });
});

test('REGISTRY-DIFF-1: an update without entries changes nothing', (t) => {
  const plan = diff(runningFrom(...plain('a')), changesOf(2, []));
  t.deepEqual(plan, { remove: [], start: [], update: [], refused: [], failed: [], held: [] });
});

test('REGISTRY-DIFF-3: a higher revision alone is an update, because owed changes are decided on it', (t) => {
  const plan = diff(runningFrom(...plain('a')), changesOf(2, [registryEntry(extensionRow('a', { revision: 2 }))]));
  t.is(plan.update[0]?.registered.extension?.revision, 2);
});

test('REGISTRY-DIFF-6: a threshold column that comes to hold the default of the predecessor is refused, once, and not at a start', (t) => {
  const entry = (...defaultThresholds: ('failure_threshold' | 'window_seconds')[]) =>
    registryEntry(extensionRow('a', { revision: 7 }), { defaultThresholds });
  const problems = (running: ReturnType<typeof runningFrom>, next: RegistryEntry) =>
    diff(running, changesOf(2, [next])).refused.map(({ revision, problems: list }) => [revision, ...list]);
  t.deepEqual(problems(new Map(), entry('failure_threshold')), []);
  t.deepEqual(problems(runningFrom(entry()), entry('window_seconds', 'failure_threshold')), [
    [
      7,
      'extension_health: window_seconds 60 is the default of the predecessor and counts as not set: set policy.breaker.window_seconds instead',
      'extension_health: failure_threshold 5 is the default of the predecessor and counts as not set: set policy.breaker.failure_threshold instead',
    ],
  ]);
  t.deepEqual(problems(runningFrom(entry('failure_threshold')), entry('failure_threshold')), []);
});

test('REGISTRY-DIFF-6: a threshold column that the policy overrides is refused, once, when it is written', (t) => {
  const entry = (failure_threshold: number | null, policy: object | null) =>
    registryEntry(extensionRow('a', { revision: 7, policy }), {
      thresholds: { failure_threshold, error_rate_threshold: 0.4, window_seconds: null, half_open_max_requests: null },
    });
  const policy = { breaker: { failure_threshold: 3 } };
  const problems = (before: RegistryEntry, next: RegistryEntry) =>
    diff(runningFrom(before), changesOf(2, [next])).refused.map(({ revision, problems: list }) => [revision, ...list]);
  const said = [
    7,
    'extension_health: failure_threshold 9 has no effect, because policy.breaker.failure_threshold is 3: change that instead',
  ];
  t.deepEqual(problems(entry(null, policy), entry(9, policy)), [said]);
  t.deepEqual(problems(entry(8, policy), entry(9, policy)), [said]);
  t.deepEqual(problems(entry(9, policy), entry(9, policy)), []);
  t.deepEqual(problems(entry(9, policy), entry(null, policy)), []);
  t.deepEqual(problems(entry(null, policy), entry(3, policy)), [], 'it says the same');
  t.deepEqual(problems(entry(null, null), entry(9, null)), []);
  t.deepEqual(diff(new Map(), changesOf(2, [entry(9, policy)])).refused, []);
});

test('REGISTRY-DIFF-3: the health row that the first flush inserts sets no threshold and makes no work', (t) => {
  const thresholds = {
    failure_threshold: null,
    error_rate_threshold: null,
    window_seconds: null,
    half_open_max_requests: null,
  };
  const plan = diff(runningFrom(...plain('a')), snapshotOf(2, registryEntry(extensionRow('a'), { thresholds })));
  t.deepEqual(plan.update, []);
});

test('REGISTRY-DIFF-3: thresholds that change are an update', (t) => {
  const thresholds = {
    failure_threshold: 9,
    error_rate_threshold: null,
    window_seconds: null,
    half_open_max_requests: null,
  };
  const plan = diff(runningFrom(...plain('a')), changesOf(2, [registryEntry(extensionRow('a'), { thresholds })]));
  t.deepEqual(plan.update[0]?.registered.thresholds, thresholds);
});

const massRemoval = test.macro<[running: number, gone: number, kind: 'snapshot' | 'changes', held: boolean]>({
  exec(t, count, gone, kind, held) {
    const ids = named(count);
    const goneIds = ids.slice(0, gone);
    const running = runningFrom(...plain(...ids));
    const kept = plain(...ids.slice(gone));
    const update = kind === 'snapshot' ? snapshotOf(2, ...kept) : changesOf(2, [], goneIds);
    const plan = diff(running, update);
    t.deepEqual(plan.remove, held ? [] : goneIds);
    t.deepEqual(plan.held, held ? goneIds : []);
    const forced = diff(running, update, true);
    t.deepEqual(forced.remove, goneIds);
    t.deepEqual(forced.held, []);
  },
  title: (_, count, gone, kind, held) =>
    `REGISTRY-DIFF-2: ${gone} of ${count} gone from a ${kind} are ${held ? 'held until it is allowed' : 'removed'}`,
});
test(massRemoval, 9, 9, 'snapshot', false);
test(massRemoval, 10, 5, 'snapshot', false);
test(massRemoval, 10, 6, 'snapshot', true);
test(massRemoval, 10, 10, 'snapshot', true);
test(massRemoval, 11, 5, 'snapshot', false);
test(massRemoval, 11, 6, 'snapshot', true);
test(massRemoval, 10, 5, 'changes', false);
test(massRemoval, 10, 6, 'changes', true);
test(massRemoval, 10, 0, 'snapshot', false);
test(massRemoval, 1, 1, 'changes', false);

test('REGISTRY-DIFF-2: everything else of an update whose removals are held is applied at once', (t) => {
  const running = runningFrom(...plain(...named(10)));
  const plan = diff(running, snapshotOf(2, registryEntry(extensionRow('e9', { timeout_ms: 9 })), ...plain('new')));
  t.is(plan.held.length, 9);
  t.deepEqual(plan.remove, []);
  t.deepEqual(
    plan.update.map(({ id }) => id),
    ['e9'],
  );
  t.deepEqual(
    plan.start.map(({ id }) => id),
    ['new'],
  );
});

test('REGISTRY-VALIDATION-1: what runs keeps its last valid form through any number of invalid rows, and takes the next valid one', (t) => {
  const good = runningFrom(registryEntry(extensionRow('a', { timeout_ms: 7 })));
  let running = good;
  for (let revision = 2; revision < 5; revision++) {
    const row = extensionRow('a', { subject: '*', timeout_ms: revision, revision });
    const plan = diff(running, changesOf(revision, [registryEntry(row)]));
    t.is(plan.refused.length, 1);
    running = apply(running, plan);
    t.is(running.get('a')?.extension?.timeoutMs, 7);
    t.is(running.get('a')?.extension?.subject, 'ext.a');
  }
  const plan = diff(running, changesOf(5, [registryEntry(extensionRow('a', { timeout_ms: 8, revision: 5 }))]));
  t.is(apply(running, plan).get('a')?.extension?.timeoutMs, 8);
  t.deepEqual(plan.refused, []);
});

test('REGISTRY-VALIDATION-1: a row that is invalid at start is registered without a form, alone, and told', (t) => {
  const plan = diff(new Map(), snapshotOf(1, registryEntry(extensionRow('a', { type: 'x' })), ...plain('b')));
  t.deepEqual(
    plan.start.map(({ id, registered }) => [id, registered.extension?.id ?? null]),
    [
      ['a', null],
      ['b', 'b'],
    ],
  );
  t.deepEqual(
    plan.refused.map((problem) => problem.extensionId),
    ['a'],
  );
});

test('REGISTRY-VALIDATION-1: a row that was invalid from the start takes effect once it is mended', (t) => {
  const running = runningFrom(registryEntry(extensionRow('a', { type: 'x' })));
  const plan = diff(running, changesOf(2, plain('a')));
  t.is(apply(running, plan).get('a')?.extension?.type, 'pre');
});
