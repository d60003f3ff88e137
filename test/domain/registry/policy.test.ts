import test from 'ava';
import {
  BALANCERS,
  breakerSettingsInForce,
  MAX_TIMER_SECONDS,
  parsePolicy,
  resolveBreakerSettings,
} from '../../../src/domain/registry/policy.js';
import type { ThresholdColumns } from '../../../src/domain/registry/registry-rows.js';
import { breakerSettings } from '../../helpers/breaker-settings.js';

const valid = test.macro<[value: unknown]>({
  exec(t, value) {
    t.deepEqual(parsePolicy(value), { policy: value ?? {} });
  },
  title: (_, value) => `parsePolicy: takes ${JSON.stringify(value)} as it is, null and absent as {}`,
});
test(valid, null);
test(valid, undefined);
test(valid, {});
test(valid, { breaker: {} });
test(valid, { deliver_config: false });
test(valid, { max_in_flight: 1 });
test(valid, { balancer: 'least_inflight', panic: 'fail', fallback: ['b', 'c'], rules_fallback: true });
for (const hash_balance_factor of [0, 101, 150, 1000]) test(valid, { hash_balance_factor });
test(valid, { retry: { budget_share: 0, budget_reserve: 0 } });
test(valid, { health_check: {} });
test(valid, {
  health_check: { subject: 'ext.a.health', interval_seconds: 0.1, timeout_ms: 1, payload: { deep: [1] } },
});
for (const payload of [null, 'ping', 7, false, []])
  test(valid, { health_check: { payload, interval_seconds: 86_400 } });
test(valid, { breaker: { circuit_breaker_enabled: false, failure_rule: 'consecutive', window_seconds: 1 } });
test(valid, { breaker: { failure_rate_floor: 0, error_rate_threshold: 1, open_seconds: 0.001 } });
test(valid, { breaker: breakerSettings() });

const invalid = test.macro<[value: unknown, ...problems: string[]]>({
  exec(t, value, ...problems) {
    t.deepEqual(parsePolicy(value), { problems });
  },
  title: (_, value, ...problems) => `POLICY-1: ${JSON.stringify(value)} is refused: ${problems.join('; ')}`,
});
test(invalid, [], 'policy must be object');
test(invalid, 'none', 'policy must be object');
test(invalid, 3, 'policy must be object');
test(invalid, false, 'policy must be object');
test(invalid, { breaker: null }, 'policy.breaker must be object');
test(invalid, { breaker: [] }, 'policy.breaker must be object');
test(invalid, { breakers: {} }, "policy has no setting 'breakers'");
test(invalid, { balance: 'consistent_hash', fallbacks: [] }, "policy has no setting 'balance', 'fallbacks'");
test(invalid, { balancer: 'random' }, `policy.balancer must be one of ${BALANCERS.join(', ')}`);
for (const hash_balance_factor of [1, 50, 100])
  test(invalid, { hash_balance_factor }, 'policy.hash_balance_factor must be 0 or 101 to 1000');
test(invalid, { hash_balance_factor: -1 }, 'policy.hash_balance_factor must be >= 0');
test(invalid, { hash_balance_factor: 1001 }, 'policy.hash_balance_factor must be <= 1000');
test(invalid, { hash_balance_factor: 150.5 }, 'policy.hash_balance_factor must be integer');
test(invalid, { panic: 'always' }, 'policy.panic must be one of any_enabled, fail');
test(invalid, { fallback: 'b' }, 'policy.fallback must be array');
test(invalid, { fallback: ['b', 'b'] }, 'policy.fallback must not have duplicate items');
test(invalid, { retry: { budget_share: 1.5 } }, 'policy.retry.budget_share must be <= 1');
test(invalid, { retry: { budget: 1 } }, "policy.retry has no setting 'budget'");
test(invalid, { breaker: { treshold: 3 } }, "policy.breaker has no setting 'treshold'");
test(
  invalid,
  { breaker: { window_seconds: 1.5, nope: 1 } },
  "policy.breaker has no setting 'nope'",
  'policy.breaker.window_seconds must be integer',
);
test(invalid, { breaker: { window_seconds: '60' } }, 'policy.breaker.window_seconds must be integer');
test(
  invalid,
  { breaker: { failure_rule: 'sometimes' } },
  'policy.breaker.failure_rule must be one of window, consecutive',
);
test(
  invalid,
  { breaker: { circuit_breaker_enabled: 'yes' } },
  'policy.breaker.circuit_breaker_enabled must be boolean',
);
test(invalid, { health_check: true }, 'policy.health_check must be object');
test(invalid, { health_check: { interval: 5 } }, "policy.health_check has no setting 'interval'");
test(invalid, { health_check: { subject: 7 } }, 'policy.health_check.subject must be string');
test(invalid, { health_check: { interval_seconds: 0 } }, 'policy.health_check.interval_seconds must be >= 0.1');
test(invalid, { health_check: { interval_seconds: 86_401 } }, 'policy.health_check.interval_seconds must be <= 86400');
test(
  invalid,
  { health_check: { interval_seconds: Number.NaN } },
  'policy.health_check.interval_seconds must be number',
);
test(invalid, { health_check: { timeout_ms: 0 } }, 'policy.health_check.timeout_ms must be >= 1');
test(invalid, { health_check: { timeout_ms: 1.5 } }, 'policy.health_check.timeout_ms must be integer');
test(invalid, { deliver_config: 0 }, 'policy.deliver_config must be boolean');
test(invalid, { max_in_flight: 0 }, 'policy.max_in_flight must be >= 1');
test(invalid, { max_in_flight: null }, 'policy.max_in_flight must be integer');

test('POLICY-1: a policy of a great many unknown settings is refused with a reason, and one that can be read', (t) => {
  const settings = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`s${i}`, i]));
  for (const count of [8, 9, 50_000]) {
    const outer = parsePolicy({ ...settings(count), max_in_flight: 0 }) as { problems: string[] };
    const more = count > 8 ? ` and ${count - 8} more` : '';
    t.deepEqual(outer.problems, [
      `policy has no setting 's0', 's1', 's2', 's3', 's4', 's5', 's6', 's7'${more}`,
      'policy.max_in_flight must be >= 1',
    ]);
    const inner = parsePolicy({ breaker: settings(count) }) as { problems: string[] };
    t.true(inner.problems[0]?.startsWith("policy.breaker has no setting 's0', 's1'"));
  }
  const long = parsePolicy({ ['x'.repeat(1_000_000)]: 1 }) as { problems: string[] };
  t.deepEqual(long.problems, [`policy has no setting '${'x'.repeat(80)}'`]);
});

/** FM 12: what would make a breaker that never opens, never closes or opens at once. */
const outOfRange = test.macro<[setting: string, value: number, expected: string]>({
  exec(t, setting, value, expected) {
    t.deepEqual(parsePolicy({ breaker: { [setting]: value } }), {
      problems: [`policy.breaker.${setting} ${expected}`],
    });
  },
  title: (_, setting, value, expected) => `FM 12: ${setting} of ${value} is refused: ${expected}`,
});
test(outOfRange, 'failure_threshold', 0, 'must be >= 1');
test(outOfRange, 'failure_threshold', -1, 'must be >= 1');
test(outOfRange, 'failure_threshold', Number.NaN, 'must be integer');
test(outOfRange, 'failure_threshold', 1_000_001, 'must be <= 1000000');
test(outOfRange, 'failure_rate_floor', -0.1, 'must be >= 0');
test(outOfRange, 'failure_rate_floor', 1.1, 'must be <= 1');
test(outOfRange, 'error_rate_threshold', -0.1, 'must be >= 0');
test(outOfRange, 'error_rate_threshold', 50, 'must be <= 1');
test(outOfRange, 'error_rate_threshold', Number.NaN, 'must be number');
test(outOfRange, 'minimum_volume', 0, 'must be >= 1');
test(outOfRange, 'window_seconds', 0, 'must be >= 1');
test(outOfRange, 'window_seconds', 3601, 'must be <= 3600');
test(outOfRange, 'open_seconds', 0, 'must be >= 0.001');
test(outOfRange, 'open_seconds', -60, 'must be >= 0.001');
test(outOfRange, 'open_seconds', 86_401, 'must be <= 86400');
test(outOfRange, 'open_seconds', Number.POSITIVE_INFINITY, 'must be number');
test(outOfRange, 'open_max_seconds', 0, 'must be >= 0.001');
test(outOfRange, 'open_max_seconds', MAX_TIMER_SECONDS, 'must be <= 86400');
test(outOfRange, 'half_open_max_requests', 0, 'must be >= 1');
test(outOfRange, 'half_open_max_requests', 2.5, 'must be integer');
test(outOfRange, 'half_open_successes', 0, 'must be >= 1');

const NO_COLUMNS: ThresholdColumns = {
  failure_threshold: null,
  error_rate_threshold: null,
  window_seconds: null,
  half_open_max_requests: null,
};

test('POLICY-2: without policy and columns the configuration holds', (t) => {
  t.deepEqual(resolveBreakerSettings({}, null, breakerSettings()), breakerSettings());
  t.deepEqual(resolveBreakerSettings({}, NO_COLUMNS, breakerSettings()), breakerSettings());
});

test('POLICY-2: a column that holds something is over the configuration', (t) => {
  const columns = { ...NO_COLUMNS, failure_threshold: 9, error_rate_threshold: 0 };
  t.deepEqual(
    resolveBreakerSettings({}, columns, breakerSettings()),
    breakerSettings({ failure_threshold: 9, error_rate_threshold: 0 }),
  );
});

test('POLICY-2: a policy is over columns and configuration, also where it says false or 0', (t) => {
  const columns = { failure_threshold: 9, error_rate_threshold: 0.9, window_seconds: 9, half_open_max_requests: 9 };
  const policy = { breaker: { circuit_breaker_enabled: false, failure_rate_floor: 0, failure_threshold: 2 } };
  t.deepEqual(
    resolveBreakerSettings(policy, columns, breakerSettings()),
    breakerSettings({ ...columns, circuit_breaker_enabled: false, failure_rate_floor: 0, failure_threshold: 2 }),
  );
});

test('POLICY-2: breakerSettingsInForce: each setting with what decides it, and the value that is in force', (t) => {
  const policy = { breaker: { failure_threshold: 2, open_seconds: 7 } };
  const columns = {
    failure_threshold: 9,
    error_rate_threshold: 0.25,
    window_seconds: null,
    half_open_max_requests: null,
  };
  const defaults = breakerSettings({ window_seconds: 33 });
  const inForce = breakerSettingsInForce(policy, columns, defaults);
  t.deepEqual(Object.fromEntries(Object.entries(inForce).map(([name, { value }]) => [name, value])), {
    ...resolveBreakerSettings(policy, columns, defaults),
    slow_call_ms: null,
  } as never);
  t.like(inForce, {
    failure_threshold: { value: 2, from: 'policy' },
    open_seconds: { value: 7, from: 'policy' },
    error_rate_threshold: { value: 0.25, from: 'column' },
    window_seconds: { value: 33, from: 'configuration' },
    slow_call_ms: { value: null, from: 'default' },
  });
  t.is(breakerSettingsInForce({}, null, defaults).failure_threshold.from, 'configuration');
});
