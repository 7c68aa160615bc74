//! What looks like a token and is none, or one for something else.

use http::Method;

use super::{code, exchange, home, let_in, public, register, signed_in, text};
use crate::auth::backend::post;
use crate::support::{TestServer, on_both};

const SCOPES: &str = "openid launch/patient offline_access patient/Condition.rs";

on_both!(closed:
    only_an_access_token_opens_anything,
    a_token_in_an_address_or_a_body_is_not_looked_at,
    only_a_refresh_token_is_exchanged_for_tokens,
);

async fn only_an_access_token_opens_anything(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let answer = let_in(server, &client, SCOPES, Some("a")).await;
    let code = code(&browser, server, &client, SCOPES, Some("a")).await;
    let session = browser.cookie("emberwell").unwrap();
    server.get_as(text(&answer, "access_token"), "Condition").await.expect(200);

    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.";
    for other in [text(&answer, "id_token"), text(&answer, "refresh_token"), &code, &session, unsigned, "growth"] {
        server.get_as(other, "Condition").await.refused(401);
    }
    // A cookie opens pages, not data.
    let by_cookie = server.request(Method::GET, "Condition").header("Cookie", &format!("emberwell={session}"));
    by_cookie.send().await.refused(401);
    // And a token opens data, not pages.
    let page = server.request(Method::GET, &format!("{}/sign-in", server.url));
    let page = page.header("Cookie", &format!("emberwell={}", text(&answer, "access_token"))).send().await;
    assert!(page.text().contains("name=\"password\""), "{}", page.text());
}

async fn a_token_in_an_address_or_a_body_is_not_looked_at(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let answer = let_in(server, &client, SCOPES, Some("a")).await;
    let token = text(&answer, "access_token");

    server.get(&format!("Condition?access_token={token}")).await.refused(401);
    let posted = server.request(Method::POST, "Condition/_search");
    posted.body("application/x-www-form-urlencoded", format!("access_token={token}")).send().await.refused(401);
}

async fn only_a_refresh_token_is_exchanged_for_tokens(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let answer = let_in(server, &client, SCOPES, Some("a")).await;
    let code = code(&browser, server, &client, SCOPES, Some("a")).await;

    for other in [text(&answer, "access_token"), text(&answer, "id_token"), &code] {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", other), ("client_id", "growth")];
        super::invalid_grant(&post(server, "/auth/token", &pairs).await);
    }
    for other in [text(&answer, "access_token"), text(&answer, "refresh_token"), text(&answer, "id_token")] {
        super::invalid_grant(&exchange(server, &client, other, &[]).await);
    }
}
