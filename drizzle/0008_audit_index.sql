-- The audit trail is read in pages, newest first.
--
-- M29. A page is found in this index alone, by whichever columns it is filtered: without it, a page of all extensions reads the whole table.

create index if not exists idx_extension_audit_log_page on extension_audit_log (changed_at, id)
  include (extension_id, action, changed_by, revision);
