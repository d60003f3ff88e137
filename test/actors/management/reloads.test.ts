// RELOADS-1 and RELOADS-2 of reloads.ts, and what a reload says of mass removals (SUPERVISOR-3).
import test from 'ava';
import type { RegistryUpdate } from '../../../src/domain/registry/registry-rows.js';
import { ActorWorld } from '../../helpers/actor-world.js';
import { extensionRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';

const many = (count: number) => Array.from({ length: count }, (_, i) => registryEntry(extensionRow(`e${i}`)));
const readAfter = (request: number, update: RegistryUpdate): RegistryUpdate =>
  ({ ...update, request }) as RegistryUpdate;

test('RELOADS-1: a reload is answered by what was read after it, with what that changed', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...many(3)));
  let answer: unknown = 'none';
  const reloaded = world.core.supervisor.reload(false).then((one) => {
    answer = one;
  });
  world.feed$.next(readAfter(0, snapshotOf(2, ...many(4))));
  await world.pass(100);
  t.is(answer, 'none', 'that one was read before');
  world.feed$.next(readAfter(1, snapshotOf(3, ...many(2), registryEntry(extensionRow('new')))));
  await reloaded;
  t.deepEqual(answer, { revision: 3, started: 1, updated: 0, removed: 2, held: 0 });
});

test('SUPERVISOR-3: a reload says what is held, and force lets it go', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...many(20)));
  const { supervisor } = world.core;
  const held = supervisor.reload(false);
  world.feed$.next(readAfter(1, snapshotOf(2, ...many(3))));
  t.deepEqual(await held, { revision: 2, started: 0, updated: 0, removed: 0, held: 17 });
  t.is(supervisor.runtimes.size, 20);
  const forced = supervisor.reload(true);
  world.feed$.next(readAfter(1, snapshotOf(2, ...many(3))));
  t.is(supervisor.runtimes.size, 20, 'read before it was forced');
  world.feed$.next(readAfter(2, snapshotOf(2, ...many(3))));
  t.like(await forced, { removed: 17, held: 0 });
  t.is(supervisor.runtimes.size, 3);
});

test('RELOADS-2: a forced reload that was given up forces nothing later', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...many(20)));
  const { supervisor } = world.core;
  const late = supervisor.reload(true);
  await world.pass(25_100);
  t.is(await late, null);
  world.feed$.next(snapshotOf(2, ...many(3)));
  t.is(supervisor.runtimes.size, 20);
});
