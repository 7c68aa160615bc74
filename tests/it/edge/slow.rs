//! Clients that are slow on purpose: they are cut off, and others are served meanwhile.

use std::time::{Duration, Instant};

use emberwell::config::NetworkSettings;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::support::raw::{Raw, eventually};
use crate::support::server::run_with;
use crate::support::{Database, TestServer, on_both};

on_both!(by crate::edge::slow::hurried:
    a_first_head_that_does_not_come_is_answered_408,
    a_later_head_that_drips_is_cut_off,
    a_body_that_drips_is_answered_408,
    a_body_that_comes_evenly_but_takes_too_long_is_answered_408,
    a_body_that_nobody_wants_is_not_listened_to_for_long,
    a_connection_without_a_request_is_closed,
    a_client_that_does_not_take_its_answer_is_cut_off,
    a_client_that_takes_its_answer_slowly_but_steadily_gets_it,
);
on_both!(by crate::edge::slow::brimming: while_answers_wait_no_more_are_made);
on_both!(by crate::edge::slow::counted: an_address_with_too_many_connections_gets_no_more);

/// The clock of the HTTP library is late by up to half a second, so that its times may be as much shorter.
const LIBRARY_CLOCK: Duration = Duration::from_millis(500);
const HEAD: Duration = Duration::from_millis(1200);
const GRACE: Duration = Duration::from_millis(400);
/// In the grace 4000 bytes must go through.
const BYTES_PER_SECOND: u32 = 10_000;
const WHOLE: Duration = Duration::from_millis(1500);

fn run(database: Database, network: NetworkSettings, behaviour: impl AsyncFn(&TestServer)) {
    run_with(database, |settings| settings.network = network, behaviour);
}

fn hurried(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    let network = NetworkSettings {
        head_time: HEAD,
        idle_time: HEAD,
        grace: GRACE,
        bytes_per_second: BYTES_PER_SECOND,
        request_time: WHOLE,
        ..NetworkSettings::default()
    };
    run(database, network, behaviour);
}

fn brimming(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    run(database, NetworkSettings { waiting_bytes: 1 << 20, ..NetworkSettings::default() }, behaviour);
}

fn counted(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    let network = NetworkSettings { connections_per_address: 3, uncounted: Vec::new(), ..NetworkSettings::default() };
    run(database, network, behaviour);
}

const GET: &str = "GET /fhir/Patient/absent HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn post(length: usize) -> String {
    format!(
        "POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/fhir+json\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// Sends `part` again and again until the server has closed the connection, which it must after `least`.
async fn drip(raw: &mut Raw, part: &str, every: Duration, least: Duration) -> String {
    let begun = Instant::now();
    let mut answer = String::new();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(30), "it goes on for ever");
        if !raw.try_send(part).await {
            break;
        }
        let mut bytes = [0; 4096];
        match timeout(every, tokio::io::AsyncReadExt::read(&mut raw.0, &mut bytes)).await {
            Err(_) => {}
            Ok(Ok(length @ 1..)) => answer.push_str(&String::from_utf8_lossy(&bytes[..length])),
            Ok(_) => break,
        }
    }
    assert!(begun.elapsed() >= least, "cut off too early: {:?} {answer}", begun.elapsed());
    answer
}

async fn a_first_head_that_does_not_come_is_answered_408(server: &TestServer) {
    let mut raw = Raw::connect(server).await;

    let answer = drip(&mut raw, "G", Duration::from_millis(50), HEAD - LIBRARY_CLOCK).await;

    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

async fn a_later_head_that_drips_is_cut_off(server: &TestServer) {
    let mut raw = Raw::connect(server).await;
    raw.send(GET).await;
    assert!(raw.until("}]}").await.starts_with("HTTP/1.1 404"));
    raw.send("GET /fhir/Patient HTTP/1.1\r\nHost: localhost\r\n").await;

    let answer = drip(&mut raw, "X-Slow: 1\r\n", Duration::from_millis(50), HEAD - Duration::from_millis(50)).await;

    assert_eq!(answer, "");
    // One that comes in time is answered, however often.
    let mut raw = Raw::connect(server).await;
    for _ in 0..4 {
        let (first, second) = GET.split_at(20);
        raw.send(first).await;
        sleep(HEAD / 3).await;
        raw.send(second).await;
        assert!(raw.until("}]}").await.starts_with("HTTP/1.1 404"));
    }
}

async fn a_body_that_drips_is_answered_408(server: &TestServer) {
    let mut raw = Raw::connect(server).await;
    raw.send(&post(100_000)).await;

    let answer = drip(&mut raw, " ", Duration::from_millis(50), GRACE - Duration::from_millis(50)).await;

    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too slowly"), "{answer}");
    assert_eq!(server.count("Patient").await, 0);
}

async fn a_body_that_comes_evenly_but_takes_too_long_is_answered_408(server: &TestServer) {
    let mut raw = Raw::connect(server).await;
    raw.send(&post(1_000_000)).await;

    let part = " ".repeat(2 * BYTES_PER_SECOND as usize / 20);
    let answer = drip(&mut raw, &part, Duration::from_millis(50), WHOLE - Duration::from_millis(100)).await;

    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

async fn a_body_that_nobody_wants_is_not_listened_to_for_long(server: &TestServer) {
    let mut raw = Raw::connect(server).await;
    raw.send("POST /fhir/metadata HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").await;

    let answer = drip(&mut raw, "1\r\nx\r\n", Duration::from_millis(50), Duration::ZERO).await;

    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}

async fn a_connection_without_a_request_is_closed(server: &TestServer) {
    let mut raw = Raw::connect(server).await;
    raw.send(GET).await;

    assert_eq!(raw.rest().await.matches("HTTP/1.1 404").count(), 1);
}

/// Asks for an answer larger than what the system keeps for a client.
async fn large(server: &TestServer) -> String {
    let data = "QUFB".repeat(900_000);
    for _ in 0..5 {
        server.create(&json!({ "resourceType": "Binary", "contentType": "text/plain", "data": data })).await;
    }
    "GET /fhir/Binary HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned()
}

async fn a_client_that_does_not_take_its_answer_is_cut_off(server: &TestServer) {
    let request = large(server).await;
    let mut raw = Raw::connect(server).await;
    raw.send(&request).await;
    raw.until("HTTP/1.1 200").await;

    eventually("the connection is given up", async || {
        // Closed or reset: a write fails once the system has learnt of it.
        sleep(Duration::from_millis(50)).await;
        raw.0.try_write(b"X").is_err()
    })
    .await;

    server.get("Binary/absent").await.refused(404);
}

async fn a_client_that_takes_its_answer_slowly_but_steadily_gets_it(server: &TestServer) {
    let request = large(server).await;
    let mut raw = Raw::connect(server).await;
    raw.send(&request).await;
    let begun = Instant::now();
    let (mut taken, mut part) = (0, vec![0; 512 * 1024]);

    while taken < 17_500_000 {
        let length = tokio::io::AsyncReadExt::read(&mut raw.0, &mut part).await.unwrap();
        assert!(length > 0, "cut off after {taken} bytes and {:?}", begun.elapsed());
        taken += length;
        if begun.elapsed() < 3 * GRACE {
            sleep(GRACE / 8).await;
        }
    }
}

async fn an_address_with_too_many_connections_gets_no_more(server: &TestServer) {
    let asks = async |raw: &mut Raw| {
        let sent = raw.try_send(GET).await;
        let mut bytes = [0; 4096];
        sent && matches!(tokio::io::AsyncReadExt::read(&mut raw.0, &mut bytes).await, Ok(1..))
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::connect(server).await;
        assert!(asks(&mut raw).await);
        open.push(raw);
    }

    assert!(!asks(&mut Raw::connect(server).await).await);

    assert!(asks(&mut open[0]).await, "those that are open go on");
    open.pop();
    eventually("the place is free again", async || asks(&mut Raw::connect(server).await).await).await;
}

async fn while_answers_wait_no_more_are_made(server: &TestServer) {
    let request = large(server).await;
    let mut raw = Raw::connect(server).await;
    raw.send(&request).await;

    eventually("requests are turned away", async || server.get("Binary/absent").await.status == 503).await;

    let turned_away = server.get("Binary/absent").await;
    assert_eq!(
        (turned_away.refused(503)["code"].as_str(), turned_away.header("Retry-After").as_str()),
        (Some("transient"), "2")
    );
    server.get(&format!("{}/health", server.url)).await.expect(200);
    drop(raw);
    eventually("there is room again", async || server.get("Binary/absent").await.status == 404).await;
}
