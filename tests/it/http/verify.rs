//! `emberwell verify` on databases that were damaged behind the server's back.

use serde_json::{Value, json};

use crate::support::database::execute;
use crate::support::program::run;
use crate::support::{TestServer, on_both};

on_both!(damaged_words_are_found_with_the_resource_that_they_belong_to, words_of_nobody_are_found);

async fn write(server: &TestServer, id: &str, words: &str) {
    let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{words}</div>");
    let text = json!({ "status": "generated", "div": div });
    let patient = json!({ "resourceType": "Patient", "id": id, "text": text, "name": [{ "family": "Rest" }] });
    server.put(&format!("Patient/{id}"), &patient).await;
}

/// What is wrong with the database.
fn findings(server: &TestServer) -> Vec<String> {
    let verified = run(server, "verify", &["--json"]);
    let report: Value = serde_json::from_str(&verified.stdout).unwrap();
    let findings: Vec<String> =
        report["findings"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    assert_eq!(verified.code, Some(i32::from(!findings.is_empty())), "{}", verified.told);
    assert_eq!(report["problems"], findings.len());
    findings
}

/// Replaces the text `old` by `new` in the words of a narrative.
fn replace(server: &TestServer, id: &str, old: &str, new: &str) {
    let rid = format!("(SELECT rid FROM resource WHERE id = '{id}')");
    // SQLite keeps the index alone: the text is put together again.
    let text = |column: &str| {
        format!(
            "(SELECT group_concat(term, ' ') FROM (SELECT term FROM index_words_read WHERE doc = {rid} \
             AND col = '{column}' ORDER BY \"offset\"))"
        )
    };
    let statement = match server.database().starts_with("sqlite:") {
        true => format!(
            "UPDATE index_words SET narrative = replace({}, '{old}', '{new}'), rest = {} WHERE rowid = {rid}",
            text("narrative"),
            text("rest")
        ),
        false => {
            format!("UPDATE index_words SET narrative = replace(narrative, '{old}', '{new}') WHERE rid = {rid}")
        }
    };
    execute(server.database(), &statement);
}

async fn damaged_words_are_found_with_the_resource_that_they_belong_to(server: &TestServer) {
    write(server, "a", "willow and oak").await;
    write(server, "b", "willow and elm").await;
    assert_eq!(findings(server), [""; 0]);

    let is_told = |what: &str, end: &str| {
        let findings = findings(server);
        let [only] = findings.as_slice() else { panic!("{what}: {findings:?}") };
        assert!(only.starts_with("index_words: Patient/a has ") && only.ends_with(end), "{what}: {only}");
    };
    replace(server, "a", "willow", "poplar");
    is_told("a word is another", "but not those that belong to it");
    replace(server, "a", "poplar and", "and willow");
    is_told("two words have changed places", "but not those that belong to it");
    replace(server, "a", "and willow", "willow");
    is_told("a word is gone", "belong to it");
    replace(server, "a", "willow", "willow and");
    assert_eq!(findings(server), [""; 0]);
    let key = if server.database().starts_with("sqlite:") { "rowid" } else { "rid" };
    let here = "(SELECT rid FROM resource WHERE id = 'a')";
    execute(server.database(), &format!("DELETE FROM index_words WHERE {key} = {here}"));
    is_told("all are gone", "belong to it");
}

async fn words_of_nobody_are_found(server: &TestServer) {
    write(server, "a", "willow and oak").await;
    let key = if server.database().starts_with("sqlite:") { "rowid" } else { "rid" };

    execute(
        server.database(),
        &format!("INSERT INTO index_words ({key}, narrative, rest) VALUES (4711, 'willow', 'oak')"),
    );

    assert_eq!(findings(server), ["index_words: resource number 4711, which is not there has 2 rows, 0 belong to it"]);
}
