// What is written into a record comes out of its copy. test/actors/target/replayed-breaker.test.ts has what a replay makes of it.
import test from 'ava';
import fc from 'fast-check';
import { AttemptRecord, type Entry } from '../../../src/actors/target/attempt-record.js';
import { runs } from '../../helpers/depth.js';

const START = { override: null } as ReturnType<ConstructorParameters<typeof AttemptRecord>[1]>;

/** Of a ring of `capacity`, the entries that are left. */
function recorded(capacity: number, write: (record: AttemptRecord) => void): Entry[] {
  const record = new AttemptRecord(capacity, () => START);
  write(record);
  const { first, written, entry } = record.copy();
  return Array.from({ length: written - first }, (_, i) => entry(first + i));
}

test('ATTEMPT-RECORD-2: entries come out in their order, each attempt with the number of those before it began', (t) => {
  const attempt = fc.record({
    outcome: fc.constantFrom('success', 'failure', 'neutral'),
    /** How many entries were written while it was in flight. */
    ago: fc.nat(6),
    endpoint: fc.oneof(fc.nat(3), fc.constant(32_767)),
    latencyMs: fc.double({ min: 0, max: 600_000, noNaN: true }),
    ejects: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.array(attempt, { minLength: 1, maxLength: 40 }),
      (capacity, all) => {
        const began = all.map(({ ago }, i) => Math.max(0, i - ago));
        const entries = recorded(capacity, (record) => {
          for (const [i, { outcome, endpoint, latencyMs, ejects }] of all.entries()) {
            record.attempt(outcome, began[i] ?? 0, endpoint, latencyMs, i * 0.25);
            if (ejects) record.ejects();
          }
        });
        const kept = all.map((one, i) => ({ ...one, i })).slice(-capacity);
        t.deepEqual(
          entries.map(({ word: _, ...rest }) => rest),
          kept.map(({ outcome, endpoint, latencyMs, ejects, i }) => ({
            kind: outcome === 'neutral' ? 'uncounted' : outcome,
            atMs: i * 0.25,
            began: began[i] ?? 0,
            endpoint,
            ejects,
            number: outcome === 'neutral' ? 0 : Math.ceil(latencyMs),
          })),
        );
      },
    ),
    { numRuns: runs(100) },
  );
});

test('ATTEMPT-RECORD-2: what began so long ago that it cannot be known began before the ring, and so did what began in another record', (t) => {
  const MAX_AGO = 2 ** 17 - 1;
  const entries = recorded(8, (record) => {
    record.attempt('success', 3, 0, 1, 0);
    record.written += 2 * MAX_AGO;
    record.attempt('failure', record.written - MAX_AGO + 1, 0, 1, 0);
    record.attempt('failure', record.written - MAX_AGO, 0, 1, 0);
  });
  t.deepEqual(
    entries.slice(-2).map(({ began }) => began),
    [2 + MAX_AGO, -1],
  );
  t.deepEqual(
    recorded(8, (record) => record.attempt('success', 3, 0, 1, 0)).map(({ began }) => began),
    [-1],
  );
});

test('a record has the largest numbers as far as they fit, and the random number of a trip as it was drawn', (t) => {
  const draws: number[] = [];
  const entries = recorded(8, (record) => {
    record.attempt('failure', 0, 1_000_000, 1e12, 0);
    for (const random of [0, 0.5, 0.999_999_999_999]) {
      draws.push(record.drawn(random));
      record.opened('lease_over', true, 1);
    }
    record.overdue(4_000_000_000, 7, 2);
    record.overdue(4_000_000_000, 7, 3);
    record.command('subject.changed', 4);
  });
  t.like(entries[0], { endpoint: 32_767, number: 2 ** 27 - 1, kind: 'failure', ejects: false });
  t.deepEqual(
    entries.slice(1, 4).map(({ word }) => word / 2 ** 32),
    draws,
  );
  t.true(draws.every((draw) => draw >= 0 && draw < 1));
  t.deepEqual(
    entries.slice(4).map(({ kind, word, number }) => [kind, word, number]),
    [
      ['overdue', 4_000_000_000, 7],
      ['command', 7, 0],
    ],
    'what is overdue is written when it is another number',
  );
});
