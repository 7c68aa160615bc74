//! `record add`, and that a record always has a custodian.

use std::path::PathBuf;
use std::process::Stdio;

use emberwell::fhir::Id;
use serde_json::{Value, json};

use crate::records::{adopt, done, person, read, refused};
use crate::support::program::program;
use crate::support::{TestServer, on_both, patient_called};

on_both!(
    a_record_is_a_patient_with_a_custodian,
    what_is_no_good_patient_makes_no_record,
    a_patient_gets_a_first_custodian_once,
    of_two_first_custodians_one_is_refused,
    the_last_custodian_stays,
    a_custodian_for_a_time_is_not_the_last,
);

/// A file that is gone when the test is over.
struct Written(PathBuf);

impl Written {
    fn json(server: &TestServer, name: &str, content: &str) -> Written {
        let port = server.url.rsplit_once(':').unwrap().1;
        let path = std::env::temp_dir().join(format!("emberwell_record_{}_{port}_{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Written(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn a_record_is_a_patient_with_a_custodian(server: &TestServer) {
    let anna = person(server, "Anna");
    let mut patient = patient_called("Berg");
    patient["id"] = json!("chosen");
    let file = Written::json(server, "patient.json", &patient.to_string());
    let made = done(server, "record", &["add", "--custodian", "ANNA@example.org", "--patient", file.path()]);

    let record = made["record"].as_str().unwrap();
    assert_eq!(made["custodian"], anna);
    assert_ne!(record, "Patient/chosen", "the server gives the id, as in any create");
    assert_eq!(server.get(record).await.expect(200).json()["name"], patient["name"]);
    assert_eq!(server.found("Patient?family=berg").await, [record.strip_prefix("Patient/").unwrap()]);

    let listed = done(server, "grant", &["list", "--record", record]);
    let [grant] = listed["grants"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!(grant["grant"], made["grant"]);
    let named = ["record", "to", "level", "scope", "labels", "history", "until", "origin"].map(|name| &grant[name]);
    let wanted = json!([record, anna, "custodian", "patient/*.cruds", "very-restricted", true, null, "command"]);
    assert_eq!(json!(named), wanted);
    let checked = server.post("Consent/$validate", &grant["consent"]).await.expect(200).json();
    assert!(!checked.to_string().contains("\"error\""), "{checked}");
    assert_eq!(grant["consent"]["patient"]["reference"], record);
}

async fn what_is_no_good_patient_makes_no_record(server: &TestServer) {
    let anna = person(server, "Anna");
    let bad = json!({ "resourceType": "Patient", "birthDate": "yesterday", "gender": "tall" }).to_string();
    let other = json!({ "resourceType": "Practitioner" }).to_string();
    let good = patient_called("Berg").to_string();
    let table: [(&str, &str, i32, &str); 4] = [
        (&bad, &anna, 1, "refused: Patient.birthDate: "),
        (&other, &anna, 1, "this is a Practitioner, and a record is a Patient"),
        ("{", &anna, 2, "--patient "),
        (&good, "bert@example.org", 1, "--custodian: there is no account"),
    ];
    for (content, custodian, code, wanted) in table {
        let file = Written::json(server, "bad.json", content);
        refused(server, "record", &["add", "--custodian", custodian, "--patient", file.path()], code, wanted);
    }
    refused(server, "record", &["add", "--custodian", &anna, "--patient", "/no/such/file"], 2, "can't be read");

    assert_eq!(server.count("Patient").await, 0, "the Patient and the grant are made together or not at all");
    assert_eq!(done(server, "grant", &["list", "--to", &anna])["grants"], json!([]));
}

async fn a_patient_gets_a_first_custodian_once(server: &TestServer) {
    let (anna, bert) = (person(server, "Anna"), person(server, "Bert"));
    let record = format!("Patient/{}", server.create(&patient_called("Berg")).await);
    let gone = format!("Patient/{}", server.create(&patient_called("Berg")).await);
    server.delete(&gone).await;
    let add =
        |custodian: &str, record: &str| ["add", "--custodian", custodian, "--existing", record].map(str::to_owned);
    let refused = |custodian: &str, record: &str, wanted: &str| {
        let arguments = add(custodian, record);
        refused(server, "record", &arguments.each_ref().map(String::as_str), 1, wanted);
    };

    refused("carla@example.org", &record, "--custodian: there is no account");
    refused(&anna, "Patient/none", "--existing: there is no Patient/none");
    refused(&anna, &gone, "--existing: there is no Patient/");
    adopt(server, &record, &anna);
    refused(&bert, &record, "has a custodian already");
    refused(&anna, &record, "has a custodian already");
}

async fn of_two_first_custodians_one_is_refused(server: &TestServer) {
    let people = [person(server, "Anna"), person(server, "Bert"), person(server, "Carla")];
    let id = server.create(&patient_called("Berg")).await;
    let record = format!("Patient/{id}");
    let start = |custodian: &String| {
        let mut program = program(server, "record");
        program.args(["add", "--custodian", custodian, "--existing", &record]);
        program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };

    let running: Vec<_> = people.iter().map(start).collect();
    let mut codes: Vec<_> = running.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();

    codes.sort_unstable();
    assert_eq!(codes, [0, 1, 1]);
    assert_eq!(read(server, |reader| reader.grants_on(&Id::parse(&id).unwrap())).len(), 1);
}

async fn the_last_custodian_stays(server: &TestServer) {
    let (anna, bert) = (person(server, "Anna"), person(server, "Bert"));
    let record = format!("Patient/{}", server.create(&patient_called("Berg")).await);
    let first = adopt(server, &record, &anna).to_string();
    let last = "this is the last custodian of Patient/";

    refused(server, "grant", &["end", &first], 1, last);
    refused(server, "person", &["disable", "--email", &anna], 1, last);
    // One who only views, and one whose time will be over, are none who could take over.
    done(server, "grant", &["add", "--record", &record, "--to", &bert, "--level", "modify"]);
    let for_a_time = ["--level", "custodian", "--until", "2999-12-31"];
    done(server, "grant", &[&["add", "--record", &record, "--to", &bert], &for_a_time[..]].concat());
    refused(server, "grant", &["end", &first], 1, last);
    refused(server, "person", &["disable", "--email", &anna], 1, last);

    let second = done(server, "grant", &["add", "--record", &record, "--to", &bert, "--level", "custodian"]);
    done(server, "person", &["disable", "--email", &anna]);
    // Now she can't sign in, so that the other one is the last.
    refused(server, "person", &["disable", "--email", &bert], 1, last);
    refused(server, "grant", &["end", &second["grant"].to_string()], 1, last);
    done(server, "grant", &["end", &first]);
    refused(server, "grant", &["end", &first], 1, "was ended already");
    refused(server, "grant", &["add", "--record", &record, "--to", &anna, "--level", "view"], 1, "--to: the account");
}

async fn a_custodian_for_a_time_is_not_the_last(server: &TestServer) {
    let anna = person(server, "Anna");
    let record = format!("Patient/{}", server.create(&patient_called("Berg")).await);
    let grant = ["add", "--record", &record, "--to", &anna, "--level", "custodian"];
    let until: Vec<&str> = [&grant[..], &["--until", "2999-12-31"]].concat();

    refused(server, "grant", &until, 1, "--until: ");
    let made: Value = done(server, "grant", &grant);
    done(server, "grant", &until);
    refused(server, "grant", &["end", &made["grant"].to_string()], 1, "last custodian");
}
