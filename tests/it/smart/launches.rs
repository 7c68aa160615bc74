//! Launches from an EHR: a handle for a context, taken up once, by the person and the app that it is for.

use emberwell::store::{ClientFacts, GrantLevel};
use http::Method;
use serde_json::{Value, json};

use super::{
    PASSWORD, address, code, consent, exchange, home, let_in, person, public, register, returned, signed_in, text,
    ticking,
};
use crate::support::browser::Browser;
use crate::support::{Answer, TestServer, on_both};

const SCOPES: &str = "launch openid patient/*.rs";

on_both!(closed:
    the_context_of_a_launch_comes_with_the_token,
    a_launch_is_taken_up_once_and_by_whom_it_is_for,
    what_may_not_be_seen_is_not_launched_for,
    what_is_no_launch_is_refused,
    who_starts_an_app_by_themselves_says_about_which_visit,
);

async fn launch(server: &TestServer, token: &str, body: &Value) -> Answer {
    let request = server.request(Method::POST, &format!("{}/auth/launch", server.url));
    let request = request.header("Authorization", &format!("Bearer {token}"));
    request.body("application/json", body.to_string()).send().await
}

/// The token of the person's portal.
async fn portal(server: &TestServer) -> String {
    let client = register(server, ClientFacts { id: "portal".to_owned(), ..public() });
    let answer = let_in(server, &client, "openid user/*.rs", None).await;
    text(&answer, "access_token").to_owned()
}

async fn the_context_of_a_launch_comes_with_the_token(server: &TestServer) {
    let home = home(server, &["a", "m"]).await;
    let client = register(server, public());
    let portal = portal(server).await;
    let encounter = json!({ "resourceType": "Encounter", "id": "m-visit", "status": "finished",
        "class": { "code": "AMB" }, "subject": { "reference": "Patient/m" } });
    server.request_as(&home.operator, Method::PUT, "Encounter/m-visit").json(&encounter).send().await.expect(201);
    let context = [{ json!({ "reference": "Observation/m-weight" }) }];
    let body = json!({ "client_id": client.id, "patient": "m", "encounter": "m-visit", "intent": "reconcile-medications",
        "need_patient_banner": false, "fhirContext": context });

    let handle = launch(server, &portal, &body).await.expect(200).json();
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, SCOPES, &[("launch", text(&handle, "launch"))])).await.expect(200);
    let form = ticking(consent(&page), &["openid", "patient/*.rs"]).with("decision", "allow");
    let code = returned(&browser.send_form(&form).await)["code"].clone();
    let answer = exchange(server, &client, &code, &[]).await.expect(200).json();

    for (name, value) in [
        ("patient", json!("m")),
        ("encounter", json!("m-visit")),
        ("intent", json!("reconcile-medications")),
        ("need_patient_banner", json!(false)),
        ("fhirContext", json!(context)),
    ] {
        assert_eq!(answer[name], value, "{name}");
    }
    let pairs = [("token", text(&answer, "access_token"))];
    let asked = server.request(Method::POST, &format!("{}/auth/introspect", server.url));
    let asked = asked.header("Authorization", &format!("Bearer {}", text(&answer, "access_token")));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let told = asked.body("application/x-www-form-urlencoded", body).send().await.expect(200).json();
    for name in ["patient", "encounter", "intent", "need_patient_banner", "fhirContext", "smart_style_url", "scope"] {
        assert_eq!(told[name], answer[name], "{name}: {told}");
    }
    assert!(told["sub"].is_string(), "{told}");
}

async fn a_launch_is_taken_up_once_and_by_whom_it_is_for(server: &TestServer) {
    home(server, &["a", "m"]).await;
    person(server, "uncle@example.org", &["a"], GrantLevel::View);
    let client = register(server, public());
    let other = register(server, ClientFacts { id: "other".to_owned(), ..public() });
    let portal = portal(server).await;
    let handle = launch(server, &portal, &json!({ "client_id": client.id, "patient": "a" })).await.expect(200).json();
    let with = [("launch", text(&handle, "launch"))];
    let browser = signed_in(server).await;
    let uncle = Browser::new(server);
    uncle.sign_in("uncle@example.org", PASSWORD).await;

    let refusals = [
        browser.get(&address(server, &other, SCOPES, &with)).await,
        uncle.get(&address(server, &client, SCOPES, &with)).await,
        browser.get(&address(server, &client, SCOPES, &[("launch", "guessed")])).await,
    ];
    for answer in &refusals {
        assert_eq!(returned(answer)["error"], "invalid_request");
    }
    let page = browser.get(&address(server, &client, SCOPES, &with)).await.expect(200);
    let form = ticking(consent(&page), &["patient/*.rs"]).with("decision", "allow");
    assert!(returned(&browser.send_form(&form).await).contains_key("code"));
    assert_eq!(returned(&browser.send_form(&form).await)["error"], "invalid_request");
    assert_eq!(returned(&browser.get(&address(server, &client, SCOPES, &with)).await)["error"], "invalid_request");
}

async fn what_may_not_be_seen_is_not_launched_for(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());
    let portal = portal(server).await;
    let refused = |body: Value| {
        let portal = portal.clone();
        async move {
            let answer = launch(server, &portal, &body).await;
            assert_eq!(answer.status, 400, "{}", answer.text());
            answer.json()
        }
    };

    let hidden = refused(json!({ "client_id": client.id, "patient": "b" })).await;
    let absent = refused(json!({ "client_id": client.id, "patient": "nobody" })).await;
    let of_other = refused(json!({ "client_id": client.id, "patient": "a", "encounter": "b-visit" })).await;

    assert_eq!(hidden, absent);
    assert!(!of_other.to_string().contains("b-visit"));
}

async fn what_is_no_launch_is_refused(server: &TestServer) {
    let home = home(server, &["a"]).await;
    let client = register(server, public());
    let portal = portal(server).await;

    for body in [
        json!({}),
        json!([]),
        json!({ "client_id": "nobody", "patient": "a" }),
        json!({ "client_id": client.id, "patient": 7 }),
        json!({ "client_id": client.id, "patient": "a", "colour": "red" }),
        json!({ "client_id": client.id, "patient": "a", "fhirContext": [{ "reference": "Patient/b" }] }),
    ] {
        let answer = launch(server, &portal, &body).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_request")), "{body}");
    }
    assert_eq!(launch(server, "nonsense", &json!({ "client_id": client.id })).await.status, 401);
    assert_eq!(launch(server, &home.operator, &json!({ "client_id": client.id })).await.status, 401);
    let browser = signed_in(server).await;
    let plain = code(&browser, server, &client, "launch/patient patient/*.rs", Some("a")).await;
    exchange(server, &client, &plain, &[]).await.expect(200);
}

async fn who_starts_an_app_by_themselves_says_about_which_visit(server: &TestServer) {
    let home = home(server, &["a", "m"]).await;
    let scopes = "launch/patient launch/encounter patient/*.rs";
    let client = register(server, ClientFacts { scopes: scopes.to_owned(), ..public() });
    for (id, patient, start) in
        [("m-old", "m", "2020-01-31"), ("m-new", "m", "2024-05-12"), ("a-visit", "a", "2024-05-12")]
    {
        let visit = json!({ "resourceType": "Encounter", "id": id, "status": "finished", "class": { "code": "AMB" },
            "subject": { "reference": format!("Patient/{patient}") }, "period": { "start": start } });
        let put = server.request_as(&home.operator, Method::PUT, &format!("Encounter/{id}"));
        put.json(&visit).send().await.expect(201);
    }
    let browser = signed_in(server).await;
    let page = browser.get(&address(server, &client, scopes, &[])).await.expect(200);
    let form = ticking(consent(&page), &["patient/*.rs"]).with("decision", "allow").with("record", "m");
    assert!(!page.text().contains("name=\"encounter\""), "whose visits is not known yet");

    let asked = browser.send_form(&form).await.expect(200).text();
    let (new, old) = (asked.find("12 May 2024").unwrap(), asked.find("31 January 2020").unwrap());
    assert!(new < old && !asked.contains("a-visit"), "{asked}");
    for wrong in ["a-visit", "nobody"] {
        browser.send_form(&form.clone().with("encounter", wrong)).await.expect(400);
    }
    let token = async |visit: &str| {
        let code = returned(&browser.send_form(&form.clone().with("encounter", visit)).await)["code"].clone();
        exchange(server, &client, &code, &[]).await.expect(200).json()
    };

    assert_eq!(token("m-new").await["encounter"], "m-new");
    let none = token("").await;
    assert!(none.get("encounter").is_none() && none["patient"] == "m", "{none}");
}
