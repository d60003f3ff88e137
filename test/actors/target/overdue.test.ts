// Attempts that are out for too long: seen before their timeouts, counted once, taken back where they answer after all.
import test from 'ava';
import { reasonOf } from '../../helpers/actor-world.js';
import { extensionRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';
import { FAILS, HANGS, okShare, Traffic, WORKS } from '../../helpers/traffic.js';

function extension(changes = {}): Traffic {
  const world = new Traffic();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { timeout_ms: 30_000, ...changes }))));
  return world;
}

const health = (world: Traffic) => world.core.view.one('a')?.health;
const target = (world: Traffic) => world.core.supervisor.runtimes.get('a')?.defaultService?.target;

test('FM 24, OVERDUE-1: an extension that hangs opens the breaker seconds before its timeouts', async (t) => {
  const world = extension();
  await world.come('a', 30, 20);
  world.behaviour.set('ext.a', HANGS);
  await world.come('a', 4, 20);
  t.is(health(world)?.circuit_breaker_state, 'open');
  t.is(health(world)?.trip_reason, 'failure_count');
  const [opened] = world.events.filter((event) => event.event === 'circuit_opened');
  t.is(opened?.evidence?.failures, 0, 'no attempt has failed yet');
  t.true((opened?.evidence?.overdue ?? 0) >= 5);
  t.is(opened?.evidence?.outcomes, 600);
  t.is(health(world)?.trip_evidence?.overdue, opened?.evidence?.overdue);
  t.is(world.audits.find((fact) => fact.action === 'circuit_opened')?.reason, 'failure_count');
  t.is(health(world)?.failure_count, 0, 'TRIP-5: they are not recorded');
});

test('OVERDUE-1: what was overdue and times out later is recorded once, for health alone', async (t) => {
  const world = extension();
  await world.come('a', 30, 20);
  world.behaviour.set('ext.a', HANGS);
  await world.come('a', 4, 20);
  const out = target(world)?.inFlight ?? 0;
  t.true(out > 0);
  await world.pass(30_000);
  t.is(target(world)?.inFlight, 0);
  t.is(health(world)?.failure_count, out);
  t.is(world.kinds().filter((kind) => kind === 'circuit_opened').length, 1);
});

test('OVERDUE-1: an attempt that answers after all is overdue no more, and nothing counts twice', async (t) => {
  const world = extension({ policy: { breaker: { failure_threshold: 50 } } });
  await world.come('a', 30, 20);
  world.behaviour.set('ext.a', { ends: 0, afterMs: 3000 });
  await world.come('a', 5, 2);
  world.behaviour.set('ext.a', WORKS);
  await world.come('a', 5, 20);
  t.is(health(world)?.circuit_breaker_state, 'closed');
  t.is(health(world)?.success_count, 600 + 10 + 100);
  t.is(health(world)?.failure_count, 0);
  // Everything is back: a single failure is one failure of many outcomes.
  world.behaviour.set('ext.a', FAILS);
  await world.come('a', 1, 4);
  t.is(health(world)?.circuit_breaker_state, 'closed');
});

test('OVERDUE-2: without twenty samples nothing is overdue', async (t) => {
  const world = extension();
  await world.come('a', 19, 1);
  world.behaviour.set('ext.a', HANGS);
  await world.come('a', 10, 10);
  t.is(health(world)?.circuit_breaker_state, 'closed');
});

test('OVERDUE-2: a pause of less than a second is no hang, however fast it is else', async (t) => {
  const world = extension();
  await world.come('a', 30, 20);
  world.behaviour.set('ext.a', { ends: 0, afterMs: 950 });
  await world.come('a', 5, 100);
  t.is(health(world)?.circuit_breaker_state, 'closed');
  t.false(world.kinds().includes('high_failure_count'));
});

test('OVERDUE-2: a slow extension has more time: twice its p99', async (t) => {
  const world = extension();
  world.behaviour.set('ext.a', { ends: 0, afterMs: 2000 });
  await world.come('a', 60, 5);
  t.is(health(world)?.circuit_breaker_state, 'closed');
  world.behaviour.set('ext.a', HANGS);
  await world.come('a', 4, 5);
  t.is(health(world)?.circuit_breaker_state, 'closed', 'its answers take two seconds');
  await world.come('a', 4, 5);
  t.is(health(world)?.circuit_breaker_state, 'open');
});

test('OVERDUE-2: where that reaches the timeout, the timeout decides', async (t) => {
  const world = extension({ timeout_ms: 1000 });
  await world.come('a', 30, 20);
  world.behaviour.set('ext.a', HANGS);
  await world.come('a', 3, 20);
  const [opened] = world.events.filter((event) => event.event === 'circuit_opened');
  t.is(opened?.evidence?.overdue, 0);
  t.true((opened?.evidence?.failures ?? 0) >= 5);
});

test('FM 31, OVERDUE-3: what was out while NATS stood still is not overdue until it has had its time from then on', async (t) => {
  const world = extension();
  await world.come('a', 30, 20);
  world.behaviour.set('ext.a', HANGS);
  for (let i = 0; i < 40; i++) world.call('a');
  world.isNatsStalled = true;
  await world.pass(5000);
  world.isNatsStalled = false;
  world.stalledUntilMs = world.clock.now();
  for (const then of world.roundTrips.splice(0)) then(world.stalledUntilMs);
  t.is(health(world)?.circuit_breaker_state, 'closed', 'right after it');
  await world.pass(1000);
  t.is(health(world)?.circuit_breaker_state, 'closed', 'within their time');
  await world.pass(1000);
  t.is(health(world)?.trip_evidence?.overdue, 40, 'they do hang');
});

test('FM 22: attempts in flight do not dilute the rate', async (t) => {
  const world = extension({ policy: { breaker: { failure_threshold: 1000 } } });
  world.behaviour.set('ext.a', { ends: 0, afterMs: 900 });
  for (let i = 0; i < 30; i++) world.call('a');
  world.behaviour.set('ext.a', FAILS);
  await world.come('a', 1, 25);
  t.is(health(world)?.circuit_breaker_state, 'open', '25 of 25 failed while 30 were out');
});

test('TRIP-5: by the rule of failures in a row, overdue attempts after the last success count', async (t) => {
  const world = extension({ policy: { breaker: { failure_rule: 'consecutive', error_rate_threshold: 1 } } });
  await world.come('a', 30, 20);
  world.behaviour.set('ext.a', HANGS);
  await world.come('a', 4, 5);
  t.is(health(world)?.trip_reason, 'consecutive_failures');
});

test('TRIP-5: a few that hang among many that answer are no failures in a row', async (t) => {
  const world = extension({ policy: { breaker: { failure_rule: 'consecutive' } } });
  await world.come('a', 30, 20);
  let n = 0;
  world.onSent = ((answer) => (attempt) => {
    if (++n % 10 !== 0) answer(attempt);
  })(world.onSent);
  await world.come('a', 20, 20);
  t.is(health(world)?.circuit_breaker_state, 'closed');
});

test('OVERDUE-1: a hang is told in high_failure_count too, where the floor holds it back', async (t) => {
  const world = extension();
  await world.come('a', 30, 100);
  world.behaviour.set('ext.a', HANGS);
  for (let i = 0; i < 20; i++) world.call('a');
  world.behaviour.set('ext.a', WORKS);
  await world.come('a', 3, 100);
  t.is(health(world)?.circuit_breaker_state, 'closed', '20 of 3300');
  t.true(world.kinds().includes('high_failure_count'));
});

test('OVERDUE-1: with circuit_breaker_enabled off, a hang is said and nothing opens', async (t) => {
  const world = extension({ policy: { breaker: { circuit_breaker_enabled: false } } });
  await world.come('a', 30, 20);
  world.behaviour.set('ext.a', HANGS);
  await world.come('a', 4, 20);
  t.is(health(world)?.circuit_breaker_state, 'closed');
  t.true(world.kinds().includes('circuit_would_open'));
});

// Slow start

const recovering = async (concurrency: number, changes = {}): Promise<Traffic> => {
  const world = extension({ timeout_ms: 5000, ...changes });
  world.behaviour.set('ext.a', { ends: 500, afterMs: 100 });
  for (let i = 0; i < concurrency; i++) world.call('a');
  await world.pass(200);
  world.behaviour.set('ext.a', WORKS);
  await world.pass(60_000);
  for (let i = 0; i < 2; i++) {
    world.call('a');
    await world.pass(50);
  }
  return world;
};

test('FM 9, G3: a herd that comes as it closes is let in as it succeeds, and refused as recovering beyond', async (t) => {
  const world = await recovering(40);
  t.true(health(world)?.recovering);
  t.is(health(world)?.circuit_breaker_state, 'closed');
  world.behaviour.set('ext.a', { ends: 0, afterMs: 100 });
  const herd = Array.from({ length: 50 }, () => world.call('a'));
  t.is(herd.filter((call) => call.answers.length === 0).length, 3, 'half_open_max_requests');
  t.deepEqual([...new Set(herd.slice(3).map(reasonOf))], ['recovering']);
  t.like(herd[10]?.answers[0], { retryAfterMs: 5000 });
  await world.pass(100);
  const next = Array.from({ length: 50 }, () => world.call('a'));
  t.is(next.filter((call) => call.answers.length === 0).length, 6, 'one more for each success');
});

test('TARGET-3: it is over once as many are let in as were in flight before it opened', async (t) => {
  const world = await recovering(10);
  t.true(health(world)?.recovering);
  await world.come('a', 1, 10);
  t.false(health(world)?.recovering);
  t.true(world.clock.now() < 66_000, 'before its time is over');
  world.behaviour.set('ext.a', { ends: 0, afterMs: 100 });
  const herd = Array.from({ length: 50 }, () => world.call('a'));
  t.true(herd.every((call) => call.answers.length === 0));
});

test('TARGET-3: its time over, everybody is let in, timer or not', async (t) => {
  const world = await recovering(1000);
  world.clock.stall(5001);
  world.behaviour.set('ext.a', { ends: 0, afterMs: 100 });
  const herd = Array.from({ length: 50 }, () => world.call('a'));
  t.true(herd.every((call) => call.answers.length === 0));
});

test('TARGET-3: a trip in an unfinished slow start keeps what there was before it as the goal', async (t) => {
  const world = await recovering(40);
  world.behaviour.set('ext.a', FAILS);
  for (let i = 0; i < 5; i++) {
    world.call('a');
    await world.pass(50);
  }
  t.is(health(world)?.circuit_breaker_state, 'open');
  world.behaviour.set('ext.a', WORKS);
  await world.pass(120_000);
  for (let i = 0; i < 2; i++) {
    world.call('a');
    await world.pass(50);
  }
  t.true(health(world)?.recovering);
  world.behaviour.set('ext.a', { ends: 0, afterMs: 100 });
  const herd = Array.from({ length: 50 }, () => world.call('a'));
  t.is(herd.filter((call) => call.answers.length === 0).length, 3);
});

test('TARGET-3: of a fleet, each replica begins its slow start with its share of half_open_max_requests', async (t) => {
  const world = await recovering(40);
  world.behaviour.set('ext.a', FAILS);
  for (let i = 0; i < 5; i++) {
    world.call('a');
    await world.pass(50);
  }
  world.behaviour.set('ext.a', WORKS);
  await world.pass(120_000);
  world.fleet.replicas = 2;
  for (let i = 0; i < 2; i++) {
    world.call('a');
    await world.pass(50);
  }
  t.true(health(world)?.recovering);
  world.behaviour.set('ext.a', { ends: 0, afterMs: 100 });
  const herd = Array.from({ length: 50 }, () => world.call('a'));
  t.is(herd.filter((call) => call.answers.length === 0).length, 2, 'half of 3');
});

test('TARGET-3: a sequential caller never notices, whatever there was before', async (t) => {
  for (const concurrency of [5, 1000]) {
    const world = await recovering(concurrency);
    t.is(okShare(await world.come('a', 10, 20)), 1);
    t.false(health(world)?.recovering);
  }
});

test('TARGET-3: a ramp of 0 lets the herd in', async (t) => {
  const world = await recovering(40, { policy: { breaker: { recovery_ramp_seconds: 0 } } });
  t.false(health(world)?.recovering);
  const herd = Array.from({ length: 50 }, () => world.call('a'));
  t.true(herd.every((call) => call.answers.length === 0));
});

test('TARGET-3: what is still out from before it opened takes no place', async (t) => {
  const world = extension({ timeout_ms: 600_000 });
  await world.come('a', 30, 20);
  world.behaviour.set('ext.a', HANGS);
  for (let i = 0; i < 100; i++) world.call('a');
  await world.pass(3000);
  t.is(health(world)?.circuit_breaker_state, 'open');
  world.behaviour.set('ext.a', WORKS);
  await world.pass(60_000);
  for (let i = 0; i < 2; i++) {
    world.call('a');
    await world.pass(50);
  }
  t.true(health(world)?.recovering);
  t.is(target(world)?.inFlight, 100);
  t.deepEqual(world.call('a').answers, []);
});

test('TARGET-3: refusals of the slow start count against nobody', async (t) => {
  const world = await recovering(100);
  world.behaviour.set('ext.a', { ends: 0, afterMs: 100 });
  const before = { ...target(world)?.counters };
  for (let i = 0; i < 500; i++) world.call('a');
  t.deepEqual({ ...target(world)?.counters }, before);
  await world.pass(200);
  t.is(health(world)?.circuit_breaker_state, 'closed');
});
