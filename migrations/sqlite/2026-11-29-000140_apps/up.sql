-- What else is said of an app, by whom it was registered, and how far it may be used.
ALTER TABLE client ADD COLUMN publisher TEXT;
ALTER TABLE client ADD COLUMN logo_uri TEXT;         -- where its logo was fetched
ALTER TABLE client ADD COLUMN policy_uri TEXT;
ALTER TABLE client ADD COLUMN tos_uri TEXT;
ALTER TABLE client ADD COLUMN contacts TEXT NOT NULL DEFAULT '[]'; -- JSON array
ALTER TABLE client ADD COLUMN optional_scopes TEXT NOT NULL DEFAULT ''; -- which of its scopes people may leave out
ALTER TABLE client ADD COLUMN goes_without_aud SMALLINT NOT NULL DEFAULT 0; -- 1 when its requests need not name the server
ALTER TABLE client ADD COLUMN is_device SMALLINT NOT NULL DEFAULT 0; -- 1 when people allow it by a code on another device
ALTER TABLE client ADD COLUMN origin SMALLINT NOT NULL DEFAULT 1; -- 1 command, 2 page, 3 registration by itself
ALTER TABLE client ADD COLUMN created_by BIGINT;     -- the account; NULL for the operator's commands, and by itself
ALTER TABLE client ADD COLUMN registration_hash BLOB; -- SHA-256 of the token by which it changes its registration
ALTER TABLE client ADD COLUMN previous_secret_hash BLOB; -- of the secret before, which is good
ALTER TABLE client ADD COLUMN previous_until_us BIGINT; -- until this moment
ALTER TABLE client ADD COLUMN approved_us BIGINT;    -- since when all may use it; NULL while it is in the sandbox
ALTER TABLE client ADD COLUMN verified_us BIGINT;    -- since when the operator vouches for its publisher
UPDATE client SET approved_us = created_us;

-- The logos of apps, as they are given out.
CREATE TABLE client_logo (
    client TEXT NOT NULL PRIMARY KEY,
    media TEXT NOT NULL,
    bytes BLOB NOT NULL
);

-- Who makes an app, and who may try it while it is in the sandbox.
CREATE TABLE client_member (
    client TEXT NOT NULL,
    account BIGINT NOT NULL,
    part SMALLINT NOT NULL,           -- 1 owner, 2 tester; 3 and 4 for who was asked to be that
    PRIMARY KEY (client, account)
) WITHOUT ROWID;
CREATE INDEX client_member_by_account ON client_member (account);

-- Tokens by which an app may register itself once.
CREATE TABLE client_invite (
    hash BLOB NOT NULL PRIMARY KEY,   -- SHA-256 of the token
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    client TEXT                    -- which app has registered by it
) WITHOUT ROWID;

-- When an app last got a token by a grant.
CREATE TABLE grant_use (
    access_grant BIGINT NOT NULL PRIMARY KEY,
    used_us BIGINT NOT NULL
);
