//! A database that an earlier release has written: its resources have no rows in the index until a reindex makes them.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::database::execute;
use crate::support::program::{program, refused_start, reindexed, run};
use crate::support::{TestServer, bundle, on_both};

on_both!(a_stale_index_is_refused_until_it_is_made_anew, a_reindex_of_a_stale_index_goes_on_where_it_broke_off);

async fn many(server: &TestServer, number: usize) {
    let entries: Vec<Value> = (0..number)
        .map(|number| {
            let name = json!([{ "family": format!("Family{number}") }]);
            let text =
                json!({ "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">willow</div>" });
            let patient = json!({ "resourceType": "Patient", "text": text, "gender": "female", "name": name });
            json!({ "resource": patient, "request": { "method": "POST", "url": "Patient" } })
        })
        .collect();
    for chunk in entries.chunks(1000) {
        server.post("", &bundle("batch", chunk)).await.expect(200);
    }
}

/// What the migrations do to a database whose index is of an earlier form: they empty it, and mark it.
fn make_stale(server: &TestServer) {
    const TABLES: [&str; 9] = [
        "index_token",
        "index_string",
        "index_date",
        "index_quantity",
        "index_reference",
        "index_uri",
        "index_composite",
        "index_position",
        "compartment",
    ];
    let is_sqlite = server.database().starts_with("sqlite:");
    let mut statements: String = TABLES.iter().map(|table| format!("DELETE FROM {table};")).collect();
    statements.push_str(match is_sqlite {
        true => "INSERT INTO index_words (index_words) VALUES ('delete-all'); UPDATE resource SET index_rows = x'';",
        false => "DELETE FROM index_words; UPDATE resource SET index_rows = '';",
    });
    statements.push_str("UPDATE index_rules SET is_stale = 1;");
    execute(server.database(), &statements);
}

async fn total(server: &TestServer, query: &str) -> u64 {
    server.get(&format!("Patient?{query}&_summary=count")).await.expect(200).json()["total"].as_u64().unwrap()
}

#[track_caller]
fn is_refused(server: &TestServer) {
    let told = refused_start(server, &[]);
    assert!(told.contains("Run 'emberwell reindex' first"), "{told}");
}

async fn a_stale_index_is_refused_until_it_is_made_anew(server: &TestServer) {
    many(server, 30).await;
    make_stale(server);
    assert_eq!(total(server, "gender=female").await, 0);
    is_refused(server);
    assert_eq!(run(server, "verify", &[]).code, Some(1));

    let reindexed = run(server, "reindex", &[]);

    assert_eq!(reindexed.code, Some(0), "{}", reindexed.told);
    assert!(reindexed.told.contains("30 resources have their index rows anew"), "{}", reindexed.told);
    let again = server.beside(|_| {}).await;
    for (query, expected) in [("gender=female", 30), ("family=family7", 1), ("_text=willow", 30), ("gender=male", 0)] {
        assert_eq!(total(&again, query).await, expected, "{query}");
    }
    assert_eq!(again.found("Patient?_sort=-family&_count=1&family=family1").await.len(), 1);
    let verified = run(server, "verify", &[]);
    assert_eq!(verified.code, Some(0), "{}", verified.told);
    again.stop().await;
}

async fn a_reindex_of_a_stale_index_goes_on_where_it_broke_off(server: &TestServer) {
    const MANY: usize = 3_000;
    many(server, MANY).await;
    make_stale(server);
    let mut first = program(server, "reindex").stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(first.stderr.take().unwrap()).lines();
    let reached = lines.map_while(Result::ok).find_map(|line| reindexed(&line)).unwrap();
    first.kill().unwrap();
    assert!(!first.wait().unwrap().success());
    is_refused(server);

    let second = run(server, "reindex", &[]);

    assert_eq!(second.code, Some(0), "{}", second.told);
    let next = second.told.lines().find_map(reindexed).unwrap();
    assert!(reached > 0 && next > reached, "{reached}, then {}", second.told);
    let again = server.beside(|_| {}).await;
    assert_eq!(total(&again, "gender=female").await, MANY as u64);
    assert_eq!(total(&again, "_text=willow").await, MANY as u64);
    assert_eq!(run(server, "verify", &[]).code, Some(0));
    again.stop().await;
}
