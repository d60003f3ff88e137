// docs/events.md has every event, every line of the log and an example of each, as the code writes them.
import test from 'ava';
import { loadConfig } from '../../src/config/config.js';
import { EVENT_KINDS, type RegistryEvent } from '../../src/domain/registry/events.js';
import { EVENT_SECTIONS, LOG_SECTIONS } from './events-page.js';
import { allLogCalls, type LogCall, logCallsOf } from './log-lines.js';
import { readProjectFile } from './page.js';

const { calls: CALLS, problems: PROBLEMS } = allLogCalls();
/** Where loggers are given to the parts. */
const WIRING = ['wire', 'database', 'service-notices', 'services', 'management', 'desks', 'admin-api', 'fleet'].map(
  (name) => `src/daemon/${name}.ts`,
);

const WITHOUT = 'without a component';
const ANY = 'any component';

/** The components of files (or rooms) whose lines name none in the call; the longest beginning counts. */
const COMPONENTS: Readonly<Record<string, string>> = {
  'src/actors/access/': 'access',
  'src/actors/events/audit-trail.ts': 'audit',
  'src/actors/events/held-rows.ts': ANY,
  'src/actors/fleet/': 'fleet',
  'src/actors/events/notices.ts': WITHOUT,
  'src/actors/management/audit.ts': 'audit',
  'src/actors/management/auto-manager.ts': 'auto_manager',
  'src/actors/management/instances.ts': 'instances',
  'src/actors/management/operator.ts': 'operator',
  'src/actors/management/prober.ts': 'prober',
  'src/actors/management/rollout.ts': 'rollout',
  'src/actors/management/rows.ts': 'rows',
  'src/actors/management/supervisor-actor.ts': 'supervisor',
  'src/actors/management/supervisor.ts': 'supervisor',
  'src/actors/reporting/aggregate.ts': 'aggregate',
  'src/actors/reporting/board-desk.ts': 'board',
  'src/actors/reporting/breaker-events.ts': WITHOUT,
  'src/actors/reporting/health-writer.ts': 'health_writer',
  'src/actors/reporting/instance-status-writer.ts': 'instance_status',
  'src/actors/routing/': 'router',
  'src/cli/commands/serve.ts': WITHOUT,
  'src/daemon/access.ts': WITHOUT,
  'src/daemon/daemon-log.ts': WITHOUT,
  'src/daemon/daemon.ts': WITHOUT,
  'src/daemon/database-writes.ts': 'db',
  'src/daemon/embedded-life.ts': 'db',
  'src/daemon/housekeeping.ts': 'db',
  'src/daemon/registry-source.ts': 'db',
  'src/daemon/management.ts': WITHOUT,
  'src/daemon/reload.ts': 'reload',
  'src/daemon/notify-shell.ts': 'service',
  'src/daemon/service-notices.ts': 'service',
  'src/daemon/stop-sequence.ts': WITHOUT,
  'src/daemon/token-file.ts': 'access',
  'src/daemon/watchdog.ts': WITHOUT,
  'src/db/queries/health-flusher.ts': WITHOUT,
  'src/embedded/nats/': 'nats_server',
  'src/embedded/postgres/': 'db',
  'src/http/': 'http',
  'src/inspector/': 'inspector',
  'src/nats/connection/': 'nats',
  'src/nats/fleet/': 'fleet',
  'src/nats/intake/intake.ts': 'intake',
  'src/nats/intake/self-check.ts': 'nats',
  'src/nats/requester.ts': WITHOUT,
  'src/nats/services/admin.ts': 'admin',
  'src/telemetry/guard.ts': ANY,
  'src/telemetry/traces/': 'traces',
  'src/webhooks/': 'webhooks',
};

function componentOf({ component, file }: LogCall): string {
  if (component !== null) return component;
  const fits = Object.keys(COMPONENTS).filter((beginning) => file.startsWith(beginning));
  return COMPONENTS[fits.sort((a, b) => b.length - a.length)[0] ?? ''] ?? `the component of ${file}?`;
}

const sorted = (texts: Iterable<string>): string[] => [...new Set(texts)].sort();

const isIsoDate = (value: unknown): boolean =>
  typeof value === 'string' && !Number.isNaN(Date.parse(value)) && new Date(value).toISOString() === value;

/** Every member of every RegistryEvent; the compiler asks for those that are added. */
const MEMBERS: Readonly<Record<keyof RegistryEvent, string>> = {
  event: 'string',
  extension_id: 'string',
  version: 'string',
  instance_id: 'string',
  at: 'string',
  revision: 'number',
  reason: 'string',
  evidence: 'object',
  health: 'object',
  actor: 'string',
};
const ALWAYS = ['event', 'extension_id', 'at', 'actor'] as const;

test('docs/events.md: a section for each event of NATS, in the order of the code', (t) => {
  t.deepEqual(
    EVENT_SECTIONS.map(({ kind }) => kind),
    [...EVENT_KINDS],
  );
});

test('docs/events.md: which events are webhooks by default', (t) => {
  const { webhook_events } = loadConfig({ flags: {}, env: {}, cwd: '/nonexistent' });
  t.deepEqual(
    EVENT_SECTIONS.filter(({ isWebhook }) => isWebhook).map(({ kind }) => kind),
    EVENT_KINDS.filter((kind) => webhook_events.includes(kind)),
  );
});

test('docs/events.md: events are logged at the level that the page names', (t) => {
  const [, quiet = ''] = /const QUIET[^[]*\[([^\]]*)\]/.exec(readProjectFile('src/actors/events/notices.ts')) ?? [];
  const isQuiet = new Set([...quiet.matchAll(/'(\w+)'/g)].map(([, kind]) => kind));
  t.true(isQuiet.size > 3);
  for (const { kind, level } of EVENT_SECTIONS) t.is(level, isQuiet.has(kind) ? 'info' : 'warn', kind);
});

for (const { kind, examples } of EVENT_SECTIONS)
  test(`docs/events.md: the example of ${kind} is an event of that kind`, (t) => {
    t.is(examples.length, 1);
    const example = examples[0] ?? {};
    t.is(example.event, kind);
    for (const name of ALWAYS) t.true(Object.hasOwn(example, name), name);
    for (const [name, value] of Object.entries(example))
      t.true(typeof value === (MEMBERS as Readonly<Record<string, string>>)[name], name);
    t.true(isIsoDate(example.at));
    const { evidence } = example as Partial<RegistryEvent>;
    if (evidence === undefined) return;
    const names = ['failures', 'outcomes', 'overdue', 'error_rate', 'window_seconds', 'first_failure', 'last_failure'];
    t.deepEqual(Object.keys(evidence), names);
    for (const time of [evidence.first_failure, evidence.last_failure]) t.true(time === null || isIsoDate(time));
    const { failures, overdue, outcomes } = evidence;
    t.is(evidence.error_rate, (failures + overdue) / (outcomes + overdue));
  });

test('LOG-LINES-1: no log line has an event that the sources do not name', (t) => {
  t.deepEqual(PROBLEMS, []);
  t.true(CALLS.length > 100, 'the sources were read');
});

test('LOG-LINES-1: a name that cannot be read, a logger of another name and a method taken out of one are problems', (t) => {
  for (const line of [
    'log.warn({ event: name });',
    'this.deps.log.warn(fields);',
    'log?.info({ ...more });',
    "log.warn('text');",
    "journal.warn({ event: 'one' });",
    'dbLog.warn(fields);',
    "log[level]({ event: 'one' });",
    'const { warn } = { warn: log.warn };',
    'return createLimitedWarn(log, name, now);',
    'const warn = createLimitedWarn(log, name, now);',
  ]) {
    const problems: string[] = [];
    logCallsOf('src/one.ts', line, problems);
    t.true(problems.length > 0, line);
  }
  const problems: string[] = [];
  const source = "log.warn({ event: 'one', component: 'db', a, b: f({ c: ')' }), ...d });";
  t.deepEqual(logCallsOf('src/one.ts', source, problems), [
    {
      file: 'src/one.ts',
      event: 'one',
      level: 'warn',
      component: 'db',
      keys: ['event', 'component', 'a', 'b'],
      spreads: true,
    },
  ]);
  t.deepEqual(problems, []);
});

test('docs/events.md: each line of the log, with its level, below its component', (t) => {
  const wanted = CALLS.map((call) => `${componentOf(call)}: ${call.event} ${call.level}`);
  const got = LOG_SECTIONS.flatMap(({ title, rows }) =>
    [...rows].flatMap(([event, levels]) => levels.map((level) => `${title}: ${event} ${level}`)),
  );
  t.deepEqual(sorted(got), sorted(wanted));
  t.is(got.length, sorted(got).length, 'none is listed twice');
});

test('docs/events.md: the components are those that the sources give to loggers', (t) => {
  const daemon = readProjectFile('src/actors/actor-system.ts');
  for (const { title } of LOG_SECTIONS.filter(({ title }) => title !== WITHOUT && title !== ANY)) {
    const files = sorted([...CALLS.map(({ file }) => file), ...WIRING]);
    const isNamed = files.some((file) => readProjectFile(file).includes(`component: '${title}'`));
    t.true(isNamed || daemon.includes(`#logOf('${title}')`), title);
  }
});

test('docs/events.md: each call of a logger has an example with the members that it names', (t) => {
  for (const call of CALLS) {
    const section = LOG_SECTIONS.find(({ title }) => title === componentOf(call));
    const examples = (section?.examples ?? []).filter(({ event }) => event === call.event);
    const fits = examples.some((example) => call.keys.every((key) => Object.hasOwn(example, key)));
    t.true(fits, `${call.file}: ${call.event} with ${call.keys.join(', ')}`);
  }
});

/** What pino adds: the level, the time, and what a child logger has. */
const ADDED = new Set(['level', 'ts', 'component', 'receiver', 'receiver_number']);

test('docs/events.md: each example is a line that some call writes', (t) => {
  for (const { title, rows, examples } of LOG_SECTIONS) {
    t.deepEqual(sorted(examples.map(({ event }) => String(event))), sorted(rows.keys()), title);
    for (const example of examples) {
      const { event, level, ts, component } = example;
      t.true(rows.get(String(event))?.includes(String(level)), `${event} ${level}`);
      t.true(isIsoDate(ts), `${event} ${ts}`);
      if (title !== ANY) t.is(component ?? WITHOUT, title, String(event));
      const calls = CALLS.filter((call) => call.event === event);
      const named = Object.keys(example).filter((key) => !ADDED.has(key));
      const fits = calls.some(({ keys, spreads }) => spreads || named.every((key) => keys.includes(key)));
      t.true(fits, `${event} with ${named.join(', ')}`);
    }
  }
});
