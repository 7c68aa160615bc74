-- Who signs in.
CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT NOT NULL UNIQUE,       -- trimmed, lower case
    name TEXT NOT NULL,
    role SMALLINT NOT NULL,           -- 1 person, 2 professional, 3 operator
    password TEXT,                    -- Argon2id in PHC form; NULL when nobody can sign in by one
    fhir_user TEXT,                   -- who this is as a resource, such as Practitioner/7
    created_us BIGINT NOT NULL,
    disabled_us BIGINT
);

-- Every access: who may do what on which record, until when and why. Rows are ended, never changed otherwise.
CREATE TABLE access_grant (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    patient TEXT,                     -- id of the Patient that is the record; NULL for all records
    to_account BIGINT,                -- one of these two is there
    to_client TEXT,
    level SMALLINT NOT NULL,          -- 1 view, 2 modify, 3 custodian, 4 scopes of the grantor's choice
    scopes TEXT NOT NULL,             -- what it gives, as SMART v2 scopes
    labels SMALLINT NOT NULL,         -- what is confidential: 0 nothing, 1 also R, 2 also V
    sees_history SMALLINT NOT NULL,   -- 1 when older versions are seen, too
    until_us BIGINT,                  -- first moment when it gives nothing more
    reason TEXT,
    origin TEXT NOT NULL,             -- how it came to be: command, custodian, import, ..
    granted_by BIGINT,                -- the account; NULL for the operator's commands
    created_us BIGINT NOT NULL,
    ended_us BIGINT
);
CREATE INDEX access_grant_by_account ON access_grant (to_account) WHERE to_account IS NOT NULL;
CREATE INDEX access_grant_by_client ON access_grant (to_client) WHERE to_client IS NOT NULL;
CREATE INDEX access_grant_by_patient ON access_grant (patient);

-- Apps and systems that are registered.
CREATE TABLE client (
    id TEXT NOT NULL PRIMARY KEY,     -- random
    name TEXT NOT NULL,
    kind SMALLINT NOT NULL,           -- 1 public, 2 confidential, 3 backend
    redirect_uris TEXT NOT NULL,      -- JSON array
    launch_uri TEXT,
    jwks TEXT,                        -- its public keys as JSON, or else
    jwks_uri TEXT,                    -- where they are
    scopes TEXT NOT NULL,             -- the most that it may ask for
    reasons TEXT NOT NULL,            -- JSON object: scope to why it is asked for
    secret_hash BLOB,                 -- SHA-256 of the secret of a confidential client without keys
    created_us BIGINT NOT NULL,
    suspended_us BIGINT
) WITHOUT ROWID;

-- Tokens that were issued. Rows go some time after they expire.
CREATE TABLE access_token (
    hash BLOB NOT NULL PRIMARY KEY,   -- SHA-256 of the token, which itself is not kept
    kind SMALLINT NOT NULL,           -- 1 access, 2 refresh
    client TEXT,
    account BIGINT,
    access_grant BIGINT,              -- the grant to the client under which it was issued
    patient TEXT,                     -- launch context
    encounter TEXT,
    scopes TEXT NOT NULL,
    issued_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    revoked_us BIGINT,
    family BLOB                       -- shared by all tokens that come from one authorization
) WITHOUT ROWID;
CREATE INDEX access_token_by_family ON access_token (family) WHERE family IS NOT NULL;
CREATE INDEX access_token_by_expiry ON access_token (expires_us);

-- Signed assertions that were accepted once.
CREATE TABLE used_jwt (
    hash BLOB NOT NULL PRIMARY KEY,   -- SHA-256 of issuer and jti
    expires_us BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX used_jwt_by_expiry ON used_jwt (expires_us);

-- Always one row.
CREATE TABLE access_state (
    generation BIGINT NOT NULL        -- one more with each change to what anybody may do
);
INSERT INTO access_state VALUES (1);
