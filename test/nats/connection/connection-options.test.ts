import test from 'ava';
import fc from 'fast-check';
import { reconnectDelayMs } from '../../../src/nats/connection/connection-options.js';

test('reconnect: however many attempts have failed, the next one comes within 1.6 s, and not in step with others', (t) => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
      const delayMs = reconnectDelayMs(attempt, undefined, random);
      t.true(delayMs >= 25 && delayMs <= 1600);
      t.true(reconnectDelayMs(attempt, 250, random) <= 250);
    }),
  );
  t.is(reconnectDelayMs(1000, undefined, 0), 800);
  t.deepEqual(
    [0, 1, 2].map((attempt) => reconnectDelayMs(attempt, undefined, 0)),
    [25, 50, 100],
  );
});
