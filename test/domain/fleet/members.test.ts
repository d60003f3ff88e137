import test from 'ava';
import fc from 'fast-check';
import type { Heartbeat } from '../../../src/domain/fleet/heartbeat.js';
import { LIVE_MS, Members } from '../../../src/domain/fleet/members.js';
import { runs } from '../../helpers/depth.js';
import { heartbeat, incarnationOf } from './heartbeats.js';

const OWN = incarnationOf(0);
const idsOf = (members: Members): string[] => members.live.map(({ said }) => said.id);

test('MEMBERS-1: a replica is live for 3.5 s after it was heard, and then forgotten', (t) => {
  const members = new Members(OWN);
  t.is(members.hear(heartbeat(), 1000), 'joined');
  t.deepEqual(members.expire(1000 + LIVE_MS), []);
  t.deepEqual(idsOf(members), ['a']);
  t.deepEqual(
    members.expire(1001 + LIVE_MS).map(({ said }) => said.id),
    ['a'],
  );
  t.deepEqual(idsOf(members), []);
  t.is(members.hear(heartbeat({ seq: 2 }), 9000), 'joined', 'it may be heard again');
});

test('MEMBERS-1: the time in which this process stood still is not held against the others', (t) => {
  const members = new Members(OWN);
  members.hear(heartbeat(), 1000);
  members.credit(30_000, 31_500);
  t.deepEqual(members.expire(31_000 + LIVE_MS), []);
  t.is(members.expire(31_001 + LIVE_MS).length, 1);
  members.hear(heartbeat({ seq: 2 }), 40_000);
  members.credit(30_000, 40_100);
  t.is(members.expire(40_101 + LIVE_MS).length, 1, 'nobody was heard in the future');
});

test('MEMBERS-2: one that leaves does not count from that moment, whatever arrives late', (t) => {
  const members = new Members(OWN);
  members.hear(heartbeat({ seq: 5 }), 0);
  t.is(members.hear(heartbeat({ seq: 7, draining: true }), 10), 'left');
  t.deepEqual(idsOf(members), []);
  t.is(members.hear(heartbeat({ seq: 6 }), 20), 'stale');
  t.is(members.hear(heartbeat({ seq: 8 }), 30), 'same');
  t.deepEqual(idsOf(members), []);
  t.is(members.all.length, 1, 'it is still listed');
  t.is(members.hear(heartbeat({ seq: 9, draining: true }), 40), 'same', 'it has left once');
  members.expire(41 + LIVE_MS);
  t.is(members.all.length, 0);
});

test('MEMBERS-3: loss, duplication and reordering leave the newest that was heard of each', (t) => {
  const message = fc.record({ inc: fc.nat(3), seq: fc.nat(20) });
  const property = fc.property(fc.array(message, { maxLength: 60 }), (messages) => {
    const members = new Members(OWN);
    const newest = new Map<string, number>();
    for (const [i, { inc, seq }] of messages.entries()) {
      const said = heartbeat({ inc: incarnationOf(inc), id: `r${inc}`, seq });
      const result = members.hear(said, i);
      const before = newest.get(said.inc);
      if (said.inc === OWN) {
        if (result !== 'own') return false;
        continue;
      }
      if ((result === 'stale') !== (before !== undefined && before >= seq)) return false;
      newest.set(said.inc, Math.max(before ?? 0, seq));
    }
    return members.all.length === newest.size && members.all.every(({ said }) => newest.get(said.inc) === said.seq);
  });
  t.notThrows(() => fc.assert(property, { numRuns: runs(500) }));
});

/** Whether `one` keeps its name when it has heard the other, which took `transitS` to arrive. */
function keeps(one: Heartbeat, other: Heartbeat, transitS: number): boolean {
  const members = new Members(one.inc);
  members.hear(other, 5000);
  return members.keeperOf(one.id, one.up_s + transitS, 5000) === null;
}

test('MEMBERS-4: of two with one name at most one keeps it, and the clearly older one does', (t) => {
  const seconds = fc.double({ min: 0, max: 10, noNaN: true });
  const transit = fc.double({ min: 0, max: 0.49, noNaN: true });
  const property = fc.property(seconds, seconds, transit, transit, fc.boolean(), (upA, upB, toA, toB, isFirst) => {
    const a = heartbeat({ inc: incarnationOf(isFirst ? 1 : 2), up_s: upA });
    const b = heartbeat({ inc: incarnationOf(isFirst ? 2 : 1), up_s: upB });
    const [keepsA, keepsB] = [keeps(a, b, toA), keeps(b, a, toB)];
    if (keepsA && keepsB) return false;
    return Math.abs(upA - upB) < 3 || (keepsA === upA > upB && keepsB === upB > upA);
  });
  t.notThrows(() => fc.assert(property, { numRuns: runs(800) }));
});

test('MEMBERS-4: how long ago it was heard does not change who is the older', (t) => {
  const members = new Members(incarnationOf(9));
  members.hear(heartbeat({ inc: incarnationOf(1), up_s: 10 }), 1000);
  t.is(members.keeperOf('a', 8.5 + 2, 3000)?.said.inc, incarnationOf(1), '10 s against 8.5 s');
  t.is(members.keeperOf('a', 14 + 2, 3000), null, '10 s against 14 s');
  t.is(members.keeperOf('b', 1, 3000), null, 'another name');
});

test('MEMBERS-5: a flood of incarnations fills 256 places', (t) => {
  const members = new Members(OWN);
  const heard = Array.from({ length: 1000 }, (_, i) => members.hear(heartbeat({ inc: incarnationOf(i + 1) }), i));
  t.is(heard.filter((result) => result === 'joined').length, 256);
  t.is(heard.filter((result) => result === 'full').length, 744);
  t.is(members.hear(heartbeat({ inc: incarnationOf(1), seq: 2 }), 1000), 'same');
  t.is(members.hear(heartbeat({ inc: incarnationOf(1), seq: 3, suspect: true }), 1000), 'updated');
});

test('members: all speak the lowest of the highest versions of the live; one that doubts itself is no candidate', (t) => {
  const members = new Members(OWN);
  t.is(members.commonProtocol(3), 3);
  members.hear(heartbeat({ proto: [1, 2] }), 0);
  members.hear(heartbeat({ id: 'b', inc: incarnationOf(2), proto: [1, 5], suspect: true }), 0);
  t.is(members.commonProtocol(3), 2);
  t.deepEqual(
    members.candidates.map(({ incarnation }) => incarnation),
    [incarnationOf(1)],
  );
  members.hear(heartbeat({ seq: 2, draining: true }), 0);
  t.is(members.commonProtocol(3), 3);
  t.deepEqual(members.candidates, []);
});
