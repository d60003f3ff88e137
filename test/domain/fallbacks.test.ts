import test from 'ava';
import fc from 'fast-check';
import type { Extension } from '../../src/domain/extension.js';
import { fallbackProblems } from '../../src/domain/fallbacks.js';
import { diffRegistry, type RegisteredExtension } from '../../src/domain/registry-diff.js';
import type { RegistryUpdate } from '../../src/domain/registry-rows.js';
import { changesOf, extensionRow, registryEntry, snapshotOf } from '../helpers/registry-rows.js';

const RULES = { ownPrefix: 'extreg.v1', allowedPrefixes: [] };

const problems = test.macro<[peers: Record<string, string[]>, expected: string[]]>({
  exec(t, peers, expected) {
    const { a: fallback = [] } = peers;
    const peer = (id: string) => (peers[id] === undefined ? null : { type: 'pre', fallback: peers[id] });
    t.deepEqual(fallbackProblems('a', 'pre', fallback, peer), expected);
  },
  title: (_, peers, expected) =>
    `fallbacks: ${JSON.stringify(peers)} ${expected.length === 0 ? 'goes in no circle' : expected[0]}`,
});
test(problems, { a: [] }, []);
test(problems, { a: ['b'] }, []);
test(problems, { a: ['b'], b: ['c'], c: [] }, []);
test(problems, { a: ['b', 'c'], b: ['d'], c: ['d'], d: [] }, []);
test(problems, { a: ['b'], b: ['c'], c: ['b'] }, []);
test(problems, { a: ['a'] }, ['policy.fallback goes in a circle: a -> a']);
test(problems, { a: ['b'], b: ['a'] }, ['policy.fallback goes in a circle: a -> b -> a']);
test(problems, { a: ['b'], b: ['x', 'c'], c: ['a'] }, ['policy.fallback goes in a circle: a -> b -> c -> a']);
test(problems, { a: ['b', 'c'], b: [], c: ['a'] }, ['policy.fallback goes in a circle: a -> c -> a']);

test('fallbacks: an extension of another type is none, one that is not there may come', (t) => {
  const peer = (id: string) => (id === 'b' ? { type: 'post', fallback: [] } : null);
  t.deepEqual(fallbackProblems('a', 'pre', ['b', 'later'], peer), [
    'policy.fallback must name extensions of type pre, b has post',
  ]);
});

const row = (id: string, fallback: unknown, revision = 1) =>
  registryEntry(extensionRow(id, { policy: { fallback }, revision }));

/** What a supervisor would do with the plans. */
function registered(...updates: RegistryUpdate[]) {
  const running = new Map<string, RegisteredExtension>();
  const refused: string[] = [];
  for (const update of updates) {
    const plan = diffRegistry(running, update, RULES, 'all');
    for (const id of plan.remove) running.delete(id);
    for (const change of [...plan.start, ...plan.update]) running.set(change.id, change.registered);
    refused.push(
      ...plan.refused.flatMap((problem) => problem.problems.map((text) => `${problem.extensionId}: ${text}`)),
    );
  }
  const inForce = (id: string): Extension | null => running.get(id)?.extension ?? null;
  return { inForce, refused };
}

test('L1: the change that closes a circle is refused, and what was in force stays', (t) => {
  const { inForce, refused } = registered(
    snapshotOf(1, row('a', ['b']), row('b', [])),
    changesOf(2, [row('b', ['a'], 2)]),
  );
  t.deepEqual(refused, ['b: policy.fallback goes in a circle: b -> a -> b']);
  t.deepEqual(inForce('a')?.policy.fallback, ['b']);
  t.deepEqual(inForce('b')?.policy.fallback, []);
});

test('fallbacks: a circle in a first snapshot refuses all that are in it, whatever their order', (t) => {
  for (const entries of [
    [row('a', ['b']), row('b', ['a'])],
    [row('b', ['a']), row('a', ['b'])],
  ]) {
    const { inForce, refused } = registered(snapshotOf(1, ...entries, row('c', ['a'])));
    t.is(refused.length, 2);
    t.is(inForce('a'), null);
    t.is(inForce('b'), null);
    t.deepEqual(inForce('c')?.policy.fallback, ['a']);
  }
});

test('fallbacks: two that are turned round in one change are no circle', (t) => {
  for (const change of [
    [row('a', [], 2), row('b', ['a'], 2)],
    [row('b', ['a'], 2), row('a', [], 2)],
  ]) {
    const { inForce, refused } = registered(snapshotOf(1, row('a', ['b']), row('b', [])), changesOf(2, change));
    t.deepEqual(refused, []);
    t.deepEqual(inForce('b')?.policy.fallback, ['a']);
  }
});

test('fallbacks: one that is removed is in nobody’s way', (t) => {
  const { refused } = registered(
    snapshotOf(1, row('a', ['b']), row('b', [])),
    changesOf(2, [row('b', ['a'], 2)], ['a']),
  );
  t.deepEqual(refused, []);
});

test('fallbacks: rows that hold nonsense in their place do not disturb others', (t) => {
  for (const nonsense of [null, 'a', 7, {}, [7, null, {}], [['a']]]) {
    const { inForce } = registered(snapshotOf(1, row('a', ['b']), row('b', nonsense)));
    t.deepEqual(inForce('a')?.policy.fallback, ['b']);
  }
});

test('fallbacks: whatever changes come, those in force go in no circle', (t) => {
  const ids = ['a', 'b', 'c', 'd'];
  const change = fc.record({
    id: fc.constantFrom(...ids),
    fallback: fc.uniqueArray(fc.constantFrom(...ids), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      const { inForce } = registered(
        snapshotOf(1, ...ids.map((id) => row(id, []))),
        ...changes.map(({ id, fallback }, i) => changesOf(i + 2, [row(id, fallback, i + 2)])),
      );
      const peer = (id: string) => ({ type: 'pre', fallback: inForce(id)?.policy.fallback ?? [] });
      for (const id of ids) t.deepEqual(fallbackProblems(id, 'pre', inForce(id)?.policy.fallback ?? [], peer), []);
    }),
  );
});
