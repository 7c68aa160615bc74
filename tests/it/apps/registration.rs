//! Dynamic registration: RFC 7591 and RFC 7592.

use emberwell::config::{RateSettings, RegistrationPolicy, Settings};
use emberwell::store::{ClientKind, ClientOrigin, ClientState, SecretHash};
use http::Method;
use serde_json::{Value, json};

use super::{closed, send};
use crate::auth::backend::refused;
use crate::auth::key_server::KeyServer;
use crate::support::holders::change;
use crate::support::program::run;
use crate::support::{Answer, TestServer, on_both};

on_both!(
    nobody_registers_unless_the_operator_lets_them,
    an_app_registers_itself_and_looks_after_that,
    an_app_with_keys_and_a_public_one_have_no_secret,
    an_invitation_is_for_one_app,
    what_would_lead_people_astray_is_refused,
    a_logo_is_fetched_once_and_is_a_picture,
    what_people_decide_by_is_vouched_for_as_it_was,
    an_address_registers_only_so_many,
);

fn open(settings: &mut Settings) {
    settings.apps.registration = RegistrationPolicy::Open;
}

fn app() -> Value {
    json!({
        "client_name": "Growth",
        "redirect_uris": ["https://app.example/done", "org.example.app:/done", "http://127.0.0.1/done"],
        "scope": "launch/patient openid patient/Observation.rs unheard-of",
        "contacts": ["help@app.example"],
        "policy_uri": "https://app.example/privacy",
        "software_id": "4711",
    })
}

async fn register(server: &TestServer, said: &Value) -> Answer {
    send(server, Method::POST, "/auth/register", None, Some(said)).await
}

async fn document(server: &TestServer) -> Value {
    send(server, Method::GET, "/fhir/.well-known/smart-configuration", None, None).await.expect(200).json()
}

async fn nobody_registers_unless_the_operator_lets_them(server: &TestServer) {
    let shut = closed(server, |_| {}).await;
    let open = closed(server, open).await;

    assert_eq!(register(&shut, &app()).await.status, 404);
    assert_eq!(document(&shut).await.get("registration_endpoint"), None);
    assert_eq!(document(&open).await["registration_endpoint"], format!("{}/auth/register", open.url));
    let named = async |server: &TestServer| {
        let statement = server.get("metadata").await.expect(200).json();
        let uris = statement["rest"][0]["security"]["extension"][0]["extension"].as_array().unwrap().clone();
        uris.into_iter().find(|uri| uri["url"] == "register").map(|uri| uri["valueUri"].clone())
    };
    assert_eq!(named(&shut).await, None);
    assert_eq!(named(&open).await, Some(json!(format!("{}/auth/register", open.url))), "older clients look there");
    shut.stop().await;
    open.stop().await;
}

async fn an_app_registers_itself_and_looks_after_that(server: &TestServer) {
    let server = closed(server, open).await;
    let registered = register(&server, &app()).await.expect(201);
    assert_eq!(
        (registered.header("Cache-Control"), registered.header("Pragma")),
        ("no-store".into(), "no-cache".into())
    );
    let told = registered.json();
    let id = told["client_id"].as_str().unwrap().to_owned();
    let token = told["registration_access_token"].as_str().unwrap().to_owned();
    let address = told["registration_client_uri"].as_str().unwrap().to_owned();
    for (name, wanted) in [
        ("client_name", json!("Growth")),
        ("redirect_uris", app()["redirect_uris"].clone()),
        ("scope", json!("launch/patient openid patient/Observation.rs")),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("grant_types", json!(["authorization_code", "refresh_token"])),
        ("response_types", json!(["code"])),
        ("contacts", json!(["help@app.example"])),
        ("client_secret_expires_at", json!(0)),
    ] {
        assert_eq!(told[name], wanted, "{name}");
    }
    assert_eq!(told.get("software_id"), None, "what is not known is left out");
    let secret = told["client_secret"].as_str().unwrap();
    let name = id.clone();
    let kept = change(&server, move |tx| tx.client(&name)).unwrap();
    assert_eq!(
        (kept.kind, kept.origin, kept.state()),
        (ClientKind::Confidential, ClientOrigin::Registration, ClientState::Approved)
    );
    assert!(!kept.is_verified(), "people read that nobody has checked it");
    assert_eq!(kept.secret_hash, Some(SecretHash::of(secret.as_bytes())));

    let read = send(&server, Method::GET, &address, Some(&token), None).await.expect(200);
    assert_eq!(read.json()["client_id"], id);
    assert!(!read.text().contains(secret));
    assert_eq!(read.json()["registration_access_token"], token, "an app that keeps this answer keeps its token");
    let changed = json!({ "client_id": id, "client_name": "Growth 2", "redirect_uris": ["https://app.example/new"],
        "scope": "patient/Patient.r", "client_secret": secret });
    let told = send(&server, Method::PUT, &address, Some(&token), Some(&changed)).await.expect(200).json();
    assert_eq!((&told["client_name"], &told["scope"]), (&json!("Growth 2"), &json!("patient/Patient.r")));
    assert_eq!(
        (told.get("contacts"), told.get("client_secret")),
        (None, None),
        "what is left out is taken for nothing"
    );
    for (wrong, error) in [
        (
            json!({ "client_id": "other", "client_name": "x", "redirect_uris": ["https://app.example/"], "scope": "openid" }),
            "invalid_request",
        ),
        (
            json!({ "client_id": id, "client_secret": "x", "client_name": "x", "redirect_uris": ["https://app.example/"], "scope": "openid" }),
            "invalid_request",
        ),
        (
            json!({ "client_id": id, "client_name": "x", "redirect_uris": ["http://app.example/"], "scope": "openid" }),
            "invalid_redirect_uri",
        ),
    ] {
        refused(&send(&server, Method::PUT, &address, Some(&token), Some(&wrong)).await, 400, error);
    }
    for wrong in [None, Some("x"), Some(secret)] {
        for method in [Method::GET, Method::DELETE] {
            let answer = send(&server, method, &address, wrong, None).await;
            refused(&answer, 401, "invalid_token");
            assert!(answer.header("WWW-Authenticate").starts_with("Bearer"));
        }
    }

    send(&server, Method::DELETE, &address, Some(&token), None).await.expect(204);
    refused(&send(&server, Method::GET, &address, Some(&token), None).await, 401, "invalid_token");
    let kept = change(&server, move |tx| tx.client(&id)).unwrap();
    assert_eq!(kept.state(), ClientState::Suspended);
    server.stop().await;
}

async fn an_app_with_keys_and_a_public_one_have_no_secret(server: &TestServer) {
    let server = closed(server, open).await;
    let with = |method: &str, more: Value| {
        let mut said = app();
        said["token_endpoint_auth_method"] = json!(method);
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        said
    };
    let keyed = register(&server, &with("private_key_jwt", json!({ "jwks_uri": "https://app.example/keys" }))).await;
    let keyed = keyed.expect(201).json();
    let public = register(&server, &with("none", json!({}))).await.expect(201).json();
    let device = json!({ "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "redirect_uris": null });
    let device = register(&server, &with("none", device)).await.expect(201).json();

    assert_eq!((keyed.get("client_secret"), public.get("client_secret")), (None, None));
    assert_eq!(
        (&keyed["token_endpoint_auth_method"], &public["token_endpoint_auth_method"]),
        (&json!("private_key_jwt"), &json!("none"))
    );
    assert_eq!(device["grant_types"], json!(["refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]));
    for (said, error) in [
        (with("private_key_jwt", json!({})), "invalid_client_metadata"),
        (with("none", json!({ "grant_types": ["client_credentials"] })), "invalid_client_metadata"),
        (with("none", json!({ "scope": "system/*.rs" })), "invalid_client_metadata"),
        (with("none", json!({ "scope": "" })), "invalid_client_metadata"),
        (with("none", json!({ "client_name": "a\nb" })), "invalid_client_metadata"),
        (with("private_key_jwt", json!({ "jwks_uri": "https://127.0.0.1/keys" })), "invalid_client_metadata"),
        (json!([]), "invalid_client_metadata"),
    ] {
        refused(&register(&server, &said).await, 400, error);
    }
    server.stop().await;
}

async fn an_invitation_is_for_one_app(server: &TestServer) {
    let closed = closed(server, |settings| settings.apps.registration = RegistrationPolicy::Invite).await;
    let made = run(server, "client", &["invite", "--json"]);
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let token = made["initial_access_token"].as_str().unwrap();
    let by = |token: Option<&str>| {
        let (token, server) = (token.map(str::to_owned), &closed);
        async move { send(server, Method::POST, "/auth/register", token.as_deref(), Some(&app())).await }
    };

    refused(&by(None).await, 401, "invalid_token");
    refused(&by(Some("none")).await, 401, "invalid_token");
    let mut wrong = app();
    wrong["redirect_uris"] = json!(["http://app.example/"]);
    let answer = send(&closed, Method::POST, "/auth/register", Some(token), Some(&wrong)).await;
    refused(&answer, 400, "invalid_redirect_uri");
    by(Some(token)).await.expect(201);
    refused(&by(Some(token)).await, 401, "invalid_token");
    assert_eq!(change(server, |tx| tx.clients()).len(), 1, "who was refused is not registered");
    closed.stop().await;
}

async fn what_would_lead_people_astray_is_refused(server: &TestServer) {
    let server = closed(server, open).await;
    for uri in [
        "http://app.example/done",
        "https://app.example/done#x",
        "https://*.app.example/done",
        "https://user@app.example/done",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "myapp:/done",
        "//app.example/done",
        "",
    ] {
        let mut said = app();
        said["redirect_uris"] = json!([uri]);
        let told = refused(&register(&server, &said).await, 400, "invalid_redirect_uri");
        assert!(!told.contains('<'), "{told}");
    }
    for (member, uri) in
        [("policy_uri", "javascript:alert(1)"), ("tos_uri", "data:text/html,x"), ("initiate_login_uri", "javascript:x")]
    {
        let mut said = app();
        said[member] = json!(uri);
        refused(&register(&server, &said).await, 400, "invalid_client_metadata");
    }
    for name in ["\u{202e}evil", "e\u{200b}vil", "a\u{2028}b", "\u{2066}Growth\u{2069}"] {
        let mut said = app();
        said["client_name"] = json!(name);
        let told = refused(&register(&server, &said).await, 400, "invalid_client_metadata");
        assert!(told.contains("client_name"), "{told}");
    }
    assert_eq!(change(&server, |tx| tx.clients()).len(), 0);
    server.stop().await;
}

async fn a_logo_is_fetched_once_and_is_a_picture(server: &TestServer) {
    // WebP, whose first bytes are text.
    let picture = "RIFF\0\0\0\0WEBPVP8 picture";
    let pictures = KeyServer::start(picture.to_owned());
    let allow = vec![pictures.origin.clone()];
    let server = closed(server, |settings| {
        open(settings);
        settings.outbound.allow = allow;
    })
    .await;
    let with_logo = |address: &str| {
        let mut said = app();
        said["logo_uri"] = json!(address);
        said
    };
    let address = format!("{}/logo.webp", pictures.origin);

    let told = register(&server, &with_logo(&address)).await.expect(201).json();
    assert_eq!((&told["logo_uri"], pictures.asked()), (&json!(address), 1));
    let path = format!("/apps/{}/logo", told["client_id"].as_str().unwrap());
    let logo = send(&server, Method::GET, &path, None, None).await.expect(200);
    assert_eq!((logo.header("Content-Type").as_str(), &*logo.body), ("image/webp", picture.as_bytes()));
    assert_eq!(pictures.asked(), 0, "it is given out from here");

    for body in [
        "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_owned(),
        format!("{picture}{}", "a".repeat(256 << 10)),
    ] {
        pictures.answers(200, &[("Content-Type", "image/webp")], body);
        refused(&register(&server, &with_logo(&address)).await, 400, "invalid_client_metadata");
    }
    for inward in ["https://127.0.0.1/logo.png", "http://169.254.169.254/logo.png", "file:///etc/passwd"] {
        refused(&register(&server, &with_logo(inward)).await, 400, "invalid_client_metadata");
    }
    server.stop().await;
    pictures.stop().await;
}

async fn what_people_decide_by_is_vouched_for_as_it_was(server: &TestServer) {
    let picture = |name: &str| format!("RIFF\0\0\0\0WEBPVP8 {name}");
    let pictures = KeyServer::start(picture("one"));
    let allow = vec![pictures.origin.clone()];
    let closed = closed(server, |settings| {
        open(settings);
        settings.outbound.allow = allow;
    })
    .await;
    let mut said = app();
    said["token_endpoint_auth_method"] = json!("none");
    said["logo_uri"] = json!(format!("{}/logo.webp", pictures.origin));
    let told = register(&closed, &said).await.expect(201).json();
    let (id, token) = (told["client_id"].as_str().unwrap(), told["registration_access_token"].as_str().unwrap());
    said["client_id"] = json!(id);
    let verify = async || assert_eq!(run(server, "client", &["verify", id]).code, Some(0));
    let change_to = async |said: &Value| {
        let path = format!("/auth/register/{id}");
        send(&closed, Method::PUT, &path, Some(token), Some(said)).await.expect(200);
        let id = id.to_owned();
        let client = change(server, move |tx| tx.client(&id)).unwrap();
        assert_eq!(client.state(), ClientState::Approved, "it was let in by itself");
        client.is_verified()
    };

    verify().await;
    said["contacts"] = json!(["other@app.example"]);
    assert!(change_to(&said).await, "nobody decides by that");
    pictures.answers(200, &[], picture("two"));
    assert!(!change_to(&said).await, "another picture at the same address");
    for (member, value) in [
        ("policy_uri", json!("https://evil.example/policy")),
        ("tos_uri", json!("https://evil.example/terms")),
        ("grant_types", json!(["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"])),
    ] {
        verify().await;
        said[member] = value;
        assert!(!change_to(&said).await, "{member}");
    }
    closed.stop().await;
    pictures.stop().await;
}

async fn an_address_registers_only_so_many(server: &TestServer) {
    let server = closed(server, |settings| {
        open(settings);
        settings.rates = RateSettings { registrations: 2, ..RateSettings::OFF };
    })
    .await;

    register(&server, &app()).await.expect(201);
    register(&server, &app()).await.expect(201);
    let third = register(&server, &app()).await;
    refused(&third, 429, "temporarily_unavailable");
    assert!(!third.header("Retry-After").is_empty());
    server.stop().await;
}
