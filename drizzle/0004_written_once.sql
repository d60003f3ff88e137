-- What a daemon writes is written once, also where the answer was lost, and an operator's decision has its own name.
--
-- M24. The counts of a health flush are added to those of the row. So each flush has a number, which grows with every flush of a
--      daemon, and the same transaction writes it here: whoever did not get an answer looks, and takes the number where it is not
--      here, so that what may still be on its way is not written after that.
-- M25. An operator's `enabled = false` on what was disabled automatically is the action `disable`: it was off, and is off for
--      another reason from then on.

-- One row for each process of a daemon.
create table if not exists extension_health_writers (
  writer uuid primary key,
  flush bigint not null,
  written_at timestamptz not null default current_timestamp
);
--> statement-breakpoint

-- As in 0001, and M25.
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
    elsif before -> 'auto_disabled' = 'true' and after -> 'auto_disabled' = 'false' and after -> 'enabled' = 'false' then
      verb := 'disable';
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
