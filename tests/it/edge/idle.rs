//! Connections that are kept and ask for nothing: they cost little, are closed in their time, and others are served meanwhile.
//!
//! `EMBERWELL_TEST_IDLE` says how many, 1,000 if it is not set.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use emberwell::server::raise_open_files;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::support::program::Beside;
use crate::support::{TestServer, on_both};

on_both!(
    idle_connections_cost_little_and_keep_nobody_waiting,
    connections_beyond_the_most_wait_until_others_are_closed,
);

/// Memory of the server that one idle connection may cost.
const MOST_BYTES_EACH: u64 = 20_000;
/// An address may have 512.
const OF_ONE_ADDRESS: usize = 500;
/// Far more than a request takes, beside however many connections that do nothing.
const PROMPT: Duration = Duration::from_secs(3);
/// Far more than the server may take to close what is idle.
const PATIENCE: Duration = Duration::from_secs(60);
const GET: &[u8] = b"GET /fhir/Patient/absent HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A file of settings, gone when the test is over.
struct SettingsFile(PathBuf);

impl SettingsFile {
    fn make(of: &TestServer, text: &str) -> SettingsFile {
        let port = of.url.rsplit(':').next().unwrap();
        let path = std::env::temp_dir().join(format!("emberwell_idle_{}_{port}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        SettingsFile(path)
    }

    fn argument(&self) -> String {
        format!("--config={}", self.0.display())
    }
}

impl Drop for SettingsFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A connection from the `number`th client, of which each address has some.
async fn connect(server: &Beside, number: usize) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let end = u8::try_from(2 + number / OF_ONE_ADDRESS).expect("there are not more clients than that");
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, end)), 0)).unwrap();
    let connected = timeout(PATIENCE, socket.connect(server.address().parse().unwrap())).await;
    connected.expect("the system takes it").unwrap()
}

/// Asks on a connection and reads the whole answer, which must be 404.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(GET).await.unwrap();
    let mut answer = String::new();
    let mut part = [0; 4096];
    while !answer.ends_with("}]}") {
        let length = timeout(PATIENCE, stream.read(&mut part)).await.expect("an answer comes").unwrap();
        assert!(length > 0, "closed after {answer:?}");
        let _ = write!(answer, "{}", String::from_utf8_lossy(&part[..length]));
    }
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

/// Waits until the server has closed the connection the regular way.
async fn closed(stream: &mut TcpStream) {
    let read = timeout(PATIENCE, stream.read(&mut [0; 1])).await.expect("the server closes what is idle");
    assert_eq!(read.expect("it is closed, not reset"), 0);
}

async fn idle_connections_cost_little_and_keep_nobody_waiting(server: &TestServer) {
    let number: usize = match std::env::var("EMBERWELL_TEST_IDLE") {
        Ok(number) => number.parse().expect("EMBERWELL_TEST_IDLE is a whole number"),
        Err(_) => 1_000,
    };
    let files = raise_open_files().unwrap();
    assert!(files > number + 500, "the system lets a process have {files} files open only");
    let text = format!("[network]\nuncounted = []\nconnections = {}\n", number + 100);
    let settings = SettingsFile::make(server, &text);
    let beside = Beside::start(server, &[&settings.argument()]);
    // What is made once for all is not what a connection costs.
    for other in 0..50 {
        ask(&mut connect(&beside, other).await).await;
    }
    let before_kib = beside.resident_kib();

    let mut idle = Vec::with_capacity(number);
    for client in 0..number {
        let mut stream = connect(&beside, client).await;
        ask(&mut stream).await;
        idle.push(stream);
    }
    let bytes_each = beside.resident_kib().saturating_sub(before_kib) * 1024 / number as u64;
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let begun = Instant::now();
        ask(&mut connect(&beside, number + OF_ONE_ADDRESS).await).await;
        longest = longest.max(begun.elapsed());
    }

    // Past the test harness, which would keep what a passing test prints.
    let _ = writeln!(std::io::stderr(), "{number} idle connections: {bytes_each} bytes each, others wait {longest:?}");
    assert!(bytes_each <= MOST_BYTES_EACH, "each takes {bytes_each} bytes");
    assert!(longest < PROMPT, "another client has waited for {longest:?}");
    for stream in &mut idle {
        closed(stream).await;
    }
    ask(&mut connect(&beside, 0).await).await;
}

async fn connections_beyond_the_most_wait_until_others_are_closed(server: &TestServer) {
    let settings = SettingsFile::make(server, "[network]\nconnections = 8\nidle-seconds = 1\n");
    let beside = Beside::start(server, &[&settings.argument()]);

    let mut streams = Vec::new();
    for client in 0..24 {
        streams.push(connect(&beside, client).await);
        streams[client].write_all(GET).await.unwrap();
    }

    for stream in &mut streams {
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("its turn comes").unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
}
