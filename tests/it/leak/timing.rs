//! How long what is hidden takes to be denied, beside what isn't there: a measurement, to be asked for by `--ignored`.

use std::io::Write;
use std::time::{Duration, Instant};

use http::Method;

use crate::leak::judge::Sent;
use crate::leak::people::observation;
use crate::leak::world::{Kind, Worlds};
use crate::leak::{run, seed};
use crate::support::Database;

/// So often each is asked, in turns.
const ROUNDS: usize = 400;

/// Requests in which `@b-lab@` is put in place of `ID`, or what isn't there.
fn requests() -> Vec<(&'static str, Sent)> {
    let mut own = observation("Patient/a", "laboratory", "sent");
    own["id"] = "@ID@".into();
    vec![
        ("read", Sent::get("Observation/@ID@")),
        ("vread", Sent::get("Observation/@ID@/_history/1")),
        ("history", Sent::get("Observation/@ID@/_history")),
        ("search by _id", Sent::get("Observation?_id=@ID@")),
        ("search by has-member", Sent::get("Observation?has-member=Observation/@ID@")),
        ("_has by _id", Sent::get("Practitioner?_has:Observation:performer:_id=@ID@")),
        ("update", Sent::of(Method::PUT, "Observation/@ID@").json(&own)),
        ("delete", Sent::of(Method::DELETE, "Observation/@ID@")),
    ]
}

fn put(sent: &Sent, name: &str) -> Sent {
    let told = |text: &str| text.replace("@ID@", &format!("@{name}@"));
    let body = sent.body.as_ref().map(|(media, body)| (*media, told(body)));
    Sent { path: told(&sent.path), body, ..sent.clone() }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn measure(database: Database) {
    let Some(worlds) = Worlds::make(database, Kind::Whole, seed()).await else { return };
    let _ = writeln!(std::io::stderr(), "{database:?}: median of {ROUNDS}, hidden and absent, in microseconds");
    for (name, sent) in requests() {
        let (mut hidden, mut absent) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            for (id, times) in [("b-lab", &mut hidden), ("free", &mut absent)] {
                let sent = put(&sent, id);
                let begin = Instant::now();
                sent.send(&worlds, &worlds.full, "timing").await;
                times.push(begin.elapsed());
            }
        }
        let (hidden, absent) = (median(&mut hidden).as_micros(), median(&mut absent).as_micros());
        let _ = writeln!(
            std::io::stderr(),
            "| {name} | {hidden} | {absent} | {:+} % |",
            hidden as i128 * 100 / absent as i128 - 100
        );
    }
    worlds.stop().await;
}

#[test]
#[ignore = "a measurement"]
fn denials_are_timed_on_sqlite() {
    run(Database::Sqlite, measure);
}

#[test]
#[ignore = "a measurement"]
fn denials_are_timed_on_postgres() {
    run(Database::Postgres, measure);
}
