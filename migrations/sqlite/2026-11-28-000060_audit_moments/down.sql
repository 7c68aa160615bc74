ALTER TABLE audit_patient RENAME TO audit_patient_behind;
CREATE TABLE audit_patient (
    patient BIGINT NOT NULL,
    chain BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (patient, chain, seq)
) WITHOUT ROWID;
INSERT INTO audit_patient SELECT patient, chain, seq FROM audit_patient_behind;
DROP TABLE audit_patient_behind;
DROP INDEX audit_block_at;
