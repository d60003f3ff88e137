// This daemon, whole, with one plain extension and one with versions, rules and instances, and as many idle ones beside it as the third argument says: database, feed, router, breaker, windows, writers, admin API.
// `failure_rule: consecutive`: with the seeds' rule five stray failures in a minute would end the benchmark.
import { sql } from '#drizzle-orm';
import { loadConfig } from '../src/config/config.js';
import { startDaemon } from '../src/daemon/daemon.js';
import { silentLogger } from '../src/telemetry/log.js';
import {
  connectTo,
  DAEMON_PREFIX,
  EVERYTHING_ID,
  EXTENSION_ID,
  EXTENSION_SUBJECT,
  report,
  serverUrl,
} from './client.js';

const dataDir = process.argv[3];
if (dataDir === undefined) throw new Error('usage: node daemon-middle.js <nats url> <data dir>');
const prefix = process.env.BENCH_SUBJECT_PREFIX ?? DAEMON_PREFIX;
/** Without one, its embedded database. */
const databaseUrl = process.env.BENCH_DATABASE_URL;
const config = loadConfig({
  cwd: dataDir,
  flags: {},
  env: {
    NATS_URL: serverUrl(),
    ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
    EXTENSION_REGISTRY_DATA_DIR: dataDir,
    EXTENSION_REGISTRY_HTTP_PORT: '0',
    EXTENSION_REGISTRY_SUBJECT_PREFIX: prefix,
    EXTENSION_REGISTRY_FAILURE_RULE: 'consecutive',
  },
});
const daemon = await startDaemon(config, silentLogger);
await daemon.ready;
const idle = Number(process.argv[4] ?? 0);
await daemon.database.db.execute(
  sql`insert into extensions (id, type, subject) select 'idle-' || n, 'pre', 'idle.' || n from generate_series(1, ${idle}) as n`,
);
await daemon.database.db.execute(
  sql`insert into extensions (id, type, subject) values (${EXTENSION_ID}, 'pre', ${EXTENSION_SUBJECT})`,
);
await daemon.database.db.execute(
  sql`insert into extensions (id, type, subject, policy) values (${EVERYTHING_ID}, 'pre', ${EXTENSION_SUBJECT}, '{"max_in_flight": 100000}')`,
);
await daemon.database.db.execute(
  sql`insert into extension_versions (id, version, subject, routing_rules) select ${EVERYTHING_ID}, v, ${EXTENSION_SUBJECT}, rules::jsonb
    from (values ('v1', '{}'), ('v2', '{"tenant_id": ["tenant-1", "tenant-2"]}'), ('v3', '{"environment": "test"}')) as versions (v, rules)`,
);
await daemon.database.db.execute(
  sql`insert into extension_instances (extension_id, instance_id, subject, weight)
    select ${EVERYTHING_ID}, 'i-' || n, ${`${EXTENSION_SUBJECT}.`} || n, 25 * n from generate_series(1, 4) as n`,
);
const client = await connectTo(serverUrl(), 'probe');
const isKnown = async (): Promise<boolean> => {
  const answer = await client.request(`${prefix}.invoke.${EVERYTHING_ID}`, 'x', { timeout: 5000 });
  return answer.headers?.has('Extreg-Error') === false && answer.headers.has('Extreg-Instance-Id');
};
while (!(await isKnown())) await new Promise((resolve) => setTimeout(resolve, 10));
await client.close();
process.on('message', (message) => {
  if (message === 'http') process.send?.(daemon.httpUrl);
});
report();
