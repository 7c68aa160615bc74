//! What browsers and caches are told of an answer.

use http::Method;

use crate::auth::closed;
use crate::support::{Answer, TestServer, on_both, patient};

on_both!(
    every_answer_tells_browsers_what_not_to_do_with_it,
    only_what_can_be_asked_for_anew_may_be_kept,
    https_is_demanded_where_clients_come_by_it,
    what_anybody_may_read_may_be_read_from_anywhere,
);

#[track_caller]
fn is_shielded(answer: &Answer, what: &str) {
    assert_eq!(answer.header("X-Content-Type-Options"), "nosniff", "{what}");
    // A browser posts the forms of a page without a referrer as if they were somebody else's.
    let is_page = answer.header("Content-Type").starts_with("text/html");
    let referrer = if is_page { "same-origin" } else { "no-referrer" };
    assert_eq!(answer.header("Referrer-Policy"), referrer, "{what}");
    assert!(answer.header("Content-Security-Policy").starts_with("default-src 'none';"), "{what}");
    assert!(answer.header("Content-Security-Policy").contains("frame-ancestors 'none'"), "{what}");
    assert_eq!(answer.header("Cross-Origin-Resource-Policy"), "same-origin", "{what}");
}

async fn every_answer_tells_browsers_what_not_to_do_with_it(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    let long = format!("Patient?_id={}", "a,".repeat(9000));
    let outside = |path: &str| format!("{}{path}", server.url);
    let cases = [
        (Method::GET, format!("Patient/{id}"), 200),
        (Method::HEAD, format!("Patient/{id}"), 200),
        (Method::GET, "Patient".to_owned(), 200),
        (Method::GET, "Patient/absent".to_owned(), 404),
        (Method::GET, "nowhere/at/all/of/it".to_owned(), 404),
        (Method::GET, "Patient?nonsense=1".to_owned(), 400),
        (Method::GET, long, 414),
        (Method::TRACE, "Patient".to_owned(), 405),
        (Method::POST, "Patient".to_owned(), 400),
        (Method::POST, outside("/auth/token"), 400),
        (Method::GET, outside("/"), 200),
        (Method::GET, outside("/health"), 200),
        (Method::DELETE, format!("Patient/{id}"), 204),
    ];
    for (method, path, status) in cases {
        let answer = server.request(method.clone(), &path).send().await;

        assert_eq!(answer.status, status, "{method} {path}");
        is_shielded(&answer, &format!("{method} {path}"));
    }
}

async fn only_what_can_be_asked_for_anew_may_be_kept(server: &TestServer) {
    let created = server.post("Patient", &patient("1")).await.expect(201);
    assert_eq!(created.header("Cache-Control"), "no-store");
    let id = created.json()["id"].as_str().unwrap().to_owned();
    for path in [format!("Patient/{id}"), format!("Patient/{id}/_history/1")] {
        let first = server.get(&path).await.expect(200);
        assert_eq!(first.header("Cache-Control"), "private, no-cache", "{path}");
        let tag = first.header("ETag");
        let again = server.request(Method::GET, &path).header("If-None-Match", &tag).send().await;
        if !path.contains("_history") {
            assert_eq!((again.status, again.header("Cache-Control").as_str()), (304, "private, no-cache"), "{path}");
        }
    }
    for path in ["Patient", "Patient/_history", "Patient/absent", "Patient?nonsense=1", "metadata"] {
        assert_eq!(server.get(path).await.header("Cache-Control"), "no-store", "{path}");
    }
    server.delete(&format!("Patient/{id}")).await.expect(204);
    assert_eq!(server.get(&format!("Patient/{id}")).await.expect(410).header("Cache-Control"), "no-store");
}

async fn https_is_demanded_where_clients_come_by_it(server: &TestServer) {
    assert_eq!(server.get("Patient").await.header("Strict-Transport-Security"), "");
    let closed = closed(server, &[]).await;

    let refused = closed.get("Patient").await;

    assert_eq!((refused.status, refused.header("Strict-Transport-Security").as_str()), (401, "max-age=31536000"));
    closed.stop().await;
}

async fn what_anybody_may_read_may_be_read_from_anywhere(server: &TestServer) {
    let closed = closed(server, &[]).await;
    let outside = format!("{}/.well-known/oauth-authorization-server", closed.url);
    for path in ["metadata", ".well-known/smart-configuration", &outside] {
        let answer = closed.get(path).await.expect(200);
        assert_eq!(answer.header("Cross-Origin-Resource-Policy"), "cross-origin", "{path}");
    }
    closed.stop().await;
}
