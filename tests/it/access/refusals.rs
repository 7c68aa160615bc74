//! What refusals say: the true reason, and what would be right.

use http::Method;
use serde_json::{Value, json};

use crate::access::family::{fill, weight};
use crate::support::holders::{self, Granted};
use crate::support::{TestServer, bundle, on_both};

on_both!(closed:
    a_refusal_says_what_is_lacking,
    a_scope_that_can_not_be_applied_is_refused_on_all_ways,
    validate_says_what_it_did_not_look_at,
    a_reference_with_a_space_is_told_so,
);

async fn said(server: &TestServer, token: &str, method: Method, path: &str, body: Option<&Value>) -> String {
    let request = server.request_as(token, method, path);
    let answer = match body {
        Some(body) => request.json(body).send().await,
        None => request.send().await,
    };
    answer.refused(403)["diagnostics"].as_str().unwrap().to_owned()
}

async fn a_refusal_says_what_is_lacking(server: &TestServer) {
    fill(server).await;
    let on_a = [Granted::on("a")];
    let app = |scopes, patient, granted: &[Granted]| holders::app(server, scopes, Some(patient), granted);
    let whole = app("patient/*.cruds", "a", &on_a).token;
    let get = async |token: &str, path: &str| said(server, token, Method::GET, path, None).await;

    let narrow = app("patient/Observation.rs", "a", &on_a).token;
    let text = get(&narrow, "Condition").await;
    assert_eq!(text, "the token has no scope for searching (s) Condition: ask for one that names it");
    // The scope is there, and what it opens is not, or no longer.
    let elsewhere = app("patient/Observation.rs", "b", &on_a).token;
    let ended = app("patient/Observation.rs", "a", &on_a);
    let grant = ended.grants[0];
    holders::change(server, move |tx| tx.end_grant(grant));
    for token in [&elsewhere, &ended.token] {
        for path in ["Observation", "Observation/a-lab", "Observation/_history"] {
            let text = get(token, path).await;
            assert!(text.contains("no access that is in force opens any"), "{path}: {text}");
        }
        let text = get(token, "Condition").await;
        assert!(text.starts_with("the token has no scope"), "{text}");
    }
    let doctor = json!({ "resourceType": "Practitioner", "name": [{ "family": "Own" }] });
    let text = said(server, &whole, Method::POST, "Practitioner", Some(&doctor)).await;
    assert!(text.starts_with("Practitioner is part of no record"), "{text}");
    let proofs = app("patient/Provenance.rs", "a", &on_a).token;
    let text = get(&proofs, "Provenance").await;
    assert!(text.contains("a scope for reading (r) what it is about"), "{text}");
    for path in ["Encounter?part-of:above=Encounter/1", "Observation?part-of:below=Procedure/1"] {
        let text = get(&whole, path).await;
        assert!(text.starts_with("':above' and ':below' of 'part-of' pass through"), "{path}: {text}");
    }
    let both = holders::app(server, "user/*.cruds", None, &[Granted::on("a"), Granted::on("m")]).token;
    let to_m = weight("a-lab", "m", "Practitioner/doc", "laboratory");
    let text = said(server, &both, Method::PUT, "Observation/a-lab", Some(&to_m)).await;
    assert!(text.starts_with("an Observation may not be handed"), "{text}");
}

async fn a_scope_that_can_not_be_applied_is_refused_on_all_ways(server: &TestServer) {
    fill(server).await;
    for query in [
        "code:in=http://x.example/unknown",
        "code:not-in=http://x.example/unknown",
        "code:in=http://hl7.org/fhir/ValueSet/observation-status",
        "code:below=http://loinc.org|29463-7",
        "code:above=http://loinc.org|29463-7",
        "part-of:below=Procedure/1",
    ] {
        let scopes: &'static str = format!("patient/Observation.cruds?{query}").leak();
        let app = holders::app(server, scopes, Some("a"), &[Granted::on("a")]).token;
        for path in
            ["Observation", "Observation/a-lab", "Observation/a-lab/_history", "Observation/_history", "_history"]
        {
            let text = said(server, &app, Method::GET, path, None).await;
            assert!(text.starts_with("the search in the scope for Observation is not one"), "{query}: {path}: {text}");
        }
        let own = weight("x", "a", "Practitioner/doc", "laboratory");
        said(server, &app, Method::POST, "Observation", Some(&own)).await;
        said(server, &app, Method::DELETE, "Observation/a-lab", None).await;
        let entry = json!({ "request": { "method": "GET", "url": "Observation/a-lab" } });
        said(server, &app, Method::POST, "", Some(&bundle("batch", &[entry]))).await;
    }
}

async fn validate_says_what_it_did_not_look_at(server: &TestServer) {
    let operator = fill(server).await.token;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]).token;
    let foreign = weight("x", "b", "Practitioner/doc", "laboratory");

    for (token, wanted) in [
        (&app, "no issues: whether the token may write this resource is looked at by the write alone"),
        (&operator, "no issues: this would be accepted"),
    ] {
        let request = server.request_as(token, Method::POST, "Observation/$validate").json(&foreign);
        let outcome = request.send().await.expect(200).json();
        assert_eq!(outcome["issue"][0]["diagnostics"], wanted);
    }
    server.request_as(&app, Method::POST, "Observation").json(&foreign).send().await.refused(403);
    server.request_as(&operator, Method::POST, "Observation").json(&foreign).send().await.expect(201);
}

async fn a_reference_with_a_space_is_told_so(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/Observation.cru", Some("a"), &[Granted::on("a")]).token;
    let mut resource = weight("x", "a", "Practitioner/doc", "laboratory");
    resource["focus"] = json!([{ "reference": "Patient?name=Ash a" }]);
    let entry = json!({ "request": { "method": "POST", "url": "Observation" }, "resource": resource });

    let request = server.request_as(&app, Method::POST, "").json(&bundle("transaction", &[entry]));
    let issue = request.send().await.refused(400);
    assert!(issue["diagnostics"].as_str().unwrap().contains("%20"), "{issue}");
}
