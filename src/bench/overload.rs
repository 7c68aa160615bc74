//! What happens when four times as much is asked of the server as it can do: how much of it is still done, how the rest is
//! turned away, what memory that takes, and whether it is over when the crowd has gone.
//!
//! The peak is what a few clients reach that each wait for their answers. Then a crowd of connections asks, all on one thread:
//! each has a time for its next request, so that all of them together come to four times the peak. Who waits for an answer at
//! that time asks when it has come, and who is turned away asks again at its next time, whatever `Retry-After` says. So the crowd
//! asks as often as it means to while the server answers all in time, be it by turning away, and has all its connections waiting
//! when it does not. What it came to stands in the report.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;
use tokio::time::{sleep_until, timeout};

use crate::bench::child::Server;
use crate::bench::client::Client;
use crate::bench::load::{self, Request, Until, share};
use crate::bench::report::{Overload, OverloadLine};
use crate::bench::{BenchError, Plan, SETTLING, data, seed, start};

/// Four times the peak is asked for.
const TIMES: f64 = 4.0;
/// What a crowd reaches is counted from this time on, when its queues are full.
const FILLING: Duration = Duration::from_secs(1);
/// How often the memory of the server is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// With how many clients the peak is looked for.
const PEAK_CLIENTS: [usize; 2] = [16, 64];

/// Length of what the library alone answers: about that of an Observation.
const CONSTANT_BYTES: &str = "1600";

/// Measures each work of `plan` by itself: a peak, a crowd of `crowd` connections, and the peak again. First the HTTP library alone,
/// answering a constant: what it loses to so many connections, and to this process that makes them, is not the server's.
pub(super) fn measure(
    plan: &Plan,
    crowd: usize,
    folder: &Path,
    progress: &dyn Fn(&str),
) -> Result<Overload, BenchError> {
    let span = plan.span;
    let mut lines = Vec::new();
    let library = Server::start(folder, &["bench-constant", "--listen", "127.0.0.1:0", "--bytes", CONSTANT_BYTES])?;
    let constant = |_: u64| Request { method: "GET", path: "/".to_owned(), body: String::new() };
    let mut alone = Side { server: &library, span, crowd, next: 0, progress };
    lines.push(alone.line("library alone", constant)?);
    library.stop()?;
    let server = start(plan, folder)?;
    progress("writing the resources that are read");
    seed(&server)?;
    let mut side = Side { server: &server, span, crowd, next: data::SEEDED, progress };
    for &work in &plan.works {
        lines.push(side.line(work.name(), move |number| work.request(number))?);
    }
    server.stop()?;
    Ok(Overload { database: plan.database_name(), crowd, lines })
}

/// A server that is measured.
struct Side<'a> {
    server: &'a Server,
    span: Duration,
    crowd: usize,
    /// The first number that no request has had.
    next: u64,
    progress: &'a dyn Fn(&str),
}

impl Side<'_> {
    fn line(
        &mut self,
        work: &'static str,
        make: impl Fn(u64) -> Request + Copy + 'static,
    ) -> Result<OverloadLine, BenchError> {
        let server = self.server;
        (self.progress)(&format!("{work}: the peak"));
        let [few, more] = PEAK_CLIENTS;
        let (small, large) = (self.peak(few, make)?, self.peak(more, make)?);
        let (clients, before) = if small.per_second < large.per_second { (more, large) } else { (few, small) };
        (self.progress)(&format!("  {} connections", self.crowd));
        let memory_kib = server.own_memory_kib()?;
        let cpu_us = server.cpu_us()?;
        let tally = ask(server, self.crowd, self.span, TIMES * before.per_second, self.next, make)?;
        let cpu_us = server.cpu_us()? - cpu_us;
        self.next = tally.next;
        (self.progress)("  the peak again");
        let after = self.peak(clients, make)?;
        #[allow(clippy::disallowed_methods, reason = "what is given back is looked at when nothing happens any more")]
        std::thread::sleep(SETTLING);
        Ok(OverloadLine {
            work,
            peak_per_second: before.per_second,
            after_per_second: after.per_second,
            asked_per_second: tally.per_second(tally.asked),
            done_per_second: tally.per_second(tally.done),
            shed_per_second: tally.per_second(tally.shed),
            broken: tally.broken,
            p50_ms: share(&tally.latencies_us, 0.50),
            p99_ms: share(&tally.latencies_us, 0.99),
            peak_cpu_us: before.cpu_us,
            cpu_us: cpu_us as f64 / tally.done_in_all.max(1) as f64,
            memory_kib,
            most_kib: tally.most_kib,
            left_kib: server.own_memory_kib()?,
        })
    }

    fn peak(&mut self, clients: usize, make: impl Fn(u64) -> Request + 'static) -> Result<Peak, BenchError> {
        let before_us = self.server.cpu_us()?;
        let until = Until::Elapsed(self.span / 2);
        let measured = load::run(self.server.address, None, clients, until, self.next, make)?;
        // Each client asks for one number more than it uses.
        self.next += measured.requests + clients as u64;
        let cpu_us = (self.server.cpu_us()? - before_us) as f64 / measured.requests.max(1) as f64;
        Ok(Peak { per_second: measured.per_second, cpu_us })
    }
}

/// What a few clients reach.
#[derive(Clone, Copy)]
struct Peak {
    per_second: f64,
    cpu_us: f64,
}

/// What became of the requests of a crowd, once its queues were full.
#[derive(Debug, Default)]
struct Tally {
    span: Duration,
    asked: u64,
    done: u64,
    /// The same, from the first request on: what the processor time was for.
    done_in_all: u64,
    shed: u64,
    /// Connections that were cut off in the midst of a request, or could not be made.
    broken: u64,
    /// The most memory that the server was seen to have.
    most_kib: u64,
    /// The first number that no request has had.
    next: u64,
    /// Of what was done, in ascending order.
    latencies_us: Vec<u32>,
}

impl Tally {
    fn per_second(&self, requests: u64) -> f64 {
        requests as f64 / self.span.as_secs_f64()
    }
}

/// What a crowd has in common.
struct Crowd {
    address: SocketAddr,
    make: Box<dyn Fn(u64) -> Request>,
    next: Cell<u64>,
    /// Between two requests of one connection.
    period: Duration,
    counted_from: Instant,
    until: Instant,
    tally: RefCell<Tally>,
}

fn ask(
    server: &Server,
    crowd: usize,
    span: Duration,
    per_second: f64,
    first: u64,
    make: impl Fn(u64) -> Request + 'static,
) -> io::Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    LocalSet::new().block_on(&runtime, async {
        let begin = Instant::now();
        let period = Duration::from_secs_f64(crowd as f64 / per_second);
        let shared = Rc::new(Crowd {
            address: server.address,
            make: Box::new(make),
            next: Cell::new(first),
            period,
            counted_from: begin + FILLING,
            until: begin + FILLING + span,
            tally: RefCell::new(Tally { span, ..Tally::default() }),
        });
        let spread = |place: usize| begin + period.mul_f64(place as f64 / crowd as f64);
        let started: Vec<_> =
            (0..crowd).map(|place| tokio::task::spawn_local(one_of_many(Rc::clone(&shared), spread(place)))).collect();
        let mut most_kib = 0;
        for mut one in started {
            loop {
                match timeout(LOOK_EVERY, &mut one).await {
                    Ok(ended) => break ended.unwrap_or_else(|error| Err(io::Error::other(error)))?,
                    Err(_) => most_kib = most_kib.max(server.own_memory_kib()?),
                }
            }
        }
        let mut tally = Tally { most_kib, next: shared.next.get(), ..shared.tally.take() };
        tally.latencies_us.sort_unstable();
        Ok(tally)
    })
}

async fn one_of_many(crowd: Rc<Crowd>, mut due: Instant) -> io::Result<()> {
    let mut connected = None;
    loop {
        if due > Instant::now() {
            sleep_until(due.into()).await;
        }
        let sent = Instant::now();
        if sent >= crowd.until {
            return Ok(());
        }
        let client = match &mut connected {
            Some(client) => client,
            // A connection on which no request comes is closed by the server, so it is made when there is one.
            none => none.insert(Client::connect(crowd.address, None).await?),
        };
        let Request { method, path, body } = (crowd.make)(crowd.next.replace(crowd.next.get() + 1));
        let answer = client.send(method, &path, body.as_bytes()).await;
        let now = Instant::now();
        due = now.max(due + crowd.period);
        let is_counted = (crowd.counted_from..crowd.until).contains(&now);
        let mut tally = crowd.tally.borrow_mut();
        tally.asked += u64::from(is_counted);
        match answer {
            Ok(answer) if matches!(answer.status, 200 | 201) => {
                tally.done_in_all += 1;
                if is_counted {
                    tally.done += 1;
                    tally.latencies_us.push(u32::try_from((now - sent).as_micros()).unwrap_or(u32::MAX));
                }
            }
            Ok(answer) if matches!(answer.status, 408 | 429 | 503) => {
                tally.shed += u64::from(is_counted);
                if answer.status == 408 {
                    // The first head came before the server had time to look at it; it closes the connection.
                    connected = None;
                }
            }
            Ok(answer) => {
                let body = String::from_utf8_lossy(client.body(answer)).into_owned();
                return Err(load::unexpected(method, answer.status, &body));
            }
            Err(_) => {
                // Counted whenever it happens: none of them is right.
                tally.broken += 1;
                connected = None;
            }
        }
    }
}
