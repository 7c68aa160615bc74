DROP TABLE access_state;
DROP TABLE used_jwt;
DROP TABLE access_token;
DROP TABLE client;
DROP TABLE access_grant;
DROP TABLE account;
