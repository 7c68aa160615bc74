-- What tails of one resource type have in common, by which they are packed. A `codec` above 1 in `resource` and `version`
-- is a number in this table. Rows are never changed or deleted while such a tail exists.
CREATE TABLE dictionary (
    number SMALLINT NOT NULL PRIMARY KEY,   -- from 2 on
    rtype SMALLINT NOT NULL,
    trained_on BIGINT NOT NULL,             -- how many resources of the type there were
    bytes BYTEA NOT NULL
);
