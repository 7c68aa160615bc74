-- Resources within resources. Their rows in the tables of the index stand under numbers of their own, which are negative and
-- follow from those of their containers: container = -rid / 262144, place = -rid % 262144, counted from 1.
CREATE TABLE contained (
    rid BIGINT PRIMARY KEY,           -- as in the tables of the index
    rtype SMALLINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL      -- within the container
);
CREATE INDEX contained_by_type ON contained (rtype, rid);

-- Those of resources that are here already have no rows yet: `reindex` makes them.
UPDATE index_rules SET is_stale = 1 WHERE EXISTS (SELECT 1 FROM resource);
