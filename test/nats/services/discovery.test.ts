import anyTest, { type TestFn } from 'ava';
import type { Msg, NatsConnection } from '#@nats-io/nats-core';
import type { RegistryEvent } from '../../../src/domain/registry/events.js';
import { createEventPublisher } from '../../../src/nats/event-publisher.js';
import { MicroService } from '../../../src/nats/services/micro.js';
import { startExtension, TestServer } from '../../helpers/nats-server.js';
import { until } from '../../helpers/until.js';
import { invoke, PREFIX, Rig } from '../wire-rig.js';

interface World {
  server: TestServer;
  client: NatsConnection;
  rig: Rig;
}

const test = anyTest as TestFn<World>;

test.before(async (t) => {
  const server = await TestServer.start();
  t.context = { server, client: await server.connect(), rig: await Rig.start(server) };
});
test.after.always(async (t) => {
  await t.context.rig.close();
  await t.context.server.stop();
});

test.serial('micro: the daemon answers PING, INFO and STATS on all their subjects, and counts its calls', async (t) => {
  const { client, rig } = t.context;
  const service = new MicroService(rig.connection, rig.subjects, {
    id: 'replica-1',
    version: '1.2.3',
    replyPrefixes: ['_INBOX'],
    startedAt: '2026-01-02T03:04:05.000Z',
    counts: () => rig.intake.counts(),
  });
  await rig.connection.flush();
  await startExtension(client, 'ext.normalize', (request) => ({ body: request.data }));
  await invoke(client, 'normalize');
  await invoke(client, 'nor$malize');
  const ask = async (subject: string): Promise<Record<string, unknown>> =>
    (await client.request(subject, '', { timeout: 5000 })).json();
  const identity = { name: 'extreg', id: 'replica-1', version: '1.2.3', metadata: {} };
  for (const tail of ['', '.extreg', '.extreg.replica-1']) {
    t.deepEqual(await ask(`$SRV.PING${tail}`), { ...identity, type: 'io.nats.micro.v1.ping_response' });
    t.like(await ask(`$SRV.INFO${tail}`), { ...identity, type: 'io.nats.micro.v1.info_response' });
    t.like(await ask(`$SRV.STATS${tail}`), {
      ...identity,
      type: 'io.nats.micro.v1.stats_response',
      started: '2026-01-02T03:04:05.000Z',
    });
  }
  const endpoint = { name: 'invoke', subject: `${PREFIX}.invoke.>`, queue_group: 'extreg' };
  t.deepEqual((await ask('$SRV.INFO')).endpoints, [{ ...endpoint, metadata: {} }]);
  const [stats] = (await ask('$SRV.STATS')).endpoints as Record<string, number>[];
  t.like(stats, { ...endpoint, num_requests: 2, num_errors: 1, data: { refused: { invalid_request: 1 } } });
  const total = stats?.processing_time as number;
  t.true(total > 0 && Number.isInteger(total));
  t.is(stats?.average_processing_time, Math.round(total / 2));
  service.close();
  await rig.connection.flush();
  await t.throwsAsync(client.request('$SRV.PING', ''), { message: /no responders/ });
});

test.serial('MICRO-1: a reply subject that is no inbox is not answered', async (t) => {
  const { client, rig } = t.context;
  const service = new MicroService(rig.connection, rig.subjects, {
    id: 'r',
    version: '1.0.0',
    replyPrefixes: ['_INBOX'],
    startedAt: '',
    counts: () => rig.intake.counts(),
  });
  await rig.connection.flush();
  const heard: Msg[] = [];
  const spy = client.subscribe('ext.victim', { callback: (_, message) => void heard.push(message) });
  client.publish('$SRV.PING', '', { reply: 'ext.victim' });
  await client.request('$SRV.PING', '', { timeout: 5000 });
  await client.flush();
  spy.unsubscribe();
  t.deepEqual(heard, []);
  service.close();
});

const event: RegistryEvent = {
  event: 'circuit_opened',
  extension_id: 'normalize',
  at: '2026-01-02T03:04:05.000Z',
  reason: 'error_rate',
  actor: 'system:breaker',
};

test.serial(
  'event publisher: an event is published as JSON on its subject, and counted when NATS is away',
  async (t) => {
    const { client, rig, server } = t.context;
    const heard: Msg[] = [];
    const listener = client.subscribe(`${PREFIX}.event.>`, { callback: (_, message) => void heard.push(message) });
    await client.flush();
    const publisher = createEventPublisher(rig.connection, rig.subjects);
    publisher.publish(event);
    publisher.publish({ ...event, event: 'registry_row_rejected', extension_id: 'not a token' });
    await until('both events', () => heard.length === 2);
    listener.unsubscribe();
    t.is(heard[0]?.subject, `${PREFIX}.event.circuit_opened.normalize`);
    t.deepEqual(heard[0]?.json(), event);
    t.is(heard[1]?.subject, `${PREFIX}.event.registry_row_rejected._`);
    t.is(publisher.dropped(), 0);
    await server.kill();
    await until('the disconnect', () => !rig.connection.connected);
    publisher.publish(event);
    t.is(publisher.dropped(), 1);
  },
);
