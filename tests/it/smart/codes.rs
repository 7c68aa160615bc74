//! Codes: exchanged once, by whom they were given to, with what was promised.

use emberwell::clock::now_us;
use emberwell::store::{AuthorizationCode, ClientFacts, SecretHash};

use super::{
    CHALLENGE, REDIRECT, SECRET, VERIFIER, code, confidential, exchange, home, invalid_grant, let_in, public, register,
    signed_in, text,
};
use crate::support::holders::change;
use crate::support::{TestServer, on_both};

const SCOPES: &str = "launch/patient offline_access patient/Observation.rs";

on_both!(closed:
    a_code_gives_tokens_for_what_was_allowed,
    a_code_that_comes_again_ends_what_came_of_it,
    the_verifier_is_the_one_whose_hash_was_sent,
    a_code_is_for_its_client_and_its_address,
    a_confidential_app_shows_who_it_is,
    a_code_is_over_after_a_minute,
    a_code_for_what_was_taken_back_gives_nothing,
    a_code_of_a_session_that_has_ended_gives_nothing,
);

async fn a_code_gives_tokens_for_what_was_allowed(server: &TestServer) {
    home(server, &["a", "m"]).await;
    let client = register(server, public());

    let answer = let_in(server, &client, SCOPES, Some("a")).await;

    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 3600);
    assert_eq!(answer["patient"], "a");
    assert_eq!(answer["need_patient_banner"], true);
    assert_eq!(answer["scope"], "launch/patient offline_access patient/Observation.rs");
    assert!(answer.get("id_token").is_none(), "openid was not asked for");
    let token = text(&answer, "access_token");
    let found = server.get_as(token, "Observation?_count=100").await.expect(200).matches();
    assert!(!found.is_empty() && found.iter().all(|id| id.starts_with("a-")), "{found:?}");
    server.get_as(token, "Condition").await.refused(403);
    server.get_as(token, "Observation/m-weight").await.refused(404);
    let style = server.get(text(&answer, "smart_style_url")).await.expect(200);
    assert_eq!(style.header("Access-Control-Allow-Origin"), "");
    assert!(style.json()["color_background"].is_string());
}

async fn a_code_that_comes_again_ends_what_came_of_it(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let code = code(&browser, server, &client, SCOPES, Some("a")).await;
    let first = exchange(server, &client, &code, &[]).await.expect(200);
    assert_eq!((first.header("Cache-Control"), first.header("Pragma")), ("no-store".to_owned(), "no-cache".to_owned()));
    let tokens = first.json();
    server.get_as(text(&tokens, "access_token"), "Observation").await.expect(200);

    invalid_grant(&exchange(server, &client, &code, &[]).await);

    server.get_as(text(&tokens, "access_token"), "Observation").await.expect(401);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token"))];
    invalid_grant(&crate::auth::backend::post(server, "/auth/token", &refresh).await);
}

async fn the_verifier_is_the_one_whose_hash_was_sent(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;

    let long = "a".repeat(129);
    for verifier in ["", " ", CHALLENGE, "eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", &VERIFIER[..42], &long] {
        let code = code(&browser, server, &client, SCOPES, Some("a")).await;
        invalid_grant(&exchange(server, &client, &code, &[("code_verifier", verifier)]).await);
        exchange(server, &client, &code, &[]).await.expect(200);
    }
}

async fn a_code_is_for_its_client_and_its_address(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let other = register(server, ClientFacts { id: "other".to_owned(), ..public() });
    let browser = signed_in(server).await;
    let code = code(&browser, server, &client, SCOPES, Some("a")).await;

    invalid_grant(&exchange(server, &other, &code, &[]).await);
    for uri in ["", "https://app.example/done/", "https://app.example/other"] {
        invalid_grant(&exchange(server, &client, &code, &[("redirect_uri", uri)]).await);
    }
    invalid_grant(&exchange(server, &client, "not-a-code", &[]).await);
    let answer = exchange(server, &client, &code, &[("code", "")]).await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_request")));
    assert_eq!(exchange(server, &client, &code, &[("client_id", "")]).await.status, 401);
    exchange(server, &client, &code, &[("redirect_uri", REDIRECT)]).await.expect(200);
}

async fn a_confidential_app_shows_who_it_is(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, confidential());
    let browser = signed_in(server).await;
    let code = code(&browser, server, &client, SCOPES, Some("a")).await;

    for secret in ["", "wrong", &SECRET[1..]] {
        let answer = exchange(server, &client, &code, &[("client_secret", secret)]).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("invalid_client")), "{secret}");
    }
    exchange(server, &client, &code, &[]).await.expect(200);
}

async fn a_code_is_over_after_a_minute(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let code = code(&browser, server, &client, SCOPES, Some("a")).await;

    let hash = SecretHash::of(code.as_bytes());
    change(server, move |tx| {
        let kept = tx.authorization_code(&hash)?.unwrap();
        assert!((1..=60_000_000).contains(&(kept.expires_us - now_us())));
        tx.add_authorization_code(&AuthorizationCode { hash: SecretHash::of(b"late"), expires_us: now_us(), ..kept })
    });

    invalid_grant(&exchange(server, &client, "late", &[]).await);
    exchange(server, &client, &code, &[]).await.expect(200);
}

async fn a_code_for_what_was_taken_back_gives_nothing(server: &TestServer) {
    let home = home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let code = code(&browser, server, &client, SCOPES, Some("a")).await;

    let (account, id) = (home.account.id, client.id.clone());
    change(server, move |tx| {
        for grant in tx.grants_to_app(account, &id)? {
            tx.end_grant(grant.id)?;
        }
        Ok(())
    });

    invalid_grant(&exchange(server, &client, &code, &[]).await);
}

async fn a_code_of_a_session_that_has_ended_gives_nothing(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let (browser, other) = (signed_in(server).await, signed_in(server).await);
    let kept = code(&browser, server, &client, SCOPES, Some("a")).await;
    let ended = code(&other, server, &client, SCOPES, Some("a")).await;

    browser.submit("/account/password", "/account/password", &[("password", "lampshade orchard")]).await.expect(303);

    invalid_grant(&exchange(server, &client, &ended, &[]).await);
    exchange(server, &client, &kept, &[]).await.expect(200);
    // Nor does one of a session that its owner has signed out of, although the access would have outlived it.
    let kept = code(&browser, server, &client, SCOPES, Some("a")).await;
    browser.submit("/account", "/sign-out", &[]).await.expect(303);
    invalid_grant(&exchange(server, &client, &kept, &[]).await);
}
