//! Whether an answer tells of what is hidden.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use emberwell::audit::{Outcome, trail};
use emberwell::store::{Store, StoreError};
use http::Method;

use crate::leak::world::{Place, Worlds};
use crate::support::{Answer, TestServer};

/// So long the trail may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many pages of a search are looked at.
const MOST_PAGES: usize = 4;

/// A request, with the names of the cast in it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    /// With its media type.
    pub body: Option<(&'static str, String)>,
}

impl Sent {
    pub fn get(path: &str) -> Sent {
        Sent::of(Method::GET, path)
    }

    pub fn of(method: Method, path: &str) -> Sent {
        Sent { method, path: path.to_owned(), headers: Vec::new(), body: None }
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Sent {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn json(self, body: impl ToString) -> Sent {
        self.body("application/fhir+json", body)
    }

    pub fn body(self, media: &'static str, body: impl ToString) -> Sent {
        Sent { body: Some((media, body.to_string())), ..self }
    }

    /// All that it says, with names made into ids.
    fn text(&self, worlds: &Worlds) -> String {
        let headers: String = self.headers.iter().map(|(_, value)| format!("{value}\n")).collect();
        let body = self.body.as_ref().map_or("", |(_, body)| body);
        worlds.names.told(&format!("{}\n{headers}{body}", self.path))
    }

    pub async fn send(&self, worlds: &Worlds, place: &Place, id: &str) -> Answer {
        let path = worlds.names.told(&self.path);
        let mut request = place.server.request_as(&place.token, self.method.clone(), &path).header("X-Request-Id", id);
        for (name, value) in &self.headers {
            request = request.header(name, &worlds.names.told(value));
        }
        if let Some((media, body)) = &self.body {
            request = request.body(media, worlds.names.told(body));
        }
        request.send().await
    }
}

/// A request that was refused to the holder of the token.
struct Denial {
    id: String,
    status: u16,
    said: String,
}

/// What was asked and answered so far, and what was wrong with it.
pub struct Judge<'w> {
    worlds: &'w Worlds,
    /// All that was written, which may come back.
    written: String,
    pub asked: usize,
    denied: Vec<Denial>,
    /// How many answers told something: that they are all refusals would prove nothing.
    pub answered: usize,
    pub wrong: Vec<String>,
}

impl<'w> Judge<'w> {
    pub fn new(worlds: &'w Worlds) -> Judge<'w> {
        Judge { worlds, written: String::new(), denied: Vec::new(), asked: 0, answered: 0, wrong: Vec::new() }
    }

    pub fn seed(&self) -> u64 {
        self.worlds.names.seed
    }

    /// Asks in both worlds, with the pages that follow, and compares.
    pub async fn ask(&mut self, sent: &Sent) {
        let said = sent.text(self.worlds);
        if sent.method != Method::GET && sent.method != Method::HEAD {
            self.written.push_str(&said);
        }
        if sent.path.contains("AuditEvent") {
            self.wait_for_trail().await;
        }
        let id = format!("leak-{}", self.asked);
        let full = sent.send(self.worlds, &self.worlds.full, &id).await;
        let bare = sent.send(self.worlds, &self.worlds.bare, &id).await;
        if is_denial(&full, sent) {
            let said = format!("{} {}", sent.method, sent.path);
            self.denied.push(Denial { id, status: full.status, said });
        }
        let mut next = self.compare(sent, &said, &full, &bare);
        for _ in 0..MOST_PAGES {
            let Some((full_link, bare_link)) = next else { return };
            let full = self.worlds.full.server.get_as(&self.worlds.full.token, &full_link).await;
            let bare = self.worlds.bare.server.get_as(&self.worlds.bare.token, &bare_link).await;
            next = self.compare(sent, &said, &full, &bare);
        }
    }

    /// Waits until both worlds have told what was asked before, so that they can be compared by it.
    async fn wait_for_trail(&self) {
        for place in [&self.worlds.full, &self.worlds.bare] {
            let id = format!("waits-{}", self.asked);
            let marker = Sent::get("Patient/a").send(self.worlds, place, &id).await;
            assert!(matches!(marker.status, 200 | 403 | 404), "{}", marker.text());
            let begun = Instant::now();
            while !told(&place.server).iter().any(|(told, _)| *told == id) {
                assert!(begun.elapsed() < PATIENCE, "{id} is not told");
                actix_web::rt::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Complains of each denial that the audit trail does not tell, with its request and status.
    ///
    /// "each denial has an AuditEvent"
    pub async fn check_told(&mut self) {
        let begun = Instant::now();
        loop {
            let told = told(&self.worlds.full.server);
            let is_untold = |denial: &&Denial| !told.contains(&(denial.id.clone(), Some(denial.status)));
            let untold: Vec<&Denial> = self.denied.iter().filter(is_untold).collect();
            if untold.is_empty() {
                return;
            }
            if begun.elapsed() > PATIENCE {
                self.wrong.extend(
                    untold.iter().map(|Denial { id, status, said }| format!("{status} of {id} is not told: {said}")),
                );
                return;
            }
            actix_web::rt::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Judges what both worlds answered, and gives where they go on.
    fn compare(&mut self, sent: &Sent, said: &str, full: &Answer, bare: &Answer) -> Option<(String, String)> {
        self.asked += 1;
        self.answered += usize::from(full.status < 300);
        let told = format!("{}\n{}", headers(full), full.text());
        let heard = percent_decoded(&told);
        let said = percent_decoded(said);
        for secret in &self.worlds.secrets {
            let is_known = said.contains(secret) || self.written.contains(secret);
            if !is_known && (told.contains(secret) || heard.contains(secret)) {
                self.complain(sent, &format!("tells {secret}"), full, bare);
                return None;
            }
        }
        if full.status >= 500 {
            self.complain(sent, "fails", full, bare);
            return None;
        }
        let (here, there) = (neutral(full, &self.worlds.full), neutral(bare, &self.worlds.bare));
        if here != there {
            self.complain(sent, "is not what is answered where nothing is hidden", full, bare);
            return None;
        }
        let is_bundle = sent.method != Method::HEAD && full.status == 200 && told.contains("\"next\"");
        let link = |answer: &Answer| is_bundle.then(|| answer.link("next")).flatten();
        Some((link(full)?, link(bare)?))
    }

    fn complain(&mut self, sent: &Sent, what: &str, full: &Answer, bare: &Answer) {
        let show =
            |answer: &Answer| format!("{} {}", answer.status, answer.text().chars().take(1500).collect::<String>());
        let body = sent.body.as_ref().map_or("", |(_, body)| body);
        self.wrong.push(format!(
            "{:?}: {} {} {:?} {body}\n  {what}\n  full: {}\n  bare: {}",
            self.worlds.kind,
            sent.method,
            sent.path,
            sent.headers,
            show(full),
            show(bare)
        ));
    }
}

/// Whether the holder of the token was refused something, which is what the trail is to tell. That there is no such type, address,
/// operation or form of an id is no matter of who asks.
fn is_denial(answer: &Answer, sent: &Sent) -> bool {
    match answer.status {
        401 | 403 | 410 => true,
        // Without a body only the address tells.
        404 if sent.method == Method::HEAD => {
            sent.path.starts_with(|first: char| first.is_ascii_uppercase()) && !sent.path.contains("//")
        }
        404 => {
            let issue = answer.json()["issue"][0].clone();
            let is_no_id = issue.to_string().contains("nothing is known under this id");
            issue["code"] != "not-supported" && !is_no_id
        }
        _ => false,
    }
}

/// The requests that the trail tells of, with the status with which each was refused.
fn told(server: &TestServer) -> HashSet<(String, Option<u16>)> {
    let store = Store::open(server.database(), 1, None).unwrap();
    let mut told = HashSet::new();
    let read = store.read(|reader| {
        trail(reader, None, |_, _, event| {
            let status = match event.outcome {
                Outcome::Done => None,
                Outcome::Refused(status) => Some(status),
            };
            told.insert((event.request.to_string(), status));
            Ok(())
        })
    });
    read.map_err(|error: StoreError| error.to_string()).unwrap();
    told
}

/// The headers that tell something, one a line, in alphabetical order.
fn headers(answer: &Answer) -> String {
    const OF_THE_MOMENT: [&str; 4] = ["date", "content-length", "last-modified", "x-request-id"];
    let lines = answer.headers.iter().filter(|(name, _)| !OF_THE_MOMENT.contains(&name.as_str()));
    let mut lines: Vec<String> =
        lines.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))).collect();
    lines.sort();
    lines.join("\n")
}

/// How the agents of an AuditEvent are told, whose tokens and clients are others in each world.
const TOKEN: &[u8] = b"urn:emberwell:token:";
const CLIENT: &[u8] = b"\"client-";

/// An answer without what differs from server to server and from moment to moment.
fn neutral(answer: &Answer, place: &Place) -> String {
    let told = format!("{}\n{}\n{}", answer.status, headers(answer), answer.text());
    let told = told.replace(&place.server.url, "[server]").replace(&place.client, "[client]");
    let bytes = told.as_bytes();
    let mut neutral = String::with_capacity(told.len());
    let (mut at, mut from) = (0, 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (length, name) = if is_uuid(rest) {
            (36, "[uuid]")
        } else if is_instant(rest) {
            let is_part = |byte: &&u8| byte.is_ascii_digit() || b"-+:.TZ".contains(byte);
            (rest.iter().take_while(is_part).count(), "[instant]")
        } else if let Some(length) = event_id(bytes, at) {
            (length, "[event]")
        } else if rest.starts_with(TOKEN) {
            (TOKEN.len() + 32, "[token]")
        } else if rest.starts_with(CLIENT) {
            let is_part = |byte: &&u8| byte.is_ascii_digit() || **byte == b'-';
            (CLIENT.len() + rest[CLIENT.len()..].iter().take_while(is_part).count(), "[client]")
        } else if rest.starts_with(b"_cursor=") {
            (rest.iter().take_while(|byte| !b"\"&<".contains(byte)).count(), "[cursor]")
        } else {
            at += 1;
            continue;
        };
        neutral.push_str(&told[from..at]);
        neutral.push_str(name);
        at += length;
        from = at;
    }
    neutral.push_str(&told[from..]);
    neutral
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() >= 36
        && bytes[..36].iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The length of the id of an event of the trail, which stands behind a quote or a slash.
fn event_id(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes[at..].strip_prefix(b"a-")?;
    let is_begun = at > 0 && matches!(bytes[at - 1], b'"' | b'/');
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
    let dashes = rest[..length].iter().filter(|byte| **byte == b'-').count();
    (is_begun && dashes == 2).then_some(2 + length)
}

fn is_instant(bytes: &[u8]) -> bool {
    let shape = b"0000-00-00T00:";
    bytes.len() >= shape.len()
        && shape.iter().zip(bytes).all(|(shape, byte)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        })
}

fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let pair = text.get(at + 1..at + 3).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (bytes[at], pair) {
            (b'%', Some(value)) => {
                decoded.push(value);
                at += 2;
            }
            (byte, _) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
