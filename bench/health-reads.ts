// What reading the health of all extensions, over and over, and a stream of live updates cost the calls: their latency with and without, in
// turns. In a third turn the same reader gets as many bytes from another process: what it costs the calls is the machine's doing, since the
// processes share its cores, and not the daemon's. Writes its section of bench/RESULTS.md.
// Options: --rounds N, --seconds N, --extensions N, --in-flight N, --no-write.
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findNatsServer } from '../src/embedded/nats/embedded-server.js';
import { startServerProcess } from '../src/embedded/nats/server-process.js';
import { BODY_BYTES, DAEMON_PREFIX, EXTENSION_ID } from './client.js';
import type { Measured } from './generator.js';
import type { Reads } from './health-reader.js';
import { median } from './median.js';
import { machine, writeSection } from './results-file.js';
import { Role } from './role.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '3' },
    extensions: { type: 'string', default: '10000' },
    'in-flight': { type: 'string', default: '8' },
    'no-write': { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const inFlight = Number(values['in-flight']);
const durationMs = Number(values.seconds) * 1000;

const directory = mkdtempSync(join(tmpdir(), 'extreg-bench-'));
const binary = findNatsServer('', process.env);
if (binary === null) throw new Error('the benchmark needs a nats-server: set NATS_SERVER_BIN or install nats-server');
const server = await startServerProcess({ binary, directory, port: -1, config: '' });
const url = `nats://127.0.0.1:${server.port}`;
const loadBefore = loadavg()[0] ?? 0;
const roles: Role[] = [];
const start = async (module: string, ...more: string[]): Promise<Role> => {
  const role = await Role.start(module, url, ...(more as [string, ...string[]]));
  roles.push(role);
  return role;
};

interface Round {
  readonly without: Measured;
  readonly beside: Measured;
  readonly reads: Reads;
  /** The bytes came from another process. */
  readonly control: Measured;
  readonly controlReads: Reads;
}
const measured: Round[] = [];
try {
  const data = mkdtempSync(join(directory, 'role-'));
  await start('extension.js', data);
  const generator = await start('generator.js', data);
  const daemon = await start('daemon-middle.js', mkdtempSync(join(directory, 'role-')), values.extensions);
  const reader = await start('health-reader.js', await daemon.ask<string>('http'));
  const load = {
    subject: `${DAEMON_PREFIX}.invoke.${EXTENSION_ID}`,
    inFlight,
    headers: 0,
    bodyBytes: BODY_BYTES,
    durationMs,
  };
  const calls = async (): Promise<Measured> => {
    const result = await generator.ask<Measured>(load);
    if (result.wrong > 0) throw new Error(`${result.wrong} of ${result.requests} answers were wrong`);
    return result;
  };
  await calls();
  await reader.ask('start');
  await calls();
  const trial = await reader.ask<Reads>('stop');
  const size = Math.round(trial.bytes / Math.max(1, trial.lists));
  const source = await start('byte-source.js', '-', String(size));
  const other = await start('health-reader.js', await source.ask<string>('http'));
  for (let round = 0; round < rounds; round += 1) {
    const without = await calls();
    await reader.ask('start');
    const beside = await calls();
    const reads = await reader.ask<Reads>('stop');
    await other.ask('start');
    const control = await calls();
    const controlReads = await other.ask<Reads>('stop');
    measured.push({ without, beside, reads, control, controlReads });
    console.log(
      `p99 ${without.p99Ms.toFixed(2)} ms without, ${beside.p99Ms.toFixed(2)} ms beside ${reads.lists} lists of ${Math.round(reads.bytes / Math.max(1, reads.lists) / 1000)} kB, ${control.p99Ms.toFixed(2)} ms beside ${controlReads.lists} of another process`,
    );
  }
} finally {
  for (const role of roles) role.stop();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

const of = (pick: (round: Round) => number): number => median(measured.map(pick));
const row = (name: string, pick: (round: Round) => Measured): string =>
  `| ${name} | ${of((r) => pick(r).requests / pick(r).seconds).toFixed(0)} | ${of((r) => pick(r).p50Ms).toFixed(2)} | ${of((r) => pick(r).p99Ms).toFixed(2)} |`;
const section = `## Calls beside reads of the health of all extensions

Written by \`npm run bench:health\`.

- Machine: ${machine()}; Node ${process.version}
- ${new Date().toISOString().slice(0, 10)}; ${rounds} rounds of ${durationMs / 1000} s each way, in turns; medians; ${values.extensions} extensions, ${inFlight} calls in flight
- Load average of the machine before the start: ${loadBefore.toFixed(1)} (figures taken above 0.5 compare little but the ratios)

| | calls/s | p50 ms | p99 ms |
|---|---:|---:|---:|
${row('nothing else', (r) => r.without)}
${row('one client that reads `GET /admin/extensions/health` over and over, and one stream of `GET /admin/events`', (r) => r.beside)}
${row('a client that reads as many bytes of another process', (r) => r.control)}

p99 beside the reads ÷ without, median of the rounds: ${of((r) => r.beside.p99Ms / r.without.p99Ms).toFixed(2)}; of the same bytes from another process ÷ without: ${of((r) => r.control.p99Ms / r.without.p99Ms).toFixed(2)}.
Lists in a round: ${of(({ reads }) => reads.lists).toFixed(0)}, and ${of(({ controlReads }) => controlReads.lists).toFixed(0)} of the other process; ${of(({ reads }) => reads.streamed / 1000).toFixed(0)} kB of live updates.
`;
console.log(section);
if (!values['no-write']) writeSection('health', section);
