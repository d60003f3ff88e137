import test from 'ava';
import { AuditTrail } from '../../../src/actors/events/audit-trail.js';
import type { AuditFact } from '../../../src/actors/ports/storage.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { settle } from '../../helpers/actor-world.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';
import { recordingLogger } from '../../nats/wire-rig.js';

const fact = (n: number): AuditFact => ({
  id: `fact-${n}`,
  extension_id: `e${n}`,
  action: 'circuit_opened',
  new_values: {},
  changed_by: 'system:breaker',
  reason: null,
  at_ms: n,
});

test('AUDIT-TRAIL-1: facts are written in order and once, also those added while a write is under way', async (t) => {
  const written: number[] = [];
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const trail = new AuditTrail(
    async (facts) => {
      await gate;
      written.push(...facts.map((f) => f.at_ms));
    },
    silentLogger,
    () => 'id',
    new SimulatedClock(),
  );
  for (let n = 0; n < 3; n++) trail.add(fact(n));
  await settle();
  for (let n = 3; n < 6; n++) trail.add(fact(n));
  release();
  await settle();
  t.deepEqual(written, [0, 1, 2, 3, 4, 5]);
  t.is(trail.pending, 0);
});

test('while the database is away at most 10 000 facts wait; beyond that the oldest are dropped and counted', async (t) => {
  let isAway = true;
  const written: number[] = [];
  const trail = new AuditTrail(
    async (facts) => {
      if (isAway) throw new Error('connect ECONNREFUSED');
      written.push(...facts.map((f) => f.at_ms));
    },
    silentLogger,
    () => 'id',
    new SimulatedClock(),
  );
  for (let n = 0; n < 10_003; n++) trail.add(fact(n));
  await settle();
  t.is(trail.pending, 10_000);
  t.is(trail.dropped, 3);
  isAway = false;
  await trail.flush();
  t.is(written.length, 10_000);
  t.is(written[0], 3);
});

test('while the database is away the log has one line in ten seconds, with how many were left out', async (t) => {
  const clock = new SimulatedClock();
  const { log, lines } = recordingLogger();
  const away = async () => {
    throw new Error('connect ECONNREFUSED');
  };
  const trail = new AuditTrail(away, log, () => 'id', clock);
  trail.add(fact(1));
  for (let second = 0; second < 10; second++) {
    await trail.flush();
    clock.advance(1000);
  }
  await trail.flush();
  t.deepEqual(
    lines.map(({ event, owed, suppressed }) => [event, owed, suppressed]),
    [
      ['audit_write_delayed', 1, 0],
      ['audit_write_delayed', 1, 9],
    ],
  );
});
