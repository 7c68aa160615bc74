//! `$reindex`: the job behind requests, and the command that does the same.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use http::Method;
use serde_json::{Value, json};

use crate::interactions::own_parameters::{definition, finished, reindex};
use crate::interactions::races::together;
use crate::support::program::{program, reindexed, serve};
use crate::support::{Answer, TestServer, bundle, on_both};

on_both!(
    a_second_request_answers_with_the_job_that_runs,
    a_job_can_be_cancelled_and_then_nothing_is_ready,
    a_reindex_that_is_killed_goes_on_where_it_was,
    a_server_that_is_killed_goes_on_with_its_job_when_it_starts_again,
    verify_takes_own_parameters_as_they_are_at_each_moment,
    writers_and_a_reindex_do_not_stop_each_other,
    writes_during_a_reindex_are_found_after_it,
    what_reindex_can_not_read_is_refused,
);

const MANY: usize = 1_000;
const TRIES: usize = 20;

async fn many(server: &TestServer, number: usize) {
    for chunk in (0..number).collect::<Vec<_>>().chunks(500) {
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

/// How many resources a job has done, while it runs.
fn progress(answer: &Answer) -> Option<u64> {
    answer.header("X-Progress").split_once(" of ")?.0.parse().ok()
}

async fn begin(server: &TestServer) -> String {
    server.request(Method::POST, "$reindex").send().await.expect(202).header("Content-Location")
}

async fn found(server: &TestServer) -> u64 {
    server.get("Patient?called=p&_summary=count").await.expect(200).json()["total"].as_u64().unwrap()
}

async fn a_second_request_answers_with_the_job_that_runs(server: &TestServer) {
    many(server, MANY).await;
    // Again when the first job is over before the second request is there.
    let mut tries = 0..TRIES;
    let job = loop {
        assert!(tries.next().is_some());
        let (first, second) = (begin(server).await, begin(server).await);
        let report = finished(server, &first).await;
        assert_eq!(report["parameter"][0]["valueInteger"], MANY);
        if first == second {
            break first;
        }
        finished(server, &second).await;
    };

    assert!(job.contains("/$reindex-status/"), "{job}");
    server.delete(&job).await.expect(202);
    server.get(&job).await.refused(404);
}

async fn a_job_can_be_cancelled_and_then_nothing_is_ready(server: &TestServer) {
    many(server, MANY).await;
    let mut called = definition("called", "string", "Patient.name.family");
    let id = server.create(&called).await;
    called["id"] = json!(id);
    // Again, with another definition, when the job is over before it is cancelled.
    for round in 0.. {
        assert!(round < TRIES);
        called["expression"] = json!(format!("Patient.name.family.where({round} >= 0)"));
        server.put(&format!("SearchParameter/{id}"), &called).await.expect(200);
        let job = begin(server).await;
        server.delete(&job).await.expect(202);
        server.get(&job).await.refused(404);
        let answer = server.get("Patient?called=p").await;
        if answer.status != 200 {
            answer.refused(409);
            break;
        }
    }

    reindex(server, "$reindex").await;
    assert_eq!(found(server).await, MANY as u64);
}

async fn a_reindex_that_is_killed_goes_on_where_it_was(server: &TestServer) {
    many(server, 4 * MANY).await;
    server.create(&definition("called", "string", "Patient.name.family")).await;
    let run = || program(server, "reindex").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = run();
    let lines = BufReader::new(first.stderr.take().unwrap()).lines();
    let reached = lines.map_while(Result::ok).find_map(|line| reindexed(&line)).unwrap();
    first.kill().unwrap();
    first.wait().unwrap();

    server.get("Patient?called=p").await.refused(409);
    let second = run().wait_with_output().unwrap();

    let told = String::from_utf8(second.stderr).unwrap();
    assert!(second.status.success(), "{told}");
    let next = told.lines().find_map(reindexed).unwrap();
    assert!(reached > 0 && next > reached, "{reached}, then {told}");
    assert_eq!(found(server).await, 4 * MANY as u64);
}

async fn a_server_that_is_killed_goes_on_with_its_job_when_it_starts_again(server: &TestServer) {
    many(server, MANY).await;
    server.create(&definition("called", "string", "Patient.name.family")).await;
    let (mut first, url) = serve(server);
    let begun = server.request(Method::POST, &format!("{url}/fhir/$reindex")).send().await.expect(202);
    let job = begun.header("Content-Location").rsplit('/').next().unwrap().to_owned();
    let reached = loop {
        let reached = progress(&server.get(&format!("{url}/fhir/$reindex-status/{job}")).await);
        // Killed when it is done, too, if it was that fast: nothing is to go wrong then, either.
        if reached != Some(0) {
            break reached;
        }
    };
    first.kill().unwrap();
    first.wait().unwrap();

    let (mut second, url) = serve(server);
    let report = finished(server, &format!("{url}/fhir/$reindex-status/{job}")).await;
    second.kill().unwrap();
    second.wait().unwrap();

    assert_eq!(report["parameter"][0]["valueInteger"], MANY + 1, "it was killed at {reached:?}");
    assert_eq!(found(server).await, MANY as u64);
}

async fn verify_takes_own_parameters_as_they_are_at_each_moment(server: &TestServer) {
    let verified = || {
        let run = program(server, "verify").output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    };
    many(server, MANY).await;

    let id = server.create(&definition("called", "string", "Patient.name.family")).await;
    server.create(&json!({ "resourceType": "Patient", "name": [{ "family": "New" }] })).await;
    verified();
    reindex(server, "$reindex").await;
    verified();
    server.delete(&format!("SearchParameter/{id}")).await.expect(204);
    server.create(&json!({ "resourceType": "Patient", "name": [{ "family": "New" }] })).await;
    verified();
    reindex(server, "$reindex").await;
    verified();
}

async fn writers_and_a_reindex_do_not_stop_each_other(server: &TestServer) {
    many(server, MANY).await;
    server.create(&definition("called", "string", "Patient.name.family")).await;
    let ids = server.found("Patient?_count=200&_elements=id").await;
    let job = begin(server).await;
    // Each transaction changes many, of the newest first, while the job goes from the oldest on.
    let requests = ids.chunks(50).map(|chunk| {
        let entry = |id: &String| {
            let changed = json!({ "resourceType": "Patient", "id": id, "name": [{ "family": "Changed" }] });
            json!({ "resource": changed, "request": { "method": "PUT", "url": format!("Patient/{id}") } })
        };
        let entries: Vec<Value> = chunk.iter().rev().map(entry).collect();
        server.request(Method::POST, "").json(&bundle("transaction", &entries)).send()
    });
    let statuses: Vec<u16> = together(requests.collect()).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200; 4]);
    finished(server, &job).await;

    let changed = server.get("Patient?called=changed&_summary=count").await.json()["total"].as_u64();
    assert_eq!(changed, Some(200));
    assert_eq!(found(server).await, MANY as u64 - 200);
}

async fn writes_during_a_reindex_are_found_after_it(server: &TestServer) {
    many(server, MANY).await;
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
