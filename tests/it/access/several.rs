//! What several grants to one holder let be done together: none takes anything from another.

use emberwell::store::{GrantLevel, Labels};
use http::Method;
use serde_json::json;

use crate::access::family::{fill, weight};
use crate::support::holders::{self, Granted, Issue, issue};
use crate::support::{TestServer, on_both};

on_both!(closed:
    who_keeps_one_record_keeps_it_while_shown_another,
    a_grant_that_can_not_be_applied_takes_nothing_away,
    an_app_without_a_grant_sees_nothing_beyond_the_ordinary,
);

/// A second version of what `family::fill` wrote.
async fn write_again(server: &TestServer, operator: &str, id: &str, patient: &str) {
    let again = weight(id, patient, "Practitioner/doc", "vital-signs");
    let path = format!("Observation/{id}");
    server.request_as(operator, Method::PUT, &path).json(&again).send().await.expect(200);
}

async fn who_keeps_one_record_keeps_it_while_shown_another(server: &TestServer) {
    let operator = fill(server).await.token;
    write_again(server, &operator, "a-lab", "a").await;
    write_again(server, &operator, "b-lab", "b").await;
    let own = Granted { level: GrantLevel::Custodian, sees_history: true, ..Granted::on("a") };
    let shown = Granted { level: GrantLevel::View, scopes: "user/*.rs", ..Granted::on("b") };
    let person = holders::person(server, "user/*.cruds", &[own, shown]).token;
    let relative =
        |of: &str| json!({ "resourceType": "RelatedPerson", "patient": { "reference": format!("Patient/{of}") } });
    let create = async |of: &str| {
        server.request_as(&person, Method::POST, "RelatedPerson").json(&relative(of)).send().await.status
    };

    assert_eq!((create("a").await, create("b").await), (201, 403));
    for (path, status) in [
        ("Observation/a-lab/_history/1", 200),
        ("Observation/b-lab/_history/1", 404),
        ("Observation/b-lab/_history/2", 200),
        ("Observation/a-personal", 200),
    ] {
        assert_eq!(server.get_as(&person, path).await.status, status, "{path}");
    }
    let versions = async |path: &str| {
        let history = server.get_as(&person, path).await.expect(200).json();
        history["entry"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(versions("Observation/a-lab/_history").await, 2);
    assert_eq!(versions("Observation/b-lab/_history").await, 1);
    // Five of the first record with one older version, and two of the second.
    assert_eq!(versions("Observation/_history").await, 7);
}

async fn a_grant_that_can_not_be_applied_takes_nothing_away(server: &TestServer) {
    fill(server).await;
    let broken = Granted { scopes: "user/Observation.rs?foo=bar", ..Granted::on("b") };
    let person = holders::person(server, "user/*.rs", &[Granted::on("a"), broken]).token;

    server.get_as(&person, "Observation/a-lab").await.expect(200);
    server.get_as(&person, "Observation/b-lab").await.refused(404);
    // In the token itself it is of what the holder asked for.
    let asked = holders::person(server, "user/Observation.rs?foo=bar user/Patient.rs", &[Granted::on("a")]).token;
    server.get_as(&asked, "Patient/a").await.refused(403);
}

async fn an_app_without_a_grant_sees_nothing_beyond_the_ordinary(server: &TestServer) {
    let operator = fill(server).await.token;
    write_again(server, &operator, "a-lab", "a").await;
    let custodian = Granted {
        level: GrantLevel::Custodian,
        labels: Labels::VeryRestricted,
        sees_history: true,
        ..Granted::on("a")
    };
    let granted = holders::app(server, "user/*.rs", None, &[custodian]);
    let bare = Issue {
        client: granted.client.as_deref(),
        account: granted.account,
        grant: None,
        patient: None,
        scopes: "user/*.rs",
    };
    let bare = issue(server, bare);

    for (path, with, without) in [
        ("Observation/a-lab", 200, 200),
        ("Observation/a-lab/_history/1", 200, 404),
        ("Observation/a-restricted", 200, 404),
        ("Observation/a-personal", 404, 404),
    ] {
        assert_eq!(server.get_as(&granted.token, path).await.status, with, "{path}");
        assert_eq!(server.get_as(&bare, path).await.status, without, "{path}");
    }
}
