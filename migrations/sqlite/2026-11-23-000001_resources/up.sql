-- What the database knows of itself: the hash key of the index, for instance.
CREATE TABLE setting (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- The current version of every resource; a deletion leaves its row, without a tail.
CREATE TABLE resource (
    rid INTEGER PRIMARY KEY,
    key BIGINT NOT NULL UNIQUE,       -- keyed hash of Type/id; what index_reference.target points to
    rtype SMALLINT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    updated_us BIGINT NOT NULL,
    method SMALLINT NOT NULL,         -- 0 create, 1 update, 2 delete
    codec SMALLINT NOT NULL,          -- how the tail is packed: 0 as it is, 1 zstd
    tail BLOB,
    index_rows BLOB NOT NULL          -- the rows below that belong to it, so that an update changes only what differs
);
CREATE INDEX resource_by_type ON resource (rtype) WHERE method <> 2;
CREATE INDEX resource_by_instant ON resource (rtype, updated_us);

-- Older versions.
CREATE TABLE version (
    rid BIGINT NOT NULL,
    version BIGINT NOT NULL,
    updated_us BIGINT NOT NULL,
    method SMALLINT NOT NULL,
    codec SMALLINT NOT NULL,
    tail BLOB,
    PRIMARY KEY (rid, version)
) WITHOUT ROWID;

-- One row per version in one order; history of types and of the system reads it.
CREATE TABLE change (
    seq INTEGER PRIMARY KEY,
    rid BIGINT NOT NULL,
    rtype SMALLINT NOT NULL,
    version BIGINT NOT NULL,
    updated_us BIGINT NOT NULL
);
CREATE UNIQUE INDEX change_by_resource ON change (rid, version);
CREATE INDEX change_by_type ON change (rtype);
CREATE INDEX change_by_instant ON change (updated_us);

-- Kept, not counted. Slots let several writers count without waiting for each other.
CREATE TABLE type_count (
    rtype SMALLINT NOT NULL,
    slot SMALLINT NOT NULL,
    current BIGINT NOT NULL,
    versions BIGINT NOT NULL,
    PRIMARY KEY (rtype, slot)
) WITHOUT ROWID;

CREATE TABLE index_token (
    param SMALLINT NOT NULL,
    code BIGINT NOT NULL,
    system BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (param, code, system, rid)
) WITHOUT ROWID;

CREATE TABLE index_string (
    param SMALLINT NOT NULL,
    folded TEXT NOT NULL,
    exact BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (param, folded, exact, rid)
) WITHOUT ROWID;

CREATE TABLE index_date (
    param SMALLINT NOT NULL,
    lo_us BIGINT NOT NULL,
    hi_us BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (param, lo_us, hi_us, rid)
) WITHOUT ROWID;

-- A date is also asked of one resource at a time, when another criterion leads.
CREATE INDEX index_date_by_rid ON index_date (rid, param, lo_us, hi_us);

CREATE TABLE index_quantity (
    param SMALLINT NOT NULL,
    value DOUBLE NOT NULL,
    code BIGINT NOT NULL,
    system BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (param, value, code, system, rid)
) WITHOUT ROWID;

CREATE TABLE index_reference (
    param SMALLINT NOT NULL,
    target BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (param, target, rid)
) WITHOUT ROWID;

CREATE TABLE index_uri (
    param SMALLINT NOT NULL,
    value TEXT NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (param, value, rid)
) WITHOUT ROWID;

-- Which Patient's compartment a resource is in; `patient` is the key of that Patient.
CREATE TABLE compartment (
    patient BIGINT NOT NULL,
    rtype SMALLINT NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (patient, rtype, rid)
) WITHOUT ROWID;
