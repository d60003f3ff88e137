import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { until } from '../helpers/until.js';

const MODULE = pathToFileURL(resolve('scripts/child-process.mjs')).href;
const SAY = pathToFileURL(resolve('scripts/say.mjs')).href;

/** A set-up of one step: a shell that does `command`. It tells the shell's pid, and what became of it. */
async function setUp(
  t: ExecutionContext,
  command: string,
): Promise<{ child: ChildProcess; shellPid: number; said: () => string; ended: Promise<unknown[]> }> {
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { catchSignals, run } from '${MODULE}';
       import { fail } from '${SAY}';
       catchSignals();
       run('sh', ['-c', 'echo $$; ' + process.argv[1]], { onLine: (line) => console.log(line) })
         .then(({ code, output }) => console.log('code ' + code), fail);`,
      command,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  t.teardown(() => child.kill('SIGKILL'));
  // From the beginning: a step that ends by itself may have ended when it is seen. With all that it said.
  const ended = once(child, 'close');
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  await until('the step runs', () => /^\d+\n/.test(text));
  return { child, shellPid: Number.parseInt(text, 10), said: () => text, ended };
}

const isRunning = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('a step that ends gives its exit code', async (t) => {
  const { ended, said } = await setUp(t, 'exit 7');
  t.deepEqual(await ended, [0, null]);
  t.regex(said(), /code 7/);
});

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  test(`R2: ${signal} ends the step and then the set-up, with ${code}`, async (t) => {
    const { child, shellPid, said } = await setUp(t, 'sleep 60');
    child.kill(signal);
    t.deepEqual(await once(child, 'exit'), [code, null]);
    t.false(isRunning(shellPid));
    t.regex(said(), new RegExp(`Stopped by ${signal}`));
  });

test('R2: a step that will not end is killed, and its children with it', async (t) => {
  const { child, shellPid } = await setUp(t, 'trap "" TERM; sleep 60 & echo child $!; wait; sleep 60');
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [143, null]);
  t.false(isRunning(shellPid));
});

test('R3: a signal more than a second after the first ends everything at once', async (t) => {
  const { child, shellPid } = await setUp(t, 'trap "" TERM; while :; do sleep 1; done');
  child.kill('SIGTERM');
  child.kill('SIGTERM');
  // The rule is about the time between two signals; nothing else can be waited for.
  await delay(1100);
  const begun = performance.now();
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [143, null]);
  t.true(performance.now() - begun < 1000);
  await until('the step is gone', () => !isRunning(shellPid));
  t.pass();
});
