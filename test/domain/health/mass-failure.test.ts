import test from 'ava';
import { HEALTH_WINDOW_MS } from '../../../src/domain/health/health-window.js';
import { isMassFailure, trafficStateOf } from '../../../src/domain/health/mass-failure.js';

const mass = test.macro<[failing: number, withTraffic: number, expected: boolean]>({
  exec(t, failing, withTraffic, expected) {
    t.is(isMassFailure(failing, withTraffic), expected);
  },
  title: (_, failing, withTraffic, expected) =>
    `MASS-FAILURE-1: ${failing} of ${withTraffic} is ${expected ? 'a' : 'no'} mass failure`,
});
test(mass, 0, 0, false);
test(mass, 4, 4, false);
test(mass, 5, 5, true);
test(mass, 5, 9, true);
test(mass, 5, 10, false);
test(mass, 6, 11, true);
test(mass, 500, 1000, false);
test(mass, 501, 1000, true);

const OPEN = { state: 'open', isIsolated: false, enabled: true, outcomeAgoMs: null } as const;
const LATELY = HEALTH_WINDOW_MS - 1;

const standing = test.macro<
  [what: string, of: Partial<Parameters<typeof trafficStateOf>[0]>, expected: ReturnType<typeof trafficStateOf>]
>({
  exec(t, _, of, expected) {
    t.is(trafficStateOf({ ...OPEN, ...of }), expected);
  },
  title: (_, what, _of, expected) => `${what} ${expected === null ? 'does not count' : `counts as ${expected}`}`,
});
test(
  standing,
  'MASS-FAILURE-2: what is closed and had an outcome lately',
  { state: 'closed', outcomeAgoMs: LATELY },
  'working',
);
test(
  standing,
  'MASS-FAILURE-2: what is closed and had none for a health window',
  { state: 'closed', outcomeAgoMs: LATELY + 1 },
  null,
);
test(standing, 'MASS-FAILURE-2: what is closed and never had one', { state: 'closed' }, null);
test(standing, 'MASS-FAILURE-2: what is open and on, its callers all refused,', {}, 'failing');
test(
  standing,
  'MASS-FAILURE-2: what is open and on, its last outcome long ago,',
  { outcomeAgoMs: LATELY + 1 },
  'failing',
);
test(standing, 'MASS-FAILURE-2: what is open, switched off and without outcomes', { enabled: false }, null);
test(
  standing,
  'MASS-FAILURE-2: what is open and switched off, with an outcome lately,',
  { enabled: false, outcomeAgoMs: 0 },
  'failing',
);
test(
  standing,
  'MASS-FAILURE-3: what is half-open with an outcome lately',
  { state: 'half_open', outcomeAgoMs: 0 },
  'failing',
);
test(standing, 'MASS-FAILURE-3: what is half-open and nobody calls', { state: 'half_open' }, null);
test(
  standing,
  'MASS-FAILURE-3: what a person isolated, with an outcome lately,',
  { isIsolated: true, outcomeAgoMs: 0 },
  'working',
);
test(standing, 'MASS-FAILURE-3: what a person isolated and nobody called', { isIsolated: true }, null);
