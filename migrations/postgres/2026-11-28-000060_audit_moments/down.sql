ALTER TABLE audit_patient RENAME TO audit_patient_behind;
ALTER INDEX audit_patient_pkey RENAME TO audit_patient_behind_pkey;
CREATE TABLE audit_patient (
    patient BIGINT NOT NULL,
    chain BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (patient, chain, seq)
);
INSERT INTO audit_patient SELECT patient, chain, seq FROM audit_patient_behind;
DROP TABLE audit_patient_behind;
DROP INDEX audit_block_at;
