import test from 'ava';
import { SummaryInProgress } from '../../../src/domain/health/health-report.js';
import type { ExtensionRowHealth, HealthSummary, TargetHealth } from '../../../src/domain/health/health-schema.js';

const target = (changes: Partial<TargetHealth>): TargetHealth => ({
  success_rate: null,
  avg_latency_ms: null,
  p50_latency_ms: null,
  p95_latency_ms: null,
  p99_latency_ms: null,
  last_latency_ms: null,
  latency_samples: 0,
  success_count: 0,
  failure_count: 0,
  last_success: null,
  last_failure: null,
  circuit_breaker_state: 'closed',
  circuit_breaker_opened_at: null,
  circuit_breaker_open_until: null,
  circuit_breaker_trips: 0,
  trip_reason: null,
  trip_evidence: null,
  half_open_requests_count: 0,
  recovering: false,
  ...changes,
});

const extension = (changes: Partial<TargetHealth> = {}, enabled = true): ExtensionRowHealth => ({
  id: 'a',
  type: 'pre',
  enabled,
  auto_disabled: false,
  override: null,
  version: 'v1',
  health: target(changes),
});

function summaryOf(extensions: readonly ExtensionRowHealth[]): HealthSummary {
  const summary = new SummaryInProgress();
  for (const one of extensions) summary.add(one);
  return summary.summary;
}

const NO_CALLS = { avg_success_rate: null, avg_latency_ms: null, avg_p95_latency_ms: null };
const called = (success_rate: number, avg_latency_ms: number, p95_latency_ms: number) =>
  extension({ success_rate, avg_latency_ms, p95_latency_ms });

const summary = test.macro<[of: string, extensions: readonly ExtensionRowHealth[], expected: HealthSummary]>({
  exec(t, _, extensions, expected) {
    t.deepEqual(summaryOf(extensions), expected);
  },
  title: (_, of) => `summarize: ${of}`,
});
test(summary, 'nothing is all zeros, and means are null', [], {
  total: 0,
  enabled: 0,
  healthy: 0,
  unhealthy: 0,
  ...NO_CALLS,
});
test(summary, 'enabled and closed is healthy, also without calls', [extension()], {
  total: 1,
  enabled: 1,
  healthy: 1,
  unhealthy: 0,
  ...NO_CALLS,
});
test(
  summary,
  'open, half-open and disabled are unhealthy',
  [
    extension(),
    extension({ circuit_breaker_state: 'open' }),
    extension({ circuit_breaker_state: 'half_open' }),
    extension({}, false),
    extension({ circuit_breaker_state: 'open' }, false),
  ],
  { total: 5, enabled: 3, healthy: 1, unhealthy: 4, ...NO_CALLS },
);
test(
  summary,
  'means are over the extensions with calls, each counting once, a rate of 0 too',
  [called(1, 10, 20), called(0, 30, 80), extension()],
  { total: 3, enabled: 3, healthy: 3, unhealthy: 0, avg_success_rate: 0.5, avg_latency_ms: 20, avg_p95_latency_ms: 50 },
);
