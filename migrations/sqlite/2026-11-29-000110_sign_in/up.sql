-- Who is signed in with which browser. A row goes when the session ends.
CREATE TABLE session (
    hash BLOB NOT NULL PRIMARY KEY,   -- SHA-256 of the cookie, which itself is not kept
    account BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    seen_us BIGINT NOT NULL,          -- kept to the minute
    verified_us BIGINT NOT NULL,      -- when it was last shown who this is
    expires_us BIGINT NOT NULL,       -- first moment when it counts no more, however much it is used
    factors TEXT NOT NULL,            -- by what it was shown, as RFC 8176 names it: pwd, otp, hwk; spaces between
    agent TEXT NOT NULL               -- what the browser says of itself
) WITHOUT ROWID;
CREATE INDEX session_by_account ON session (account);
CREATE INDEX session_by_expiry ON session (expires_us);

-- Authorization codes. Rows stay for a day, so that a second use is known for what it is.
CREATE TABLE authorization_code (
    hash BLOB NOT NULL PRIMARY KEY,   -- SHA-256 of the code
    client TEXT NOT NULL,
    account BIGINT NOT NULL,
    access_grant BIGINT NOT NULL,     -- the grant to the client under which tokens are issued
    session BLOB NOT NULL,            -- in which it was allowed
    redirect_uri TEXT NOT NULL,
    challenge TEXT NOT NULL,          -- S256
    scopes TEXT NOT NULL,
    context TEXT NOT NULL,            -- of the launch, as JSON
    nonce TEXT,
    auth_time_us BIGINT NOT NULL,     -- when the person last showed who they are
    expires_us BIGINT NOT NULL,
    used_us BIGINT,
    family BLOB NOT NULL              -- of the tokens that come from it
) WITHOUT ROWID;
CREATE INDEX authorization_code_by_expiry ON authorization_code (expires_us);

-- Launches of an app from an EHR or from a page, until the app takes them up.
CREATE TABLE launch (
    hash BLOB NOT NULL PRIMARY KEY,   -- SHA-256 of the handle
    client TEXT NOT NULL,
    account BIGINT NOT NULL,          -- who launches
    context TEXT NOT NULL,            -- as JSON
    expires_us BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX launch_by_expiry ON launch (expires_us);

-- What somebody lets an app do.
CREATE INDEX access_grant_by_app ON access_grant (granted_by, to_client) WHERE to_client IS NOT NULL AND granted_by IS NOT NULL;

-- Keys by which id_tokens are signed: the newest signs, those before it stay known for a while.
CREATE TABLE signing_key (
    kid TEXT NOT NULL PRIMARY KEY,
    private_key BLOB NOT NULL,        -- PKCS #8, sealed
    created_us BIGINT NOT NULL
) WITHOUT ROWID;

ALTER TABLE access_token ADD COLUMN session BLOB;          -- with which it ends; NULL when it outlives sessions
ALTER TABLE access_token ADD COLUMN context TEXT;          -- of the launch, as JSON
ALTER TABLE access_token ADD COLUMN auth_time_us BIGINT;   -- when the person last showed who they are
CREATE INDEX access_token_by_session ON access_token (session) WHERE session IS NOT NULL;
