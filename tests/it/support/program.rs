//! The program itself, on the database of a server in the test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::TestServer;

/// How a run of the program ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    /// What it told people.
    pub told: String,
}

/// The program on the database of `server`, with no settings from outside.
pub fn program(server: &TestServer, command: &str) -> Command {
    on(server.database(), command)
}

/// The program on the database at this address, with no settings from outside.
pub fn on(database: &str, command: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_emberwell"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("EMBERWELL_")) {
        program.env_remove(name);
    }
    program.args([command, "--database", database]);
    program
}

/// Runs a command to its end.
pub fn run(server: &TestServer, command: &str, arguments: &[&str]) -> Ended {
    let run = program(server, command).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: run.status.code(), stdout: text(run.stdout), told: text(run.stderr) }
}

/// Starts a server that is to refuse to start, on a port that nobody else has, and gives what it tells people.
#[track_caller]
pub fn refused_start(server: &TestServer, arguments: &[&str]) -> String {
    let ended = run(server, "serve", &[&["--open", "--listen=127.0.0.1:0"], arguments].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.told);
    ended.told
}

/// A server of its own process on the same database, and its address.
pub fn serve(server: &TestServer) -> (Child, String) {
    serve_with(server, &[])
}

/// As [`serve`], with more arguments.
pub fn serve_with(server: &TestServer, arguments: &[&str]) -> (Child, String) {
    let mut program = program(server, "serve");
    program.args(["--open", "--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = program.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().strip_prefix("listening on ").unwrap().to_owned())
}

/// How many resources a reindex has done, by a line that it tells.
pub fn reindexed(line: &str) -> Option<u64> {
    line.strip_prefix("reindex: ")?.split_once(" of ")?.0.parse().ok()
}

/// A server of its own process, which ends with this value, also when the test fails.
pub struct Beside {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub url: String,
}

impl Beside {
    /// As [`serve_with`].
    pub fn start(server: &TestServer, arguments: &[&str]) -> Beside {
        let (child, url) = serve_with(server, arguments);
        Beside { child, url }
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// The memory that the process holds.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
