//! An OpenID provider that says what a test has it say.

use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

use crate::auth::keys::{Key, encoded};

/// What it answers.
#[derive(Clone)]
pub struct Script {
    pub metadata: Value,
    pub jwks: Value,
    /// At the token endpoint: status, media type, body.
    pub token: (u16, &'static str, String),
    pub userinfo: (u16, String),
}

/// A request that it got.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub authorization: Option<String>,
    pub body: String,
}

/// A provider on a port of its own.
pub struct Provider {
    pub issuer: String,
    pub key: Key,
    script: Arc<Mutex<Script>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    handle: ServerHandle,
}

impl Provider {
    pub fn start() -> Provider {
        let key = Key::p256();
        let script = Arc::new(Mutex::new(Script {
            metadata: json!({}),
            jwks: json!({ "keys": [key.jwk("k1")] }),
            token: (400, "application/json", r#"{"error":"invalid_grant"}"#.to_owned()),
            userinfo: (200, "{}".to_owned()),
        }));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (shared, log) = (Arc::clone(&script), Arc::clone(&asked));
        let server = HttpServer::new(move || {
            let (shared, log) = (Arc::clone(&shared), Arc::clone(&log));
            App::new().default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
                let authorization = request.headers().get("Authorization").map(|it| it.to_str().unwrap().to_owned());
                let body = String::from_utf8_lossy(&body).into_owned();
                let path = request.path().to_owned();
                log.lock().unwrap().push(Asked { path: path.clone(), authorization, body });
                let script = shared.lock().unwrap().clone();
                let (status, media, body) = match path.as_str() {
                    "/.well-known/openid-configuration" => (200, "application/json", script.metadata.to_string()),
                    "/jwks" => (200, "application/json", script.jwks.to_string()),
                    "/token" => script.token,
                    "/userinfo" => (script.userinfo.0, "application/json", script.userinfo.1),
                    _ => (404, "text/plain", String::new()),
                };
                let response =
                    HttpResponse::build(StatusCode::from_u16(status).unwrap()).content_type(media).body(body);
                async move { response }
            }))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let provider = Provider { issuer, key, script, asked, handle };
        let metadata = provider.metadata();
        provider.change(|script| script.metadata = metadata);
        provider
    }

    /// What it says of itself.
    fn metadata(&self) -> Value {
        let issuer = &self.issuer;
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "RS256", "HS256", "none", "of the future"],
            "own_number": 7.5,
        })
    }

    pub fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// What it was asked since this was last said.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// The claims of somebody who signs in now, for an attempt with this nonce.
    pub fn claims(&self, subject: &str, nonce: &str) -> Value {
        let now = emberwell::clock::now_us() / 1_000_000;
        json!({
            "iss": self.issuer, "sub": subject, "aud": "emberwell", "exp": now + 300, "iat": now, "auth_time": now,
            "nonce": nonce, "amr": ["pwd"],
        })
    }

    /// Hands out an id token with these claims from now on.
    pub fn tells(&self, claims: &Value) {
        self.tells_signed(&signed(&self.key, "k1", claims));
    }

    /// Hands out this id token from now on.
    pub fn tells_signed(&self, id_token: &str) {
        let answer = json!({
            "access_token": "upstream-token", "token_type": "bearer", "expires_in": 3600, "scope": "openid email",
            "id_token": id_token, "own_number": 1.5,
        });
        self.change(|script| script.token = (200, "application/json", answer.to_string()));
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

/// An id token by this key.
pub fn signed(key: &Key, kid: &str, claims: &Value) -> String {
    let header = json!({ "typ": "JWT", "alg": key.alg(), "kid": kid });
    let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
    format!("{message}.{}", key.sign(&message))
}
