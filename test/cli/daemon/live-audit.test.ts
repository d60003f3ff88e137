// What `extreg audit -f` reads of the trail: each row once, whatever the sizes of pages and the order of writing.
import test from 'ava';
import { LiveAudit, type PageQuery } from '../../../src/cli/daemon/live-audit.js';

interface Row {
  readonly id: string;
  readonly changed_at: string;
}

const at = (ms: number): string => new Date(Date.UTC(2026, 0, 1) + ms).toISOString();
const row = (id: number, ms = id): Row => ({ id: `r${id}`, changed_at: at(ms) });
const rows = (from: number, to: number, ms?: number): Row[] =>
  Array.from({ length: to - from }, (_, i) => row(from + i, ms ?? from + i));

/** A trail of the daemon, in pages of at most `most`. */
function world({ since, most = 1000 }: { readonly since?: string; readonly most?: number } = {}) {
  const written: Row[] = [];
  const queries: PageQuery[] = [];
  const page = async (query: PageQuery) => {
    queries.push(query);
    const newest = written
      .map((one, i) => ({ one, i }))
      .filter(({ one }) => query.since === undefined || one.changed_at >= query.since)
      .sort((a, b) =>
        a.one.changed_at === b.one.changed_at ? b.i - a.i : a.one.changed_at < b.one.changed_at ? 1 : -1,
      )
      .map(({ one }) => one);
    const begin = query.after === undefined ? 0 : newest.findIndex(({ id }) => id === query.after) + 1;
    const items = newest.slice(begin, begin + Math.min(most, Number(query.limit)));
    const isLast = begin + items.length >= newest.length;
    return { items, next: isLast ? null : (items.at(-1)?.id ?? null) };
  };
  return { written, queries, trail: new LiveAudit<Row>(page, since) };
}
const idsOf = (read: readonly Row[]): string[] => read.map(({ id }) => id);

test('LIVE-AUDIT-1: more rows than a page has are all read, oldest first', async (t) => {
  const { written, trail } = world({ most: 70 });
  written.push(...rows(0, 5));
  await trail.read();
  written.push(...rows(5, 900));
  t.deepEqual(idsOf(await trail.read()), idsOf(rows(5, 900)));
  t.deepEqual(await trail.read(), []);
});

test('LIVE-AUDIT-2: a fact that is written late is read, and ids are kept of the last minute only', async (t) => {
  const { written, queries, trail } = world();
  written.push(row(0));
  await trail.read();
  written.push(row(1, 3_600_000));
  t.deepEqual(idsOf(await trail.read()), ['r1']);
  written.push(row(2, 3_590_000));
  t.deepEqual(idsOf(await trail.read()), ['r2']);
  for (let n = 3; n < 1000; n++) {
    written.push(row(n, 3_600_000 + n * 1000));
    t.deepEqual(idsOf(await trail.read()), [`r${n}`]);
  }
  t.true(trail.size <= 62, String(trail.size));
  t.is(queries.at(-1)?.since, at(3_600_000 + 998_000 - 60_000));
});

test('LIVE-AUDIT-3: of the first reading the newest, and later none of those before, also of the same time', async (t) => {
  const { written, trail } = world({ most: 4 });
  written.push(...rows(0, 100, 5));
  t.deepEqual(idsOf(await trail.read(10)), idsOf(rows(90, 100)));
  t.deepEqual(await trail.read(), []);
  written.push(row(100, 6));
  t.deepEqual(idsOf(await trail.read()), ['r100']);
});

test('LIVE-AUDIT-1: a reading that fails counts as none; `since` limits what is read', async (t) => {
  const { written, trail } = world({ since: at(10) });
  written.push(...rows(0, 20));
  t.deepEqual(idsOf(await trail.read()), idsOf(rows(10, 20)));
  written.push(row(20));
  let fails = true;
  const failing = new LiveAudit<Row>(async () => {
    if (fails) throw new Error('away');
    return { items: [row(1)], next: null };
  }, undefined);
  await t.throwsAsync(failing.read(), { message: 'away' });
  fails = false;
  t.deepEqual(idsOf(await failing.read()), ['r1']);
  t.deepEqual(idsOf(await trail.read()), ['r20']);
});
