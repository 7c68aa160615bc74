//! One line per request: no path, no query, no body, nothing that is about a person.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;

/// So many answers a second that turn a request away have a line of their own: a server that has too much to do must not be
/// busy with saying so.
const TURNED_AWAY_LINES: u64 = 10;

/// Tells of an answer.
pub fn log<B: MessageBody>(response: &ServiceResponse<B>, method: &str, request_id: &HeaderValue, started: Instant) {
    let is_fault = response.status().is_server_error();
    if !is_fault && !tracing::enabled!(target: "access", tracing::Level::INFO) {
        return;
    }
    let mut left_out = 0;
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        match TURNED_AWAY.line(started) {
            Some(before) => left_out = before,
            None => return,
        }
    }
    let status = response.status().as_u16();
    // The route as it is written in `routes`, never the path.
    let route = response.request().match_name().unwrap_or("none");
    let duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let request_id = request_id.to_str().unwrap_or_default();
    let size_bytes = match response.response().body().size() {
        BodySize::Sized(bytes) => bytes,
        BodySize::None | BodySize::Stream => 0,
    };
    if left_out > 0 {
        tracing::warn!(target: "access", left_out, status, "Requests failed that have no line of their own");
    }
    if is_fault {
        tracing::warn!(target: "access", request_id, method, route, status, duration_us, size_bytes, "Request failed");
    } else {
        tracing::info!(target: "access", request_id, method, route, status, duration_us, size_bytes, "Request");
    }
}

static TURNED_AWAY: LazyLock<Sparse> = LazyLock::new(|| Sparse::new(TURNED_AWAY_LINES));

/// Lines of which there are so many a second and no more.
struct Sparse {
    most: u64,
    begun: Instant,
    /// The present second, and the lines that it has.
    present: Mutex<(u64, u64)>,
    left_out: AtomicU64,
}

impl Sparse {
    fn new(most: u64) -> Sparse {
        Sparse { most, begun: Instant::now(), present: Mutex::default(), left_out: AtomicU64::new(0) }
    }

    /// Whether there is to be a line now, and how many there were not since the last one.
    fn line(&self, now: Instant) -> Option<u64> {
        let second = now.saturating_duration_since(self.begun).as_secs();
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if present.0 != second {
            *present = (second, 0);
        }
        if present.1 == self.most {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        present.1 += 1;
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_left_out_is_counted_and_told_with_the_next_line() {
        let sparse = Sparse::new(2);
        let at = |ms| sparse.begun + Duration::from_millis(ms);

        let lines: Vec<Option<u64>> = [0, 10, 20, 900, 1000, 1001, 1002, 5000].map(|ms| sparse.line(at(ms))).to_vec();

        assert_eq!(lines, [Some(0), Some(0), None, None, Some(2), Some(0), None, Some(1)]);
    }
}
