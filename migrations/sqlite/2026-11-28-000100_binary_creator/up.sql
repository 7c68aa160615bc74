-- Who created a Binary that is part of no record, until something has it as an attachment; docs/decisions/0047.
CREATE TABLE binary_creator (
    rid INTEGER PRIMARY KEY,
    creator BIGINT NOT NULL           -- keyed hash of the account with the client
);
