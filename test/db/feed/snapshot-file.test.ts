// The last good snapshot: SNAPSHOT-FILE-1 and SNAPSHOT-FILE-2 of snapshot-file.ts, LAST-KNOWN-FEED-1 of last-known-feed.ts.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { of, Subject } from '#rxjs';
import { withLastKnown } from '../../../src/db/feed/last-known-feed.js';
import {
  readSnapshotFile,
  type SnapshotFile,
  snapshotPath,
  writeSnapshotFile,
} from '../../../src/db/feed/snapshot-file.js';
import { keepSnapshotFile } from '../../../src/db/feed/snapshot-keeper.js';
import type { RegistryEntry, RegistryUpdate } from '../../../src/domain/registry/registry-rows.js';
import { temporaryDirectory } from '../../helpers/postgres.js';
import { versionRow } from '../../helpers/registry-rows.js';
import { until } from '../../helpers/until.js';

function entry(id: string, openedAgoMs: number | null = null): RegistryEntry {
  const facts = {
    state: 'open',
    opened_ago_ms: openedAgoMs,
    open_remaining_ms: openedAgoMs === null ? null : 60_000 - openedAgoMs,
    trips: 1,
    epoch: 2,
    success_count: 3,
    failure_count: 4,
    last_success: null,
    last_failure: null,
  };
  return {
    extension: {
      id,
      type: 'pre',
      subject: `ext.${id}`,
      timeout_ms: 100,
      retry: 0,
      enabled: true,
      version: 'v1',
      config: { x: 1 },
      metadata: null,
      policy: null,
      auto_disabled: false,
      breaker_override: null,
      breaker_resets: 0,
      switched_by: null,
      put_back: openedAgoMs === null ? null : { id: 'x', to: 'closed', ago_ms: openedAgoMs / 2 },
      revision: 1,
    },
    versions: [versionRow(id, 'v2', { put_back: { id: 'x', to: 'closed', ago_ms: 1000 } })],
    instances: [],
    facts: { ...facts, version: 'v1' },
    versionFacts: { v2: facts },
    thresholds: null,
  };
}

test('SNAPSHOT-FILE-1: is written whole, private, and read back', async (t) => {
  const directory = temporaryDirectory(t);
  const path = snapshotPath(directory);
  await writeSnapshotFile(path, { revision: 1, entries: [] }, 0);
  await writeSnapshotFile(path, { revision: 7, entries: [entry('a')] }, 5000);
  t.deepEqual(readdirSync(directory), ['registry-snapshot.json']);
  t.is(statSync(path).mode & 0o777, 0o600);
  const file = await readSnapshotFile(path, 5000);
  t.like(file, { kind: 'found', savedAtMs: 5000, snapshot: { revision: 7 } });
  t.deepEqual(JSON.parse(JSON.stringify(file.kind === 'found' && file.snapshot.entries)), [entry('a')]);
});

test('readSnapshotFile: ages go on while the daemon is down, also backwards clocks make none younger', async (t) => {
  const path = snapshotPath(temporaryDirectory(t));
  await writeSnapshotFile(path, { revision: 7, entries: [entry('a', 10_000)] }, 1_000_000);
  for (const [nowMs, opened, remaining, putBack, versionPutBack] of [
    [1_040_000, 50_000, 10_000, 45_000, 41_000],
    [900_000, 10_000, 50_000, 5000, 1000],
  ] as const) {
    const file = await readSnapshotFile(path, nowMs);
    const [found] = file.kind === 'found' ? file.snapshot.entries : [];
    t.like(found?.facts, { opened_ago_ms: opened, open_remaining_ms: remaining });
    t.like(found?.versionFacts.v2, { opened_ago_ms: opened, open_remaining_ms: remaining });
    t.is(found?.extension.put_back?.ago_ms, putBack);
    t.is(found?.versions[0]?.put_back?.ago_ms, versionPutBack);
  }
});

const BROKEN: [content: string, reason: RegExp][] = [
  ['', /JSON/],
  ['{"format":1,"revi', /JSON/],
  ['null', /null/],
  ['{"format":2,"saved_at_ms":1,"revision":1,"entries":[]}', /format 2, expected 1/],
  ['{"format":1,"revision":1,"entries":[]}', /missing/],
  ['{"format":1,"saved_at_ms":1,"revision":1,"entries":[null]}', /null/],
];

for (const [content, reason] of BROKEN)
  test(`SNAPSHOT-FILE-2: \`${content}\` is told as unusable`, async (t) => {
    const path = snapshotPath(temporaryDirectory(t));
    writeFileSync(path, content);
    const file = await readSnapshotFile(path, 0);
    t.is(file.kind, 'unusable');
    t.regex(file.kind === 'unusable' ? file.reason : '', reason);
  });

test('SNAPSHOT-FILE-2: no file is none, and a directory in its place is unusable', async (t) => {
  const directory = temporaryDirectory(t);
  t.deepEqual(await readSnapshotFile(join(directory, 'no'), 0), { kind: 'none' });
  t.like(await readSnapshotFile(directory, 0), { kind: 'unusable' });
});

test('keepSnapshotFile: writes what the updates add up to, ages counted from when each was read', async (t) => {
  const path = snapshotPath(temporaryDirectory(t));
  const updates$ = new Subject<RegistryUpdate>();
  let nowMs = 0;
  const written: number[] = [];
  const kept = new Promise<void>((done) =>
    keepSnapshotFile(updates$, {
      path,
      wallClock: () => nowMs,
      onError: (error) => t.fail(String(error)),
      everyMs: 5,
    }).subscribe({
      next: (revision) => written.push(revision),
      complete: done,
    }),
  );
  updates$.next({ kind: 'snapshot', revision: 1, entries: [entry('a', 1000), entry('b')] });
  await until('the first file', () => written.length === 1);
  nowMs = 30_000;
  updates$.next({ kind: 'changes', revision: 2, entries: [entry('c', 1000)], removedIds: ['b'] });
  updates$.complete();
  await kept;
  t.deepEqual(written, [1, 2]);
  const file = await readSnapshotFile(path, 30_000);
  const entries = file.kind === 'found' ? file.snapshot.entries : [];
  t.deepEqual(
    entries.map((one) => [one.extension.id, one.facts?.opened_ago_ms]),
    [
      ['a', 31_000],
      ['c', 1000],
    ],
  );
});

test('keepSnapshotFile: a file that cannot be written is told, and does not end it', async (t) => {
  const directory = temporaryDirectory(t);
  const errors: unknown[] = [];
  const updates$ = of<RegistryUpdate>({ kind: 'snapshot', revision: 1, entries: [] });
  await new Promise<void>((complete) =>
    keepSnapshotFile(updates$, {
      path: join(directory, 'no', 'such', 'place'),
      wallClock: () => 0,
      onError: (error) => errors.push(error),
      everyMs: 1,
    }).subscribe({ complete }),
  );
  t.is(errors.length, 1);
});

const snapshot = (revision: number): RegistryUpdate => ({ kind: 'snapshot', revision, entries: [] });

test('LAST-KNOWN-FEED-1: the file is used while the feed is silent, and the feed goes on from there', async (t) => {
  const path = snapshotPath(temporaryDirectory(t));
  await writeSnapshotFile(path, { revision: 3, entries: [entry('a')] }, 0);
  const live$ = new Subject<RegistryUpdate>();
  const told: RegistryUpdate[] = [];
  const looked: SnapshotFile['kind'][] = [];
  withLastKnown(live$, {
    path,
    afterMs: 1,
    wallClock: () => 0,
    onFileRead: (file) => looked.push(file.kind),
  }).subscribe((update) => told.push(update));
  await until('the file', () => told.length === 1);
  t.like(told[0], { kind: 'snapshot', revision: 3 });
  live$.next(snapshot(4));
  t.is(told[1]?.revision, 4);
  t.deepEqual(looked, ['found']);
});

test('LAST-KNOWN-FEED-1: a feed that answers in time keeps the file out of it', async (t) => {
  const path = snapshotPath(temporaryDirectory(t));
  await writeSnapshotFile(path, { revision: 3, entries: [] }, 0);
  const live$ = new Subject<RegistryUpdate>();
  const told: number[] = [];
  const looked: string[] = [];
  withLastKnown(live$, {
    path,
    afterMs: 20,
    wallClock: () => 0,
    onFileRead: (file) => looked.push(file.kind),
  }).subscribe((update) => told.push(update.revision));
  live$.next(snapshot(9));
  const other: string[] = [];
  withLastKnown(new Subject<RegistryUpdate>(), {
    path: `${path}.none`,
    afterMs: 20,
    wallClock: () => 0,
    onFileRead: (file) => other.push(file.kind),
  }).subscribe(() => t.fail());
  await until('the other one to look', () => other.length === 1);
  t.deepEqual(other, ['none']);
  t.deepEqual(looked, []);
  t.deepEqual(told, [9]);
  t.is(readFileSync(path, 'utf8').includes('"revision":3'), true);
});
