DROP TABLE index_composite;
DROP TABLE token_text;
DROP INDEX index_reference_by_rid;
ALTER TABLE index_uri DROP COLUMN edge;
ALTER TABLE index_quantity DROP COLUMN edge;
ALTER TABLE index_date DROP COLUMN edge;
ALTER TABLE index_string DROP COLUMN edge;
ALTER TABLE index_token DROP COLUMN edge;
