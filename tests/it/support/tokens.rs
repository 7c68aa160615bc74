//! Tokens without a sign-in, for tests of what a token lets do.

use emberwell::clock::now_us;
use emberwell::fhir::Id;
use emberwell::records::Secret;
use emberwell::store::{AccessToken, SecretHash, Store, StoreError, TokenKind};

use crate::support::TestServer;

/// What a token is to say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Issue<'a> {
    pub client: Option<&'a str>,
    pub account: Option<i64>,
    /// The grant to the client under which it is issued.
    pub grant: Option<i64>,
    /// The id of the Patient of the launch context.
    pub patient: Option<&'a str>,
    pub scopes: &'a str,
}

/// Issues an access token that is live for 5 minutes, past all that checks who may have one.
pub fn issue(server: &TestServer, wanted: Issue<'_>) -> String {
    let secret = Secret::random().unwrap();
    let token = AccessToken {
        hash: secret.hash(),
        kind: TokenKind::Access,
        client: wanted.client.map(str::to_owned),
        account: wanted.account,
        grant: wanted.grant,
        patient: wanted.patient.map(|id| Id::parse(id).unwrap()),
        encounter: None,
        scopes: wanted.scopes.to_owned(),
        issued_us: now_us(),
        expires_us: now_us() + 300_000_000,
        revoked_us: None,
        family: None,
    };
    let store = Store::open(server.database(), 1, None).unwrap();
    store.write(move |tx| tx.add_token(&token)).map_err(|error: StoreError| error.to_string()).unwrap();
    secret.as_str().to_owned()
}

/// Whether a token would be accepted now.
pub fn is_live(server: &TestServer, token: &str) -> bool {
    let store = Store::open(server.database(), 1, None).unwrap();
    let hash = SecretHash::of(token.as_bytes());
    store
        .read(|reader| reader.token_context(&hash, now_us()))
        .map(|found| found.is_some())
        .unwrap_or_else(|error: StoreError| panic!("{error}"))
}
