-- Which of the labels that keep a resource from callers its current version bears: 1 personal, 2 the confidentiality R, 4 V, added up.
-- The index has them, too; here they cost a statement no further table. They stand before the tail, so that they are read without it.
CREATE TABLE labelled_resource (
    rid INTEGER PRIMARY KEY,
    key BIGINT NOT NULL UNIQUE,       -- keyed hash of Type/id; what index_reference.target points to
    rtype SMALLINT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    updated_us BIGINT NOT NULL,
    method SMALLINT NOT NULL,         -- 0 create, 1 update, 2 delete
    labels SMALLINT NOT NULL,
    codec SMALLINT NOT NULL,          -- how the tail is packed: 0 as it is, 1 zstd
    tail BLOB,
    index_rows BLOB NOT NULL          -- the rows of the index that belong to it, so that an update changes only what differs
);
INSERT INTO labelled_resource SELECT rid, key, rtype, id, version, updated_us, method, 0, codec, tail, index_rows FROM resource;
DROP TABLE resource;
ALTER TABLE labelled_resource RENAME TO resource;
CREATE INDEX resource_by_type ON resource (rtype) WHERE method <> 2;
CREATE INDEX resource_by_instant ON resource (rtype, updated_us);
-- Those that bear any, for who knows no more of a resource than its number.
CREATE INDEX resource_labelled ON resource (rid) WHERE labels <> 0;
UPDATE index_rules SET is_stale = 1 WHERE EXISTS (SELECT 1 FROM resource);
