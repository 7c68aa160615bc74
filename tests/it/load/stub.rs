//! A server that answers what the test says, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// What to do with a POST.
#[derive(Clone)]
pub enum Say {
    /// Status, a header or an empty text, body.
    Answer(u16, &'static str, String),
    /// Takes the request and closes the connection.
    Nothing,
}

/// A POST that came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// In lower case.
    pub head: String,
    pub body: Value,
}

pub struct Stub {
    pub base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// Says these one after the other, and the last again and again.
    pub fn start(say: Vec<Say>) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/r4", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        // Ends with the process: nobody can stop an accept.
        thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(stream, &say, &heard)));
        Stub { base, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// The answer to a Bundle of `entries` entries that all have this status.
pub fn done(entries: usize, status: &str) -> Say {
    let entries = vec![json!({ "response": { "status": status } }); entries];
    let bundle = json!({ "resourceType": "Bundle", "type": "batch-response", "entry": entries });
    Say::Answer(200, "", bundle.to_string())
}

fn answer(stream: TcpStream, say: &[Say], heard: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or_default() == 0 {
            return;
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut body).unwrap();
    let say = if head.starts_with("get ") {
        Say::Answer(200, "", json!({ "resourceType": "CapabilityStatement" }).to_string())
    } else {
        let mut heard = heard.lock().unwrap();
        let say = say[heard.len().min(say.len() - 1)].clone();
        heard.push(Asked { head, body: serde_json::from_slice(&body).unwrap() });
        say
    };
    if let Say::Answer(status, header, body) = say {
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status} X\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        let _ = reader.get_mut().write_all(text.as_bytes());
    }
}
