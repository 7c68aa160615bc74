DROP TABLE compartment;
CREATE TABLE compartment (
    patient BIGINT NOT NULL,
    rtype SMALLINT NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (patient, rtype, rid)
) WITHOUT ROWID;
