-- The registry's history and each of its rows get an identity, so that a daemon notices when the database was restored,
-- exchanged or rewritten, and when a row was deleted and inserted again.
--
-- M10. Every revision has a random token, and follows the token of the revision before it: a chain. A daemon that has seen a
--      revision with its token finds in the trail what follows them, or it reads another history than before.
-- M11. A statement that writes registry_revision itself begins another chain: the new token follows none that is known.
-- M12. registry_revision heals: the next change inserts a row that is missing, and raises a number that the trail has passed.
-- M13. A row of the registry has a `uid` that it gets when it is inserted, whatever the statement says, and keeps. A policy
--      that is set where there was none has another `policy_uid` than the one before.
-- M14. What was measured of an extension or a version is deleted with it, also what the published row says of the version.
-- M15. A counter that has reached the end of its range begins again instead of making every later write fail.
alter table registry_revision
  add column if not exists history uuid not null default gen_random_uuid(),
  add column if not exists token uuid not null default gen_random_uuid(),
  add column if not exists follows uuid;
--> statement-breakpoint
alter table extension_audit_log
  add column if not exists token uuid,
  add column if not exists follows uuid;
--> statement-breakpoint
alter table extensions
  add column if not exists uid uuid not null default gen_random_uuid(),
  add column if not exists policy_uid uuid;
--> statement-breakpoint
alter table extension_versions
  add column if not exists uid uuid not null default gen_random_uuid();
--> statement-breakpoint
alter table extension_instances
  add column if not exists uid uuid not null default gen_random_uuid();
--> statement-breakpoint

-- M15. The largest whole number that every reader holds exactly is 2^53 - 1; a revision above it is none.
create or replace function extreg_is_revision(number bigint) returns boolean language sql immutable as $$
  select coalesce(number between 0 and 9007199254740990, false)
$$;
--> statement-breakpoint

-- M12. The last number that the trail has.
create or replace function extreg_last_revision() returns bigint language sql stable security definer set search_path from current as $$
  select coalesce(max(revision), 0) from extension_audit_log where revision between 0 and 9007199254740990
$$;
--> statement-breakpoint

-- M10, M12. As in 0000: the first change of a transaction takes the number, and with it the row's lock until the commit; the
-- later ones find their own transaction in xmin.
create or replace function extreg_next_revision() returns bigint language plpgsql security definer set search_path from current as $$
declare
  number bigint;
begin
  loop
    update registry_revision set
      revision = 1 + case when extreg_is_revision(revision) then greatest(revision, extreg_last_revision()) else extreg_last_revision() end,
      token = gen_random_uuid(),
      follows = token
      where xmin <> pg_current_xact_id()::xid returning revision into number;
    exit when found;
    select revision into number from registry_revision;
    exit when found;
    insert into registry_revision (revision) values (extreg_last_revision() + 1) on conflict do nothing returning revision into number;
    exit when found;
  end loop;
  return number;
end $$;
--> statement-breakpoint

-- M11. extreg_next_revision always sets another token; whoever does not set one does not know of it.
create or replace function extreg_revision_written() returns trigger language plpgsql security definer set search_path from current as $$
begin
  if tg_op = 'UPDATE' then
    if new.token is distinct from old.token then
      return new;
    end if;
    new.token := gen_random_uuid();
    new.follows := null;
  end if;
  new.revision := case when extreg_is_revision(new.revision) then greatest(new.revision, extreg_last_revision()) else extreg_last_revision() end;
  return new;
end $$;
--> statement-breakpoint
drop trigger if exists extreg_revision_written on registry_revision;
--> statement-breakpoint
create trigger extreg_revision_written before insert or update on registry_revision
  for each row execute function extreg_revision_written();
--> statement-breakpoint

-- Whatever becomes of the row, every daemon looks at once.
create or replace function extreg_notify_revision() returns trigger language plpgsql security definer set search_path from current as $$
begin
  perform pg_notify('extreg_registry', coalesce((select revision::text from registry_revision), ''));
  return null;
end $$;
--> statement-breakpoint
drop trigger if exists extreg_notify_revision on registry_revision;
--> statement-breakpoint
create trigger extreg_notify_revision after insert or update or delete or truncate on registry_revision
  for each statement execute function extreg_notify_revision();
--> statement-breakpoint

-- M10. Of a row that is restored the token is known.
create or replace function extreg_chain() returns trigger language plpgsql security definer set search_path from current as $$
begin
  if new.token is null then
    select token, follows into new.token, new.follows from registry_revision where revision = new.revision;
  end if;
  return new;
end $$;
--> statement-breakpoint
drop trigger if exists extreg_chain on extension_audit_log;
--> statement-breakpoint
create trigger extreg_chain before insert on extension_audit_log
  for each row when (new.revision is not null) execute function extreg_chain();
--> statement-breakpoint

-- M13, M15.
create or replace function extreg_identify() returns trigger language plpgsql set search_path from current as $$
begin
  new.uid := gen_random_uuid();
  if new.revision is null or new.revision not between 1 and 9007199254740990 then
    new.revision := 1;
  end if;
  if tg_table_name <> 'extension_instances' then
    if new.breaker_resets not between 0 and 1000000000 then
      new.breaker_resets := 0;
    end if;
  end if;
  if tg_table_name = 'extensions' then
    new.policy_uid := case when coalesce(new.policy, 'null') <> 'null' then gen_random_uuid() end;
  end if;
  return new;
end $$;
--> statement-breakpoint

-- As in 0001, and M13, M15.
create or replace function extreg_touch() returns trigger language plpgsql set search_path from current as $$
declare
  dull constant text[] := array['last_health_check', 'updated_at', 'revision'] || extreg_measured();
begin
  new.uid := old.uid;
  if tg_table_name <> 'extension_instances' then
    if new.breaker_resets not between 0 and 1000000000 then
      new.breaker_resets := 0;
    end if;
  end if;
  if tg_table_name = 'extensions' then
    new.policy_uid := case
      when coalesce(new.policy, 'null') = 'null' then null
      when coalesce(old.policy, 'null') = 'null' then gen_random_uuid()
      else old.policy_uid end;
  end if;
  if to_jsonb(new) - dull = to_jsonb(old) - dull and coalesce(current_setting('extreg.verb', true), '') = '' then
    new.revision := old.revision;
    return new;
  end if;
  new.revision := case when old.revision between 1 and 9007199254740989 then old.revision + 1 else 1 end;
  if tg_table_name = 'extensions' then
    new.updated_at := current_timestamp;
  end if;
  return new;
end $$;
--> statement-breakpoint
do $$
declare
  registry_table text;
begin
  foreach registry_table in array array['extensions', 'extension_versions', 'extension_instances'] loop
    execute format('drop trigger if exists extreg_identify on %I', registry_table);
    execute format('create trigger extreg_identify before insert on %I for each row execute function extreg_identify()', registry_table);
  end loop;
end $$;
--> statement-breakpoint

-- M14. The thresholds of the published row are an operator's, and stay.
create or replace function extreg_forget_version() returns trigger language plpgsql security definer set search_path from current as $$
begin
  delete from extension_version_health where extension_id = old.id and version = old.version;
  update extension_health set
    last_success = null, last_failure = null, success_count = 0, failure_count = 0,
    avg_latency_ms = null, last_latency_ms = null, p50_latency_ms = null, p95_latency_ms = null, p99_latency_ms = null,
    latency_samples = 0, latency_sum = 0, latency_samples_window_start = null,
    circuit_breaker_state = 'closed', circuit_breaker_opened_at = null, circuit_breaker_open_until = null,
    circuit_breaker_trips = 0, circuit_breaker_epoch = 0, half_open_requests_count = 0, updated_at = current_timestamp
    where extension_id = old.id and version = old.version;
  return null;
end $$;
--> statement-breakpoint

-- M14. Also where an adopted database has no foreign key that does it.
create or replace function extreg_forget_extension() returns trigger language plpgsql security definer set search_path from current as $$
begin
  delete from extension_version_health where extension_id = old.id;
  delete from extension_health where extension_id = old.id;
  return null;
end $$;
--> statement-breakpoint
drop trigger if exists extreg_forget_extension on extensions;
--> statement-breakpoint
create trigger extreg_forget_extension after delete on extensions
  for each row execute function extreg_forget_extension();
