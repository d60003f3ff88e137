// Writers of the actors beside rows that another transaction holds, and when an answer was lost.
import test from 'ava';
import { pino } from '#pino';
import { HeldError } from '../../../src/domain/registry/held-error.js';
import { ActorWorld, settle } from '../../helpers/actor-world.js';
import { extensionRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';

const ALL = ['a', 'b', 'c', 'd'];

/** A world of four extensions, and what it logs of rows that are held. */
function world() {
  const lines: { event: string; row?: string; held_for_ms?: number; error?: string }[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const made = new ActorWorld({}, log);
  made.feed$.next(snapshotOf(1, ...ALL.map((id) => registryEntry(extensionRow(id)))));
  return { world: made, told: () => lines.filter(({ event }) => event.startsWith('row_')) };
}

const fail = (made: ActorWorld, id: string): void => {
  for (let i = 0; i < 5; i++) made.callEnding(id, 500);
};

test('HEALTH-WRITER-3: a health row that is held is flushed apart, told with its holder, and written when it is free', async (t) => {
  const { world: made, told } = world();
  const isHeld = new Set(['a@v1']);
  const batches: string[][] = [];
  made.flush = async (rows) => {
    batches.push(rows.map((row) => row.extension_id));
    const held = rows.filter((row) => isHeld.has(`${row.extension_id}@${row.version}`));
    return {
      dropped: [],
      held: held.map(({ extension_id, version }) => ({ extension_id, version, error: 'locked by process 7' })),
    };
  };
  for (const id of ['a', 'b']) made.callEnding(id, 0);
  await made.pass(1000);
  made.callEnding('b', 0);
  await made.pass(1000);
  t.deepEqual(batches, [['a', 'b'], ['b'], ['a']]);
  await made.pass(58_000, 500);
  t.deepEqual(
    told().map(({ event, row, held_for_ms }) => [event, row, held_for_ms]),
    [
      ['row_held', 'a@v1', 1000],
      ['row_held', 'a@v1', 31_000],
    ],
  );
  t.is(told()[0]?.error, 'locked by process 7');
  isHeld.clear();
  await made.pass(1000);
  t.like(told().at(-1), { event: 'row_released', row: 'a@v1', held_for_ms: 60_000 });
  t.is(made.flushed.filter((row) => row.extension_id === 'a').at(-1)?.success_delta, 1);
  const written = batches.length;
  await made.pass(3000);
  t.is(batches.length, written);
});

const WHAT_WAS_WRITTEN = {
  all: { dropped: [], held: [] },
  nothing: null,
  'all but a held row': { dropped: [], held: [{ extension_id: 'a', version: 'v1', error: 'locked by process 7' }] },
  'all but a refused row': { dropped: [{ extension_id: 'a', version: 'v1', error: 'out of range' }], held: [] },
} as const;

for (const [what, result] of Object.entries(WHAT_WAS_WRITTEN))
  test(`HEALTH-WRITER-1: a flush whose answer was lost is asked for: ${what} was written, and each count is added once`, async (t) => {
    const { world: made } = world();
    const asked: number[] = [];
    made.flush = async () => {
      throw new Error('connection lost');
    };
    made.wasFlushed = async (number) => {
      asked.push(number);
      return result;
    };
    for (const id of ['a', 'b']) made.callEnding(id, 0);
    await made.pass(1000);
    made.flush = async () => ({ dropped: [], held: [] });
    for (const id of ['a', 'b']) made.callEnding(id, 0);
    await made.pass(3000);
    t.is(asked.length, 1);
    const written = (id: string) =>
      made.flushed.filter((row) => row.extension_id === id).map((row) => row.success_delta);
    const isPending = result === null || result.held.length > 0;
    t.deepEqual([written('a'), written('b')], [[isPending ? 2 : 1], [result === null ? 2 : 1]]);
    t.is(made.core.writer.dropped, result?.dropped.length ?? 0);
  });

test('AUTO-MANAGER-7: an extension whose row is held keeps no other from being disabled, and is disabled when it is free', async (t) => {
  const { world: made, told } = world();
  let isHeld = true;
  made.autoChange = async (change) => {
    if (change.extension_id === 'a' && isHeld)
      throw new HeldError("extensions 'a' is locked by process 7", "extensions 'a'");
    return { applied: true, revision: 2 };
  };
  const done = () => made.autoChanges.map((change) => change.extension_id);
  for (const id of ['a', 'b', 'c']) fail(made, id);
  await settle();
  t.deepEqual(done(), ['b', 'c'], 'at once');
  await made.pass(2000);
  fail(made, 'd');
  await settle();
  t.deepEqual(done(), ['b', 'c', 'd']);
  t.like(told()[0], { event: 'row_held', row: 'a', error: "extensions 'a' is locked by process 7" });
  isHeld = false;
  await made.pass(1000);
  t.deepEqual(done(), ['b', 'c', 'd', 'a']);
  t.like(told().at(-1), { event: 'row_released', row: 'a' });
});

for (const isTold of [false, true])
  test(`AUTO-MANAGER-8: a change whose answer was lost is published once${isTold ? ', also where the feed told the row before' : ''}`, async (t) => {
    const { world: made } = world();
    made.autoChange = () => Promise.reject(new Error('connection lost'));
    fail(made, 'a');
    await settle();
    made.autoChange = async () => ({ applied: false });
    made.askedAutoChange = async () => ({ applied: true, revision: 2 });
    const off = { enabled: false, auto_disabled: true, switched_by: 'system:auto-manager', revision: 2 };
    if (isTold)
      made.feed$.next(snapshotOf(2, ...ALL.map((id) => registryEntry(extensionRow(id, id === 'a' ? off : {})))));
    await made.pass(3000);
    t.deepEqual(made.kinds(), ['circuit_opened', 'auto_disabled']);
    t.is(made.core.view.autoDisabledTotal(), 1);
    t.like(made.core.view.one('a'), { enabled: false, auto_disabled: true });
    t.is(made.core.autoManager.pending, 0);
  });

test('OPERATOR-5: a pending verb whose row is held keeps no other waiting', async (t) => {
  const { world: made, told } = world();
  made.isDatabaseAway = true;
  const order = { version: null, verb: 'isolate', reason: 'why', actor: 'admin' } as const;
  for (const extensionId of ['a', 'b', 'c']) await made.core.operator.execute({ ...order, extensionId });
  made.isDatabaseAway = false;
  let isHeld = true;
  const row = {
    enabled: true,
    autoDisabled: false,
    breakerOverride: 'isolated',
    breakerResets: 0,
    revision: 2,
  } as const;
  const done: string[] = [];
  made.verb = async ({ extension_id }) => {
    if (extension_id === 'a' && isHeld) throw new HeldError("extensions 'a' is locked by process 7", "extensions 'a'");
    done.push(extension_id);
    return { kind: 'applied', version: null, row };
  };
  await made.pass(1000);
  t.deepEqual(done, ['b', 'c']);
  await made.pass(2000);
  t.like(told()[0], { event: 'row_held', row: 'a' });
  isHeld = false;
  await made.pass(1000);
  t.deepEqual(done, ['b', 'c', 'a']);
  t.is(made.core.operator.pending, 0);
});

test('HEALTH-WRITER-4: when the window of an idle extension is over, its row is written once, without samples', async (t) => {
  const { world: made } = world();
  made.callEnding('a', 0);
  made.callEnding('b', 0);
  await made.pass(1000);
  await made.pass(200_000, 1000);
  made.callEnding('b', 0);
  await made.pass(1000);
  made.flushed.length = 0;
  await made.pass(120_000, 1000);
  t.deepEqual(
    made.flushed.map(({ extension_id, latency_samples }) => [extension_id, latency_samples]),
    [['a', 0]],
  );
  t.like(made.flushed[0], { p50_latency_ms: null, p95_latency_ms: null, avg_latency_ms: null, success_delta: 0 });
  await made.pass(600_000, 1000);
  t.deepEqual(
    made.flushed.map(({ extension_id, latency_samples }) => [extension_id, latency_samples]),
    [
      ['a', 0],
      ['b', 0],
    ],
  );
});
