//! Tokens: how a client gets one, what it is worth, how it ends; and what the documents of discovery say of that.

pub mod backend;
mod by_command;
mod challenges;
mod cors;
mod discovery;
mod introspection;
pub mod key_server;
pub mod keys;
mod keys_by_url;
mod refused_assertions;
mod revocation;
mod signed;
mod tokens;
mod told;
mod worth;

use emberwell::config::Settings;

use crate::support::TestServer;

/// The FHIR base of the servers in these tests, the same after a restart.
pub const BASE: &str = "https://ehr.example/fhir";
pub const TOKEN_ENDPOINT: &str = "https://ehr.example/auth/token";
pub const ISSUER: &str = "https://ehr.example";

/// A server on the database of `server` that needs tokens, and may ask `origins` for keys.
pub async fn closed(server: &TestServer, origins: &[&str]) -> TestServer {
    let allow = origins.iter().map(|origin| (*origin).to_owned()).collect();
    server
        .beside(|settings: &mut Settings| {
            settings.server.open = false;
            settings.server.base_url = Some(BASE.to_owned());
            settings.outbound.allow = allow;
        })
        .await
}
