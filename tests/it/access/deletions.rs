//! Who sees that something was deleted: whoever sees the whole record that it was part of, and nobody else.

use emberwell::store::GrantLevel;
use http::Method;
use serde_json::Value;

use crate::access::family::{fill, weight};
use crate::support::database::execute;
use crate::support::holders::{self, Granted};
use crate::support::program::run;
use crate::support::{Answer, TestServer, on_both};

on_both!(closed:
    a_custodian_sees_what_was_deleted_from_the_record,
    a_system_client_sees_deletions_as_far_as_labels_let_it,
    to_everybody_else_what_was_deleted_was_never_there,
    histories_tell_of_deletions_in_the_record_alone,
    a_patient_that_was_deleted_is_seen_by_its_custodian,
    what_is_made_anew_elsewhere_is_deleted_for_nobody,
    deletions_of_an_earlier_release_are_seen_after_a_reindex,
);

fn custodian(record: &'static str) -> Granted {
    Granted { level: GrantLevel::Custodian, sees_history: true, ..Granted::on(record) }
}

async fn delete(server: &TestServer, token: &str, path: &str) {
    server.request_as(token, Method::DELETE, path).send().await.expect(204);
    server.get_as(token, path).await.refused(410);
}

/// The versions that a history tells of, such as `Observation/a-lab/_history/1`, sorted.
fn told(history: &Answer) -> Vec<String> {
    let name = |entry: &Value| {
        let version = entry["response"]["etag"].as_str().unwrap().trim_matches(['W', '/', '"']).to_owned();
        let url = entry["fullUrl"].as_str().unwrap();
        let key: Vec<&str> = url.rsplitn(3, '/').collect();
        format!("{}/{}/_history/{version}", key[1], key[0])
    };
    let mut told: Vec<String> = history.entries().iter().map(name).collect();
    told.sort();
    told
}

async fn a_custodian_sees_what_was_deleted_from_the_record(server: &TestServer) {
    fill(server).await;
    let own = holders::person(server, "user/*.cruds", &[custodian("a")]).token;
    let without_history = Granted { scopes: "system/*.rs", ..Granted::on("a") };
    let system = holders::system(server, "system/*.rs", &[without_history]).token;

    for path in
        ["Observation/a-weight", "Observation/a-personal", "Observation/a-restricted", "DocumentReference/a-letter"]
    {
        delete(server, &own, path).await;

        server.get_as(&own, &format!("{path}/_history/1")).await.expect(200);
        server.get_as(&own, &format!("{path}/_history/2")).await.refused(410);
        let history = server.get_as(&own, &format!("{path}/_history")).await.expect(200);
        assert_eq!(told(&history), [format!("{path}/_history/1"), format!("{path}/_history/2")]);
    }
    for path in ["Observation/a-weight", "DocumentReference/a-letter"] {
        server.get_as(&system, path).await.refused(410);
        server.get_as(&system, &format!("{path}/_history/1")).await.refused(404);
        server.get_as(&system, &format!("{path}/_history/2")).await.refused(410);
    }
    assert_eq!(run(server, "verify", &[]).code, Some(0));
    // What it is made anew by is still decided by who may choose ids.
    let again = weight("a-weight", "a", "Practitioner/doc", "vital-signs");
    server.request_as(&own, Method::PUT, "Observation/a-weight").json(&again).send().await.refused(404);
    server.request_as(&own, Method::DELETE, "Observation/a-weight").send().await.expect(204);
}

async fn a_system_client_sees_deletions_as_far_as_labels_let_it(server: &TestServer) {
    let operator = fill(server).await.token;
    let own = holders::person(server, "user/*.cruds", &[custodian("a")]).token;
    let on_a = Granted { scopes: "system/*.cruds", ..Granted::on("a") };
    let system = holders::system(server, "system/*.rs", &[on_a]).token;
    for path in ["Observation/a-weight", "Observation/a-personal", "Observation/a-restricted"] {
        delete(server, &own, path).await;
    }
    delete(server, &operator, "Observation/b-weight").await;

    for (token, path, status) in [
        (&system, "Observation/a-weight", 410),
        (&system, "Observation/a-personal", 404),
        (&system, "Observation/a-restricted", 404),
        (&system, "Observation/b-weight", 404),
        (&operator, "Observation/a-weight", 410),
        (&operator, "Observation/a-personal", 404),
        (&operator, "Observation/a-restricted", 404),
        (&operator, "Observation/b-weight", 410),
    ] {
        server.get_as(token, path).await.refused(status);
    }
}

async fn to_everybody_else_what_was_deleted_was_never_there(server: &TestServer) {
    fill(server).await;
    let own = holders::person(server, "user/*.cruds", &[custodian("a")]).token;
    let with_history = Granted { sees_history: true, ..Granted::on("a") };
    let strangers = [
        holders::person(server, "user/*.cruds", &[custodian("b")]).token,
        holders::person(server, "user/*.cruds", std::slice::from_ref(&with_history)).token,
        holders::app(server, "user/*.cruds", None, &[custodian("a")]).token,
        holders::app(server, "patient/*.cruds", Some("a"), &[with_history]).token,
        holders::system(server, "system/*.cruds", &[Granted { scopes: "system/*.cruds", ..Granted::on("b") }]).token,
    ];
    delete(server, &own, "Observation/a-weight").await;

    for stranger in &strangers {
        for ending in ["", "/_history", "/_history/1", "/_history/2"] {
            let found = server.get_as(stranger, &format!("Observation/a-weight{ending}")).await;
            let absent = server.get_as(stranger, &format!("Observation/absent{ending}")).await;
            assert_eq!(found.status, 404, "{}", found.text());
            assert_eq!(found.text().replace("a-weight", "absent"), absent.text());
        }
    }
}

async fn histories_tell_of_deletions_in_the_record_alone(server: &TestServer) {
    let operator = fill(server).await.token;
    let own = holders::person(server, "user/*.cruds", &[custodian("a")]).token;
    let stranger = holders::person(server, "user/*.cruds", &[custodian("m")]).token;
    delete(server, &own, "Observation/a-weight").await;
    delete(server, &own, "Observation/a-personal").await;
    delete(server, &operator, "Observation/b-weight").await;

    for path in ["Observation/_history?_count=1000", "_history?_count=1000"] {
        let of_own = server.get_as(&own, path).await.expect(200);
        let deletions: Vec<String> = told(&of_own).into_iter().filter(|version| version.ends_with("/2")).collect();
        assert_eq!(deletions, ["Observation/a-personal/_history/2", "Observation/a-weight/_history/2"], "{path}");
        assert!(!of_own.text().contains("b-weight"), "{path}");
        let of_stranger = server.get_as(&stranger, path).await.expect(200);
        assert!(told(&of_stranger).contains(&"Observation/m-lab/_history/1".to_owned()), "{}", of_stranger.text());
        for hidden in ["a-weight", "a-personal", "b-weight"] {
            assert!(!of_stranger.text().contains(hidden), "{path}: {hidden}");
        }
    }
    let history = Granted { record: None, scopes: "system/*.rs", sees_history: true, ..Granted::on("") };
    let system = holders::system(server, "system/*.rs", &[history]).token;
    let of_all = server.get_as(&system, "Observation/_history?_count=1000").await.expect(200);
    for seen in
        ["Observation/a-weight/_history/1", "Observation/a-weight/_history/2", "Observation/b-weight/_history/2"]
    {
        assert!(told(&of_all).contains(&seen.to_owned()), "{seen}");
    }
    assert!(!of_all.text().contains("a-personal"), "{}", of_all.text());
}

async fn a_patient_that_was_deleted_is_seen_by_its_custodian(server: &TestServer) {
    let operator = fill(server).await.token;
    let own = holders::person(server, "user/*.cruds", &[custodian("m")]).token;
    let stranger = holders::person(server, "user/*.cruds", &[custodian("a")]).token;

    delete(server, &operator, "Patient/m").await;

    server.get_as(&own, "Patient/m").await.refused(410);
    let history = server.get_as(&own, "Patient/m/_history").await.expect(200);
    assert_eq!(told(&history), ["Patient/m/_history/1", "Patient/m/_history/2"]);
    server.get_as(&own, "Observation/m-lab").await.expect(200);
    server.get_as(&stranger, "Patient/m").await.refused(404);
    server.get_as(&stranger, "Patient/m/_history").await.refused(404);
}

async fn what_is_made_anew_elsewhere_is_deleted_for_nobody(server: &TestServer) {
    let operator = fill(server).await.token;
    let own = holders::person(server, "user/*.cruds", &[custodian("a")]).token;
    let other = holders::person(server, "user/*.cruds", &[custodian("b")]).token;
    delete(server, &own, "Observation/a-weight").await;

    let again = weight("a-weight", "b", "Practitioner/doc", "vital-signs");
    server.request_as(&operator, Method::PUT, "Observation/a-weight").json(&again).send().await.expect(201);

    server.get_as(&own, "Observation/a-weight").await.refused(404);
    server.get_as(&own, "Observation/a-weight/_history").await.refused(404);
    // Whose it is now sees neither what it was before nor that this was deleted.
    let history = server.get_as(&other, "Observation/a-weight/_history").await.expect(200);
    assert_eq!(told(&history), ["Observation/a-weight/_history/3"]);
    server.get_as(&other, "Observation/a-weight/_history/2").await.refused(404);
    delete(server, &other, "Observation/a-weight").await;
    server.get_as(&own, "Observation/a-weight").await.refused(404);
    assert_eq!(run(server, "verify", &[]).code, Some(0));
}

async fn deletions_of_an_earlier_release_are_seen_after_a_reindex(server: &TestServer) {
    fill(server).await;
    let own = holders::person(server, "user/*.cruds", &[custodian("a")]).token;
    delete(server, &own, "Observation/a-weight").await;
    let none = match server.database().starts_with("sqlite:") {
        true => "x''",
        false => "''",
    };
    execute(
        server.database(),
        &format!("DELETE FROM deleted_from; UPDATE resource SET index_rows = {none} WHERE method = 2;"),
    );
    server.get_as(&own, "Observation/a-weight").await.refused(404);
    assert_eq!(run(server, "verify", &[]).code, Some(1));

    assert_eq!(run(server, "reindex", &[]).code, Some(0));

    server.get_as(&own, "Observation/a-weight").await.refused(410);
    server.get_as(&own, "Observation/a-weight/_history/1").await.expect(200);
    assert_eq!(run(server, "verify", &[]).code, Some(0));
}
