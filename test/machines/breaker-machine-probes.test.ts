// BREAKER-MACHINE-3 of breaker-machine.ts: probes and their leases, and what closes a half-open breaker.
import test from 'ava';
import { LEASE_MS, MachineWorld } from '../helpers/machine-world.js';

test('BREAKER-MACHINE-3: it closes at the success that makes the number, not before, and starts with an empty window', (t) => {
  const world = new MachineWorld({ half_open_successes: 3 }).halfOpen();
  for (let i = 0; i < 2; i++) world.send('probe.started').endProbe('succeeded');
  t.is(world.state, 'halfOpen.waiting');
  world.send('probe.started').endProbe('succeeded');
  t.is(world.state, 'closed.recovering');
  t.is(world.window.outcomes(world.clock.now()), 0);
});

test('BREAKER-MACHINE-3: probes side by side count like probes one after the other', (t) => {
  const world = new MachineWorld({ half_open_successes: 3 }).halfOpen();
  world.send('probe.started').send('probe.started').send('probe.started');
  world.endProbe('succeeded').endProbe('succeeded');
  t.is(world.state, 'halfOpen.probing');
  t.is(world.context.probes.length, 1);
  world.endProbe('succeeded');
  t.is(world.state, 'closed.recovering');
});

test('BREAKER-MACHINE-3: one success closes where one is enough', (t) => {
  t.is(new MachineWorld({ half_open_successes: 1 }).recover().state, 'closed.recovering');
});

test('BREAKER-MACHINE-3, FM 14: successes of an earlier half-open do not count in the next', (t) => {
  const world = new MachineWorld().halfOpen();
  world.send('probe.started').endProbe('succeeded').send('probe.started').endProbe('failed');
  world.clock.advance(120_000);
  world.send('probe.started').endProbe('succeeded');
  t.is(world.state, 'halfOpen.waiting');
});

test('BREAKER-MACHINE-3: a success that makes the number closes although another probe is still out', (t) => {
  const world = new MachineWorld().halfOpen().send('probe.started').send('probe.started').send('probe.started');
  world.endProbe('succeeded').endProbe('succeeded');
  t.is(world.state, 'closed.recovering');
  t.deepEqual(world.context.probes, []);
  world.clock.advance(LEASE_MS * 2);
  t.is(world.state, 'closed', 'its lease went with the state');
});

test('BREAKER-MACHINE-3, FM 3: a probe that never settles re-opens when its lease is over, and the next one is offered', (t) => {
  const world = new MachineWorld().halfOpen().send('probe.started');
  world.clock.advance(LEASE_MS - 1);
  t.is(world.state, 'halfOpen.probing');
  world.clock.advance(1);
  t.is(world.state, 'open');
  t.is(world.context.openUntilMs - world.clock.now(), 120_000);
  world.clock.advance(120_000);
  t.is(world.state, 'halfOpen.waiting');
});

test('BREAKER-MACHINE-3: the lease is that of the oldest probe that is out', (t) => {
  const world = new MachineWorld({ half_open_successes: 9 }).halfOpen();
  const first = world.clock.now();
  world.send('probe.started');
  world.clock.advance(1000);
  const second = world.clock.now();
  world.send('probe.started');
  world.clock.advance(1000);
  world.send('probe.started');
  world.endProbe('succeeded', first);
  world.clock.advance(LEASE_MS - 1001);
  t.is(world.state, 'halfOpen.probing', 'the first would be over by now');
  world.endProbe('released', second);
  world.clock.advance(1000);
  t.is(world.state, 'halfOpen.probing', 'the second would be over by now');
  t.is(world.context.probes.length, 1);
  world.clock.advance(1);
  t.is(world.state, 'open');
});

test('BREAKER-MACHINE-3: where a younger probe ends, the lease of the oldest goes on from when that one started', (t) => {
  const world = new MachineWorld({ half_open_successes: 9 }).halfOpen();
  for (let i = 0; i < 3; i++) {
    world.send('probe.started');
    world.clock.advance(1000);
  }
  world.endProbe('succeeded', world.context.probes[1]);
  t.is(world.context.probes.length, 2);
  world.clock.advance(LEASE_MS - 3001);
  t.is(world.state, 'halfOpen.probing');
  world.clock.advance(1);
  t.is(world.state, 'open');
});

test('BREAKER-MACHINE-3: a probe that ends is the one that is named, whatever the order', (t) => {
  const world = new MachineWorld({ half_open_successes: 9 }).halfOpen();
  const first = world.clock.now();
  world.send('probe.started');
  world.clock.advance(1000);
  world.send('probe.started').endProbe('succeeded', world.clock.now());
  t.deepEqual(world.context.probes, [first]);
  world.clock.advance(LEASE_MS - 1000);
  t.is(world.state, 'open');
});

test('BREAKER-MACHINE-3, FM 8: with no probe out it stays half-open as long as nobody comes, and closes with the first that do', (t) => {
  const world = new MachineWorld().halfOpen();
  t.is(world.clock.armed, 0);
  world.clock.advance(86_400_000);
  t.is(world.state, 'halfOpen.waiting');
  world.send('probe.started').endProbe('released');
  world.clock.advance(86_400_000);
  t.is(world.state, 'halfOpen.waiting');
  world.send('probe.started').endProbe('succeeded').send('probe.started').endProbe('succeeded');
  t.is(world.state, 'closed.recovering');
});

test('BREAKER-MACHINE-3: a lease that is shortened applies to the next probe', (t) => {
  const world = new MachineWorld().halfOpen().change({}, 100).send('probe.started');
  world.clock.advance(99);
  t.is(world.state, 'halfOpen.probing');
  world.clock.advance(1);
  t.is(world.state, 'open');
});

test('BREAKER-MACHINE-3: fewer successes asked for while some are in close with the next', (t) => {
  const world = new MachineWorld({ half_open_successes: 9 }).halfOpen();
  for (let i = 0; i < 4; i++) world.send('probe.started').endProbe('succeeded');
  world.change({ half_open_successes: 2 });
  t.is(world.state, 'halfOpen.waiting');
  world.send('probe.started').endProbe('succeeded');
  t.is(world.state, 'closed.recovering');
});
