// What traces cost: daemons side by side, without, with one call in a hundred sampled, and with all of them, which take turns with the same load.
// Writes its section of bench/RESULTS.md. Options: --rounds N, --seconds N, --in-flight N, --no-write.
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findNatsServer } from '../src/embedded/nats/embedded-server.js';
import { startServerProcess } from '../src/embedded/nats/server-process.js';
import { startPostgres } from '../test/helpers/postgres-engine.js';
import { BODY_BYTES, EXTENSION_ID } from './client.js';
import type { Measured } from './generator.js';
import { median } from './median.js';
import { machine, packageVersion, table, writeSection } from './results-file.js';
import { Role } from './role.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '2' },
    'in-flight': { type: 'string', default: '64' },
    'no-write': { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const load = { inFlight: Number(values['in-flight']), headers: 3, bodyBytes: BODY_BYTES };
const WARM_MS = 4000;

const RATIO = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' };
const VARIANTS = [
  { label: 'no traces', name: 'off', env: null },
  { label: 'traces, none sampled', name: 'none', env: { OTEL_TRACES_SAMPLER: 'always_off' } },
  { label: 'traces, one call in a hundred sampled', name: 'some', env: RATIO },
  { label: 'traces, every call sampled', name: 'all', env: { OTEL_TRACES_SAMPLER: 'always_on' } },
] as const;

interface Round {
  readonly cpuMicros: number;
  readonly rate: number;
}

const directory = mkdtempSync(join(tmpdir(), 'extreg-bench-'));
const binary = findNatsServer('', process.env);
if (binary === null) throw new Error('the benchmark needs a nats-server: set NATS_SERVER_BIN or install nats-server');
const loadBefore = loadavg()[0] ?? 0;
const server = await startServerProcess({ binary, directory, port: -1, config: '' });
const url = `nats://127.0.0.1:${server.port}`;
const database = await startPostgres();
const roles: Role[] = [];

/** The environment of a process is that of this one when it starts. */
async function start(module: string, env: Readonly<Record<string, string>> = {}): Promise<Role> {
  Object.assign(process.env, env);
  const role = await Role.start(module, url, mkdtempSync(join(directory, 'role-')));
  for (const name of Object.keys(env)) delete process.env[name];
  roles.push(role);
  return role;
}

const prefixOf = (name: string): string => `bench.traces.${name}`;

async function startDaemon({ name, env }: (typeof VARIANTS)[number], collector: string): Promise<Role> {
  await database.administer(`create database traces_${name} template migrated`);
  const { url: databaseUrl } = database.connection(`traces_${name}`) as { url: string };
  return await start('daemon-middle.js', {
    BENCH_DATABASE_URL: databaseUrl,
    BENCH_SUBJECT_PREFIX: prefixOf(name),
    ...(env === null ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: collector, ...env }),
  });
}

const found = new Map<string, Round[]>(VARIANTS.map(({ name }) => [name, []]));
try {
  await start('extension.js');
  const generator = await start('generator.js');
  const collector = await (await start('trace-sink.js')).ask<string>('url');
  const daemons = new Map<string, Role>();
  for (const variant of VARIANTS) daemons.set(variant.name, await startDaemon(variant, collector));
  const run = async (name: string, durationMs: number): Promise<Round> => {
    const daemon = daemons.get(name) as Role;
    const before = await daemon.ask<{ cpuMicros: number }>('cpu');
    const { requests, seconds, wrong } = await generator.ask<Measured>({
      ...load,
      durationMs,
      subject: `${prefixOf(name)}.invoke.${EXTENSION_ID}`,
    });
    const after = await daemon.ask<{ cpuMicros: number }>('cpu');
    if (wrong > 0) throw new Error(`${name}: ${wrong} of ${requests} answers were wrong`);
    return { cpuMicros: (after.cpuMicros - before.cpuMicros) / requests, rate: requests / seconds };
  };
  for (const { name } of VARIANTS) await run(name, WARM_MS);
  for (let round = 0; round < rounds; round += 1)
    for (const [name, list] of found) list.push(await run(name, Number(values.seconds) * 1000));
} finally {
  for (const role of roles) role.stop();
  for (const role of roles) await role.exited;
  await database.remove();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

const off = found.get('off') as Round[];
/** Round by round: neighbours in time share the machine's mood. */
const ratio = (of: readonly Round[], figure: (round: Round) => number): string =>
  median(of.map((round, i) => figure(round) / figure(off[i] as Round))).toFixed(2);

const section = `## Traces

Written by \`npm run bench:traces\`.

- Machine: ${machine()}
- Node ${process.version}, ${packageVersion('@opentelemetry/sdk-trace-base')}, ${packageVersion('@opentelemetry/exporter-trace-otlp-http')}
- ${rounds} rounds of ${values.seconds} s, the daemons taking turns with ${values['in-flight']} calls in flight, three headers and ${BODY_BYTES} bytes each; medians
- Load average of the machine before the start: ${loadBefore.toFixed(1)}

${table(
  ['daemon, one extension', 'µs of processor time a call', '÷ no traces', 'throughput ÷ no traces'],
  VARIANTS.map(({ label, name }) => {
    const of = found.get(name) as Round[];
    const cpu = ({ cpuMicros }: Round): number => cpuMicros;
    return [label, median(of.map(cpu)).toFixed(1), ratio(of, cpu), ratio(of, ({ rate }) => rate)];
  }),
)}
### What is measured

- Processor time of the daemon with all that it does. A sampled call has two spans; they are sent to a collector in another process. The queue of the library holds
  2048 spans (\`OTEL_BSP_MAX_QUEUE_SIZE\`): what does not fit is dropped there, so at such rates most spans of the last row are made and not sent.
`;
console.log(section);
if (!values['no-write']) writeSection('traces', section);
