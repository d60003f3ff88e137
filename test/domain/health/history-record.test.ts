// HISTORY-RECORD-1 to HISTORY-RECORD-3 of history-record.ts.
import test from 'ava';
import fc from 'fast-check';
import { COARSE_SLOTS, FINE_SLOTS, HistoryRecord } from '../../../src/domain/health/history-record.js';

const NO_LATENCY = { p50: null, p95: null, p99: null };
const counts = (calls: number, failed = 0, refused = 0) => ({ calls, failed, refused });

test('HISTORY-RECORD-1: it grows with the time since the first slot, to 5400 bytes and not further', (t) => {
  const record = new HistoryRecord();
  record.write(1_000_000, counts(1), NO_LATENCY);
  t.is(record.byteLength, 108);
  record.write(1_000_012, counts(1), NO_LATENCY);
  t.true(record.byteLength < 600, `${record.byteLength}`);
  const busy = new HistoryRecord();
  for (let slot = 0; slot < 5000; slot += 7) busy.write(slot, counts(slot), NO_LATENCY);
  t.is(busy.byteLength, 5400);
  // Of what was before nothing is left to keep.
  busy.write(1_000_000, counts(1), NO_LATENCY);
  t.is(busy.byteLength, 108);
});

test('HISTORY-RECORD-2: slots say what was written to them in their time, and nothing else', (t) => {
  const writes = fc.array(fc.record({ gap: fc.integer({ min: 1, max: 700 }), calls: fc.integer({ min: 1, max: 9 }) }), {
    minLength: 1,
    maxLength: 60,
  });
  fc.assert(
    fc.property(writes, fc.integer({ min: 0, max: 180_000_000 }), (list, start) => {
      const record = new HistoryRecord();
      const written = new Map<number, number>();
      let slot = start;
      for (const { gap, calls } of list) {
        slot += gap;
        written.set(slot, calls);
        record.write(slot, counts(calls), NO_LATENCY);
      }
      for (let one = slot - 2 * FINE_SLOTS; one <= slot + 1; one++)
        t.is(record.fine(one)?.calls, one > slot - FINE_SLOTS ? written.get(one) : undefined);
      const newest = Math.floor(slot / 6);
      for (let one = newest - 2 * COARSE_SLOTS; one <= newest + 1; one++) {
        const sum = [...written]
          .filter(([at]) => Math.floor(at / 6) === one)
          .reduce((all, [, calls]) => all + calls, 0);
        t.is(record.coarse(one)?.calls ?? 0, one > newest - COARSE_SLOTS ? sum : 0);
      }
    }),
    { numRuns: 60 },
  );
});

test('HISTORY-RECORD-3: counts are exact and stop at what 32 bits hold; latencies are within 0.1 %', (t) => {
  const record = new HistoryRecord();
  record.write(7, counts(65_536, 70_000, 2 ** 31 + 5), { p50: 0.001, p95: 23.456, p99: 134_000 });
  const slot = record.fine(7);
  t.like(slot, { calls: 65_536, failed: 70_000, refused: 2 ** 31 + 5, p50: 0.001 });
  t.true(Math.abs((slot?.p95 ?? 0) / 23.456 - 1) < 0.001, `${slot?.p95}`);
  t.true(Math.abs((slot?.p99 ?? 0) / 134_000 - 1) < 0.001, `${slot?.p99}`);
  record.write(7, counts(2 ** 32), NO_LATENCY);
  t.like(record.fine(7), { calls: 2 ** 32 - 1, p50: null, p95: null });
  t.like(record.coarse(1), { calls: 2 ** 32 - 1, refused: 2 ** 31 + 5 });
  record.write(8, counts(0, 0, 1), { p50: 0, p95: 0.0001, p99: 1e12 });
  t.is(record.fine(8)?.p50, 0.001);
  t.true((record.fine(8)?.p99 ?? 0) > 604_800_000);
});
