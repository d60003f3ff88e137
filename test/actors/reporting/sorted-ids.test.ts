import test from 'ava';
import fc from 'fast-check';
import { SortedIds } from '../../../src/actors/reporting/sorted-ids.js';

test('ids are in order of code units, each once, however they come and go', (t) => {
  const change = fc.record({ id: fc.string({ maxLength: 2 }), isAdded: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const ids = new SortedIds();
      const model = new Set<string>();
      for (const { id, isAdded } of changes) {
        if (isAdded) ids.add(id);
        else ids.remove(id);
        if (isAdded) model.add(id);
        else model.delete(id);
      }
      t.deepEqual(ids.all, [...model].sort());
    }),
  );
});
