-- Who did what to whose record. Blocks are added, never changed: each holds events, and the hash of the block before it.
CREATE TABLE audit_block (
    chain BIGINT NOT NULL,
    seq BIGINT NOT NULL,              -- from 1, without gaps
    at_us BIGINT NOT NULL,
    events BLOB NOT NULL,
    hash BLOB NOT NULL,               -- SHA-256 of the hash before, chain, seq, at_us and events
    PRIMARY KEY (chain, seq)
);

-- In which blocks there is something about a Patient; `patient` is the key of that Patient.
CREATE TABLE audit_patient (
    patient BIGINT NOT NULL,
    chain BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (patient, chain, seq)
) WITHOUT ROWID;

-- The end of each chain. One writer needs one chain.
CREATE TABLE audit_chain (
    chain BIGINT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,              -- of its last block; 0 when it has none
    hash BLOB NOT NULL                -- of its last block; 32 zeros when it has none
);
INSERT INTO audit_chain VALUES (1, 0, zeroblob(32));
