//! Which pages in a browser may read the answers.

use emberwell::store::{ClientFacts, ClientKind};
use http::Method;

use super::backend::{confidential, register};
use super::closed;
use crate::support::holders::change;
use crate::support::{Answer, TestServer, on_both};

on_both!(
    anybody_may_read_what_is_about_nobody,
    only_pages_of_registered_apps_may_read_the_rest,
    a_page_asks_before_it_sends,
    a_suspended_app_is_registered_no_more,
    a_page_of_a_public_app_ends_its_token,
);

const APP: &str = "https://app.example";

async fn asked(server: &TestServer, method: Method, path: &str, origin: Option<&str>) -> Answer {
    let request = server.request(method.clone(), &format!("{}{path}", server.url));
    let request = match origin {
        Some(origin) => request.header("Origin", origin),
        None => request,
    };
    if method == Method::OPTIONS {
        let request = request.header("Access-Control-Request-Method", "POST");
        return request.header("Access-Control-Request-Headers", "authorization,content-type").send().await;
    }
    request.send().await
}

/// All values of `Vary`, in lower case.
fn vary(answer: &Answer) -> String {
    let values: Vec<&str> = answer.headers.get_all("Vary").iter().map(|value| value.to_str().unwrap()).collect();
    values.join(", ").to_ascii_lowercase()
}

async fn anybody_may_read_what_is_about_nobody(server: &TestServer) {
    let server = closed(server, &[]).await;
    for path in ["/fhir/metadata", "/fhir/.well-known/smart-configuration", "/.well-known/oauth-authorization-server"] {
        for method in [Method::GET, Method::OPTIONS] {
            let answer = asked(&server, method.clone(), path, Some("https://anybody.example")).await;
            let kept = if method == Method::OPTIONS { "3600" } else { "" };
            assert_eq!(answer.header("Access-Control-Max-Age"), kept, "{method} {path}");

            assert!(matches!(answer.status, 200 | 204), "{method} {path}: {}", answer.status);
            assert_eq!(answer.header("Access-Control-Allow-Origin"), "*", "{method} {path}");
            assert_eq!(answer.header("Access-Control-Allow-Credentials"), "");
        }
    }
    server.stop().await;
}

async fn only_pages_of_registered_apps_may_read_the_rest(server: &TestServer) {
    let server = closed(server, &[]).await;
    register(&server, confidential("secret"), "");
    let own_scheme = vec!["org.example.app:/done".to_owned()];
    register(&server, ClientFacts { redirect_uris: own_scheme, ..confidential("secret") }, "");

    for path in ["/fhir/Patient", "/fhir/Patient/1", "/auth/token", "/auth/revoke"] {
        let answer = asked(&server, Method::GET, path, Some(APP)).await;
        assert_eq!(answer.header("Access-Control-Allow-Origin"), APP, "{path}");
        for shown in ["Location", "WWW-Authenticate"] {
            assert!(answer.header("Access-Control-Expose-Headers").contains(shown), "{path}: {shown}");
        }
        let with_credentials = if path == "/auth/token" { "true" } else { "" };
        assert_eq!(answer.header("Access-Control-Allow-Credentials"), with_credentials, "{path}");
        assert!(vary(&answer).contains("origin"), "{path}");
        for origin in [
            "https://app.example.attacker.example",
            "https://app.example:8443",
            "http://app.example",
            "https://APP.example",
            "null",
            "https://ehr.example",
        ] {
            let answer = asked(&server, Method::GET, path, Some(origin)).await;
            assert_eq!(answer.header("Access-Control-Allow-Origin"), "", "{path} from {origin}");
            assert!(vary(&answer).contains("origin"), "{path} from {origin}");
        }
        let answer = asked(&server, Method::GET, path, None).await;
        assert_eq!(answer.header("Access-Control-Allow-Origin"), "", "{path}");
        assert!(vary(&answer).contains("origin"), "{path}: what a cache keeps is not for all");
    }
    for path in ["/", "/health"] {
        let answer = asked(&server, Method::GET, path, Some(APP)).await;
        assert_eq!(answer.header("Access-Control-Allow-Origin"), "", "{path}");
    }
    server.stop().await;
}

async fn a_page_asks_before_it_sends(server: &TestServer) {
    let server = closed(server, &[]).await;
    register(&server, confidential("secret"), "");

    for path in ["/fhir/Patient", "/fhir/Patient/1", "/fhir", "/auth/token", "/auth/revoke"] {
        let answer = asked(&server, Method::OPTIONS, path, Some(APP)).await.expect(204);
        assert_eq!(answer.header("Access-Control-Allow-Origin"), APP);
        assert_eq!(answer.header("Access-Control-Allow-Methods"), "GET, HEAD, POST, PUT, PATCH, DELETE");
        let taken = answer.header("Access-Control-Allow-Headers").to_ascii_lowercase();
        for name in ["authorization", "content-type", "if-match", "if-none-exist", "prefer"] {
            assert!(taken.contains(name), "{name}");
        }
        assert_eq!(answer.header("Access-Control-Max-Age"), "3600");
        let with_credentials = if path == "/auth/token" { "true" } else { "" };
        assert_eq!(answer.header("Access-Control-Allow-Credentials"), with_credentials, "{path}");
        assert!(vary(&answer).contains("origin"));

        let stranger = asked(&server, Method::OPTIONS, path, Some("https://stranger.example")).await;
        assert_eq!(stranger.status, 405, "{path}");
        assert_eq!(stranger.header("Access-Control-Allow-Origin"), "");
        assert_eq!(stranger.header("Access-Control-Allow-Methods"), "");
    }
    server.stop().await;
}

async fn a_page_of_a_public_app_ends_its_token(server: &TestServer) {
    let server = closed(server, &[]).await;
    let (app, _) =
        register(&server, ClientFacts { kind: ClientKind::Public, secret_hash: None, ..confidential("s") }, "");
    let url = format!("{}/auth/revoke", server.url);
    let body = format!("client_id={}&token=x", app.id);
    let from = |origin: &str| {
        let request = server.request(Method::POST, &url).header("Origin", origin);
        request.body("application/x-www-form-urlencoded", body.clone()).send()
    };

    let answer = from(APP).await.expect(200);
    assert_eq!(answer.header("Access-Control-Allow-Origin"), APP);
    assert_eq!(answer.header("Access-Control-Allow-Credentials"), "");
    assert!(vary(&answer).contains("origin"));
    let stranger = from("https://stranger.example").await.expect(200);
    assert_eq!(stranger.header("Access-Control-Allow-Origin"), "");
    assert!(vary(&stranger).contains("origin"));
    server.stop().await;
}

async fn a_suspended_app_is_registered_no_more(server: &TestServer) {
    let server = closed(server, &[]).await;
    let (app, _) = register(&server, confidential("secret"), "");
    let allowed = async |server: &TestServer| {
        asked(server, Method::GET, "/fhir/Patient", Some(APP)).await.header("Access-Control-Allow-Origin")
    };
    assert_eq!(allowed(&server).await, APP);

    change(&server, move |tx| tx.suspend_client(&app.id));

    // Within a second or so.
    for _ in 0..100 {
        if allowed(&server).await.is_empty() {
            break;
        }
        actix_web::rt::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(allowed(&server).await, "");
    server.stop().await;
}
