DROP INDEX change_by_tx;
ALTER TABLE change DROP COLUMN tx;
