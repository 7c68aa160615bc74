//! What an operator's commands do is told with what they write.

use emberwell::store::{GrantLevel, Labels};
use http::Method;
use serde_json::{Value, json};

use crate::access::family::{fill, weight};
use crate::audit::all;
use crate::support::holders::{self, Granted};
use crate::support::program::run;
use crate::support::{TestServer, on_both};

on_both!(closed: commands_tell_what_they_change);

fn done(server: &TestServer, command: &str, arguments: &[&str]) -> Value {
    let ended = run(server, command, arguments);
    assert_eq!(ended.code, Some(0), "{command} {arguments:?}: {}", ended.told);
    serde_json::from_str(&ended.stdout).unwrap_or_default()
}

async fn commands_tell_what_they_change(server: &TestServer) {
    let operator = fill(server).await.token;
    let file = std::env::temp_dir().join(format!("emberwell_told_{}.json", uuid::Uuid::new_v4()));
    std::fs::write(&file, weight("a-loaded", "a", "Practitioner/doc", "laboratory").to_string()).unwrap();

    for email in ["ada@example.org", "doc@example.org", "late@example.org"] {
        done(server, "person", &["add", "--email", email, "--name", "Somebody"]);
    }
    done(server, "record", &["add", "--custodian", "ada@example.org", "--existing", "Patient/a"]);
    let share = ["add", "--record", "Patient/a", "--to", "doc@example.org", "--level", "view", "--json"];
    let grant = done(server, "grant", &share)["grant"].to_string();
    done(server, "grant", &["end", &grant]);
    done(server, "person", &["disable", "--email", "late@example.org"]);
    let app = ["add", "--name", "App", "--kind", "public", "--redirect-uri", "https://a.example/x"];
    let app = done(server, "client", &[&app[..], &["--scope", "patient/*.rs", "--json"]].concat());
    done(server, "client", &["suspend", app["client_id"].as_str().unwrap()]);
    done(server, "load", &[file.to_str().unwrap()]);
    done(server, "reindex", &[]);
    std::fs::remove_file(file).unwrap();

    // No wait: they are there with what was written.
    let told: Vec<String> = all(server)
        .into_iter()
        .filter_map(|(event, patient)| {
            let command = event.agent.command.as_deref()?.to_owned();
            assert!(event.agent.account.is_none() && event.network.is_none(), "{event:?}");
            Some(format!("{command}: {} {}", event.deed, patient.as_deref().unwrap_or("-")))
        })
        .collect();
    let mut sorted = told.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [
            "client: add-client -",
            "client: suspend-client -",
            "grant: end-grant a",
            "grant: grant a",
            "grant: grant a",
            "load: create a",
            "person: add-account -",
            "person: add-account -",
            "person: add-account -",
            "person: disable-account -",
            "reindex: reindex -",
        ]
    );

    let keeper = Granted { level: GrantLevel::Custodian, labels: Labels::VeryRestricted, ..Granted::on("a") };
    let keeper = holders::person(server, "user/*.cruds", &[keeper]).token;
    let of_grants = "AuditEvent?patient=a&subtype=https://emberwell.example/CodeSystem/audit-event|grant,end-grant";
    let read = server.get_as(&keeper, of_grants).await.expect(200);
    assert_eq!(read.resources().len(), 3, "{}", read.text());
    let alike =
        server.get_as(&keeper, "AuditEvent?patient=a&subtype=http://dicom.nema.org/resources/ontology/DCM|110136");
    assert_eq!(alike.await.expect(200).resources().len(), 3);
    let ended = &read.resources()[0];
    assert_eq!(ended["action"], "D");
    assert_eq!(ended["entity"][2]["what"]["identifier"], json!({ "system": "urn:emberwell:grant", "value": grant }));
    let everything = server.get_as(&operator, "AuditEvent?_count=1000").await.expect(200);
    for event in everything.resources() {
        let checked = server.request_as(&operator, Method::POST, "AuditEvent/$validate").json(&event);
        let outcome = checked.send().await.expect(200).json();
        assert!(outcome["issue"].as_array().unwrap().iter().all(|issue| issue["severity"] != "error"), "{outcome}");
    }
}
