-- Which keys each version of a rollout has: 10 000 slots an extension, one for each hundredth of a per cent. And which
-- health_status is the word of an operator, and threshold columns that are in force at once.
--
-- M20. Whoever changes a share, the slots follow in the same transaction: a version takes slots from the default, or gives
--      them to it, and the slots of the other versions stay as they are (docs/decisions/0022-slots-of-a-rollout.md).
-- M21. Shares that add up to more than 100 % are allotted nothing: the slots stay, until the shares fit again.
-- M22. A health_status that no daemon wrote is a report, and each report has an id; a daemon's own health_status has none. So
--      each report is taken once, and no daemon overwrites one that it has not seen.
-- M23. A threshold column of extension_health that changes is a change of its extension: one audit row, and a revision.

-- No foreign key: its lock would come after that of the revision, and others take them the other way round.
create table if not exists extension_rollouts (
  extension_id varchar(255) primary key,
  slots jsonb not null check (jsonb_typeof(slots) = 'object'),
  -- The transaction that the slots were looked at in, and how many shares it had changed by then.
  seen text not null
);
--> statement-breakpoint

-- Slots of a version; null: it is in no rollout.
create or replace function extreg_share(v extension_versions) returns integer language sql immutable as $$
  select case when coalesce(v.enabled, true) and coalesce(v.routing_rules, '{}') in ('{}', 'null')
    then (v.rollout_percent * 100)::integer end
$$;
--> statement-breakpoint

-- The same as allotSlots() of src/domain/registry/rollout-slots.ts. `held`: ranges by version, `{"v2": [[0, 500]]}`; `wanted`: slots by
-- version, together at most 10 000.
create or replace function extreg_slots(held jsonb, wanted jsonb) returns jsonb language sql immutable as $$
  with given as (
    select owner.key as version, (range ->> 0)::integer as first, (range ->> 1)::integer as next, (wanted ->> owner.key)::integer as count
    from jsonb_each(held) as owner, jsonb_array_elements(owner.value) as range
    where wanted ? owner.key
  ), placed as (
    select *, sum(next - first) over (partition by version order by first) - (next - first) as before from given
  ), kept as (
    select version, first, least(next, first + count - before) as next from placed where before < count
  ), gaps as (
    select coalesce(lag(next) over (order by first), 0) as first, first as next
    from (select first, next from kept union all select 10000, 10000) as bounds
  ), free as (
    select first, next, sum(next - first) over (order by first) - (next - first) as before from gaps where next > first
  ), missing as (
    select version, count, sum(count) over (order by version collate "C") - count as before
    from (
      select key as version, value::integer - coalesce(had, 0) as count
      from jsonb_each_text(wanted)
      left join (select version, sum(next - first) as had from kept group by version) as own on own.version = key
    ) as each
  ), owned as (
    select version, first, next from kept
    union all
    select version, first + greatest(m.before - f.before, 0), first + least(m.before + m.count - f.before, next - first)
    from missing as m join free as f on m.count > 0 and m.before < f.before + next - first and f.before < m.before + m.count
  ), marked as (
    select version, first, next, (first is distinct from lag(next) over (partition by version order by first))::integer as begins from owned
  ), islands as (
    select version, first, next, sum(begins) over (partition by version order by first) as island from marked
  ), ranges as (
    select version, min(first) as first, jsonb_build_array(min(first), max(next)) as range from islands group by version, island
  )
  select coalesce(jsonb_object_agg(version, list), '{}')
  from (select version, jsonb_agg(range order by first) as list from ranges group by version) as lists
$$;
--> statement-breakpoint

-- M20, M21. Of one extension, as its rows are now. Slots that somebody else has written into the table, and that are none, are
-- allotted anew.
create or replace function extreg_allot(extension varchar, seen_now text) returns void language plpgsql set search_path from current as $$
declare
  wanted jsonb;
  total bigint;
  allotted jsonb;
begin
  select coalesce(jsonb_object_agg(v.version, extreg_share(v)), '{}'), coalesce(sum(extreg_share(v)), 0) into wanted, total
    from extension_versions as v where v.id = extension and extreg_share(v) > 0;
  select slots into allotted from extension_rollouts where extension_id = extension;
  if total <= 10000 then
    begin
      allotted := extreg_slots(coalesce(allotted, '{}'), wanted);
    exception when others then
      allotted := extreg_slots('{}', wanted);
    end;
  end if;
  insert into extension_rollouts (extension_id, slots, seen) values (extension, coalesce(allotted, '{}'), seen_now)
    on conflict (extension_id) do update set slots = excluded.slots, seen = excluded.seen;
end $$;
--> statement-breakpoint

-- Of a row before and after, null where there is none.
create or replace function extreg_share_moves(o extension_versions, n extension_versions) returns boolean language sql immutable as $$
  select (coalesce(extreg_share(o), 0) > 0 or coalesce(extreg_share(n), 0) > 0)
    and (o.id, o.version, coalesce(extreg_share(o), 0)) is distinct from (n.id, n.version, coalesce(extreg_share(n), 0))
$$;
--> statement-breakpoint

-- How many shares this transaction has changed.
create or replace function extreg_share_changed() returns trigger language plpgsql set search_path from current as $$
begin
  if not extreg_share_moves(old, new) then
    return null;
  end if;
  perform set_config('extreg.shares', (coalesce(nullif(current_setting('extreg.shares', true), ''), '0')::bigint + 1)::text, true);
  return null;
end $$;
--> statement-breakpoint

-- Deferred to the commit, after extreg_record by its name, which has taken the lock of the revision: so one transaction at a
-- time is here, and sees what the others before it have allotted. The first row of an extension does it for all of them.
create or replace function extreg_rollout() returns trigger language plpgsql security definer set search_path from current as $$
declare
  seen_now constant text := pg_current_xact_id()::text || '/' || coalesce(current_setting('extreg.shares', true), '');
  extension varchar;
begin
  if not extreg_share_moves(old, new) then
    return null;
  end if;
  foreach extension in array array[old.id, nullif(new.id, old.id)] loop
    if extension is null or exists (select from extension_rollouts where extension_id = extension and seen = seen_now) then
      continue;
    end if;
    if not exists (select from extensions where id = extension) then
      delete from extension_rollouts where extension_id = extension;
    else
      perform extreg_allot(extension, seen_now);
    end if;
  end loop;
  return null;
end $$;
--> statement-breakpoint
drop trigger if exists extreg_share_changed on extension_versions;
--> statement-breakpoint
create trigger extreg_share_changed after insert or update or delete on extension_versions
  for each row execute function extreg_share_changed();
--> statement-breakpoint
drop trigger if exists extreg_rollout on extension_versions;
--> statement-breakpoint
create constraint trigger extreg_rollout after insert or update or delete on extension_versions
  deferrable initially deferred for each row execute function extreg_rollout();
--> statement-breakpoint
-- A truncate fires no row trigger.
create or replace function extreg_rollout_truncate() returns trigger language plpgsql security definer set search_path from current as $$
begin
  delete from extension_rollouts;
  return null;
end $$;
--> statement-breakpoint
drop trigger if exists extreg_rollout_truncate on extension_versions;
--> statement-breakpoint
create trigger extreg_rollout_truncate after truncate on extension_versions for each statement execute function extreg_rollout_truncate();
--> statement-breakpoint
do $$
declare
  extension varchar;
begin
  for extension in select distinct id from extension_versions where rollout_percent is not null loop
    perform extreg_allot(extension, '');
  end loop;
end $$;
--> statement-breakpoint

-- M22. As in 0001, M9: what a daemon writes is no change.
alter table extension_instances
  add column if not exists health_report uuid;
--> statement-breakpoint
create or replace function extreg_measured() returns text[] language sql stable as $$
  select case when current_setting('extreg.actor', true) = 'system:health' then array['health_status', 'health_report'] else array[]::text[] end
$$;
--> statement-breakpoint

-- Its name puts it before extreg_touch, which sees what it has set. Nobody else sets the column.
create or replace function extreg_health_report() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    new.health_report := case when coalesce(new.health_status, 'unknown') <> 'unknown' then gen_random_uuid() end;
  elsif new.health_status is not distinct from old.health_status then
    new.health_report := old.health_report;
  else
    new.health_report := case when current_setting('extreg.actor', true) is distinct from 'system:health' then gen_random_uuid() end;
  end if;
  return new;
end $$;
--> statement-breakpoint
drop trigger if exists extreg_health_report on extension_instances;
--> statement-breakpoint
create trigger extreg_health_report before insert or update on extension_instances
  for each row execute function extreg_health_report();
--> statement-breakpoint

-- M23.
create or replace function extreg_thresholds(h extension_health) returns jsonb language sql immutable as $$
  select jsonb_build_object(
    'circuit_breaker_failure_threshold', h.circuit_breaker_failure_threshold,
    'circuit_breaker_error_rate_threshold', h.circuit_breaker_error_rate_threshold,
    'circuit_breaker_window_seconds', h.circuit_breaker_window_seconds,
    'half_open_max_requests', h.half_open_max_requests)
$$;
--> statement-breakpoint
create or replace function extreg_record_thresholds() returns trigger language plpgsql security definer set search_path from current as $$
declare
  id constant text := case when tg_op = 'DELETE' then old.extension_id else new.extension_id end;
begin
  -- What goes with its extension is recorded with that.
  if tg_op = 'DELETE' and not exists (select from extensions where extensions.id = old.extension_id) then
    return null;
  end if;
  insert into extension_audit_log (id, extension_id, action, old_values, new_values, changed_by, changed_at, reason, revision)
  values (
    gen_random_uuid(),
    id,
    'thresholds_update',
    case when tg_op <> 'INSERT' then extreg_thresholds(old) end,
    case when tg_op <> 'DELETE' then extreg_thresholds(new) end,
    coalesce(nullif(current_setting('extreg.actor', true), ''), 'db:' || session_user),
    clock_timestamp(),
    nullif(current_setting('extreg.reason', true), ''),
    extreg_next_revision()
  );
  return null;
end $$;
--> statement-breakpoint
drop trigger if exists extreg_record_thresholds on extension_health;
--> statement-breakpoint
drop trigger if exists extreg_record_thresholds_made on extension_health;
--> statement-breakpoint
drop trigger if exists extreg_record_thresholds_gone on extension_health;
--> statement-breakpoint
-- A flush of daemons names none of the columns.
create constraint trigger extreg_record_thresholds
  after update of circuit_breaker_failure_threshold, circuit_breaker_error_rate_threshold, circuit_breaker_window_seconds, half_open_max_requests
  on extension_health deferrable initially deferred for each row
  when (extreg_thresholds(old) is distinct from extreg_thresholds(new))
  execute function extreg_record_thresholds();
--> statement-breakpoint
create constraint trigger extreg_record_thresholds_made after insert on extension_health
  deferrable initially deferred for each row
  when (jsonb_strip_nulls(extreg_thresholds(new)) <> '{}')
  execute function extreg_record_thresholds();
--> statement-breakpoint
create constraint trigger extreg_record_thresholds_gone after delete on extension_health
  deferrable initially deferred for each row
  when (jsonb_strip_nulls(extreg_thresholds(old)) <> '{}')
  execute function extreg_record_thresholds();
