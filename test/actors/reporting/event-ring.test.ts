// EVENT-RING-1, EVENT-RING-2 of event-ring.ts.
import test from 'ava';
import { EventRing } from '../../../src/actors/reporting/event-ring.js';
import type { RegistryEvent } from '../../../src/domain/registry/events.js';

const STARTED = '2026-01-01T00:00:00.000Z';
const event = (n: number, reason = ''): RegistryEvent => ({
  event: 'circuit_opened',
  extension_id: `e${n}`,
  at: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString(),
  actor: 'system:breaker',
  reason,
});

test('EVENT-RING-1: the newest are kept, by number, as they were published', (t) => {
  const ring = new EventRing(STARTED, { events: 100, bytes: 1e9 });
  t.like(ring, { first: 1, last: 0 });
  t.is(ring.get(1), undefined);
  for (let n = 1; n <= 5000; n++) {
    ring.add(event(n));
    t.is(ring.last, n);
    t.is(ring.first, Math.max(1, n - 99));
  }
  t.is(ring.get(4900), undefined);
  for (let n = 4901; n <= 5000; n++) t.is(ring.get(n)?.json, JSON.stringify(event(n)));
  t.is(ring.get(5001), undefined);
});

test('EVENT-RING-1: large events leave room for fewer', (t) => {
  const ring = new EventRing(STARTED, { events: 100, bytes: 10_000 });
  for (let n = 1; n <= 50; n++) ring.add(event(n, 'ä'.repeat(1000)));
  t.is(ring.last, 50);
  t.is(ring.first, 47);
});

test('EVENT-RING-2: how many are missing, and since when, is known', (t) => {
  const ring = new EventRing(STARTED, { events: 100, bytes: 1e9 });
  for (let n = 1; n <= 3500; n++) ring.add(event(n));
  t.is(ring.gapAfter(3400), null);
  t.deepEqual(ring.gapAfter(3399), { missed: 1, since: event(3000).at });
  t.deepEqual(ring.gapAfter(2000), { missed: 1400, since: event(2000).at });
  t.deepEqual(ring.gapAfter(10), { missed: 3390, since: STARTED });
});
