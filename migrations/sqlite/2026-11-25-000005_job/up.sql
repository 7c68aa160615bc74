-- Work that goes on behind requests, and after a restart from where it got to.
CREATE TABLE job (
    id TEXT NOT NULL PRIMARY KEY,
    kind SMALLINT NOT NULL,           -- 0 reindex
    rtype SMALLINT NOT NULL,          -- the resource type that it is about, 0 for all
    state SMALLINT NOT NULL,          -- 0 running, 1 done, 2 cancelled, 3 failed
    generation BIGINT NOT NULL,       -- of index_rules when it began
    reached BIGINT NOT NULL,          -- resources up to this number are done
    until BIGINT NOT NULL,            -- the last number; later resources have their rows from the start
    total BIGINT NOT NULL,
    done BIGINT NOT NULL,
    started_us BIGINT NOT NULL,
    advanced_us BIGINT NOT NULL,
    finished_us BIGINT NOT NULL,      -- 0 while it runs
    error TEXT NOT NULL               -- why it failed
);
CREATE UNIQUE INDEX job_running ON job (kind) WHERE state = 0;
