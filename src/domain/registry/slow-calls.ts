// What `policy.breaker.slow_call_ms` of an extension and the timeouts of its versions say together.
//
// SLOW-CALLS-1. slow_call_ms is below the timeout of each version in force. A policy that breaks that with a version as it was is refused; a
//     version that breaks it with the policy in force is. Where no earlier form of the version is known, the version is.
import type { Steps } from '../steps.js';
import { type Extension, isSameRow, type Version } from './extension.js';
import { versionOf } from './extension-index.js';
import type { VersionRow } from './registry-rows.js';
import { MAX_VERSIONS } from './row-limits.js';
import { type Parsed, parseVersion, slowCallOf } from './row-validation.js';
import type { SubjectRules } from './subject-rules.js';

/**
 * SLOW-CALLS-1. `ms`: what the timeouts of versions must be above; null: nothing. `problems`: why the policy is refused; empty: it is not.
 * `before`: what was in force until now, `own`: the row as it is now, null if it is refused, `kept`: what is in force if it is; null each: nothing.
 */
export function* slowCallInForce(
  versions: readonly VersionRow[],
  rules: SubjectRules,
  before: Extension | null,
  own: Extension | null,
  kept: Extension | null,
): Steps<{ readonly ms: number | null; readonly problems: readonly string[] }> {
  const wanted = slowCallOf(own?.policy);
  const was = slowCallOf(before?.policy);
  if (wanted === null && was === null) return NO_SLOW_CALLS;
  const keptMs = slowCallOf(kept?.policy);
  if (own === null) return { ms: keptMs, problems: [] };
  if (before === null || wanted === null || wanted === was) return { ms: wanted, problems: [] };
  const problems: string[] = [];
  for (const row of versions.slice(0, MAX_VERSIONS)) {
    yield;
    const known = versionOf(before, row.version);
    if (known === undefined || !isSameRow(known, row) || known.timeoutMs > wanted) continue;
    const parsed = parseVersion(row, rules);
    const { timeoutMs } = 'value' in parsed ? parsed.value : known;
    if (timeoutMs <= wanted)
      problems.push(
        `policy.breaker.slow_call_ms must be below timeout_ms of version ${row.version} (${timeoutMs}), got ${wanted}`,
      );
  }
  return { ms: problems.length > 0 ? keptMs : wanted, problems };
}

const NO_SLOW_CALLS = { ms: null, problems: [] as readonly string[] };

/** SLOW-CALLS-1. */
export function aboveSlowCalls(parsed: Parsed<Version>, slowMs: number | null): Parsed<Version> {
  if (slowMs === null || !('value' in parsed) || parsed.value.timeoutMs > slowMs) return parsed;
  const { timeoutMs } = parsed.value;
  return { problems: [`timeout_ms must be above policy.breaker.slow_call_ms (${slowMs}), got ${timeoutMs}`] };
}
