import test from 'ava';
import fc from 'fast-check';
import { DueSet } from '../../src/domain/due-set.js';
import { runs } from '../helpers/depth.js';

const takeAll = (set: DueSet<string>, nowMs: number): string[] => {
  const all: string[] = [];
  for (let one = set.take(nowMs); one !== undefined; one = set.take(nowMs)) all.push(one);
  return all;
};

test('DUE-SET-2: an item is taken once it is due, not before, and once', (t) => {
  const set = new DueSet<string>();
  set.add('a', 1500);
  t.deepEqual(takeAll(set, 1999), []);
  t.deepEqual(takeAll(set, 2000), ['a']);
  t.deepEqual(takeAll(set, 9000), []);
  t.is(set.size, 0);
});

test('DUE-SET-2: the earliest of its times counts, and one that is deleted is not due', (t) => {
  const set = new DueSet<string>();
  set.add('a', 5000);
  set.add('a', 3000);
  set.add('a', 9000);
  set.add('b', 3000);
  set.delete('b');
  set.delete('never added');
  t.deepEqual(takeAll(set, 2000), []);
  t.deepEqual(takeAll(set, 3000), ['a']);
  t.deepEqual(takeAll(set, 10_000), []);
});

test('DUE-SET-2: whatever is added, deleted and taken, it holds what a list would', (t) => {
  const second = fc.integer({ min: 0, max: 12 });
  const step = fc.oneof(
    fc.record({ add: fc.constantFrom('a', 'b', 'c', 'd'), at: second }),
    fc.record({ delete: fc.constantFrom('a', 'b', 'c', 'd') }),
    fc.record({ takeAt: second }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const set = new DueSet<string>();
      const model = new Map<string, number>();
      for (const one of steps)
        if ('add' in one) {
          set.add(one.add, one.at * 1000 - 1);
          model.set(one.add, Math.min(model.get(one.add) ?? Number.POSITIVE_INFINITY, one.at));
        } else if ('delete' in one) {
          set.delete(one.delete);
          model.delete(one.delete);
        } else {
          const due = [...model].filter(([, at]) => at <= one.takeAt).map(([name]) => name);
          for (const name of due) model.delete(name);
          t.deepEqual(takeAll(set, one.takeAt * 1000).sort(), due.sort());
        }
      t.is(set.size, model.size);
    }),
    { numRuns: runs(1000) },
  );
});
