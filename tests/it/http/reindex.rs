//! `$reindex`: the job behind requests, and the command that does the same.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use awc::http::Method;
use serde_json::{Value, json};

use crate::interactions::own_parameters::{definition, finished, reindex};
use crate::support::{TestServer, bundle, on_both};

on_both!(
    a_second_request_answers_with_the_job_that_runs,
    a_job_can_be_cancelled_and_then_nothing_is_ready,
    a_reindex_that_is_killed_goes_on_where_it_was,
    writes_during_a_reindex_are_found_after_it,
    what_reindex_can_not_read_is_refused,
);

const MANY: usize = 1_000;

async fn many(server: &TestServer) {
    for chunk in (0..MANY).collect::<Vec<_>>().chunks(500) {
        let entries: Vec<Value> = chunk
            .iter()
            .map(|number| {
                let patient = json!({ "resourceType": "Patient", "name": [{ "family": format!("P{number}") }] });
                json!({ "resource": patient, "request": { "method": "POST", "url": "Patient" } })
            })
            .collect();
        server.post("", &bundle("batch", &entries)).await.expect(200);
    }
}

async fn begin(server: &TestServer) -> String {
    server.request(Method::POST, "$reindex").send().await.expect(202).header("Content-Location")
}

async fn found(server: &TestServer) -> u64 {
    server.get("Patient?called=p&_summary=count").await.expect(200).json()["total"].as_u64().unwrap()
}

async fn a_second_request_answers_with_the_job_that_runs(server: &TestServer) {
    many(server).await;
    let (first, second) = (begin(server).await, begin(server).await);

    assert_eq!(first, second);
    assert!(first.contains("/$reindex-status/"), "{first}");
    let report = finished(server, &first).await;
    assert_eq!(report["parameter"][0]["valueInteger"], MANY);
    server.delete(&first).await.expect(202);
    server.get(&first).await.refused(404);
}

async fn a_job_can_be_cancelled_and_then_nothing_is_ready(server: &TestServer) {
    many(server).await;
    server.create(&definition("called", "string", "Patient.name.family")).await;
    let job = begin(server).await;

    server.delete(&job).await.expect(202);

    server.get(&job).await.refused(404);
    server.get("Patient?called=p").await.refused(409);
    reindex(server, "$reindex").await;
    assert_eq!(found(server).await, MANY as u64);
}

async fn a_reindex_that_is_killed_goes_on_where_it_was(server: &TestServer) {
    many(server).await;
    server.create(&definition("called", "string", "Patient.name.family")).await;
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwell"));
        command.args(["reindex", "--database", server.database()]).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let done = |line: &str| -> Option<u64> { line.strip_prefix("reindex: ")?.split_once(" of ")?.0.parse().ok() };
    let mut first = run();
    let lines = BufReader::new(first.stderr.take().unwrap()).lines();
    let reached = lines.map_while(Result::ok).find_map(|line| done(&line)).unwrap();
    first.kill().unwrap();
    first.wait().unwrap();

    server.get("Patient?called=p").await.refused(409);
    let second = run().wait_with_output().unwrap();

    let told = String::from_utf8(second.stderr).unwrap();
    assert!(second.status.success(), "{told}");
    let next = told.lines().find_map(done).unwrap();
    assert!(reached > 0 && next > reached, "{reached}, then {told}");
    assert_eq!(found(server).await, MANY as u64);
}

async fn writes_during_a_reindex_are_found_after_it(server: &TestServer) {
    many(server).await;
    server.create(&definition("called", "string", "Patient.name.family")).await;
    let ids = server.found("Patient?_count=40&_elements=id").await;
    let job = begin(server).await;
    for id in &ids {
        let changed = json!({ "resourceType": "Patient", "id": id, "name": [{ "family": "Changed" }] });
        server.put(&format!("Patient/{id}"), &changed).await.expect(200);
        server.create(&json!({ "resourceType": "Patient", "name": [{ "family": "Changed" }] })).await;
    }
    finished(server, &job).await;

    let changed = server.get("Patient?called=changed&_summary=count").await.json()["total"].as_u64();
    assert_eq!(changed, Some(80));
    assert_eq!(found(server).await, (MANY - ids.len()) as u64);
}

async fn what_reindex_can_not_read_is_refused(server: &TestServer) {
    let parameters = json!({ "resourceType": "Parameters", "parameter": [{ "name": "x", "valueBoolean": true }] });

    server.post("$reindex", &parameters).await.refused(400);
    server.post("$reindex", &json!({ "resourceType": "Parameters" })).await.expect(202);
    server.get("$reindex").await.refused(405);
    server.get("$reindex-status/none").await.refused(404);
    server.delete("$reindex-status/none").await.refused(404);
}
