// The parts of `npm test` around AVA: order, budget, profile, temporary directory, what workers say of themselves.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { unless } from '../helpers/skip.js';
import { until } from '../helpers/until.js';

type Seconds = Map<string, number>;
const script = (name: string) => pathToFileURL(resolve('scripts', name)).href;
const { longestFirst, keepSeconds } = (await import(script('test-order.mjs'))) as {
  longestFirst: (root: string) => (a: string, b: string) => number;
  keepSeconds: (wall: Seconds, root: string) => void;
};
const { costLines, overBudget } = (await import(script('test-budget.mjs'))) as {
  costLines: (run: object) => string[];
  overBudget: (
    seconds: Seconds,
    factor?: number,
    budget?: { total: number; file: number },
    factorOf?: (file: string) => number,
  ) => string[];
};
const { MachineSpeed } = (await import(script('machine-speed.mjs'))) as {
  MachineSpeed: new (
    root: string,
  ) => {
    note(seconds: number, files?: readonly string[]): void;
    readonly reference: number | null;
    readonly factor: number;
    factorOf(file: string): number;
  };
};
const { groupLines, fileLines, profileOf } = (await import(script('test-profile.mjs'))) as {
  profileOf: (run: object) => { total_cpu_s: number; files: object[] };
  groupLines: (profile: object) => string[];
  fileLines: (profile: object) => string[];
};
const { makeTestDirectory } = (await import(script('test-directory.mjs'))) as {
  makeTestDirectory: (places: string[], bytes?: number) => { directory: string; remove: () => void };
};
const { testsByFile } = (await import(script('tap.mjs'))) as {
  testsByFile: (runs: string[][], files: string[]) => Map<string, number>;
};

function directory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'extreg-runner-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const compiled = (root: string, names: readonly string[]) =>
  names.map((name) => join(root, 'dist/test', `${name}.test.js`));

test('order: what took longest in the last run is first, what has not run before it; a committed profile stands in', (t) => {
  const root = directory(t);
  mkdirSync(join(root, 'test'));
  const profile = { files: ['a', 'b', 'c'].map((name, i) => ({ file: `test/${name}.test.ts`, wall_s: 10 * (i + 1) })) };
  writeFileSync(join(root, 'test', 'profile.json'), JSON.stringify(profile));
  const names = compiled(root, ['a', 'b', 'c', 'new']);
  t.deepEqual([...names].sort(longestFirst(root)), compiled(root, ['new', 'c', 'b', 'a']));
  keepSeconds(new Map([['test/a.test.ts', 99]]), root);
  keepSeconds(new Map([['test/c.test.ts', 1]]), root);
  t.deepEqual([...names].sort(longestFirst(root)), compiled(root, ['new', 'a', 'b', 'c']));
});

test('order: without any record, or with a damaged one, it is by name', (t) => {
  const root = directory(t);
  const names = compiled(root, ['b', 'a']);
  t.deepEqual([...names].sort(longestFirst(root)), compiled(root, ['a', 'b']));
  mkdirSync(join(root, '.tmp'));
  writeFileSync(join(root, '.tmp', 'test-seconds.json'), '{"test/a');
  t.deepEqual([...names].sort(longestFirst(root)), compiled(root, ['a', 'b']));
});

const SECONDS: Seconds = new Map([
  ['', 10],
  ['test/a.test.ts', 39.9],
  ['test/b.test.ts', 40.1],
]);

test('budget: says which file is over its 40 s, and what is over the budget of all', (t) => {
  t.deepEqual(overBudget(SECONDS), ['test/b.test.ts took 40.1 s of processor time; a file may take 40 s.']);
  t.deepEqual(overBudget(SECONDS, 1, { total: 89, file: 50 }), [
    'All tests took 90.0 s of processor time; together they may take 89 s.',
  ]);
  t.deepEqual(overBudget(SECONDS, 1, { total: 90, file: 41 }), []);
});

const cost = (busySeconds: number | null, loadBefore: number) =>
  costLines({ seconds: SECONDS, wallSeconds: 60, busySeconds, loadBefore, reference: 0.64, factor: 2 }).join('\n');

test('budget: the dearest files, the sum, and the busy time of the machine beside it', (t) => {
  t.regex(
    cost(95, 0.1),
    /of 2 files[\s\S]*40\.1 {2}test\/b[\s\S]*39\.9 {2}test\/a[\s\S]*90\.0 s of processor time in 60 s[\s\S]*95\.0 s/,
  );
});

test('budget: more than 15 % between sum and busy time is said on a quiet machine only', (t) => {
  t.notRegex(cost(105, 0.1), /apart/);
  t.regex(cost(110, 0.1), /18 % apart/);
  t.regex(cost(75, 0.1), /20 % apart/);
  t.notRegex(cost(400, 3), /apart/);
  t.notRegex(cost(null, 0), /apart/);
});

test('budget: on a machine where a second of processor time is longer, more of them are allowed', (t) => {
  t.deepEqual(overBudget(SECONDS, 2, { total: 46, file: 20.1 }), []);
  t.deepEqual(overBudget(SECONDS, 2, { total: 44, file: 20 }), [
    'test/b.test.ts took 20.1 s of processor time; a file may take 20 s.',
    'All tests took 45.0 s of processor time; together they may take 44 s.',
  ]);
  t.regex(
    cost(95, 0.1),
    /The reference took 0\.64 s here, 0\.32 s where the budget was set: that makes it 45\.0 s there\./,
  );
});

test('speed: the median of the reference, never faster than the machine of the budget', (t) => {
  const speed = new MachineSpeed('.');
  t.is(speed.factor, 1);
  for (const seconds of [0.9, 0.64, 0.5, Number.NaN, 0]) speed.note(seconds);
  t.is(speed.reference, 0.64);
  t.is(speed.factor, 2);
  const fast = new MachineSpeed('.');
  fast.note(0.1);
  t.is(fast.factor, 1);
});

test('speed: what a file took is compared with the starts of the reference while it ran, if there are three', (t) => {
  const speed = new MachineSpeed('.');
  for (const seconds of [1.28, 0.96, 1.6]) speed.note(seconds, ['test/a.test.ts', 'test/b.test.ts']);
  for (let i = 0; i < 2; i++) speed.note(0.32, ['test/b.test.ts', 'test/short.test.ts']);
  for (let i = 0; i < 4; i++) speed.note(0.32, []);
  t.is(speed.factor, 1);
  t.is(speed.factorOf('test/a.test.ts'), 4);
  t.is(speed.factorOf('test/b.test.ts'), 3);
  t.is(speed.factorOf('test/short.test.ts'), 1);
  t.deepEqual(
    overBudget(SECONDS, 1, { total: 90, file: 20 }, (file) => (file === 'test/b.test.ts' ? 2 : 4)),
    ['test/b.test.ts took 20.1 s of processor time; a file may take 20 s.'],
  );
});

test('profile: a line per file, a line per group, with the processes that were started', (t) => {
  const profile = profileOf({
    seconds: new Map([
      ['', 2],
      ['test/db/a.test.ts', 3],
      ['test/db/b.test.ts', 4.04],
      ['test/top.test.ts', 1],
    ]),
    wallByFile: new Map([['test/db/a.test.ts', 7]]),
    processes: new Map([
      [
        'test/db/a.test.ts',
        new Map([
          ['node', 3],
          ['MainThread', 1],
          ['initdb', 1],
        ]),
      ],
    ]),
    tests: new Map([['test/db/a.test.ts', 12]]),
  });
  t.is(profile.total_cpu_s, 10);
  t.deepEqual(profile.files[1], {
    file: 'test/db/a.test.ts',
    tests: 12,
    cpu_s: 3,
    wall_s: 7,
    started: { node: 4, initdb: 1 },
  });
  t.regex(groupLines(profile).join('\n'), /db +2 +12 +7\.0 +4 +0 +0 +1 +0\n- +1 +0 +1\.0.*\nall +3 +12 +10\.0/);
  t.regex(fileLines(profile)[0] ?? '', /4\.0 +0\.0 +0 {2}test\/db\/b\.test\.ts/);
});

test('profile: titles are counted by the file that AVA puts before them', (t) => {
  const files = ['test/a.test.ts', 'test/db/a.test.ts'];
  t.deepEqual(
    testsByFile([['a › x', 'db › a › y › z', 'db › a › w']], files),
    new Map([
      [files[0], 1],
      [files[1], 2],
    ]),
  );
  t.deepEqual(testsByFile([['x › y', 'z']], ['test/db/a.test.ts']), new Map([['test/db/a.test.ts', 2]]));
});

test('profile: a run whose files are all in one folder has titles without it', (t) => {
  const files = ['console/pages', 'console/sessions', 'scripts/pages', 'a'].map((name) => `test/${name}.test.ts`);
  const pages = ['pages › x', 'sessions › y', 'sessions › z'];
  const others = ['scripts › pages › x', 'a › pages › x'];
  const counts = [
    [files[0], 1],
    [files[1], 2],
    [files[2], 1],
    [files[3], 1],
  ] as const;
  t.deepEqual(testsByFile([pages, others], files), new Map(counts));
});

test('directory: the first place with room; it goes with the run, and so does what a killed run has left', async (t) => {
  const [small, large] = [directory(t), directory(t)];
  const gone = spawn('true');
  await once(gone, 'exit');
  const left = join(large, `extreg-test-${gone.pid}`);
  const others = join(large, 'extreg-test-notes');
  const alive = join(large, `extreg-test-${process.ppid}`);
  for (const path of [left, others, alive]) mkdirSync(path);
  const made = makeTestDirectory([join(small, 'missing'), large], 1);
  t.is(made.directory, join(large, `extreg-test-${process.pid}`));
  t.is(statSync(made.directory).mode & 0o777, 0o755);
  t.deepEqual([left, others, alive].map(existsSync), [false, true, true]);
  writeFileSync(join(made.directory, 'file'), '');
  made.remove();
  t.false(existsSync(made.directory));
});

/** Pids, as /proc has them. */
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const linux = unless(process.platform === 'linux' ? null : 'it needs Linux', test);

linux('WORKER-2: what a worker has started ends when its AVA is killed, and so does the worker', async (t) => {
  const root = directory(t);
  writeFileSync(
    join(root, 'sleeps.test.js'),
    `import { spawn } from 'node:child_process';
     import test from ${JSON.stringify(import.meta.resolve('ava'))};
     test('sleeps', async (t) => {
       spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
       await new Promise(() => setInterval(() => {}, 1000));
     });`,
  );
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(root, 'ava.config.js'),
    `export default { files: ['*.test.js'], workerThreads: false, require: [${JSON.stringify(resolve('scripts/test-worker.mjs'))}] };`,
  );
  const workers = join(root, 'workers');
  const ava = spawn(process.execPath, [resolve('node_modules/ava/entrypoints/cli.mjs')], {
    cwd: root,
    env: { PATH: process.env.PATH, EXTREG_TEST_WORKERS: workers, EXTREG_TEST_RUN: 'r' },
    stdio: 'ignore',
  });
  t.teardown(() => ava.kill('SIGKILL'));
  let [worker, child]: number[] = [];
  await until('the worker says what it runs', () => {
    worker = existsSync(workers) ? readdirSync(workers).map(Number)[0] : undefined;
    return worker !== undefined;
  });
  await until('its child runs', () => {
    child = childrenOf(worker ?? 0)[0];
    return child !== undefined;
  });
  ava.kill('SIGTERM');
  await until('worker and child are gone', () => !isRunning(worker ?? 0) && !isRunning(child ?? 0));
  t.pass();
});
