-- The registry's tables, and the mechanism that makes every change of them audited, numbered and notified.
-- Runs on an empty database and on one that a predecessor filled: nothing is renamed, no row is lost, and what is there
-- already (types, foreign keys, checks, further columns) stays, except what steps 3 and 4 name.
--
-- M1. Every change of extensions, extension_versions and extension_instances leaves exactly one audit row, whoever made it.
-- M2. The audit rows of one transaction carry one revision, taken at its commit: revision order is commit order.
-- M3. Whoever is not `system:auto-manager` and writes `enabled` has decided: auto_disabled is cleared.
-- M4. What is only measured (health_status, last_health_check) makes no revision and no audit row.
-- M5. The audit trail outlives what it is about.

-- 1. Tables, as the predecessor had them.
create table if not exists extensions (
  id varchar(255) primary key,
  type varchar(32) not null check (type in ('pre', 'validator', 'post', 'provider')),
  subject varchar(512) not null,
  timeout_ms integer not null default 5000 check (timeout_ms > 0),
  retry integer not null default 0 check (retry >= 0),
  enabled boolean not null default true,
  version varchar(32) not null default 'v1',
  config jsonb default '{}'::jsonb,
  metadata jsonb default '{}'::jsonb,
  created_at timestamptz default current_timestamp,
  updated_at timestamptz default current_timestamp,
  created_by varchar(255),
  updated_by varchar(255)
);
--> statement-breakpoint
create table if not exists extension_versions (
  id varchar(255) not null references extensions (id) on delete cascade,
  version varchar(32) not null,
  subject varchar(512) not null,
  timeout_ms integer not null default 5000 check (timeout_ms > 0),
  retry integer not null default 0 check (retry >= 0),
  config jsonb default '{}'::jsonb,
  metadata jsonb default '{}'::jsonb,
  routing_rules jsonb default '{}'::jsonb,
  enabled boolean not null default true,
  created_at timestamptz default current_timestamp,
  primary key (id, version)
);
--> statement-breakpoint
create table if not exists extension_instances (
  extension_id varchar(255) not null references extensions (id) on delete cascade,
  instance_id varchar(255) not null,
  subject varchar(512) not null,
  weight integer default 100 check (weight >= 0 and weight <= 100),
  enabled boolean not null default true,
  health_status varchar(32) default 'unknown' check (health_status in ('healthy', 'degraded', 'unhealthy', 'unknown')),
  last_health_check timestamptz,
  primary key (extension_id, instance_id)
);
--> statement-breakpoint
create table if not exists extension_health (
  extension_id varchar(255) primary key references extensions (id) on delete cascade,
  last_success timestamptz,
  last_failure timestamptz,
  success_count bigint default 0,
  failure_count bigint default 0,
  avg_latency_ms numeric(10, 2),
  last_latency_ms numeric(10, 2),
  circuit_breaker_state varchar(32) default 'closed' check (circuit_breaker_state in ('closed', 'open', 'half_open')),
  circuit_breaker_opened_at timestamptz,
  circuit_breaker_failure_threshold integer,
  updated_at timestamptz default current_timestamp
);
--> statement-breakpoint
create table if not exists extension_audit_log (
  id uuid primary key default gen_random_uuid(),
  extension_id varchar(255) not null,
  action varchar(64) not null,
  old_values jsonb,
  new_values jsonb,
  changed_by varchar(255),
  changed_at timestamptz not null default current_timestamp
);
--> statement-breakpoint

-- 2. Columns that came later: some of the predecessor's own (an old database may lack them), and ours.
-- What the predecessor switched off by itself is not a person's off; its health row tells the two apart, until ours is there.
do $$ begin
  if exists (select from pg_attribute where attrelid = 'extension_health'::regclass and attname = 'auto_disabled' and not attisdropped)
    and not exists (select from pg_attribute where attrelid = 'extensions'::regclass and attname = 'auto_disabled' and not attisdropped)
  then
    alter table extensions add column auto_disabled boolean not null default false;
    update extensions set auto_disabled = true from extension_health
      where extension_health.extension_id = extensions.id and extension_health.auto_disabled and not extensions.enabled;
  end if;
end $$;
--> statement-breakpoint
alter table extensions
  add column if not exists policy jsonb,
  add column if not exists auto_disabled boolean not null default false,
  add column if not exists breaker_override varchar(16) check (breaker_override in ('isolated', 'forced_closed')),
  add column if not exists revision bigint not null default 1;
--> statement-breakpoint
alter table extension_versions
  add column if not exists rollout_percent numeric(5, 2) check (rollout_percent between 0 and 100),
  add column if not exists rollout_key varchar(255),
  add column if not exists revision bigint not null default 1;
--> statement-breakpoint
alter table extension_instances
  add column if not exists version varchar(32),
  add column if not exists revision bigint not null default 1;
--> statement-breakpoint
alter table extension_health
  add column if not exists p50_latency_ms numeric(10, 2),
  add column if not exists p95_latency_ms numeric(10, 2),
  add column if not exists p99_latency_ms numeric(10, 2),
  add column if not exists latency_samples bigint default 0,
  add column if not exists latency_sum bigint default 0,
  add column if not exists latency_samples_window_start timestamptz default current_timestamp,
  add column if not exists circuit_breaker_error_rate_threshold numeric(5, 2),
  add column if not exists circuit_breaker_window_seconds integer,
  add column if not exists half_open_max_requests integer,
  add column if not exists half_open_requests_count integer default 0,
  add column if not exists auto_disabled boolean default false,
  add column if not exists circuit_breaker_open_until timestamptz,
  add column if not exists circuit_breaker_trips integer not null default 0,
  add column if not exists circuit_breaker_epoch bigint not null default 0;
--> statement-breakpoint
create table if not exists extension_version_health (
  extension_id varchar(255) not null references extensions (id) on delete cascade,
  version varchar(32) not null,
  last_success timestamptz,
  last_failure timestamptz,
  success_count bigint not null default 0,
  failure_count bigint not null default 0,
  avg_latency_ms numeric(10, 2),
  last_latency_ms numeric(10, 2),
  p50_latency_ms numeric(10, 2),
  p95_latency_ms numeric(10, 2),
  p99_latency_ms numeric(10, 2),
  latency_samples bigint not null default 0,
  latency_sum bigint not null default 0,
  latency_samples_window_start timestamptz,
  circuit_breaker_state varchar(32) not null default 'closed' check (circuit_breaker_state in ('closed', 'open', 'half_open')),
  circuit_breaker_opened_at timestamptz,
  circuit_breaker_open_until timestamptz,
  circuit_breaker_trips integer not null default 0,
  circuit_breaker_epoch bigint not null default 0,
  half_open_requests_count integer not null default 0,
  auto_disabled boolean not null default false,
  updated_at timestamptz not null default current_timestamp,
  primary key (extension_id, version)
);
--> statement-breakpoint
alter table extension_audit_log
  add column if not exists reason text,
  add column if not exists revision bigint,
  alter column id set default gen_random_uuid();
--> statement-breakpoint
create index if not exists idx_extension_audit_log_revision on extension_audit_log (revision) where revision is not null;
--> statement-breakpoint
create index if not exists idx_extension_audit_log_trail on extension_audit_log (extension_id, changed_at);
--> statement-breakpoint
create index if not exists idx_extension_audit_log_switched on extension_audit_log (extension_id, changed_at) where action in ('enable', 'disable');
--> statement-breakpoint
create table if not exists registry_revision (
  one boolean primary key default true check (one),
  revision bigint not null default 0
);
--> statement-breakpoint
insert into registry_revision default values on conflict do nothing;
--> statement-breakpoint

-- 3. M5: constraints that would lose audit rows with their extension, or refuse actions the predecessor did not know.
-- Their names were generated, so they are found in the catalogue.
do $$
declare
  found_constraint record;
begin
  for found_constraint in
    select conname from pg_constraint where conrelid = 'extension_audit_log'::regclass and contype in ('f', 'c')
  loop
    execute format('alter table extension_audit_log drop constraint %I', found_constraint.conname);
  end loop;
end $$;
--> statement-breakpoint

-- 4. Defaults that would shadow the daemon's configuration as soon as a health row is written.
alter table extension_health
  alter column circuit_breaker_failure_threshold drop default,
  alter column circuit_breaker_error_rate_threshold drop default,
  alter column circuit_breaker_window_seconds drop default,
  alter column half_open_max_requests drop default;
--> statement-breakpoint

-- 5. What a version row of the seeds leaves out must not stop its insert.
alter table extension_versions
  alter column timeout_ms set default 5000,
  alter column retry set default 0,
  alter column enabled set default true;
--> statement-breakpoint

-- 6. M3. Named so that it runs before extreg_touch (triggers of a kind run by name), which then sees what it cleared.
create or replace function extreg_person_decides() returns trigger language plpgsql as $$
begin
  if current_setting('extreg.actor', true) is distinct from 'system:auto-manager' then
    new.auto_disabled := false;
  end if;
  return new;
end $$;
--> statement-breakpoint

-- 7. The row's own revision, and updated_at, move when anything moves that somebody decided (M4).
create or replace function extreg_touch() returns trigger language plpgsql as $$
declare
  dull constant text[] := array['health_status', 'last_health_check', 'updated_at', 'revision'];
begin
  if to_jsonb(new) - dull = to_jsonb(old) - dull then
    new.revision := old.revision;
    return new;
  end if;
  new.revision := old.revision + 1;
  if tg_table_name = 'extensions' then
    new.updated_at := current_timestamp;
  end if;
  return new;
end $$;
--> statement-breakpoint

-- 8. M2. The first change of a transaction takes the number and with it the row's lock until the commit; the later ones find
-- their own transaction in xmin. (Inside a savepoint xmin is the subtransaction's, so a further number is taken: harmless.)
create or replace function extreg_next_revision() returns bigint language plpgsql security definer set search_path from current as $$
declare
  number bigint;
begin
  update registry_revision set revision = revision + 1 where xmin <> pg_current_xact_id()::xid returning revision into number;
  if found then
    perform pg_notify('extreg_registry', number::text);
  else
    select revision into strict number from registry_revision;
  end if;
  return number;
end $$;
--> statement-breakpoint

-- 9. M1. Deferred to the commit. Runs with the rights of the tables' owner, so that whoever may change a table is audited;
-- session_user still is who did it.
create or replace function extreg_record() returns trigger language plpgsql security definer set search_path from current as $$
declare
  dull constant text[] := array['health_status', 'last_health_check', 'updated_at', 'revision'];
  before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  after jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  actor text := coalesce(nullif(current_setting('extreg.actor', true), ''), 'db:' || session_user);
  verb text := case tg_op when 'INSERT' then 'create' when 'UPDATE' then 'update' else 'delete' end;
begin
  if tg_op = 'UPDATE' then
    if before - dull = after - dull then
      return null;
    end if;
    if before -> 'enabled' is distinct from after -> 'enabled' then
      verb := case when coalesce((after ->> 'enabled')::boolean, true) then 'enable' else 'disable' end;
    elsif before -> 'breaker_override' is distinct from after -> 'breaker_override' then
      verb := case after ->> 'breaker_override' when 'isolated' then 'isolate' when 'forced_closed' then 'force_closed' else 'release' end;
    end if;
  end if;
  insert into extension_audit_log (id, extension_id, action, old_values, new_values, changed_by, changed_at, reason, revision)
  values (
    gen_random_uuid(),
    coalesce(after ->> 'extension_id', after ->> 'id', before ->> 'extension_id', before ->> 'id'),
    case tg_table_name when 'extension_versions' then 'version_' when 'extension_instances' then 'instance_' else '' end || verb,
    before,
    after,
    actor,
    clock_timestamp(),
    nullif(current_setting('extreg.reason', true), ''),
    extreg_next_revision()
  );
  return null;
end $$;
--> statement-breakpoint

-- 10. A truncate fires no row trigger. It is recorded under '*', which tells a reader of the trail to look at everything.
create or replace function extreg_record_truncate() returns trigger language plpgsql security definer set search_path from current as $$
begin
  insert into extension_audit_log (id, extension_id, action, changed_by, changed_at, reason, revision)
  values (
    gen_random_uuid(),
    '*',
    case tg_table_name when 'extension_versions' then 'version_' when 'extension_instances' then 'instance_' else '' end || 'truncate',
    coalesce(nullif(current_setting('extreg.actor', true), ''), 'db:' || session_user),
    clock_timestamp(),
    nullif(current_setting('extreg.reason', true), ''),
    extreg_next_revision()
  );
  return null;
end $$;
--> statement-breakpoint

-- 11. A version that is deleted and made again starts without the old one's breaker.
create or replace function extreg_forget_version() returns trigger language plpgsql security definer set search_path from current as $$
begin
  delete from extension_version_health where extension_id = old.id and version = old.version;
  return null;
end $$;
--> statement-breakpoint
drop trigger if exists extreg_person_decides on extensions;
--> statement-breakpoint
create trigger extreg_person_decides before update of enabled on extensions
  for each row execute function extreg_person_decides();
--> statement-breakpoint
drop trigger if exists extreg_forget_version on extension_versions;
--> statement-breakpoint
create trigger extreg_forget_version after delete on extension_versions
  for each row execute function extreg_forget_version();
--> statement-breakpoint
do $$
declare
  registry_table text;
begin
  foreach registry_table in array array['extensions', 'extension_versions', 'extension_instances'] loop
    execute format('drop trigger if exists extreg_touch on %I', registry_table);
    execute format('create trigger extreg_touch before update on %I for each row execute function extreg_touch()', registry_table);
    execute format('drop trigger if exists extreg_record on %I', registry_table);
    execute format(
      'create constraint trigger extreg_record after insert or update or delete on %I '
      'deferrable initially deferred for each row execute function extreg_record()', registry_table);
    execute format('drop trigger if exists extreg_record_truncate on %I', registry_table);
    execute format(
      'create trigger extreg_record_truncate after truncate on %I for each statement execute function extreg_record_truncate()',
      registry_table);
  end loop;
end $$;
