import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { StopSignals } from '../../../src/cli/process/signals.js';

const MODULE = new URL('../../../src/cli/process/signals.js', import.meta.url).href;

/** What a stop in the child may do; `slow` takes 1.5 s. */
const STOPS = {
  quick: 'async (reason) => { say("stop " + reason); }',
  slow: 'async (reason) => { say("stop " + reason); await new Promise((r) => setTimeout(r, 1500)); }',
  endless: 'async (reason) => { say("stop " + reason); await new Promise(() => {}); }',
  failing: 'async (reason) => { say("stop " + reason); throw new Error("no"); }',
};

type Options = Partial<Pick<StopSignals, 'deadlineMs' | 'onOutputClosed'>> & {
  readonly stop: keyof typeof STOPS;
  readonly reload?: true;
  readonly watchParent?: true;
  /** What flushing the output resolves with. */
  readonly flushes?: boolean;
};

class Subject {
  readonly said: string[] = [];
  readonly #exited: Promise<unknown[]>;

  constructor(
    readonly child: ChildProcess,
    /** The process that has the signals, where it is not the child itself. */
    private readonly output = child.stderr,
  ) {
    this.#exited = once(child, 'exit');
    this.output?.setEncoding('utf8').on('data', (text: string) => this.said.push(...text.trim().split('\n')));
  }

  async hears(line: string): Promise<void> {
    while (!this.said.includes(line)) {
      if (!this.output || this.output.readableEnded) throw new Error(`it ended without saying: ${line}`);
      await Promise.race([once(this.output, 'data'), once(this.output, 'end')]);
    }
  }

  /** Exit code. */
  async ends(): Promise<unknown> {
    const [code] = await this.#exited;
    return code;
  }
}

/** A process of its own that stays up until it is told to end; it talks on standard error. */
function script({ stop, reload, watchParent, flushes = true, ...rest }: Options): string {
  return `
    import { stopOnSignals } from '${MODULE}';
    const say = (text) => { try { process.stderr.write(text + '\\n'); } catch {} };
    stopOnSignals({
      stop: ${STOPS[stop]},
      flush: async () => ${flushes},
      onIgnored: (signal) => say('ignored ' + signal),
      onHangup: ${reload ? '() => say("reload")' : '"stop"'},
      ...${JSON.stringify({ deadlineMs: 5000, ...rest })},
      ${watchParent ? 'parentPid: process.ppid,' : ''}
    });
    setInterval(() => {}, 1000);
    say('up');`;
}

async function start(t: ExecutionContext, options: Options): Promise<Subject> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const subject = new Subject(child);
  await subject.hears('up');
  return subject;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const)
  test(`SIGNALS-1: ${signal} stops and exits 0`, async (t) => {
    const subject = await start(t, { stop: 'quick' });
    subject.child.kill(signal);
    t.is(await subject.ends(), 0);
    t.deepEqual(subject.said, ['up', `stop ${signal}`]);
  });

test('SIGNALS-2: a second signal within a second is a repeat; the stop goes on to its end', async (t) => {
  const subject = await start(t, { stop: 'slow' });
  subject.child.kill('SIGINT');
  await subject.hears('stop SIGINT');
  subject.child.kill('SIGINT');
  subject.child.kill('SIGTERM');
  t.is(await subject.ends(), 0);
  t.deepEqual(subject.said, ['up', 'stop SIGINT']);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(`SIGNALS-2: ${signal} more than a second later ends it at once`, async (t) => {
    const subject = await start(t, { stop: 'endless' });
    subject.child.kill('SIGTERM');
    await subject.hears('stop SIGTERM');
    // The rule is about time that passes between two signals; nothing else can be waited for.
    await delay(1100);
    subject.child.kill(signal);
    t.is(await subject.ends(), 128 + constants.signals[signal]);
  });

test('SIGNALS-6: SIGUSR1 opens no debugger port, SIGUSR2 ends nothing', async (t) => {
  const subject = await start(t, { stop: 'quick' });
  subject.child.kill('SIGUSR1');
  subject.child.kill('SIGUSR2');
  await subject.hears('ignored SIGUSR1');
  await subject.hears('ignored SIGUSR2');
  subject.child.kill('SIGTERM');
  t.is(await subject.ends(), 0);
  t.false(
    subject.said.some((line) => line.includes('Debugger')),
    'as Node says on standard error',
  );
});

for (const [stop, code] of [
  ['quick', 0],
  ['endless', 1],
] as const)
  test(`SIGNALS-5: an output that cannot be written does not hold the process, ${stop} stop`, async (t) => {
    const free = await start(t, { stop, deadlineMs: 100, flushes: true });
    free.child.kill('SIGTERM');
    t.is(await free.ends(), code);
    const held = await start(t, { stop, deadlineMs: 100, flushes: false });
    held.child.kill('SIGTERM');
    t.is(await held.ends(), null);
    t.is(held.child.signalCode, 'SIGKILL');
  });

test('SIGNALS-3: a stop that does not end is cut off at its deadline', async (t) => {
  const subject = await start(t, { stop: 'endless', deadlineMs: 100 });
  subject.child.kill('SIGTERM');
  t.is(await subject.ends(), 1);
});

test('SIGNALS-3: a stop that fails ends the process with 1', async (t) => {
  const subject = await start(t, { stop: 'failing' });
  subject.child.kill('SIGTERM');
  t.is(await subject.ends(), 1);
});

test('SIGNALS-4: a service reloads on SIGHUP and goes on', async (t) => {
  const subject = await start(t, { stop: 'quick', reload: true });
  subject.child.kill('SIGHUP');
  await subject.hears('reload');
  subject.child.kill('SIGTERM');
  t.is(await subject.ends(), 0);
  t.deepEqual(subject.said, ['up', 'reload', 'stop SIGTERM']);
});

test('SIGNALS-4: a parent that is killed stops it', async (t) => {
  const parent = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { spawn } from 'node:child_process';
       const child = spawn(process.execPath, ['--input-type=module', '-e', process.argv[1]], { stdio: ['ignore', 'ignore', 'inherit'] });
       process.stderr.write('pid ' + child.pid + '\\n');`,
      script({ stop: 'quick', watchParent: true }),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  t.teardown(() => parent.kill('SIGKILL'));
  const subject = new Subject(parent);
  await subject.hears('up');
  parent.kill('SIGKILL');
  await subject.hears('stop parent_gone');
  // The pipe closes when the last process that holds it is gone.
  if (parent.stderr && !parent.stderr.readableEnded) await once(parent.stderr, 'end');
  t.pass();
});

/** Writes to standard output for ever. */
const CHATTY = '\nsetInterval(() => process.stdout.write("x".repeat(1000)), 5);';

async function startChatty(t: ExecutionContext, options: Options): Promise<Subject> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script(options) + CHATTY], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const subject = new Subject(child);
  await subject.hears('up');
  child.stdout?.destroy();
  return subject;
}

test('SIGNALS-4: output that nobody reads any more stops it where that is asked for', async (t) => {
  const subject = await startChatty(t, { stop: 'quick', onOutputClosed: 'stop' });
  t.is(await subject.ends(), 0);
  t.true(subject.said.includes('stop output_closed'));
});

test('SIGNALS-4: output that nobody reads any more does not end a service', async (t) => {
  const subject = await startChatty(t, { stop: 'quick', reload: true });
  subject.child.kill('SIGHUP');
  await subject.hears('reload');
  subject.child.kill('SIGTERM');
  t.is(await subject.ends(), 0);
});
