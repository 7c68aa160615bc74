-- What `load` has stored, written in the transaction that stored it, so that a load that broke off can go on.
CREATE TABLE load_mark (
    load BIGINT NOT NULL,             -- hash of the paths that were loaded together
    place BIGINT NOT NULL,            -- hash of the name of the file or the archive's member
    part BIGINT NOT NULL,             -- line << 32 | entry, counted from 1; 0 where there is none. In order as it is read
    content BIGINT NOT NULL,          -- hash of the bytes
    PRIMARY KEY (load, place, part, content)
);
