// EXTENSION-LIST-1 to EXTENSION-LIST-3 of extension-list.ts.
import test from 'ava';
import fc from 'fast-check';
import type { ListQuery } from '../../../src/domain/registry/list-query.js';
import { ActorWorld } from '../../helpers/actor-world.js';
import { changesOf, extensionRow, registryEntry, snapshotOf, versionRow } from '../../helpers/registry-rows.js';

interface Item {
  readonly id: string;
  readonly in_force: boolean;
  readonly refused: readonly string[] | null;
  readonly health: Readonly<Record<string, unknown>> | null;
}

interface Page {
  readonly items: Item[];
  readonly next: string | null;
  readonly total: number;
}

const named = (count: number): string[] => Array.from({ length: count }, (_, i) => `e${String(i).padStart(3, '0')}`);

function running(ids: readonly string[]): ActorWorld {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...ids.map((id) => registryEntry(extensionRow(id)))));
  return world;
}

async function pageOf(world: ActorWorld, query: Partial<ListQuery> = {}): Promise<Page> {
  const list = world.core.board.list({ limit: 100, ...query });
  await world.pass(100);
  const answer = await list;
  if (answer.kind !== 'page') throw new Error(answer.message);
  return { ...answer, items: answer.items.map((item) => JSON.parse(item)) };
}

const idsOf = async (world: ActorWorld, query: Partial<ListQuery> = {}): Promise<string[]> =>
  (await pageOf(world, query)).items.map(({ id }) => id);

test('items are rows with a summary of their health', async (t) => {
  const world = running(['b', 'a']);
  for (let i = 0; i < 5; i++) world.callEnding('b', 500);
  const page = await pageOf(world);
  t.is(page.total, 2);
  t.is(page.next, null);
  t.like(page.items[0], {
    id: 'a',
    type: 'pre',
    subject: 'ext.a',
    timeout_ms: 1000,
    enabled: true,
    revision: 1,
    in_force: true,
    refused: null,
  });
  t.like(page.items[1]?.health, { state: 'open', failed_per_second: 0.5, success_rate: 0 });
  t.false('config' in (page.items[0] ?? {}));
});

test('filters: id, part of an id, state, type, enabled, auto_disabled, override, wrong', async (t) => {
  const world = running(['a1', 'a2', 'b1', 'b2']);
  world.feed$.next(
    changesOf(2, [
      registryEntry(extensionRow('a2', { revision: 2, enabled: false })),
      registryEntry(extensionRow('b2', { revision: 2, type: 'post', breaker_override: 'isolated' })),
    ]),
  );
  for (let i = 0; i < 5; i++) world.callEnding('b1', 500);
  await world.pass(100);
  t.deepEqual(await idsOf(world, { ids: new Set(['b1', 'a1', 'zz']) }), ['a1', 'b1']);
  t.deepEqual(await idsOf(world, { q: 'B' }), ['b1', 'b2']);
  t.deepEqual(await idsOf(world, { states: new Set(['open', 'isolated']) }), ['b1', 'b2']);
  t.deepEqual(await idsOf(world, { types: new Set(['post']) }), ['b2']);
  t.deepEqual(await idsOf(world, { enabled: false, autoDisabled: false }), ['a2']);
  t.deepEqual(await idsOf(world, { autoDisabled: true }), ['b1']);
  t.deepEqual(await idsOf(world, { override: 'isolated' }), ['b2']);
  t.deepEqual(await idsOf(world, { override: 'none', wrong: true }), ['b1', 'a2']);
  t.deepEqual(await idsOf(world, { wrong: false }), ['a1']);
  const { total } = await pageOf(world, { q: 'a', limit: 1 });
  t.is(total, 2);
});

test('what is wrong comes by impact, then by how long, then by id', async (t) => {
  const world = running(['a', 'b', 'c', 'd']);
  for (let i = 0; i < 5; i++) world.callEnding('c', 500);
  await world.pass(3000, 1000);
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  for (let i = 0; i < 5; i++) world.callEnding('b', 500);
  for (let i = 0; i < 40; i++) world.call('b');
  t.deepEqual(await idsOf(world, { wrong: true }), ['b', 'c', 'a']);
});

test('sorted by measured columns, either way, null last; a wrong name or a wrong `after` is refused with what is right', async (t) => {
  const world = running(['a', 'b', 'c']);
  for (let i = 0; i < 5; i++) world.callEnding('b', 500);
  world.callEnding('c', 0);
  t.deepEqual(await idsOf(world, { sort: ['success_rate'] }), ['b', 'c', 'a']);
  t.deepEqual(await idsOf(world, { sort: ['-success_rate'] }), ['c', 'b', 'a']);
  t.deepEqual(await idsOf(world, { sort: ['-id'] }), ['c', 'b', 'a']);
  t.deepEqual(await idsOf(world, { sort: ['-state', 'id'] }), ['b', 'a', 'c']);
  t.regex(
    ((await world.core.board.list({ limit: 1, sort: ['speed'] })) as { message: string }).message,
    /refused_per_second.*got "speed"/,
  );
  const { next } = await pageOf(world, { limit: 1 });
  for (const query of [
    { after: 'nonsense' },
    { after: next ?? '', sort: ['-id'] },
    { after: Buffer.from('[]').toString('base64url') },
  ])
    t.regex(((await world.core.board.list({ limit: 1, ...query })) as { message: string }).message, /^after must be/);
});

test('EXTENSION-LIST-1: while rows come and go, each one that stays is on one page', async (t) => {
  const change = fc.record({ id: fc.constantFrom(...named(30)), isGone: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { maxLength: 5 }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom<string[]>(['id'], ['-id'], ['type', '-id']),
      async (rounds, limit, sort) => {
        const world = running(named(20));
        const stayed = new Set(named(20));
        const met: string[] = [];
        let revision = 1;
        let after: string | null = null;
        for (let i = 0; i === 0 || after !== null; i++) {
          const page: Page = await pageOf(world, { limit, sort, ...(after === null ? {} : { after }) });
          met.push(...page.items.map(({ id }) => id));
          after = page.next;
          for (const { id, isGone } of rounds[i] ?? []) {
            const isThere = world.core.supervisor.runtimes.has(id);
            if (isGone && isThere) stayed.delete(id);
            if (isGone) world.feed$.next(changesOf(++revision, [], [id]));
            else world.feed$.next(changesOf(++revision, [registryEntry(extensionRow(id, { revision }))]));
          }
        }
        t.is(new Set(met).size, met.length, 'none twice');
        for (const id of stayed) t.true(met.includes(id), id);
        t.deepEqual(
          met,
          [...met].sort((a, b) => ((sort.includes('-id') ? a > b : a < b) ? -1 : 1)),
        );
      },
    ),
    { numRuns: 25 },
  );
});

test('EXTENSION-LIST-2: a list of many is made in many turns', async (t) => {
  const world = running(named(600));
  await world.pass(1000);
  await pageOf(world);
  world.clock.readingMs = 1;
  let turns = 0;
  const list = world.core.board.list({ limit: 1000 });
  const done = list.then(() => true);
  while (!(await Promise.race([done, new Promise((resolve) => setImmediate(() => resolve(false)))]))) {
    world.clock.advance(10);
    turns++;
  }
  t.true(turns >= 5, `${turns} turns`);
  const answer = await list;
  t.is(answer.kind === 'page' && answer.items.length, 600);
});

test('EXTENSION-LIST-3: what is refused is listed, also where nothing of it ever was valid', async (t) => {
  const world = running(['a', 'b']);
  world.feed$.next(
    changesOf(2, [
      registryEntry(extensionRow('a', { revision: 2, timeout_ms: -1 })),
      registryEntry(extensionRow('b', { revision: 2 }), { versions: [versionRow('b', 'v2', { timeout_ms: -1 })] }),
      registryEntry(extensionRow('c', { timeout_ms: -1 })),
    ]),
  );
  const { items, total } = await pageOf(world, { wrong: true });
  t.is(total, 3);
  const by = new Map(items.map((item) => [item.id, item]));
  t.false(by.get('a')?.in_force);
  t.regex(by.get('a')?.refused?.[0] ?? '', /timeout_ms/);
  t.true(by.get('b')?.in_force, 'a version of it is refused alone');
  t.regex(by.get('b')?.refused?.[0] ?? '', /^version v2: .*timeout_ms/);
  t.like(by.get('c'), { in_force: false, health: null, type: null });
  t.deepEqual(await idsOf(world, { q: 'c' }), ['c']);
  t.deepEqual(await idsOf(world, { types: new Set(['pre']) }), ['a', 'b']);
});
