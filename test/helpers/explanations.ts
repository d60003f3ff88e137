// What `explain` may say, for the edges that hand it on.
import type {
  ExplainedCandidate,
  ExplainedInstance,
  ExplainedVersion,
  Explanation,
} from '../../src/domain/routing/explanation-schema.js';

export const explainedVersion = (over: Partial<ExplainedVersion> = {}): ExplainedVersion => ({
  version: 'v1',
  verdict: 'chosen',
  percent: null,
  unmet: null,
  ...over,
});

export const explainedInstance = (over: Partial<ExplainedInstance> = {}): ExplainedInstance => ({
  id: 'i1',
  subject: 'ext.a',
  weight: 100,
  share: 1,
  verdict: 'next',
  ...over,
});

export const explainedCandidate = (over: Partial<ExplainedCandidate> = {}): ExplainedCandidate => ({
  extension_id: 'a',
  version: 'v1',
  why: 'default',
  verdict: 'taken',
  reason: null,
  circuit_breaker_state: 'closed',
  success_rate: null,
  passed_over: false,
  instances: [],
  ...over,
});

/** Without more: an extension of one version, which takes every call. */
export const explanation = (over: Partial<Explanation> = {}): Explanation => ({
  extension_id: 'a',
  context: {},
  unused: [],
  warnings: [],
  in_force: true,
  refused_rows: [],
  chosen: { version: 'v1', by: 'default' },
  rollout: null,
  versions: [explainedVersion()],
  candidates: [explainedCandidate()],
  skipped: [],
  answer: { kind: 'taken', extension_id: 'a', version: 'v1', instance_id: null, subject: 'ext.a' },
  ...over,
});

export const refusedAnswer = {
  kind: 'refused',
  code: 'extension_unavailable',
  reason: 'circuit_open',
  message: 'a cannot be called: circuit_open',
  retryable: true,
} as const satisfies Explanation['answer'];

/** Something in every field. */
export const FULL_EXPLANATION: Explanation = {
  extension_id: 'a',
  context: { tenant_id: 'größer', 'a\nb': '1', plan: 'x' },
  unused: ['a\nb'],
  warnings: ['no rule uses "a\\nb"; did you mean "ab"?'],
  in_force: false,
  refused_rows: [
    {
      extension_id: 'a',
      version: null,
      instance_id: null,
      revision: 7,
      since: '2026-01-02T03:04:05.000Z',
      problems: ['policy.retry must be an object, got 1'],
    },
  ],
  chosen: { version: 'v2', by: 'rollout' },
  rollout: { key: 'tenant_id', value: 'größer' },
  versions: [
    explainedVersion({ version: 'v1', verdict: 'default', percent: 66.67 }),
    explainedVersion({ version: 'v2', percent: 33.33 }),
    explainedVersion({ version: 'v3', verdict: 'excluded', unmet: { key: 'plan', wanted: ['gold', '1'], got: 'x' } }),
    explainedVersion({ version: 'v4', verdict: 'excluded', unmet: { key: 'plan', wanted: ['gold'], got: null } }),
  ],
  candidates: [
    explainedCandidate({
      version: 'v2',
      why: 'rollout',
      verdict: 'refused',
      reason: 'no_instance',
      circuit_breaker_state: 'half_open',
      success_rate: 0.25,
      instances: [explainedInstance({ share: 0, verdict: 'disabled' })],
    }),
    explainedCandidate({
      why: 'stand_in',
      passed_over: true,
      instances: [explainedInstance({ id: 'i2', weight: 50, share: 1 / 3, verdict: 'next' }), explainedInstance()],
    }),
  ],
  skipped: [{ extension_id: 'b', reason: 'other_type' }],
  answer: { kind: 'taken', extension_id: 'a', version: 'v1', instance_id: 'i2', subject: 'ext.a' },
};
