-- The newest blocks of all, and of a Patient, are read first.
CREATE INDEX audit_block_at ON audit_block (at_us, chain, seq);

ALTER TABLE audit_patient RENAME TO audit_patient_before;
ALTER INDEX audit_patient_pkey RENAME TO audit_patient_before_pkey;
CREATE TABLE audit_patient (
    patient BIGINT NOT NULL,
    at_us BIGINT NOT NULL,            -- of the block
    chain BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (patient, at_us, chain, seq)
);
INSERT INTO audit_patient SELECT p.patient, b.at_us, p.chain, p.seq
    FROM audit_patient_before p JOIN audit_block b ON b.chain = p.chain AND b.seq = p.seq;
DROP TABLE audit_patient_before;
