// Rows that years of a predecessor leave behind, beside those of predecessor.ts: the good, the bad and the half forgotten.

/** What its constraints allowed. */
export const OLD_ROWS = `
alter table extension_health add column auto_disabled boolean default false;
insert into extensions (id, type, subject, timeout_ms, retry, enabled, version, config, metadata, created_at, updated_at, created_by, updated_by) values
  ('nulls', 'post', 'old.nulls', null, null, null, null, null, null, null, null, null, null),
  ('ünïcode', 'pre', 'old.unicode', 1, 0, true, 'v1', '{"naïve": "façade 🎉", "big": 12345678901234567890.10}', '[1, {"a": null}]',
    '2024-01-01 00:00:00.123456+02', '2025-01-01 00:00:00+00', 'Zoë', 'Zoë'),
  ('wild', 'pre', 'old.>', 100, 0, true, 'v1', '{}', '{}', now(), now(), 'a', 'b'),
  ('dot.ted', 'pre', 'old.dotted', 100, 0, true, 'v1', '{}', '{}', now(), now(), 'a', 'b'),
  ('long', 'provider', 'old.' || repeat('x', 508), 100, 0, true, 'v1', '{}', '{}', now(), now(), 'a', 'b'),
  ('listed', 'pre', 'old.listed', 100, 0, true, 'v1', '[1, 2]', '"text"', now(), now(), 'a', 'b'),
  ('off', 'pre', 'old.off', 100, 0, false, 'v1', '{}', '{}', now(), now(), 'a', 'b'),
  ('tripped', 'validator', 'old.tripped', 100, 0, false, 'v1', '{}', '{}', now(), now(), 'a', 'b'),
  ('recovered', 'validator', 'old.recovered', 1000, 0, false, 'v1', '{}', '{}', now(), now(), 'a', 'b');
insert into extension_versions (id, version, subject, timeout_ms, retry, config, metadata, routing_rules, enabled, created_at) values
  ('guard', 'v3-rules', 'old.guard.v3', 100, 0, null, null, '{"tenant_id": ["a", "b"], "policy_id": 7}', true, null),
  ('guard', 'v4-list', 'old.guard.v4', 100, 0, '{}', '{}', '["tenant_id"]', true, now()),
  ('guard', 'v5-deep', 'old.guard.v5', 100, 0, '{}', '{}', '{"tenant_id": {"in": ["a"]}}', true, now()),
  ('guard', 'v6-wild', 'old.guard.*', 100, 0, '{}', '{}', '{}', true, now()),
  ('guard', 'v7-zero', 'old.guard.v7', 0, -1, '{}', '{}', '{}', true, now()),
  ('guard', 'v8-off', 'old.guard.v8', 100, 0, '{}', '{}', null, false, now());
insert into extension_instances (extension_id, instance_id, subject, weight, enabled, health_status, last_health_check) values
  ('guard', 'drained', 'beamline.ext.validate.guard.v2', 0, true, 'healthy', now()),
  ('guard', 'null', 'beamline.ext.validate.guard.v2', null, true, null, null),
  ('guard', 'has blanks', 'old.guard.blank', 100, true, 'unknown', null),
  ('guard', 'wild', '*', 100, true, 'degraded', null);
insert into extension_health (extension_id, last_success, last_failure, success_count, failure_count, avg_latency_ms, last_latency_ms,
  circuit_breaker_state, circuit_breaker_opened_at, circuit_breaker_failure_threshold, circuit_breaker_error_rate_threshold,
  circuit_breaker_window_seconds, half_open_max_requests, half_open_request_count, half_open_requests_count, auto_disabled) values
  ('nulls', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
  ('off', now(), now(), 9007199254740991, 7, 12.34, 12, 'closed', null, 5, 0.5, 60, 3, 0, 0, false),
  ('wild', null, null, 0, 0, null, null, 'closed', null, 0, 7.5, 60, 3, 0, 0, false),
  ('tripped', now(), now(), 1, 5, 1.5, 2, 'open', now(), 5, 0.5, 60, 3, 0, 0, true),
  ('recovered', now(), now(), 1, 5, 1.5, 2, 'open', now() - interval '1 hour', 5, 0.5, 60, 3, 2, 2, true);
insert into extension_audit_log (extension_id, action, old_values, new_values, changed_by, changed_at) values
  ('off', 'disable', '{"enabled": true}', '{"enabled": false}', 'Zoë', '2024-05-05 05:05:05.555+00'),
  ('off', 'update', null, null, null, null);
`;

/** What a predecessor without some of its constraints let in as well. */
export const UNCHECKED_ROWS = `
alter table extensions drop constraint extensions_type_check;
alter table extension_audit_log drop constraint extension_audit_log_extension_id_fkey;
alter table extension_audit_log drop constraint extension_audit_log_action_check;
alter table extension_health drop constraint extension_health_circuit_breaker_state_check;
insert into extensions (id, type, subject) values ('odd_type', 'filter', 'old.odd');
insert into extension_health (extension_id, circuit_breaker_state) values ('odd_type', 'ajar');
insert into extension_audit_log (extension_id, action, changed_by) values ('gone', 'rename', 'someone');
`;

/** `<row>: <beginning of the problem>`, by what the daemon says of OLD_ROWS. */
export const REFUSED = [
  'dot.ted: id must be',
  'guard/instance has blanks: instance_id must be',
  'guard/instance wild: subject must be plain tokens',
  'guard/version v4-list: routing_rules must be a JSON object, got a list',
  'guard/version v5-deep: routing_rules.tenant_id must be',
  'guard/version v6-wild: subject must be plain tokens',
  'guard/version v7-zero: retry must be 0..100, got -1',
  'guard/version v7-zero: timeout_ms must be 1..86400000, got 0',
  'listed: config must be a JSON object, got a list',
  'long: subject must be at most 256 bytes, got 512',
  'wild: extension_health: error_rate_threshold must be 0..1, got 7.5',
  'wild: extension_health: failure_threshold must be 1..1000000, got 0',
  'wild: subject must be plain tokens',
  'ünïcode: id must be',
];
/** The same of UNCHECKED_ROWS. */
export const REFUSED_UNCHECKED = ['odd_type: type must be one of pre, validator, post, provider, got "filter"'];

/** As REFUSED spells it, of what `extreg migrate --json` and the daemon's log say. */
export function refusedNames(
  refused: readonly {
    readonly extension_id: string;
    readonly version?: string;
    readonly instance_id?: string;
    readonly problems: readonly string[];
  }[],
): string[] {
  return refused
    .flatMap(({ extension_id, version, instance_id, problems }) => {
      const child = version ? `/version ${version}` : instance_id ? `/instance ${instance_id}` : '';
      return problems.map((problem) => `${extension_id}${child}: ${problem}`);
    })
    .sort();
}
