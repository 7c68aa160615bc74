//! Refresh tokens: each is exchanged once, and one that comes back ends all.

use emberwell::access::Word;
use emberwell::clock::now_us;
use emberwell::store::{AccessToken, ClientFacts, Part, SecretHash};
use serde_json::Value;

use super::{
    SECRET, code, confidential, exchange, home, invalid_grant, let_in, public, register, signed_in, soon, text,
};
use crate::auth::backend::post;
use crate::support::browser::form;
use crate::support::holders::change;
use crate::support::{Answer, TestServer, on_both};

const SCOPES: &str = "launch/patient offline_access patient/Observation.cruds patient/Condition.rs";

on_both!(closed:
    a_refresh_token_is_exchanged_for_the_next,
    the_answer_that_was_lost_is_given_again_for_some_seconds,
    one_that_comes_back_later_ends_the_family,
    the_same_scopes_or_fewer_are_given,
    it_is_for_its_client_alone,
    a_public_app_may_leave_its_name_out,
    access_while_signed_in_ends_with_the_session,
    access_without_either_has_no_refresh_token,
    what_was_taken_back_is_refreshed_no_more,
    an_app_that_is_back_in_the_sandbox_is_for_those_who_try_it_out,
);

async fn refresh(server: &TestServer, token: &str, more: &[(&str, &str)]) -> Answer {
    let pairs = [&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "growth")], more].concat();
    post(server, "/auth/token", &pairs).await
}

async fn reads(server: &TestServer, answer: &Value) -> u16 {
    server.get_as(text(answer, "access_token"), "Condition").await.status
}

async fn a_refresh_token_is_exchanged_for_the_next(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let first = let_in(server, &client, SCOPES, Some("a")).await;

    let second = refresh(server, text(&first, "refresh_token"), &[]).await.expect(200).json();
    let third = refresh(server, text(&second, "refresh_token"), &[]).await.expect(200).json();

    for name in ["scope", "patient", "need_patient_banner", "smart_style_url"] {
        assert_eq!(second[name], first[name], "{name}");
    }
    let tokens = [&first, &second, &third].map(|answer| text(answer, "refresh_token"));
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2]);
    assert_eq!((reads(server, &second).await, reads(server, &third).await), (200, 200));
}

async fn the_answer_that_was_lost_is_given_again_for_some_seconds(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let first = let_in(server, &client, SCOPES, Some("a")).await;

    let second = refresh(server, text(&first, "refresh_token"), &[]).await.expect(200).json();
    let again = refresh(server, text(&first, "refresh_token"), &[]).await.expect(200).json();

    for name in ["access_token", "refresh_token", "scope", "patient"] {
        assert_eq!(again[name], second[name], "{name}");
    }
    assert_eq!(reads(server, &second).await, 200);
}

async fn one_that_comes_back_later_ends_the_family(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let first = let_in(server, &client, SCOPES, Some("a")).await;
    let second = refresh(server, text(&first, "refresh_token"), &[]).await.expect(200).json();

    // As if the first had been exchanged eleven seconds ago: kept anew under another name, of which the next are not known.
    let hash = SecretHash::of(text(&first, "refresh_token").as_bytes());
    change(server, move |tx| {
        let kept = tx.access_token(&hash)?.unwrap();
        assert!(kept.revoked_us.is_some());
        let revoked_us = Some(now_us() - 11_000_000);
        tx.add_token(&AccessToken { hash: SecretHash::of(b"stolen"), revoked_us, ..kept })
    });
    invalid_grant(&refresh(server, "stolen", &[]).await);

    assert_eq!(reads(server, &second).await, 401);
    invalid_grant(&refresh(server, text(&second, "refresh_token"), &[]).await);
}

async fn the_same_scopes_or_fewer_are_given(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let first = let_in(server, &client, SCOPES, Some("a")).await;

    for wider in ["patient/*.rs", "patient/Condition.cruds", "openid", "patient/Observation.sr"] {
        let answer = refresh(server, text(&first, "refresh_token"), &[("scope", wider)]).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_scope")), "{wider}");
    }
    let fewer = refresh(server, text(&first, "refresh_token"), &[("scope", "patient/Observation.rs")]).await;
    let fewer = fewer.expect(200).json();
    let whole = refresh(server, text(&fewer, "refresh_token"), &[]).await.expect(200).json();

    assert_eq!((fewer["scope"].as_str(), reads(server, &fewer).await), (Some("patient/Observation.rs"), 403));
    assert_eq!((&whole["scope"], reads(server, &whole).await), (&first["scope"], 200));
}

async fn it_is_for_its_client_alone(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    register(server, ClientFacts { id: "other".to_owned(), ..public() });
    let secret = register(server, confidential());
    let first = let_in(server, &client, SCOPES, Some("a")).await;
    let of_secret = let_in(server, &secret, SCOPES, Some("a")).await;
    let sent = |token: &str, pairs: &[(&str, &str)]| {
        let pairs = [&[("grant_type", "refresh_token"), ("refresh_token", token)], pairs].concat();
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        async move {
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            post(server, "/auth/token", &pairs).await
        }
    };

    invalid_grant(&sent(text(&first, "refresh_token"), &[("client_id", "other")]).await);
    invalid_grant(&sent(text(&first, "refresh_token"), &[("client_id", "clinic"), ("client_secret", SECRET)]).await);
    for bare in [&[][..], &[("client_id", "clinic")]] {
        let answer = sent(text(&of_secret, "refresh_token"), bare).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("invalid_client")));
    }
    sent(text(&of_secret, "refresh_token"), &[("client_id", "clinic"), ("client_secret", SECRET)]).await.expect(200);
    sent(text(&first, "refresh_token"), &[("client_id", "growth")]).await.expect(200);
}

async fn a_public_app_may_leave_its_name_out(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let first = let_in(server, &client, SCOPES, Some("a")).await;

    let pairs = [("grant_type", "refresh_token"), ("refresh_token", text(&first, "refresh_token"))];
    let second = post(server, "/auth/token", &pairs).await.expect(200).json();

    assert_eq!(reads(server, &second).await, 200);
}

async fn access_while_signed_in_ends_with_the_session(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let scopes = SCOPES.replace("offline_access", Word::OnlineAccess.name());
    let code = code(&browser, server, &client, &scopes, Some("a")).await;
    let first = exchange(server, &client, &code, &[]).await.expect(200).json();
    let second = refresh(server, text(&first, "refresh_token"), &[]).await.expect(200).json();
    assert_eq!(reads(server, &second).await, 200);

    let asked = super::address(server, &client, &scopes, &[("prompt", "consent")]);
    let page = browser.get(&asked).await.expect(200);
    browser.send_form(&form(&page, "/sign-out")).await.expect(303);

    assert_eq!(reads(server, &second).await, 401);
    invalid_grant(&refresh(server, text(&second, "refresh_token"), &[]).await);
}

async fn access_without_either_has_no_refresh_token(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());

    let answer = let_in(server, &client, "launch/patient patient/Condition.rs", Some("a")).await;

    assert!(answer.get("refresh_token").is_none(), "{answer}");
}

async fn what_was_taken_back_is_refreshed_no_more(server: &TestServer) {
    let home = home(server, &["a"]).await;
    let client = register(server, public());
    let first = let_in(server, &client, SCOPES, Some("a")).await;

    let (account, id) = (home.account.id, client.id.clone());
    change(server, move |tx| {
        for grant in tx.grants_to_app(account, &id)? {
            tx.end_grant(grant.id)?;
        }
        Ok(())
    });

    soon(401, async || reads(server, &first).await).await;
    invalid_grant(&refresh(server, text(&first, "refresh_token"), &[]).await);
}

async fn an_app_that_is_back_in_the_sandbox_is_for_those_who_try_it_out(server: &TestServer) {
    let home = home(server, &["a"]).await;
    let client = register(server, public());
    let first = let_in(server, &client, SCOPES, Some("a")).await;
    assert_eq!(reads(server, &first).await, 200);

    let id = client.id.clone();
    change(server, move |tx| tx.set_client_standing(&id, None, None, None));
    soon(401, async || reads(server, &first).await).await;
    invalid_grant(&refresh(server, text(&first, "refresh_token"), &[]).await);

    let (id, account) = (client.id.clone(), home.account.id);
    change(server, move |tx| tx.set_client_member(&id, account, Part::Tester));
    assert_eq!(reads(server, &first).await, 200);
}
