// The configurations that docs/nats-permissions.md shows, on real servers, and users that have one permission more or less than shown.
import type { ExecutionContext } from 'ava';
import type { Msg, NatsConnection } from '#@nats-io/nats-core';
import { createEventPublisher } from '../../src/nats/event-publisher.js';
import { FleetWire } from '../../src/nats/fleet/fleet-wire.js';
import { MicroService } from '../../src/nats/services/micro.js';
import { QUEUE_GROUP } from '../../src/nats/wire/subjects.js';
import { heartbeat } from '../domain/fleet/heartbeats.js';
import { TestServer } from '../helpers/nats-server.js';
import { type LogLine, Rig, type RigOptions, recordingLogger, systemClock } from '../nats/wire-rig.js';
import { readProjectFile } from './page.js';

export const PAGE = readProjectFile('docs/nats-permissions.md');

const BLOCKS = [...PAGE.matchAll(/^```nats\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
export const [ONE_ACCOUNT = '', ACCOUNTS = ''] = BLOCKS;

export const SUBJECT = 'beamline.ext.pre.normalize_text.v1';
export const EVENT = 'extreg.v1.event.circuit_opened.normalize_text';

const passwordOf = (variable: string): string => `secret-${variable}`;

/** The block, with the variables that it expects in the server's environment. */
export function configOf(block: string): string {
  const names = new Set([...block.matchAll(/\$([A-Z_]+_PASSWORD)\b/g)].map(([, name = '']) => name));
  return [...[...names].map((name) => `${name}: "${passwordOf(name)}"`), block].join('\n');
}

/** What stands between the braces of a user, braces included. */
export function entryOf(block: string, user: string): string {
  const start = block.lastIndexOf('{', block.indexOf(`user: ${user},`));
  let depth = 0;
  for (let i = start; i < block.length; i += 1) {
    if (block[i] === '{') depth += 1;
    if (block[i] === '}') depth -= 1;
    if (depth === 0) return block.slice(start, i + 1);
  }
  throw new Error(`there is no user ${user}`);
}

/** The block with a further user, `name`, who is `user` but for one change; the password is the same. */
export function withVariant(block: string, user: string, name: string, from: string, to: string): string {
  const entry = entryOf(block, user);
  if (!entry.includes(from)) throw new Error(`${user} has no ${from}`);
  const variant = entry.replace(`user: ${user},`, `user: ${name},`).replace(from, to);
  return block.replace(entry, `${entry}\n${variant}`);
}

export async function serverOf(t: ExecutionContext, block: string): Promise<TestServer> {
  const server = await TestServer.start(configOf(block));
  t.teardown(() => server.stop());
  return server;
}

/** The login of a user of the page; a variant of one has the password of the original. */
export const loginOf = (user: string, original = user) => ({
  user,
  pass: passwordOf(`${original.toUpperCase()}_PASSWORD`),
});

/** With the private inbox of `original`. */
export const connect = (server: TestServer, user: string, original = user): Promise<NatsConnection> =>
  server.connect({ ...loginOf(user, original), inboxPrefix: `_INBOX.${original}` });

/** All that a daemon does on NATS: calls, self-check, events, discovery, admin verbs, heartbeats. */
export async function startDaemonWire(
  t: ExecutionContext,
  server: TestServer,
  user = 'extreg',
  options: RigOptions = {},
) {
  const { log, lines } = recordingLogger();
  const { user: name, pass: password } = loginOf(user, 'extreg');
  const route = { subject: SUBJECT };
  const rig = await Rig.start(server, { log, route, connection: { user: name, password }, ...options });
  t.teardown(() => rig.close());
  const { connection, subjects } = rig;
  const micro = new MicroService(connection, subjects, {
    id: `replica-${user.replace('_', '-')}`,
    version: '1.2.3',
    replyPrefixes: ['_INBOX', '_R_.'],
    startedAt: '2026-01-02T03:04:05.000Z',
    counts: () => rig.intake.counts(),
  });
  // As AdminService does; which verbs it serves, and to whom, is not for NATS to permit.
  connection.subscribe(subjects.adminAll, QUEUE_GROUP, ({ reply = '' }) => {
    connection.publish(reply, '', '', Buffer.from('{"well":true}'));
  });
  rig.selfCheck.start();
  const fleet = new FleetWire(connection, subjects, log, systemClock.now);
  const replicas: string[] = [];
  fleet.listen({
    heard: (_, { id }) => void replicas.push(id),
    connected: () => fleet.publish('hello', heartbeat({ id: 'daemon' })),
  });
  const events = createEventPublisher(connection, subjects);
  const publishEvent = (): void =>
    events.publish({
      event: 'circuit_opened',
      extension_id: 'normalize_text',
      at: '2026-01-02T03:04:05.000Z',
      reason: 'error_rate',
      actor: 'system:breaker',
    });
  const denied = (): LogLine[] => lines.filter(({ event }) => event === 'nats_permission_denied');
  return { rig, micro, publishEvent, denied, replicas };
}

/** What arrives at a subscription, in order; empty if the server has refused it. */
export async function listen(client: NatsConnection, subject: string): Promise<Msg[]> {
  const received: Msg[] = [];
  client.subscribe(subject, { callback: (error, message) => void (error === null && received.push(message)) });
  await client.flush();
  return received;
}
