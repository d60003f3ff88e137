-- What the verbs of an operator need: overrides of versions, a count of resets, and decisions that are told apart from changes.
--
-- M6. A reset changes its row, whatever else it finds to change, so it reaches every daemon and the trail. It switches on
--     what was switched off automatically, unless its statement says itself what `enabled` is to be.
-- M7. What is done under `extreg.verb` is a decision also where it changes nothing: the row's revision moves, and the audit
--     row has the verb's name. Under `extreg.id` it has that id too, so that a decision that is sent twice is made once.
-- M8. A health row says whose breaker it holds.
-- M9. A health_status that no daemon wrote is a report: it makes a revision, so it reaches every daemon at once.
alter table extensions
  add column if not exists breaker_resets integer not null default 0;
--> statement-breakpoint
alter table extension_versions
  add column if not exists breaker_override varchar(16) check (breaker_override in ('isolated', 'forced_closed')),
  add column if not exists breaker_resets integer not null default 0;
--> statement-breakpoint
-- M8. Null: written before there was this column.
alter table extension_health
  add column if not exists version varchar(32);
--> statement-breakpoint
create index if not exists idx_extension_audit_log_decided on extension_audit_log (extension_id, changed_at)
  where action in ('enable', 'disable', 'reset', 'version_enable', 'version_reset');
--> statement-breakpoint
drop index if exists idx_extension_audit_log_switched;
--> statement-breakpoint

-- M6. Its name puts it after extreg_person_decides, which has cleared auto_disabled where the statement writes `enabled`.
create or replace function extreg_person_resets() returns trigger language plpgsql as $$
begin
  if new.breaker_resets is distinct from old.breaker_resets and new.auto_disabled then
    new.enabled := true;
    new.auto_disabled := false;
  end if;
  return new;
end $$;
--> statement-breakpoint
drop trigger if exists extreg_person_resets on extensions;
--> statement-breakpoint
create trigger extreg_person_resets before update of breaker_resets on extensions
  for each row execute function extreg_person_resets();
--> statement-breakpoint

-- M9. health_status is measured where a daemon writes it, and a report where anybody else does: that is a change.
create or replace function extreg_measured() returns text[] language sql stable as $$
  select case when current_setting('extreg.actor', true) = 'system:health' then array['health_status'] else array[]::text[] end
$$;
--> statement-breakpoint

-- As in 0000, and M7, M9. Whoever writes may look for functions elsewhere.
create or replace function extreg_touch() returns trigger language plpgsql set search_path from current as $$
declare
  dull constant text[] := array['last_health_check', 'updated_at', 'revision'] || extreg_measured();
begin
  if to_jsonb(new) - dull = to_jsonb(old) - dull and coalesce(current_setting('extreg.verb', true), '') = '' then
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

-- As in 0000, and M6, M7, M9.
create or replace function extreg_record() returns trigger language plpgsql security definer set search_path from current as $$
declare
  dull constant text[] := array['last_health_check', 'updated_at', 'revision'] || extreg_measured();
  before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  after jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  actor text := coalesce(nullif(current_setting('extreg.actor', true), ''), 'db:' || session_user);
  decided text := nullif(current_setting('extreg.verb', true), '');
  verb text := case tg_op when 'INSERT' then 'create' when 'UPDATE' then 'update' else 'delete' end;
begin
  if tg_op = 'UPDATE' then
    if before - dull = after - dull and decided is null then
      return null;
    end if;
    if decided is not null then
      verb := decided;
    elsif before -> 'breaker_resets' is distinct from after -> 'breaker_resets' then
      verb := 'reset';
    elsif before -> 'enabled' is distinct from after -> 'enabled' then
      verb := case when coalesce((after ->> 'enabled')::boolean, true) then 'enable' else 'disable' end;
    elsif before -> 'breaker_override' is distinct from after -> 'breaker_override' then
      verb := case after ->> 'breaker_override' when 'isolated' then 'isolate' when 'forced_closed' then 'force_closed' else 'release' end;
    end if;
  end if;
  insert into extension_audit_log (id, extension_id, action, old_values, new_values, changed_by, changed_at, reason, revision)
  values (
    coalesce(nullif(current_setting('extreg.id', true), '')::uuid, gen_random_uuid()),
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
