// What a run of tests is said to have cost, from a /proc that the test writes and from the real one.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { unless } from '../helpers/skip.js';
import { until } from '../helpers/until.js';

interface Time {
  sample(): void;
  seconds(): Map<string, number>;
  processes(): Map<string, Map<string, number>>;
  alive(): { pid: number; file: string; program: string }[];
  readonly works: boolean;
}

const { MARK, ProcessorTime, busySeconds, parseStat } = (await import(
  pathToFileURL(resolve('scripts/processor-time.mjs')).href
)) as {
  MARK: string;
  ProcessorTime: new (options: {
    root: number;
    run: string;
    fileOf: (pid: number) => string | null;
    proc?: string;
  }) => Time;
  busySeconds: (proc?: string) => number | null;
  parseStat: (line: string) => Record<string, unknown>;
};

interface Process {
  readonly pid: number;
  readonly ppid?: number;
  /** Ticks of 10 ms. */
  readonly own?: number;
  readonly waited?: number;
  readonly program?: string;
  readonly environ?: string;
}

const statLine = ({ pid, ppid = 1, own = 0, waited = 0, program = 'node' }: Process): string =>
  `${pid} (${program}) S ${ppid} 1 1 0 -1 4194304 0 0 0 0 ${own} 0 ${waited} 0 20 0 1 0 ${1000 + pid} 0 0\n`;

/** Pid 10 is the root, 20 is AVA, from 100 on there are workers. */
function world(t: ExecutionContext, files: Readonly<Record<number, string>> = {}) {
  const proc = mkdtempSync(join(tmpdir(), 'extreg-proc-'));
  t.teardown(() => rmSync(proc, { recursive: true, force: true }));
  const show = (...processes: readonly Process[]) => {
    rmSync(proc, { recursive: true, force: true });
    for (const one of [{ pid: 1, ppid: 0 }, ...processes]) {
      mkdirSync(join(proc, String(one.pid)), { recursive: true });
      writeFileSync(join(proc, String(one.pid), 'stat'), statLine(one));
      writeFileSync(join(proc, String(one.pid), 'environ'), one.environ ?? 'PATH=/bin\0');
    }
  };
  show({ pid: 10 });
  const time = new ProcessorTime({ root: 10, run: 'r', fileOf: (pid) => files[pid] ?? null, proc });
  return {
    time,
    sample: (...processes: readonly Process[]) => {
      show(...processes);
      time.sample();
      return Object.fromEntries(time.seconds());
    },
  };
}

const FILES = { 100: 'test/a.test.ts', 200: 'test/b.test.ts' };

test('CPU-1: a worker and what descends from it are charged to its file, the rest of the run to the runner', (t) => {
  const { sample } = world(t, FILES);
  t.deepEqual(
    sample(
      { pid: 10, own: 100 },
      { pid: 20, ppid: 10, own: 200 },
      { pid: 100, ppid: 20, own: 300 },
      { pid: 101, ppid: 100, own: 50, program: 'nats-server' },
      { pid: 200, ppid: 20, own: 10 },
      { pid: 300, own: 9999 },
    ),
    { '': 3, 'test/a.test.ts': 3.5, 'test/b.test.ts': 0.1 },
  );
});

test('CPU-1: a child with a lower pid than its parent belongs to it', (t) => {
  const { sample } = world(t, FILES);
  t.deepEqual(sample({ pid: 10 }, { pid: 200, ppid: 10 }, { pid: 50, ppid: 200, own: 70 }), {
    '': 0,
    'test/b.test.ts': 0.7,
  });
});

test('CPU-1: an orphan is found by its mark and charged to the file that it names; one of another run is not', (t) => {
  const { sample } = world(t, FILES);
  const environ = `PATH=/bin\0${MARK}=r test/c.test.ts\0`;
  t.deepEqual(
    sample(
      { pid: 10 },
      { pid: 400, own: 210, environ },
      { pid: 401, own: 500, environ: `${MARK}=r2 test/c.test.ts\0` },
      { pid: 402, ppid: 400, own: 5 },
    ),
    { '': 0, 'test/c.test.ts': 2.15 },
  );
});

test('CPU-2: what a parent has waited for counts once, for the file of the child', (t) => {
  const { sample } = world(t, FILES);
  sample({ pid: 10 }, { pid: 20, ppid: 10 }, { pid: 100, ppid: 20, own: 300 }, { pid: 101, ppid: 100, own: 50 });
  // The worker waited for its child, AVA for the worker; both went on for a while after the last sample.
  sample({ pid: 10 }, { pid: 20, ppid: 10 }, { pid: 100, ppid: 20, own: 310, waited: 60 });
  t.deepEqual(sample({ pid: 10 }, { pid: 20, ppid: 10, own: 5, waited: 400 }), { '': 0.05, 'test/a.test.ts': 4 });
  t.deepEqual(sample({ pid: 10, waited: 406 }), { '': 0.06, 'test/a.test.ts': 4 });
});

test('CPU-2: what nobody waited for is as much as was seen of it', (t) => {
  const { sample } = world(t, FILES);
  const worker = { pid: 100, ppid: 10, own: 300 };
  sample({ pid: 10 }, worker, { pid: 101, ppid: 100, own: 50 }, { pid: 102, own: 7, ppid: 101 });
  // 101 was killed and reaped by another; 102 went to init.
  t.deepEqual(sample({ pid: 10 }, worker, { pid: 102, own: 8 }), { '': 0, 'test/a.test.ts': 3.58 });
  t.deepEqual(sample({ pid: 10 }, worker), { '': 0, 'test/a.test.ts': 3.58 });
});

test('CPU-2: a whole branch that is gone in one sample counts once', (t) => {
  const { sample } = world(t, FILES);
  sample(
    { pid: 10 },
    { pid: 20, ppid: 10 },
    { pid: 100, ppid: 20, own: 300 },
    { pid: 101, ppid: 100, own: 50 },
    { pid: 200, ppid: 20, own: 100 },
  );
  t.deepEqual(sample({ pid: 10, waited: 450 }), { '': 0, 'test/a.test.ts': 3.5, 'test/b.test.ts': 1 });
});

test('CPU-3: time before the first sample is not counted', (t) => {
  const { sample } = world(t);
  t.deepEqual(sample({ pid: 10, own: 3, waited: 4 }), { '': 0.07 });
});

test('counts processes by file and program', (t) => {
  const { time, sample } = world(t, FILES);
  const nats = { ppid: 100, program: 'nats-server' };
  sample({ pid: 10 }, { pid: 100, ppid: 10 }, { pid: 101, ...nats }, { pid: 102, ...nats });
  t.deepEqual(Object.fromEntries(time.processes().get('test/a.test.ts') ?? []), { node: 1, 'nats-server': 2 });
  t.deepEqual(
    time.alive().map(({ pid }) => pid),
    [100, 101, 102],
  );
});

test('a name with blanks and brackets is read as a name', (t) => {
  t.like(parseStat(statLine({ pid: 7, ppid: 3, own: 5, waited: 6, program: 'a) R 1 (b' })), {
    pid: 7,
    ppid: 3,
    own: 5,
    waited: 6,
    program: 'a) R 1 (b',
  });
});

test('without /proc nothing is measured', (t) => {
  const proc = join(tmpdir(), 'no-such-directory');
  t.false(new ProcessorTime({ root: 10, run: 'r', fileOf: () => null, proc }).works);
  t.is(busySeconds(proc), null);
});

const linux = unless(process.platform === 'linux' ? null : 'it needs Linux', test);

linux('CPU-1, WORKER-1: 2 s of a detached process without parent or environment are charged to its file', async (t) => {
  const run = `here-${process.pid}`;
  const time = new ProcessorTime({ root: process.pid, run, fileOf: () => null });
  const burn = 'const end = () => process.cpuUsage().user + process.cpuUsage().system > 2e6; while (!end());';
  // The shell is gone at once: the process belongs to init from then on.
  const shell = spawn('sh', ['-c', `"$0" -e "$1" >/dev/null 2>&1 & echo $!`, process.execPath, burn], {
    env: { [MARK]: `${run} test/burns.test.ts` },
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let printed = '';
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  await until('the shell ends', () => shell.exitCode !== null && printed.endsWith('\n'));
  const isRunning = () => {
    try {
      return readFileSync(`/proc/${printed.trim()}/stat`, 'latin1').split(') ')[1]?.[0] !== 'Z';
    } catch {
      return false;
    }
  };
  while (isRunning()) {
    time.sample();
    await delay(20);
  }
  time.sample();
  const charged = time.seconds().get('test/burns.test.ts') ?? 0;
  t.true(charged > 1.8 && charged < 2.5, `${charged} s`);
});

linux('WORKER-1: a process that a test starts has its mark, whatever environment it was given', async (t) => {
  const mark = process.env[MARK];
  process.env[MARK] ??= 'by-hand test/scripts/processor-time.test.ts';
  t.teardown(() => {
    if (mark === undefined) delete process.env[MARK];
  });
  const child = spawn('sleep', ['60'], { env: {}, detached: true, stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  const environ = () => readFileSync(`/proc/${child.pid}/environ`, 'utf8');
  await until('it runs', () => environ() !== '');
  t.regex(environ(), new RegExp(`${MARK}=\\S+ test/scripts/processor-time.test.ts`));
});
