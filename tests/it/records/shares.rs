//! `grant add`, `grant list` and `grant end`.

use serde_json::{Value, json};

use crate::records::{adopt, done, person, refused};
use crate::support::program::run;
use crate::support::{TestServer, on_both, patient_called};

on_both!(
    a_share_says_what_it_gives,
    a_share_that_can_not_be_is_refused,
    an_ended_grant_stays_in_the_list,
    the_grants_on_a_record_are_all_that_show_it,
);

/// A record that Anna keeps, and Bert who wants to see it.
async fn family(server: &TestServer) -> (String, String) {
    let (anna, bert) = (person(server, "Anna"), person(server, "Bert"));
    let record = format!("Patient/{}", server.create(&patient_called("Berg")).await);
    adopt(server, &record, &anna);
    (record, bert)
}

async fn a_share_says_what_it_gives(server: &TestServer) {
    let (record, bert) = family(server).await;
    let lab = "patient/Observation.rs?category=laboratory patient/Patient.r";
    let table: [(&[&str], Value); 5] = [
        (&["--level", "view"], json!(["view", "patient/*.rs", "normal", false, null])),
        (&["--level", "modify", "--history"], json!(["modify", "patient/*.cruds", "normal", true, null])),
        (&["--level", "view", "--scope", lab], json!(["own-choice", lab, "normal", false, null])),
        (
            &["--scope", "patient/Observation.c", "--labels", "restricted"],
            json!(["own-choice", "patient/Observation.c", "restricted", false, null]),
        ),
        (
            &["--level", "custodian", "--until", "2999-12-31T12:00:00+01:00"],
            json!(["custodian", "patient/*.cruds", "very-restricted", true, "2999-12-31T11:00:00.000Z"]),
        ),
    ];
    for (arguments, wanted) in table {
        let made = done(server, "grant", &[&["add", "--record", &record, "--to", &bert], arguments].concat());
        let said = ["level", "scope", "labels", "history", "until"].map(|name| &made[name]);
        assert_eq!(json!(said), wanted, "{arguments:?}");
    }

    // A day counts to its end, by the zone of the settings.
    let day = ["add", "--record", &record, "--to", &bert, "--level", "view", "--until", "2999-12-31"];
    assert_eq!(done(server, "grant", &day)["until"], "3000-01-01T00:00:00.000Z");
    assert_eq!(done(server, "grant", &[&day[..], &["--zone=+01:00"]].concat())["until"], "2999-12-31T23:00:00.000Z");
}

async fn a_share_that_can_not_be_is_refused(server: &TestServer) {
    let (record, bert) = family(server).await;
    let share = ["add", "--record", &record, "--to", &bert];
    let table: [(&[&str], i32, &str); 10] = [
        (&["--level", "view", "--scope", "patient/Observation.c"], 2, "--scope: the scopes go beyond the level view"),
        (&["--level", "custodian", "--scope", "patient/*.rs"], 2, "--scope: a custodian holds all"),
        (&["--scope", "patient/Observation.sr"], 2, "--scope: 'patient/Observation.sr' is no scope"),
        (
            &["--scope", "patient/Observation.rs?foo=bar"],
            2,
            "--scope: it could not be applied: the search in the scope for Observation",
        ),
        (&["--scope", "patient/Nothing.r"], 2, "--scope: 'patient/Nothing.r' is no scope"),
        (&["--scope", "patient/*.rs user/*.rs"], 2, "--scope: the scope 'user/*.rs' does not fit"),
        (&["--scope", "patient/*.rs openid"], 2, "--scope: the scope 'openid' does not fit"),
        (&["--scope", "system/*.cruds"], 2, "--scope: the scope 'system/*.cruds' does not fit"),
        (&["--scope", ""], 2, "--scope: no scope is named"),
        (&["--level", "view", "--until", "2001-01-01"], 2, "--until: the end lies in the past"),
    ];
    for (arguments, code, wanted) in table {
        refused(server, "grant", &[&share[..], arguments].concat(), code, wanted);
    }
    let none = ["add", "--record", "Patient/none", "--to", &bert, "--level", "view"];
    refused(server, "grant", &none, 1, "--record: there is no Patient/none");
    let nobody = ["add", "--record", &record, "--to", "carla@example.org", "--level", "view"];
    refused(server, "grant", &nobody, 1, "--to: there is no account");
    assert_eq!(done(server, "grant", &["list", "--to", &bert])["grants"], json!([]));
}

async fn an_ended_grant_stays_in_the_list(server: &TestServer) {
    let (record, bert) = family(server).await;
    let share = ["add", "--record", &record, "--to", &bert, "--level", "view", "--reason", "a second opinion"];
    let id = done(server, "grant", &share)["grant"].to_string();

    let before = done(server, "grant", &["list", "--to", &bert])["grants"][0].clone();
    assert_eq!((&before["ended"], &before["consent"]["status"]), (&json!(null), &json!("active")));
    assert_eq!(before["reason"], "a second opinion");
    assert!(done(server, "grant", &["end", &id])["ended"].is_string());
    let after = done(server, "grant", &["list", "--to", &bert])["grants"][0].clone();
    assert_eq!(after["consent"]["status"], "inactive");
    assert_eq!(after["consent"]["provision"]["period"]["end"], after["ended"]);
    for consent in [&before["consent"], &after["consent"]] {
        let checked = server.post("Consent/$validate", consent).await.expect(200).json();
        assert!(!checked.to_string().contains("\"error\""), "{checked}");
    }

    let told = run(server, "grant", &["list", "--to", &bert]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(0), ""), "what people read goes to stderr");
    assert!(
        told.told.contains(&format!("grant {id} on {record} to {bert}: view (patient/*.rs), ended ")),
        "{}",
        told.told
    );
    refused(server, "grant", &["end", &id], 1, "was ended already");
    refused(server, "grant", &["end", "4711"], 1, "there is no grant 4711");
}

async fn the_grants_on_a_record_are_all_that_show_it(server: &TestServer) {
    let (record, bert) = family(server).await;
    let other = format!("Patient/{}", server.create(&patient_called("Dahl")).await);
    adopt(server, &other, &bert);
    let jwks = "https://ehr.example/jwks";
    let backend = ["add", "--name", "EHR", "--kind", "backend", "--jwks-uri", jwks, "--scope", "system/*.cruds"];
    done(server, "client", &backend);

    let listed = done(server, "grant", &["list", "--record", &record]);
    let to: Vec<_> = listed["grants"].as_array().unwrap().iter().map(|grant| grant["to"].clone()).collect();

    assert_eq!(to, ["anna@example.org", "EHR"]);
    assert_eq!(listed["grants"][1]["record"], json!(null), "that is on all records");
    let checked = server.post("Consent/$validate", &listed["grants"][1]["consent"]).await.expect(200).json();
    assert!(!checked.to_string().contains("\"error\""), "{checked}");
    refused(server, "grant", &["list", "--record", "Patient/none"], 1, "--record: there is no Patient/none");
    refused(server, "grant", &["list", "--to", "carla@example.org"], 1, "--to: there is no account");
    refused(server, "grant", &["list", "--client", "none"], 1, "there is no client none");
}
