// What a target has measured, as the flush is given it.
import type { HealthFlushRow } from '../../src/actors/ports/storage.js';

export const healthRow = (over: Partial<HealthFlushRow> = {}): HealthFlushRow => ({
  extension_id: 'a',
  version: 'v1',
  published: true,
  success_delta: 10,
  failure_delta: 2,
  last_success_ago_ms: 1000,
  last_failure_ago_ms: null,
  last_latency_ms: 12.34,
  avg_latency_ms: 11.5,
  p50_latency_ms: 10,
  p95_latency_ms: 20.25,
  p99_latency_ms: 30,
  latency_samples: 12,
  latency_sum: 138.4,
  latency_window_ago_ms: 60_000,
  circuit_breaker_state: 'closed',
  opened_ago_ms: null,
  open_remaining_ms: null,
  trips: 0,
  epoch: 1,
  half_open_requests_count: 0,
  auto_disabled: false,
  ...over,
});
