// RECENT-FAILURES-1 of recent-failures.ts.
import test from 'ava';
import { RecentFailures } from '../../../src/domain/health/recent-failures.js';

const failure = (atMs: number, message: string | null = null) =>
  ({ atMs, kind: 'error', code: 500, message, instanceId: 'a', attempt: 1, durationMs: 2 }) as const;

test('RECENT-FAILURES-1: the last 32, newest first', (t) => {
  const failures = new RecentFailures();
  t.deepEqual(failures.all, []);
  for (let i = 1; i <= 5; i++) failures.add(failure(i));
  t.deepEqual(
    failures.all.map(({ atMs }) => atMs),
    [5, 4, 3, 2, 1],
  );
  for (let i = 6; i <= 100; i++) {
    failures.add(failure(i));
    t.is(failures.all[0]?.atMs, i);
    t.is(failures.all.length, Math.min(i, 32));
  }
  t.is(failures.all.at(-1)?.atMs, 69);
});

test('RECENT-FAILURES-1: a message is cut at 200 characters, and never within one', (t) => {
  const failures = new RecentFailures();
  failures.add(failure(1, '🦊'.repeat(300)));
  t.is(failures.all[0]?.message, '🦊'.repeat(200));
  failures.add(failure(2, ''));
  t.is(failures.all[0]?.message, null);
});
