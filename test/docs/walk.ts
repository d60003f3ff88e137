// A page of docs/ with routing examples, as a reader follows it: its files are written, its commands run in their order by a shell
// beside a daemon with an embedded database and nats-server, with the reference extensions answering, and print what it shows.
import { resolve } from 'node:path';
import type { ExecutionContext } from 'ava';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { until } from '../helpers/until.js';
import { filesOf, isLike, readProjectFile, type Step, sectionOf, stepsOf } from './page.js';
import { Shell } from './shell.js';

/** Commands that only read, what the daemon may not have published or written yet. */
const READS = /^(npx extreg (sql "select|health|explain|migrate --dry-run)|curl )/;
const READ_MS = 30_000;
/** Answers that a stall of this machine gives within the 80 ms and 100 ms of the specification's example. */
const STALLED = 'extension_timeout';
const PREAMBLE = 'Before the examples';

/** Runs `page` after the preamble of docs/routing.md, which may be a part of it. `minSteps`: commands that it has at least. */
export async function walkPage(t: ExecutionContext, page: string, minSteps: number): Promise<void> {
  t.timeout(600_000);
  const preamble = sectionOf(readProjectFile('docs/routing.md'), PREAMBLE);
  const text = readProjectFile(page);
  const steps = page === 'docs/routing.md' ? stepsOf(text) : [...stepsOf(preamble), ...stepsOf(text)];
  t.true(steps.length >= minSteps, `${page} has ${steps.length} commands`);
  const daemon = await DaemonProcess.startReady(t);
  const sql = daemon.sql();
  // As `npm start` leaves it.
  await sql`insert into extensions (id, type, subject)
    values ('normalize_text', 'pre', 'beamline.ext.pre.normalize_text.v1')`;
  await sql`insert into extension_instances (extension_id, instance_id, subject, weight) values
    ('normalize_text', 'instance-1', 'a', 100), ('normalize_text', 'instance-2', 'b', 50)`;
  const [, turn = ''] = /```js\n(\/\/ turn\.mjs[\s\S]*?)```/.exec(readProjectFile('examples/README.md')) ?? [];
  const shell = new Shell(t, {
    url: daemon.url,
    files: new Map([...filesOf(preamble), ...filesOf(text), ['turn.mjs', turn]]),
    links: { '.extreg': daemon.dataDir, examples: resolve('examples'), node_modules: resolve('node_modules') },
  });

  const isInForce = async () => {
    const [row] = await sql<{ revision: string }[]>`select revision::text as revision from registry_revision`;
    const metrics = await (await daemon.fetch('/metrics')).text();
    const [, known] = /^extension_registry_revision (\d+)$/m.exec(metrics) ?? [];
    return known !== undefined && Number(known) >= Number(row?.revision);
  };
  await until('the rows are known', isInForce);
  for (const step of steps) {
    await follow(t, shell, step);
    if (step.command.startsWith('npx extreg')) await until(`${step.command} is in force`, isInForce);
    if (!t.passed) return;
  }
}

async function follow(t: ExecutionContext, shell: Shell, { command, expected }: Step): Promise<void> {
  let printed = '';
  const isDone = async (): Promise<boolean> => {
    printed = await shell.run(command);
    return isLike(printed, expected) || !(READS.test(command) || printed.includes(STALLED));
  };
  await until(command, isDone, READ_MS).catch(() => undefined);
  if (isLike(printed, expected)) t.pass();
  else t.is(printed, expected, command);
}
