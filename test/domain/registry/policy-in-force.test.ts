// Every setting of a policy as it is in force, and what decides it.
import test from 'ava';
import { Compile } from '#typebox/compile';
import { breakerSettingsInForce, type ExtensionPolicy, policySchema } from '../../../src/domain/registry/policy.js';
import { policyAnswerSchema } from '../../../src/domain/registry/policy-answer.js';
import { policyInForce } from '../../../src/domain/registry/policy-in-force.js';
import { breakerSettings } from '../../helpers/breaker-settings.js';

const of = (policy: ExtensionPolicy) =>
  policyInForce(policy, breakerSettingsInForce(policy, null, breakerSettings({ window_seconds: 44 })));

test('policyInForce: an empty policy has every setting, none of them by the policy', (t) => {
  const { effective, from } = of({});
  const names = Object.keys(policySchema.properties).sort();
  t.deepEqual(Object.keys(effective).sort(), names);
  t.deepEqual(Object.keys(from).sort(), names);
  t.false(JSON.stringify(from).includes('"policy"'));
  t.like(effective, {
    deliver_config: true,
    panic: 'any_enabled',
    health_check: null,
    breaker: { window_seconds: 44 },
  });
  t.like(from, { breaker: { window_seconds: 'configuration' }, retry: { budget_share: 'default' } });
});

test('policyInForce: a check with every default is one, and what is false or 0 is decided', (t) => {
  const { effective, from } = of({ health_check: {}, deliver_config: false, hash_balance_factor: 0, fallback: [] });
  t.deepEqual(effective.health_check, { subject: null, payload: null, interval_seconds: 10, timeout_ms: null });
  t.like(from, {
    health_check: { interval_seconds: 'default' },
    deliver_config: 'policy',
    hash_balance_factor: 'policy',
    fallback: 'policy',
  });
});

test('policyInForce: what it says is what the API documents', (t) => {
  const answer = Compile(policyAnswerSchema({}));
  for (const policy of [{}, { health_check: { subject: 'x', payload: [1] } }, { max_in_flight: 3, retry: {} }])
    t.deepEqual([...answer.Errors({ own: policy, ...of(policy) })], []);
  t.true(answer.Check({ own: {}, effective: null, from: null }));
  t.false(answer.Check({ own: {}, effective: {}, from: null }));
});
