//! What an app may ask for, and where a refusal goes.

use emberwell::store::{ClientFacts, ClientOrigin};
use http::Method;

use super::{CHALLENGE, REDIRECT, address, home, public, register, returned, signed_in};
use crate::support::browser::Browser;
use crate::support::{TestServer, on_both};

on_both!(closed:
    who_is_not_signed_in_signs_in_and_comes_back,
    nothing_goes_to_an_address_that_is_not_registered,
    what_is_amiss_goes_back_to_the_app_with_its_state,
    an_app_of_before_pkce_is_told_so_on_a_page,
    the_audience_is_this_server_to_the_letter,
    a_form_of_the_app_asks_the_same,
    without_asking_only_what_needs_no_asking_goes_on,
    a_suspended_app_is_not_let_in,
    one_in_the_sandbox_is_for_those_who_try_it_out,
    errors_of_an_app_for_which_nobody_vouches_send_nobody_away,
    the_port_of_a_native_app_may_vary_and_nothing_else,
);

async fn who_is_not_signed_in_signs_in_and_comes_back(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = Browser::new(server);

    let there = browser.get(&address(server, &client, "launch/patient patient/*.rs", &[])).await.expect(303);
    let way = there.header("Location");
    assert!(way.starts_with("/sign-in?next=%2Fauth%2Fauthorize%3F"), "{way}");
    let policy = browser.get(&way).await.expect(200).header("Content-Security-Policy");
    assert!(policy.contains("form-action 'self' https:;"), "{policy}");
    let back =
        browser.submit(&way, "/sign-in", &[("email", super::EMAIL), ("password", super::PASSWORD)]).await.expect(303);
    let page = browser.get(&back.header("Location")).await.expect(200);

    assert!(page.text().contains("Growth"), "{}", page.text());
    let policy = page.header("Content-Security-Policy");
    assert!(policy.contains("form-action 'self' https:;"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("X-Frame-Options"), "DENY");
    assert_eq!(page.header("Referrer-Policy"), "same-origin");
}

async fn nothing_goes_to_an_address_that_is_not_registered(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;

    for uri in [
        "",
        "https://app.example/done/",
        "https://app.example/done?x=1",
        "https://app.example/done#",
        "https://app.example/Done",
        "https://APP.example/done",
        "https://app.example:443/done",
        "https://app.example/done/../done",
        "https://app.example/%64one",
        "https://app.example@evil.example/done",
        "https://app.example.evil.example/done",
        "https://evil.example/?u=https://app.example/done",
        "http://app.example/done",
        "//app.example/done",
        "javascript:alert(1)",
    ] {
        let answer = browser.get(&address(server, &client, "patient/*.rs", &[("redirect_uri", uri)])).await;
        assert_eq!((answer.status, answer.header("Location").as_str()), (400, ""), "{uri}");
        assert!(answer.header("Content-Type").starts_with("text/html"), "{uri}");
    }
    for id in ["", "nobody", "growth ", "<script>"] {
        let answer = browser.get(&address(server, &client, "patient/*.rs", &[("client_id", id)])).await;
        assert_eq!((answer.status, answer.header("Location").as_str()), (400, ""), "{id}");
        assert!(!answer.text().contains("<script"), "{}", answer.text());
    }
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fevil.example", address(server, &client, "patient/*.rs", &[]));
    assert_eq!(browser.get(&twice).await.status, 400);
}

async fn what_is_amiss_goes_back_to_the_app_with_its_state(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;

    for (changes, error) in [
        (&[("response_type", "token")][..], "unsupported_response_type"),
        (&[("response_type", "")], "invalid_request"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("scope", "")], "invalid_scope"),
        (&[("scope", "patient/Observation.sr nonsense")], "invalid_scope"),
        (&[("scope", "system/*.rs")], "invalid_scope"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge", "too-short")], "invalid_request"),
        (&[("request", "e30.e30.")], "request_not_supported"),
        (&[("request_uri", "https://evil.example")], "request_uri_not_supported"),
        (&[("scope", "launch patient/*.rs")], "invalid_request"),
        (&[("launch", "stolen")], "invalid_request"),
        (&[("max_age", "soon")], "invalid_request"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("prompt", "none")], "consent_required"),
    ] {
        let answer = browser.get(&address(server, &client, "launch/patient patient/*.rs", changes)).await;
        let told = returned(&answer);
        assert_eq!(told["error"], error, "{changes:?}");
        assert_eq!(told["state"], "a state & more");
        assert_eq!(told["iss"], server.url);
        assert!(!told.contains_key("code"));
    }
    let twice = format!("{}&scope=openid", address(server, &client, "patient/*.rs", &[]));
    assert_eq!(returned(&browser.get(&twice).await)["error"], "invalid_request");
}

async fn an_app_of_before_pkce_is_told_so_on_a_page(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;

    let changes = [("code_challenge", ""), ("code_challenge_method", "")];
    let answer = browser.get(&address(server, &client, "patient/*.rs", &changes)).await;

    assert_eq!((answer.status, answer.header("Location").as_str()), (400, ""));
    assert!(answer.text().contains("PKCE"), "{}", answer.text());
}

async fn the_audience_is_this_server_to_the_letter(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let base = &server.base;

    let look_alikes = [
        String::new(),
        format!("{base}/"),
        format!("{base}x"),
        format!("{base}.evil.example"),
        base.replace("/fhir", "/FHIR"),
        base.replace("/fhir", "//fhir"),
        base.replace("http:", "https:"),
        base.replace("http://", "http://evil.example@"),
        server.url.clone(),
        "https://evil.example/fhir".to_owned(),
    ];
    for aud in &look_alikes {
        let answer = browser.get(&address(server, &client, "launch/patient patient/*.rs", &[("aud", aud)])).await;
        assert_eq!(returned(&answer)["error"], "invalid_request", "{aud}");
    }
    let by_resource = [("aud", ""), ("resource", base.as_str())];
    browser.get(&address(server, &client, "launch/patient patient/*.rs", &by_resource)).await.expect(200);
    let old = register(server, ClientFacts { id: "old".to_owned(), goes_without_aud: true, ..public() });
    browser.get(&address(server, &old, "launch/patient patient/*.rs", &[("aud", "")])).await.expect(200);
}

async fn a_form_of_the_app_asks_the_same(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let whole = address(server, &client, "launch/patient patient/*.rs", &[]);
    let (path, query) = whole.split_once('?').unwrap();

    let posted = server.request(Method::POST, &format!("{}{path}", server.url)).header("Origin", "https://app.example");
    let answer = posted.body("application/x-www-form-urlencoded", query.to_owned()).send().await;

    assert_eq!(answer.status, 303);
    assert!(answer.header("Location").starts_with("/sign-in?next="), "{}", answer.header("Location"));
}

async fn without_asking_only_what_needs_no_asking_goes_on(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let silent = address(server, &client, "launch/patient patient/*.rs", &[("prompt", "none")]);
    let none = async |browser: &Browser<'_>| returned(&browser.get(&silent).await);
    let browser = signed_in(server).await;

    assert_eq!(none(&Browser::new(server)).await["error"], "login_required");
    assert_eq!(none(&browser).await["error"], "consent_required");
    super::code(&browser, server, &client, "launch/patient patient/*.rs", Some("a")).await;
    assert!(none(&browser).await.contains_key("code"));
}

async fn a_suspended_app_is_not_let_in(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, "launch/patient patient/*.rs", &[])).await.expect(200);

    let id = client.id.clone();
    crate::support::holders::change(server, move |tx| tx.suspend_client(&id));

    assert_eq!(browser.get(&address(server, &client, "patient/*.rs", &[])).await.status, 400);
    let form = super::ticking(super::consent(&page), &["patient/*.rs"]).with("decision", "allow");
    assert_eq!(browser.send_form(&form).await.status, 400);
}

async fn one_in_the_sandbox_is_for_those_who_try_it_out(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, ClientFacts { origin: ClientOrigin::Page, ..public() });
    let browser = signed_in(server).await;

    let answer = browser.get(&address(server, &client, "launch/patient patient/*.rs", &[])).await;

    assert_eq!((answer.status, answer.header("Location").as_str()), (400, ""));
    assert!(answer.text().contains("among those who do that") && answer.text().contains("error=access_denied"));
}

async fn errors_of_an_app_for_which_nobody_vouches_send_nobody_away(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, ClientFacts { origin: ClientOrigin::Registration, ..public() });
    let browser = signed_in(server).await;
    let strange = Browser::new(server);

    for (changes, error) in [
        (&[("response_type", "token")][..], "unsupported_response_type"),
        (&[("scope", "system/*.rs")], "invalid_scope"),
        (&[("prompt", "none")], "_required"),
        (&[("launch", "stolen")], "invalid_request"),
    ] {
        for browser in [&browser, &strange] {
            let answer = browser.get(&address(server, &client, "launch/patient patient/*.rs", changes)).await;
            if answer.status == 303 {
                assert!(answer.header("Location").starts_with("/sign-in?"), "{changes:?}");
                continue;
            }
            assert_eq!((answer.status, answer.header("Location").as_str()), (400, ""), "{changes:?}");
            let html = answer.text();
            assert!(html.contains(error) && html.contains("On to app.example</a>"), "{html}");
            assert!(!html.contains("http-equiv"), "{html}");
        }
    }
    let page = browser.get(&address(server, &client, "launch/patient patient/*.rs", &[])).await.expect(200);
    let denied = browser.send_form(&super::consent(&page).with("decision", "deny")).await;
    assert_eq!(returned(&denied)["error"], "access_denied", "the person has decided");
    let id = client.id.clone();
    crate::support::holders::change(server, move |tx| {
        let client = tx.client(&id)?.unwrap();
        tx.set_client_standing(&id, client.approved_us, Some(1), None)
    });
    let verified = browser.get(&address(server, &client, "patient/*.rs", &[("response_type", "token")])).await;
    assert_eq!(returned(&verified)["error"], "unsupported_response_type");
}

async fn the_port_of_a_native_app_may_vary_and_nothing_else(server: &TestServer) {
    home(server, &["a"]).await;
    let new = ClientFacts { redirect_uris: vec!["http://127.0.0.1/done".to_owned()], ..public() };
    let client = register(server, new);
    let browser = signed_in(server).await;
    let asked = async |uri: &str| {
        let address = address(server, &client, "launch/patient patient/*.rs", &[("redirect_uri", uri)]);
        browser.get(&address).await.status
    };

    for uri in ["http://127.0.0.1/done", "http://127.0.0.1:40123/done"] {
        assert_eq!(asked(uri).await, 200, "{uri}");
    }
    for uri in ["http://127.0.0.1:40123/", "http://127.0.0.1:x/done", "http://127.0.0.1:1@evil.example/done", REDIRECT]
    {
        assert_eq!(asked(uri).await, 400, "{uri}");
    }
    assert_eq!(CHALLENGE, super::challenge(super::VERIFIER));
}
