import test from 'ava';
import fc from 'fast-check';
import { FallbackGraph, type FallbackRow, fallbacksInForce } from '../../../src/domain/registry/fallbacks.js';
import { done } from '../../../src/domain/steps.js';
import { runs } from '../../helpers/depth.js';

type Registry = Readonly<Record<string, readonly string[]>>;

const rowsOf = (registry: Registry) =>
  Object.entries(registry).map(([id, fallback]) => ({ id, type: 'pre', fallback }));

const inForce = test.macro<[registry: Registry, refused: Readonly<Record<string, string>>]>({
  exec(t, registry, refused) {
    const found = fallbacksInForce(rowsOf(registry));
    t.deepEqual(
      Object.fromEntries([...found.problems].map(([id, [problem]]) => [id, problem])),
      Object.fromEntries(
        Object.entries(refused).map(([id, circle]) => [id, `policy.fallback goes in a circle: ${circle}`]),
      ),
    );
    const kept = [...found.inForce.values()].flat().length;
    t.is(kept, Object.values(registry).flat().length - Object.keys(refused).length);
  },
  title: (_, registry, refused) =>
    `FALLBACKS-1: ${JSON.stringify(registry)} ${Object.values(refused).join() || 'goes in no circle'}`,
});
test(inForce, {}, {});
test(inForce, { a: [] }, {});
test(inForce, { a: ['b'] }, {});
test(inForce, { a: ['b'], b: ['c'], c: [] }, {});
test(inForce, { a: ['b', 'c'], b: ['d'], c: ['d'], d: ['e'], e: [] }, {});
test(inForce, { a: ['a'] }, { a: 'a -> a' });
test(inForce, { a: ['b'], b: ['a'] }, { b: 'b -> a -> b' });
test(inForce, { b: ['a'], a: ['b'] }, { b: 'b -> a -> b' });
test(inForce, { a: ['b'], b: ['x', 'c'], c: ['a'] }, { c: 'c -> a -> b -> c' });
test(inForce, { x: ['b'], b: ['c'], c: ['b', 'd'], d: [] }, { c: 'c -> b -> c' });

const news = test.macro<[before: Registry, after: Registry, refused: readonly string[]]>({
  exec(t, before, after, refused) {
    const { problems } = fallbacksInForce(rowsOf(after), fallbacksInForce(rowsOf(before)).inForce);
    t.deepEqual(
      [...problems.values()].flat(),
      refused.map((circle) => `policy.fallback goes in a circle: ${circle}`),
    );
  },
  title: (_, before, after, refused) =>
    `FALLBACKS-1: after ${JSON.stringify(before)}, ${JSON.stringify(after)} ${refused.join() || 'goes in no circle'}`,
});
test(news, { a: ['b'], b: [] }, { a: ['b'], b: ['a'] }, ['b -> a -> b']);
test(news, { a: [], b: ['a'] }, { a: ['b'], b: ['a'] }, ['a -> b -> a']);
test(news, { a: [], b: ['c'], c: ['a'] }, { a: ['x', 'b'], b: ['c'], c: ['a'] }, ['a -> b -> c -> a']);
test(news, { a: ['b'], b: [] }, { a: [], b: ['a'] }, []);
test(news, { z: ['y'], a: [], b: [] }, { z: ['y'], a: ['b'], b: ['a'] }, ['b -> a -> b']);
test(news, { z: ['y'], a: [] }, { z: ['y'], a: ['a'] }, ['a -> a']);

test('FALLBACKS-1: what was refused is in force once another row opens the circle', (t) => {
  const first = fallbacksInForce(rowsOf({ a: ['b'], b: ['a'] }));
  t.deepEqual(first.inForce.get('b'), []);
  const then = fallbacksInForce(rowsOf({ a: [], b: ['a'] }), first.inForce);
  t.deepEqual(then.inForce.get('b'), ['a']);
});

test('FALLBACKS-1: the others of the same row stay', (t) => {
  const { inForce: left } = fallbacksInForce(rowsOf({ a: ['b'], b: ['c', 'a', 'd'] }));
  t.deepEqual(left.get('b'), ['c', 'd']);
});

test('FALLBACKS-2: an extension of another type is told and kept, one that is not there may come', (t) => {
  const { inForce: left, problems } = fallbacksInForce([
    { id: 'a', type: 'pre', fallback: ['b', 'later'] },
    { id: 'b', type: 'post', fallback: [] },
  ]);
  t.deepEqual(left.get('a'), ['b', 'later']);
  t.deepEqual(problems.get('a'), ['policy.fallback must name extensions of type pre, b has post']);
});

test('FALLBACKS-3: a chain as long as the registry, and a registry that names much, are read in one pass', (t) => {
  const N = 20_000;
  const chain = Array.from({ length: N }, (_, i) => ({
    id: `e${i}`,
    type: 'pre',
    fallback: [`e${i + 1}`],
  }));
  t.is(fallbacksInForce(chain).inForce.size, N);
  let looks = 0;
  const wide = Array.from({ length: 3000 }, (_, i) => ({
    id: `e${i}`,
    type: 'pre',
    get fallback() {
      looks++;
      return Array.from({ length: 8 }, (__, k) => `e${(i * 7 + k * 13) % 3000}`);
    },
  }));
  fallbacksInForce(wide);
  t.true(looks <= 3000 * 40, `${looks} looks`);
});

test('FALLBACKS-1: whatever the rows say, what is in force goes in no circle, and is all that goes in none', (t) => {
  const ids = ['a', 'b', 'c', 'd', 'e'];
  const registry = fc.record(
    Object.fromEntries(ids.map((id) => [id, fc.uniqueArray(fc.constantFrom(...ids), { maxLength: 3 })])),
  ) as fc.Arbitrary<Registry>;
  fc.assert(
    fc.property(registry, registry, (earlier, rows) => {
      const { inForce: left, problems } = fallbacksInForce(rowsOf(rows), fallbacksInForce(rowsOf(earlier)).inForce);
      const reaches = (from: string, to: string): boolean => {
        const seen = new Set<string>();
        const next = [...(left.get(from) ?? [])];
        for (let at = next.pop(); at !== undefined; at = next.pop()) {
          if (at === to) return true;
          if (seen.has(at)) continue;
          seen.add(at);
          next.push(...(left.get(at) ?? []));
        }
        return false;
      };
      for (const id of ids) t.false(reaches(id, id));
      // Each that was refused would have closed one.
      for (const [id] of problems)
        for (const other of rows[id] ?? [])
          if (!(left.get(id) ?? []).includes(other)) t.true(other === id || reaches(other, id));
    }),
    { numRuns: runs(1000) },
  );
});

/** Of a registry as it is after some changes. */
const changesOf = (rows: readonly FallbackRow[], gone: readonly string[]): Map<string, FallbackRow | null> =>
  new Map([...gone.map((id) => [id, null] as const), ...rows.map((row) => [row.id, row] as const)]);

test('FALLBACKS-4: whatever changes, the graph is what a computation of all rows gives', (t) => {
  const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
  const row = fc.record({
    id: fc.constantFrom(...ids),
    type: fc.constantFrom('pre', 'pre', 'pre', 'post'),
    fallback: fc.uniqueArray(fc.constantFrom(...ids), { maxLength: 3 }),
  });
  const update = fc.record({
    rows: fc.uniqueArray(row, { selector: ({ id }) => id, maxLength: 3 }),
    gone: fc.uniqueArray(fc.constantFrom(...ids), { maxLength: 2 }),
  });
  fc.assert(
    fc.property(fc.array(update, { maxLength: 12 }), (updates) => {
      const graph = new FallbackGraph();
      const rows = new Map<string, FallbackRow>();
      const reported = new Map<string, readonly string[]>();
      let whole: ReadonlyMap<string, readonly string[]> = new Map();
      for (const { rows: changed, gone } of updates) {
        for (const id of gone) rows.delete(id);
        for (const one of changed) rows.set(one.id, one);
        const problems = done(graph.changing(changesOf(changed, gone), (id) => rows.get(id)?.type));
        for (const [id, found] of problems)
          if (found.length === 0) reported.delete(id);
          else reported.set(id, found);
        const expected = fallbacksInForce(rows.values(), whole);
        whole = expected.inForce;
        for (const id of ids) t.deepEqual(graph.of(id), whole.get(id) ?? []);
        // A circle may be told by another way round.
        const shape = (all: ReadonlyMap<string, readonly string[]>) =>
          [...all].map(([id, found]) => [id, found.map((one) => one.replace(/circle: .*/, 'circle'))]).sort();
        t.deepEqual(shape(reported), shape(expected.problems));
      }
    }),
    { numRuns: runs(3000) },
  );
});

test('FALLBACKS-4: what a change costs does not depend on the extensions that it does not concern', (t) => {
  const stepsOf = (others: number): number => {
    const graph = new FallbackGraph();
    const all = Array.from({ length: others }, (_, i) => ({ id: `e${i}`, type: 'pre', fallback: [`e${i + 1}`] }));
    done(graph.changing(changesOf(all, []), () => 'pre'));
    const steps = graph.changing(changesOf([{ id: 'new', type: 'pre', fallback: ['far'] }], ['e5']), () => 'pre');
    let count = 0;
    while (steps.next().done !== true) count++;
    return count;
  };
  t.is(stepsOf(5000), stepsOf(50));
});
