// SNAPSHOT-KEEPER-1 and SNAPSHOT-KEEPER-2 of snapshot-keeper.ts.
import test from 'ava';
import { type SchedulerLike, Subject, Subscription } from '#rxjs';
import { readSnapshotFile, snapshotPath } from '../../../src/db/feed/snapshot-file.js';
import { keepSnapshotFile } from '../../../src/db/feed/snapshot-keeper.js';
import type { RegistryUpdate } from '../../../src/domain/registry/registry-rows.js';
import { temporaryDirectory } from '../../helpers/postgres.js';
import { extensionRow, registryEntry } from '../../helpers/registry-rows.js';

const entry = (id: string) => registryEntry(extensionRow(id));

/** Runs what was scheduled when it is told to, and remembers the delays. */
class ScheduleByHand {
  readonly delays: number[] = [];
  #due: (() => void)[] = [];

  get size(): number {
    return this.#due.length;
  }

  readonly scheduler = {
    now: () => 0,
    schedule: (work: () => void, delay: number) => {
      this.delays.push(delay);
      this.#due.push(work);
      return new Subscription(() => {
        this.#due = this.#due.filter((one) => one !== work);
      });
    },
  } as unknown as SchedulerLike;

  run(): void {
    for (const work of this.#due.splice(0)) work();
  }
}

function keeping(path: string, everyMs: number) {
  const updates$ = new Subject<RegistryUpdate>();
  const schedule = new ScheduleByHand();
  const errors: unknown[] = [];
  const waiting: ((revision: number) => void)[] = [];
  let end: () => void;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const onError = (error: unknown) => errors.push(error);
  keepSnapshotFile(updates$, { path, wallClock: () => 0, onError, everyMs, scheduler: schedule.scheduler }).subscribe({
    next: (revision) => waiting.shift()?.(revision),
    complete: () => end(),
  });
  const written = () => new Promise<number>((resolve) => waiting.push(resolve));
  return { updates$, schedule, errors, written, ended };
}

async function idsIn(path: string): Promise<string[]> {
  const file = await readSnapshotFile(path, 0);
  return file.kind === 'found' ? file.snapshot.entries.map((one) => one.extension.id).sort() : [];
}

test('SNAPSHOT-KEEPER-1: what comes while it is written is in the next file, in the order in which it came', async (t) => {
  const path = snapshotPath(temporaryDirectory(t));
  const { updates$, schedule, errors, written, ended } = keeping(path, 5);
  updates$.next({ kind: 'snapshot', revision: 1, entries: ['a', 'b', 'c'].map(entry) });
  updates$.next({ kind: 'changes', revision: 2, entries: [entry('d')], removedIds: ['a'] });
  const first = written();
  schedule.run();
  // Under way: it was begun with the two before.
  updates$.next({ kind: 'changes', revision: 3, entries: [entry('a')], removedIds: ['d'] });
  updates$.next({
    kind: 'snapshot',
    revision: 4,
    entries: ['a', 'e'].map(entry),
    unreadable: [{ id: 'b', error: 'no' }],
  });
  t.is(await first, 2);
  t.deepEqual(await idsIn(path), ['b', 'c', 'd']);
  const second = written();
  schedule.run();
  t.is(await second, 4);
  t.deepEqual(await idsIn(path), ['a', 'b', 'e']);
  t.is(schedule.size, 0, 'nothing is written while nothing changes');
  updates$.next({ kind: 'changes', revision: 5, entries: [], removedIds: ['e'] });
  updates$.complete();
  await ended;
  t.deepEqual(await idsIn(path), ['a', 'b']);
  t.deepEqual(errors, []);
});

test('SNAPSHOT-KEEPER-2: the pause between two files grows with what one takes', async (t) => {
  const { updates$, schedule, written } = keeping(snapshotPath(temporaryDirectory(t)), 0);
  for (const revision of [1, 2]) {
    updates$.next({ kind: 'snapshot', revision, entries: [entry('a')] });
    const next = written();
    schedule.run();
    await next;
    // The write is over when its subscriber has returned.
    await new Promise((resolve) => setImmediate(resolve));
  }
  updates$.next({ kind: 'snapshot', revision: 3, entries: [] });
  t.is(schedule.delays[0], 0);
  t.true((schedule.delays[1] ?? 0) > 0 && (schedule.delays[2] ?? 0) > 0, `${schedule.delays}`);
});
