//! What clients say themselves, in the header `X-Provenance`, of where what they write comes from.

use http::Method;
use serde_json::{Value, json};

use crate::access::family::fill;
use crate::access::provenance::{count, id, own, post, send, told_of};
use crate::support::holders::{self, Granted};
use crate::support::{TestServer, bundle, on_both};

on_both!(closed:
    what_the_client_says_is_kept_with_the_true_agents,
    it_goes_with_every_write,
    it_needs_the_right_to_create_a_provenance,
    a_bad_header_is_refused_by_its_element,
);

on_both!(an_open_server_keeps_what_is_said);

fn claim() -> Value {
    json!({ "resourceType": "Provenance", "recorded": "2026-01-01T00:00:00Z", "meta": { "tag": [{ "code": "mine" }] },
        "reason": [{ "text": "taken over from paper" }], "agent": [{ "who": { "reference": "Practitioner/doc" } }] })
}

async fn what_the_client_says_is_kept_with_the_true_agents(server: &TestServer) {
    let operator = fill(server).await.token;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]);
    let before = count(server, &operator).await;

    let request = server.request_as(&app.token, Method::POST, "Observation");
    let created = request.header("X-Provenance", &claim().to_string()).json(&own("x")).send().await.expect(201);

    assert_eq!(count(server, &operator).await, before + 1);
    let target = format!("Observation/{}", id(&created));
    let told = told_of(server, &app.token, &target).await.remove(0);
    assert_eq!(told["target"], json!([{ "reference": format!("{target}/_history/1") }]));
    assert_eq!((&told["recorded"], &told["reason"]), (&claim()["recorded"], &claim()["reason"]));
    assert_eq!(told["meta"]["tag"][0], json!({ "code": "mine" }));
    assert_eq!(told["meta"]["tag"][1]["code"], "recorded");
    let agents = told["agent"].as_array().unwrap();
    assert_eq!(agents.len(), 3, "{told}");
    assert_eq!(agents[0], claim()["agent"][0]);
    assert_eq!(agents[1]["who"]["identifier"]["value"], app.account.unwrap().to_string());
    assert_eq!(agents[2]["who"]["identifier"]["value"], json!(app.client));
    assert_eq!(agents[2]["onBehalfOf"], agents[1]["who"]);
    server
        .request_as(&app.token, Method::DELETE, &format!("Provenance/{}", told["id"].as_str().unwrap()))
        .send()
        .await
        .refused(403);
}

async fn it_goes_with_every_write(server: &TestServer) {
    let operator = fill(server).await.token;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]).token;
    let said =
        |method: Method, path: &str| server.request_as(&app, method, path).header("X-Provenance", &claim().to_string());
    let changed = |kilograms: u32| {
        let mut changed = own("a-lab");
        changed["valueQuantity"]["value"] = json!(kilograms);
        changed
    };
    let put = |kilograms: u32| json!({ "request": { "method": "PUT", "url": "Observation/a-lab" }, "resource": changed(kilograms) });
    let operations =
        |kilograms: u32| format!(r#"[{{"op":"replace","path":"/valueQuantity/value","value":{kilograms}}}]"#);
    let before = told_of(server, &app, "Observation/a-lab").await.len();

    said(Method::PUT, "Observation/a-lab").json(&changed(71)).send().await.expect(200);
    said(Method::PUT, "Observation?_id=a-lab").json(&changed(72)).send().await.expect(200);
    let media = "application/json-patch+json";
    said(Method::PATCH, "Observation/a-lab").body(media, operations(73)).send().await.expect(200);
    said(Method::PATCH, "Observation?_id=a-lab").body(media, operations(74)).send().await.expect(200);
    let both = bundle("transaction", &[put(75), post(own("x"))]);
    said(Method::POST, "").json(&both).send().await.expect(200);
    said(Method::POST, "").json(&bundle("batch", &[put(76), post(own("x"))])).send().await.expect(200);
    // Nothing new, nothing said.
    said(Method::PUT, "Observation/a-lab").json(&changed(76)).send().await.expect(200);

    let told = told_of(server, &app, "Observation/a-lab").await.split_off(before);
    let targets: Vec<&str> = told.iter().map(|told| told["target"][0]["reference"].as_str().unwrap()).collect();
    let wanted: Vec<String> = (2..=7).map(|version| format!("Observation/a-lab/_history/{version}")).collect();
    assert_eq!(targets, wanted);
    assert!(told.iter().all(|told| told["reason"] == claim()["reason"]), "{told:?}");
    let all = server.get_as(&operator, "Provenance?_tag=mine&_summary=count").await.expect(200).json();
    assert_eq!(all["total"], 8);
}

async fn it_needs_the_right_to_create_a_provenance(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/Observation.cruds", Some("a"), &[Granted::on("a")]).token;
    let said = server.request_as(&app, Method::POST, "Observation").header("X-Provenance", &claim().to_string());

    said.json(&own("x")).send().await.refused(403);
    send(server, &app, Method::POST, "Observation", &own("x")).await.expect(201);
}

async fn a_bad_header_is_refused_by_its_element(server: &TestServer) {
    let operator = fill(server).await.token;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]).token;
    let (before, observations) = (count(server, &operator).await, "Observation?_summary=count");
    let standing = server.get_as(&operator, observations).await.expect(200).json()["total"].clone();
    let with = |name: &str, value: Value| {
        let mut claim = claim();
        claim[name] = value;
        claim.to_string()
    };
    let mut undated = claim();
    undated.as_object_mut().unwrap().remove("recorded");
    let forged = |name: &str| {
        let mut agent = json!({ "who": { "display": "x" } });
        agent[name] = json!({ "identifier": { "system": "urn:emberwell:client", "value": "other" } });
        with("agent", json!([{ "who": { "display": "x" } }, agent]))
    };
    let tag = json!({ "tag": [{ "system": "https://emberwell.example/CodeSystem/provenance", "code": "recorded" }] });

    for (header, element) in [
        ("{".to_owned(), "Provenance"),
        ("[]".to_owned(), ""),
        (own("x").to_string(), "resourceType"),
        (undated.to_string(), "Provenance.recorded"),
        (with("recorded", json!("yesterday")), "Provenance.recorded"),
        (with("agent", json!([])), "Provenance.agent"),
        (with("agent", json!("x")), "Provenance.agent"),
        (with("nonsense", json!(1)), "Provenance.nonsense"),
        (with("target", json!([{ "reference": "Observation/b-lab" }])), "Provenance.target"),
        (with("meta", tag), "Provenance.meta.tag[0].system"),
        (forged("who"), "Provenance.agent[1].who.identifier.system"),
        (forged("onBehalfOf"), "Provenance.agent[1].onBehalfOf.identifier.system"),
    ] {
        let request = server.request_as(&app, Method::POST, "Observation").header("X-Provenance", &header);
        let answer = request.json(&own("x")).send().await;
        let issue = answer.refused(400);
        let named = issue["expression"][0].as_str().unwrap_or_default();
        assert!(named.starts_with(element), "{header}: {issue}");
    }
    let on =
        |method: Method, path: &str| server.request_as(&app, method, path).header("X-Provenance", &claim().to_string());
    on(Method::DELETE, "Observation/a-lab").send().await.refused(400);
    on(Method::DELETE, "Observation?_id=a-lab").send().await.refused(400);
    let mut proof = claim();
    proof["target"] = json!([{ "reference": "Observation/a-lab" }]);
    on(Method::POST, "Provenance").json(&proof).send().await.refused(400);
    let mut long = claim();
    long["reason"][0]["text"] = json!("long ".repeat(8_000));
    let many: Vec<Value> = (0..1_000).map(|_| post(own("x"))).collect();
    let request = server.request_as(&app, Method::POST, "").header("X-Provenance", &long.to_string());
    request.json(&bundle("transaction", &many)).send().await.refused(400);

    assert_eq!(count(server, &operator).await, before);
    assert_eq!(server.get_as(&operator, observations).await.expect(200).json()["total"], standing);
}

async fn an_open_server_keeps_what_is_said(server: &TestServer) {
    let request = server.request(Method::POST, "Patient").header("X-Provenance", &claim().to_string());
    let created = request.json(&json!({ "resourceType": "Patient" })).send().await.expect(201);

    let found = server.get(&format!("Provenance?target=Patient/{}", id(&created))).await.expect(200).resources();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["agent"], &found[0]["meta"]["tag"]), (&claim()["agent"], &claim()["meta"]["tag"]));
}
