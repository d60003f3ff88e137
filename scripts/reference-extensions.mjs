// The three reference extensions as scripts show them: as rows, as processes and as calls through the daemon.
import { join } from 'node:path';
import { startExamples } from './example-processes.mjs';

const ANSWER_MS = 15_000;
const RETRY_MS = 100;
/** Answers that the next seconds may change: the registry reads the rows, the processes connect. */
const PASSING = new Set(['extension_not_found', 'extension_unavailable', 'extension_timeout', 'not_connected']);

const NORMALIZE = 'beamline.ext.pre.normalize_text.v1';

/** Each with the processes that serve it, and the call that shows it. normalize_text has two instances, 100 to 50. */
export const EXTENSIONS = [
  {
    id: 'normalize_text',
    type: 'pre',
    subject: NORMALIZE,
    file: 'normalize-text.mjs',
    instances: [
      { id: 'instance-1', subject: `${NORMALIZE}.instance-1`, weight: 100 },
      { id: 'instance-2', subject: `${NORMALIZE}.instance-2`, weight: 50 },
    ],
    payload: '  Hello   WORLD \n',
  },
  {
    id: 'pii_guard',
    type: 'validator',
    subject: 'beamline.ext.validate.pii_guard.v1',
    file: 'pii-guard.mjs',
    instances: [],
    payload: 'My address is ada@example.org',
  },
  {
    id: 'mask_pii',
    type: 'post',
    subject: 'beamline.ext.post.mask_pii.v1',
    file: 'mask-pii.mjs',
    instances: [],
    payload: 'Write to ada@example.org or call +44 20 7946 0958',
  },
];

/**
 * Whether the reference extensions may be shown here: only in an embedded database, and never on a NATS server elsewhere,
 * where others may serve these very subjects.
 */
export function mayShowExamples(config) {
  if (config.database_url !== null || config.db_host !== null) return false;
  if (config.nats_url === null) return true;
  if (config.nats_creds_file || config.nats_nkey_seed_file || config.nats_tls_ca_file || config.nats_tls_cert_file)
    return false;
  return config.nats_url.split(',').every((server) => isLoopback(server.trim()));
}

function isLoopback(server) {
  const host = /^(?:nats:\/\/)?(\[[^\]]*\]|[^:/]*)/.exec(server)?.[1];
  return host === 'localhost' || host === '[::1]' || (host?.startsWith('127.') ?? false);
}

/** Whether nobody has ever changed this registry. A first start that was broken off before its rows were written counts. */
export async function isUntouched(sql) {
  const [row] = await sql`
    select not exists (select from extensions) and not exists (select from extension_audit_log) as untouched`;
  return row.untouched;
}

/** Writes the rows of the three, as one change each, signed by `actor`. */
export async function seedExamples(sql, { actor, reason }) {
  await sql.begin(async (transaction) => {
    await transaction`select set_config('extreg.actor', ${actor}, true), set_config('extreg.reason', ${reason}, true)`;
    for (const { id, type, subject, instances } of EXTENSIONS) {
      await transaction`
        insert into extensions (id, type, subject, created_by) values (${id}, ${type}, ${subject}, ${actor})
        on conflict do nothing`;
      for (const instance of instances)
        await transaction`
          insert into extension_instances (extension_id, instance_id, subject, weight)
          values (${id}, ${instance.id}, ${instance.subject}, ${instance.weight})
          on conflict do nothing`;
    }
  });
}

/** Those of the three that are still in the registry: whoever deleted one does not get its process back. */
export async function registeredExamples(sql) {
  const rows = await sql`select id from extensions where id in ${sql(EXTENSIONS.map(({ id }) => id))}`;
  const ids = new Set(rows.map(({ id }) => id));
  return EXTENSIONS.filter(({ id }) => ids.has(id));
}

/** Where the switches of the extension are turned (examples/faults.mjs). */
export const controlSubject = (id) => `beamline.control.${id}`;

/**
 * @param {typeof EXTENSIONS} extensions
 * @param {{ root: string, natsUrl: string, natsToken: string | null, config: object, log: import('pino').Logger }} at
 */
export function runExamples(extensions, { root, natsUrl, natsToken, config, log }) {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const login = config.nats_user
    ? `${encodeURIComponent(config.nats_user)}:${encodeURIComponent(config.nats_password ?? '')}@`
    : '';
  const services = extensions.flatMap(({ id, file, subject, instances }) =>
    (instances.length > 0 ? instances : [{ subject }]).map((instance) => ({
      file,
      env: { EXTENSION_SUBJECT: instance.subject, EXTENSION_CONTROL_SUBJECT: controlSubject(id) },
    })),
  );
  return startExamples({
    services,
    directory: join(root, 'examples'),
    env: {
      ...env,
      NATS_URL: natsUrl
        .split(',')
        .map((server) => server.trim().replace(/^(?:nats:\/\/)?/, `nats://${login}`))
        .join(','),
      NATS_TOKEN: natsToken ?? '',
    },
    log,
  });
}

/** Resolves when every process of the extension answers discovery; false where that takes too long. */
export async function isAnswering(connection, { id, instances }) {
  const deadlineMs = performance.now() + ANSWER_MS;
  while (performance.now() < deadlineMs) {
    const pings = await connection.requestMany(`$SRV.PING.${id}`, '', {
      strategy: 'count',
      maxMessages: Math.max(instances.length, 1),
      maxWait: 500,
    });
    const found = [];
    try {
      for await (const ping of pings) found.push(ping);
    } catch {
      // Nobody listens yet.
    }
    if (found.length >= Math.max(instances.length, 1)) return true;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  return false;
}

/**
 * One call through the daemon, tried again while the registry is still settling.
 * @returns {Promise<{ sent: string, got: string, ms: number, ok: boolean }>}
 */
export async function callExtension(connection, prefix, { id, payload }) {
  const sent = JSON.stringify({ payload });
  const deadlineMs = performance.now() + ANSWER_MS;
  for (;;) {
    const begunMs = performance.now();
    const { reply, failure } = await connection.request(`${prefix}.invoke.${id}`, sent, { timeout: 5000 }).then(
      (message) => ({ reply: message }),
      (error) => ({ failure: error.message }),
    );
    const code = reply?.headers?.get('Extreg-Error') ?? '';
    const isPassing = reply === undefined || PASSING.has(code);
    if (isPassing && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      continue;
    }
    return {
      sent,
      got: reply?.string() ?? failure,
      ms: performance.now() - begunMs,
      ok: reply !== undefined && !reply.headers?.get('Nats-Service-Error-Code'),
    };
  }
}
