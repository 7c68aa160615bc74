//! What is changed in the trail is found.

use crate::access::family::fill;
use crate::audit::{get, told};
use crate::support::database::execute;
use crate::support::program::run;
use crate::support::{TestServer, on_both};

on_both!(closed: verify_audit_finds_what_was_changed_left_out_or_swapped);

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
