//! Whose record it is, for whoever may see more than a page shows.

use emberwell::fhir::Id;
use emberwell::store::{ClientFacts, GrantLevel, Grantee, Labels, NewGrant};
use http::Method;
use serde_json::{Value, json};

use super::{REDIRECT, address, consent, exchange, public, register, returned, signed_in, text, ticking};
use crate::auth::backend::post;
use crate::support::browser::{Form, form};
use crate::support::holders::{change, operator};
use crate::support::{Answer, TestServer, bundle, on_both};

const SCOPES: &str = "launch/patient patient/Condition.rs patient/Observation.rs";

on_both!(closed:
    each_of_many_records_can_be_found_and_chosen,
    what_the_person_may_not_see_is_not_found,
    a_search_keeps_what_was_filled_in_and_decides_nothing,
    what_can_not_be_sought_finds_nothing,
    a_device_is_let_in_for_a_record_that_was_found,
);

/// 53 people called Aas, two called Zorn, one without a name, and a Zorn whom Ana may not see.
async fn crowd(server: &TestServer) {
    let operator = operator(server);
    let named = |id: String, given: &str, family: &str, born: &str| json!({ "resourceType": "Patient", "id": id, "name": [{ "given": [given], "family": family }], "birthDate": born });
    let mut patients: Vec<Value> =
        (0..53).map(|number| named(format!("aas-{number}"), "Jo", "Aas", "1990-01-01")).collect();
    patients.push(named("otto".to_owned(), "Otto", "Zorn", "1950-02-03"));
    patients.push(named("olga".to_owned(), "Olga", "Zörn", "1951-02-03"));
    patients.push(json!({ "resourceType": "Patient", "id": "nameless" }));
    patients.push(named("hidden".to_owned(), "Secret", "Zorn", "1950-02-03"));
    let entry = |patient: &Value| {
        let url = format!("Patient/{}", patient["id"].as_str().unwrap());
        json!({ "request": { "method": "PUT", "url": url }, "resource": patient })
    };
    let entries: Vec<Value> = patients.iter().map(entry).collect();
    let request = server.request_as(&operator.token, Method::POST, "").json(&bundle("transaction", &entries));
    request.send().await.expect(200);
    let account = super::person(server, super::EMAIL, &[], GrantLevel::Custodian).id;
    let ids = patients.iter().map(|patient| patient["id"].as_str().unwrap().to_owned()).filter(|id| id != "hidden");
    let ids: Vec<Id> = ids.map(|id| Id::parse(&id).unwrap()).collect();
    change(server, move |tx| {
        for id in &ids {
            tx.add_grant(&NewGrant {
                patient: Some(id.clone()),
                to: Grantee::Account(account),
                level: GrantLevel::Custodian,
                scopes: "patient/*.cruds".to_owned(),
                labels: Labels::Normal,
                sees_history: true,
                until_us: None,
                reason: None,
                origin: "test".to_owned(),
                granted_by: None,
            })?;
        }
        Ok(())
    });
}

/// The ids that a page lets choose from.
fn choices(page: &Answer) -> Vec<String> {
    let html = page.text();
    let parts = html.split("name=\"record\" value=\"").skip(1);
    parts.map(|part| part.split('"').next().unwrap().to_owned()).collect()
}

fn seeking(page: &Answer, sought: &str) -> Form {
    consent(page).with("sought", sought).with("decision", "seek")
}

async fn each_of_many_records_can_be_found_and_chosen(server: &TestServer) {
    crowd(server).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200);
    assert_eq!(choices(&page).len(), 50);
    assert!(page.text().contains("more than 50 records") && !page.text().contains("Zorn"), "{}", page.text());

    for (sought, found) in [
        ("zorn", &["olga", "otto"][..]),
        ("Zorn OTTO", &["otto"]),
        ("zo 1951-02-03", &["olga"]),
        ("1950-02-03", &["otto"]),
        ("nameless", &["nameless"]),
        ("aas-52", &["aas-52"]),
        ("Nobody", &[]),
    ] {
        let answer = browser.send_form(&seeking(&page, sought)).await.expect(200);
        let mut shown = choices(&answer);
        shown.sort();
        assert_eq!(shown, found, "{sought}");
        assert!(!answer.text().contains("role=\"alert\""), "{}", answer.text());
    }
    let many = browser.send_form(&seeking(&page, "aas")).await.expect(200);
    assert_eq!(choices(&many).len(), 50);
    assert!(many.text().contains("More than 50 records have"), "{}", many.text());
    let none = browser.send_form(&seeking(&page, "Nobody")).await.expect(200);
    assert!(none.text().contains("No record that you may see has"), "{}", none.text());

    let found = browser.send_form(&seeking(&page, "otto")).await.expect(200);
    // One match alone is still to be chosen.
    let unchosen = ticking(consent(&found), &["patient/Condition.rs"]).with("decision", "allow");
    let unchosen =
        Form { fields: unchosen.fields.into_iter().filter(|(name, _)| name != "record").collect(), ..unchosen };
    let again = browser.send_form(&unchosen).await.expect(400);
    assert!(again.text().contains("id=\"record-problem\""), "{}", again.text());
    let chosen = ticking(consent(&again), &["patient/Condition.rs"]).with("record", "otto").with("decision", "allow");
    let code = returned(&browser.send_form(&chosen).await)["code"].clone();
    let tokens = exchange(server, &client, &code, &[]).await.expect(200).json();
    assert_eq!(text(&tokens, "patient"), "otto");
}

async fn what_the_person_may_not_see_is_not_found(server: &TestServer) {
    crowd(server).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200);

    for sought in ["hidden", "Secret", "Secret Zorn", "Zorn 1950-02-03"] {
        let answer = browser.send_form(&seeking(&page, sought)).await.expect(200);
        assert!(!choices(&answer).contains(&"hidden".to_owned()), "{sought}");
        let never =
            browser.send_form(&seeking(&page, &sought.replace("Secret", "Absent").replace("hidden", "absent"))).await;
        let alike = never.expect(200).text().replace("Absent", "Secret").replace("absent", "hidden");
        assert_eq!(answer.text(), alike, "{sought}: as if it were not there");
    }
    let chosen = ticking(consent(&page), &["patient/Condition.rs"]).with("record", "hidden").with("decision", "allow");
    for sought in ["", "Zorn", "hidden"] {
        let answer = browser.send_form(&chosen.clone().with("sought", sought)).await.expect(400);
        assert!(answer.text().contains("id=\"record-problem\""), "{}", answer.text());
        assert!(!choices(&answer).contains(&"hidden".to_owned()), "{sought}");
    }
}

async fn a_search_keeps_what_was_filled_in_and_decides_nothing(server: &TestServer) {
    crowd(server).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200);
    let form = ticking(consent(&page), &["patient/Observation.rs"]).with("until", "2031-05-06").with("record", "aas-7");

    let answer = browser.send_form(&form.with("sought", "otto").with("decision", "seek")).await.expect(200);

    let html = answer.text();
    assert!(html.contains("value=\"patient/Observation.rs\" checked"), "{html}");
    assert!(!html.contains("value=\"patient/Condition.rs\" checked"), "{html}");
    assert!(html.contains("value=\"2031-05-06\"") && html.contains("value=\"otto\""), "{html}");
    assert!(html.contains("value=\"aas-7\" required checked"), "what was chosen stays so: {html}");
    let account = change(server, |tx| tx.account_by_email(super::EMAIL)).unwrap().id;
    let id = client.id.clone();
    assert!(change(server, move |tx| tx.grants_to_app(account, &id)).is_empty());
    let forged = consent(&page).with("csrf", "x").with("sought", "otto").with("decision", "seek");
    assert_eq!(browser.send_form(&forged).await.status, 403);
}

async fn what_can_not_be_sought_finds_nothing(server: &TestServer) {
    crowd(server).await;
    let client = register(server, public());
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, SCOPES, &[])).await.expect(200);

    for sought in ["-", "\\", "a,b", "Zorn|$", "<script>", "%", "'; --", "\u{0}", "ne1950-02-03", "2016-13-99"] {
        let answer = browser.send_form(&seeking(&page, sought)).await.expect(200);
        assert_eq!(choices(&answer), Vec::<String>::new(), "{sought}");
        assert!(!answer.text().contains("<script>"), "{}", answer.text());
    }
    let long = browser.send_form(&seeking(&page, &"x".repeat(5_000))).await.expect(200);
    assert!(!long.text().contains(&"x".repeat(101)), "{}", long.text());
    let nothing = browser.send_form(&seeking(&page, "  ")).await.expect(200);
    assert_eq!(choices(&nothing).len(), 50);
}

async fn a_device_is_let_in_for_a_record_that_was_found(server: &TestServer) {
    crowd(server).await;
    let facts = ClientFacts { is_device: true, redirect_uris: vec![REDIRECT.to_owned()], ..public() };
    let client = register(server, facts);
    let begun = post(server, "/auth/device", &[("client_id", &client.id), ("scope", SCOPES)]).await.expect(200).json();
    let browser = signed_in(server).await;
    let page = browser.submit("/device", "/device", &[("user_code", text(&begun, "user_code"))]).await.expect(200);

    let mut sought = form(&page, "/device/consent").with("sought", "Otto").with("decision", "seek");
    sought.fields.retain(|(name, _)| name != "record");
    let found = browser.send_form(&sought).await.expect(200);
    assert_eq!(choices(&found), ["otto"]);
    let chosen = ticking(form(&found, "/device/consent"), &["patient/Condition.rs"]).with("record", "otto");
    let done = browser.send_form(&chosen.with("decision", "allow")).await.expect(200);

    assert!(done.text().contains("is let in"), "{}", done.text());
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let polled =
        [("grant_type", grant), ("client_id", client.id.as_str()), ("device_code", text(&begun, "device_code"))];
    assert_eq!(post(server, "/auth/token", &polled).await.expect(200).json()["patient"], "otto");
}
