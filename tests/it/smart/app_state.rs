//! What apps keep on the server: who sees it, and what its versions may be.

use emberwell::store::{Client, ClientFacts};
use http::Method;
use serde_json::{Value, json};

use super::{Home, home, let_in, public, register, text};
use crate::support::{Answer, TestServer, on_both};

const SYSTEM: &str = "https://app.example";
const KEYS: &str = "patient/Basic.cuds?code=https://app.example|keys";

on_both!(closed:
    an_app_keeps_what_it_says_the_version_of,
    what_is_kept_stays_what_it_is,
    what_is_deleted_is_gone_for_good,
    what_is_kept_has_one_code_and_a_size,
    apps_see_what_their_scopes_name,
    a_code_of_another_origin_takes_a_look_at_the_registration,
    a_person_has_state_of_their_own,
    state_of_nobody_is_written_by_those_on_all_records,
    other_basics_are_as_they_were,
);

/// An app of one origin, which may ask for these scopes.
fn app(id: &str, origin: &str, scopes: &str) -> ClientFacts {
    let scopes = format!("openid fhirUser launch/patient {scopes}");
    ClientFacts {
        redirect_uris: vec![format!("{origin}/done")],
        scopes,
        ..ClientFacts { id: id.to_owned(), ..public() }
    }
}

/// The token of such an app for the record `a`.
async fn token(server: &TestServer, scopes: &str) -> String {
    let client = register(server, app("growth", SYSTEM, "patient/Basic.cruds user/Basic.cruds patient/*.cruds"));
    let scopes = format!("openid fhirUser launch/patient {scopes}");
    text(&let_in(server, &client, &scopes, Some("a")).await, "access_token").to_owned()
}

fn state(code: &str, value: &str) -> Value {
    json!({
        "resourceType": "Basic",
        "code": { "coding": [{ "system": SYSTEM, "code": code }] },
        "subject": { "reference": "Patient/a" },
        "extension": [{ "url": "https://app.example/settings", "valueString": value }],
    })
}

async fn post(server: &TestServer, token: &str, state: &Value) -> Answer {
    server.request_as(token, Method::POST, "Basic").json(state).send().await
}

async fn put(server: &TestServer, token: &str, state: &Value, version: Option<&str>) -> Answer {
    let request = server.request_as(token, Method::PUT, &format!("Basic/{}", text(state, "id")));
    let request = version.into_iter().fold(request, |request, version| request.header("If-Match", version));
    request.json(state).send().await
}

async fn kept(server: &TestServer, token: &str) -> Value {
    post(server, token, &state("keys", "first")).await.expect(201).json()
}

async fn found(server: &TestServer, token: &str, search: &str) -> usize {
    server.get_as(token, search).await.expect(200).matches().len()
}

async fn an_app_keeps_what_it_says_the_version_of(server: &TestServer) {
    home(server, &["a"]).await;
    let token = token(server, KEYS).await;
    let first = kept(server, &token).await;
    let mut next = first.clone();
    next["extension"][0]["valueString"] = "second".into();

    let issue = put(server, &token, &next, None).await.refused(428);
    assert!(issue["diagnostics"].as_str().unwrap().contains("If-Match"), "{issue}");
    put(server, &token, &next, Some("W/\"7\"")).await.refused(412);
    let answer = put(server, &token, &next, Some("W/\"1\"")).await.expect(200);
    assert_eq!(answer.header("ETag"), "W/\"2\"");
    put(server, &token, &next, Some("W/\"1\"")).await.refused(412);

    let by = format!("Basic?code={SYSTEM}|keys&subject={}/Patient/a", server.base);
    let all = server.get_as(&token, &by).await.expect(200).resources();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["extension"], next["extension"]);
    // An app that patches says it, too.
    let path = format!("Basic/{}", text(&first, "id"));
    let patch = json!([{ "op": "replace", "path": "/extension/0/valueString", "value": "third" }]).to_string();
    let bare = server.request_as(&token, Method::PATCH, &path).body("application/json-patch+json", patch.clone());
    assert!(matches!(bare.send().await.status, 403 | 404 | 428));
    // And so do the entries of a transaction.
    let entry = json!({ "resource": next, "request": { "method": "PUT", "url": path } });
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [entry] });
    server.request_as(&token, Method::POST, "").json(&bundle).send().await.refused(428);
}

async fn what_is_kept_stays_what_it_is(server: &TestServer) {
    home(server, &["a", "m"]).await;
    let other_code = "patient/Basic.cuds?code=https://app.example|other";
    let token = token(server, &format!("{KEYS} {other_code}")).await;
    let first = kept(server, &token).await;
    let changes = [
        ("code", json!({ "coding": [{ "system": SYSTEM, "code": "other" }] })),
        ("code", json!({ "coding": [{ "system": SYSTEM, "code": "keys" }], "text": "Keys" })),
        ("subject", json!({ "reference": "Patient/a", "display": "A" })),
    ];
    for (element, value) in changes {
        let mut changed = first.clone();
        changed[element] = value;
        let issue = put(server, &token, &changed, Some("W/\"1\"")).await.refused(412);
        assert!(issue["diagnostics"].as_str().unwrap().contains(&format!("Basic.{element}")), "{issue}");
    }
    let mut moved = first.clone();
    moved["subject"]["reference"] = "Patient/m".into();
    assert!(matches!(put(server, &token, &moved, Some("W/\"1\"")).await.status, 403 | 412));
    put(server, &token, &first, Some("W/\"1\"")).await.expect(200);
}

async fn what_is_deleted_is_gone_for_good(server: &TestServer) {
    home(server, &["a"]).await;
    let token = token(server, KEYS).await;
    let first = kept(server, &token).await;
    let path = format!("Basic/{}", text(&first, "id"));
    let delete = |version: Option<&'static str>| {
        let request = server.request_as(&token, Method::DELETE, &path);
        version.into_iter().fold(request, |request, version| request.header("If-Match", version)).send()
    };

    delete(None).await.refused(428);
    delete(Some("W/\"9\"")).await.refused(412);
    assert!(matches!(delete(Some("W/\"1\"")).await.status, 200 | 204));
    delete(Some("W/\"2\"")).await.refused(412);
    put(server, &token, &first, Some("W/\"1\"")).await.refused(412);
    put(server, &token, &first, Some("W/\"2\"")).await.refused(412);
    assert_eq!(found(server, &token, &format!("Basic?code={SYSTEM}|keys")).await, 0);
}

async fn what_is_kept_has_one_code_and_a_size(server: &TestServer) {
    home(server, &["a"]).await;
    let token = token(server, KEYS).await;

    let mut several = state("keys", "first");
    several["code"]["coding"].as_array_mut().unwrap().push(json!({ "system": SYSTEM, "code": "other" }));
    let issue = post(server, &token, &several).await.refused(422);
    assert_eq!(issue["expression"], json!(["Basic.code.coding"]));
    post(server, &token, &state("keys", &"a".repeat(255 << 10))).await.expect(201);
    post(server, &token, &state("keys", &"a".repeat(257 << 10))).await.refused(413);
}

async fn apps_see_what_their_scopes_name(server: &TestServer) {
    let home = home(server, &["a"]).await;
    let token = token(server, KEYS).await;
    let path = format!("Basic/{}", text(&kept(server, &token).await, "id"));

    let wide =
        app("wide", "https://wide.example", "patient/*.cruds user/*.cruds patient/Basic.cruds patient/Patient.rs");
    let wide = register(server, wide);
    for scopes in ["patient/*.cruds", "patient/Basic.cruds patient/Patient.rs", "user/*.cruds"] {
        let answer = let_in_at(server, &wide, scopes).await;
        server.get_as(&answer, &path).await.refused(404);
        server.get_as(&answer, &format!("{path}/_history/1")).await.refused(404);
        for search in ["Basic", "Basic?subject=Patient/a", "Basic?code=keys", "Patient?_has:Basic:subject:code=keys"] {
            assert_eq!(found(server, &answer, search).await, 0, "{scopes} {search}");
        }
        for search in ["Patient?_id=a&_revinclude=Basic:subject", "Patient/a/_history", "_history"] {
            let text = server.get_as(&answer, search).await.text();
            assert!(!text.contains("app.example/settings"), "{scopes} {search}: {text}");
        }
        server.request_as(&answer, Method::DELETE, &path).send().await;
        // Nor is one made that passes for another app's.
        let mut forged = state("keys", "forged");
        let label = json!({ "system": "https://emberwell.example/CodeSystem/security-label", "code": "app-state" });
        forged["meta"]["security"] = json!([label]);
        post(server, &answer, &forged).await.refused(403);
    }
    // Nor does a client on all records see it.
    server.get_as(&home.operator, &path).await.refused(404);
    assert_eq!(found(server, &token, "Basic").await, 1);
}

/// The token of an app that comes back to its own origin.
async fn let_in_at(server: &TestServer, client: &Client, scopes: &str) -> String {
    let redirect = client.redirect_uris[0].clone();
    let browser = super::signed_in(server).await;
    let scopes = format!("openid fhirUser launch/patient {scopes}");
    let changes = [("redirect_uri", redirect.as_str())];
    let code = super::code_at(&browser, server, client, &scopes, Some("a"), &changes).await;
    let answer = super::exchange(server, client, &code, &changes).await.expect(200).json();
    text(&answer, "access_token").to_owned()
}

async fn a_code_of_another_origin_takes_a_look_at_the_registration(server: &TestServer) {
    home(server, &["a"]).await;
    let token = token(server, KEYS).await;
    kept(server, &token).await;
    let keys = "patient/Basic.rs?code=https://app.example|keys";

    let companion = register(server, app("companion", "https://doctor.example", keys));
    let answer = let_in_at(server, &companion, keys).await;
    assert_eq!(found(server, &answer, "Basic").await, 1);

    let curious = register(server, app("curious", "https://curious.example", "patient/Basic.rs"));
    let answer = let_in_at(server, &curious, keys).await;
    assert_eq!(found(server, &answer, "Basic").await, 0);
    // Nor does an address of another app among its own make it that app.
    let mut several = app("several", "https://several.example", "patient/Basic.rs");
    several.redirect_uris.push(super::REDIRECT.to_owned());
    let several = register(server, several);
    let answer = let_in_at(server, &several, keys).await;
    assert_eq!(found(server, &answer, "Basic").await, 0);
}

async fn a_person_has_state_of_their_own(server: &TestServer) {
    home(server, &["a"]).await;
    let token = token(server, "user/Basic.cuds?code=https://app.example|display").await;
    let mut own = state("display", "dark");
    own["subject"]["reference"] = format!("{}/Practitioner/doc", server.base).into();
    let first = post(server, &token, &own).await.expect(201).json();
    let by = format!("Basic?code={SYSTEM}|display&subject={}/Practitioner/doc", server.base);
    assert_eq!(found(server, &token, &by).await, 1);
    put(server, &token, &first, Some("W/\"1\"")).await.expect(200);
    // What is about other people is not theirs.
    own["subject"]["reference"] = "Practitioner/other".into();
    assert!(post(server, &token, &own).await.status >= 400);
}

async fn state_of_nobody_is_written_by_those_on_all_records(server: &TestServer) {
    let Home { operator, .. } = home(server, &["a"]).await;
    let token = token(server, "user/Basic.cuds?code=https://app.example|hospital").await;
    let mut global = state("hospital", "on");
    global.as_object_mut().unwrap().remove("subject");
    post(server, &token, &global).await.refused(403);
    let all = format!("Basic?code={SYSTEM}|hospital&subject:missing=true");
    assert_eq!(found(server, &token, &all).await, 0);
    post(server, &operator, &global).await.expect(201);
    assert_eq!(found(server, &token, &all).await, 1);
}

async fn other_basics_are_as_they_were(server: &TestServer) {
    let Home { operator, .. } = home(server, &["a"]).await;
    let token = token(server, "patient/Basic.cruds patient/Basic.cuds?code=https://app.example|keys").await;
    let mut referral = state("referral", "x");
    referral["code"]["coding"][0]["system"] = "http://terminology.hl7.org/CodeSystem/basic-resource-type".into();
    let mut first = post(server, &token, &referral).await.expect(201).json();
    first["extension"][0]["valueString"] = "y".into();
    put(server, &token, &first, None).await.expect(200);
    server.get_as(&operator, &format!("Basic/{}", text(&first, "id"))).await.expect(200);
}
