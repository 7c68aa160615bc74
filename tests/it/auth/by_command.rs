//! The whole way: a command registers a system, which gets a token from the program itself.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use http::Method;
use serde_json::{Value, json};

use super::backend::ask_at;
use super::key_server::KeyServer;
use super::keys::{Key, jwks};
use super::signed::Unsigned;
use crate::support::program::{program, run};
use crate::support::{TestServer, on_both};

/// Ends with the test, even if that panics.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

on_both!(a_system_that_is_registered_by_a_command_gets_a_token);

async fn a_system_that_is_registered_by_a_command_gets_a_token(server: &TestServer) {
    let key = Key::p384();
    let keys = KeyServer::start(jwks(&[key.jwk("k1")]));
    let registered = |jwks: &[&str]| {
        let flags = ["add", "--name", "Laboratory", "--kind", "backend", "--scope", "system/*.rs", "--json"];
        let ended = run(server, "client", &[flags.as_slice(), jwks].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.told);
        let told: Value = serde_json::from_str(&ended.stdout).unwrap();
        told["client_id"].as_str().unwrap().to_owned()
    };
    let file = std::env::temp_dir().join(format!("emberwell_keys_{}.json", uuid::Uuid::new_v4()));
    std::fs::write(&file, jwks(&[key.jwk("k1")])).unwrap();
    let by_file = registered(&["--jwks", file.to_str().unwrap()]);
    let by_address = registered(&["--jwks-uri", &keys.jwks_uri(), "--outbound-allow", &keys.origin]);
    std::fs::remove_file(&file).unwrap();

    let mut started = program(server, "serve");
    started.args(["--listen", "127.0.0.1:0", "--outbound-allow", &keys.origin]);
    let mut child = Stopped(started.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();

    let discovery = format!("{url}/fhir/.well-known/smart-configuration");
    let endpoint = server.request(Method::GET, &discovery).send().await.expect(200).json()["token_endpoint"].clone();
    assert_eq!(endpoint, json!(format!("{url}/auth/token")));
    for id in [&by_file, &by_address] {
        let assertion = Unsigned::of(id, &key).claim("aud", endpoint.clone()).signed(&key);

        let answer = ask_at(server, endpoint.as_str().unwrap(), &assertion, "system/*.rs").await.expect(200);

        assert_eq!(answer.json()["scope"], "system/*.rs");
    }
    drop(child);
    keys.stop().await;
}
