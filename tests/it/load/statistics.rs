//! That searches are planned for what was loaded.

use serde_json::Value;

use crate::load::scratch::Scratch;
use crate::support::database::select;
use crate::support::{Database, TestServer, patient, server};

#[test]
fn postgres_knows_what_its_tables_hold_after_a_load() {
    server::run(Database::Postgres, async |server: &TestServer| {
        let scratch = Scratch::make();
        let lines: Vec<Value> = (0..300).map(|number| patient(&number.to_string())).collect();
        scratch.lines("a.ndjson", &lines);

        let run = scratch.load(&["--database", server.database()]);

        assert_eq!(run.code, 0, "{}", run.told);
        let known =
            "SELECT CAST(CAST(reltuples AS BIGINT) AS TEXT) AS line FROM pg_class WHERE oid = 'resource'::regclass";
        assert_eq!(select(server.database(), known), ["300"]);
    });
}
