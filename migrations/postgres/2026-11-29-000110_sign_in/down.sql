DROP INDEX access_token_by_session;
ALTER TABLE access_token DROP COLUMN session;
ALTER TABLE access_token DROP COLUMN context;
ALTER TABLE access_token DROP COLUMN auth_time_us;
DROP INDEX access_grant_by_app;
DROP TABLE signing_key;
DROP TABLE launch;
DROP TABLE authorization_code;
DROP TABLE session;
