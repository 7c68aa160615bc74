//! What the audit trail tells.

mod chain;
mod commands;
mod events;
mod queries;
mod readable;
mod stops;

use std::time::{Duration, Instant};

use emberwell::audit::{Event, Outcome, trail};
use emberwell::clock::now_us;
use emberwell::store::{Store, StoreError};
use http::Method;

use crate::support::TestServer;
use crate::support::client::{Answer, Request};

/// All events in the database, with the ids of their Patients in place of the keys.
pub fn all(server: &TestServer) -> Vec<(Event, Option<String>)> {
    let store = Store::open(server.database(), 1, None).unwrap();
    let mut events = Vec::new();
    let told = store.read(|reader| {
        trail(reader, None, |reader, _, event| {
            let patient = event.patient.map(|key| reader.targets(&[key])).transpose()?;
            let patient =
                patient.map(|found| found.first().map_or("unknown".to_owned(), |found| found.key.id.to_string()));
            events.push((event, patient));
            Ok(())
        })
    });
    told.map_err(|error: StoreError| error.to_string()).unwrap();
    events
}

/// The events of a request as `deed patient outcome`, in alphabetical order. Waits until there are some; `wanted` tells how many.
pub async fn told(server: &TestServer, request: &str, wanted: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let events = all(server);
        let mut found: Vec<String> = events
            .iter()
            .filter(|(event, _)| &*event.request == request)
            .map(|(event, patient)| {
                let patient = patient.as_deref().unwrap_or("-");
                match event.outcome {
                    Outcome::Done => format!("{} {patient}", event.deed),
                    Outcome::Refused(status) => format!("{} {patient} {status}", event.deed),
                }
            })
            .collect();
        found.sort();
        if found.len() >= wanted || begun.elapsed() > Duration::from_secs(20) {
            return found;
        }
        actix_web::rt::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A request with an id.
pub fn request(server: &TestServer, token: &str, id: &str, method: Method, path: &str) -> Request {
    // The clock of the server counts whole milliseconds, and what happens in the same one has no order.
    let before_us = now_us();
    while now_us() == before_us {
        std::hint::spin_loop();
    }
    server.request_as(token, method, path).header("X-Request-Id", id)
}

pub async fn get(server: &TestServer, token: &str, id: &str, path: &str) -> Answer {
    request(server, token, id, Method::GET, path).send().await
}
