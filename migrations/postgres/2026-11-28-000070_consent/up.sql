-- What Consents that are in force let nobody see or do, and what they except from that; docs/decisions/0043. 0 stands for any.
CREATE TABLE consent_rule (
    patient BIGINT NOT NULL,          -- whose record; the key of that Patient
    is_exception SMALLINT NOT NULL,   -- 0 denies, 1 is an exception to what denies in the same branch
    rid BIGINT NOT NULL,              -- the Consent
    branch SMALLINT NOT NULL,         -- a provision of it that denies
    actor BIGINT NOT NULL,            -- who asks: the key of a resource, or the hash of a client's name
    rtype SMALLINT NOT NULL,
    item BIGINT NOT NULL,             -- the key of one resource
    code BIGINT NOT NULL,             -- a security label, as in index_token
    system BIGINT NOT NULL,
    ceiling SMALLINT NOT NULL,        -- 1: nothing that is labelled R or V; 2: nothing that is labelled V
    rights SMALLINT NOT NULL,         -- 1 reading, 2 writing, 3 both
    from_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL,         -- first moment when it says nothing more
    PRIMARY KEY (patient, is_exception, rid, branch, actor, rtype, item, code, system, ceiling, rights, from_us, until_us)
);

-- Whose records a resource is part of.
CREATE INDEX compartment_by_rid ON compartment (rid, patient, rtype) WHERE bond <> 2;

-- Consents that are here already say nothing before `reindex` has read them: no server starts until then. 29 is the number of
-- the type.
UPDATE index_rules SET is_stale = 1 WHERE EXISTS (SELECT 1 FROM resource WHERE rtype = 29 AND method <> 2);
