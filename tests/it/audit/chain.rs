//! What is changed in the trail is found.

use serde_json::{Value, json};

use crate::access::family::fill;
use crate::audit::{get, told};
use crate::support::database::execute;
use crate::support::program::run;
use crate::support::{TestServer, on_both};

on_both!(closed:
    verify_audit_finds_what_was_changed_left_out_or_swapped,
    verify_audit_finds_by_kept_ends_what_was_wiped_cut_or_written_anew,
);

async fn verify_audit_finds_what_was_changed_left_out_or_swapped(server: &TestServer) {
    let operator = fill(server).await.token;
    for id in ["first", "second", "third"] {
        get(server, &operator, id, "Patient/a").await.expect(200);
        assert_eq!(told(server, id, 1).await, ["read a"]);
    }
    let check = |code: i32, wanted: &str| {
        let ended = run(server, "verify-audit", &[]);
        assert_eq!(ended.code, Some(code), "{}", ended.told);
        assert!(ended.told.contains(wanted), "{wanted}: {}", ended.told);
    };
    let change = |statements: &str| execute(server.database(), statements);
    check(0, "events in 4 blocks");

    for column in ["at_us = at_us + 1", "seq = seq + 100"] {
        change(&format!("UPDATE audit_block SET {column} WHERE chain = 1 AND seq = 2"));
        check(1, "chain 1, block 2");
        change(&format!("UPDATE audit_block SET {} WHERE chain = 1 AND seq IN (2, 102)", column.replace('+', "-")));
        check(0, "events in 4 blocks");
    }

    let swap = "UPDATE audit_block SET seq = -2 WHERE chain = 1 AND seq = 2; \
                UPDATE audit_block SET seq = 2 WHERE chain = 1 AND seq = 3; \
                UPDATE audit_block SET seq = 3 WHERE chain = 1 AND seq = -2;";
    change(swap);
    check(1, "chain 1, block 2: it is not what was written here");
    change(swap);
    check(0, "events in 4 blocks");

    change("DELETE FROM audit_patient WHERE chain = 1 AND seq = 3");
    check(1, "chain 1, block 3: it is not found under all the Patients");
    change(
        "INSERT INTO audit_patient (patient, at_us, chain, seq) SELECT p.patient, b.at_us, b.chain, b.seq FROM audit_patient p, audit_block b \
         WHERE p.chain = 1 AND p.seq = 2 AND b.chain = 1 AND b.seq = 3",
    );
    check(0, "events in 4 blocks");
    change("INSERT INTO audit_patient (patient, at_us, chain, seq) VALUES (5, 1, 1, 3)");
    check(1, "whom no block is about");
    change("DELETE FROM audit_patient WHERE patient = 5");

    change("DELETE FROM audit_block WHERE chain = 1 AND seq = 4");
    check(1, "chain 1, block 4: it is missing");
    change("DELETE FROM audit_block WHERE chain = 1 AND seq = 2");
    check(1, "chain 1, block 2: it is missing");
}

async fn verify_audit_finds_by_kept_ends_what_was_wiped_cut_or_written_anew(server: &TestServer) {
    let operator = fill(server).await.token;
    let folder = std::env::temp_dir().join(format!("emberwell_ends_{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("ends.json");
    let path = file.to_str().unwrap();
    let check = |wanted: i32, says: &str| {
        let ended = run(server, "verify-audit", &["--json", "--from", path]);
        assert_eq!(ended.code, Some(wanted), "{says}: {}", ended.told);
        assert!(ended.told.contains(says), "{says}: {}", ended.told);
        let broken = serde_json::from_str::<Value>(&ended.stdout).unwrap_or_default()["broken"].clone();
        assert_eq!(broken.is_string(), wanted == 1, "{broken}");
    };
    let change = |statements: &str| execute(server.database(), statements);
    // A run finds what was kept, and more since.
    for id in ["first", "second"] {
        get(server, &operator, id, "Patient/a").await.expect(200);
        told(server, id, 1).await;
    }
    let kept = run(server, "verify-audit", &["--json"]);
    std::fs::write(&file, &kept.stdout).unwrap();
    check(0, "chains that still have the end");
    get(server, &operator, "third", "Patient/a").await.expect(200);
    told(server, "third", 1).await;
    check(0, "chains that still have the end");
    let heads = serde_json::from_str::<Value>(&kept.stdout).unwrap()["heads"].clone();
    let head = heads.as_array().unwrap().iter().find(|head| head["chain"] == 1).unwrap();
    let last = head["blocks"].as_i64().unwrap();
    assert!(last >= 2, "{heads}");

    // The last block of then is cut off, with all that follows and all that points to it.
    let before = last - 1;
    change(&format!(
        "CREATE TABLE cut AS SELECT * FROM audit_block; CREATE TABLE cut_patient AS SELECT * FROM audit_patient; \
         CREATE TABLE cut_chain AS SELECT * FROM audit_chain; \
         DELETE FROM audit_block WHERE chain = 1 AND seq > {before}; \
         DELETE FROM audit_patient WHERE chain = 1 AND seq > {before}; \
         UPDATE audit_chain SET seq = {before}, hash = (SELECT hash FROM audit_block WHERE chain = 1 AND seq = {before}) \
         WHERE chain = 1;"
    ));
    assert_eq!(run(server, "verify-audit", &[]).code, Some(0), "no chain tells that by itself");
    check(1, &format!("chain 1, block {last}: it was the end of its chain earlier, and is missing"));
    // Others are written in its place.
    for id in ["fourth", "fifth", "sixth"] {
        get(server, &operator, id, "Patient/a").await.expect(200);
        told(server, id, 1).await;
    }
    assert_eq!(run(server, "verify-audit", &[]).code, Some(0));
    check(1, &format!("chain 1, block {last}: it was the end of its chain earlier, and another stands in its place"));

    // All is as it was.
    let restored = "DELETE FROM audit_block; DELETE FROM audit_patient; DELETE FROM audit_chain; \
         INSERT INTO audit_block SELECT * FROM cut; INSERT INTO audit_patient SELECT * FROM cut_patient; \
         INSERT INTO audit_chain SELECT * FROM cut_chain;";
    change(restored);
    check(0, "chains that still have the end");
    // All is wiped.
    let hash = if server.database().starts_with("sqlite") { "zeroblob(32)" } else { "decode(repeat('00', 32), 'hex')" };
    change(&format!(
        "DELETE FROM audit_block; DELETE FROM audit_patient; UPDATE audit_chain SET seq = 0, hash = {hash};"
    ));
    assert_eq!(run(server, "verify-audit", &[]).code, Some(0), "no chain tells that by itself");
    check(1, &format!("chain 1, block {last}: it was the end of its chain earlier, and is missing"));

    // What is no report of a whole trail is wrong usage.
    let broken = json!({ "heads": heads, "broken": "chain 1, block 2: it is missing" });
    let odd = json!({ "heads": [{ "chain": 1, "blocks": 2, "hash": "00" }], "broken": null });
    for (text, says) in [
        ("{}".to_owned(), "it is no report"),
        ("x".to_owned(), "it is no report"),
        (broken.to_string(), "broken already then"),
        (odd.to_string(), "no end of a chain"),
    ] {
        std::fs::write(&file, text).unwrap();
        check(2, says);
    }
    std::fs::remove_dir_all(&folder).unwrap();
    check(2, "it can't be read");
}
