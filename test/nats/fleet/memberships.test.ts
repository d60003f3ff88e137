// Three memberships on a real nats-server, which goes away and returns.
import test, { type ExecutionContext } from 'ava';
import { Membership } from '../../../src/actors/fleet/membership.js';
import { BrokerConnection } from '../../../src/nats/connection/connection.js';
import { FleetWire } from '../../../src/nats/fleet/fleet-wire.js';
import { Subjects } from '../../../src/nats/wire/subjects.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { incarnationOf } from '../../domain/fleet/heartbeats.js';
import { isDirect } from '../../helpers/depth.js';
import { TestServer } from '../../helpers/nats-server.js';
import { until } from '../../helpers/until.js';
import { systemClock } from '../wire-rig.js';

function start(t: ExecutionContext, server: TestServer, id: string, number: number): Membership {
  const connection = BrokerConnection.open({ url: server.url, name: id, reconnectMaxMs: 50, isDirect }, silentLogger);
  const membership = new Membership({
    port: new FleetWire(connection, new Subjects('extreg.v1'), silentLogger, systemClock.now),
    id,
    incarnation: incarnationOf(number),
    version: '1.0.0',
    host: 'host',
    pid: number,
    clock: systemClock,
    wall: Date.now,
    log: silentLogger,
  });
  t.teardown(async () => {
    membership.stop();
    await connection.close();
  });
  membership.start(() => ({ http: 'http://x', revision: 1, targets: 0, calls: 0, inFlight: 0, lagMs: 0 }));
  return membership;
}

test('memberships: each hears the others at once, keeps their number while the server is away, and hears them when it returns', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const replicas = ['a', 'b', 'c'].map((id, i) => start(t, server, id, i + 1));
  await until('all hear all', () => replicas.every(({ live }) => live === 3));
  await server.kill();
  await until('they notice', () => replicas.every(({ live, reason }) => live === 1 && reason === 'not_connected'));
  t.deepEqual(
    replicas.map(({ replicas: number }) => number),
    [3, 3, 3],
  );
  await server.restart();
  await until('all hear all again', () => replicas.every(({ live }) => live === 3));
  const [a, b, c] = replicas as [Membership, Membership, Membership];
  c.leave();
  await until('it has left', () => a.replicas === 2 && b.replicas === 2, 10_000);
  t.is(a.dropped, 0);
});
