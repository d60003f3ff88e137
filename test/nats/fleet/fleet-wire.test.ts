// What replicas say to each other on a real nats-server.
import anyTest, { type TestFn } from 'ava';
import type { FleetMessage } from '../../../src/actors/ports/fleet.js';
import { type Heartbeat, MAX_HEARTBEAT_BYTES } from '../../../src/domain/fleet/heartbeat.js';
import { BrokerConnection } from '../../../src/nats/connection/connection.js';
import { FleetWire } from '../../../src/nats/fleet/fleet-wire.js';
import { Subjects } from '../../../src/nats/wire/subjects.js';
import { heartbeat, incarnationOf } from '../../domain/fleet/heartbeats.js';
import { isDirect } from '../../helpers/depth.js';
import { TestServer } from '../../helpers/nats-server.js';
import { until } from '../../helpers/until.js';
import { type LogLine, recordingLogger } from '../wire-rig.js';

const test = anyTest as TestFn<{ server: TestServer }>;
test.before(async (t) => {
  t.context.server = await TestServer.start(`authorization { users = [
    { user: all, password: secret }
    { user: mute, password: secret, permissions: { publish: { deny: "*.fleet.>" }, subscribe: ">" } }
    { user: deaf, password: secret, permissions: { publish: ">", subscribe: { deny: "*.fleet.f1.hb" } } }
  ] }`);
});
test.after.always((t) => t.context.server.stop());

interface Replica {
  readonly wire: FleetWire;
  readonly connection: BrokerConnection;
  readonly heard: { readonly message: FleetMessage; readonly heartbeat: Heartbeat }[];
  readonly lines: readonly LogLine[];
  connects: number;
}

async function start(server: TestServer, prefix: string, user = 'all'): Promise<Replica> {
  const { log, lines } = recordingLogger();
  const url = server.url.replace('//', `//${user}:secret@`);
  const connection = BrokerConnection.open({ url, name: user, reconnectMaxMs: 50, isDirect }, log);
  const wire = new FleetWire(connection, new Subjects(prefix), log, () => performance.now());
  const replica: Replica = { wire, connection, heard: [], lines, connects: 0 };
  wire.listen({
    heard: (message, beat) => void replica.heard.push({ message, heartbeat: beat }),
    connected: () => void replica.connects++,
  });
  await until('the connection', () => replica.connects === 1);
  return replica;
}

test('FLEET-WIRE-2: what is said when it is connected arrives at all, itself included, in order', async (t) => {
  const { server } = t.context;
  const [a, b] = [await start(server, 'one'), await start(server, 'one')];
  const other = await start(server, 'two');
  for (const [seq, message] of (['hello', 'hb', 'bye'] as const).entries()) a.wire.publish(message, heartbeat({ seq }));
  await until('all arrived', () => a.heard.length === 3 && b.heard.length === 3);
  t.deepEqual(
    b.heard.map(({ message, heartbeat: { seq } }) => `${message} ${seq}`),
    ['hello 0', 'hb 1', 'bye 2'],
  );
  t.deepEqual(b.heard[0]?.heartbeat, heartbeat({ seq: 0 }));
  t.is(a.wire.problem, null);
  t.deepEqual(other.heard, [], 'another prefix is another fleet');
  b.wire.close();
  a.wire.publish('hb', heartbeat({ seq: 9 }));
  await until('it arrived', () => a.heard.length === 4);
  await b.connection.flush();
  t.is(b.heard.length, 3, 'nothing is heard after the end');
  await Promise.all([a, b, other].map(({ connection }) => connection.close()));
  t.is(a.wire.problem, 'not_connected');
  t.notThrows(() => a.wire.publish('hb', heartbeat()));
});

test('FLEET-WIRE-1: what is no heartbeat is dropped and counted, and does not end the reader', async (t) => {
  const { server } = t.context;
  const replica = await start(server, 'three');
  const client = await server.connect({ user: 'all', pass: 'secret' });
  const text = JSON.stringify(heartbeat());
  for (const body of [
    '',
    '{',
    'null',
    '[]',
    '{"__proto__":{"id":"a"}}',
    text.replace('"a"', '"a b"'),
    text.padEnd(MAX_HEARTBEAT_BYTES + 1),
  ])
    client.publish('three.fleet.f1.hb', body);
  client.publish('three.fleet.f1.hb', Buffer.from([0xff, 0xfe, 0x00]));
  client.publish('three.fleet.f1.hb', text.replace('{', '{"later":{"more":[1]},'));
  await until('the good one', () => replica.heard.length === 1);
  t.is(replica.wire.dropped, 8);
  const dropped = replica.lines.filter(({ event }) => event === 'fleet_message_dropped');
  t.is(dropped.length, 1, 'a flood writes one line');
  t.like(dropped[0], { subject: 'three.fleet.f1.hb', bytes: 0 });
  await replica.connection.close();
});

test('FleetWire: what the server does not permit is a problem that it names', async (t) => {
  const { server } = t.context;
  const mute = await start(server, 'four', 'mute');
  mute.wire.publish('hello', heartbeat({ inc: incarnationOf(4) }));
  await until('the refusal', () => mute.wire.problem === 'not_permitted');
  const deaf = await start(server, 'four', 'deaf');
  t.is(deaf.wire.problem, 'not_permitted', 'one subscription of three is refused');
  deaf.wire.publish('hello', heartbeat());
  await until('it is heard', () => mute.heard.length === 1);
  await Promise.all([mute, deaf].map(({ connection }) => connection.close()));
});
