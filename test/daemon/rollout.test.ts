// A rollout told to the daemon: MANAGEMENT-ROLLOUT-1 of rollout.ts on a simulated clock, and the command against the whole daemon.
import test from 'ava';
import { InForce } from '../../src/actors/management/in-force.js';
import { Rollout } from '../../src/actors/management/rollout.js';
import type { RolloutOrder } from '../../src/actors/ports/api.js';
import type { RolloutCommand, RolloutResult, RolloutRows } from '../../src/actors/ports/storage.js';
import type { Extension } from '../../src/domain/registry/extension.js';
import { parseEntry } from '../../src/domain/registry/registry-validation.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { run } from '../cli/run.js';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { extensionRow, registryEntry, versionRow } from '../helpers/registry-rows.js';
import { SimulatedClock } from '../helpers/simulated-clock.js';
import { until } from '../helpers/until.js';

function extensionOf(percents: Readonly<Record<string, number | null>>): Extension {
  const versions = Object.entries(percents).map(([name, rollout_percent]) =>
    versionRow('a', name, { rollout_percent }),
  );
  const rules = { ownPrefix: 'extreg.v1', allowedPrefixes: [] };
  return parseEntry(registryEntry(extensionRow('a'), { versions }), rules, null).extension as Extension;
}

const ORDER: RolloutOrder = { extensionId: 'a', version: 'v2', percent: 10, reason: 'x', actor: 'admin:ada' };

interface World {
  readonly rollout: Rollout;
  readonly clock: SimulatedClock;
  readonly commands: RolloutCommand[];
  /** The registry in force. */
  apply(revision: number, percents: Readonly<Record<string, number | null>>): void;
  /** Lets every promise that can settle do so. */
  settle(): Promise<void>;
}

function world(
  result: () => Promise<RolloutResult>,
  rows: () => Promise<RolloutRows | null> = async () => null,
): World {
  const clock = new SimulatedClock();
  const commands: RolloutCommand[] = [];
  const runtimes = new Map<string, { extension: Extension }>();
  const registry: { revision: number | null; runtimes: typeof runtimes } = { revision: null, runtimes };
  const inForce = new InForce(registry, clock);
  const rollout = new Rollout({
    set: (command) => {
      commands.push(command);
      return result();
    },
    read: rows,
    inForce,
    registry,
    newId: () => 'id',
    clock,
    log: silentLogger,
  });
  return {
    rollout,
    clock,
    commands,
    apply(revision, percents) {
      registry.revision = revision;
      runtimes.set('a', { extension: extensionOf(percents) });
      inForce.noteApplied();
    },
    settle: () => new Promise((done) => setImmediate(done)),
  };
}

/** What became of a promise so far. */
function watch<T>(promise: Promise<T>): { value: T | null } {
  const seen: { value: T | null } = { value: null };
  void promise.then((value) => {
    seen.value = value;
  });
  return seen;
}

test('MANAGEMENT-ROLLOUT-1: an answer waits until the revision is in force here', async (t) => {
  const { rollout, clock, commands, apply, settle } = world(async () => ({ kind: 'written', was: 5, revision: 8 }));
  const answer = watch(rollout.set(ORDER));
  await settle();
  t.is(answer.value, null);
  apply(7, { v2: 10 });
  clock.advance(2999);
  await settle();
  t.is(answer.value, null);
  apply(8, { v2: 10 });
  await settle();
  t.deepEqual(answer.value, { kind: 'set', changed: true, was: 5, revision: 8, inForce: true });
  t.is(clock.armed, 0);
  t.deepEqual(commands, [{ id: 'id', extension_id: 'a', version: 'v2', percent: 10, reason: 'x', actor: 'admin:ada' }]);
});

test('MANAGEMENT-ROLLOUT-1: what is in force already is answered at once, also where nothing was written', async (t) => {
  const { rollout, apply } = world(async () => ({ kind: 'unchanged', revision: 8 }));
  apply(9, { v2: 10 });
  t.deepEqual(await rollout.set(ORDER), { kind: 'set', changed: false, was: 10, revision: 8, inForce: true });
});

test('MANAGEMENT-ROLLOUT-1: what is not in force in time is answered all the same', async (t) => {
  const { rollout, clock, apply, settle } = world(async () => ({ kind: 'written', was: null, revision: 8 }));
  apply(7, { v2: 10 });
  const answer = watch(rollout.set(ORDER));
  await settle();
  clock.advance(3000);
  await settle();
  t.deepEqual(answer.value, { kind: 'set', changed: true, was: null, revision: 8, inForce: false });
});

test('MANAGEMENT-ROLLOUT-1: a percentage that another one took the place of is not in force', async (t) => {
  const { rollout, apply } = world(async () => ({ kind: 'written', was: null, revision: 8 }));
  apply(9, { v2: 0 });
  t.like(await rollout.set(ORDER), { revision: 8, inForce: false });
});

test('rollout: a database that does not answer in time is away', async (t) => {
  const { rollout, clock, settle } = world(
    () => new Promise(() => undefined),
    () => new Promise(() => undefined),
  );
  const answers = [watch(rollout.set(ORDER)), watch(rollout.report('a', 20))];
  clock.advance(5000);
  await settle();
  t.deepEqual(
    answers.map(({ value }) => value),
    [
      {
        kind: 'database_unavailable',
        message: 'a rollout needs the database: no answer within 5 s; it may have been written',
      },
      { kind: 'database_unavailable', message: 'a rollout is in the database: no answer within 5 s' },
    ] as never,
  );
});

test('rollout: a database that cannot be reached is away', async (t) => {
  const gone = () => Promise.reject(new Error('connect ECONNREFUSED'));
  const { rollout } = world(gone, gone);
  t.deepEqual(await rollout.set(ORDER), {
    kind: 'database_unavailable',
    message: 'a rollout needs the database: connect ECONNREFUSED',
  });
  t.is((await rollout.report('a', 20)).kind, 'database_unavailable');
});

const others = [
  { version: 'v3', percent: 60.1, key: 'k' },
  { version: 'v4', percent: 30.2, key: null },
];
const MESSAGES: [result: RolloutResult, message: string][] = [
  [{ kind: 'extension_not_found' }, "no extension 'a'"],
  [{ kind: 'version_not_found', isOwnRow: false }, "no version 'v2' of a"],
  [
    { kind: 'version_not_found', isOwnRow: true },
    "version 'v2' is the own row of a, which takes what the others leave: give it a version row",
  ],
  [{ kind: 'version_has_rules' }, "version 'v2' of a has routing rules, so it cannot have a rollout percentage"],
  [
    { kind: 'rollout_over_100', key: null, others },
    '10 for v2 would make more than 100: the other versions have 90.3 (v3 60.1, v4 30.2)',
  ],
  [
    { kind: 'rollout_keys_differ', key: 'l', others },
    'the versions in the rollout must have one rollout_key, got v2 "l", v3 "k"',
  ],
];
for (const [result, message] of MESSAGES)
  test(`rollout: ${message}`, async (t) => {
    const { rollout } = world(async () => result);
    t.deepEqual(await rollout.set(ORDER), { kind: result.kind, message } as never);
  });

const rowOf = (version: string, rollout_percent: number | null, enabled = true) => ({
  version,
  enabled,
  has_rules: false,
  rollout_percent,
  rollout_key: null,
});

test('rollout: a report has what the rows say beside what is in force here, and the own row where that is the default', async (t) => {
  const rows = { revision: 9, versions: [rowOf('v10', 25), rowOf('v2', 90)], history: [] };
  const { rollout, apply } = world(
    async () => ({ kind: 'extension_not_found' }),
    async () => rows,
  );
  const version = (name: string, percent: number | null, share: number | null) => ({
    version: name,
    enabled: true,
    hasRules: false,
    percent,
    key: null,
    share,
  });
  t.deepEqual(await rollout.report('a', 20), {
    kind: 'report',
    revision: 9,
    defaultVersion: null,
    versions: [version('v2', 90, null), version('v10', 25, null)],
    history: [],
  });
  apply(8, { v2: 10, v10: 25 });
  t.deepEqual(await rollout.report('a', 20), {
    kind: 'report',
    revision: 9,
    defaultVersion: 'v1',
    versions: [version('v1', null, 65), version('v2', 90, 10), version('v10', 25, 25)],
    history: [],
  });
});

test.serial('rollout: a command is in force when it is answered, and one that goes too far is not taken', async (t) => {
  const daemon = await DaemonProcess.startReady(t);
  const sql = daemon.sql();
  await sql`insert into extensions (id, type, subject) values ('a', 'pre', 'ext.a')`;
  await sql`insert into extension_versions (id, version, subject) values
    ('a', 'v1', 'ext.a'), ('a', 'v2', 'ext.a2'), ('a', 'v3', 'ext.a3')`;
  const rollout = async (...args: string[]) =>
    run(['rollout', 'a', ...args, '--data-dir', daemon.dataDir, '--json'], { cwd: daemon.dataDir });
  const shares = async (): Promise<Record<string, number | null>> => {
    const { versions } = JSON.parse((await rollout()).stdout) as { versions: { version: string; share: number }[] };
    return Object.fromEntries(versions.map((v) => [v.version, v.share]));
  };
  await until('it is known', async () => (await shares()).v3 === 100);

  for (const [version, percent, expected] of [
    ['v2', '5', { v1: 0, v2: 5, v3: 95 }],
    ['v3', '33.33', { v1: 61.67, v2: 5, v3: 33.33 }],
    ['v3', '95', { v1: 0, v2: 5, v3: 95 }],
    ['v2', '0', { v1: 5, v2: 0, v3: 95 }],
    ['v3', 'none', { v1: 0, v2: 0, v3: 100 }],
  ] as const) {
    const { code, stdout, stderr } = await rollout(version, percent, '--reason', 'a test');
    t.is(stderr, '');
    t.is(code, 0);
    t.like(JSON.parse(stdout), { changed: true, in_force: true });
    t.deepEqual(await shares(), expected);
  }
  await rollout('v3', '60', '--reason', 'a test');
  const far = await rollout('v2', '41', '--reason', 'a test');
  t.is(far.code, 1);
  t.regex(
    far.stderr,
    /^extreg: rollout_over_100: 41 for v2 would make more than 100: the other versions have 60 \(v3 60\)\nnext: extreg rollout \S+ shows .*\n$/,
  );
  t.like(JSON.parse((await rollout('v3', '60', '--reason', 'again')).stdout), { changed: false, in_force: true });

  // By SQL, nobody is asked: what was in force stays, and that is told once.
  await sql`update extension_versions set rollout_percent = 41 where version = 'v2'`;
  await until('it is told', () => daemon.has('registry_row_rejected'));
  t.deepEqual(await shares(), { v1: 40, v2: 0, v3: 60 });
  await sql`update extensions set timeout_ms = 77`;
  await until('it is read again', async () => {
    const applied = daemon.log.filter((line) => line.event === 'registry_applied');
    const [row] = await sql`select revision::int from registry_revision`;
    return applied.at(-1)?.revision === row?.revision;
  });
  const told = daemon.log.filter((line) => line.event === 'registry_row_rejected');
  t.is(told.length, 1);
  t.like(told[0], {
    extension_id: 'a',
    version: 'v2',
    reason: 'rollout_percent of all versions must add up to at most 100, got 101: v2 41, v3 60',
  });
  const { history } = JSON.parse((await rollout('--limit', '2')).stdout) as { history: Record<string, unknown>[] };
  t.deepEqual(
    history.map(({ version, from, to, by }) => [version, from, to, by === 'db:postgres' ? by : 'a person']),
    [
      ['v2', 0, 41, 'db:postgres'],
      ['v3', null, 60, 'a person'],
    ],
  );
});
