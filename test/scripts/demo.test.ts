// `npm run demo` as a person runs it: to its end, broken off, killed, and where what it shows does not happen.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { run } from '../cli/run.js';
import { outputIn, shapeOf } from '../docs/readme.js';
import { canSeeProcesses } from '../helpers/processes.js';
import { unless } from '../helpers/skip.js';
import { until } from '../helpers/until.js';
import { NpmProcess } from './npm-process.js';

/** They run side by side. */
const UP_MS = 120_000;
const THROUGH_MS = 240_000;

/** These are about processes that are left over, which only /proc can tell. */
const demonstrates = unless(canSeeProcesses ? null : 'there is no /proc here', test);

interface Run {
  readonly demo: NpmProcess;
  /** Where it makes its directory, and nothing else is. */
  readonly directory: string;
}

/** Settings of somebody's own daemon, which it must not touch, lead nowhere. */
function npmRunDemo(t: ExecutionContext): Run {
  const directory = mkdtempSync(join(tmpdir(), 'extreg-demo-test-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  const demo = NpmProcess.start(t, ['run', 'demo'], 'TMPDIR', {
    TMPDIR: directory,
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing',
    NATS_URL: 'nats://127.0.0.1:1',
    EXTENSION_REGISTRY_DATA_DIR: join(directory, 'must-not-be-made'),
    EXTENSION_HANG_RATE: '1',
  });
  return { demo, directory };
}

const made = (directory: string) => readdirSync(directory).filter((name) => !name.startsWith('node-compile-cache'));

demonstrates('demo: an extension hangs, its breaker opens, it is disabled, heals and is enabled again', async (t) => {
  const { demo, directory } = npmRunDemo(t);
  await until('it ended', () => demo.hasEnded, THROUGH_MS);
  t.deepEqual(await demo.ended(), [0, null], demo.output);
  const { output } = demo;
  const story = [
    ...['1  50 calls a second to each of three healthy extensions', 'closed'],
    ...['normalize_text: ', 'calls ok', 'pii_guard: ', 'calls ok', 'mask_pii: ', 'calls ok'],
    ...['2  pii_guard hangs', '{"hang_rate":1}', 'event.circuit_opened.pii_guard', 'event.auto_disabled.pii_guard'],
    ...['callers waited in vain', 'enabled false, auto_disabled true', 'disable ', 'system:auto-manager'],
    ...['3  callers of pii_guard are refused at once', 'open', 'calls refused', 'none of them reached the extension'],
    ...['4  pii_guard is healed', '{"hang_rate":0}', 'event.circuit_half_opened.pii_guard'],
    ...['event.circuit_closed.pii_guard', 'event.auto_enabled.pii_guard', 'enabled true, auto_disabled false'],
    ...['enable ', 'system:auto-manager', '5  as if nothing had happened', 'each answered'],
    'Everything is stopped',
  ];
  let at = 0;
  for (const part of story) {
    const found = output.indexOf(part, at);
    t.true(found >= 0, `${part}, in its place`);
    at = found + part.length;
  }
  t.regex(output, shapeOf(outputIn('What you see')));
  t.notRegex(output, /FAILED|undefined|NaN|\[object/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: piped, it must be plain
  t.notRegex(output, /\u001b/);
  t.deepEqual(
    output.split('\n').filter((line) => line.length > 80 && line.startsWith(' ') && !line.includes(directory)),
    [],
  );
  const [, answered = 0, ok = 0, refused = 0, timedOut = 0] =
    /(\d+) calls in \S+ s, each answered: (\d+) ok, (\d+) refused, (\d+) timed out/.exec(output)?.map(Number) ?? [];
  t.true(answered > 3000 && refused > 300 && timedOut > 20);
  t.true(ok + refused + timedOut <= answered);
  await demo.nothingIsLeft(t);
  t.deepEqual(made(directory), []);
});

demonstrates('demo: Ctrl-C in its midst ends it all, with a code that is no success', async (t) => {
  const { demo, directory } = npmRunDemo(t);
  await demo.says(/ closed\n/, UP_MS);
  demo.signalGroup('SIGINT');
  t.notDeepEqual(await demo.ended(), [0, null]);
  t.regex(demo.output, /Stopped before the end\. Nothing is left running\./);
  await demo.nothingIsLeft(t);
  t.deepEqual(made(directory), []);
});

demonstrates('demo: killed in its midst, nothing of it runs on', async (t) => {
  const { demo } = npmRunDemo(t);
  await demo.says(/ closed\n/, UP_MS);
  for (const { pid } of demo.processes().filter(({ command }) => command.includes('demo.mjs')))
    process.kill(pid, 'SIGKILL');
  t.notDeepEqual(await demo.ended(), [0, null]);
  await demo.nothingIsLeft(t);
});

demonstrates('demo: a breaker that does not open ends it with 1, and it says what should have been', async (t) => {
  const { demo, directory } = npmRunDemo(t);
  await demo.says(/ closed\n/, UP_MS);
  const [dataDir = ''] = made(directory);
  const forced = await run(['sql', "update extensions set breaker_override = 'forced_closed' where id = 'pii_guard'"], {
    cwd: directory,
    env: { EXTENSION_REGISTRY_DATA_DIR: join(directory, dataDir) },
  });
  t.is(forced.stdout, 'UPDATE 1\n', forced.stderr);
  t.deepEqual(await demo.ended(), [1, null], demo.output);
  t.regex(demo.output, /The demo failed\. It should have been so: the event circuit_opened of pii_guard came/);
  await demo.nothingIsLeft(t);
  t.deepEqual(made(directory), []);
});
