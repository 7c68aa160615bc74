//! What clients read before they ask for a token.

use http::Method;
use serde_json::{Value, json};

use super::{BASE, ISSUER, TOKEN_ENDPOINT, closed};
use crate::support::{TestServer, on_both};

on_both!(
    the_documents_agree,
    the_documents_are_json_whatever_is_asked_for,
    an_open_server_names_no_endpoint,
    what_is_not_there_is_not_named,
);

fn documents(server: &TestServer) -> [String; 3] {
    [
        format!("{}/fhir/.well-known/smart-configuration", server.url),
        format!("{}/.well-known/oauth-authorization-server", server.url),
        format!("{}/.well-known/openid-configuration", server.url),
    ]
}

async fn the_documents_agree(open: &TestServer) {
    let server = closed(open, &[]).await;
    let [smart, oauth, openid] = documents(&server);
    let smart = server.get(&smart).await.expect(200).json();
    let oauth = server.get(&oauth).await.expect(200).json();
    let openid = server.get(&openid).await.expect(200).json();
    let statement = server.get("metadata").await.expect(200).json();

    assert_eq!(smart, oauth);
    assert_eq!(smart, openid);
    assert_eq!(smart["issuer"], ISSUER);
    assert_eq!(smart["token_endpoint"], TOKEN_ENDPOINT);
    let grants = smart["grant_types_supported"].as_array().unwrap();
    for grant in ["authorization_code", "refresh_token", "client_credentials"] {
        assert!(grants.contains(&json!(grant)), "{grant}");
    }
    assert_eq!(smart["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(smart["token_endpoint_auth_signing_alg_values_supported"], json!(["RS384", "ES384"]));
    let shown = ["private_key_jwt", "client_secret_basic", "client_secret_post"];
    let methods = |endpoint: &str| smart[format!("{endpoint}_endpoint_auth_methods_supported")].clone();
    assert_eq!(methods("introspection"), json!([shown[0], shown[1], shown[2], "Bearer"]));
    assert_eq!(methods("revocation"), json!([shown[0], shown[1], shown[2], "none"]));
    assert_eq!(methods("token"), methods("revocation"));
    let capabilities = smart["capabilities"].as_array().unwrap();
    for capability in ["launch-ehr", "launch-standalone", "authorize-post", "sso-openid-connect", "permission-v2"] {
        assert!(capabilities.contains(&json!(capability)), "{capability}");
    }
    assert_eq!(statement["implementation"]["url"], BASE);
    let findings = open.post("CapabilityStatement/$validate", &statement).await.expect(200).json();
    assert!(findings["issue"].as_array().unwrap().iter().all(|issue| issue["severity"] == "information"), "{findings}");
    let security = &statement["rest"][0]["security"];
    assert_eq!(security["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
    let uris = &security["extension"][0];
    assert_eq!(uris["url"], "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris");
    let uris: Vec<(&Value, &Value)> =
        uris["extension"].as_array().unwrap().iter().map(|uri| (&uri["url"], &uri["valueUri"])).collect();
    assert_eq!(
        uris,
        [
            (&json!("authorize"), &smart["authorization_endpoint"]),
            (&json!("token"), &smart["token_endpoint"]),
            (&json!("introspect"), &smart["introspection_endpoint"]),
            (&json!("revoke"), &smart["revocation_endpoint"]),
            (&json!("manage"), &smart["management_endpoint"]),
        ]
    );
    server.stop().await;
}

async fn the_documents_are_json_whatever_is_asked_for(server: &TestServer) {
    let server = closed(server, &[]).await;
    for url in documents(&server) {
        for accept in ["text/html", "application/fhir+xml", "application/json", "*/*"] {
            let answer = server.request(Method::GET, &url).header("Accept", accept).send().await.expect(200);
            assert_eq!(answer.header("Content-Type"), "application/json", "{accept}");
        }
        assert_eq!(server.request(Method::HEAD, &url).send().await.status, 200);
        assert_eq!(server.request(Method::POST, &url).send().await.status, 405);
    }
    server.stop().await;
}

async fn an_open_server_names_no_endpoint(server: &TestServer) {
    for url in documents(server) {
        server.get(&url).await.refused(404);
    }
    assert!(server.get("metadata").await.json()["rest"][0].get("security").is_none());
}

async fn what_is_not_there_is_not_named(server: &TestServer) {
    let server = closed(server, &[]).await;
    let [smart, ..] = documents(&server);
    let smart = server.get(&smart).await.expect(200).json();

    for (name, value) in smart.as_object().unwrap() {
        let is_endpoint = name.ends_with("_endpoint") || name.ends_with("_uri");
        if !is_endpoint {
            continue;
        }
        // Behind the base that clients see.
        let path = value.as_str().unwrap().strip_prefix(ISSUER).unwrap();
        let answer = server.request(Method::GET, &format!("{}{path}", server.url)).send().await;
        assert_ne!(answer.status, 404, "{name}");
    }
    for absent in ["registration_endpoint", "userinfo_endpoint", "end_session_endpoint"] {
        assert!(smart.get(absent).is_none(), "{absent}");
    }
    server.stop().await;
}
