//! The load: clients that each send the next request when the answer to the last one is there.
//!
//! All clients are on one thread: on a machine of few cores a thread for each would measure how the system switches
//! between them, and that comes out differently from run to run.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::bench::client::Client;

/// One request to make.
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    /// Empty for none.
    pub(super) body: String,
}

/// What a run showed.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    pub requests: u64,
    /// Requests per second.
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// The mean length of an answer's body.
    pub answer_bytes: u64,
}

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    Elapsed(Duration),
    /// So many requests in all.
    Sent(u64),
}

/// Sends what `make` gives for each number from `first` on, from `clients` at once, with `token` if there is one. Any status but 200 and 201 ends the
/// run with an error, for a server that refuses quickly is not fast.
pub(super) fn run(
    address: SocketAddr,
    token: Option<&str>,
    clients: usize,
    until: Until,
    first: u64,
    make: impl Fn(u64) -> Request + 'static,
) -> io::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let start = Instant::now();
    let token = token.map(str::to_owned);
    let run = Rc::new(Run { address, token, until, first, next: Cell::new(first), start, make });
    let each = LocalSet::new().block_on(&runtime, async {
        let started: Vec<_> = (0..clients).map(|_| tokio::task::spawn_local(one_client(Rc::clone(&run)))).collect();
        let mut each = Vec::with_capacity(clients);
        for client in started {
            each.push(client.await.unwrap_or_else(|error| Err(io::Error::other(error)))?);
        }
        Ok::<_, io::Error>(each)
    })?;
    let elapsed = start.elapsed();
    let answer_bytes: u64 = each.iter().map(|client| client.answer_bytes).sum();
    let mut latencies_us: Vec<u32> = each.into_iter().flat_map(|client| client.latencies_us).collect();
    latencies_us.sort_unstable();
    let requests = latencies_us.len() as u64;
    Ok(Measured {
        requests,
        per_second: requests as f64 / elapsed.as_secs_f64(),
        p50_ms: share(&latencies_us, 0.50),
        p99_ms: share(&latencies_us, 0.99),
        answer_bytes: answer_bytes / requests.max(1),
    })
}

/// The body of one answer.
pub(super) fn body(address: SocketAddr, path: &str) -> io::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        let mut client = Client::connect(address, None).await?;
        let answer = client.send("GET", path, &[]).await?;
        Ok(String::from_utf8_lossy(client.body(answer)).into_owned())
    })
}

struct OfClient {
    latencies_us: Vec<u32>,
    answer_bytes: u64,
}

/// What the clients of a run share.
struct Run<M> {
    address: SocketAddr,
    token: Option<String>,
    until: Until,
    first: u64,
    next: Cell<u64>,
    start: Instant,
    make: M,
}

async fn one_client(run: Rc<Run<impl Fn(u64) -> Request>>) -> io::Result<OfClient> {
    let mut client = Client::connect(run.address, run.token.as_deref()).await?;
    let mut done = OfClient { latencies_us: Vec::with_capacity(1 << 16), answer_bytes: 0 };
    loop {
        let number = run.next.replace(run.next.get() + 1);
        let is_over = match run.until {
            Until::Elapsed(span) => run.start.elapsed() >= span,
            Until::Sent(count) => number - run.first >= count,
        };
        if is_over {
            return Ok(done);
        }
        let request = (run.make)(number);
        let sent = Instant::now();
        let answer = client.send(request.method, &request.path, request.body.as_bytes()).await?;
        let latency_us = u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX);
        if !matches!(answer.status, 200 | 201) {
            let body = String::from_utf8_lossy(client.body(answer));
            return Err(unexpected(request.method, answer.status, &body));
        }
        done.latencies_us.push(latency_us);
        done.answer_bytes += answer.body_bytes as u64;
    }
}

/// An answer that ends a run.
pub(super) fn unexpected(method: &str, status: u16, body: &str) -> io::Error {
    let text: String = body.chars().take(300).collect();
    io::Error::other(format!("{method} was answered with {status}: {text}"))
}

/// The latency in ms that `share` of the sorted requests stayed within.
pub(super) fn share(sorted_us: &[u32], share: f64) -> f64 {
    let last = sorted_us.len().saturating_sub(1);
    let place = (last as f64 * share).round() as usize;
    sorted_us.get(place).map_or(0.0, |&us| f64::from(us) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn half_of_the_requests_stay_within_the_median() {
        assert_eq!(share(&[1000, 2000, 9000], 0.5), 2.0);
        assert_eq!(share(&[1000, 2000, 9000], 0.99), 9.0);
        assert_eq!(share(&[], 0.5), 0.0);
    }
}
