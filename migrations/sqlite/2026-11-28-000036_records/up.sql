-- How a resource is bound to a Patient: 1 in the compartment and part of the record, 2 in the compartment only, 3 part of the
-- record only. The bond is in the key, so that one row may go and the other come at once; a resource has one of them.
DROP TABLE compartment;
CREATE TABLE compartment (
    patient BIGINT NOT NULL,
    rtype SMALLINT NOT NULL,
    rid BIGINT NOT NULL,
    bond SMALLINT NOT NULL,
    PRIMARY KEY (patient, rtype, rid, bond)
) WITHOUT ROWID;

-- The rows of what is here already are to be made anew, all kinds together, since they are compared as a whole.
DELETE FROM index_token;
DELETE FROM index_string;
DELETE FROM index_date;
DELETE FROM index_quantity;
DELETE FROM index_reference;
DELETE FROM index_uri;
DELETE FROM index_composite;
DELETE FROM index_position;
DELETE FROM index_words;
DELETE FROM contained;
UPDATE resource SET index_rows = x'';
UPDATE index_rules SET is_stale = 1 WHERE EXISTS (SELECT 1 FROM resource);
