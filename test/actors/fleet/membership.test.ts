import test from 'ava';
import { Membership } from '../../../src/actors/fleet/membership.js';
import { hashOf } from '../../../src/domain/routing/rendezvous.js';
import { heartbeat, incarnationOf } from '../../domain/fleet/heartbeats.js';
import { seeds } from '../../helpers/depth.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';
import { recordingLogger } from '../../nats/wire-rig.js';
import { Network, type Replica } from './network.js';

const stewardsOf = (replicas: readonly Replica[], key: string): string[] =>
  replicas.filter(({ membership }) => membership.isSteward(hashOf(key))).map(({ name }) => name);

test('MEMBERSHIP-1: one that greets knows the others within milliseconds, and they know it', (t) => {
  const network = new Network();
  const [a, b] = [network.start('a'), network.start('b')];
  network.clock.advance(5000);
  const c = network.start('c');
  network.clock.advance(110);
  for (const one of [a, b, c]) {
    t.deepEqual(one.live, ['a', 'b', 'c']);
    t.is(one.membership.replicas, 3);
    t.like(one.membership.answer(), { self: one.name, scope: 'private', reason: 'no_records' });
  }
  t.deepEqual(
    a.events('fleet_replica_joined').map(({ replica }) => replica),
    ['b', 'c'],
  );
});

test('MEMBERSHIP-1: a heartbeat each second; a flood of greetings is answered by one in 100 ms', (t) => {
  const network = new Network();
  const a = network.start('a');
  network.clock.advance(10_500);
  t.deepEqual(network.sentBy('a', 1), ['hello', ...Array(10).fill('hb')]);
  const fromMs = network.clock.now();
  for (let i = 0; i < 1000; i++) {
    a.membership.heard('hello', heartbeat({ id: `r${i % 300}`, inc: incarnationOf(1000 + i), seq: i }));
    network.clock.advance(1);
  }
  t.true(network.sentBy('a', fromMs).length <= 12, `${network.sentBy('a', fromMs).length} messages`);
  t.true(network.sentBy('a', fromMs).length >= 3);
  t.is(a.membership.dropped, 1000 - 256);
  t.is(a.events('fleet_full').length, 1);
});

test('MEMBERSHIP-2: one that nobody answers is alone after 300 ms, and not before', (t) => {
  const network = new Network();
  const a = network.start('a');
  t.like(a.membership.answer(), { scope: 'lone', reason: 'not_connected' });
  network.clock.advance(2);
  t.is(a.membership.reason, 'joining');
  network.clock.advance(298);
  t.is(a.membership.reason, 'joining');
  network.clock.advance(1);
  t.like(a.membership.answer(), { scope: 'lone', reason: 'no_peer', since: new Date(1_000_301).toISOString() });
  t.deepEqual(a.live, ['a']);
  t.is(a.membership.replicas, 1);
  t.true(a.membership.isSteward(hashOf('any')));
});

test('one that is killed is gone after 3.5 s and no sooner; its share and its keys go to the others', (t) => {
  const network = new Network();
  const replicas = ['a', 'b', 'c'].map((name) => network.start(name));
  const [a, b, c] = replicas as [Replica, Replica, Replica];
  network.clock.advance(2000);
  const keys = Array.from({ length: 100 }, (_, i) => `e${i}@v1`);
  const before = keys.map((key) => stewardsOf(replicas, key));
  t.true(before.every((stewards) => stewards.length === 1));
  c.kill();
  network.clock.advance(2500);
  t.deepEqual(a.live, ['a', 'b', 'c']);
  network.clock.advance(2000);
  t.deepEqual(a.live, ['a', 'b']);
  t.is(b.membership.replicas, 2);
  t.deepEqual(
    a.events('fleet_replica_left').map(({ replica, reason }) => [replica, reason]),
    [['c', 'silent']],
  );
  for (const [i, key] of keys.entries()) {
    const after = stewardsOf([a, b], key);
    t.is(after.length, 1);
    if (before[i]?.[0] !== 'c') t.deepEqual(after, before[i], key);
  }
});

test('MEMBERSHIP-4: one that leaves does not count from its bye on, and is listed as leaving until it ends', (t) => {
  const network = new Network();
  const [a, b] = [network.start('a'), network.start('b')];
  network.clock.advance(2000);
  b.membership.leave();
  network.clock.advance(2);
  t.deepEqual(a.live, ['a']);
  t.is(a.membership.replicas, 1);
  t.like(a.membership.answer(), { scope: 'lone', reason: 'no_peer' });
  t.deepEqual(
    a.events('fleet_replica_left').map(({ replica, reason }) => [replica, reason]),
    [['b', 'bye']],
  );
  t.deepEqual(stewardsOf([a], 'x'), ['a']);
  network.clock.advance(10_000);
  t.like(a.membership.answer().replicas[1], { id: 'b', live: false, draining: true });
  b.membership.stop();
  network.clock.advance(4600);
  t.is(a.membership.answer().replicas.length, 1);
  t.is(a.events('fleet_replica_left').length, 1, 'it has said so');
  t.is(network.sentBy('b').filter((message) => message === 'bye').length, 1);
});

test('MEMBERSHIP-4: a bye that is lost costs a second', (t) => {
  const network = new Network();
  const [a, b] = [network.start('a'), network.start('b')];
  network.clock.advance(2000);
  network.delays = () => [];
  b.membership.leave();
  network.clock.advance(1);
  network.delays = () => [1];
  network.clock.advance(1001);
  t.deepEqual(a.live, ['a']);
});

test('MEMBERSHIP-3: a process that stood still does not hold the silence against the others', (t) => {
  const network = new Network();
  const [a, b] = [network.start('a'), network.start('b')];
  network.clock.advance(2400);
  network.clock.stall(30_000);
  network.clock.advance(1500);
  t.deepEqual(
    [a.live, b.live],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
  );
  t.deepEqual(a.events('fleet_replica_left'), []);
});

test('MEMBERSHIP-3: while NATS is away the others are not live, but share as before, for a minute', (t) => {
  const network = new Network();
  const replicas = ['a', 'b', 'c'].map((name) => network.start(name));
  const [a] = replicas as [Replica];
  network.clock.advance(3000);
  for (const { port } of replicas) port.disconnect();
  network.clock.advance(10_000);
  t.like(a.membership.answer(), { scope: 'lone', reason: 'not_connected' });
  t.is(a.membership.replicas, 3);
  for (const { port } of replicas) port.connect();
  network.clock.advance(300);
  t.deepEqual(a.live, ['a', 'b', 'c']);
  for (const { port } of replicas) port.disconnect();
  network.clock.advance(65_000);
  t.is(a.membership.replicas, 1);
});

test('MEMBERSHIP-3: the others share as before also where NATS goes away right after they were heard', (t) => {
  const network = new Network();
  const a = network.start('a');
  network.clock.advance(5200);
  // Heard before its own greeting has come back.
  network.delays = () => [0];
  const b = network.start('b');
  network.clock.advance(3);
  t.is(b.membership.replicas, 2);
  for (const { port } of [a, b]) port.disconnect();
  network.clock.advance(10_000);
  t.deepEqual([a.membership.replicas, b.membership.replicas], [2, 2]);
});

test('MEMBERSHIP-3: a server that passes nothing on, while it seems to be there, does not make one alone share alone', (t) => {
  const network = new Network();
  const [a, b] = [network.start('a'), network.start('b')];
  network.clock.advance(3000);
  a.port.deliver = () => undefined;
  network.clock.advance(10_000);
  t.deepEqual(a.live, ['a']);
  t.is(a.membership.replicas, 2);
  t.is(b.membership.replicas, 2, 'it still hears the first');
});

test('MEMBERS-4: the younger of two with one name takes another, and says so', (t) => {
  const network = new Network();
  const [a, c] = [network.start('a', { id: 'same', incarnation: incarnationOf(99) }), network.start('c')];
  network.clock.advance(60_000);
  const b = network.start('b', { id: 'same', incarnation: incarnationOf(50) });
  network.clock.advance(300);
  t.deepEqual(c.live, ['c', 'same', 'same-00000032']);
  t.is(a.membership.answer().self, 'same');
  t.deepEqual(
    b.events('fleet_duplicate_id').map(({ replica, duplicate_of }) => [replica, duplicate_of]),
    [['same-00000032', 'same']],
  );
  t.is(a.events('fleet_duplicate_id').length, 0);
  network.clock.advance(10_000);
  t.is(b.events('fleet_duplicate_id').length, 1);
});

test('membership: what each says of itself is what the others show', (t) => {
  const network = new Network();
  const [a, b] = [network.start('a'), network.start('b')];
  b.facts = { http: 'http://10.0.0.2:8420', revision: 41, targets: 7, calls: 0, inFlight: 3, lagMs: 1.25 };
  a.facts = { ...a.facts, revision: 44 };
  network.clock.advance(2000);
  b.facts = { ...b.facts, calls: 250 };
  network.clock.advance(1500);
  const [own, other] = a.membership.answer().replicas;
  t.like(own, { id: 'a', self: true, live: true, behind: 0 });
  t.deepEqual(other, {
    id: 'b',
    incarnation: b.incarnation,
    self: false,
    live: true,
    version: '1.0.0',
    host: 'host',
    pid: 1,
    http: 'http://10.0.0.2:8420',
    up_s: 3,
    scope: 'private',
    revision: 41,
    behind: 3,
    rps: 250,
    in_flight: 3,
    lag_ms: 1.25,
    targets: 7,
    draining: false,
  });
  b.facts = { ...b.facts, revision: null };
  network.clock.advance(1000);
  t.is(a.membership.answer().replicas[1]?.behind, null);
});

test('MEMBERSHIP-5: without a port it is alone for good, and everything is its own', (t) => {
  const clock = new SimulatedClock();
  const { log, lines } = recordingLogger();
  const identity = { id: 'a', incarnation: incarnationOf(1), version: '1', host: 'h', pid: 1 };
  const alone = new Membership({ port: null, ...identity, clock, wall: () => 0, log });
  alone.start(() => ({ http: 'http://x', revision: 1, targets: 1, calls: 0, inFlight: 0, lagMs: 0 }));
  clock.advance(100_000);
  t.like(alone.answer(), { self: 'a', scope: 'lone', reason: 'off' });
  t.is(alone.replicas, 1);
  t.true(alone.isSteward(7));
  alone.leave();
  alone.stop();
  t.deepEqual(lines, []);
  t.is(clock.armed, 0);
});

for (const seed of seeds(40))
  test(`membership: whatever is lost, repeated and late, all agree soon after it ends (seed ${seed})`, (t) => {
    const random = seededRandom(seed);
    const network = new Network();
    const replicas: Replica[] = [];
    let names = 0;
    network.delays = (from, to) => {
      if (random() < 0.2 || cut.has(from) !== cut.has(to)) return [];
      return Array.from({ length: random() < 0.2 ? 2 : 1 }, () => random() * (random() < 0.1 ? 1500 : 20));
    };
    let cut: ReadonlySet<string> = new Set();
    const steps = [
      () =>
        void (replicas.length < 9 && replicas.push(network.start(`r${names++}`, random() < 0.2 ? { id: 'same' } : {}))),
      () => void (replicas.length > 1 && replicas.splice(Math.floor(random() * replicas.length), 1)[0]?.kill()),
      () => void (replicas.length > 1 && leave(replicas.splice(Math.floor(random() * replicas.length), 1)[0])),
      () => void network.clock.stall(random() * 20_000),
      () => {
        cut = new Set(replicas.filter(() => random() < 0.3).map(({ name }) => name));
      },
    ];
    const leave = (one: Replica | undefined): void => {
      one?.membership.leave();
      network.clock.setTimeout(() => one?.kill(), random() * 5000);
    };
    for (let i = 0; i < 4; i++) steps[0]?.();
    for (let i = 0; i < 30; i++) {
      steps[Math.floor(random() * steps.length)]?.();
      network.clock.advance(random() * 3000);
    }
    cut = new Set();
    network.delays = () => [random() * 20];
    network.clock.advance(12_000);
    const expected = replicas.map(({ membership }) => membership.answer().self).sort();
    t.is(new Set(expected).size, replicas.length, `names are unique: ${expected}`);
    for (const one of replicas) {
      t.deepEqual(one.live, expected);
      t.is(one.membership.replicas, replicas.length);
    }
    for (let i = 0; i < 50; i++) t.is(stewardsOf(replicas, `key-${i}`).length, 1);
    for (const one of replicas) one.membership.stop();
  });
