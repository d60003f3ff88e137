// The orchestrator: one nats-server, one process per role, interleaved rounds, medians. Writes its section of
// bench/RESULTS.md.
// Options: --rounds N, --seconds N, --in-flight 1,64,256, --headers 0,3, --only direct,bare,wire,daemon, --no-write.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findNatsServer } from '../src/embedded/nats/embedded-server.js';
import { startServerProcess } from '../src/embedded/nats/server-process.js';
import type { Measured } from './generator.js';
import { median } from './median.js';
import { machine, packageVersion, writeSection } from './results-file.js';
import { Role } from './role.js';
import { BARE_SUBJECT, DAEMON_PREFIX, EXTENSION_ID, EXTENSION_SUBJECT, WIRE_PREFIX } from './wire.js';

interface Variant {
  readonly name: string;
  readonly label: string;
  readonly subject: string;
  /** Module of the middle process; null: the requester calls the extension itself. */
  readonly middle: string | null;
}

const VARIANTS: readonly Variant[] = [
  { name: 'direct', label: '(a) requester → extension', subject: EXTENSION_SUBJECT, middle: null },
  { name: 'bare', label: '(b) → bare forwarder →', subject: BARE_SUBJECT, middle: 'bare-forwarder.js' },
  {
    name: 'wire',
    label: 'our wire, no decisions',
    subject: `${WIRE_PREFIX}.invoke.${EXTENSION_ID}`,
    middle: 'wire-middle.js',
  },
  {
    name: 'daemon',
    label: '(c) → this daemon →',
    subject: `${DAEMON_PREFIX}.invoke.${EXTENSION_ID}`,
    middle: 'daemon-middle.js',
  },
];

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1.5' },
    'in-flight': { type: 'string', default: '1,64,256' },
    headers: { type: 'string', default: '0,3' },
    only: { type: 'string', default: VARIANTS.map((variant) => variant.name).join(',') },
    'no-write': { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const durationMs = Number(values.seconds) * 1000;
const numbers = (list: string): number[] => list.split(',').map(Number);

interface Round extends Measured {
  readonly cpuMicros: number;
}

const directory = mkdtempSync(join(tmpdir(), 'extreg-bench-'));
const binary = findNatsServer('', process.env);
if (binary === null) throw new Error('the benchmark needs a nats-server: set NATS_SERVER_BIN or install nats-server');
const server = await startServerProcess({ binary, directory, port: -1, config: '' });
const url = `nats://127.0.0.1:${server.port}`;
const loadBefore = loadavg()[0] ?? 0;
const roles: Role[] = [];
const start = async (module: string): Promise<Role> => {
  const role = await Role.start(module, url, mkdtempSync(join(directory, 'role-')));
  roles.push(role);
  return role;
};

const lines: string[] = [];
try {
  const wanted = values.only.split(',');
  const variants = VARIANTS.filter(({ name }) => wanted.includes(name));
  await start('extension.js');
  const generator = await start('generator.js');
  const middles = new Map<string, Role>();
  for (const { name, middle } of variants) if (middle !== null) middles.set(name, await start(middle));

  const run = async (variant: Variant, inFlight: number, headers: number, ms: number): Promise<Round> => {
    const middle = middles.get(variant.name);
    const before = await middle?.ask<{ cpuMicros: number }>('cpu');
    const measured = await generator.ask<Measured>({ subject: variant.subject, inFlight, headers, durationMs: ms });
    const after = await middle?.ask<{ cpuMicros: number }>('cpu');
    if (measured.wrong > 0)
      throw new Error(`${variant.name}: ${measured.wrong} of ${measured.requests} answers were wrong`);
    return { ...measured, cpuMicros: (after?.cpuMicros ?? 0) - (before?.cpuMicros ?? 0) };
  };
  for (const variant of variants) await run(variant, 64, 3, 1000);

  for (const headers of numbers(values.headers)) {
    for (const inFlight of numbers(values['in-flight'])) {
      const results = new Map<Variant, Round[]>(variants.map((variant) => [variant, []]));
      for (let round = 0; round < rounds; round += 1)
        for (const variant of variants) results.get(variant)?.push(await run(variant, inFlight, headers, durationMs));
      const rate = (of: readonly Round[]): number => median(of.map(({ requests, seconds }) => requests / seconds));
      const bare = [...results].find(([{ name }]) => name === 'bare')?.[1];
      for (const [{ label, middle }, of] of results) {
        // Ratios are taken round by round: neighbours in time share the machine's mood.
        const ratio =
          bare === undefined || middle === null
            ? Number.NaN
            : median(of.map((r, i) => r.requests / r.seconds / ((bare[i]?.requests ?? 0) / (bare[i]?.seconds ?? 1))));
        const line = [
          headers,
          inFlight,
          label,
          Math.round(rate(of)),
          median(of.map(({ p50Ms }) => p50Ms)).toFixed(2),
          median(of.map(({ p99Ms }) => p99Ms)).toFixed(2),
          middle === null ? '' : median(of.map(({ cpuMicros, requests }) => cpuMicros / requests)).toFixed(1),
          Number.isNaN(ratio) ? '' : ratio.toFixed(2),
        ];
        lines.push(`| ${line.join(' | ')} |`);
        console.log(lines.at(-1));
      }
    }
  }
} finally {
  for (const role of roles) role.stop();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

if (!values['no-write']) {
  const packages = ['@nats-io/nats-core', '@nats-io/transport-node'].map(packageVersion);
  const section = `## The daemon, beside a bare forwarder

Written by \`npm run bench\`.

- Machine: ${machine()}
- Node ${process.version}, ${execFileSync(binary, ['--version']).toString().trim()}, ${packages.join(', ')}
- ${new Date().toISOString().slice(0, 10)}; ${rounds} rounds of ${durationMs / 1000} s each, the variants taking turns; medians
- Load average of the machine before the start: ${loadBefore.toFixed(1)} (figures taken above 0.5 compare little but the ratios)

| caller headers | in flight | variant | requests/s | p50 ms | p99 ms | middle CPU µs/request | throughput ÷ bare |
|---:|---:|---|---:|---:|---:|---:|---:|
${lines.join('\n')}

### What is measured

- Requester, middle process, extension and nats-server are a process each, all on this machine, over loopback TCP.
- Bodies are 256 bytes both ways. The extension answers at once with the body it got and no headers.
- The requester keeps the given number of requests in flight (closed loop) over one connection.
- "Bare forwarder" is the ceiling for a process in the middle on nats.js: one hand-held inbox with a number for each
  request that never repeats, no timers, no decisions, headers passed as bytes. "Our wire" is the daemon's intake, header codec and requester with a handler that knows one route.
  "This daemon" is the whole: registry, routing, breaker (\`failure_rule: consecutive\`, so that noise trips nothing), windows, histograms.
- CPU is user and system time of the middle process alone. The ratio is the median of the ratios of neighbouring rounds.

### What is not

- Networks, clusters, TLS, authentication, larger bodies, open-loop load (so no queueing delay under overload), and long runs.
- One request in flight measures wake-ups of the operating system more than any of our code.
- With fewer cores than processes they compete: absolute figures of this machine say little about another, ratios say more.
`;
  writeSection('daemon', section);
}
