// Ids in order, while they come and go.
import test from 'ava';
import fc from 'fast-check';
import { SortedIds } from '../../../src/actors/reporting/sorted-ids.js';

test('SORTED-IDS-1: each id that stays comes once and in order, whatever comes and goes between two of them', (t) => {
  const id = fc.constantFrom(...'abcdefghij');
  fc.assert(
    fc.property(
      fc.uniqueArray(id),
      fc.array(fc.tuple(fc.nat(12), fc.constantFrom('add', 'remove'), id), { maxLength: 20 }),
      fc.option(id),
      fc.constantFrom(2, 3, undefined),
      (first, changes, after, maxBlock) => {
        const ids = new SortedIds(maxBlock);
        for (const one of first) ids.add(one);
        const stays = new Set(first.filter((one) => changes.every(([, , changed]) => changed !== one)));
        const seen: string[] = [];
        let step = 0;
        for (const one of ids.each(after)) {
          seen.push(one);
          for (const [at, what, changed] of changes) if (at === step) ids[what](changed);
          step++;
          if (step > 100) return false;
        }
        const behind = [...stays].filter((one) => after === null || one > after).sort();
        return (
          seen.every((one, i) => i === 0 || (seen[i - 1] as string) < one) &&
          behind.every((one) => seen.filter((other) => other === one).length === 1)
        );
      },
    ),
  );
  t.pass();
});

test('SORTED-IDS-1: it holds what a sorted list would', (t) => {
  const id = fc.constantFrom(...'abcdefghijklmnop');
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('add', 'remove'), id), { maxLength: 60 }), (changes) => {
      const ids = new SortedIds(3);
      const model = new Set<string>();
      for (const [what, one] of changes) {
        ids[what](one);
        if (what === 'add') model.add(one);
        else model.delete(one);
        t.deepEqual([...ids.each()], [...model].sort());
        t.is(ids.size, model.size);
      }
    }),
  );
});
