// Daemons of one fleet as processes, on one database: who is listed, who leaves, who is killed, who makes active checks.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Membership } from '../../src/actors/fleet/membership.js';
import type { FleetAnswer } from '../../src/domain/fleet/fleet-answer.js';
import { candidateOf, stewardOf } from '../../src/domain/fleet/stewards.js';
import { hashOf } from '../../src/domain/routing/rendezvous.js';
import { socketDirectory } from '../../src/embedded/postgres/embedded.js';
import { BrokerConnection } from '../../src/nats/connection/connection.js';
import { FleetWire } from '../../src/nats/fleet/fleet-wire.js';
import { Subjects } from '../../src/nats/wire/subjects.js';
import { incarnationOf } from '../domain/fleet/heartbeats.js';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';
import { recordingLogger, systemClock } from '../nats/wire-rig.js';

const fleetOf = async (daemon: DaemonProcess): Promise<FleetAnswer> =>
  (await (await daemon.fetch('/admin/fleet')).json()) as FleetAnswer;
const liveOf = async (daemon: DaemonProcess): Promise<string> =>
  (await fleetOf(daemon)).replicas
    .filter(({ live }) => live)
    .map(({ id }) => id)
    .join();

/** On the database of another daemon. */
function beside(t: ExecutionContext, first: DaemonProcess, env: Record<string, string>): Promise<DaemonProcess> {
  const directory = mkdtempSync(join(tmpdir(), 'extreg-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const host = socketDirectory(first.dataDir);
  return DaemonProcess.startReady(t, { ...env, EXTENSION_REGISTRY_DB_HOST: host }, directory);
}

/** A replica in this process. */
function observer(t: ExecutionContext, server: TestServer) {
  const { log, lines } = recordingLogger();
  const connection = BrokerConnection.open({ url: server.url, name: 'observer' }, log);
  const port = new FleetWire(connection, new Subjects('extreg.v1'), log, systemClock.now);
  const identity = { id: 'observer', incarnation: incarnationOf(7), version: '1.0.0', host: 'host', pid: process.pid };
  const membership = new Membership({ port, ...identity, clock: systemClock, wall: Date.now, log });
  t.teardown(async () => {
    membership.stop();
    await connection.close();
  });
  membership.start(() => ({ http: 'http://x', revision: 0, targets: 0, calls: 0, inFlight: 0, lagMs: 0 }));
  return { membership, lines };
}

/** An extension whose checks the named one of these replicas makes. */
const checkedBy = (id: string, replicas: readonly string[]): string => {
  const candidates = replicas.map((one) => candidateOf(one, one));
  for (let i = 0; ; i++) if (stewardOf(hashOf(`e${i}@v1`), candidates)?.incarnation === id) return `e${i}`;
};

const checksBy = async (daemon: DaemonProcess, id: string): Promise<number> => {
  const metrics = await (await daemon.fetch('/metrics')).text();
  return Number(
    new RegExp(`extension_health_checks_total\\{extension_id="${id}",result="success"\\} (\\d+)`).exec(metrics)?.[1] ??
      0,
  );
};

test('a fleet of two daemons on one database: both are listed; one that stops says so, one that is killed is gone within 5 s, and its checks are taken over', async (t) => {
  t.timeout(120_000);
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const env = (id: string) => ({ NATS_URL: server.url, EXTENSION_REGISTRY_REPLICA_ID: id });
  const a = await DaemonProcess.start(t, { ...env('a'), EXTENSION_REGISTRY_FLEET: 'required' });
  await until('it is ready but for the others', async () => {
    const answer = await a.fetch('/readyz');
    return answer.status === 503 && ((await answer.json()) as { waiting_for: string[] }).waiting_for.join() === 'fleet';
  });
  await until('nobody has answered', () => a.log.some(({ reason }) => reason === 'no_peer'));
  t.like(await fleetOf(a), { self: 'a', scope: 'lone' });

  const b = await beside(t, a, env('b'));
  await until('each lists both', async () => (await liveOf(a)) === 'a,b' && (await liveOf(b)) === 'a,b');
  await a.ready();
  t.like(await fleetOf(b), { self: 'b', scope: 'private', reason: 'no_records' });
  await until('it has the registry', async () => (await fleetOf(a)).replicas[1]?.behind === 0);
  const [ofA, ofB] = (await fleetOf(a)).replicas;
  t.like(ofB, { id: 'b', self: false, pid: b.child.pid, http: b.url, behind: 0, targets: 0, draining: false });
  t.like(ofA, { id: 'a', self: true, pid: a.child.pid, http: a.url });

  const nc = await server.connect();
  const { received } = await startExtension(nc, 'ext.well', () => ({ body: 'well' }));
  const ids = { a: checkedBy('a', ['a', 'b']), b: checkedBy('b', ['a', 'b']) };
  const policy = JSON.stringify({ health_check: { interval_seconds: 0.2 } });
  for (const id of Object.values(ids))
    await a.sql()`insert into extensions (id, type, subject, policy) values (${id}, 'pre', 'ext.well', ${policy}::text::jsonb)`;
  await until('each checks its own', async () => (await checksBy(a, ids.a)) > 1 && (await checksBy(b, ids.b)) > 1);
  t.deepEqual([await checksBy(a, ids.b), await checksBy(b, ids.a)], [0, 0]);
  t.true(received.length >= 4);

  const killedMs = performance.now();
  b.child.kill('SIGKILL');
  await until('it is gone', () => a.has('fleet_replica_left'));
  const goneMs = performance.now() - killedMs;
  t.true(goneMs < 5000, `after ${goneMs} ms`);
  t.is(await liveOf(a), 'a');
  await until('its checks are taken over', async () => (await checksBy(a, ids.b)) > 0);
  t.is((await a.fetch('/readyz')).status, 503);

  const { membership, lines } = observer(t, server);
  await until('it is seen by a third', async () => membership.live === 2 && (await liveOf(a)) === 'a,observer');
  t.is(await a.stop(), 0);
  const left = lines.filter(({ event }) => event === 'fleet_replica_left');
  t.deepEqual(
    left.map(({ replica, reason }) => [replica, reason]),
    [['a', 'bye']],
  );
  const [silent] = a.log.filter(({ event }) => event === 'fleet_replica_left');
  t.like(silent, { replica: 'b', reason: 'silent' });
  const steps = a.log.filter(({ event }) => event === 'stop_step');
  t.is(steps[0]?.step, 'intake_drained', 'the stop went its way');
});
