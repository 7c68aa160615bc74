-- By which rules the rows of the index are made; always one row.
CREATE TABLE index_rules (
    generation BIGINT NOT NULL,       -- one more with each change to the parameters that are in force
    is_stale SMALLINT NOT NULL        -- 1 when older resources have no rows, or rows by other rules: `reindex` makes them
);
INSERT INTO index_rules SELECT 1, CASE WHEN EXISTS (SELECT 1 FROM resource) THEN 1 ELSE 0 END;

-- The search parameters that clients defined, by SearchParameter resources.
CREATE TABLE own_parameter (
    number SMALLINT NOT NULL PRIMARY KEY,   -- stands for it in index rows, from 4096 to 8191; a change takes a new one
    rid BIGINT NOT NULL,                    -- the SearchParameter
    url TEXT NOT NULL,
    definition TEXT NOT NULL,               -- what of the SearchParameter matters here, as JSON
    state SMALLINT NOT NULL,                -- 0 older resources lack its rows, 1 in use, 2 no longer in force
    generation BIGINT NOT NULL              -- of index_rules, from which on rows are made for it
);
CREATE UNIQUE INDEX own_parameter_by_resource ON own_parameter (rid) WHERE state <> 2;
CREATE UNIQUE INDEX own_parameter_by_url ON own_parameter (url) WHERE state <> 2;
