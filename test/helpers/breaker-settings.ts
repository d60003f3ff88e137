// Breaker settings for tests: the defaults of the specification unless a test says otherwise.
import type { BreakerSettings } from '../../src/domain/registry/policy.js';

export const breakerSettings = (changes: Partial<BreakerSettings> = {}): BreakerSettings => ({
  circuit_breaker_enabled: true,
  failure_threshold: 5,
  failure_rule: 'window',
  failure_rate_floor: 0.05,
  error_rate_threshold: 0.5,
  minimum_volume: 5,
  window_seconds: 60,
  open_seconds: 60,
  open_max_seconds: 300,
  half_open_max_requests: 3,
  half_open_successes: 2,
  recovery_ramp_seconds: 5,
  ejection_seconds: 30,
  ...changes,
});
