//! From when on and until when a Consent counts, for whom soon, and how many rules it may come to.

use http::Method;
use serde_json::{Value, json};

use crate::access::consents::{Callers, DIABETES, ITEMS, LAB, PROOF, RESTRICTED, WEIGHT};
use crate::access::consents::{class, consent, doctor, hidden, label, person, put};
use crate::access::family::weight;
use crate::support::database::execute;
use crate::support::holders::{self, Granted};
use crate::support::program::run;
use crate::support::{TestServer, bundle, on_both};

on_both!(closed:
    a_consent_begins_and_ends_with_its_writing,
    a_consent_ends_with_its_period,
    another_process_heeds_a_consent_soon,
    who_comes_to_be_a_denied_one_is_denied_from_the_next_request,
    a_consent_is_refused_when_it_comes_to_too_many_rules,
    the_rules_are_checked_with_the_database,
);

async fn a_consent_begins_and_ends_with_its_writing(server: &TestServer) {
    let callers = Callers::on(server).await;
    let reads = async || server.get_as(&callers.doctor, LAB).await.status;
    let with_status = |status: &str| {
        let mut consent = consent("c", json!({ "type": "deny" }));
        consent["status"] = json!(status);
        consent
    };

    // The very first rule, too, of which nobody has heard yet.
    assert_eq!(reads().await, 200);
    put(server, &callers.system, &with_status("active")).await;
    assert_eq!(reads().await, 404);
    put(server, &callers.custodian, &with_status("inactive")).await;
    assert_eq!(reads().await, 200);
    let entry = json!({ "request": { "method": "PUT", "url": "Consent/c" }, "resource": with_status("active") });
    server
        .request_as(&callers.system, Method::POST, "")
        .json(&bundle("transaction", &[entry]))
        .send()
        .await
        .expect(200);
    assert_eq!(reads().await, 404);
    server.request_as(&callers.system, Method::DELETE, "Consent/c").send().await.expect(204);
    assert_eq!(reads().await, 200);
    // Labels count from the moment that they are written.
    put(
        server,
        &callers.system,
        &consent(
            "c",
            json!({ "type": "permit", "provision": [
        { "type": "deny", "securityLabel": label("R") }] }),
        ),
    )
    .await;
    assert_eq!(reads().await, 200);
    let mut labelled = weight("a-lab", "a", "Practitioner/doc", "laboratory");
    labelled["meta"] = json!({ "security": label("R") });
    put(server, &callers.custodian, &labelled).await;
    assert_eq!(reads().await, 404);
}

async fn a_consent_ends_with_its_period(server: &TestServer) {
    let callers = Callers::on(server).await;
    let mut end = Vec::new();
    emberwell::fhir::format_instant(emberwell::clock::now_us() + 2_000_000, &mut end);
    let end = String::from_utf8(end).unwrap();
    let (from, until) = (json!({ "start": end }), json!({ "end": end }));

    put(
        server,
        &callers.system,
        &consent("c", json!({ "type": "deny", "period": until, "class": class("Observation") })),
    )
    .await;
    put(server, &callers.system, &consent("d", json!({ "type": "deny", "period": from, "class": class("Condition") })))
        .await;
    assert_eq!(hidden(server, &callers.doctor).await, [WEIGHT, LAB, RESTRICTED, PROOF]);
    for _ in 0..500 {
        if server.get_as(&callers.doctor, LAB).await.status == 200 {
            break;
        }
        actix_web::rt::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // The one ends, the other begins.
    assert!(!hidden(server, &callers.doctor).await.contains(&LAB));
    for _ in 0..500 {
        if server.get_as(&callers.doctor, DIABETES).await.status == 404 {
            break;
        }
        actix_web::rt::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(hidden(server, &callers.doctor).await, [DIABETES]);
}

async fn another_process_heeds_a_consent_soon(server: &TestServer) {
    let callers = Callers::on(server).await;
    let other = server.beside(|settings| settings.server.open = false).await;
    other.get_as(&callers.doctor, LAB).await.expect(200);

    put(server, &callers.system, &consent("c", json!({ "type": "deny" }))).await;
    let written = std::time::Instant::now();
    while other.get_as(&callers.doctor, LAB).await.status == 200 {
        assert!(written.elapsed().as_millis() < 1_000);
    }
    other.get_as(&callers.doctor, LAB).await.refused(404);
    put(server, &callers.system, &consent("c", json!({ "type": "permit" }))).await;
    other.get_as(&callers.doctor, LAB).await.expect(200);
    other.stop().await;
}

async fn a_consent_is_refused_when_it_comes_to_too_many_rules(server: &TestServer) {
    let callers = Callers::on(server).await;
    let items = |count: usize| -> Vec<Value> {
        let item =
            |number| json!({ "meaning": "instance", "reference": { "reference": format!("Observation/{number}") } });
        (0..count).map(item).collect()
    };
    let denying = |count: usize| {
        let actors: Vec<Value> = (0..10).map(|number| person(&format!("Practitioner/{number}"))[0].clone()).collect();
        consent("c", json!({ "type": "deny", "actor": actors, "data": items(count) }))
    };

    put(server, &callers.system, &denying(100)).await;
    let refused = server.request_as(&callers.system, Method::PUT, "Consent/c").json(&denying(101)).send().await;
    let issue = refused.refused(422);
    assert!(issue["diagnostics"].as_str().unwrap().contains("more than 1000 rules"), "{issue}");
}

async fn the_rules_are_checked_with_the_database(server: &TestServer) {
    let callers = Callers::on(server).await;
    put(
        server,
        &callers.system,
        &consent("c", json!({ "type": "deny", "provision": [{ "type": "permit", "actor": doctor() }] })),
    )
    .await;
    let verify = || run(server, "verify", &["--json", "--base-url", &server.base]);

    let whole = verify();
    assert_eq!(whole.code, Some(0), "{}", whole.told);
    let report: Value = serde_json::from_str(&whole.stdout).unwrap();
    assert_eq!(report["tables"]["consent_rule"], 2);
    execute(server.database(), "DELETE FROM consent_rule WHERE is_exception = 0");
    let broken = verify();
    assert_eq!(broken.code, Some(1));
    assert!(broken.told.contains("consent_rule: Consent/c has 1 rows, 2 belong to it"), "{}", broken.told);
    // What is stored by `load` has its rules, too.
    let of_server: String = server.base.chars().filter(char::is_ascii_alphanumeric).collect();
    let folder = std::env::temp_dir().join(format!("emberwell-consents-{}-{of_server}", std::process::id()));
    let file = folder.join("consent.json");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(&file, consent("loaded", json!({ "type": "deny" })).to_string()).unwrap();
    let loaded = run(server, "load", &["--base-url", &server.base, file.to_str().unwrap()]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(loaded.code, Some(0), "{}", loaded.told);
    actix_web::rt::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(hidden(server, &callers.doctor).await, ITEMS);
}

/// Resources that lead to whom a Consent denies, or not to them any more.
fn role(id: &str, practitioner: &str) -> Value {
    json!({ "resourceType": "PractitionerRole", "id": id, "practitioner": { "reference": practitioner } })
}

fn linked(id: &str, targets: &[&str]) -> Value {
    let links: Vec<Value> = targets.iter().map(|target| json!({ "target": { "reference": target } })).collect();
    json!({ "resourceType": "Person", "id": id, "link": links })
}

async fn who_comes_to_be_a_denied_one_is_denied_from_the_next_request(server: &TestServer) {
    let callers = Callers::on(server).await;
    let system = &callers.system;
    let denied = json!([person("Practitioner/denied")[0], person("RelatedPerson/denied")[0]]);
    put(server, system, &consent("c", json!({ "type": "deny", "actor": denied }))).await;
    let other = server.beside(|settings| settings.server.open = false).await;
    let (own, others) = ("Practitioner/other", "Practitioner/denied");
    // Who the account is, what stands first, and what comes to stand.
    let cases = [
        ("PractitionerRole/r1", vec![role("r1", own)], role("r1", others)),
        ("PractitionerRole/r2", vec![], role("r2", others)),
        ("Person/p1", vec![linked("p1", &[own])], linked("p1", &[own, others])),
        ("Person/p2", vec![linked("p2", &[own])], linked("p2", &["RelatedPerson/denied"])),
        ("Person/p3", vec![], linked("p3", &[others])),
        // By way of another.
        ("Person/p4", vec![linked("p4", &["Person/p5"]), linked("p5", &[own])], linked("p5", &["Person/p4", others])),
        ("Person/p6", vec![linked("p6", &["Person/p7"])], linked("p7", &[others])),
    ];

    for (user, first, then) in cases {
        for resource in &first {
            put(server, system, resource).await;
        }
        let token = holders::app_of(server, "user/*.cruds", &[Granted::on("a")], user).token;
        let status = async || server.get_as(&token, LAB).await.status;
        let soon = async |wanted: u16| {
            let written = std::time::Instant::now();
            while other.get_as(&token, LAB).await.status != wanted {
                assert!(written.elapsed().as_millis() < 1_000, "{user} elsewhere: {wanted}");
            }
        };
        assert_eq!((status().await, other.get_as(&token, LAB).await.status), (200, 200), "{user}");

        put(server, system, &then).await;
        assert_eq!(status().await, 404, "{user}");
        soon(404).await;
        // Nobody leads there any more.
        let address = format!("{}/{}", then["resourceType"].as_str().unwrap(), then["id"].as_str().unwrap());
        server.request_as(system, Method::DELETE, &address).send().await.expect(204);
        assert_eq!(status().await, 200, "{user}");
        soon(200).await;
        // In a transaction, too.
        let entry = json!({ "request": { "method": "PUT", "url": address }, "resource": then });
        server.request_as(system, Method::POST, "").json(&bundle("transaction", &[entry])).send().await.expect(200);
        assert_eq!(status().await, 404, "{user}");
        soon(404).await;
    }
    other.stop().await;
}
