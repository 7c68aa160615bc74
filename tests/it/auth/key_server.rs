//! Another server, which has the keys of a client.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, web};

/// What it answers, and how often it was asked.
pub struct KeyServer {
    pub origin: String,
    answer: Arc<Mutex<Canned>>,
    asked: Arc<AtomicUsize>,
    handle: ServerHandle,
}

#[derive(Clone)]
pub struct Canned {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl KeyServer {
    pub fn start(body: String) -> KeyServer {
        let answer = Arc::new(Mutex::new(Canned { status: 200, headers: Vec::new(), body }));
        let asked = Arc::new(AtomicUsize::new(0));
        let (shared, count) = (Arc::clone(&answer), Arc::clone(&asked));
        let server = HttpServer::new(move || {
            let (shared, count) = (Arc::clone(&shared), Arc::clone(&count));
            App::new().default_service(web::to(move || {
                count.fetch_add(1, Ordering::AcqRel);
                let canned = shared.lock().unwrap().clone();
                let mut response = HttpResponse::build(StatusCode::from_u16(canned.status).unwrap());
                canned.headers.iter().for_each(|(name, value)| {
                    response.insert_header((*name, value.as_str()));
                });
                let response = response.body(canned.body);
                async move { response }
            }))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        KeyServer { origin, answer, asked, handle }
    }

    pub fn jwks_uri(&self) -> String {
        format!("{}/jwks.json", self.origin)
    }

    /// What it answers from now on.
    pub fn answers(&self, status: u16, headers: &[(&'static str, &str)], body: String) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        *self.answer.lock().unwrap() = Canned { status, headers, body };
    }

    /// How often it was asked since this was last said.
    pub fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::AcqRel)
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}
