-- Who did what to whose record. Blocks are added, never changed: each holds events, and the hash of the block before it.
CREATE TABLE audit_block (
    chain BIGINT NOT NULL,
    seq BIGINT NOT NULL,              -- from 1, without gaps
    at_us BIGINT NOT NULL,
    events BYTEA NOT NULL,
    hash BYTEA NOT NULL,              -- SHA-256 of the hash before, chain, seq, at_us and events
    PRIMARY KEY (chain, seq)
);

-- In which blocks there is something about a Patient; `patient` is the key of that Patient.
CREATE TABLE audit_patient (
    patient BIGINT NOT NULL,
    chain BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (patient, chain, seq)
);

-- The end of each chain. A transaction holds one that no other holds, so that writers need not wait for each other.
CREATE TABLE audit_chain (
    chain BIGINT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,              -- of its last block; 0 when it has none
    hash BYTEA NOT NULL               -- of its last block; 32 zeros when it has none
);
INSERT INTO audit_chain SELECT chain, 0, decode(repeat('00', 32), 'hex') FROM generate_series(1, 64) AS chain;
