// What is bounded whatever a row holds: row-limits.ts, sound-facts.ts, and sorting in steps.
import test from 'ava';
import fc from 'fast-check';
import { jsonLimitProblem, MAX_JSON_BYTES, MAX_JSON_DEPTH, measure } from '../../../src/domain/registry/row-limits.js';
import { soundFacts } from '../../../src/domain/registry/sound-facts.js';
import { done, sorting } from '../../../src/domain/steps.js';
import { runs } from '../../helpers/depth.js';
import { factsRow } from '../../helpers/registry-rows.js';

const list = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);
const object = (depth: number): unknown => JSON.parse(`${'{"a":'.repeat(depth)}{}${'}'.repeat(depth)}`);

test('measure: JSON is as deep as its deepest part, without recursion', (t) => {
  t.is(measure(list(MAX_JSON_DEPTH)), 'fine');
  t.is(measure(list(MAX_JSON_DEPTH + 2)), 'too_deep');
  t.is(measure(object(MAX_JSON_DEPTH)), 'fine');
  t.is(measure(object(MAX_JSON_DEPTH + 1)), 'too_deep');
  t.is(measure([1, [2, list(MAX_JSON_DEPTH)]]), 'too_deep');
  t.is(measure(list(1_000_000)), 'too_deep');
  t.is(measure(list(5), 3), 'too_deep');
  for (const value of [null, 1, '', true, {}, [], undefined]) t.is(measure(value), 'fine');
});

test('measure: JSON that is within the limit is at most as large as its text', (t) => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value: unknown = JSON.parse(text);
      t.is(measure(value), 'fine');
    }),
    { numRuns: runs(200) },
  );
  t.is(measure('x'.repeat(MAX_JSON_BYTES - 2)), 'fine');
  t.is(measure('x'.repeat(MAX_JSON_BYTES)), 'too_large');
  t.is(measure('é'.repeat(MAX_JSON_BYTES / 2)), 'too_large');
  t.is(measure(Array.from({ length: MAX_JSON_BYTES / 2 }, () => 1)), 'too_large');
  t.is(measure({ ['x'.repeat(MAX_JSON_BYTES)]: 1 }), 'too_large');
  t.is(jsonLimitProblem('config', list(99)), 'config must be nested at most 64 levels deep');
});

test('soundFacts: whatever is stored, ages are dates and counters can be counted on', (t) => {
  const number = fc.oneof(
    fc.double(),
    fc.constantFrom(2 ** 63, -(2 ** 63), Number.NaN, 2 ** 53, 2147483647),
    fc.constantFrom('NaN', 'Infinity', '-Infinity'),
  );
  fc.assert(
    fc.property(fc.array(number, { minLength: 6, maxLength: 6 }), (numbers) => {
      const [opened_ago_ms, open_remaining_ms, trips, epoch, success_count, failure_count] = numbers as number[];
      const facts = { opened_ago_ms, open_remaining_ms, trips, epoch, success_count, failure_count };
      const sound = soundFacts(factsRow(facts as object));
      const now = Date.UTC(2026, 0, 1);
      t.true(sound.opened_ago_ms !== null && !Number.isNaN(new Date(now - sound.opened_ago_ms).getTime()));
      t.true(sound.open_remaining_ms !== null && !Number.isNaN(new Date(now + sound.open_remaining_ms).getTime()));
      for (const count of [sound.trips, sound.epoch, sound.success_count, sound.failure_count])
        t.true(count >= 0 && (count < count + 1 || count === Number.MAX_SAFE_INTEGER));
    }),
    { numRuns: runs(500) },
  );
  const usual = factsRow({
    state: 'open',
    opened_ago_ms: 5,
    open_remaining_ms: -5,
    trips: 2,
    epoch: 7,
    success_count: 9,
  });
  const { version: _, ...facts } = usual;
  t.deepEqual(soundFacts(usual), { ...facts, written_ago_ms: null });
});

test('sorting: in steps, as sort does it', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat()), { maxLength: 1000 }), (items) => {
      const compare = ([a]: [number, number], [b]: [number, number]) => a - b;
      t.deepEqual(done(sorting(items, compare)), [...items].sort(compare));
    }),
    { numRuns: runs(100) },
  );
});
