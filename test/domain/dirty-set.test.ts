import test from 'ava';
import fc from 'fast-check';
import { DirtySet, type Markable } from '../../src/domain/dirty-set.js';

interface Item extends Markable {
  readonly name: string;
}

const item = (name: string): Item => ({ name, dirtyFor: 0 });

test('DIRTY-SET-1: without a reader nothing is queued, and a new reader has nothing', (t) => {
  const set = new DirtySet<Item>();
  const a = item('a');
  set.mark(a);
  t.is(a.dirtyFor, 0);
  const reader = set.read();
  t.is(reader.size, 0);
  t.is(reader.take(), undefined);
});

test('DIRTY-SET-2: each reader takes what was marked, once, in order, and again when it is marked again', (t) => {
  const set = new DirtySet<Item>();
  const [a, b, c] = [item('a'), item('b'), item('c')];
  const [first, second] = [set.read(), set.read()];
  for (const one of [a, b, a, c]) set.mark(one);
  t.is(first.take(), a);
  set.mark(a);
  t.is(first.size, 3);
  t.deepEqual([first.take(), first.take(), first.take(), first.take()], [b, c, a, undefined]);
  t.deepEqual([second.take(), second.take(), second.take(), second.take()], [a, b, c, undefined]);
});

test('DIRTY-SET-2: a reader that takes the place of a closed one gets nothing of its', (t) => {
  const set = new DirtySet<Item>();
  const a = item('a');
  const first = set.read();
  set.mark(a);
  first.close();
  t.is(a.dirtyFor, 0);
  const second = set.read();
  t.is(second.size, 0);
  set.mark(a);
  t.is(second.take(), a);
});

test('a dirty set has room for 31 readers, and for another when one is closed', (t) => {
  const set = new DirtySet<Item>();
  const readers = Array.from({ length: 31 }, () => set.read());
  t.throws(() => set.read(), { instanceOf: RangeError, message: /at most 31/ });
  readers[30]?.close();
  const last = set.read();
  const a = item('a');
  set.mark(a);
  t.is(last.take(), a);
  t.true([...readers.slice(0, 30)].every((reader) => reader.take() === a));
  t.is(a.dirtyFor, 0);
});

type Step = { readonly mark: number } | { readonly take: number };

test('DIRTY-SET-2: as a model of one queue for each reader', (t) => {
  const step: fc.Arbitrary<Step> = fc.oneof(fc.record({ mark: fc.nat(5) }), fc.record({ take: fc.nat(2) }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const set = new DirtySet<Item>();
      const items = Array.from({ length: 6 }, (_, i) => item(`${i}`));
      const readers = Array.from({ length: 3 }, () => set.read());
      const queues: Item[][] = [[], [], []];
      for (const one of steps)
        if ('mark' in one) {
          const marked = items[one.mark] as Item;
          set.mark(marked);
          for (const queue of queues) if (!queue.includes(marked)) queue.push(marked);
        } else t.is(readers[one.take]?.take(), queues[one.take]?.shift());
      t.deepEqual(
        readers.map((reader) => reader.size),
        queues.map((queue) => queue.length),
      );
    }),
  );
});
