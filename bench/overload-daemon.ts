// This daemon, whole, with one extension whose version is chosen by a key that stands in the body alone. The third argument is the setting `admission`.
// `failure_rule: consecutive`: as daemon-middle.ts has it. `max_in_flight` is out of the way: what is refused is refused by admission.
import { sql } from '#drizzle-orm';
import { loadConfig } from '../src/config/config.js';
import { startDaemon } from '../src/daemon/daemon.js';
import { createLogger } from '../src/telemetry/log.js';
import { connectTo, DAEMON_PREFIX, EXTENSION_ID, EXTENSION_SUBJECT, report, serverUrl } from './client.js';

const [, , , dataDir = '', admission = ''] = process.argv;
export interface DaemonLog {
  /** How often each event was logged. */
  readonly logged: Readonly<Record<string, number>>;
  /** Of the event loop, 0..1, since this was asked for the last time. */
  readonly utilization: number;
}

const logged: Record<string, number> = {};
const log = createLogger('info', {
  write: (line) => {
    const { event, kind } = JSON.parse(line) as { event: string; kind?: string };
    const name = kind === undefined ? event : `${event}: ${kind}`;
    logged[name] = (logged[name] ?? 0) + 1;
  },
});
const config = loadConfig({
  cwd: dataDir,
  flags: {},
  env: {
    NATS_URL: serverUrl(),
    EXTENSION_REGISTRY_DATA_DIR: dataDir,
    EXTENSION_REGISTRY_HTTP_PORT: '0',
    EXTENSION_REGISTRY_SUBJECT_PREFIX: DAEMON_PREFIX,
    EXTENSION_REGISTRY_FAILURE_RULE: 'consecutive',
    EXTENSION_REGISTRY_MAX_IN_FLIGHT: '1000000',
    EXTENSION_REGISTRY_ADMISSION: admission,
  },
});
const daemon = await startDaemon(config, log);
await daemon.ready;
await daemon.database.db.execute(
  sql`insert into extensions (id, type, subject) values (${EXTENSION_ID}, 'pre', ${EXTENSION_SUBJECT})`,
);
await daemon.database.db.execute(
  sql`insert into extension_versions (id, version, subject, routing_rules) values (${EXTENSION_ID}, 'v2', ${EXTENSION_SUBJECT}, '{"region": "eu"}')`,
);
const client = await connectTo(serverUrl(), 'probe');
const isKnown = async (): Promise<boolean> => {
  const body = '{"metadata":{"region":"eu"}}';
  const answer = await client.request(`${DAEMON_PREFIX}.invoke.${EXTENSION_ID}`, body, { timeout: 5000 });
  return answer.headers?.get('Extreg-Version') === 'v2';
};
while (!(await isKnown())) await new Promise((resolve) => setTimeout(resolve, 10));
await client.close();
let since = performance.eventLoopUtilization();
process.on('message', (message) => {
  if (message !== 'log') return;
  const { utilization } = performance.eventLoopUtilization(since);
  since = performance.eventLoopUtilization();
  process.send?.({ logged, utilization } satisfies DaemonLog);
});
report();
