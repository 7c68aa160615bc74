-- Whom an OpenID provider knows, and which account is theirs.
CREATE TABLE identity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    issuer TEXT NOT NULL,             -- the provider, to the byte as it says
    subject TEXT NOT NULL,            -- whom it means, within it
    account BIGINT NOT NULL,
    label TEXT,                       -- what its owner knows it by, such as an address there
    created_us BIGINT NOT NULL,
    used_us BIGINT,                   -- when somebody signed in by it last
    UNIQUE (issuer, subject)
);
CREATE INDEX identity_by_account ON identity (account);
