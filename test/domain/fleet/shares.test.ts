import test from 'ava';
import fc from 'fast-check';
import { FleetSize, shareOf } from '../../../src/domain/fleet/shares.js';
import { type Candidate, candidateOf, stewardOf } from '../../../src/domain/fleet/stewards.js';
import { hashOf } from '../../../src/domain/routing/rendezvous.js';
import { runs } from '../../helpers/depth.js';
import { incarnationOf } from './heartbeats.js';

test('SHARES-1: the shares add up to the whole, or to at most one less than there are replicas above it', (t) => {
  const property = fc.property(fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 1, max: 256 }), (whole, r) => {
    const sum = shareOf(whole, r) * r;
    return sum >= whole && sum <= whole + r - 1 && (whole === 0 || shareOf(whole, r) >= 1);
  });
  t.notThrows(() => fc.assert(property, { numRuns: runs(800) }));
  t.is(shareOf(10, 1), 10);
  t.is(shareOf(10, 3), 4);
});

test('SHARES-2: without NATS the number known is kept for a minute, and with it until all had time to be heard', (t) => {
  const size = new FleetSize();
  t.is(size.update(5, true, 3500, 0), 5);
  t.is(size.update(4, true, 3500, 1000), 4, 'one has left');
  t.is(size.update(1, false, 3500, 2000), 4);
  t.is(size.update(1, false, 3500, 61_999), 4);
  t.is(size.update(1, false, 3500, 62_000), 1, 'for no longer than a minute');
  size.update(5, true, 3500, 70_000);
  t.is(size.update(1, false, 3500, 71_000), 5);
  t.is(size.update(1, true, 3500, 80_000), 5, 'it returned, and nobody was heard yet');
  t.is(size.update(2, true, 3500, 81_000), 5);
  t.is(size.update(2, true, 3500, 83_500), 2);
});

test('SHARES-2: the number is at least as many as are heard, and never more than were', (t) => {
  const step = fc.record({ counted: fc.integer({ min: 1, max: 9 }), isHearing: fc.boolean(), ms: fc.nat(20_000) });
  const property = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const size = new FleetSize();
    let nowMs = 0;
    let most = 1;
    for (const { counted, isHearing, ms } of steps) {
      nowMs += ms;
      most = Math.max(most, counted);
      const replicas = size.update(counted, isHearing, 3500, nowMs);
      if (replicas < counted || replicas > most || replicas !== size.replicas) return false;
    }
    return true;
  });
  t.notThrows(() => fc.assert(property, { numRuns: runs(500) }));
});

const candidates = fc
  .uniqueArray(fc.nat(500), { minLength: 1, maxLength: 12 })
  .map((numbers) => numbers.map((n): Candidate => candidateOf(`replica-${n}`, incarnationOf(n))));

test('STEWARDS-1: one replica has each key, the same one in whatever order they are known', (t) => {
  const property = fc.property(candidates, fc.string(), (list, key) => {
    const steward = stewardOf(hashOf(key), list);
    return steward !== null && steward === stewardOf(hashOf(key), [...list].reverse());
  });
  t.notThrows(() => fc.assert(property, { numRuns: runs(500) }));
  const [low, high] = [candidateOf('same', incarnationOf(1)), candidateOf('same', incarnationOf(2))];
  t.is(stewardOf(7, [low, high]), low);
  t.is(stewardOf(7, [high, low]), low);
  t.is(stewardOf(7, []), null);
});

test('STEWARDS-2: a key moves only to a replica that came or from one that left', (t) => {
  const property = fc.property(candidates, fc.string(), (list, key) => {
    const before = stewardOf(hashOf(key), list);
    const newcomer = candidateOf('newcomer', incarnationOf(999));
    const after = stewardOf(hashOf(key), [...list, newcomer]);
    const without = stewardOf(hashOf(key), list.slice(1));
    return (after === before || after === newcomer) && (before === list[0] || without === before);
  });
  t.notThrows(() => fc.assert(property, { numRuns: runs(500) }));
  const three = ['a', 'b', 'c'].map((id, i) => candidateOf(id, incarnationOf(i)));
  const counts = three.map(
    (one) =>
      Array.from({ length: 3000 }, (_, i) => stewardOf(hashOf(`key-${i}`), three)).filter((s) => s === one).length,
  );
  for (const count of counts) t.true(count > 850 && count < 1150, `${counts}`);
});
