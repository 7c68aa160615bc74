//! People, records, grants and clients by the commands, as operators use them: the program itself, beside a server.

mod clients;
mod commands;
mod custodians;
mod people;
mod rules;
mod shares;

use emberwell::store::{Reader, Store, StoreError};
use serde_json::Value;

use crate::support::TestServer;
use crate::support::program::run;

/// Runs `emberwell COMMAND ARGUMENTS --json`, which must be done, and gives what it prints.
#[track_caller]
fn done(server: &TestServer, command: &str, arguments: &[&str]) -> Value {
    let ended = run(server, command, &[arguments, &["--json"]].concat());
    assert_eq!(ended.code, Some(0), "{command} {arguments:?}: {}", ended.told);
    serde_json::from_str(&ended.stdout).unwrap()
}

/// Runs `emberwell COMMAND ARGUMENTS`, which must be refused with this exit code and tell people `wanted`, on one line.
#[track_caller]
fn refused(server: &TestServer, command: &str, arguments: &[&str], code: i32, wanted: &str) {
    let ended = run(server, command, arguments);
    let told = ended.told.trim_end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{command} {arguments:?}: {told}");
    assert!(told.lines().next_back().unwrap().starts_with("emberwell: "), "{told}");
    assert!(told.contains(wanted), "{wanted}: {told}");
}

/// An account with this name, at example.org.
#[track_caller]
fn person(server: &TestServer, name: &str) -> String {
    let email = format!("{}@example.org", name.to_lowercase());
    done(server, "person", &["add", "--email", &email, "--name", name]);
    email
}

/// Gives a Patient its first custodian.
#[track_caller]
fn adopt(server: &TestServer, record: &str, custodian: &str) -> i64 {
    let made = done(server, "record", &["add", "--custodian", custodian, "--existing", record]);
    made["grant"].as_i64().unwrap()
}

fn store(server: &TestServer) -> Store {
    Store::open(server.database(), 1, None).unwrap()
}

fn read<T>(server: &TestServer, work: impl FnOnce(&mut Reader<'_>) -> Result<T, StoreError>) -> T {
    store(server).read(work).unwrap()
}
