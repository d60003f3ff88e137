// This daemon, whole, with one extension, and as many idle ones beside it as the third argument says: embedded database, feed, router, breaker, windows, writers, admin API.
// `failure_rule: consecutive`: with the seeds' rule five stray failures in a minute would end the benchmark.
import { sql } from '#drizzle-orm';
import { loadConfig } from '../src/config/config.js';
import { startDaemon } from '../src/daemon/daemon.js';
import { silentLogger } from '../src/telemetry/log.js';
import { connectTo, DAEMON_PREFIX, EXTENSION_ID, EXTENSION_SUBJECT, report, serverUrl } from './wire.js';

const dataDir = process.argv[3];
if (dataDir === undefined) throw new Error('usage: node daemon-middle.js <nats url> <data dir>');
const config = loadConfig({
  cwd: dataDir,
  flags: {},
  env: {
    NATS_URL: serverUrl(),
    EXTENSION_REGISTRY_DATA_DIR: dataDir,
    EXTENSION_REGISTRY_HTTP_PORT: '0',
    EXTENSION_REGISTRY_SUBJECT_PREFIX: DAEMON_PREFIX,
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
const client = await connectTo(serverUrl(), 'probe');
const isKnown = async (): Promise<boolean> => {
  const answer = await client.request(`${DAEMON_PREFIX}.invoke.${EXTENSION_ID}`, 'x', { timeout: 5000 });
  return answer.headers?.has('Extreg-Error') === false;
};
while (!(await isKnown())) await new Promise((resolve) => setTimeout(resolve, 10));
await client.close();
process.on('message', (message) => {
  if (message === 'http') process.send?.(daemon.httpUrl);
});
report();
