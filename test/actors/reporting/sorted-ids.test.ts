// Ids in order, while they come and go.
import test from 'ava';
import fc from 'fast-check';
import { SortedIds } from '../../../src/actors/reporting/sorted-ids.js';

test('sorted-ids: each id that stays comes once and in order, whatever comes and goes between two of them', (t) => {
  const id = fc.constantFrom(...'abcdefghij');
  fc.assert(
    fc.property(
      fc.uniqueArray(id),
      fc.array(fc.tuple(fc.nat(12), fc.constantFrom('add', 'remove'), id), { maxLength: 20 }),
      fc.option(id),
      (first, changes, after) => {
        const ids = new SortedIds();
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
