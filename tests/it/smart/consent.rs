//! The consent page: what is asked, what comes of the answer, and what stands from before.

use emberwell::store::{ClientFacts, GrantLevel};

use super::{
    EMAIL, PASSWORD, address, code, consent, exchange, home, person, public, register, returned, signed_in, text,
    ticking,
};
use crate::support::browser::{Browser, form};
use crate::support::holders::change;
use crate::support::{TestServer, on_both};

const SCOPES: &str = "launch/patient openid offline_access patient/Observation.cruds patient/Condition.rs";

on_both!(closed:
    what_is_not_ticked_is_not_granted,
    a_finer_choice_is_granted_as_such,
    what_was_not_offered_can_not_be_ticked,
    of_several_records_one_is_chosen,
    who_says_no_sends_the_app_away,
    what_an_app_needs_can_not_be_left_out,
    what_was_allowed_before_is_not_asked_again,
    when_the_needs_grow_only_the_new_is_asked_and_the_old_goes_on,
    an_end_is_kept_to,
    what_has_an_end_keeps_it_when_more_is_asked,
    what_was_allowed_for_one_record_is_asked_for_another,
    nobody_gives_more_than_they_hold,
    the_page_says_who_asks_and_why,
    a_form_from_elsewhere_decides_nothing,
);

async fn granted(server: &TestServer, scopes: &[&str]) -> String {
    let client = register(server, public());
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200);
    let form = ticking(consent(&page), scopes).with("decision", "allow");
    let code = returned(&browser.send_form(&form).await)["code"].clone();
    let answer = exchange(server, &client, &code, &[]).await.expect(200).json();
    text(&answer, "scope").to_owned()
}

async fn what_is_not_ticked_is_not_granted(server: &TestServer) {
    home(server, &["a"]).await;

    let scopes = granted(server, &["patient/Condition.rs"]).await;

    assert_eq!(scopes, "launch/patient patient/Condition.rs");
}

async fn a_finer_choice_is_granted_as_such(server: &TestServer) {
    home(server, &["a"]).await;
    let laboratory =
        "patient/Observation.cruds?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory";

    let scopes = granted(server, &[laboratory, "openid"]).await;

    assert_eq!(scopes, format!("openid launch/patient {laboratory}"));
}

async fn what_was_not_offered_can_not_be_ticked(server: &TestServer) {
    home(server, &["a"]).await;

    let scopes = granted(server, &["patient/Condition.rs", "patient/*.cruds", "user/*.rs", "fhirUser", "<b>"]).await;

    assert_eq!(scopes, "launch/patient patient/Condition.rs");
}

async fn of_several_records_one_is_chosen(server: &TestServer) {
    home(server, &["a", "m"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200);
    let choices = page.text().matches("name=\"record\"").count();
    let form = ticking(consent(&page), &["patient/Condition.rs"]).with("decision", "allow");

    for wrong in [form.clone(), form.clone().with("record", "b"), form.clone().with("record", "x y")] {
        let again = browser.send_form(&wrong).await.expect(400);
        assert!(again.text().contains("id=\"record-problem\""), "{}", again.text());
    }
    let code = returned(&browser.send_form(&form.with("record", "m")).await)["code"].clone();
    let answer = exchange(server, &client, &code, &[]).await.expect(200).json();

    assert_eq!(choices, 2, "only records that the person may see");
    assert_eq!(answer["patient"], "m");
    let found = server.get_as(text(&answer, "access_token"), "Condition").await.expect(200).matches();
    assert!(found.iter().all(|id| id.starts_with("m-")), "{found:?}");
}

async fn who_says_no_sends_the_app_away(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200);

    let told = returned(&browser.send_form(&consent(&page).with("decision", "deny")).await);
    let undecided = browser.send_form(&consent(&page)).await;

    assert_eq!((told["error"].as_str(), told["state"].as_str()), ("access_denied", "a state & more"));
    assert_eq!(undecided.status, 400);
    let nothing = ticking(consent(&page), &[]).with("decision", "allow");
    assert_eq!(returned(&browser.send_form(&nothing).await)["error"], "access_denied");
}

async fn what_an_app_needs_can_not_be_left_out(server: &TestServer) {
    home(server, &["a"]).await;
    let optional = "openid offline_access patient/Condition.rs".to_owned();
    let client = register(server, ClientFacts { optional_scopes: optional, ..public() });
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200);
    assert_eq!(page.text().matches("the app needs this").count(), 1);

    let without = ticking(consent(&page), &["patient/Condition.rs"]).with("decision", "allow");
    let again = browser.send_form(&without).await.expect(400);
    let with = ticking(consent(&again), &["patient/Observation.cruds"]).with("decision", "allow");

    assert!(again.text().contains("does not work without this"), "{}", again.text());
    assert!(returned(&browser.send_form(&with).await).contains_key("code"));
}

async fn what_was_allowed_before_is_not_asked_again(server: &TestServer) {
    let home = home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    code(&browser, server, &client, SCOPES, Some("a")).await;

    let second = browser.get(&address(server, &client, SCOPES, &[])).await;
    let asked = browser.get(&address(server, &client, SCOPES, &[("prompt", "consent")])).await;

    assert!(returned(&second).contains_key("code"));
    assert_eq!(asked.status, 200);
    let (account, id) = (home.account.id, client.id.clone());
    let grants = change(server, move |tx| tx.grants_to_app(account, &id));
    assert_eq!(grants.len(), 1, "{grants:?}");
}

async fn when_the_needs_grow_only_the_new_is_asked_and_the_old_goes_on(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let old = super::let_in(server, &client, "launch/patient patient/Condition.rs", Some("a")).await;

    let page = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200);
    let html = page.text();
    let boxes = html.matches("name=\"scope\" value=\"patient/Condition.rs").count();
    let form = ticking(consent(&page), &["patient/Observation.cruds"]).with("decision", "allow");
    let code = returned(&browser.send_form(&form).await)["code"].clone();
    let new = exchange(server, &client, &code, &[]).await.expect(200).json();

    assert_eq!(boxes, 0, "{html}");
    assert!(html.contains("You allowed this before"), "{html}");
    assert_eq!(new["scope"], "launch/patient patient/Observation.cruds patient/Condition.rs");
    server.get_as(text(&old, "access_token"), "Condition").await.expect(200);
    server.get_as(text(&old, "access_token"), "Observation").await.refused(403);
    server.get_as(text(&new, "access_token"), "Observation").await.expect(200);
}

async fn an_end_is_kept_to(server: &TestServer) {
    let home = home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200);
    let form = ticking(consent(&page), &["patient/Condition.rs"]).with("decision", "allow");

    for wrong in ["2020-01-31", "soon"] {
        let again = browser.send_form(&form.clone().with("until", wrong)).await.expect(400);
        assert!(again.text().contains("id=\"until-problem\""), "{}", again.text());
    }
    returned(&browser.send_form(&form.with("until", "2090-01-31")).await);

    let (account, id) = (home.account.id, client.id.clone());
    let grants = change(server, move |tx| tx.grants_to_app(account, &id));
    assert_eq!(grants.len(), 1);
    // The first moment of the day behind.
    assert_eq!(grants[0].until_us, Some(3_789_590_400_000_000));
}

async fn what_has_an_end_keeps_it_when_more_is_asked(server: &TestServer) {
    let home = home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let first = "launch/patient patient/Condition.rs";
    let page = browser.get(&address(server, &client, first, &[])).await.expect(200);
    let form = ticking(consent(&page), &["patient/Condition.rs"]).with("decision", "allow").with("until", "2090-01-31");
    returned(&browser.send_form(&form).await);

    let page = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200);
    let form = ticking(consent(&page), &["patient/Observation.cruds"]).with("decision", "allow");
    returned(&browser.send_form(&form).await);

    assert!(page.text().contains("in this record, until 31 January 2090"), "{}", page.text());
    let (account, id) = (home.account.id, client.id.clone());
    let grants = change(server, move |tx| tx.grants_to_app(account, &id));
    assert_eq!(grants.len(), 2);
    assert!(grants.iter().all(|grant| grant.until_us == Some(3_789_590_400_000_000)), "{grants:?}");
    // Ticked anew, and without an end, it has none.
    let page = browser.get(&address(server, &client, "launch/patient openid", &[])).await.expect(200);
    let form = ticking(consent(&page), &["openid"]).with("decision", "allow");
    returned(&browser.send_form(&form).await);
    let (account, id) = (home.account.id, client.id.clone());
    assert_eq!(change(server, move |tx| tx.grants_to_app(account, &id))[2].until_us, None);
}

async fn what_was_allowed_for_one_record_is_asked_for_another(server: &TestServer) {
    home(server, &["a", "m"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let mixed = "launch/patient patient/*.rs user/*.rs";
    let code = code(&browser, server, &client, mixed, Some("a")).await;
    let answer = exchange(server, &client, &code, &[]).await.expect(200).json();
    let launch = server.request(http::Method::POST, &format!("{}/auth/launch", server.url));
    let launch = launch.header("Authorization", &format!("Bearer {}", text(&answer, "access_token")));
    let body = serde_json::json!({ "client_id": client.id, "patient": "m" }).to_string();
    let handle = launch.body("application/json", body).send().await.expect(200).json();

    let with = [("launch", text(&handle, "launch"))];
    let page = browser.get(&address(server, &client, "launch patient/*.rs user/*.rs", &with)).await;

    assert_eq!(page.status, 200, "{}", page.header("Location"));
    assert!(page.text().contains("name=\"scope\" value=\"patient/*.rs\""), "{}", page.text());
}

async fn nobody_gives_more_than_they_hold(server: &TestServer) {
    home(server, &["m"]).await;
    person(server, "uncle@example.org", &["a"], GrantLevel::View);
    let client = register(server, public());
    let browser = Browser::new(server);
    browser.sign_in("uncle@example.org", PASSWORD).await;

    let code = code(&browser, server, &client, SCOPES, Some("a")).await;
    let answer = exchange(server, &client, &code, &[]).await.expect(200).json();

    assert_eq!(answer["scope"], "launch/patient openid offline_access patient/Observation.rs patient/Condition.rs");
    let token = text(&answer, "access_token");
    server.get_as(token, "Observation/a-lab").await.expect(200);
    server.request_as(token, http::Method::DELETE, "Observation/a-lab").send().await.refused(403);
}

async fn the_page_says_who_asks_and_why(server: &TestServer) {
    home(server, &["a"]).await;
    let new = ClientFacts { name: "<Growth> & co".to_owned(), publisher: Some("Kite GmbH".to_owned()), ..public() };
    let client = register(server, new);
    let browser = signed_in(server).await;

    let html = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200).text();

    for told in [
        "&#60;Growth&#62; &#38; co",
        "Kite GmbH",
        "Nobody has checked who that is",
        "app.example",
        "Why: to draw curves",
        "when you are not using the app",
        "See, add, change and delete measurements",
        EMAIL,
    ] {
        assert!(html.contains(told), "{told}: {html}");
    }
}

async fn a_form_from_elsewhere_decides_nothing(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200);
    let allowed = ticking(consent(&page), &["patient/Condition.rs"]).with("decision", "allow");

    let stranger = Browser::new(server);
    for wrong in ["", "x", &allowed.value("csrf")[1..], &csrf_of(&stranger).await] {
        assert_eq!(browser.send_form(&allowed.clone().with("csrf", wrong)).await.status, 403, "{wrong}");
    }
    // Without the cookie of the person the form is nobody's.
    assert_eq!(stranger.send_form(&allowed).await.status, 403);
    for (name, value) in [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        assert_eq!(browser.send_form_with(&allowed, name, value).await.status, 403, "{name}: {value}");
    }
    assert!(returned(&browser.send_form(&allowed).await).contains_key("code"));
}

async fn csrf_of(browser: &Browser<'_>) -> String {
    form(&browser.get("/sign-in").await, "/sign-in").value("csrf")
}
