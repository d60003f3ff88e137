import test from 'ava';
import type { Extension } from '../../../src/domain/registry/extension.js';
import { parseEntry } from '../../../src/domain/registry/registry-validation.js';
import { extensionRow, registryEntry, versionRow } from '../../helpers/registry-rows.js';

const entry = (slowMs: unknown, timeoutMs: number, versionTimeoutMs: number) =>
  registryEntry(extensionRow('a', { timeout_ms: timeoutMs, policy: { breaker: { slow_call_ms: slowMs } } }), {
    versions: [versionRow('a', 'v2', { timeout_ms: versionTimeoutMs })],
  });
const parse = (given: ReturnType<typeof entry>, before: Extension | null = null) =>
  parseEntry(given, { ownPrefix: 'extreg.v1', allowedPrefixes: [] }, before);
const inForce = ({ extension }: ReturnType<typeof parse>) => [
  extension?.policy.breaker?.slow_call_ms,
  extension?.timeoutMs,
  ...(extension?.versions ?? []).map((version) => version.timeoutMs),
];
const problems = ({ refused }: ReturnType<typeof parse>) =>
  refused.map((row) => [row.version ?? 'the extension', ...row.problems]);

const before = () => parse(entry(300, 1000, 500)).extension;

test('SLOW-CALLS-1: below every timeout it is valid', (t) => {
  const parsed = parse(entry(499, 1000, 500));
  t.deepEqual(problems(parsed), []);
  t.deepEqual(inForce(parsed), [499, 1000, 500]);
});

test('SLOW-CALLS-1: a policy that reaches a timeout is refused, and the one before stays', (t) => {
  const own = parse(entry(1000, 1000, 5000), before());
  t.deepEqual(problems(own), [
    ['the extension', 'policy.breaker.slow_call_ms must be below timeout_ms (1000), got 1000'],
  ]);
  t.deepEqual(inForce(own), [300, 1000, 5000]);
  const ofVersion = parse(entry(500, 1000, 500), before());
  t.deepEqual(problems(ofVersion), [
    ['the extension', 'policy.breaker.slow_call_ms must be below timeout_ms of version v2 (500), got 500'],
  ]);
  t.deepEqual(inForce(ofVersion), [300, 1000, 500]);
});

test('SLOW-CALLS-1: a timeout that reaches the policy is refused with its row, and the one before stays', (t) => {
  const version = parse(entry(300, 1000, 300), before());
  t.deepEqual(problems(version), [['v2', 'timeout_ms must be above policy.breaker.slow_call_ms (300), got 300']]);
  t.deepEqual(inForce(version), [300, 1000, 500]);
  const own = parse(entry(300, 200, 500), before());
  t.deepEqual(problems(own), [
    ['the extension', 'policy.breaker.slow_call_ms must be below timeout_ms (200), got 300'],
  ]);
  t.deepEqual(inForce(own), [300, 1000, 500]);
});

test('SLOW-CALLS-1: both may change in one step, and what breaks it by its own change is what is refused', (t) => {
  t.deepEqual(problems(parse(entry(700, 1000, 800), before())), []);
  const both = parse(entry(400, 1000, 350), before());
  t.deepEqual(problems(both), [['v2', 'timeout_ms must be above policy.breaker.slow_call_ms (400), got 350']]);
  t.deepEqual(inForce(both), [400, 1000, 500]);
});

test('SLOW-CALLS-1: of two that were never in force the version is refused; the extension serves without it', (t) => {
  const parsed = parse(entry(600, 1000, 500));
  t.deepEqual(problems(parsed), [['v2', 'timeout_ms must be above policy.breaker.slow_call_ms (600), got 500']]);
  t.deepEqual(inForce(parsed), [600, 1000]);
});

for (const value of [0, -1, 1.5, '300', 86_400_000])
  test(`policy.breaker.slow_call_ms: ${JSON.stringify(value)} is refused by name`, (t) => {
    t.regex(String(problems(parse(entry(value, 1000, 500)))), /policy\.breaker\.slow_call_ms must be /);
  });
