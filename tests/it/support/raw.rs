//! A bare connection, for requests that no client would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::TestServer;

/// Much longer than the server may take for what is tested.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to the server of a test.
pub struct Raw(pub TcpStream);

impl Raw {
    pub async fn connect(server: &TestServer) -> Raw {
        Raw(TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap())
    }

    pub async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Sends what the server may not take any more; tells whether it did.
    pub async fn try_send(&mut self, text: &str) -> bool {
        self.0.write_all(text.as_bytes()).await.is_ok()
    }

    /// All that comes until the server closes the connection.
    pub async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        let mut part = [0; 4096];
        // A connection that is reset is closed, too.
        while let Ok(length @ 1..) = timeout(PATIENCE, self.0.read(&mut part)).await.expect("the server closes it") {
            all.extend_from_slice(&part[..length]);
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    /// What comes until `end` has come.
    pub async fn until(&mut self, end: &str) -> String {
        let mut all = String::new();
        let mut part = [0; 4096];
        while !all.contains(end) {
            let length = timeout(PATIENCE, self.0.read(&mut part)).await.expect("an answer comes").unwrap();
            assert!(length > 0, "closed after {all:?}");
            all.push_str(&String::from_utf8_lossy(&part[..length]));
        }
        all
    }
}

/// Asks again and again until `is_so`; fails when it takes too long.
pub async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..3000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} does not happen");
}
