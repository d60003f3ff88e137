-- The audit trail is read in pages, newest first.
--
-- M29. A page is found in this index alone, by whichever columns it is filtered: without it, a page of all extensions reads the whole table.
--      A page of one extension has an index of its own that gives its rows in order, in place of one that did not: by the first alone, the
--      rows of every other extension would be passed over.

create index if not exists idx_extension_audit_log_page on extension_audit_log (changed_at, id)
  include (extension_id, action, changed_by, revision);
--> statement-breakpoint
create index if not exists idx_extension_audit_log_of on extension_audit_log (extension_id, changed_at, id);
--> statement-breakpoint
drop index if exists idx_extension_audit_log_trail;
