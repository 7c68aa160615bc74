-- What is deleted, and the Patients whose record its last version was part of; docs/decisions/0045.
CREATE TABLE deleted_from (
    rid BIGINT NOT NULL,
    patient BIGINT NOT NULL,          -- the key of that Patient
    PRIMARY KEY (rid, patient)
) WITHOUT ROWID;

-- Of what was deleted before, `reindex` finds that out: no server starts until then.
UPDATE index_rules SET is_stale = 1 WHERE EXISTS (SELECT 1 FROM resource WHERE method = 2);
