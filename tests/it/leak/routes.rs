//! Every address, and every way into the store, has its row here: what is new and has none fails.

use std::path::{Path, PathBuf};

use http::Method;
use serde_json::json;

use crate::access::family::{fill, weight};
use crate::support::holders::{self, Granted};
use crate::support::{Answer, TestServer, on_both};

/// What a stranger, who holds another record, is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// As of what isn't there.
    Absent,
    /// That the token is not for this.
    Refused,
    /// A Bundle in which nothing is.
    Nothing,
    /// The same as of what isn't there: done, and nothing was.
    Done,
}

/// An address that needs a token: method, address in the source, and an example that reaches for the record of `b`.
type Row = (&'static str, &'static str, &'static str, Told);

const CLOSED: &[Row] = &[
    ("GET", "/{type}/{id}", "Observation/b-lab", Told::Absent),
    ("PUT", "/{type}/{id}", "Observation/b-lab", Told::Absent),
    ("PATCH", "/{type}/{id}", "Observation/b-lab", Told::Absent),
    ("DELETE", "/{type}/{id}", "Observation/b-lab", Told::Done),
    ("GET", "/{type}", "Observation?patient=b", Told::Nothing),
    ("POST", "/{type}", "Observation", Told::Refused),
    ("PUT", "/{type}", "Observation?_id=b-lab", Told::Absent),
    ("PATCH", "/{type}", "Observation?_id=b-lab", Told::Absent),
    ("DELETE", "/{type}", "Observation?_id=b-lab", Told::Done),
    ("GET", "", "?_type=Observation&_id=b-lab", Told::Nothing),
    ("POST", "", "", Told::Absent),
    ("POST", "/{type}/_search", "Observation/_search?patient=b", Told::Nothing),
    ("POST", "/_search", "_search?_type=Observation&_id=b-lab", Told::Nothing),
    ("GET", "/{type}/{id}/{member}", "Patient/b/Observation", Told::Nothing),
    ("POST", "/{type}/{id}/{member}/_search", "Patient/b/Observation/_search", Told::Nothing),
    ("GET", "/{type}/{id}/_history/{version}", "Observation/b-lab/_history/1", Told::Absent),
    ("GET", "/{type}/{id}/_history", "Observation/b-lab/_history", Told::Absent),
    ("GET", "/{type}/_history", "Observation/_history", Told::Nothing),
    ("GET", "/_history", "_history?_count=1", Told::Nothing),
    ("POST", "/{type}/$validate", "Observation/$validate?mode=create", Told::Done),
    ("POST", "/{type}/{id}/$validate", "Observation/b-lab/$validate?mode=update", Told::Absent),
    ("POST", "/$reindex", "$reindex", Told::Refused),
    ("POST", "/{type}/$reindex", "Observation/$reindex", Told::Refused),
    ("GET", "/$reindex-status/{id}", "$reindex-status/x", Told::Refused),
    ("DELETE", "/$reindex-status/{id}", "$reindex-status/x", Told::Refused),
];

/// What needs no token, because it tells of no resource.
const OPEN: &[(&str, &str)] = &[
    ("GET", "/metadata"),
    ("GET", "/health"),
    ("GET", "/ready"),
    // Discovery, and where tokens are had with other proofs.
    ("GET", "/.well-known/smart-configuration"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/.well-known/openid-configuration"),
    ("POST", "/auth/token"),
    ("GET", "/auth/jwks"),
    ("GET", "/auth/smart-style-1.json"),
    // By the token of a person, whose rights it is held against (tests/it/smart/launches.rs).
    ("POST", "/auth/launch"),
    ("POST", "/auth/introspect"),
    ("POST", "/auth/revoke"),
    ("GET", "/brands"),
    ("POST", "/auth/device"),
    ("POST", "/auth/register"),
    // By the token of the registration.
    ("GET", "/auth/register/{client_id}"),
    ("PUT", "/auth/register/{client_id}"),
    ("DELETE", "/auth/register/{client_id}"),
    // What people are shown of an app before they trust it.
    ("GET", "/apps/{client_id}/logo"),
];

/// Who is shown a page, or may send a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Whoever is signed in, who is shown what they may see (tests/it/smart, apps, sign_in, upstream).
    ToWhomItIsAbout,
    /// It is about nobody, or asks who it is.
    ToAnybody,
    /// A form, which must come from a page that was shown to whoever sends it.
    ByItsOwnPage,
}

/// Pages for people: no token opens them.
const PAGES: &[(&str, &str, Shown)] = &[
    ("GET", "/apps", Shown::ToWhomItIsAbout),
    ("GET", "/developer", Shown::ToWhomItIsAbout),
    ("GET", "/developer/new", Shown::ToWhomItIsAbout),
    ("GET", "/developer/review", Shown::ToWhomItIsAbout),
    ("GET", "/developer/apps/{client_id}", Shown::ToWhomItIsAbout),
    ("GET", "/device", Shown::ToWhomItIsAbout),
    ("GET", "/sign-in/again", Shown::ToWhomItIsAbout),
    ("GET", "/sign-in/again/second", Shown::ToWhomItIsAbout),
    ("GET", "/account", Shown::ToWhomItIsAbout),
    ("GET", "/account/password", Shown::ToWhomItIsAbout),
    ("GET", "/account/passkeys", Shown::ToWhomItIsAbout),
    ("GET", "/account/authenticator", Shown::ToWhomItIsAbout),
    ("GET", "/", Shown::ToAnybody),
    ("GET", "/auth/authorize", Shown::ToAnybody),
    ("POST", "/auth/authorize", Shown::ToAnybody),
    ("GET", "/style.css", Shown::ToAnybody),
    ("GET", "/passkey.js", Shown::ToAnybody),
    ("GET", "/sign-in", Shown::ToAnybody),
    ("GET", "/sign-in/second", Shown::ToAnybody),
    ("GET", "/set-up", Shown::ToAnybody),
    ("GET", "/.well-known/change-password", Shown::ToAnybody),
    ("POST", "/auth/consent", Shown::ByItsOwnPage),
    ("POST", "/sign-in", Shown::ByItsOwnPage),
    ("POST", "/sign-out", Shown::ByItsOwnPage),
    ("POST", "/apps", Shown::ByItsOwnPage),
    ("POST", "/apps/open", Shown::ByItsOwnPage),
    ("POST", "/developer/new", Shown::ByItsOwnPage),
    ("POST", "/developer", Shown::ByItsOwnPage),
    ("POST", "/developer/review", Shown::ByItsOwnPage),
    ("POST", "/developer/apps/{client_id}", Shown::ByItsOwnPage),
    ("POST", "/developer/apps/{client_id}/secret", Shown::ByItsOwnPage),
    ("POST", "/developer/apps/{client_id}/members", Shown::ByItsOwnPage),
    ("POST", "/device", Shown::ByItsOwnPage),
    ("POST", "/device/consent", Shown::ByItsOwnPage),
    ("POST", "/sign-in/passkey", Shown::ByItsOwnPage),
    ("POST", "/sign-in/second", Shown::ByItsOwnPage),
    ("POST", "/sign-in/again", Shown::ByItsOwnPage),
    ("POST", "/sign-in/again/passkey", Shown::ByItsOwnPage),
    ("POST", "/sign-in/again/second", Shown::ByItsOwnPage),
    ("POST", "/set-up", Shown::ByItsOwnPage),
    ("POST", "/account/password", Shown::ByItsOwnPage),
    ("POST", "/account/passkeys", Shown::ByItsOwnPage),
    ("POST", "/account/passkeys/remove", Shown::ByItsOwnPage),
    ("POST", "/account/authenticator", Shown::ByItsOwnPage),
    ("POST", "/account/authenticator/confirm", Shown::ByItsOwnPage),
    ("POST", "/account/authenticator/remove", Shown::ByItsOwnPage),
    ("POST", "/account/recovery-codes", Shown::ByItsOwnPage),
    ("POST", "/account/sessions/end", Shown::ByItsOwnPage),
    ("POST", "/account/sessions/end-others", Shown::ByItsOwnPage),
    ("GET", "/account/providers", Shown::ToWhomItIsAbout),
    ("GET", "/auth/upstream/{name}/start", Shown::ToAnybody),
    ("GET", "/auth/upstream/{name}/callback", Shown::ToAnybody),
    ("POST", "/auth/upstream/{name}/link", Shown::ByItsOwnPage),
    ("POST", "/account/providers", Shown::ByItsOwnPage),
];

on_both!(closed:
    every_address_needs_a_token_that_is_for_it,
    every_page_needs_a_person_and_every_form_its_page,
);

/// All sources in a folder and those within it.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
}

/// The methods and addresses in the source of the routes.
fn routes() -> Vec<(String, String)> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let source = std::fs::read_to_string(sources.join("http/routes.rs")).unwrap();
    let mut found = Vec::new();
    let mut body = source[..source.find("struct At").expect("the builder of routes follows them")].to_owned();
    for file in rust_files(&sources.join("web")) {
        body.push_str(&std::fs::read_to_string(file).unwrap());
    }
    body.retain(|letter| !letter.is_whitespace());
    for part in body.split(".service(at(\"").skip(1) {
        let (address, rest) = part.split_once('"').unwrap();
        let rest = &rest[..rest.find(".done").expect("an address ends with its methods")];
        if rest.contains(".get(") {
            found.push(("GET".to_owned(), address.to_owned()));
        }
        for method in rest.split("Method::").skip(1) {
            let name: String = method.chars().take_while(char::is_ascii_uppercase).collect();
            found.push((name, address.to_owned()));
        }
    }
    found
}

#[test]
fn every_address_has_its_row() {
    let routes = routes();
    assert!(routes.len() >= 25, "{routes:?}");
    let without: Vec<&(String, String)> = routes
        .iter()
        .filter(|(method, address)| {
            let is_closed = CLOSED.iter().any(|row| row.0 == method && row.1 == address);
            let is_open = OPEN.iter().any(|row| row.0 == method && row.1 == address);
            let is_page = PAGES.iter().any(|row| row.0 == method && row.1 == address);
            [is_closed, is_open, is_page].iter().filter(|is_there| **is_there).count() != 1
        })
        .collect();
    assert!(without.is_empty(), "say in tests/it/leak/routes.rs who may reach these: {without:?}");
    let gone: Vec<&Row> = CLOSED
        .iter()
        .filter(|row| !routes.iter().any(|(method, address)| row.0 == method && row.1 == address))
        .collect();
    assert!(gone.is_empty(), "there is no such address: {gone:?}");
}

/// Every other resource of the routes answers without looking at anything.
#[test]
fn what_is_no_address_looks_at_nothing() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/routes.rs");
    let source = std::fs::read_to_string(path).unwrap();
    let others = source.matches("web::resource(\"").count() + source.matches("web::scope(").count();
    let known =
        ["unknown_operation", "unfit_id", "unknown_address"].map(|name| source.matches(&format!("to({name})")).count());
    assert_eq!(others, known.iter().sum::<usize>(), "{known:?}");
}

async fn every_page_needs_a_person_and_every_form_its_page(server: &TestServer) {
    let operator = holders::operator(server).token;
    for (method, address, shown) in PAGES {
        let url = format!("{}{}", server.url, address.replace("{client_id}", "x").replace("{name}", "x"));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        // A token is no session.
        let request = server.request(method, &url).header("Authorization", &format!("Bearer {operator}"));
        let answer = match shown {
            Shown::ByItsOwnPage => request.body("application/x-www-form-urlencoded", "x=1").send().await,
            Shown::ToWhomItIsAbout | Shown::ToAnybody => request.send().await,
        };
        match shown {
            Shown::ToWhomItIsAbout => {
                assert_eq!(answer.status, 303, "{address}: {}", answer.text());
                assert!(answer.header("Location").starts_with("/sign-in?next="), "{address}");
            }
            Shown::ByItsOwnPage => assert_eq!(answer.status, 403, "{address}: {}", answer.text()),
            Shown::ToAnybody => assert!(answer.status < 500, "{address}: {}", answer.text()),
        }
    }
}

async fn ask(server: &TestServer, token: Option<&str>, row: &Row) -> Answer {
    let method = Method::from_bytes(row.0.as_bytes()).unwrap();
    let request = server.request(method.clone(), row.2);
    let request = match token {
        Some(token) => request.header("Authorization", &format!("Bearer {token}")),
        None => request,
    };
    let mut body = weight("b-lab", "b", "Patient/a", "laboratory");
    if row.0 == "PATCH" {
        let test = r#"[{"op":"test","path":"/status","value":"final"}]"#;
        return request.body("application/json-patch+json", test).send().await;
    }
    if row.1.ends_with("_search") {
        return request.body("application/x-www-form-urlencoded", "_count=5").send().await;
    }
    if row.1.is_empty() && row.0 == "POST" {
        let get = json!({ "request": { "method": "GET", "url": "Observation/b-lab" } });
        body = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [get] });
    }
    if row.1.contains("$reindex") {
        body = json!({ "resourceType": "Parameters" });
    }
    match row.0 {
        "GET" | "DELETE" => request.send().await,
        _ => request.json(&body).send().await,
    }
}

async fn every_address_needs_a_token_that_is_for_it(server: &TestServer) {
    fill(server).await;
    let stranger = holders::app(server, "patient/*.cruds", Some("m"), &[Granted::on("m")]).token;
    let narrow = holders::app(server, "patient/Basic.c", Some("b"), &[Granted::on("b")]).token;
    let nobody = holders::app(server, "patient/*.cruds", Some("b"), &[Granted::on("b")]);
    let expired = holders::expired(server);
    holders::change(server, {
        let hash = emberwell::store::SecretHash::of(nobody.token.as_bytes());
        move |tx| tx.revoke_token(&hash)
    });

    for row in CLOSED {
        for token in [None, Some("nonsense"), Some(&*nobody.token), Some(&*expired)] {
            let answer = ask(server, token, row).await;
            assert_eq!(answer.status, 401, "{row:?} {token:?}: {}", answer.text());
            let told = answer.text();
            assert!(!told.contains("29463-7"), "{row:?}: {told}");
        }
        let answer = ask(server, Some(&narrow), row).await;
        assert_eq!(answer.status, 403, "{row:?} with a narrow scope: {}", answer.text());
        let answer = ask(server, Some(&stranger), row).await;
        let is_as_told = match row.3 {
            Told::Absent => matches!(answer.status, 404 | 412),
            Told::Refused => answer.status == 403,
            Told::Nothing => answer.status == 200 && !answer.text().contains("b-lab\",\"meta"),
            Told::Done => matches!(answer.status, 200 | 204),
        };
        assert!(is_as_told, "{row:?} to a stranger: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains("\"Patient/b\""), "{row:?} to a stranger: {}", answer.text());
    }
    for (method, address) in OPEN.iter().filter(|row| routes().iter().any(|known| known.0 == row.0 && known.1 == row.1))
    {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let address = match *address {
            "/metadata" => "metadata".to_owned(),
            other => format!("{}{other}", server.url),
        };
        let answer = server.request(method, &address).send().await;
        assert!(!answer.text().contains("b-lab"), "{address}");
    }
}
