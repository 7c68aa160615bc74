-- What `load` has stored, written in the transaction that stored it, so that a load that broke off can go on.
CREATE TABLE load_mark (
    load BIGINT NOT NULL,             -- hash of the paths that were loaded together
    place BIGINT NOT NULL,            -- hash of the document's name
    content BIGINT NOT NULL,          -- hash of its bytes
    entry BIGINT NOT NULL,            -- index of the entry that was stored by itself, -1 for the document as a whole
    PRIMARY KEY (load, place, content, entry)
) WITHOUT ROWID;
