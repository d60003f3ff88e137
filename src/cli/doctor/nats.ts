// NATS: whether it is reached, how fast it answers, and what the login may do there.
import { type NatsConnection, PermissionViolationError } from '#@nats-io/nats-core';
import type { Config } from '../../config/config.js';
import { INBOX_PREFIX, Subjects } from '../../nats/wire/subjects.js';
import { answerWithin } from '../../telemetry/deadline.js';
import type { RunningDaemon } from '../daemon/daemon-file.js';
import { connectOnce } from '../daemon/nats-client.js';
import { ANSWERS_MS, type Finding, failed, ok, reasonOf, skipped, warning } from './findings.js';

const SLOW_MS = 50;
/** Bodies and headers of calls and replies have to fit. */
const SMALL_PAYLOAD = 65_536;
/** Part of subjects that the daemon listens on, and that no call is sent to: a check takes no call from a daemon. */
const PROBE = '$doctor';

/** `answersMs`: what the server may take for everything once it is connected. */
export async function checkNats(
  config: Config,
  daemon: RunningDaemon | null,
  answersMs = ANSWERS_MS,
): Promise<Finding[]> {
  if (config.nats_url === null && daemon === null)
    return [skipped('nats', 'the embedded nats-server runs with the daemon, which does not run')];
  let nc: NatsConnection;
  try {
    nc = await connectOnce(config, daemon, { name: 'extreg doctor', inboxPrefix: INBOX_PREFIX });
  } catch (error) {
    return [failed('nats', reasonOf(error), 'check nats_url and the login, and that the server runs')];
  }
  try {
    return await answerWithin(answersMs, checksOf(nc, config));
  } catch (error) {
    return [failed('nats', `connected, and then: ${reasonOf(error)}`, 'look at the log of the nats-server')];
  } finally {
    await nc.close();
  }
}

async function checksOf(nc: NatsConnection, config: Config): Promise<Finding[]> {
  return [await checkServer(nc), checkPayload(nc), await checkPermissions(nc, config)];
}

async function checkServer(nc: NatsConnection): Promise<Finding> {
  await nc.flush();
  const startMs = performance.now();
  await nc.flush();
  const ms = performance.now() - startMs;
  const found = `nats-server ${nc.info?.version} at ${nc.getServer()} answers within ${ms.toFixed(1)} ms`;
  return ms > SLOW_MS
    ? warning('nats', found, 'every call takes this way four times: run both closer together')
    : ok('nats', found);
}

function checkPayload(nc: NatsConnection): Finding {
  const bytes = nc.info?.max_payload ?? 0;
  const found = `messages of up to ${bytes} bytes, headers included`;
  return bytes < SMALL_PAYLOAD
    ? warning('payload', found, 'raise max_payload of the server: a larger call is refused as payload_too_large')
    : ok('payload', found);
}

/** What the server refuses it tells by the next round trip. Rejects if the connection tells nothing. */
export async function checkPermissions(nc: NatsConnection, config: Config): Promise<Finding> {
  const refused = new Set<string>();
  let unwatched: unknown = null;
  watch(nc, refused).catch((error: unknown) => {
    unwatched = error;
  });
  const { prefix } = new Subjects(config.subject_prefix);
  for (const part of [`${prefix}.invoke`, `${prefix}.admin`, INBOX_PREFIX])
    nc.subscribe(`${part}.${PROBE}`, { callback: () => undefined });
  for (const reply of config.reply_prefixes) nc.publish(`${reply.replace(/\.$/, '')}.${PROBE}`);
  await nc.flush();
  // The answer to the flush may be read in the turn before that of a refusal.
  await new Promise((resolve) => setImmediate(resolve));
  if (unwatched !== null) throw unwatched;
  if (refused.size === 0) return ok('permissions', 'may listen for calls, verbs and replies, and publish to callers');
  return failed(
    'permissions',
    `may not ${[...refused].join(', ')}`,
    'grant it to the user of the daemon: docs/nats-permissions.md has all that it needs',
  );
}

async function watch(nc: NatsConnection, refused: Set<string>): Promise<void> {
  for await (const status of nc.status()) {
    if (status.type !== 'error' || !(status.error instanceof PermissionViolationError)) continue;
    const { operation, subject } = status.error;
    refused.add(`${operation === 'publish' ? 'publish to' : 'listen on'} ${subject.replace(PROBE, '>')}`);
  }
}
