//! Which tokens are accepted, and for how long.

use emberwell::store::SecretHash;
use http::Method;

use crate::access::family::fill;
use crate::support::holders::{self, Granted};
use crate::support::{TestServer, on_both};

on_both!(closed:
    without_a_token_nothing_is_told,
    what_changes_takes_effect_at_once,
    patient_scopes_need_a_patient,
);

async fn without_a_token_nothing_is_told(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/*.rs", Some("a"), &[Granted::on("a")]).token;

    for path in ["Patient/a", "Patient/absent", "Patient", "Patient/a/_history", "_history", "Patient/a/_history/1"] {
        let issue = server.get(path).await.refused(401);
        assert_eq!(issue["code"], "login");
        for header in ["Bearer nonsense", "Bearer", "Basic YTpi", &format!("Basic {app}"), &app, "Bearer a b"] {
            let answer = server.request(Method::GET, path).header("Authorization", header).send().await;
            answer.refused(401);
            assert!(answer.header("WWW-Authenticate").starts_with("Bearer"), "{header}");
        }
        let separator = if path.contains('?') { '&' } else { '?' };
        server.get(&format!("{path}{separator}access_token={app}")).await.refused(401);
    }
    server.get("metadata").await.expect(200);
    server.get(&format!("{}/health", server.url)).await.expect(200);
}

async fn what_changes_takes_effect_at_once(server: &TestServer) {
    fill(server).await;
    // Another process makes the change, so that PostgreSQL is asked a little later.
    let soon = async |token: &str| {
        for _ in 0..100 {
            let status = server.get_as(token, "Patient/a").await.status;
            if status != 200 {
                return status;
            }
            actix_web::rt::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        200
    };
    let held = || holders::app(server, "patient/*.rs", Some("a"), &[Granted::on("a")]);

    let revoked = held();
    server.get_as(&revoked.token, "Patient/a").await.expect(200);
    let hash = SecretHash::of(revoked.token.as_bytes());
    holders::change(server, move |tx| tx.revoke_token(&hash));
    assert_eq!(soon(&revoked.token).await, 401);

    let ended = held();
    server.get_as(&ended.token, "Patient/a").await.expect(200);
    let grant = ended.grants[0];
    holders::change(server, move |tx| tx.end_grant(grant));
    assert_eq!(soon(&ended.token).await, 403);

    let suspended = held();
    server.get_as(&suspended.token, "Patient/a").await.expect(200);
    let client = suspended.client.clone().unwrap();
    holders::change(server, move |tx| tx.suspend_client(&client));
    assert_eq!(soon(&suspended.token).await, 401);

    let disabled = held();
    server.get_as(&disabled.token, "Patient/a").await.expect(200);
    let account = disabled.account.unwrap();
    holders::change(server, move |tx| tx.disable_account(account));
    assert_eq!(soon(&disabled.token).await, 401);
}

async fn patient_scopes_need_a_patient(server: &TestServer) {
    fill(server).await;
    let without = holders::app(server, "patient/*.rs user/*.rs", None, &[Granted::on("a")]).token;
    let foreign = holders::app(server, "patient/*.rs", Some("b"), &[Granted::on("a")]).token;

    server.get_as(&without, "Patient/a").await.refused(403);
    server.get_as(&foreign, "Patient/b").await.refused(403);
    server.get_as(&foreign, "Patient/a").await.refused(403);
}
