-- What was measured under a name goes with that name, however it goes.
--
-- M27. As M14 where a version or an extension is renamed, or all versions are truncated: what gets the name later begins afresh.

-- As in 0002, M14, with the version's name as it was.
drop trigger if exists extreg_forget_version_renamed on extension_versions;
--> statement-breakpoint
create trigger extreg_forget_version_renamed after update of id, version on extension_versions
  for each row when ((old.id, old.version) is distinct from (new.id, new.version)) execute function extreg_forget_version();
--> statement-breakpoint
drop trigger if exists extreg_forget_extension_renamed on extensions;
--> statement-breakpoint
create trigger extreg_forget_extension_renamed after update of id on extensions
  for each row when (old.id is distinct from new.id) execute function extreg_forget_extension();
--> statement-breakpoint

-- Before it, while the rows still tell which published rows are of a version.
create or replace function extreg_forget_versions() returns trigger language plpgsql security definer set search_path from current as $$
begin
  delete from extension_version_health;
  update extension_health as h set
    last_success = null, last_failure = null, success_count = 0, failure_count = 0,
    avg_latency_ms = null, last_latency_ms = null, p50_latency_ms = null, p95_latency_ms = null, p99_latency_ms = null,
    latency_samples = 0, latency_sum = 0, latency_samples_window_start = null,
    circuit_breaker_state = 'closed', circuit_breaker_opened_at = null, circuit_breaker_open_until = null,
    circuit_breaker_trips = 0, circuit_breaker_epoch = 0, half_open_requests_count = 0, updated_at = current_timestamp
    from extension_versions as v where v.id = h.extension_id and v.version = h.version;
  return null;
end $$;
--> statement-breakpoint
drop trigger if exists extreg_forget_versions on extension_versions;
--> statement-breakpoint
create trigger extreg_forget_versions before truncate on extension_versions
  for each statement execute function extreg_forget_versions();
