// recency-list.ts beside an ordered set.
import test from 'ava';
import fc from 'fast-check';
import { RecencyList, type Recent } from '../../src/domain/recency-list.js';

interface Item extends Recent<Item> {
  readonly name: number;
}

test('recency list: as a set whose used items are put to its end, whatever is used and deleted', (t) => {
  const change = fc.record({ isUse: fc.boolean(), name: fc.nat(5) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const items = Array.from({ length: 6 }, (_, name): Item => ({ name, older: null, newer: null, isListed: false }));
      const list = new RecencyList<Item>();
      const set = new Set<number>();
      for (const { isUse, name } of changes) {
        set.delete(name);
        if (isUse) {
          set.add(name);
          list.use(items[name] as Item);
        } else list.delete(items[name] as Item);
        const order: number[] = [];
        for (let item = list.oldest; item !== null; item = item.newer) order.push(item.name);
        t.deepEqual(order, [...set]);
        t.is(list.size, set.size);
      }
    }),
  );
});
