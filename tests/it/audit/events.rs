//! One event for each Patient touched, whatever is done.

use http::Method;
use serde_json::{Value, json};

use crate::access::family::{fill, weight};
use crate::audit::{all, get, request, told};
use crate::support::holders::{self, Granted};
use crate::support::program::run;
use crate::support::{TestServer, bundle, on_both};

on_both!(closed:
    reads_tell_each_patient_that_they_touch,
    searches_tell_their_query_and_each_patient,
    writes_tell_in_their_own_transaction,
    entries_of_a_bundle_are_told_each,
    refusals_are_told,
    an_event_says_who_acted_and_on_whose_behalf,
    the_trail_is_printed_as_audit_events,
);

on_both!(an_open_server_tells_nothing_unless_it_is_to);

async fn check(server: &TestServer, token: &str, cases: &[(&str, &[&str])]) {
    for (number, (path, wanted)) in cases.iter().enumerate() {
        let id = format!("check-{number}");
        get(server, token, &id, path).await.expect(200);
        assert_eq!(told(server, &id, wanted.len()).await, *wanted, "{path}");
    }
}

async fn reads_tell_each_patient_that_they_touch(server: &TestServer) {
    let operator = fill(server).await.token;

    check(
        server,
        &operator,
        &[
            ("Observation/b-weight", &["read b"]),
            ("Patient/a", &["read a"]),
            ("Practitioner/doc", &["read -"]),
            ("Observation/b-weight/_history/1", &["vread b"]),
            ("Observation/b-weight/_history", &["history b"]),
            ("Binary/a-text", &["read a"]),
            ("Provenance/mixed-proof", &["read a", "read b"]),
            ("Condition/_history", &["history a", "history b"]),
        ],
    )
    .await;
}

async fn searches_tell_their_query_and_each_patient(server: &TestServer) {
    let operator = fill(server).await.token;

    check(
        server,
        &operator,
        &[
            ("Condition?code=73211009", &["search a", "search b"]),
            ("Condition?code=nothing", &["search -"]),
            ("Condition?_summary=count", &["search -"]),
            ("Observation?_id=b-weight&_include=Observation:performer", &["search a", "search b"]),
            ("Patient/m/Observation", &["search m"]),
        ],
    )
    .await;

    let form = request(server, &operator, "form", Method::POST, "Condition/_search");
    form.body("application/x-www-form-urlencoded", "patient=Patient/a").send().await.expect(200);
    assert_eq!(told(server, "form", 1).await, ["search a"]);
    let queries: Vec<Option<String>> = all(server)
        .into_iter()
        .filter(|(event, _)| ["form", "check-3"].contains(&&*event.request))
        .map(|(event, _)| event.query)
        .collect();
    let include = Some("Observation?_id=b-weight&_include=Observation:performer".to_owned());
    assert_eq!(queries.len(), 3);
    assert_eq!(queries.iter().filter(|query| **query == include).count(), 2);
    assert!(queries.contains(&Some("Condition?patient=Patient/a".to_owned())), "{queries:?}");
}

async fn writes_tell_in_their_own_transaction(server: &TestServer) {
    let operator = fill(server).await.token;
    let put = |id, body: &Value| {
        let path = format!("Observation/{}", body["id"].as_str().unwrap());
        request(server, &operator, id, Method::PUT, &path).json(body)
    };

    put("new", &weight("new", "a", "Patient/b", "x")).send().await.expect(201);
    put("moved", &weight("new", "m", "Patient/b", "x")).send().await.expect(200);
    request(server, &operator, "gone", Method::DELETE, "Observation/new").send().await.expect(204);
    request(server, &operator, "post", Method::POST, "Patient")
        .json(&json!({ "resourceType": "Patient" }))
        .send()
        .await
        .expect(201);
    put("same", &weight("b-weight", "b", "Patient/a", "vital-signs")).send().await.expect(200);

    // No wait: they are there with the answer.
    assert_eq!(told(server, "new", 0).await, ["create a"]);
    assert_eq!(told(server, "moved", 0).await, ["update a", "update m"]);
    assert_eq!(told(server, "gone", 0).await, ["delete m"]);
    assert_eq!(told(server, "post", 0).await.len(), 1);
    assert_eq!(told(server, "same", 1).await, ["read b"]);
    let of_gone = all(server).into_iter().find(|(event, _)| &*event.request == "gone").unwrap().0;
    assert_eq!(of_gone.entities, ["Observation/new/_history/3"]);

    // What is asked for after the resource is gone is told of the one from whose record it went. The grant shows no old versions.
    get(server, &operator, "old", "Observation/new/_history/1").await;
    assert_eq!(told(server, "old", 1).await, ["vread m 404"]);
}

async fn entries_of_a_bundle_are_told_each(server: &TestServer) {
    let operator = fill(server).await.token;
    let entries = |kind: &str| {
        let entry = |method: &str, url: &str| json!({ "request": { "method": method, "url": url } });
        let id = format!("{kind}-new");
        let mut put = entry("PUT", &format!("Observation/{id}"));
        put["resource"] = weight(&id, "b", "Patient/a", "x");
        bundle(
            kind,
            &[
                put,
                entry("DELETE", "Observation/m-lab"),
                entry("GET", "Observation/a-weight"),
                entry("GET", "Condition?patient=a"),
            ],
        )
    };

    let batch = request(server, &operator, "batch", Method::POST, "").json(&entries("batch")).send().await.expect(200);
    assert_eq!(batch.entries().len(), 4);
    let transaction = request(server, &operator, "transaction", Method::POST, "").json(&entries("transaction"));
    transaction.send().await.expect(200);

    assert_eq!(told(server, "batch", 4).await, ["create b", "delete m", "read a", "search a"]);
    assert_eq!(told(server, "transaction", 3).await, ["create b", "read a", "search a"]);
    let search = all(server).into_iter().find(|(event, _)| &*event.request == "batch" && event.deed == "search");
    assert_eq!(search.unwrap().0.query.as_deref(), Some("Condition?patient=a"));
}

async fn refusals_are_told(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/Observation.rs", Some("a"), &[Granted::on("a")]).token;

    get(server, &app, "hidden", "Observation/b-weight").await.expect(404);
    get(server, &app, "nothing", "Observation/none").await.expect(404);
    get(server, &app, "forbidden", "Condition/b-diabetes").await.expect(403);
    get(server, &app, "type", "Condition?patient=b").await.expect(403);
    request(server, &app, "write", Method::DELETE, "Observation/a-lab").send().await.expect(403);
    get(server, "no-such-token", "unknown", "Observation/a-lab").await.expect(401);
    server.request(Method::GET, "Patient/a").header("X-Request-Id", "nobody").send().await.expect(401);
    let entry = |url: &str| json!({ "request": { "method": "GET", "url": url } });
    let batch = bundle("batch", &[entry("Observation/b-weight"), entry("Observation/a-weight")]);
    request(server, &app, "batch", Method::POST, "").json(&batch).send().await.expect(200);
    let transaction = bundle("transaction", &[entry("Observation/b-weight")]);
    request(server, &app, "all", Method::POST, "").json(&transaction).send().await.expect(404);

    for (id, wanted) in [
        ("hidden", &["read b 404"][..]),
        ("nothing", &["read - 404"]),
        ("forbidden", &["read b 403"]),
        ("type", &["search - 403"]),
        ("write", &["delete a 403"]),
        ("unknown", &["read a 401"]),
        ("nobody", &["read a 401"]),
        ("batch", &["batch b 404", "read a"]),
        ("all", &["batch b 404"]),
    ] {
        assert_eq!(told(server, id, wanted.len()).await, wanted, "{id}");
    }
    let of = |id: &str| all(server).into_iter().find(|(event, _)| &*event.request == id).unwrap().0;
    assert_eq!((of("nobody").network.as_deref(), of("nobody").agent.token.clone()), (Some("127.0.0.1"), None));
    assert_eq!(of("unknown").agent.token.clone().map(|token| token.len()), Some(32));
    assert_eq!(of("hidden").network, None);
}

async fn an_event_says_who_acted_and_on_whose_behalf(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]);

    get(server, &app.token, "read", "Patient/a").await.expect(200);
    request(server, &app.token, "write", Method::PUT, "Observation/a-lab")
        .json(&weight("a-lab", "a", "Practitioner/doc", "x"))
        .send()
        .await
        .expect(200);

    told(server, "read", 1).await;
    for id in ["read", "write"] {
        let (event, patient) = all(server).into_iter().find(|(event, _)| &*event.request == id).unwrap();
        assert_eq!((event.agent.client.clone(), event.agent.account), (app.client.clone(), app.account), "{id}");
        assert_eq!(patient.as_deref(), Some("a"), "{id}");
        let token = event.agent.token.clone().unwrap();
        assert!(token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
        assert!(event.at_us > 0);
    }
}

async fn the_trail_is_printed_as_audit_events(server: &TestServer) {
    let operator = fill(server).await.token;
    get(server, &operator, "read", "Observation/b-weight").await.expect(200);
    get(server, &operator, "search", "Condition?patient=b").await.expect(200);
    get(server, &operator, "hidden", "Observation/none").await.expect(404);
    server.request(Method::GET, "Patient/b").header("X-Request-Id", "nobody").send().await.expect(401);
    for id in ["read", "search", "hidden", "nobody"] {
        told(server, id, 1).await;
    }

    let everything = run(server, "audit", &[]);
    let of_b = run(server, "audit", &["--record", "Patient/b"]);

    assert_eq!((everything.code, of_b.code), (Some(0), Some(0)), "{}", everything.told);
    let lines = |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    for event in lines(&everything.stdout) {
        let checked = request(server, &operator, "check", Method::POST, "AuditEvent/$validate").json(&event);
        let outcome = checked.send().await.expect(200).json();
        let issues = outcome["issue"].as_array().unwrap();
        assert!(issues.iter().all(|issue| issue["severity"] != "error"), "{event}: {outcome}");
    }
    let of_b = lines(&of_b.stdout);
    assert!(of_b.len() < lines(&everything.stdout).len());
    assert!(of_b.iter().all(|event| event["entity"].to_string().contains("\"Patient/b\"")));
    let codes: Vec<&str> = of_b.iter().map(|event| event["subtype"][0]["code"].as_str().unwrap()).collect();
    for code in ["create", "read", "search"] {
        assert!(codes.contains(&code), "{codes:?}");
    }
    let query = |events: &[Value]| {
        let search = events.iter().find(|event| event["subtype"][0]["code"] == "search").unwrap();
        let mut entities = search["entity"].as_array().unwrap().iter();
        entities.find_map(|entity| entity["query"].as_str()).unwrap().to_owned()
    };
    // "Condition?patient=b", and for those of the record "Condition?patient=…".
    assert_eq!(query(&lines(&everything.stdout)), "Q29uZGl0aW9uP3BhdGllbnQ9Yg==");
    assert_eq!(query(&of_b), "Q29uZGl0aW9uP3BhdGllbnQ94oCm");
}

async fn an_open_server_tells_nothing_unless_it_is_to(server: &TestServer) {
    let id = server.create(&json!({ "resourceType": "Patient" })).await;
    assert!(all(server).is_empty());

    let telling = server.beside(|settings| settings.server.audit = Some(true)).await;
    let read = telling.request(Method::GET, &format!("Patient/{id}")).header("X-Request-Id", "read");
    read.send().await.expect(200);

    assert_eq!(told(server, "read", 1).await, [format!("read {id}")]);
    telling.stop().await;
}
