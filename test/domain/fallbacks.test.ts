import test from 'ava';
import fc from 'fast-check';
import { fallbacksInForce } from '../../src/domain/fallbacks.js';

type Registry = Readonly<Record<string, readonly string[]>>;

/** Changed in the order in which they are named, unless `revisions` says otherwise. */
const rowsOf = (registry: Registry, revisions: Readonly<Record<string, number>> = {}) =>
  Object.entries(registry).map(([id, fallback], i) => ({ id, type: 'pre', fallback, revision: revisions[id] ?? i }));

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
    `FB1: ${JSON.stringify(registry)} ${Object.values(refused).join() || 'goes in no circle'}`,
});
test(inForce, {}, {});
test(inForce, { a: [] }, {});
test(inForce, { a: ['b'] }, {});
test(inForce, { a: ['b'], b: ['c'], c: [] }, {});
test(inForce, { a: ['b', 'c'], b: ['d'], c: ['d'], d: ['e'], e: [] }, {});
test(inForce, { a: ['a'] }, { a: 'a -> a' });
test(inForce, { a: ['b'], b: ['a'] }, { b: 'b -> a -> b' });
test(inForce, { b: ['a'], a: ['b'] }, { a: 'a -> b -> a' });
test(inForce, { a: ['b'], b: ['x', 'c'], c: ['a'] }, { c: 'c -> a -> b -> c' });
test(inForce, { x: ['b'], b: ['c'], c: ['b', 'd'], d: [] }, { c: 'c -> b -> c' });

test('FB1: what is refused depends on the rows and not on their order', (t) => {
  const revisions = { a: 3, b: 1, c: 2 };
  const orders: Registry[] = [
    { a: ['b'], b: ['c'], c: ['a'] },
    { c: ['a'], a: ['b'], b: ['c'] },
    { b: ['c'], c: ['a'], a: ['b'] },
  ];
  for (const registry of orders) {
    const { problems } = fallbacksInForce(rowsOf(registry, revisions));
    t.deepEqual([...problems], [['a', ['policy.fallback goes in a circle: a -> b -> c -> a']]]);
  }
});

test('FB1: of rows that were changed together the later by name is refused', (t) => {
  const { inForce: left } = fallbacksInForce(rowsOf({ b: ['a'], a: ['b'] }, { a: 1, b: 1 }));
  t.deepEqual([...left], [['a', ['b']]]);
});

test('FB1: the others of the same row stay', (t) => {
  const { inForce: left } = fallbacksInForce(rowsOf({ a: ['b'], b: ['c', 'a', 'd'] }));
  t.deepEqual(left.get('b'), ['c', 'd']);
});

test('FB2: an extension of another type is told and kept, one that is not there may come', (t) => {
  const { inForce: left, problems } = fallbacksInForce([
    { id: 'a', type: 'pre', fallback: ['b', 'later'], revision: 1 },
    { id: 'b', type: 'post', fallback: [], revision: 1 },
  ]);
  t.deepEqual(left.get('a'), ['b', 'later']);
  t.deepEqual(problems.get('a'), ['policy.fallback must name extensions of type pre, b has post']);
});

test('FB3: a chain as long as the registry, and a registry that names much, are read in one pass', (t) => {
  const N = 20_000;
  const chain = Array.from({ length: N }, (_, i) => ({
    id: `e${i}`,
    type: 'pre',
    fallback: [`e${i + 1}`],
    revision: i,
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
    revision: i,
  }));
  fallbacksInForce(wide);
  t.true(looks <= 3000 * 30, `${looks} looks`);
});

test('FB1: whatever the rows say, what is in force goes in no circle, and is all that goes in none', (t) => {
  const ids = ['a', 'b', 'c', 'd', 'e'];
  const registry = fc.record(
    Object.fromEntries(ids.map((id) => [id, fc.uniqueArray(fc.constantFrom(...ids), { maxLength: 3 })])),
  ) as fc.Arbitrary<Registry>;
  fc.assert(
    fc.property(registry, (rows) => {
      const { inForce: left, problems } = fallbacksInForce(rowsOf(rows));
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
    { numRuns: 1000 },
  );
});
