//! A connection that watches how fast it goes.
//!
//! The HTTP library waits for the first head of a connection only so long, and for the next request. It does not watch how
//! slowly further heads come, what follows an answer that was given early, nor whether the client takes its answer: that is done
//! here, where the bytes pass. How slowly a body comes is watched where it is collected (`body`).

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::config::NetworkSettings;
use crate::http::lines::Line;

/// Where a connection stands, as its requests tell its stream.
#[derive(Debug, Default)]
pub struct Phase {
    /// A request was given to a handler, and there is no answer yet.
    is_asked: Cell<bool>,
    /// There was a request before: the head of the first is timed by the HTTP library, which can still answer.
    had_one: Cell<bool>,
    /// When the first byte came that belongs to no request so far.
    head_since: Cell<Option<Instant>>,
}

/// A request that is under way on its connection.
pub struct Asked(Rc<Phase>);

impl Phase {
    /// A request begins.
    pub fn begin(self: &Rc<Phase>) -> Asked {
        self.is_asked.set(true);
        self.head_since.set(None);
        Asked(Rc::clone(self))
    }

    fn came(&self) {
        if !self.is_asked.get() && self.had_one.get() && self.head_since.get().is_none() {
            self.head_since.set(Some(Instant::now()));
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.is_asked.set(false);
        self.0.had_one.set(true);
    }
}

/// The stream of a connection.
pub struct Wire {
    stream: TcpStream,
    phase: Rc<Phase>,
    pace: Arc<NetworkSettings>,
    /// Wakes the connection when a head may be late. Once set, it is left to run out: it is cheaper to be woken now and then
    /// than to set it for each request.
    head_timer: Option<Pin<Box<Sleep>>>,
    stall: Option<Stall>,
    waiting: Waiting,
    _line: Line,
}

/// An answer that the client does not take.
struct Stall {
    timer: Pin<Box<Sleep>>,
    /// What it has taken since the timer was set.
    taken_bytes: usize,
}

impl Wire {
    /// A connection that takes one of the lines of its address; `all_waiting` counts the bytes that all connections have waiting.
    pub fn new(stream: TcpStream, line: Line, pace: Arc<NetworkSettings>, all_waiting: Arc<AtomicUsize>) -> Wire {
        let waiting = Waiting { here: 0, all: all_waiting };
        Wire { stream, phase: Rc::default(), pace, head_timer: None, stall: None, waiting, _line: line }
    }

    /// For the requests on it.
    pub fn phase(&self) -> Rc<Phase> {
        Rc::clone(&self.phase)
    }

    /// Nothing more has come: is it late?
    fn awaits(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(since) = self.phase.head_since.get() else { return Poll::Pending };
        let deadline = since + self.pace.head_time;
        let timer = self.head_timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        while timer.as_mut().poll(context).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(Err(too_slow("the head of a request came too slowly")));
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// The client takes nothing more for now: has it taken enough lately?
    fn stalls(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let grace = self.pace.grace;
        let stall = self.stall.get_or_insert_with(|| Stall::begin(grace));
        while stall.timer.as_mut().poll(context).is_ready() {
            if stall.taken_bytes < least_bytes(grace, self.pace.bytes_per_second) {
                // What the system still holds for this client is given up, too.
                if let Err(error) = self.stream.set_zero_linger() {
                    tracing::debug!(%error, "A slow connection is closed the usual way");
                }
                return Poll::Ready(Err(too_slow("the client takes its answer too slowly")));
            }
            *stall = Stall::begin(grace);
        }
        Poll::Pending
    }
}

impl Stall {
    fn begin(grace: Duration) -> Stall {
        Stall { timer: Box::pin(sleep_until(Instant::now() + grace)), taken_bytes: 0 }
    }
}

/// What must go through in a time.
fn least_bytes(time: Duration, bytes_per_second: u32) -> usize {
    usize::try_from(time.as_millis() * u128::from(bytes_per_second) / 1000).unwrap_or(usize::MAX)
}

fn too_slow(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

/// How much of its answers a connection still has to send, as part of what all have.
struct Waiting {
    here: usize,
    all: Arc<AtomicUsize>,
}

impl Waiting {
    fn set(&mut self, bytes: usize) {
        if bytes > self.here {
            self.all.fetch_add(bytes - self.here, Ordering::Relaxed);
        } else if bytes < self.here {
            self.all.fetch_sub(self.here - bytes, Ordering::Relaxed);
        }
        self.here = bytes;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if read.is_pending() {
            return this.awaits(context);
        }
        if buffer.filled().len() > before {
            this.phase.came();
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        match &written {
            Poll::Pending => {
                this.waiting.set(bytes.len());
                return this.stalls(context);
            }
            Poll::Ready(Ok(length)) => {
                this.waiting.set(bytes.len() - length);
                if let Some(stall) = &mut this.stall {
                    stall.taken_bytes += length;
                }
            }
            Poll::Ready(Err(_)) => {}
        }
        written
    }

    /// The HTTP library comes here when all that it had is written.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.stall = None;
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_and_given_back() {
        let all = Arc::new(AtomicUsize::new(0));
        let mut one = Waiting { here: 0, all: Arc::clone(&all) };
        let mut other = Waiting { here: 0, all: Arc::clone(&all) };

        one.set(100);
        other.set(10);
        one.set(40);
        assert_eq!(all.load(Ordering::Relaxed), 50);
        drop(one);
        other.set(0);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_head_is_late_only_between_requests() {
        let phase = Rc::new(Phase::default());

        phase.came();
        assert!(phase.head_since.get().is_none(), "the HTTP library times the first head");
        let asked = phase.begin();
        phase.came();
        assert!(phase.head_since.get().is_none(), "a body is no head");
        drop(asked);
        phase.came();
        assert!(phase.head_since.get().is_some());
        drop(phase.begin());
        assert!(phase.head_since.get().is_none());
    }

    #[test]
    fn a_time_asks_for_its_share_of_a_second() {
        assert_eq!(least_bytes(Duration::from_secs(10), 1024), 10_240);
        assert_eq!(least_bytes(Duration::from_millis(250), 1024), 256);
    }
}
