//! The same against a server of its own process: no answer is 5xx, and its memory stays.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::fuzz::{LONGEST, first_seed, mutate, number, samples, tell};
use crate::search_oracle::random::Random;
use crate::support::program::Beside;
use crate::support::{Database, TestServer, on_both};

on_both!(by crate::fuzz::http::run: no_request_is_answered_500);

/// What a process may grow by while it answers, beyond the first tenth of the requests.
const MOST_GROWTH_KIB: u64 = 256 * 1024;
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const TYPES: &[&str] = &["Patient", "Observation", "Encounter", "Location", "SearchParameter", "ValueSet", "Binary"];

fn run(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    crate::support::server::run(database, behaviour);
}

/// A request as it goes on the wire.
struct Sent {
    kind: &'static str,
    bytes: Vec<u8>,
    /// Its end can be told; else the connection is closed behind it.
    is_framed: bool,
}

async fn no_request_is_answered_500(server: &TestServer) {
    let beside = Beside::start(server, &["--log-json"]);
    let asked = actix_web::rt::task::spawn_blocking(move || ask_all(&beside));
    asked.await.unwrap();
}

fn ask_all(beside: &Beside) {
    let address = beside.address();
    let (first, number) = (first_seed(), number() * 4);
    let (begun, mut longest, mut accepted, mut memory_kib) = (Instant::now(), Duration::ZERO, 0, 0);
    let mut line = None;
    for seed in first..first + number {
        let sent = request(&mut Random::new(seed), address);
        let started = Instant::now();
        let is_kept = line.is_some();
        let mut status = ask(&mut line, address, &sent);
        if status.is_none() && is_kept {
            // The server may have closed the connection meanwhile.
            status = ask(&mut line, address, &sent);
        }
        let took = started.elapsed();
        let told = || format!("EMBERWELL_TEST_SEED={seed}, {}: {}", sent.kind, String::from_utf8_lossy(&sent.bytes));
        // None: a head that is so broken that no answer is due.
        assert!(status.is_some() || !sent.is_framed, "no answer: {}", told());
        assert!(status.unwrap_or(400) < 500, "{status:?}: {}", told());
        assert!(took < LONGEST, "{took:?}: {}", told());
        accepted += u64::from(status.is_some_and(|status| status < 400));
        longest = longest.max(took);
        if seed - first == number / 10 {
            memory_kib = beside.resident_kib();
        }
    }
    let grown = beside.resident_kib().saturating_sub(memory_kib);
    assert!(grown < MOST_GROWTH_KIB, "the server has grown by {grown} KiB");
    tell(&format!("HTTP, grown by {grown} KiB"), number, accepted, longest, begun.elapsed(), first);
    assert!(accepted > 0 && accepted < number, "{accepted} of {number} are accepted");
}

fn request(random: &mut Random, host: &str) -> Sent {
    let resource_type = random.of(TYPES);
    let patch = |random: &mut Random| match random.percent(50) {
        true => ("application/json-patch+json", samples::json_of(random, samples::JSON_PATCHES)),
        false => ("application/fhir+json", samples::json_of(random, samples::FHIRPATH_PATCHES)),
    };
    let (kind, method, target, media, body) = match random.below(9) {
        0 => ("create", "POST", format!("/fhir/{resource_type}"), "application/fhir+json", samples::resource(random)),
        1 => (
            "update",
            "PUT",
            format!("/fhir/{resource_type}/f{}", random.below(9)),
            "application/fhir+json",
            samples::resource(random),
        ),
        2 => (
            "validate",
            "POST",
            format!("/fhir/{resource_type}/$validate"),
            "application/fhir+json",
            samples::resource(random),
        ),
        3 => ("bundle", "POST", "/fhir".to_owned(), "application/fhir+json", samples::bundle(random)),
        4 => {
            let (media, body) = patch(random);
            ("patch", "PATCH", format!("/fhir/Patient/f{}", random.below(9)), media, body)
        }
        5 => {
            let form = samples::of(random, samples::QUERIES).into_bytes();
            ("form", "POST", format!("/fhir/{resource_type}/_search"), "application/x-www-form-urlencoded", form)
        }
        6 => {
            let path = random.of(&["/auth/token", "/auth/introspect", "/auth/revoke"]);
            let form = samples::of(random, samples::FORMS).into_bytes();
            ("oauth", "POST", path.to_owned(), "application/x-www-form-urlencoded", form)
        }
        7 => {
            let query = fit(&samples::of(random, samples::QUERIES));
            ("search", "GET", format!("/fhir/{resource_type}?{query}"), "", Vec::new())
        }
        _ => {
            let path = format!("/fhir/{resource_type}/f1/_history/1?_format=json");
            let path = mutate::text(random, &path, "/fhir/$reindex/../%2e%2e/_search?");
            (
                "address",
                random.of(METHODS),
                format!("/{}", fit(path.trim_start_matches('/'))),
                "application/fhir+json",
                b"{}".to_vec(),
            )
        }
    };
    let (coding, body) = packed(random, body);
    let length = body.len();
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{coding}");
    if !media.is_empty() {
        head.push_str(&format!("Content-Type: {media}\r\n"));
    }
    head.push_str(&header(random));
    head.push_str("\r\n");
    let is_framed = !random.percent(5);
    let head = if is_framed {
        head.into_bytes()
    } else {
        mutate::bytes(random, head.as_bytes(), b"Transfer-Encoding: chunked\r\n\r\n")
    };
    Sent { kind, bytes: [head, body].concat(), is_framed }
}

/// What can stand in an address; the rest as `%`.
fn fit(text: &str) -> String {
    let is_fit = |byte: u8| {
        byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#')
    };
    text.bytes().map(|byte| if is_fit(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A header that steers the request, with something else in it.
fn header(random: &mut Random) -> String {
    let samples = [
        ("If-Match", "W/\"1\""),
        ("If-None-Match", "W/\"1\", *"),
        ("If-None-Exist", "identifier=a|b&name=c"),
        ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("Accept", "application/fhir+json;q=0.5, */*"),
        ("Accept-Encoding", "gzip;q=1, br"),
        ("Prefer", "return=minimal; handling=lenient"),
        ("Authorization", "Bearer abc"),
        ("Authorization", "Basic YTpi"),
        ("Origin", "https://a.example"),
        ("X-Request-Id", "abc"),
        ("X-Forwarded-For", "10.0.0.1, 192.0.2.1"),
    ];
    if random.percent(40) {
        return String::new();
    }
    let (name, sample) = random.pick(&samples);
    let value = mutate::text(random, sample, "\u{e9}\t,;=\"");
    let value: String = value.chars().filter(|letter| !letter.is_control()).take(500).collect();
    format!("{name}: {}\r\n", value.trim())
}

/// Sometimes the body is packed, and sometimes only said to be.
fn packed(random: &mut Random, body: Vec<u8>) -> (String, Vec<u8>) {
    if !random.percent(10) {
        return (String::new(), body);
    }
    let coding = random.of(&["gzip", "deflate", "br", "zstd", "identity", "x"]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&body).unwrap();
    let gzip = encoder.finish().unwrap();
    let body = if random.percent(50) { mutate::bytes(random, &gzip, &body) } else { gzip };
    (format!("Content-Encoding: {coding}\r\n"), body)
}

/// Sends and reads one answer, on the connection that is open if there is one; its status.
fn ask(line: &mut Option<TcpStream>, address: &str, sent: &Sent) -> Option<u16> {
    let mut stream = match line.take().filter(|_| sent.is_framed) {
        Some(stream) => stream,
        None => TcpStream::connect(address).unwrap(),
    };
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    // The server may answer and close before all is sent.
    let _ = stream.write_all(&sent.bytes);
    if !sent.is_framed {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        if let Some((status, length, is_last)) = framed(&answer, sent.bytes.starts_with(b"HEAD ")) {
            // A 100 is followed by the answer.
            if status == 100 {
                answer.drain(..length);
                continue;
            }
            if answer.len() >= length {
                if !is_last && sent.is_framed {
                    *line = Some(stream);
                }
                return Some(status);
            }
        }
        match stream.read(&mut part) {
            Ok(length @ 1..) => answer.extend_from_slice(&part[..length]),
            Ok(_) | Err(_) => return framed(&answer, true).map(|(status, ..)| status),
        }
    }
}

/// The status of an answer whose head is there, the length of all of it, and whether the connection ends with it. While an answer in
/// chunks is not all there, its length is more than there is.
fn framed(answer: &[u8], is_head: bool) -> Option<(u16, usize, bool)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
    let has_body = !is_head && !matches!(status, 100..200 | 204 | 304);
    let length = match has_body {
        false => 0,
        true if head.contains("transfer-encoding: chunked") => chunked(&answer[end..]).unwrap_or(usize::MAX - end),
        true => head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0),
    };
    Some((status, end + length, head.contains("connection: close")))
}

/// How long a body in chunks is, with all that frames it; `None` while its last chunk is not there.
///
/// Spec: RFC 9112 section 7.1
fn chunked(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = body.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&body[at..at + line]).ok()?, 16).ok()?;
        at += line + 2 + size + 2;
        if size == 0 {
            return (at <= body.len()).then_some(at);
        }
    }
}

#[test]
fn the_end_of_an_answer_is_found() {
    let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(framed(plain, false), Some((200, plain.len(), false)));
    assert_eq!(framed(&plain[..20], false), None);
    let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    assert_eq!(framed(chunks, false), Some((200, chunks.len(), false)));
    for cut in 1..10 {
        let (_, length, _) = framed(&chunks[..chunks.len() - cut], false).unwrap();
        assert!(length > chunks.len(), "without the last {cut} bytes");
    }
    assert_eq!(framed(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", false), Some((204, 46, true)));
}
