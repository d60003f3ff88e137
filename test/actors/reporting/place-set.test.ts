// The set of places of place-set.ts, compared with a plain one.
import test from 'ava';
import fc from 'fast-check';
import { PlaceSet } from '../../../src/actors/reporting/place-set.js';

test('place set: as a plain set, whatever is added, deleted and taken', (t) => {
  const step = fc.record({ what: fc.constantFrom('add', 'add', 'delete', 'take'), place: fc.nat(3000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const places = new PlaceSet();
      const plain = new Set<number>();
      for (const { what, place } of steps) {
        if (what === 'add') {
          places.add(place);
          plain.add(place);
        } else if (what === 'delete') t.is(places.delete(place), plain.delete(place));
        else {
          const taken = places.take();
          t.is(taken === -1, plain.size === 0);
          if (taken !== -1) t.true(plain.delete(taken));
        }
        t.is(places.size, plain.size);
      }
    }),
  );
});

test('place set: each place gets its turn while others are added again', (t) => {
  const places = new PlaceSet();
  for (let place = 0; place < 1000; place++) places.add(place);
  const met = new Set<number>();
  for (let i = 0; i < 2000; i++) {
    const place = places.take();
    met.add(place);
    places.add(place % 40);
  }
  t.is(met.size, 1000);
  t.true(places.byteLength <= 256);
});
