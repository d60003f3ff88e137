// Twice as many calls as the daemon can serve, in an open loop, with admission and without it. Calls are made expensive for the daemon alone: what routing
// needs stands in a large body. Writes its section of bench/RESULTS.md.
// Options: --seconds N, --short-seconds N, --capacity-seconds N, --load N, --deadline-ms N, --no-write. A case of 0 seconds is left out.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findNatsServer } from '../src/embedded/nats/embedded-server.js';
import { startServerProcess } from '../src/embedded/nats/server-process.js';
import type { DaemonLog } from './overload-daemon.js';
import type { Flood, Flooded } from './overload-generator.js';
import { machine, table, writeSection } from './results-file.js';
import { Role } from './role.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    'short-seconds': { type: 'string', default: '20' },
    'capacity-seconds': { type: 'string', default: '10' },
    load: { type: 'string', default: '2' },
    'deadline-ms': { type: 'string', default: '1000' },
    'no-write': { type: 'boolean', default: false },
  },
});
const load = Number(values.load);
const deadlineMs = Number(values['deadline-ms']);
const [seconds, shortSeconds] = [Number(values.seconds), Number(values['short-seconds'])];

interface Case {
  readonly name: string;
  readonly admission: 'adaptive' | 'off';
  readonly bytes: number;
  readonly members: number;
  readonly seconds: number;
}

const SMALL = { bytes: 16_384, members: 1900 };
const LARGE = { bytes: 49_152, members: 600 };
const CASES: readonly Case[] = [
  { name: '16 KB', admission: 'adaptive', ...SMALL, seconds },
  { name: '16 KB, admission off', admission: 'off', ...SMALL, seconds: shortSeconds },
  { name: '48 KB', admission: 'adaptive', ...LARGE, seconds: shortSeconds },
];
/** So few wait that none is refused, and the daemon is never idle. */
const IN_FLIGHT = 16;
const WARM_UP_MS = 4000;
const SAMPLE_MS = 500;
const PATIENCE_MS = 5000;
const TICKS_PER_SECOND = 100;

interface Measured {
  readonly flooded: Flooded;
  /** Shares of one processor. */
  readonly busy: {
    readonly daemon: number;
    readonly generator: number;
    readonly extension: number;
    readonly server: number;
  };
  readonly machineIdle: number;
  /** Megabytes, every half second. */
  readonly rss: readonly number[];
}

const directory = mkdtempSync(join(tmpdir(), 'extreg-bench-'));
const binary = findNatsServer('', process.env);
if (binary === null) throw new Error('the benchmark needs a nats-server: set NATS_SERVER_BIN or install nats-server');
const loadBefore = loadavg()[0] ?? 0;
const server = await startServerProcess({ binary, directory, port: -1, config: '' });
const url = `nats://127.0.0.1:${server.port}`;
const roles: Role[] = [];
const start = async (module: string, ...more: string[]): Promise<Role> => {
  const role = await Role.start(module, url, mkdtempSync(join(directory, 'role-')), ...more);
  roles.push(role);
  return role;
};

const cpuSeconds = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
};
/** Of all processors together: the time that none of them had anything to do. */
const idleSeconds = (): number =>
  Number(/^cpu +(?:\d+ ){3}(\d+)/.exec(readFileSync('/proc/stat', 'latin1'))?.[1] ?? 0) / TICKS_PER_SECOND;
const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1000;

async function measure(
  daemon: Role,
  flood: Partial<Flood> & Pick<Flood, 'bytes' | 'members' | 'durationMs'>,
): Promise<Measured> {
  const pids = { daemon: daemon.pid, generator: generator.pid, extension: extension.pid, server: server.pid };
  const cpu = () => Object.entries(pids).map(([, pid]) => cpuSeconds(pid));
  const rss = [residentMb(daemon.pid)];
  const sampler = setInterval(() => rss.push(residentMb(daemon.pid)), SAMPLE_MS);
  const [before, idleBefore, startMs] = [cpu(), idleSeconds(), performance.now()];
  const wanted = { inFlight: 0, perSecond: 0, patienceMs: PATIENCE_MS, deadlineMs, ...flood };
  let after: number[] = [];
  let [idleAfter, seconds] = [0, 0];
  // What is measured of the processes is of the time of the load alone, not of what is waited for after it.
  const sampled = new Promise<void>((resolve) =>
    setTimeout(() => {
      after = cpu();
      idleAfter = idleSeconds();
      seconds = (performance.now() - startMs) / 1000;
      resolve();
    }, wanted.durationMs),
  );
  const [flooded] = await Promise.all([generator.ask<Flooded>(wanted), sampled]);
  clearInterval(sampler);
  const share = (i: number): number => ((after[i] ?? 0) - (before[i] ?? 0)) / seconds;
  return {
    flooded,
    busy: { daemon: share(0), generator: share(1), extension: share(2), server: share(3) },
    machineIdle: (idleAfter - idleBefore) / seconds,
    rss,
  };
}

interface Result {
  readonly of: Case;
  readonly capacity: Measured;
  readonly measured: Measured;
  /** The capacity once more: calls are refused no longer, and a machine that does other things shows. */
  readonly after: Measured;
  /** Of the time of the load. */
  readonly log: DaemonLog;
}

async function run(of: Case): Promise<Result> {
  const daemon = await start('overload-daemon.js', of.admission);
  const { bytes, members } = of;
  const shape = { bytes, members };
  await measure(daemon, { ...shape, inFlight: IN_FLIGHT, durationMs: WARM_UP_MS });
  const durationMs = Number(values['capacity-seconds']) * 1000;
  const capacity = await measure(daemon, { ...shape, inFlight: IN_FLIGHT, durationMs });
  const perSecond = perSecondOf(capacity, 'answered') * load;
  await daemon.ask<DaemonLog>('log');
  const measured = await measure(daemon, { ...shape, perSecond, durationMs: of.seconds * 1000 });
  const log = await daemon.ask<DaemonLog>('log');
  const after = await measure(daemon, { ...shape, inFlight: IN_FLIGHT, durationMs });
  daemon.stop();
  roles.splice(roles.indexOf(daemon), 1);
  return { of, capacity, measured, after, log };
}

const perSecondOf = ({ flooded }: Measured, what: 'sent' | 'answered' | 'inTime' | 'refused'): number =>
  flooded[what] / flooded.seconds;

const generator = await start('overload-generator.js');
const extension = await start('overload-extension.js');
const results: Result[] = [];
try {
  for (const of of CASES.filter(({ seconds }) => seconds > 0)) {
    results.push(await run(of));
    console.log(columnOf(results.at(-1) as Result));
  }
} finally {
  for (const role of roles) role.stop();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

function columnOf({ capacity, measured, after, log }: Result): Readonly<Record<string, string>> {
  const { flooded, busy, rss, machineIdle } = measured;
  const inTime = perSecondOf(measured, 'inTime');
  const most = Math.max(perSecondOf(capacity, 'answered'), perSecondOf(after, 'answered'));
  const perProcessorSecond = (of: Measured): number => perSecondOf(of, 'inTime') / of.busy.daemon;
  const mostPerProcessorSecond = Math.max(perProcessorSecond(capacity), perProcessorSecond(after) || 0);
  const ms = (value: number | null): string => value?.toFixed(0) ?? '-';
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  return {
    'capacity, calls/s': perSecondOf(capacity, 'answered').toFixed(0),
    'processor time of the daemon for one of them, µs': (
      (capacity.busy.daemon / perSecondOf(capacity, 'answered')) *
      1e6
    ).toFixed(0),
    'capacity after it, calls/s; of them refused': `${perSecondOf(after, 'answered').toFixed(0)}; ${after.flooded.refused}`,
    'calls/s sent': perSecondOf(measured, 'sent').toFixed(0),
    [`answers within ${deadlineMs} ms, calls/s`]: inTime.toFixed(0),
    '**their share of the capacity**': percent(inTime / most),
    'the same for a second of the daemon’s processor time': percent(
      perProcessorSecond(measured) / mostPerProcessorSecond,
    ),
    'answer, p50 / p99 ms': `${ms(flooded.answeredP50Ms)} / ${ms(flooded.answeredP99Ms)}`,
    'refused as `overloaded`, calls/s': perSecondOf(measured, 'refused').toFixed(0),
    'refusal, p50 / p99 ms': `${ms(flooded.refusedP50Ms)} / ${ms(flooded.refusedP99Ms)}`,
    'other errors; no answer; second answers': [
      flooded.failed,
      flooded.sent - flooded.answered - flooded.refused - flooded.failed,
      flooded.twice,
    ].join('; '),
    'resident memory of the daemon before, after each quarter, MB': [0, 0.25, 0.5, 0.75, 1]
      .map((part) => (rss[Math.round(part * (rss.length - 1))] ?? 0).toFixed(0))
      .join(' / '),
    'disconnects of the daemon': String(log.logged.nats_disconnected ?? 0),
    'processor time: daemon (of the time, its event loop was busy for)': `${percent(busy.daemon)} (${percent(log.utilization)})`,
    'processor time: generator / extension / nats-server': [busy.generator, busy.extension, busy.server]
      .map(percent)
      .join(' / '),
    'of two processors idle': percent(machineIdle),
  };
}

const columns = results.map(columnOf);
const section = `## Overload

Written by \`npm run bench:overload\`.

- Machine: ${machine()}; Node ${process.version}
- ${new Date().toISOString().slice(0, 10)}; ${load} times the capacity, open loop, for ${seconds} s (the others for ${shortSeconds} s)
- Load average of the machine before the start: ${loadBefore.toFixed(1)} (figures taken above 0.5 are of a machine that did other things, too: what they take from the daemon in one part of a
  run and not in the other changes the share of the capacity; the line below it does not count it)

${table(
  ['', ...results.map(({ of }) => of.name)],
  Object.keys(columns[0] ?? {}).map((name) => [name, ...columns.map((column) => column[name] ?? '')]),
)}
- Calls are expensive for the daemon alone: the key that routing needs is looked up in a JSON body. A body of 16 KB has 1900 members of metadata, one of
  48 KB has 600: the fewer bytes for the same work, the more time generator and server have left. The extension answers with a few bytes.
- The capacity is the rate with ${IN_FLIGHT} calls in flight, on the same daemon just before and just after; the greater one counts. A refused call is still received: 48 KB that are read and thrown away cost a good part of
  what it costs to serve them, and no admission gives that back.
- A loop that is busy for all of the time with less than 100 % of processor time had to wait for a processor: the machine did other things.
- The time of an answer or a refusal is the caller's, from the moment when the call was due to be sent.
`;
console.log(section);
if (!values['no-write']) writeSection('overload', section);
