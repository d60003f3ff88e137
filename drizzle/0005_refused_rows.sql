-- A health flush whose answer is lost is found with the rows that it did not write.
--
-- M26. A flush skips a row that another transaction holds, and drops one that the database refuses. Their counts are not in the row,
--      so the same transaction keeps their names beside the number of the flush: a daemon that did not get the answer reads them, and
--      flushes those rows again. Null: the number was taken by a daemon that asked whether it was written, so it was not.

alter table extension_health_writers add column if not exists refused jsonb;
