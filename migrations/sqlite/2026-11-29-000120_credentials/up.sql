-- Keys by which people sign in without a password.
CREATE TABLE passkey (
    credential BLOB NOT NULL PRIMARY KEY, -- its id, which the authenticator chose
    account BIGINT NOT NULL,
    content TEXT NOT NULL,            -- public key, counter and flags as JSON
    name TEXT NOT NULL,               -- what its owner calls it
    created_us BIGINT NOT NULL,
    used_us BIGINT                    -- when last
) WITHOUT ROWID;
CREATE INDEX passkey_by_account ON passkey (account);

-- The authenticator app of an account.
CREATE TABLE authenticator (
    account BIGINT NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL,             -- sealed
    last_step BIGINT NOT NULL,        -- of the last code that was taken; earlier ones are taken no more
    created_us BIGINT NOT NULL,
    confirmed_us BIGINT               -- since when codes are asked for; NULL before the first
) WITHOUT ROWID;

-- Codes that stand in for an authenticator app, once each.
CREATE TABLE recovery_code (
    hash BLOB NOT NULL PRIMARY KEY,   -- SHA-256 of the code
    account BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    used_us BIGINT
) WITHOUT ROWID;
CREATE INDEX recovery_code_by_account ON recovery_code (account);

-- What happened with an account, for its owner. Account 0 is none: attempts for addresses that have no account.
CREATE TABLE account_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account BIGINT NOT NULL,
    is_refusal SMALLINT NOT NULL,     -- 1 for an attempt that was refused
    at_us BIGINT NOT NULL,
    what SMALLINT NOT NULL,
    detail TEXT,                      -- such as the name of a passkey
    address TEXT,                     -- where the request came from
    agent TEXT                        -- the browser, as it calls itself
);
CREATE INDEX account_event_by_account ON account_event (account, is_refusal, id);

-- From where somebody has signed in: hashes of addresses and browsers. Rows go when they were not seen for long.
CREATE TABLE account_place (
    account BIGINT NOT NULL,
    mark BIGINT NOT NULL,
    seen_us BIGINT NOT NULL,
    PRIMARY KEY (account, mark)
) WITHOUT ROWID;
