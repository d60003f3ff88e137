// A database as the predecessor left it: its tables, constraints, defaults and some rows.
export const PREDECESSOR = `
create table extensions (
  id varchar(255) primary key,
  type varchar(32) not null check (type in ('pre', 'validator', 'post', 'provider')),
  subject varchar(512) not null,
  timeout_ms integer default 5000 check (timeout_ms > 0),
  retry integer default 0 check (retry >= 0),
  enabled boolean default true,
  version varchar(32) default 'v1',
  config jsonb default '{}'::jsonb,
  metadata jsonb default '{}'::jsonb,
  created_at timestamp with time zone default current_timestamp,
  updated_at timestamp with time zone default current_timestamp,
  created_by varchar(255),
  updated_by varchar(255)
);
create table extension_versions (
  id varchar(255) not null references extensions (id) on delete cascade,
  version varchar(32) not null,
  subject varchar(512) not null,
  timeout_ms integer not null,
  retry integer not null,
  config jsonb default '{}'::jsonb,
  metadata jsonb default '{}'::jsonb,
  routing_rules jsonb default '{}'::jsonb,
  enabled boolean not null default true,
  created_at timestamp with time zone default current_timestamp,
  primary key (id, version)
);
create table extension_instances (
  extension_id varchar(255) not null references extensions (id) on delete cascade,
  instance_id varchar(255) not null,
  subject varchar(512) not null,
  weight integer default 100 check (weight >= 0 and weight <= 100),
  enabled boolean not null default true,
  health_status varchar(32) default 'unknown' check (health_status in ('healthy', 'degraded', 'unhealthy', 'unknown')),
  last_health_check timestamp with time zone,
  primary key (extension_id, instance_id)
);
create table extension_health (
  extension_id varchar(255) primary key references extensions (id) on delete cascade,
  last_success timestamp with time zone,
  last_failure timestamp with time zone,
  success_count bigint default 0,
  failure_count bigint default 0,
  avg_latency_ms numeric(10, 2),
  last_latency_ms integer,
  p50_latency_ms numeric(10, 2),
  p95_latency_ms numeric(10, 2),
  p99_latency_ms numeric(10, 2),
  latency_samples bigint default 0,
  latency_sum bigint default 0,
  latency_samples_window_start timestamp with time zone default current_timestamp,
  circuit_breaker_state varchar(32) default 'closed' check (circuit_breaker_state in ('closed', 'open', 'half_open')),
  circuit_breaker_opened_at timestamp with time zone,
  circuit_breaker_failure_threshold integer default 5,
  circuit_breaker_error_rate_threshold numeric(5, 2) default 0.5,
  circuit_breaker_window_seconds integer default 60,
  half_open_max_requests integer default 3,
  half_open_request_count integer default 0,
  half_open_requests_count integer default 0,
  updated_at timestamp with time zone default current_timestamp
);
create table extension_audit_log (
  id uuid primary key default gen_random_uuid(),
  extension_id varchar(255) not null references extensions (id) on delete cascade,
  action varchar(32) not null check (action in ('create', 'update', 'delete', 'enable', 'disable')),
  old_values jsonb,
  new_values jsonb,
  changed_by varchar(255),
  changed_at timestamp with time zone default current_timestamp
);
insert into extensions (id, type, subject, timeout_ms, retry, enabled, version, config) values
  ('normalize_text', 'pre', 'beamline.ext.pre.normalize_text.v1', null, null, null, null, null),
  ('guard', 'validator', 'beamline.ext.validate.guard', 200, 1, true, 'v1', '{"level": "strict"}');
insert into extension_versions (id, version, subject, timeout_ms, retry) values
  ('guard', 'v1', 'beamline.ext.validate.guard.v1', 200, 1),
  ('guard', 'v2', 'beamline.ext.validate.guard.v2', 200, 1);
insert into extension_instances (extension_id, instance_id, subject, weight) values
  ('normalize_text', 'instance-1', 'beamline.ext.pre.normalize_text.v1', null);
insert into extension_health (extension_id, circuit_breaker_failure_threshold, half_open_request_count) values
  ('normalize_text', 5, 0),
  ('guard', 9, 1);
insert into extension_audit_log (extension_id, action, changed_by) values ('guard', 'create', 'someone');
`;
