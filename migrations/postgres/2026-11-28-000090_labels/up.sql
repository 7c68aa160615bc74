-- Which of the labels that keep a resource from callers its current version bears: 1 personal, 2 the confidentiality R, 4 V, added up.
-- The index has them, too; here they cost a statement no further table.
ALTER TABLE resource ADD COLUMN labels SMALLINT NOT NULL DEFAULT 0;
-- Those that bear any, for who knows no more of a resource than its number.
CREATE INDEX resource_labelled ON resource (rid) WHERE labels <> 0;
UPDATE index_rules SET is_stale = 1 WHERE EXISTS (SELECT 1 FROM resource);
