DROP TABLE account_place;
DROP TABLE account_event;
DROP TABLE recovery_code;
DROP TABLE authenticator;
DROP TABLE passkey;
