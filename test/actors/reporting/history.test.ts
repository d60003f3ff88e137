// HISTORY-1 to HISTORY-3 of history.ts, and SLOTS-1, SLOTS-2 of slots.ts.
import test from 'ava';
import type { ActorSystemSettings } from '../../../src/actors/actor-system.js';
import type { HistoryAnswer, HistoryStep } from '../../../src/domain/health/history-answer.js';
import { ActorWorld, START_WALL_MS } from '../../helpers/actor-world.js';
import { changesOf, extensionRow, registryEntry, snapshotOf, versionRow } from '../../helpers/registry-rows.js';

const START = START_WALL_MS / 1000;

function running(ids: readonly string[], settings: Partial<ActorSystemSettings> = {}): ActorWorld {
  const world = new ActorWorld(settings);
  world.feed$.next(snapshotOf(1, ...ids.map((id) => registryEntry(extensionRow(id)))));
  return world;
}

async function historyOf(world: ActorWorld, id: string, step: HistoryStep = 10, version: string | null = null) {
  return (await world.core.board.history(id, version, step)) as HistoryAnswer;
}

test('HISTORY-1: each slot has what happened in its ten seconds, each minute what happened in its six slots', async (t) => {
  const world = running(['a']);
  await world.pass(2000, 1000);
  for (let slot = 0; slot < 9; slot++) {
    for (let i = 0; i <= slot; i++) world.callEnding('a', 0);
    if (slot === 3) world.callEnding('a', 500);
    if (slot === 5) await world.pass(10_000, 1000);
    await world.pass(10_000, 1000);
  }
  const fine = await historyOf(world, 'a');
  t.is(fine.step, 10);
  t.is(fine.start, START - 500);
  t.is(fine.calls.length, 60);
  t.deepEqual(fine.calls.slice(-10), [1, 2, 3, 5, 5, 6, null, 7, 8, 9]);
  t.deepEqual(fine.failed.slice(-10), [0, 0, 0, 1, 0, 0, null, 0, 0, 0]);
  t.is(fine.begins, START);
  await world.pass(20_000, 1000);
  const coarse = await historyOf(world, 'a', 60);
  t.is(coarse.calls.length, 240);
  t.is(coarse.start, START - 240 * 60 + 120);
  t.deepEqual(coarse.calls.slice(-3), [null, 22, 24]);
});

test('HISTORY-3: percentiles are those of the health window as the slot ends; refused calls are in it', async (t) => {
  const world = running(['a']);
  const before = world.sent.length;
  world.call('a');
  await world.pass(100, 50);
  world.sent[before]?.end(0);
  for (let i = 0; i < 4; i++) world.callEnding('a', 500);
  t.is(world.core.supervisor.runtimes.get('a')?.defaultService?.target.mode, 'open');
  for (let i = 0; i < 7; i++) world.call('a');
  await world.pass(11_000, 1000);
  const { p99, refused, calls, failed } = await historyOf(world, 'a');
  t.is(refused.at(-1), 7);
  t.is(calls.at(-1), 5);
  t.is(failed.at(-1), 4);
  t.true(Math.abs((p99.at(-1) ?? 0) - 100) < 3, `${p99.at(-1)}`);
});

test('each version has a history of its own; sparklines add them up', async (t) => {
  const world = new ActorWorld();
  const versions = [versionRow('a', 'v2', { routing_rules: { tenant: 'x' } })];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { versions })));
  const call = (context: Record<string, string>) => {
    const before = world.sent.length;
    world.call('a', null, context);
    world.sent[before]?.end(0);
  };
  call({ tenant: 'x' });
  call({ tenant: 'x' });
  call({});
  await world.pass(11_000, 1000);
  t.is((await historyOf(world, 'a', 10, 'v2')).calls.at(-1), 2);
  t.is((await historyOf(world, 'a')).calls.at(-1), 1);
  const { calls, end, step } = await world.core.board.sparklines([1, 99]);
  t.deepEqual([calls[0]?.at(-1), calls[0]?.length, calls[1], step, end], [3, 60, null, 10, START + 10]);
  t.is(await world.core.board.history('nope', null, 10), 'extension_not_found');
  t.is(await world.core.board.history('a', 'v9', 10), 'version_not_found');
});

test('sparklines of many extensions are read in slices', async (t) => {
  const world = running(Array.from({ length: 100 }, (_, i) => `e${i}`));
  for (let i = 0; i < 100; i++) world.callEnding(`e${i}`, i % 2 === 0 ? 0 : 500);
  await world.pass(11_000, 1000);
  world.clock.readingMs = 0.1;
  world.clock.delays.length = 0;
  const reading = world.core.board.sparklines(Array.from({ length: 100 }, (_, i) => i + 1));
  await world.pass(1000, 10);
  const { calls, failed } = await reading;
  t.true(calls.every((line) => line?.at(-1) === 1));
  t.deepEqual([failed[0]?.at(-1), failed[1]?.at(-1), failed[1]?.at(0)], [0, 1, null]);
  const pauses = world.clock.delays.filter((ms) => ms === 1).length;
  t.true(pauses >= 20, `${pauses} pauses`);
});

test('HISTORY-2: nothing is kept of a version that is gone, however many come and go', async (t) => {
  const world = new ActorWorld();
  for (let n = 2; n < 8; n++) {
    const versions = [versionRow('a', `v${n}`, { routing_rules: { tenant: 'x' } })];
    const entry = registryEntry(extensionRow('a'), { versions });
    world.feed$.next(n === 2 ? snapshotOf(1, entry) : changesOf(n, [entry]));
    for (const context of [{ tenant: 'x' }, {}]) {
      const before = world.sent.length;
      world.call('a', null, context);
      world.sent[before]?.end(0);
    }
    await world.pass(11_000, 1000);
    t.is(world.core.board.historyVersions, 2, `v1 and v${n}`);
    t.is(world.core.board.histories, 2);
  }
});

test('`from` leaves out what was before', async (t) => {
  const world = running(['a']);
  await world.pass(35_000, 1000);
  const answer = (await world.core.board.history('a', null, 10, START + 15)) as HistoryAnswer;
  t.is(answer.start, START + 20);
  t.is(answer.calls.length, 1);
  const none = (await world.core.board.history('a', null, 10, START + 500)) as HistoryAnswer;
  t.deepEqual([none.start, none.calls.length], [START + 30, 0]);
});

test('HISTORY-2: a record is given back after four hours without traffic, and with its extension', async (t) => {
  const world = running(['a', 'b', 'c']);
  const { board } = world.core;
  for (const id of ['a', 'b', 'c']) world.callEnding(id, 0);
  await world.pass(11_000, 1000);
  t.is(board.histories, 3);
  world.feed$.next(changesOf(2, [], ['c']));
  t.is(board.histories, 2);
  await world.pass(2 * 3_600_000, 60_000);
  world.callEnding('b', 0);
  await world.pass(2 * 3_600_000, 60_000);
  await world.pass(60_000, 10_000);
  t.is(board.histories, 1);
  t.true((await historyOf(world, 'a')).calls.every((calls) => calls === null));
  world.callEnding('a', 0);
  await world.pass(20_000, 1000);
  t.deepEqual(
    (await historyOf(world, 'a')).calls.filter((calls) => calls !== null),
    [1],
    'what was counted before is not counted again',
  );
});

test('HISTORY-2: beyond the limit the longest idle one is dropped; 0 keeps none', async (t) => {
  const world = running(['a', 'b', 'c'], { historyTargetsMax: 2 });
  for (const id of ['a', 'b', 'c', 'a']) {
    world.callEnding(id, 0);
    await world.pass(11_000, 1000);
  }
  t.is(world.core.board.histories, 2);
  const known = await Promise.all(
    ['a', 'b', 'c'].map(async (id) => (await historyOf(world, id)).calls.some((n) => n !== null)),
  );
  t.deepEqual(known, [true, false, true]);
  const off = running(['a'], { historyTargetsMax: 0 });
  off.callEnding('a', 0);
  await off.pass(11_000, 1000);
  t.is(off.core.board.histories, 0);
});

test('SLOTS-1: targets without traffic are not looked at', async (t) => {
  const world = running(['a', 'b']);
  await world.pass(11_000, 1000);
  const looked: string[] = [];
  for (const runtime of world.core.supervisor.runtimes.values()) {
    const target = runtime.defaultService?.target;
    if (target === undefined) throw new Error('no target');
    const { stats } = target;
    const counts = () => ({ calls: 0, failed: 0, refused: 0 });
    Object.defineProperty(stats, 'callCounts', {
      get: () => {
        looked.push(runtime.id);
        return counts();
      },
    });
  }
  world.callEnding('a', 0);
  await world.pass(40_000, 1000);
  t.deepEqual(new Set(looked), new Set(['a']));
});

test('SLOTS-2: many targets are sampled in slices', async (t) => {
  const ids = Array.from({ length: 300 }, (_, i) => `e${i}`);
  const world = running(ids);
  for (const id of ids) world.callEnding(id, 0);
  await world.pass(9000, 1000);
  world.clock.readingMs = 0.01;
  const { setTimeout: later } = world.clock;
  let pauses = 0;
  (world.clock as { setTimeout: typeof later }).setTimeout = (fn, ms) => {
    if (ms === 8) pauses++;
    return later(fn, ms);
  };
  await world.pass(4000, 50);
  t.true(pauses >= 5, `${pauses} pauses`);
  t.is(world.core.board.histories, 300);
});

test('marks are those of the audit trail from the first slot on; without it, the last events in memory', async (t) => {
  const world = running(['a', 'b']);
  for (const id of ['a', 'b']) for (let i = 0; i < 5; i++) world.callEnding(id, 500);
  await world.pass(1000, 250);
  const { marks } = await historyOf(world, 'a');
  const opened = world.events.find(({ event, extension_id }) => event === 'circuit_opened' && extension_id === 'a');
  t.like(marks[0], {
    kind: 'circuit_opened',
    version: 'v1',
    reason: opened?.reason,
    actor: 'system:breaker',
    at: opened?.at,
  });
  t.deepEqual(marks[0]?.evidence, opened?.evidence);
  t.deepEqual(
    marks.map(({ kind }) => kind),
    world.events.filter((event) => event.extension_id === 'a').map(({ event }) => event),
  );
  const asked: unknown[] = [];
  const at = new Date(START_WALL_MS).toISOString();
  world.readMarks = async (...query) => {
    asked.push(query);
    return [
      { at, kind: 'update', version: null, actor: 'ada' },
      { at, kind: 'version_rollout', version: 'v1', actor: 'ada' },
      { at, kind: 'version_rollout', version: 'v2', actor: 'ada' },
    ];
  };
  const answer = await historyOf(world, 'a');
  t.deepEqual(asked, [['a', answer.start * 1000, 500]]);
  t.deepEqual(
    answer.marks.map(({ kind, version }) => [kind, version]),
    [
      ['update', null],
      ['version_rollout', 'v1'],
    ],
  );
  world.readMarks = () => new Promise(() => undefined);
  const late = historyOf(world, 'a');
  await world.pass(2000, 500);
  t.deepEqual((await late).marks, marks, 'a database that does not answer is not waited for');
});
