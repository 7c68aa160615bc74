-- Which transaction wrote a change. Numbers of changes are not in the order of commits, so that only this tells whether a
-- snapshot had seen one.
ALTER TABLE change ADD COLUMN tx xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX change_by_tx ON change (tx);
