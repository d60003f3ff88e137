// HEALTH-BOARD-1 to HEALTH-BOARD-4 of health-board.ts: what lists of health show, when, and at what cost.
import test from 'ava';
import fc from 'fast-check';
import type { ExtensionRuntime } from '../../../src/actors/extension/extension-runtime.js';
import { ActorWorld, reportOf, settle } from '../../helpers/actor-world.js';
import { changesOf, extensionRow, registryEntry, snapshotOf, versionRow } from '../../helpers/registry-rows.js';

const named = (count: number): string[] => Array.from({ length: count }, (_, i) => `e${String(i).padStart(4, '0')}`);

function running(ids: readonly string[]): ActorWorld {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...ids.map((id) => registryEntry(extensionRow(id)))));
  return world;
}

const runtimeOf = (world: ActorWorld, id: string): ExtensionRuntime =>
  world.core.supervisor.runtimes.get(id) as ExtensionRuntime;

/** Readers of what changes that are always there: ticks, slots, board, aggregate, both writers, and the disable guard. */
const ALWAYS = 2 ** 7 - 1;
const readByLists = ({ dirtyFor }: ExtensionRuntime): number => dirtyFor & ~ALWAYS;

/** What a list shows of each extension is what the view of that extension says now. */
async function isTrue(t: { deepEqual(a: unknown, b: unknown, message?: string): void }, world: ActorWorld, what = '') {
  // What is decided after a trip is in force before anyone asks.
  await settle();
  const { extensions } = await reportOf(world);
  const now = [...world.core.supervisor.runtimes.values()]
    .map((runtime) => JSON.parse(JSON.stringify(world.core.view.extension(runtime))))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  t.deepEqual(extensions, now, what);
}

test('HEALTH-BOARD-2: after anything that changes an extension, a list shows it', async (t) => {
  const world = running(['c', 'a', 'b']);
  await isTrue(t, world, 'at first');
  world.callEnding('a', 0);
  await isTrue(t, world, 'a success');
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  await isTrue(t, world, 'a trip');
  t.is((await reportOf(world)).extensions[0]?.health.circuit_breaker_state, 'open');
  await world.pass(40_000, 1000);
  await isTrue(t, world, 'half-open by time');
  world.call('a');
  await isTrue(t, world, 'a probe in flight');
  world.sent.at(-1)?.end(0);
  await isTrue(t, world, 'a probe that succeeded');
  const order = { version: null, reason: 'why', actor: 'admin' } as const;
  world.isDatabaseAway = true;
  await world.core.operator.execute({ ...order, extensionId: 'b', verb: 'isolate' });
  await isTrue(t, world, 'isolated, pending in the database');
  world.isDatabaseAway = false;
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('b', { enabled: false, revision: 2 }))]));
  await isTrue(t, world, 'disabled');
  world.feed$.next(
    changesOf(3, [registryEntry(extensionRow('b', { revision: 3 }), { versions: [versionRow('b', 'v2')] })]),
  );
  await isTrue(t, world, 'another default version');
  world.feed$.next(changesOf(4, [registryEntry(extensionRow('bb'))], ['a']));
  await isTrue(t, world, 'one that is new, one that is gone');
});

test('HEALTH-BOARD-4: what passes with time alone is shown as it is then', async (t) => {
  const world = running(['a', 'b']);
  world.callEnding('a', 0);
  for (let minute = 0; minute < 7; minute++) {
    await isTrue(t, world, `minute ${minute}`);
    await world.pass(60_000, 1000);
  }
  t.is((await reportOf(world)).extensions[0]?.health.latency_samples, 0);
});

test('HEALTH-BOARD-2: any calls, changes and lists in any order', async (t) => {
  const step = fc.record({
    id: fc.constantFrom('a', 'b', 'c'),
    what: fc.constantFrom('ok', 'fails', 'isolate', 'reset', 'row', 'gone', 'time', 'list'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const world = running(['a', 'b', 'c']);
      world.isDatabaseAway = true;
      let revision = 1;
      for (const { id, what } of steps) {
        const isThere = world.core.supervisor.runtimes.has(id);
        if (what === 'ok' && isThere) world.callEnding(id, 0);
        else if (what === 'fails' && isThere) for (let i = 0; i < 5; i++) world.callEnding(id, 500);
        else if (what === 'row')
          world.feed$.next(
            changesOf(++revision, [registryEntry(extensionRow(id, { revision, timeout_ms: revision + 100 }))]),
          );
        else if (what === 'gone') world.feed$.next(changesOf(++revision, [], [id]));
        else if (what === 'time') await world.pass(15_000, 1000);
        else if (what === 'list') await isTrue(t, world);
        else if ((what === 'isolate' || what === 'reset') && isThere)
          await world.core.operator.execute({
            extensionId: id,
            version: null,
            verb: what,
            reason: 'why',
            actor: 'admin',
          });
      }
      await isTrue(t, world);
      await world.core.stop();
    }),
    { numRuns: 40 },
  );
});

test('HEALTH-BOARD-1: with many extensions a list is made in many turns, and calls are answered between them', async (t) => {
  const world = running(named(3000));
  await world.pass(1000);
  const clock = world.clock as { now: () => number; setTimeout: typeof world.clock.setTimeout };
  const { now, setTimeout: later } = world.clock;
  // Time passes with every fifth look at the clock, as if the work took time.
  let looks = 0;
  clock.now = () => now.call(world.clock) + (looks++ % 5 === 4 ? 1 : 0);
  let turns = 0;
  const answers: number[] = [];
  clock.setTimeout = (then, ms) => {
    if (ms === 0 && ++turns === 20) answers.push(world.callEnding('e0001', 0).answers.length);
    return later.call(world.clock, then, ms);
  };
  const list = world.core.health.list({});
  for (let i = 0; i < 10; i++) {
    world.clock.advance(0);
    await settle();
  }
  t.is((await list).extensions.length, 3000);
  t.true(turns > 100, `${turns}`);
  t.deepEqual(answers, [1]);
});

test('HEALTH-BOARD-3: only what changed is made again, and nothing is kept when nobody has read for half a minute', async (t) => {
  const world = running(['a', 'b', 'c']);
  const made: string[] = [];
  const { view } = world.core;
  const extension = view.extension.bind(view);
  view.extension = (runtime) => {
    made.push(runtime.id);
    return extension(runtime);
  };
  await reportOf(world);
  t.deepEqual(made.splice(0), ['a', 'b', 'c']);
  await reportOf(world);
  t.deepEqual(made.splice(0), []);
  world.callEnding('b', 0);
  world.callEnding('b', 0);
  await reportOf(world);
  t.deepEqual(made.splice(0), ['b']);
  await world.pass(29_000, 1000);
  world.callEnding('c', 0);
  t.not(readByLists(runtimeOf(world, 'c')), 0, 'it is still read');
  await world.pass(2000, 1000);
  t.is(readByLists(runtimeOf(world, 'c')), 0);
  made.length = 0;
  world.callEnding('c', 0);
  t.is(readByLists(runtimeOf(world, 'c')), 0, 'nobody reads');
  await reportOf(world);
  t.deepEqual(made, ['a', 'b', 'c']);
});

test('a page, and only what is unhealthy; summary and refused rows are of the whole', async (t) => {
  const world = running(['a', 'b', 'c', 'd']);
  for (const id of ['b', 'd']) for (let i = 0; i < 5; i++) world.callEnding(id, 500);
  const ids = async (selection: Parameters<typeof world.core.health.list>[0]) => {
    const { extensions, summary } = await world.core.health.list(selection);
    t.like(summary, { total: 4, unhealthy: 2 });
    return extensions.map((json) => JSON.parse(json).id);
  };
  t.deepEqual(await ids({ limit: 2 }), ['a', 'b']);
  t.deepEqual(await ids({ limit: 2, offset: 3 }), ['d']);
  t.deepEqual(await ids({ offset: 1 }), ['b', 'c', 'd']);
  t.deepEqual(await ids({ unhealthy: true }), ['b', 'd']);
  t.deepEqual(await ids({ unhealthy: true, limit: 1, offset: 1 }), ['d']);
  t.deepEqual(await ids({ limit: 0 }), []);
});

test('an extension whose health cannot be read fails the list with its error, and the next list is made', async (t) => {
  const world = running(['a', 'b']);
  const { view } = world.core;
  const extension = view.extension.bind(view);
  view.extension = (runtime) => {
    if (runtime.id === 'a') throw new Error('a bug');
    return extension(runtime);
  };
  await t.throwsAsync(() => world.core.health.list({}), { message: 'a bug' });
  view.extension = extension;
  t.is((await world.core.health.list({})).extensions.length, 2);
});

/** Makes each look at the clock take 1 ms, so that each step is a slice: lists are made in many turns, one with each `advance(0)`. */
function slowed(world: ActorWorld): void {
  const { now } = world.clock;
  let looks = 0;
  (world.clock as { now: () => number }).now = () => now.call(world.clock) + looks++;
}

test('HEALTH-BOARD-2: a list that is asked for while another is made shows what happened before the question', async (t) => {
  const world = running(['a', 'b', 'c', 'd']);
  await world.core.health.list({});
  for (const id of ['a', 'b', 'c', 'd']) world.callEnding(id, 0);
  slowed(world);
  const first = world.core.health.list({});
  world.clock.advance(0);
  const a = runtimeOf(world, 'a');
  t.is(readByLists(a), 0, 'it was made for the first list');
  world.callEnding('a', 0);
  const second = world.core.health.list({});
  for (let i = 0; i < 40; i++) {
    world.clock.advance(0);
    await settle();
  }
  const successes = async (list: typeof first): Promise<number[]> =>
    (await list).extensions.map((json) => JSON.parse(json).health.success_count);
  t.is((await successes(first)).length, 4);
  t.deepEqual(await successes(second), [2, 1, 1, 1]);
});

test('HEALTH-BOARD-2: an extension that no call reaches any more is in no list, also while its actors are being stopped', async (t) => {
  const world = running(['a', 'b']);
  await world.core.health.list({});
  world.core.supervisor.runtimes.delete('a');
  t.deepEqual(
    (await reportOf(world)).extensions.map(({ id }) => id),
    ['b'],
  );
});

test('an extension whose health could not be read once is as it is now in the next list', async (t) => {
  const world = running(['a', 'b']);
  await world.core.health.list({});
  world.callEnding('a', 0);
  const { view } = world.core;
  const extension = view.extension.bind(view);
  view.extension = () => {
    throw new Error('a bug');
  };
  await t.throwsAsync(() => world.core.health.list({}), { message: 'a bug' });
  view.extension = extension;
  await isTrue(t, world);
});
