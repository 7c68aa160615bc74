-- Devices that wait for somebody to let them in. Rows go some time after they expire.
CREATE TABLE device_code (
    hash BLOB NOT NULL PRIMARY KEY,   -- SHA-256 of the code that the device has
    user_code TEXT NOT NULL UNIQUE, -- what it shows, without the hyphen
    client TEXT NOT NULL,
    scopes TEXT NOT NULL,
    expires_us BIGINT NOT NULL,       -- first moment when it counts no more
    interval_s BIGINT NOT NULL,       -- it may ask again after so long
    polled_us BIGINT,                 -- when it asked last
    tries BIGINT NOT NULL DEFAULT 0,  -- how often somebody typed the code
    code BLOB,                        -- of the authorization code by which it was let in
    denied_us BIGINT                  -- since when it is not let in
) WITHOUT ROWID;
CREATE INDEX device_code_by_expiry ON device_code (expires_us);
