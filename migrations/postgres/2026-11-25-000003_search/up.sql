-- What sorting, chains, composites and texts of tokens need.

-- The rows of the index are made when a resource is written. Those of older resources are not as searches need them: they go,
-- and the database is marked as one that `reindex` must make them for (index_rules.is_stale).
DELETE FROM index_token;
DELETE FROM index_string;
DELETE FROM index_date;
DELETE FROM index_quantity;
DELETE FROM index_reference;
DELETE FROM index_uri;
DELETE FROM compartment;
UPDATE resource SET index_rows = ''::bytea;

-- Whether a row holds the lowest and the highest value that its resource has for the parameter, by which it is sorted:
-- 0 both, 1 the lowest, 2 the highest, 3 neither.
ALTER TABLE index_token ADD COLUMN edge SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE index_string ADD COLUMN edge SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE index_date ADD COLUMN edge SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE index_quantity ADD COLUMN edge SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE index_uri ADD COLUMN edge SMALLINT NOT NULL DEFAULT 0;

-- Where the references of one resource lead: for chains, `_has` and includes.
CREATE INDEX index_reference_by_rid ON index_reference (rid, param, target);

-- What the hashes in index_token stand for, once per parameter: tokens are sorted by it, `:text` looks in it.
CREATE TABLE token_text (
    param SMALLINT NOT NULL,
    code BIGINT NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (param, code)
);
CREATE INDEX token_text_by_text ON token_text (param, text, code);

-- The components of a composite parameter within one repetition. The first is always a token or a reference; what the
-- others are decides which of the columns after it they use, 0 and '' stand elsewhere.
CREATE TABLE index_composite (
    param SMALLINT NOT NULL,
    code BIGINT NOT NULL,             -- of the token, or the target of the reference
    system BIGINT NOT NULL,
    text TEXT COLLATE "C" NOT NULL,               -- string: folded
    value DOUBLE PRECISION NOT NULL,            -- quantity, number
    upper DOUBLE PRECISION NOT NULL,            -- number of a third component
    low BIGINT NOT NULL,              -- date: first moment; token, quantity: code
    high BIGINT NOT NULL,             -- date: first moment after; token, quantity: system
    rid BIGINT NOT NULL,
    PRIMARY KEY (param, code, system, text, value, upper, low, high, rid)
);
