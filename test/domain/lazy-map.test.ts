// LAZY-MAP-1 of lazy-map.ts: beside the language's map.
import test from 'ava';
import fc from 'fast-check';
import { LazyMap } from '../../src/domain/lazy-map.js';

const key = fc.constantFrom('a', 'b', 'c', '');
const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('set' as const), key, value: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('clear' as const) }) },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function apply(map: LazyMap<string, number> | Map<string, number>, one: Change): unknown {
  if (one.what === 'set') return map.set(one.key, one.value).size;
  if (one.what === 'delete') return map.delete(one.key);
  map.clear();
  return null;
}

test('LAZY-MAP-1: it says what a map says, after any changes', (t) => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
      const lazy = new LazyMap<string, number>();
      const map = new Map<string, number>();
      for (const one of changes) {
        t.is(apply(lazy, one), apply(map, one));
        t.deepEqual([...lazy], [...map]);
        t.deepEqual([...lazy.keys()], [...map.keys()]);
        t.deepEqual([...lazy.values()], [...map.values()]);
        t.is(lazy.size, map.size);
        for (const name of ['a', 'b', 'c', ''])
          t.deepEqual([lazy.has(name), lazy.get(name)], [map.has(name), map.get(name)]);
      }
    }),
  );
});

test('LAZY-MAP-1: who walks it meets what comes meanwhile, and each entry once', (t) => {
  for (const before of [[], ['x'], ['x', 'y']] as const) {
    const lazy = new LazyMap<string, number>();
    for (const name of before) lazy.set(name, 1);
    const met: string[] = [];
    for (const [name] of lazy) {
      met.push(name);
      if (name === 'x') lazy.set('z', 1).set('x', 2);
    }
    t.deepEqual(met, before.length === 0 ? [] : [...before, 'z']);
  }
  const one = new LazyMap<string, number>().set('x', 1);
  const met: string[] = [];
  for (const [name] of one) {
    met.push(name);
    if (name === 'x') {
      one.delete('x');
      one.set('y', 1);
    }
  }
  t.deepEqual(met, ['x', 'y']);
});
