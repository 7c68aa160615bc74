//! What the holder of a token sees, by every way there is.

use emberwell::store::{GrantLevel, Labels};
use http::Method;
use serde_json::{Value, json};

use crate::access::family::{fill, weight};
use crate::support::holders::{self, Granted};
use crate::support::{TestServer, bundle, on_both, statuses};

on_both!(closed:
    what_is_hidden_is_as_if_it_were_not_there,
    searches_find_what_is_part_of_the_record,
    no_search_looks_through_what_is_hidden,
    includes_bring_only_what_may_be_seen,
    a_granular_scope_finds_what_its_search_finds,
    labels_hide_from_apps_and_all_but_custodians,
    old_versions_are_for_those_who_may_see_them,
    an_operators_client_sees_all_but_what_is_personal,
    a_type_without_a_scope_is_refused_whatever_there_is,
    histories_of_many_are_searches,
    labels_hide_in_whatever_case_they_are_written,
    entries_of_a_bundle_are_seen_as_alone,
    a_page_belongs_to_whoever_asked_for_the_first,
);

async fn visible(server: &TestServer, token: &str, search: &str) -> Vec<String> {
    let answer = server.get_as(token, search).await;
    assert_eq!(answer.status, 200, "{search}: {}", answer.text());
    let mut found: Vec<String> = answer.resources().iter().map(name).collect();
    found.sort();
    found
}

/// Its id; what the server recorded itself has one of chance, and is named by what it is about.
fn name(resource: &Value) -> String {
    match resource["meta"]["tag"][0]["code"] == "recorded" {
        true => format!("of {}", resource["target"][0]["reference"].as_str().unwrap().replace("/_history/1", "")),
        false => resource["id"].as_str().unwrap().to_owned(),
    }
}

async fn check(server: &TestServer, token: &str, cases: &[(&str, &[&str])]) {
    for (search, wanted) in cases {
        assert_eq!(visible(server, token, search).await, *wanted, "{search}");
    }
}

async fn what_is_hidden_is_as_if_it_were_not_there(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a"), Granted::on("m")]).token;

    for seen in [
        "Patient/a",
        "Observation/a-weight",
        "DocumentReference/a-letter",
        "Binary/a-text",
        "Provenance/a-proof",
        "Practitioner/doc",
        "Observation/a-weight/_history/1",
        "Observation/a-weight/_history",
    ] {
        server.get_as(&app, seen).await.expect(200);
    }
    for hidden in [
        "Patient/b",
        "Patient/m",
        "Observation/b-weight",
        "Observation/m-lab",
        "Condition/b-diabetes",
        "DocumentReference/b-letter",
        "Binary/b-text",
        "Binary/nobodys-text",
        "Provenance/b-proof",
        "Provenance/mixed-proof",
        "Group/cohort",
        "List/b-list",
        "Basic/nobodys",
        "Coverage/b-cover",
    ] {
        let (of, _) = hidden.split_once('/').unwrap();
        for (path, absent) in [
            (hidden.to_owned(), format!("{of}/absent")),
            (format!("{hidden}/_history"), format!("{of}/absent/_history")),
            (format!("{hidden}/_history/1"), format!("{of}/absent/_history/1")),
        ] {
            for method in [Method::GET, Method::HEAD] {
                let found = server.request_as(&app, method.clone(), &path).send().await;
                let other = server.request_as(&app, method, &absent).send().await;
                assert_eq!(found.status, 404, "{path}: {}", found.text());
                assert_eq!(found.text().replace(hidden, &format!("{of}/absent")), other.text(), "{path}");
                let names = |answer: &crate::support::Answer| {
                    answer.headers.keys().map(|name| name.to_string()).collect::<std::collections::BTreeSet<_>>()
                };
                assert_eq!(names(&found), names(&other), "{path}");
            }
        }
    }
}

async fn searches_find_what_is_part_of_the_record(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/*.rs", Some("a"), &[Granted::on("a"), Granted::on("m")]).token;

    check(
        server,
        &app,
        &[
            ("Observation", &["a-lab", "a-weight"]),
            ("Observation?_summary=count", &[]),
            ("Patient", &["a"]),
            ("Condition", &["a-diabetes"]),
            ("Binary", &["a-text"]),
            (
                "Provenance",
                &[
                    "a-proof",
                    "of Binary/a-text",
                    "of Condition/a-diabetes",
                    "of DocumentReference/a-letter",
                    "of Observation/a-lab",
                    "of Observation/a-weight",
                    "of Patient/a",
                    "of Practitioner/doc",
                ],
            ),
            ("Practitioner", &["doc"]),
            ("Group", &[]),
            ("Coverage", &[]),
            ("Observation?patient=b", &[]),
            ("Observation?subject=Patient/b,Patient/a&code=29463-7", &["a-lab", "a-weight"]),
            ("Observation?_id=b-weight", &[]),
            ("Observation?performer=Patient/a", &[]),
            ("Patient/a/Observation", &["a-lab", "a-weight"]),
            ("Patient/b/Observation", &[]),
            ("Observation?_sort=-date", &["a-lab", "a-weight"]),
            ("Observation?_contained=true", &[]),
            ("?_type=Observation,Condition", &["a-diabetes", "a-lab", "a-weight"]),
            ("?_id=a,b,doc", &["a", "doc"]),
            ("Observation?_filter=subject%20re%20Patient/b", &[]),
        ],
    )
    .await;
    for (search, total) in
        [("Observation", 2), ("Observation?patient=b", 0), ("Patient", 1), ("Observation?code=29463-7", 2)]
    {
        let separator = if search.contains('?') { '&' } else { '?' };
        let counted = server.get_as(&app, &format!("{search}{separator}_summary=count")).await.expect(200).json();
        assert_eq!(counted["total"], total, "{search}");
        let page =
            server.get_as(&app, &format!("{search}{separator}_count=1&_total=accurate")).await.expect(200).json();
        assert_eq!(page["total"], total, "{search}");
    }
    let posted = server.request_as(&app, Method::POST, "Observation/_search");
    let posted = posted.body("application/x-www-form-urlencoded", "patient=b").send().await.expect(200);
    assert_eq!(posted.json()["total"], 0);
    let family = holders::app(server, "user/*.rs", None, &[Granted::on("a"), Granted::on("m")]).token;
    check(
        server,
        &family,
        &[
            ("Observation", &["a-lab", "a-weight", "m-lab"]),
            ("Patient", &["a", "m"]),
            ("Patient?family=Ash&_sort=_id", &["a", "m"]),
        ],
    )
    .await;
}

async fn no_search_looks_through_what_is_hidden(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/*.rs", Some("a"), &[Granted::on("a")]).token;

    check(
        server,
        &app,
        &[
            ("Observation?subject:Patient.family=Birch", &[]),
            ("Observation?subject:Patient.family=Ash", &["a-lab", "a-weight"]),
            ("Patient?_has:Observation:performer:code=29463-7", &[]),
            ("Patient?_has:Observation:patient:code=29463-7", &["a"]),
            ("Patient?_has:Group:member:_id=cohort", &[]),
            ("Practitioner?_has:Patient:general-practitioner:family=Birch", &[]),
            ("Practitioner?_has:Patient:general-practitioner:family=Ash", &["doc"]),
            ("Practitioner?_has:Observation:performer:subject:Patient.family=Birch", &[]),
            ("Observation?_list=b-list", &[]),
            ("Observation?_has:List:item:_id=b-list", &[]),
            ("Observation?_has:List:item:subject:Patient.family=Birch", &[]),
            ("Observation?_filter=performer.family%20eq%20%22Ash%22", &[]),
            ("Observation?_has:Provenance:target:_id=mixed-proof", &[]),
            ("Observation?_has:Provenance:target:_id=a-proof", &["a-weight"]),
            ("DocumentReference?_text=x", &[]),
        ],
    )
    .await;
    server.get_as(&app, "Encounter?part-of:below=Encounter/1").await.refused(403);
    server.get_as(&app, "Patient?organization:below=Organization/1").await.expect(200);
    // What a chain says no to is told of hidden and of absent alike.
    let not = visible(server, &app, "Observation?performer:Patient.gender:not=male").await;
    assert!(not.iter().all(|id| id.starts_with("a-")), "{not:?}");
}

async fn includes_bring_only_what_may_be_seen(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/*.rs", Some("a"), &[Granted::on("a")]).token;
    let narrow =
        holders::app(server, "patient/Patient.rs patient/Practitioner.rs", Some("a"), &[Granted::on("a")]).token;

    check(
        server,
        &app,
        &[
            ("Practitioner?_revinclude=Patient:general-practitioner", &["a", "doc"]),
            ("Practitioner?_revinclude=Observation:performer", &["a-lab", "a-weight", "doc"]),
            ("Practitioner?_revinclude=Observation:performer&_include:iterate=*", &["a", "a-lab", "a-weight", "doc"]),
            (
                "Practitioner?_revinclude=Patient:general-practitioner&_revinclude:iterate=Observation:patient",
                &["a", "a-lab", "a-weight", "doc"],
            ),
            ("Patient?_revinclude=Observation:*&_revinclude=Condition:*&_revinclude=DocumentReference:*&_revinclude=Coverage:*", &["a", "a-diabetes", "a-lab", "a-letter", "a-weight"]),
            ("Patient?_revinclude=Group:member", &["a"]),
            ("Observation?_id=a-weight&_revinclude=Provenance:target", &["a-proof", "a-weight", "of Observation/a-weight"]),
            ("Observation?_id=a-weight&_revinclude=List:item", &["a-weight"]),
            ("Observation?_id=a-weight&_include=*", &["a", "a-weight", "doc"]),
        ],
    )
    .await;
    check(
        server,
        &narrow,
        &[
            ("Patient?_revinclude=Observation:patient", &["a"]),
            ("Patient?_include=Patient:general-practitioner", &["a", "doc"]),
        ],
    )
    .await;
}

async fn a_granular_scope_finds_what_its_search_finds(server: &TestServer) {
    fill(server).await;
    let scopes = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory \
                  patient/Patient.rs";
    let lab = holders::app(server, scopes, Some("a"), &[Granted::on("a")]).token;

    check(
        server,
        &lab,
        &[
            ("Observation", &["a-lab"]),
            ("Observation?code=29463-7", &["a-lab"]),
            ("Observation?category=vital-signs", &[]),
            ("Observation?category:not=laboratory", &[]),
            ("Patient?_revinclude=Observation:patient", &["a", "a-lab"]),
            ("Patient?_has:Observation:patient:category=vital-signs", &[]),
            ("Patient?_has:Observation:patient:category=laboratory", &["a"]),
        ],
    )
    .await;
    server.get_as(&lab, "Observation/a-lab").await.expect(200);
    server.get_as(&lab, "Observation/a-lab/_history/1").await.expect(200);
    server.get_as(&lab, "Observation/a-weight").await.refused(404);
    server.get_as(&lab, "Observation/a-weight/_history").await.refused(404);
    let unfit = holders::app(server, "patient/Observation.rs?nonsense=1", Some("a"), &[Granted::on("a")]).token;
    server.get_as(&unfit, "Observation/a-lab").await.refused(403);
}

async fn labels_hide_from_apps_and_all_but_custodians(server: &TestServer) {
    fill(server).await;
    let on_a = Granted::on("a");
    let trusted = Granted { labels: Labels::Restricted, ..on_a.clone() };
    let custodian = Granted { level: GrantLevel::Custodian, ..on_a.clone() };
    let app = |granted: &Granted| holders::app(server, "patient/*.rs", Some("a"), std::slice::from_ref(granted)).token;

    check(server, &app(&on_a), &[("Observation", &["a-lab", "a-weight"])]).await;
    check(server, &app(&trusted), &[("Observation", &["a-lab", "a-restricted", "a-weight"])]).await;
    check(server, &app(&custodian), &[("Observation", &["a-lab", "a-restricted", "a-weight"])]).await;
    let own = holders::person(server, "user/*.cruds", &[custodian]).token;
    check(server, &own, &[("Observation", &["a-lab", "a-personal", "a-restricted", "a-weight"])]).await;
    let guest = holders::person(server, "user/*.cruds", &[on_a]).token;
    check(server, &guest, &[("Observation", &["a-lab", "a-weight"])]).await;
    server.get_as(&guest, "Observation/a-personal").await.refused(404);
    server.get_as(&own, "Observation/a-personal").await.expect(200);
}

async fn old_versions_are_for_those_who_may_see_them(server: &TestServer) {
    let operator = fill(server).await.token;
    let mut moved = crate::access::family::weight("b-lab", "a", "Practitioner/doc", "laboratory");
    moved["id"] = json!("b-lab");
    server.request_as(&operator, Method::PUT, "Observation/b-lab").json(&moved).send().await.expect(200);
    let on_a = Granted::on("a");
    let custodian = Granted { level: GrantLevel::Custodian, sees_history: true, ..on_a.clone() };
    let app = holders::app(server, "patient/*.rs", Some("a"), &[on_a]).token;
    let own = holders::person(server, "user/*.cruds", &[custodian]).token;

    // The version from when it was about another person is seen by neither.
    for token in [&app, &own] {
        server.get_as(token, "Observation/b-lab/_history/2").await.expect(200);
        server.get_as(token, "Observation/b-lab/_history/1").await.refused(404);
        let versions = server.get_as(token, "Observation/b-lab/_history").await.expect(200).json();
        assert_eq!(versions["entry"].as_array().unwrap().len(), 1, "{versions}");
    }
    let mut changed = crate::access::family::weight("a-lab", "a", "Practitioner/doc", "laboratory");
    changed["note"] = json!([{ "text": "again" }]);
    server.request_as(&own, Method::PUT, "Observation/a-lab").json(&changed).send().await.expect(200);
    server.get_as(&own, "Observation/a-lab/_history/1").await.expect(200);
    server.get_as(&app, "Observation/a-lab/_history/1").await.refused(404);
    let of_type = server.get_as(&app, "Observation/_history").await.expect(200);
    let versions: Vec<String> =
        of_type.resources().iter().map(|version| version["meta"]["versionId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(versions.len(), 3, "{}", of_type.text());
    assert!(!of_type.text().contains("Patient/b"), "{}", of_type.text());
    assert!(of_type.json().get("total").is_none());
}

async fn an_operators_client_sees_all_but_what_is_personal(server: &TestServer) {
    let operator = fill(server).await.token;

    check(
        server,
        &operator,
        &[
            ("Observation", &["a-lab", "a-weight", "b-lab", "b-weight", "m-lab"]),
            ("Provenance?_tag:not=recorded", &["a-proof", "b-proof", "mixed-proof"]),
            (
                "Provenance?_tag=recorded&_count=100",
                &[
                    "of Basic/nobodys",
                    "of Binary/a-text",
                    "of Binary/b-text",
                    "of Binary/nobodys-text",
                    "of Condition/a-diabetes",
                    "of Condition/b-diabetes",
                    "of Coverage/b-cover",
                    "of DocumentReference/a-letter",
                    "of DocumentReference/b-letter",
                    "of Group/cohort",
                    "of List/b-list",
                    "of Observation/a-lab",
                    "of Observation/a-weight",
                    "of Observation/b-lab",
                    "of Observation/b-weight",
                    "of Observation/m-lab",
                    "of Patient/a",
                    "of Patient/b",
                    "of Patient/m",
                    "of Practitioner/doc",
                ],
            ),
            ("Basic", &["nobodys"]),
        ],
    )
    .await;
    server.get_as(&operator, "Observation/a-personal").await.refused(404);
}

async fn a_type_without_a_scope_is_refused_whatever_there_is(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/Observation.r", Some("a"), &[Granted::on("a")]).token;

    for path in [
        "Condition/a-diabetes",
        "Condition/absent",
        "Condition",
        "Observation",
        "Observation?_id=a-lab",
        "?_type=Observation",
        "Condition/_history",
        "Observation/_history",
        "_history",
        "$reindex-status/x",
    ] {
        let issue = server.get_as(&app, path).await.refused(403);
        assert_eq!(issue["code"], "forbidden", "{path}");
    }
    server.get_as(&app, "Observation/a-lab").await.expect(200);
    server.get_as(&app, "Observation/a-lab/_history").await.expect(200);
    server.get_as(&app, "Observation/a-lab/_history/1").await.expect(200);
}

async fn histories_of_many_are_searches(server: &TestServer) {
    fill(server).await;
    let on_a = [Granted { sees_history: true, ..Granted::on("a") }];
    let reads = holders::app(server, "patient/Observation.r", Some("a"), &on_a).token;
    let searches = holders::app(server, "patient/Observation.s", Some("a"), &on_a).token;
    let some = "patient/Observation.r patient/Observation.s?category=laboratory";
    let searches_some = holders::app(server, some, Some("a"), &on_a).token;
    let get = |url: &str| json!({ "request": { "method": "GET", "url": url } });
    let both = bundle("batch", &["Observation/_history", "_history", "Observation/a-lab/_history"].map(get));

    for (token, wanted) in [(&reads, ["403", "403", "200"]), (&searches, ["200", "200", "403"])] {
        let answer = server.request_as(token, Method::POST, "").json(&both).send().await.expect(200);
        assert_eq!(statuses(&answer.entries()), wanted, "{}", answer.text());
    }
    let issue = server.get_as(&reads, "Observation/_history").await.refused(403);
    assert!(issue["diagnostics"].as_str().unwrap().contains("searching (s)"), "{issue}");
    server.get_as(&searches, "Observation/a-lab/_history/1").await.refused(403);
    for (token, path, wanted) in [
        (&searches, "Observation/_history", &["a-lab", "a-weight"][..]),
        (&searches, "_history", &["a-lab", "a-weight"]),
        (&searches_some, "Observation/_history", &["a-lab"]),
    ] {
        assert_eq!(visible(server, token, path).await, wanted, "{path}");
    }
}

async fn labels_hide_in_whatever_case_they_are_written(server: &TestServer) {
    let operator = fill(server).await.token;
    let label = |system: &str, code: &str| json!({ "security": [{ "system": system, "code": code }] });
    let confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    let own = "https://emberwell.example/CodeSystem/security-label";
    let on_a = [Granted { sees_history: true, ..Granted::on("a") }];
    let app = holders::app(server, "patient/*.rs", Some("a"), &on_a).token;
    let restricted = [Granted { labels: Labels::Restricted, ..on_a[0].clone() }];
    let trusted = holders::app(server, "patient/*.rs", Some("a"), &restricted).token;
    let custodian = Granted { level: GrantLevel::Custodian, ..Granted::on("a") };
    let custodian = holders::person(server, "user/*.cruds", &[custodian]).token;

    for (id, meta, is_for_trusted) in [
        ("small-r", label(confidentiality, "r"), true),
        ("small-v", label(confidentiality, "v"), false),
        ("large-personal", label(own, "PERSONAL"), false),
    ] {
        let path = format!("Observation/{id}");
        let mut labelled = weight(id, "a", "Practitioner/doc", "laboratory");
        labelled["meta"] = meta;
        server.request_as(&operator, Method::PUT, &path).json(&labelled).send().await.expect(201);
        server.get_as(&app, &path).await.refused(404);
        // The label goes, and what bore it is as hidden as before.
        labelled.as_object_mut().unwrap().remove("meta");
        server.request_as(&custodian, Method::PUT, &path).json(&labelled).send().await.expect(200);
        for (token, is_seen) in [(&app, false), (&trusted, is_for_trusted)] {
            let old = server.get_as(token, &format!("{path}/_history/1")).await;
            assert_eq!(old.status, if is_seen { 200 } else { 404 }, "{id}: {}", old.text());
            for history in [format!("{path}/_history"), "Observation/_history".to_owned(), "_history".to_owned()] {
                let versions = server.get_as(token, &history).await.expect(200).resources();
                let of_it = versions.iter().filter(|version| version["id"] == id).count();
                assert_eq!(of_it, if is_seen { 2 } else { 1 }, "{id}: {history}");
            }
        }
    }
}

async fn entries_of_a_bundle_are_seen_as_alone(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/Observation.cruds", Some("a"), &[Granted::on("a")]).token;
    let get = |url: &str| json!({ "request": { "method": "GET", "url": url } });
    let entries = [
        "Observation/a-lab",
        "Observation/b-lab",
        "Observation?patient=b",
        "Condition/a-diabetes",
        "Observation/b-lab/_history",
        "Patient/b/Observation",
    ]
    .map(get);

    let answer = server.request_as(&app, Method::POST, "").json(&bundle("batch", &entries)).send().await.expect(200);
    assert_eq!(statuses(&answer.entries()), ["200", "404", "200", "403", "404", "200"], "{}", answer.text());
    for nothing in [2, 5] {
        assert_eq!(answer.entries()[nothing]["resource"]["total"], 0, "{}", answer.text());
    }
}

async fn a_page_belongs_to_whoever_asked_for_the_first(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/*.rs", Some("a"), &[Granted::on("a")]).token;
    let other = holders::app(server, "patient/*.rs", Some("b"), &[Granted::on("b")]).token;
    let same = holders::app(server, "patient/*.rs", Some("a"), &[Granted::on("a")]).token;

    for search in ["Observation?_count=1", "Observation?_count=1&_sort=-date"] {
        let first = server.get_as(&app, search).await.expect(200);
        let next = first.link("next").unwrap();
        assert_eq!(server.get_as(&app, &next).await.expect(200).matches().len(), 1);
        server.get_as(&other, &next).await.refused(400);
        server.get_as(&same, &next).await.refused(400);
    }
    for history in ["_history?_count=1", "Observation/_history?_count=1"] {
        let next = server.get_as(&app, history).await.expect(200).link("next").unwrap();
        assert_eq!(server.get_as(&app, &next).await.expect(200).entries().len(), 1);
        server.get_as(&other, &next).await.refused(400);
        let cursor = next.split_once("_cursor=").unwrap().1;
        let of_another = format!("Condition/_history?_count=1&_cursor={cursor}");
        server.get_as(&app, &of_another).await.refused(400);
    }
}
