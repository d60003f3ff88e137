import test from 'ava';
import { judgeSuccessRate } from '../../../src/domain/health/success-rate.js';

const judged = test.macro<
  [successes: number, failures: number, expected: ReturnType<typeof judgeSuccessRate>, min?: number]
>({
  exec(t, successes, failures, expected, min = 0.8) {
    t.is(judgeSuccessRate({ successes, failures }, min), expected);
  },
  title: (_, successes, failures, expected, min = 0.8) =>
    `SUCCESS-RATE-1: ${successes} successes and ${failures} failures are ${expected} with a minimum of ${min}`,
});
test(judged, 0, 0, 'unknown');
test(judged, 0, 9, 'unknown');
test(judged, 0, 10, 'low');
test(judged, 7, 3, 'low');
test(judged, 8, 2, 'fine');
test(judged, 10, 0, 'fine');
test(judged, 79, 21, 'low');
test(judged, 80, 20, 'fine');
test(judged, 29, 71, 'fine', 0.29);
test(judged, 0, 10, 'fine', 0);
test(judged, 999, 1, 'low', 1);
test(judged, 1000, 0, 'fine', 1);
