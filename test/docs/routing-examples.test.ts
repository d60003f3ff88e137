// docs/routing.md as somebody follows it: its files are written, its commands run in its order by a shell beside a daemon with an
// embedded database and nats-server, with the reference extensions answering, and print what it shows.
import { resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parse } from '#yaml';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { until } from '../helpers/nats-server.js';
import { ROUTING_SCENARIOS, type RoutingScenario } from '../helpers/routing-scenarios.js';
import { filesOf, isLike, readProjectFile, type Step, sectionOf, stepsOf } from './page.js';
import { Shell } from './shell.js';

const PAGE = readProjectFile('docs/routing.md');

/** Commands that only look, at what the daemon may not have said or written yet. */
const LOOKS = /^(npx extreg (sql "select|health|explain|migrate --dry-run)|curl )/;
const LOOK_MS = 30_000;
/** Answers that a stall of this machine gives within the 80 ms and 100 ms of the specification's example. */
const STALLED = 'extension_timeout';

async function follow(t: ExecutionContext, shell: Shell, { command, expected }: Step): Promise<void> {
  let printed = '';
  const isDone = async (): Promise<boolean> => {
    printed = await shell.run(command);
    return isLike(printed, expected) || !(LOOKS.test(command) || printed.includes(STALLED));
  };
  await until(command, isDone, LOOK_MS).catch(() => undefined);
  if (isLike(printed, expected)) t.pass();
  else t.is(printed, expected, command);
}

test('docs/routing.md: its commands print what it shows', async (t) => {
  t.timeout(600_000);
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
    files: new Map([...filesOf(PAGE), ['turn.mjs', turn]]),
    links: { '.extreg': daemon.dataDir, examples: resolve('examples'), node_modules: resolve('node_modules') },
  });

  const inForce = async () => {
    const [row] = await sql<{ revision: string }[]>`select revision::text as revision from registry_revision`;
    const metrics = await (await daemon.fetch('/metrics')).text();
    const [, known] = /^extension_registry_revision (\d+)$/m.exec(metrics) ?? [];
    return known !== undefined && Number(known) >= Number(row?.revision);
  };
  await until('the rows are known', inForce);
  const steps = stepsOf(PAGE);
  t.true(steps.length > 80);
  for (const step of steps) {
    await follow(t, shell, step);
    if (step.command.startsWith('npx extreg')) await until(`${step.command} is in force`, inForce);
    if (!t.passed) return;
  }
});

/** Word for word. */
const SPECIFICATION = {
  'versions.sql': `INSERT INTO extension_versions (id, version, subject, timeout_ms, retry, routing_rules) VALUES
    ('normalize_text', 'v1', 'beamline.ext.pre.normalize_text.v1', 100, 0, '{}'),
    ('normalize_text', 'v2', 'beamline.ext.pre.normalize_text.v2', 80, 0, '{"tenant_id": ["tenant1", "tenant2"]}');
`,
  'instances.sql': `INSERT INTO extension_instances (extension_id, instance_id, subject, weight, health_status) VALUES
    ('normalize_text', 'instance-1', 'beamline.ext.pre.normalize_text.v1', 100, 'healthy'),
    ('normalize_text', 'instance-2', 'beamline.ext.pre.normalize_text.v1', 50, 'healthy');
`,
};

test("docs/routing.md: the specification's two examples are its own, word for word, and are run", (t) => {
  const files = filesOf(PAGE);
  const commands = stepsOf(PAGE).map(({ command }) => command);
  for (const [name, statement] of Object.entries(SPECIFICATION)) {
    t.is(files.get(name), statement);
    t.true(commands.includes(`npx extreg sql "$(cat ${name})"`), name);
  }
});

const SHAPES = sectionOf(PAGE, 'Common shapes').split('\n### ').slice(1);
const ONES_OF_PEOPLE = ROUTING_SCENARIOS.filter(({ title }) => !title.startsWith('the specification'));

test('docs/routing.md: each common shape is one that is tested, and each of those is there', (t) => {
  t.is(SHAPES.length, 6);
  t.deepEqual(
    SHAPES.map(shapeOf),
    ONES_OF_PEOPLE.map(({ versions, calls }) => ({ versions, calls })),
  );
});

function shapeOf(section: string): Omit<RoutingScenario, 'title'> {
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(section) ?? [];
  const { versions } = parse(yaml) as Pick<RoutingScenario, 'versions'>;
  const calls = [...section.matchAll(/^\| (nothing|`.*`) \| `(\S+)` \|$/gm)].map(([, context = '', version = '']) => {
    const pairs = [...context.matchAll(/`(\S+)` `(\S+)`/g)].map(([, key = '', value = '']) => [key, value] as const);
    return [Object.fromEntries(pairs), version] as const;
  });
  return { versions, calls };
}
