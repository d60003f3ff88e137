// Calls through the daemon, beside a bare forwarder on the same client library and a gateway on Moleculer: a process each, interleaved rounds, medians.
// Writes its section of bench/RESULTS.md.
// Options: --rounds N, --seconds N, --in-flight 1,64,256, --headers 0,3, --only direct,bare,wire,daemon,everything,moleculer, --parts closed,bodies,open, --no-write.
import { execFileSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { BODY_BYTES } from './client.js';
import { median } from './median.js';
import { machine, packageVersion, table, writeSection } from './results-file.js';
import {
  BARE,
  EVERYTHING,
  installPeers,
  MOLECULER,
  type Round,
  VARIANTS,
  type Variant,
  WireProcesses,
} from './wire-processes.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1.5' },
    'in-flight': { type: 'string', default: '1,64,256' },
    headers: { type: 'string', default: '3' },
    only: { type: 'string', default: VARIANTS.map((variant) => variant.name).join(',') },
    parts: { type: 'string', default: 'closed,bodies,open' },
    'no-write': { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const durationMs = Number(values.seconds) * 1000;
const numbers = (list: string): number[] => list.split(',').map(Number);
const wanted = values.only.split(',');
const variants = VARIANTS.filter(({ name }) => wanted.includes(name));
const parts = values.parts.split(',');

const loadBefore = loadavg()[0] ?? 0;
if (variants.includes(MOLECULER)) installPeers();
const processes = await WireProcesses.start(variants);

const WARM_TURNS = 3;
const WARM_MS = 2000;

type LoadOf = Parameters<WireProcesses['run']>[1];

/** Of each variant, the variants taking turns. */
async function measured(of: readonly Variant[], load: LoadOf): Promise<ReadonlyMap<Variant, readonly Round[]>> {
  const found = new Map<Variant, Round[]>(of.map((variant) => [variant, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const [variant, list] of found) list.push(await processes.run(variant, load));
  return found;
}

const rateOf = ({ requests, seconds }: Round): number => requests / seconds;
const cpuOf = ({ cpuMicros, requests }: Round): number => cpuMicros / requests;

/** Round by round: neighbours in time share the machine's mood. '' where there is nothing to compare with. */
function ratio(of: readonly Round[], to: readonly Round[] | undefined, figure: (round: Round) => number): string {
  if (to === undefined) return '';
  return median(of.map((round, i) => figure(round) / figure(to[i] as Round))).toFixed(2);
}

const medianOf = (rounds: readonly Round[], figure: (round: Round) => number, digits: number): string =>
  median(rounds.map(figure)).toFixed(digits);

async function closedRows(): Promise<string[][]> {
  const rows: string[][] = [];
  for (const headers of numbers(values.headers))
    for (const inFlight of numbers(values['in-flight'])) {
      const found = await measured(variants, { inFlight, headers, bodyBytes: BODY_BYTES, durationMs });
      const bare = found.get(BARE);
      const moleculer = found.get(MOLECULER);
      for (const [{ label, middle }, of] of found) {
        const to = middle === null ? undefined : bare;
        rows.push([
          label,
          String(headers),
          String(inFlight),
          medianOf(of, rateOf, 0),
          medianOf(of, ({ p50Ms }) => p50Ms, 2),
          medianOf(of, ({ p99Ms }) => p99Ms, 2),
          middle === null ? '' : medianOf(of, cpuOf, 1),
          ratio(of, to, rateOf),
          ratio(of, to, cpuOf),
          middle === null ? '' : ratio(of, moleculer, rateOf),
        ]);
        console.log(rows.at(-1)?.join(' | '));
      }
    }
  return rows;
}

const COMPARED = [BARE, EVERYTHING].filter((variant) => variants.includes(variant));

async function bodyRows(): Promise<string[][]> {
  const rows: string[][] = [];
  for (const bodyBytes of [16_384, 65_536]) {
    const found = await measured(COMPARED, { inFlight: 64, headers: 3, bodyBytes, durationMs });
    for (const [{ label }, of] of found) {
      const bare = found.get(BARE);
      rows.push([
        label,
        `${bodyBytes / 1024} KB`,
        medianOf(of, rateOf, 0),
        medianOf(of, cpuOf, 1),
        ratio(of, bare, rateOf),
      ]);
      console.log(rows.at(-1)?.join(' | '));
    }
  }
  return rows;
}

/** At half of what the slower of the two carries with 256 in flight. */
async function openRows(): Promise<string[][]> {
  const load = { headers: 3, bodyBytes: BODY_BYTES, durationMs };
  const saturated = await measured(COMPARED, { ...load, inFlight: 256 });
  const rate = Math.round(Math.min(...[...saturated.values()].map((of) => median(of.map(rateOf)))) / 2);
  const found = await measured(COMPARED, { ...load, rate });
  return [...found].map(([{ label }, of]) => {
    const p99 = ({ p99Ms }: Round): number => p99Ms;
    const row = [
      label,
      String(rate),
      medianOf(of, ({ p50Ms }) => p50Ms, 2),
      medianOf(of, p99, 2),
      ratio(of, found.get(BARE), p99),
    ];
    console.log(row.join(' | '));
    return row;
  });
}

const found = { closed: [] as string[][], bodies: [] as string[][], open: [] as string[][] };
try {
  // Until all of it is compiled: the process of the daemon holds a database besides.
  for (let turn = 0; turn < WARM_TURNS; turn += 1)
    for (const variant of variants)
      await processes.run(variant, { inFlight: 64, headers: 3, bodyBytes: BODY_BYTES, durationMs: WARM_MS });
  if (parts.includes('closed')) found.closed = await closedRows();
  if (parts.includes('bodies')) found.bodies = await bodyRows();
  if (parts.includes('open')) found.open = await openRows();
} finally {
  await processes.stop();
}

if (!values['no-write']) {
  const packages = ['@nats-io/nats-core', '@nats-io/transport-node'].map(packageVersion);
  const section = `## The daemon, beside a bare forwarder and Moleculer

Written by \`npm run bench:wire\`.

- Machine: ${machine()}
- Node ${process.version}, ${execFileSync(processes.binary, ['--version']).toString().trim()}, ${packages.join(', ')}, moleculer 0.15.2 with nats 2.29.3
- ${new Date().toISOString().slice(0, 10)}; ${rounds} rounds of ${durationMs / 1000} s each, the variants taking turns; medians
- Load average of the machine before the start: ${loadBefore.toFixed(1)} (figures taken above 0.5 compare little but the ratios)

Closed loop, bodies of ${BODY_BYTES} bytes; ratios are those of neighbouring rounds:

${table(
  [
    'in the middle',
    'caller headers',
    'in flight',
    'requests/s',
    'p50 ms',
    'p99 ms',
    'its CPU µs/request',
    'throughput ÷ bare',
    'its CPU ÷ bare',
    'throughput ÷ Moleculer',
  ],
  found.closed,
)}
Larger bodies both ways, 64 in flight, three caller headers:

${table(['in the middle', 'body', 'requests/s', 'its CPU µs/request', 'throughput ÷ bare'], found.bodies)}
Open loop at half of the rate that the slower of the two carries with 256 in flight; each request is measured from when it was due:

${table(['in the middle', 'requests/s', 'p50 ms', 'p99 ms', 'p99 ÷ bare'], found.open)}
### What is measured

- Generator, process in the middle, extension and nats-server are a process each, all on this machine, over loopback TCP.
- The extension answers at once with the body it got and no headers.
- "A bare forwarder" is a process in the middle on nats.js: one hand-held inbox with a number for each request that never repeats, no timers, no
  decisions, headers passed as bytes. "Our wire" is the daemon's intake, header codec and requester with a handler that knows one route.
  "This daemon" is the whole: registry, routing, breaker (\`failure_rule: consecutive\`, so that noise trips nothing), windows, histograms, board,
  metrics, admin API, on PostgreSQL.
- Moleculer: caller, gateway and extension are brokers of their own, on its NATS transporter with its defaults; the gateway's action calls the
  extension's with the circuit breaker on. Bodies are texts in JSON, as it sends them.
- CPU is user and system time of the process in the middle alone, with all its threads.

### What is not

- Networks, clusters, TLS, authentication, and long runs.
- One request in flight measures wake-ups of the operating system more than any of our code.
- With fewer cores than processes they compete: absolute figures of this machine say little about another, ratios say more.
`;
  writeSection('wire', section);
}
