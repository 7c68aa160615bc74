//! The trail at `[base]/AuditEvent`: who reads what of it.

use emberwell::store::{GrantLevel, Labels};
use http::Method;
use serde_json::{Value, json};

use crate::access::family::{fill, weight};
use crate::audit::{get, request, told};
use crate::support::holders::{self, Granted, Held};
use crate::support::program::run;
use crate::support::{Answer, TestServer, bundle, on_both};

on_both!(closed:
    a_custodian_reads_all_that_was_done_with_the_record,
    others_read_an_event_only_by_what_it_names,
    what_may_not_be_read_is_answered_as_what_is_not_there,
    events_are_searched_by_their_parameters,
    pages_show_each_event_once_and_nothing_that_was_told_since,
    what_the_trail_does_not_know_is_refused_by_name,
    nobody_but_the_server_writes_audit_events,
    no_other_search_seems_to_find_audit_events,
    reading_the_trail_is_told_in_it,
    the_command_tells_the_same_events,
    the_statement_tells_what_works,
);

on_both!(without_a_trail_audit_events_are_resources_like_any_other);

fn custodian(server: &TestServer, record: &'static str) -> Held {
    let granted = Granted {
        level: GrantLevel::Custodian,
        labels: Labels::VeryRestricted,
        sees_history: true,
        ..Granted::on(record)
    };
    holders::person(server, "user/*.cruds", &[granted])
}

/// `subtype request` of each event, in the order of the answer.
fn subtypes(answer: &Answer) -> Vec<String> {
    answer
        .resources()
        .iter()
        .map(|event| format!("{} {}", event["subtype"][0]["code"].as_str().unwrap(), request_of(event)))
        .collect()
}

fn request_of(event: &Value) -> String {
    let entities = event["entity"].as_array().unwrap();
    let request = entities.iter().find(|entity| entity["type"]["code"] == "XrequestId").unwrap();
    request["what"]["identifier"]["value"].as_str().unwrap().to_owned()
}

/// The AuditEvents that a search finds, all pages of it, as `subtype request`.
async fn found(server: &TestServer, token: &str, path: &str) -> Vec<String> {
    let mut answer = server.get_as(token, path).await.expect(200);
    let mut found = subtypes(&answer);
    while let Some(next) = answer.link("next") {
        answer = server.get_as(token, &next).await.expect(200);
        found.extend(subtypes(&answer));
    }
    found
}

/// Does one thing after another, and waits until all of it is told.
async fn act(server: &TestServer, operator: &str) {
    get(server, operator, "read", "Observation/a-lab").await.expect(200);
    get(server, operator, "search", "Condition?code=73211009").await.expect(200);
    let put = request(server, operator, "update", Method::PUT, "Observation/a-weight");
    put.json(&weight("a-weight", "a", "Practitioner/doc", "laboratory")).send().await.expect(200);
    let keeper = custodian(server, "a").token;
    get(server, &keeper, "personal", "Observation/a-personal").await.expect(200);
    get(server, operator, "other", "Observation/b-weight").await.expect(200);
    get(server, operator, "shared", "Practitioner/doc").await.expect(200);
    let app = holders::app(server, "patient/Patient.rs", Some("a"), &[Granted::on("a")]).token;
    get(server, &app, "refused", "Observation/a-lab").await.expect(403);
    told(server, "refused", 1).await;
}

async fn a_custodian_reads_all_that_was_done_with_the_record(server: &TestServer) {
    let operator = fill(server).await.token;
    act(server, &operator).await;
    let keeper = custodian(server, "a");

    let answer = server.get_as(&keeper.token, "AuditEvent?patient=Patient/a").await.expect(200);

    let mut events = subtypes(&answer);
    let filled = events.pop().unwrap();
    assert!(filled.starts_with("create "), "{filled}");
    assert_eq!(events, ["read refused", "read personal", "update update", "search search", "read read"]);
    assert_eq!(answer.json()["total"], 6);
    let instants: Vec<Value> = answer.resources().iter().map(|event| event["recorded"].clone()).collect();
    assert!(instants.is_sorted_by(|left, right| left.as_str() >= right.as_str()), "{instants:?}");
    for event in answer.resources() {
        let address = format!("AuditEvent/{}", event["id"].as_str().unwrap());
        let read = server.get_as(&keeper.token, &address).await.expect(200);
        assert_eq!(read.json(), event);
        assert_eq!(read.header("ETag"), "W/\"1\"");
        let again = server.request_as(&keeper.token, Method::GET, &address).header("If-None-Match", "W/\"1\"");
        again.send().await.expect(304);
        server.get_as(&keeper.token, &format!("{address}/_history/1")).await.expect(200);
        server.get_as(&keeper.token, &format!("{address}/_history/2")).await.expect(404);
        let checked = server.request_as(&operator, Method::POST, "AuditEvent/$validate").json(&event);
        let outcome = checked.send().await.expect(200).json();
        assert!(outcome["issue"].as_array().unwrap().iter().all(|issue| issue["severity"] != "error"), "{outcome}");
    }
    // The search of the operator touched others, too: "Condition?code=…" is told of it.
    let search = &answer.resources()[3];
    assert_eq!(search["entity"][2]["query"], "Q29uZGl0aW9uP2NvZGU94oCm", "{search}");
    // Without naming the patient it is the same: there is no other record.
    let mine = found(server, &keeper.token, "AuditEvent").await;
    assert!(mine.iter().all(|event| !event.ends_with(" other") && !event.ends_with(" shared")), "{mine:?}");
    assert!(mine.ends_with(&["read read".to_owned(), filled]), "{mine:?}");
    let all = found(server, &operator, "AuditEvent").await;
    assert!(all.contains(&"read other".to_owned()) && all.contains(&"read shared".to_owned()), "{all:?}");
}

async fn others_read_an_event_only_by_what_it_names(server: &TestServer) {
    let operator = fill(server).await.token;
    act(server, &operator).await;
    let one = request(server, &operator, "transaction", Method::POST, "");
    let put = |id: &str, category: &str| {
        json!({ "request": { "method": "PUT", "url": format!("Observation/{id}") },
            "resource": weight(id, "a", "Practitioner/doc", category) })
    };
    one.json(&bundle("transaction", &[put("a-new", "laboratory"), put("a-hidden", "vital-signs")]))
        .send()
        .await
        .expect(200);
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]).token;
    let laboratory = holders::app(
        server,
        "patient/AuditEvent.rs patient/Observation.rs?category=laboratory",
        Some("a"),
        &[Granted::on("a")],
    )
    .token;
    let updates =
        holders::app(server, "patient/AuditEvent.rs?action=U patient/*.cruds", Some("a"), &[Granted::on("a")]).token;
    let only_events = holders::app(server, "patient/AuditEvent.rs", Some("a"), &[Granted::on("a")]).token;
    let none = holders::app(server, "patient/Observation.rs", Some("a"), &[Granted::on("a")]).token;

    let seen = found(server, &app, "AuditEvent").await;
    assert_eq!(seen, ["create transaction", "update update", "read read"], "{seen:?}");
    assert_eq!(found(server, &app, "AuditEvent?patient=b").await, Vec::<String>::new());
    // Something that the transaction wrote is not for this token, nor what `fill` wrote in one transaction.
    assert_eq!(found(server, &laboratory, "AuditEvent").await, ["update update", "read read"]);
    assert_eq!(found(server, &updates, "AuditEvent?patient=a").await.len(), 3, "the wider scope adds up");
    assert_eq!(found(server, &only_events, "AuditEvent").await, Vec::<String>::new());
    server.get_as(&none, "AuditEvent").await.refused(403);
    server.get_as(&none, "AuditEvent/a-1-1-0").await.refused(403);
    // What is deleted is not seen any more, and with it goes what names it.
    server.request_as(&operator, Method::DELETE, "Observation/a-lab").send().await.expect(204);
    assert_eq!(found(server, &app, "AuditEvent").await, ["create transaction", "update update"]);
}

async fn what_may_not_be_read_is_answered_as_what_is_not_there(server: &TestServer) {
    let operator = fill(server).await.token;
    act(server, &operator).await;
    let stranger = holders::app(server, "patient/*.cruds", Some("m"), &[Granted::on("m")]).token;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]).token;
    let all = server.get_as(&operator, "AuditEvent").await.expect(200).resources();
    let id = |request: &str| {
        let event = all.iter().find(|event| request_of(event) == request).unwrap();
        event["id"].as_str().unwrap().to_owned()
    };

    for (token, hidden) in
        [(&stranger, "read"), (&stranger, "shared"), (&app, "refused"), (&app, "search"), (&app, "personal")]
    {
        let hidden = id(hidden);
        for unknown in ["a-1-999999-0", "a-99-1-0", "a-1-1-9999", "nothing"] {
            let (there, nowhere) = (format!("AuditEvent/{hidden}"), format!("AuditEvent/{unknown}"));
            let (full, bare) = (server.get_as(token, &there).await, server.get_as(token, &nowhere).await);
            assert_eq!(full.status, 404);
            assert_eq!(full.text().replace(&hidden, "[id]"), bare.text().replace(unknown, "[id]"));
        }
        let search = server.get_as(token, &format!("AuditEvent?_id={hidden}")).await.expect(200);
        assert_eq!(search.json()["total"], 0, "{}", search.text());
    }
    for parameter in ["entity=Patient/b", "agent:identifier=urn:emberwell:client|x", "date=ge2020&patient=b"] {
        let answer = server.get_as(&stranger, &format!("AuditEvent?{parameter}")).await.expect(200);
        assert_eq!(answer.json()["total"], 0, "{parameter}");
    }
}

async fn events_are_searched_by_their_parameters(server: &TestServer) {
    let operator = fill(server).await;
    act(server, &operator.token).await;
    let (token, client) = (&operator.token, operator.client.clone().unwrap());
    let now = "2026-01-01";

    let all = server.get_as(token, "AuditEvent?patient=Patient/a").await.expect(200).resources();
    let read = all.iter().find(|event| request_of(event) == "read").unwrap();
    let (id, recorded) = (read["id"].as_str().unwrap(), read["recorded"].as_str().unwrap());
    let cases = [
        ("patient=a&action=R", 3),
        ("patient=Patient/a&subtype=read", 3),
        ("patient=Patient/a&subtype=http://hl7.org/fhir/restful-interaction|update,create", 2),
        ("patient=Patient/a,Patient/b&subtype=search", 2),
        ("patient=Patient/a&patient=Patient/b", 0),
        ("patient=a&outcome=4", 1),
        ("patient=a&outcome=http://hl7.org/fhir/audit-event-outcome|0&action=U", 1),
        ("entity=Observation/a-lab&subtype=read", 2),
        ("entity=Patient/b&subtype=read", 1),
        ("entity=Practitioner/doc&subtype=read", 1),
        ("entity:identifier=read", 1),
        ("entity:identifier=search", 2),
        ("agent=Practitioner/7", 0),
        (&format!("patient=a&subtype=read&agent:identifier=urn:emberwell:client|{client}"), 1),
        (&format!("patient=a&agent:identifier={client}&action=U"), 1),
        ("patient=a&agent:identifier=urn:emberwell:account|1&action=U", 0),
        (&format!("_id={id}"), 1),
        (&format!("_id={id},a-1-1-9999,nothing"), 1),
        (&format!("_id={id}&action=U"), 0),
        (&format!("patient=a&subtype=read&date={recorded}"), 1),
        (&format!("patient=a&subtype=read,create&date=gt{recorded}"), 2),
        (&format!("patient=a&subtype=read,create&date=ge{recorded}"), 3),
        (&format!("patient=a&subtype=read,create&date=lt{recorded}"), 1),
        (&format!("patient=a&subtype=read&date=ne{recorded}"), 2),
        (&format!("patient=a&subtype=read&date=ge{now}&date=lt2100"), 3),
        ("patient=a&date=lt2026-01-01", 0),
        ("date=eb2000", 0),
    ];
    for (query, wanted) in cases {
        for order in ["", "&_sort=date", "&_sort=-date&_count=1", "&_sort=date&_count=1"] {
            let found = found(server, token, &format!("AuditEvent?{query}{order}")).await;
            assert_eq!(found.len(), wanted, "{query}{order}: {found:?}");
        }
    }
    let mut oldest = found(server, token, "AuditEvent?patient=a&_sort=date&subtype=read,update,create").await;
    let newest = found(server, token, "AuditEvent?patient=a&_sort=-date&subtype=read,update,create").await;
    oldest.reverse();
    assert_eq!(oldest, newest);

    let form = server.request_as(token, Method::POST, "AuditEvent/_search");
    let posted = form.body("application/x-www-form-urlencoded", "patient=Patient/a&action=U").send().await.expect(200);
    assert_eq!(subtypes(&posted), ["update update"]);
    let within = server.get_as(token, "Patient/a/AuditEvent?action=U").await.expect(200);
    assert_eq!(subtypes(&within), ["update update"]);
    let entry = |url: &str| json!({ "request": { "method": "GET", "url": url } });
    let urls =
        [entry("AuditEvent?patient=a&action=U"), entry(&format!("AuditEvent/{id}")), entry("AuditEvent?teapot=1")];
    for kind in ["batch", "transaction"] {
        let entries = if kind == "batch" { &urls[..] } else { &urls[..2] };
        let answer = server.request_as(token, Method::POST, "").json(&bundle(kind, entries)).send().await.expect(200);
        let entries = answer.entries();
        assert_eq!(entries[0]["resource"]["entry"][0]["resource"]["action"], "U", "{}", answer.text());
        assert_eq!(entries[1]["resource"]["id"], id, "{}", answer.text());
        if kind == "batch" {
            assert_eq!(entries[2]["response"]["status"], "400 Bad Request", "{}", answer.text());
        }
    }
}

async fn pages_show_each_event_once_and_nothing_that_was_told_since(server: &TestServer) {
    let operator = fill(server).await.token;
    for number in 0..7 {
        get(server, &operator, &format!("read-{number}"), "Observation/a-lab").await.expect(200);
        let put = request(server, &operator, &format!("put-{number}"), Method::PUT, "Observation/a-weight");
        let category = if number % 2 == 0 { "laboratory" } else { "vital-signs" };
        put.json(&weight("a-weight", "a", "Practitioner/doc", category)).send().await;
    }
    told(server, "read-6", 1).await;
    let keeper = custodian(server, "a").token;
    for order in ["-date", "date"] {
        let whole = found(server, &keeper, &format!("AuditEvent?_sort={order}&subtype=read,update")).await;
        let mut page =
            server.get_as(&keeper, &format!("AuditEvent?_sort={order}&subtype=read,update&_count=3")).await.expect(200);
        assert!(page.json().get("total").is_none());
        let mut paged = subtypes(&page);
        while let Some(next) = page.link("next") {
            let id = format!("between-{order}-{}", paged.len());
            get(server, &operator, &id, "Observation/a-lab").await.expect(200);
            told(server, &id, 1).await;
            page = server.get_as(&keeper, &next).await.expect(200);
            assert!(page.resources().len() <= 3);
            paged.extend(subtypes(&page));
        }
        assert_eq!(paged, whole, "{order}");
    }
    let page = server.get_as(&keeper, "AuditEvent?_count=3").await.expect(200);
    let next = page.link("next").unwrap();
    let other = custodian(server, "a").token;
    server.get_as(&other, &next).await.refused(400);
    server.get_as(&keeper, &next.replace("_count=3", "_count=4")).await.refused(400);
    let (front, cursor) = next.split_once("_cursor=").unwrap();
    let altered = format!("{front}_cursor=A{}", &cursor[1..]);
    if altered != next {
        server.get_as(&keeper, &altered).await.refused(400);
    }
}

async fn what_the_trail_does_not_know_is_refused_by_name(server: &TestServer) {
    let operator = fill(server).await.token;

    for (query, wanted) in [
        ("teapot=1", "teapot"),
        ("source=x", "source"),
        ("_tag=x", "_tag"),
        ("_lastUpdated=gt2020", "_lastUpdated"),
        ("patient.name=x", "patient.name"),
        ("action:not=R", "action:not"),
        ("patient:missing=true", "patient:missing"),
        ("date=yesterday", "date"),
        ("_total=accurate", "_total"),
        ("_summary=count", "_summary"),
        ("_summary=true", "_summary"),
        ("_elements=action", "_elements"),
        ("_count=0", "_count"),
        ("_sort=action", "_sort"),
        ("_sort=date,action", "_sort"),
        ("_include=AuditEvent:entity", "_include"),
        ("_revinclude=Provenance:target", "_revinclude"),
        ("_has:Provenance:target:recorded=2020", "_has"),
        ("_contained=true", "_contained"),
        ("_content=x", "_content"),
        ("_filter=action eq R", "_filter"),
        ("_cursor=AAAA", "_cursor"),
    ] {
        let issue = server.get_as(&operator, &format!("AuditEvent?{}", query.replace(' ', "%20"))).await.refused(400);
        let text = issue["details"]["text"].as_str().or(issue["diagnostics"].as_str()).unwrap();
        assert!(text.contains(wanted), "{query}: {text}");
    }
    server.get_as(&operator, "AuditEvent/_history").await.refused(400);
    server.get_as(&operator, "AuditEvent/a-1-1-0/_history").await.refused(400);
    server.get_as(&operator, "Practitioner/doc/AuditEvent").await.refused(400);
    server.get_as(&operator, "AuditEvent?_total=none&_format=json").await.expect(200);
}

async fn nobody_but_the_server_writes_audit_events(server: &TestServer) {
    let operator = fill(server).await.token;
    let keeper = custodian(server, "a").token;
    let event = json!({ "resourceType": "AuditEvent", "id": "x", "type": { "code": "rest" },
        "recorded": "2026-01-01T00:00:00Z", "agent": [{ "requestor": true }],
        "source": { "observer": { "display": "x" } }, "entity": [{ "what": { "reference": "Patient/a" } }] });
    let patch = r#"[{"op":"test","path":"/action","value":"R"}]"#;

    for token in [&operator, &keeper] {
        let send = |method: Method, path: &str| server.request_as(token, method, path);
        for (method, path) in
            [(Method::POST, "AuditEvent"), (Method::PUT, "AuditEvent/x"), (Method::PUT, "AuditEvent?_id=x")]
        {
            send(method.clone(), path).json(&event).send().await.refused(403);
        }
        for path in ["AuditEvent/a-1-1-0", "AuditEvent?_id=a-1-1-0"] {
            send(Method::DELETE, path).send().await.refused(403);
            send(Method::PATCH, path).body("application/json-patch+json", patch).send().await.refused(403);
        }
        let entry = json!({ "request": { "method": "POST", "url": "AuditEvent" }, "resource": event });
        send(Method::POST, "").json(&bundle("transaction", std::slice::from_ref(&entry))).send().await.refused(403);
        let batch = send(Method::POST, "").json(&bundle("batch", &[entry])).send().await.expect(200);
        assert_eq!(batch.entries()[0]["response"]["status"], "403 Forbidden");
    }
}

async fn no_other_search_seems_to_find_audit_events(server: &TestServer) {
    let operator = fill(server).await.token;

    for path in [
        "Patient?_revinclude=AuditEvent:patient",
        "Patient?_revinclude=AuditEvent:*",
        "Provenance?_include=Provenance:target:AuditEvent",
        "Patient?_has:AuditEvent:patient:action=R",
        "Observation?subject:Patient._has:AuditEvent:patient:action=R",
        "Provenance?target:AuditEvent.action=R",
        "?_type=AuditEvent",
        "?_type=Patient,AuditEvent",
    ] {
        let issue = server.get_as(&operator, path).await.refused(400);
        assert!(issue.to_string().contains("[base]/AuditEvent"), "{path}: {issue}");
    }
    let criteria = "Patient?_has:AuditEvent:patient:action=R";
    let put = server.request_as(&operator, Method::PUT, criteria).json(&json!({ "resourceType": "Patient" }));
    put.send().await.refused(400);
    let all = server.get_as(&operator, "?_count=100").await.expect(200);
    assert!(all.entries().len() > 10 && !all.text().contains("\"AuditEvent\""));
}

async fn without_a_trail_audit_events_are_resources_like_any_other(server: &TestServer) {
    let event = json!({ "resourceType": "AuditEvent", "type": { "code": "rest" },
        "recorded": "2026-01-01T00:00:00Z", "agent": [{ "requestor": true }],
        "source": { "observer": { "display": "x" } }, "entity": [{ "what": { "reference": "Patient/a" } }] });
    let patient = server.put("Patient/a", &json!({ "resourceType": "Patient", "id": "a" })).await;
    assert_eq!(patient.status, 201);
    let id = server.create(&event).await;

    assert_eq!(server.found("AuditEvent?patient=Patient/a").await, std::slice::from_ref(&id));
    assert_eq!(server.get("Patient?_revinclude=AuditEvent:patient").await.expect(200).entries().len(), 2);
    assert_eq!(server.get("?_type=AuditEvent").await.expect(200).entries().len(), 1);

    // With one, they are not shown: neither as events that the server told, nor beside other resources.
    let telling = server.beside(|settings| settings.server.audit = Some(true)).await;
    telling.get(&format!("AuditEvent/{id}")).await.expect(404);
    assert_eq!(telling.get("AuditEvent?entity=Patient/a").await.expect(200).entries().len(), 0);
    let all = telling.get("").await;
    let all = if all.status == 200 { all } else { telling.get("?_count=10").await.expect(200) };
    assert_eq!(all.matches(), ["a"]);
    let history = telling.get("_history").await.expect(200);
    assert_eq!(history.entries().len(), 1, "{}", history.text());
    assert_eq!(telling.get("Patient/a/*").await.expect(200).matches(), ["a"]);
    telling.stop().await;
}

async fn reading_the_trail_is_told_in_it(server: &TestServer) {
    let operator = fill(server).await.token;
    act(server, &operator).await;
    let keeper = custodian(server, "a").token;

    let page = get(server, &keeper, "first", "AuditEvent?patient=a&_count=2").await.expect(200);
    let next = page.link("next").unwrap();
    get(server, &keeper, "second", &next).await.expect(200);
    let id = page.resources()[0]["id"].as_str().unwrap().to_owned();
    get(server, &keeper, "one", &format!("AuditEvent/{id}")).await.expect(200);
    get(server, &operator, "all", "AuditEvent?subtype=read,search&_count=1000").await.expect(200);
    get(server, &keeper, "hidden", "AuditEvent/a-1-999999-0").await.expect(404);

    assert_eq!(told(server, "first", 1).await, ["search a"]);
    assert_eq!(told(server, "second", 1).await, ["search a"]);
    assert_eq!(told(server, "one", 1).await, ["read a"]);
    assert_eq!(told(server, "all", 2).await, ["search a", "search b"]);
    assert_eq!(told(server, "hidden", 1).await, ["read - 404"]);
    let told = found(server, &keeper, "AuditEvent?entity:identifier=one,first").await;
    assert_eq!(told, ["read one", "search first"]);
}

async fn the_command_tells_the_same_events(server: &TestServer) {
    let operator = fill(server).await.token;
    act(server, &operator).await;
    let keeper = custodian(server, "a").token;

    let read = server.get_as(&keeper, "AuditEvent?patient=Patient/a&_sort=date&_count=1000").await.expect(200);
    let printed = run(server, "audit", &["--record", "Patient/a"]);

    let mut events = read.resources();
    events.sort_by_key(|event| event["id"].to_string());
    for event in &mut events {
        event.as_object_mut().unwrap().remove("meta");
    }
    let mut printed: Vec<Value> = printed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    printed.sort_by_key(|event| event["id"].to_string());
    assert!(events.len() >= 6);
    let known: Vec<&Value> =
        printed.iter().filter(|event| events.iter().any(|read| read["id"] == event["id"])).collect();
    assert_eq!(known, events.iter().collect::<Vec<_>>());
    // That the trail was read is printed, too, if it was told by then.
    assert!(printed.len() <= events.len() + 1, "{printed:?}");
}

async fn the_statement_tells_what_works(server: &TestServer) {
    let operator = fill(server).await.token;

    let statement = server.get("metadata").await.expect(200).json();

    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    let claimed = resources.iter().find(|resource| resource["type"] == "AuditEvent").unwrap();
    let codes: Vec<&str> =
        claimed["interaction"].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["read", "vread", "search-type"]);
    let names: Vec<&str> =
        claimed["searchParam"].as_array().unwrap().iter().map(|told| told["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    for name in names {
        let value = if name == "date" { "2026" } else { "1" };
        server.get_as(&operator, &format!("AuditEvent?{name}={value}")).await.expect(200);
    }
    assert!(resources.iter().all(|resource| !resource["searchRevInclude"].to_string().contains("AuditEvent:")));
    let checked = server.request_as(&operator, Method::POST, "CapabilityStatement/$validate").json(&statement);
    let outcome = checked.send().await.expect(200).json();
    assert!(outcome["issue"].as_array().unwrap().iter().all(|issue| issue["severity"] != "error"), "{outcome}");
}
