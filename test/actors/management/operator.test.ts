// What a person tells an extension: VERBS-1..OPERATOR-4 (domain/registry/verbs.ts, operator.ts), EFFECTIVE-ROW-1 and EFFECTIVE-ROW-2 (effective-row.ts), DECISION-EFFECTS-1 (extension-runtime.ts).
import test from 'ava';
import type { VerbResult, WrittenRow } from '../../../src/actors/ports/storage.js';
import type { BreakerOverride } from '../../../src/domain/registry/extension.js';
import type { Verb } from '../../../src/domain/registry/verbs.js';
import { reasonOf, settle } from '../../helpers/actor-world.js';
import {
  changesOf,
  extensionRow,
  factsRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';
import { RegistryWorld as World } from '../../helpers/registry-world.js';

/** Ways for an extension to be, before the verb. */
const SITUATIONS = {
  closed: async (world: World) => world.fail(4),
  'auto-disabled': async (world: World) => {
    world.fail(5);
    await settle();
  },
  disabled: async (world: World) => void (await world.say('disable')),
  isolated: async (world: World) => void (await world.say('isolate')),
  'forced closed': async (world: World) => void (await world.say('force-closed')),
} as const;
type Situation = keyof typeof SITUATIONS;

/** How the next call ends, and the state that is told. */
type Effect = [call: 'ok' | string, state: 'closed' | 'open' | 'half_open'];

const verbTable = test.macro<[situation: Situation, verb: Verb, effect: Effect]>({
  async exec(t, situation, verb, [call, state]) {
    const world = new World();
    await SITUATIONS[situation](world);
    world.tell();
    const answer = await world.say(verb);
    t.like(answer, { kind: 'in_force', owed: false, breakerState: state, revision: world.row.revision });
    const looks = (when: string) => {
      t.is(world.state, state, when);
      t.like(world.core.view.one('a'), {
        enabled: world.row.enabled as boolean,
        auto_disabled: world.row.auto_disabled,
        override: world.row.breaker_override as BreakerOverride | null,
      });
    };
    looks('at once');
    world.tell();
    world.feed$.next(snapshotOf(world.revision, world.entry()));
    await settle();
    looks('when the feed has told it');
    const called = world.callEnding('a', 0);
    t.is(called.answers[0] === 'ok' ? 'ok' : reasonOf(called), call);
    t.is(world.autoChanges.length, situation === 'auto-disabled' ? 1 : 0, 'nothing is undone');
  },
  title: (_, situation, verb, [call, state]) =>
    `OPERATOR-1: ${verb} while ${situation}: ${state}, a call is answered ${call}`,
});
test(verbTable, 'closed', 'disable', ['disabled', 'closed']);
test(verbTable, 'auto-disabled', 'disable', ['disabled', 'open']);
test(verbTable, 'isolated', 'disable', ['disabled', 'open']);
test(verbTable, 'closed', 'enable', ['ok', 'closed']);
test(verbTable, 'auto-disabled', 'enable', ['ok', 'half_open']);
test(verbTable, 'disabled', 'enable', ['ok', 'closed']);
test(verbTable, 'isolated', 'enable', ['isolated', 'open']);
test(verbTable, 'closed', 'isolate', ['isolated', 'open']);
test(verbTable, 'auto-disabled', 'isolate', ['isolated', 'open']);
test(verbTable, 'disabled', 'isolate', ['disabled', 'open']);
test(verbTable, 'forced closed', 'isolate', ['isolated', 'open']);
test(verbTable, 'closed', 'force-closed', ['ok', 'closed']);
test(verbTable, 'auto-disabled', 'force-closed', ['ok', 'closed']);
test(verbTable, 'disabled', 'force-closed', ['disabled', 'closed']);
test(verbTable, 'isolated', 'force-closed', ['ok', 'closed']);
test(verbTable, 'closed', 'release', ['ok', 'closed']);
test(verbTable, 'isolated', 'release', ['ok', 'half_open']);
test(verbTable, 'forced closed', 'release', ['ok', 'closed']);
test(verbTable, 'auto-disabled', 'release', ['circuit_open', 'open']);
test(verbTable, 'closed', 'reset', ['ok', 'closed']);
test(verbTable, 'auto-disabled', 'reset', ['ok', 'closed']);
test(verbTable, 'disabled', 'reset', ['disabled', 'closed']);
test(verbTable, 'isolated', 'reset', ['ok', 'closed']);
test(verbTable, 'forced closed', 'reset', ['ok', 'closed']);

const newGeneration = test.macro<[verb: Verb]>({
  async exec(t, verb) {
    const world = new World();
    const late = world.call('a');
    world.fail(4);
    await world.say(verb);
    world.sent[0]?.end(500);
    if (verb === 'disable' || verb === 'isolate') await world.say(verb === 'disable' ? 'enable' : 'reset');
    world.fail(4);
    t.is(world.state, 'closed', 'neither what was before nor what comes late from then counts');
    t.is(late.answers.length, 1);
    world.tell();
    world.fail(1);
    t.is(world.state, 'open', 'and the feed that tells it starts no further one');
  },
  title: (_, verb) => `DECISION-EFFECTS-1: ${verb} starts a new generation, also where it changes nothing of the row`,
});
for (const verb of ['enable', 'disable', 'isolate', 'release', 'reset'] as const) test(newGeneration, verb);

test('reset empties both windows and forgets the trips', async (t) => {
  const world = new World();
  await SITUATIONS['auto-disabled'](world);
  t.like(world.core.view.one('a')?.health, { circuit_breaker_trips: 1, latency_samples: 5 });
  await world.say('reset');
  t.like(world.core.view.one('a')?.health, { circuit_breaker_trips: 0, latency_samples: 0, success_rate: null });
});

test('an isolated breaker that is reset is told to have closed, and never to have been half-open', async (t) => {
  const world = new World();
  await world.say('isolate');
  await world.say('reset');
  t.deepEqual(world.kinds(), ['circuit_closed']);
});

test('VERBS-3: another daemon follows by what the feed tells, also of several decisions at a time', async (t) => {
  const world = new World();
  await SITUATIONS['auto-disabled'](world);
  world.tell();
  world.elsewhere('disable');
  world.elsewhere('enable');
  world.tell();
  t.is(world.state, 'half_open', 'what it knew to be switched off automatically is probed');
  world.fail(1);
  world.elsewhere('isolate');
  world.elsewhere('reset');
  world.elsewhere('disable');
  world.tell();
  t.is(world.state, 'closed');
  t.is(reasonOf(world.call('a')), 'disabled');
  world.elsewhere('enable');
  world.tell();
  world.fail(4);
  world.elsewhere('enable');
  world.tell();
  world.fail(1);
  t.is(world.state, 'closed', 'one that was on already is enabled anew');
});

test('enable after an automatic disable probes the default, and leaves alone what is closed beside it', async (t) => {
  const world = new World({}, [versionRow('a', 'v2'), versionRow('a', 'v3', { routing_rules: { tenant_id: 'x' } })]);
  await SITUATIONS['auto-disabled'](world);
  t.is((await world.say('enable')).kind, 'in_force');
  t.is(world.stateOf('v2'), 'half_open');
  t.is(world.stateOf('v3'), 'closed');
});

// Of one version

const twoVersions = () => [versionRow('a', 'v2'), versionRow('a', 'v1', { routing_rules: { tenant_id: 'x' } })];

test('VERBS-1: a verb of a version concerns its target alone, and the stricter override is in force', async (t) => {
  const world = new World({}, twoVersions());
  t.like(await world.say('isolate', 'v1'), { override: 'isolated', breakerState: 'open', revision: 2 });
  t.is(world.stateOf('v1'), 'open');
  t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
  t.like(await world.say('force-closed'), { override: 'forced_closed', breakerState: 'closed' });
  t.is(world.stateOf('v1'), 'open');
  t.like(await world.say('release', 'v1'), { override: 'forced_closed', breakerState: 'closed' });
  t.like(await world.say('isolate'), { override: 'isolated', breakerState: 'open' });
  t.like(await world.say('force-closed', 'v1'), { override: 'isolated', breakerState: 'open' });
  t.like(await world.say('release'), { override: null, breakerState: 'half_open' });
  t.is(world.stateOf('v1'), 'closed');
  t.deepEqual(
    world.core.view.one('a')?.versions?.map((v) => [v.version, v.override]),
    [
      ['v2', null],
      ['v1', 'forced_closed'],
    ],
  );
  world.tell();
  t.is(world.stateOf('v1'), 'closed');
});

test('a version that is disabled is gone, and begins closed when it is enabled, whatever is stored of it', async (t) => {
  const world = new World({}, twoVersions());
  const facts = factsRow({ state: 'open', opened_ago_ms: 1000, open_remaining_ms: 60_000, trips: 3, epoch: 8 });
  t.like(await world.say('disable', 'v2'), { enabled: false, breakerState: null });
  t.is(world.core.view.one('a')?.version, 'v1');
  world.tell(registryEntry(world.row, { versions: world.versions, versionFacts: { v2: facts } }));
  t.like(await world.say('enable', 'v2'), { enabled: true, breakerState: 'closed' });
  t.like(
    world.core.view.one('a')?.versions?.find((v) => v.version === 'v2'),
    { circuit_breaker_trips: 0 },
  );
  await world.pass(1000);
  t.like(
    world.flushed.findLast((row) => row.version === 'v2'),
    { circuit_breaker_state: 'closed', trips: 0 },
  );
  t.true((world.flushed.findLast((row) => row.version === 'v2')?.epoch ?? 0) > 8);
});

test('VERBS-2: the own row of an extension without version rows is the whole extension; beside others it is none', async (t) => {
  const alone = new World();
  alone.isDatabaseAway = true;
  t.like(await alone.say('isolate', 'v1'), { kind: 'in_force', owed: true, override: 'isolated' });
  t.is(alone.core.view.one('a')?.override, 'isolated');
  t.like(await alone.say('isolate', 'v7'), { kind: 'version_not_found', message: "no version 'v7' of a" });
  const beside = new World({ version: 'v0' }, twoVersions());
  beside.isDatabaseAway = true;
  const answer = await beside.say('isolate', 'v0');
  t.is(answer.kind, 'version_not_found');
  t.regex(answer.kind === 'version_not_found' ? answer.message : '', /own row of a/);
});

test('a version that a person isolated does not make the auto-manager switch the extension off', async (t) => {
  const world = new World({}, [versionRow('a', 'v2')]);
  await world.say('isolate', 'v2');
  await world.pass(2000);
  t.is(world.state, 'open');
  t.deepEqual(world.autoChanges, []);
});

// What the feed tells

test('EFFECTIVE-ROW-1: what was read before a verb was written does not undo it, what was read after it does', async (t) => {
  const world = new World({}, twoVersions());
  const { extension, versions } = world.entry();
  await world.say('isolate', 'v1');
  await world.say('isolate');
  const between = world.row;
  await world.say('force-closed');
  for (const [timeout_ms, row] of [
    [7, extension],
    [8, extension],
    [9, between],
  ] as const) {
    world.tell(registryEntry({ ...row, timeout_ms }, { versions }));
    t.deepEqual(world.callEnding('a', 0).answers, ['ok'], 'still forced closed');
    t.is(world.stateOf('v1'), 'open', 'still isolated');
  }
  t.is(world.state, 'closed');
  t.deepEqual(world.kinds(), [], 'nothing was released in between');
  world.change({ breaker_override: null });
  world.versions = world.versions.map((v) => ({ ...v, breaker_override: null, revision: v.revision + 1 }));
  world.tell();
  t.is(world.stateOf('v1'), 'half_open');
});

test('EFFECTIVE-ROW-1: an extension that was made anew has a lower revision, and is taken as it is', async (t) => {
  const world = new World({ revision: 9 });
  await world.say('isolate');
  world.feed$.next(changesOf(3, [registryEntry(extensionRow('a', { revision: 1 }))]));
  t.is(world.core.view.one('a')?.override, null);
});

test('OPERATOR-1: what the feed tells before the answer comes is not done twice', async (t) => {
  const world = new World();
  let answer: () => void = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  world.verb = async (command) => {
    const result = world.write(command);
    await answered;
    return result;
  };
  const reset = world.say('reset');
  await settle();
  world.tell();
  world.fail(4);
  answer();
  t.like(await reset, { kind: 'in_force', breakerState: 'closed' });
  world.fail(1);
  t.is(world.state, 'open');
});

test('OPERATOR-1: an owed reset that the feed tells before its answer comes is not done twice', async (t) => {
  const world = new World();
  world.isDatabaseAway = true;
  await world.say('reset');
  world.isDatabaseAway = false;
  const release = answerLate(world);
  await world.pass(1000);
  t.is(world.row.breaker_resets, 1);
  world.fail(4);
  world.tell();
  release();
  await settle();
  t.is(world.core.operator.pending, 0);
  world.fail(1);
  t.is(world.state, 'open');
});

// Without a database

const fromMemory = test.macro<[situation: Situation, verb: Verb, effect: Effect]>({
  async exec(t, situation, verb, [call, state]) {
    const world = new World();
    await SITUATIONS[situation](world);
    world.tell();
    world.isDatabaseAway = true;
    t.like(await world.say(verb), { kind: 'in_force', owed: true, revision: null, breakerState: state });
    const called = world.callEnding('a', 0);
    t.is(called.answers[0] === 'ok' ? 'ok' : reasonOf(called), call);
    t.is(world.core.operator.pending, 1);
    world.change({ metadata: 1 });
    world.tell();
    t.is(world.state, state, 'EFFECTIVE-ROW-2: what is told meanwhile does not undo it');
    world.isDatabaseAway = false;
    await world.pass(1000);
    t.is(world.core.operator.pending, 0);
    t.like(world.verbs.at(-1), { verb, actor: 'admin:ada', reason: 'because' });
    t.not(world.verbs.at(-1)?.decidedEarlier, null);
    const isAuto = verb !== 'reset' && situation === 'auto-disabled';
    t.like(world.row, { enabled: !isAuto, auto_disabled: isAuto });
    world.tell();
    await world.pass(1000);
    t.is(world.state, state);
  },
  title: (_, situation, verb, [call, state]) =>
    `OPERATOR-2: without a database, ${verb} while ${situation} is in force at once, and written later: ${state}, ${call}`,
});
test(fromMemory, 'closed', 'isolate', ['isolated', 'open']);
test(fromMemory, 'auto-disabled', 'isolate', ['isolated', 'open']);
test(fromMemory, 'closed', 'force-closed', ['ok', 'closed']);
test(fromMemory, 'auto-disabled', 'force-closed', ['ok', 'closed']);
test(fromMemory, 'isolated', 'release', ['ok', 'half_open']);
test(fromMemory, 'forced closed', 'release', ['ok', 'closed']);
test(fromMemory, 'isolated', 'reset', ['ok', 'closed']);
test(fromMemory, 'auto-disabled', 'reset', ['ok', 'closed']);

test('OPERATOR-2: what changes other rows needs the database, and changes nothing without it', async (t) => {
  const world = new World();
  world.isDatabaseAway = true;
  for (const verb of ['enable', 'disable'] as const) {
    const answer = await world.say(verb);
    t.is(answer.kind, 'database_unavailable');
    t.regex(answer.kind === 'database_unavailable' ? answer.message : '', /needs the database: .*ECONNREFUSED/);
  }
  t.is(world.core.operator.pending, 0);
  t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
});

test('OPERATOR-2: of an extension that is not known here, nothing can be said without the database', async (t) => {
  const world = new World();
  world.isDatabaseAway = true;
  const order = { extensionId: 'b', version: null, verb: 'isolate', reason: 'because', actor: 'admin' } as const;
  t.is((await world.core.operator.execute(order)).kind, 'database_unavailable');
});

test('OPERATOR-2: of each row the latest verb is owed, and they are written in the order of the decisions', async (t) => {
  const world = new World({}, twoVersions());
  world.isDatabaseAway = true;
  await world.say('isolate');
  await world.say('isolate', 'v1');
  await world.say('force-closed', 'v2');
  await world.say('release');
  t.is(world.core.operator.pending, 3);
  world.isDatabaseAway = false;
  await world.pass(1000);
  const told = world.verbs.map(({ verb, version }) => `${verb} ${version ?? 'all'}`);
  t.deepEqual(told, ['isolate v1', 'force-closed v2', 'release all']);
  t.deepEqual(
    world.verbs.map(({ decidedEarlier }) => decidedEarlier?.after),
    [
      ['verb-1', 'verb-2'],
      ['verb-1', 'verb-2'],
      ['verb-1', 'verb-2', 'verb-3'],
    ],
    'what was sent from here is no decision of another person',
  );
});

test('OPERATOR-2: a reset that is told again while it is owed resets again', async (t) => {
  const world = new World();
  world.isDatabaseAway = true;
  await world.say('reset');
  world.fail(5);
  t.is(world.state, 'open');
  t.like(await world.say('reset'), { breakerState: 'closed' });
  t.like(world.core.view.one('a')?.health, { circuit_breaker_trips: 0, latency_samples: 0 });
  world.isDatabaseAway = false;
  await world.pass(1000);
  t.is(world.row.breaker_resets, 1);
  world.fail(4);
  world.tell();
  world.fail(1);
  t.is(world.state, 'open', 'writing and telling it resets no further');
});

test('OPERATOR-2: an automatic change waits for the verb, and is decided anew on the row that it leaves', async (t) => {
  const world = new World();
  world.isDatabaseAway = true;
  world.fail(5);
  await world.say('reset');
  world.fail(5);
  await settle();
  t.is(world.state, 'open');
  world.isDatabaseAway = false;
  await world.pass(1000);
  t.deepEqual(
    world.autoChanges.map(({ change, revision }) => [change, revision]),
    [['auto_disable', 2]],
  );
  t.like(world.row, { enabled: false, auto_disabled: true, breaker_resets: 1 });
});

test('OPERATOR-2: a verb that is told when the database is back goes after what is owed of the other rows, and instead of what is owed of its own', async (t) => {
  const world = new World({}, twoVersions());
  world.isDatabaseAway = true;
  await world.say('isolate', 'v1');
  await world.say('isolate');
  world.isDatabaseAway = false;
  t.like(await world.say('release'), { owed: false, override: null, breakerState: 'half_open' });
  t.deepEqual(
    world.verbs.map(({ verb, version }) => `${verb} ${version ?? 'all'}`),
    ['isolate v1', 'release all'],
  );
  t.is(world.core.operator.pending, 0);
});

test('ACTOR-SYSTEM-1: what is owed is written when the daemon stops', async (t) => {
  const world = new World();
  world.isDatabaseAway = true;
  await world.say('isolate');
  world.isDatabaseAway = false;
  await world.core.stop();
  t.is(world.row.breaker_override, 'isolated');
});

test('ACTOR-SYSTEM-1: a verb that becomes pending while others are being written is written, too, when the daemon stops', async (t) => {
  const world = new World();
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('b'))]));
  const isolateB = { extensionId: 'b', version: null, verb: 'isolate', reason: 'why', actor: 'admin' } as const;
  const written: string[] = [];
  let answer: () => void = () => undefined;
  const hangs = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const away = async () => Promise.reject(new Error('connect ECONNREFUSED'));
  const back: typeof world.verb = async (command) => {
    await hangs;
    written.push(command.extension_id);
    return { kind: 'applied', version: null, row: { ...ROW, breakerOverride: 'isolated' } };
  };
  world.verb = away;
  t.like(await world.say('isolate'), { owed: true });
  world.verb = back;
  void world.core.operator.flush();
  await settle();
  world.verb = away;
  t.like(await world.core.operator.execute(isolateB), { owed: true });
  world.verb = back;
  const stopping = world.core.stop();
  answer();
  await stopping;
  t.deepEqual(written, ['a', 'b']);
  t.is(world.core.operator.pending, 0);
});

test('one verb that cannot be written does not keep the others waiting', async (t) => {
  const world = new World();
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('b'))]));
  world.isDatabaseAway = true;
  await world.say('isolate');
  await world.core.operator.execute({ extensionId: 'b', version: null, verb: 'isolate', reason: 'x', actor: 'admin' });
  world.isDatabaseAway = false;
  const written: string[] = [];
  world.verb = async (command) => {
    if (command.extension_id === 'a') throw new Error('poisoned');
    written.push(command.extension_id);
    return { kind: 'applied', version: null, row: { ...ROW, breakerOverride: 'isolated' } };
  };
  await world.pass(2000);
  t.deepEqual(written, ['b']);
  t.is(world.core.operator.pending, 1);
});

const ROW: WrittenRow = { enabled: true, autoDisabled: false, breakerOverride: null, breakerResets: 0, revision: 2 };

const isVoid = test.macro<[what: string, result: VerbResult, reason: RegExp]>({
  async exec(t, _, result, reason) {
    const world = new World();
    world.isDatabaseAway = true;
    await world.say('isolate');
    t.is(reasonOf(world.call('a')), 'isolated');
    world.isDatabaseAway = false;
    world.verb = async () => result;
    await world.pass(1000);
    t.is(world.core.operator.pending, 0);
    const [event] = world.events.filter(({ event }) => event === 'verb_void');
    t.like(event, { extension_id: 'a', actor: 'system:registry' });
    t.regex(event?.reason ?? '', reason);
    t.is(world.audits.find(({ action }) => action === 'verb_void')?.reason, event?.reason as string);
    t.is(world.core.view.one('a')?.override, null, 'the row is in force');
    t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
  },
  title: (_, what) => `OPERATOR-3: ${what} makes an owed verb void: it is told, and the row is in force`,
});
test(
  isVoid,
  "another person's decision",
  { kind: 'void', action: 'enable', by: 'admin:bob' },
  /^isolate by admin:ada \(because\) was not written: admin:bob decided enable since$/,
);
test(isVoid, 'an extension that is gone', { kind: 'extension_not_found' }, /extension_not_found/);

// A database that does not answer

test('OPERATOR-4: a database that does not answer counts as away after five seconds, and what it was told then is written later', async (t) => {
  const world = new World();
  const release = world.hang();
  const isolate = world.say('isolate');
  await world.pass(4900);
  t.is(world.core.operator.pending, 0);
  await world.pass(200);
  t.like(await isolate, { owed: true, override: 'isolated' });
  await world.pass(20_000, 500);
  t.is(world.core.operator.pending, 1);
  release();
  await world.pass(6000, 500);
  t.is(world.core.operator.pending, 0);
  t.is(world.row.revision, 2, 'once');
  t.deepEqual([...new Set(world.verbs.map(({ id }) => id))], ['verb-1']);
  t.is(reasonOf(world.call('a')), 'isolated');
});

test('OPERATOR-4: a later decision stands over an earlier one that hangs', async (t) => {
  const world = new World();
  const release = world.hang();
  const isolate = world.say('isolate');
  await world.pass(5100);
  await isolate;
  const later = world.say('release');
  await world.pass(5100);
  t.like(await later, { owed: true, override: null });
  t.is(world.state, 'half_open');
  release();
  await world.pass(6000, 500);
  t.is(world.row.breaker_override, null);
  t.is(world.row.revision, 2, 'the earlier one is not written any more');
  t.true(world.verbs.at(-1)?.decidedEarlier?.after.includes('verb-1'));
  t.deepEqual(world.kinds(), ['circuit_half_opened'], 'it was not isolated again in between');
});

/** Writes at once, and answers when the returned function is called. */
function answerLate(world: World): () => void {
  const release = world.hang();
  world.verb = async (command) => {
    const result = world.write(command);
    await world.gate;
    return result;
  };
  return release;
}

test('OPERATOR-4: what was written and answered late is in force, and not owed any more', async (t) => {
  const world = new World();
  const release = answerLate(world);
  const isolate = world.say('isolate');
  await world.pass(5100);
  t.like(await isolate, { owed: true });
  release();
  await settle();
  t.is(world.core.operator.pending, 0);
  t.is(world.row.revision, 2);
  t.is(reasonOf(world.call('a')), 'isolated');
});

test('OPERATOR-4: a late answer to an earlier verb does not undo a later one that is owed', async (t) => {
  const world = new World();
  const release = answerLate(world);
  const isolate = world.say('isolate');
  await world.pass(5100);
  await isolate;
  world.isDatabaseAway = true;
  t.like(await world.say('release'), { owed: true, override: null });
  t.is(world.state, 'half_open');
  release();
  await settle();
  t.is(world.state, 'half_open');
  t.is(world.core.operator.pending, 1);
  world.isDatabaseAway = false;
  await world.pass(1000);
  t.is(world.row.breaker_override, null);
  t.deepEqual(world.kinds(), ['circuit_half_opened']);
});

test('OPERATOR-4: a disable that was not answered in time takes effect when its answer comes after all', async (t) => {
  const world = new World();
  const release = answerLate(world);
  const disable = world.say('disable');
  await world.pass(5100);
  const answer = await disable;
  t.regex(answer.kind === 'database_unavailable' ? answer.message : '', /may have been written/);
  t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
  release();
  await settle();
  t.is(reasonOf(world.call('a')), 'disabled');
});

test('OPERATOR-4: verbs of one extension are written in their order, also where the first one hangs', async (t) => {
  const world = new World();
  const release = world.hang();
  const isolate = world.say('isolate');
  await world.pass(2000);
  const forceClosed = world.say('force-closed');
  await world.pass(2000);
  t.is(world.verbs.length, 1, 'one at a time');
  release();
  t.like(await isolate, { owed: false });
  t.like(await forceClosed, { owed: false, override: 'forced_closed' });
  t.deepEqual(
    world.verbs.map(({ verb }) => verb),
    ['isolate', 'force-closed'],
  );
});

test('OPERATOR-4: an extension whose write hangs does not hold up another', async (t) => {
  const world = new World();
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('b'))]));
  const release = world.hang();
  void world.say('isolate');
  await settle();
  world.verb = async () => ({ kind: 'applied', version: null, row: { ...ROW, breakerOverride: 'isolated' } });
  const order = { extensionId: 'b', version: null, verb: 'isolate', reason: 'x', actor: 'admin' } as const;
  t.like(await world.core.operator.execute(order), { owed: false, override: 'isolated' });
  release();
});

// What the registry says is not there

test('OPERATOR-1: what the registry does not know is told', async (t) => {
  const world = new World();
  world.verb = async () => ({ kind: 'extension_not_found' });
  t.deepEqual(await world.say('reset'), { kind: 'extension_not_found', message: "no extension 'a'" });
  world.verb = async () => ({ kind: 'version_not_found', isOwnRow: false });
  t.deepEqual(await world.say('reset', 'v9'), { kind: 'version_not_found', message: "no version 'v9' of a" });
});

test('OPERATOR-1: an extension whose row is not valid is written all the same', async (t) => {
  const world = new World();
  world.verb = async () => ({ kind: 'applied', version: null, row: { ...ROW, enabled: false, revision: 7 } });
  const order = { extensionId: 'broken', version: null, verb: 'disable', reason: 'x', actor: 'admin' } as const;
  t.deepEqual(await world.core.operator.execute(order), {
    kind: 'in_force',
    owed: false,
    revision: 7,
    enabled: false,
    autoDisabled: false,
    override: null,
    breakerState: null,
  });
});

test('OPERATOR-2: enable and disable do not drop what is owed of the same row: it is written before them', async (t) => {
  for (const verb of ['enable', 'disable'] as const) {
    const world = new World();
    world.isDatabaseAway = true;
    t.like(await world.say('isolate'), { kind: 'in_force', owed: true });
    world.isDatabaseAway = false;
    t.like(await world.say(verb), { kind: 'in_force', owed: false, override: 'isolated' });
    t.is(world.row.breaker_override, 'isolated');
    t.is(world.core.operator.pending, 0);
  }
});

test('OPERATOR-2: a daemon that stops takes nothing more that could only be owed', async (t) => {
  const world = new World();
  world.isDatabaseAway = true;
  await world.say('isolate');
  await world.core.operator.stop();
  t.like(await world.say('reset'), { kind: 'database_unavailable' });
  t.is(reasonOf(world.call('a')), 'isolated', 'what was in force stays');
});

test('OPERATOR-1: a verb is answered when it is in force, also where that takes several turns of the event loop', async (t) => {
  for (const isAway of [false, true]) {
    const world = new World();
    world.fail(5);
    await settle();
    world.isDatabaseAway = isAway;
    world.clock.readingMs = 5;
    let answer: unknown = null;
    void world.say('reset').then((said) => {
      answer = said;
    });
    let turns = 0;
    for (await settle(); answer === null && turns < 100; turns++) {
      world.clock.advance(0);
      await settle();
    }
    t.true(turns > 1, 'it took several turns');
    t.like(answer, { kind: 'in_force', owed: isAway, autoDisabled: false, breakerState: 'closed' });
  }
});
