//! History of a resource, a type and the system.
//!
//! Spec: R4 http.html#history

use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, TestServer, observation, on_both, patient, patient_called};

on_both!(
    a_history_shows_every_version_newest_first_with_its_request,
    a_deletion_is_an_entry_without_a_resource,
    the_pages_of_a_history_show_every_version_once,
    since_leaves_out_what_is_older,
    the_history_of_a_type_and_of_the_system_show_what_belongs_to_them,
    a_history_takes_no_unknown_parameters,
);

fn versions(answer: &Answer) -> Vec<String> {
    let etag = |entry: serde_json::Value| entry["response"]["etag"].as_str().unwrap().to_owned();
    answer.entries().into_iter().map(etag).collect()
}

async fn a_history_shows_every_version_newest_first_with_its_request(server: &TestServer) {
    let id = server.create(&patient_called("One")).await;
    let mut two = patient_called("Two");
    two["id"] = json!(id);
    server.put(&format!("Patient/{id}"), &two).await.expect(200);
    let history = server.get(&format!("Patient/{id}/_history")).await.expect(200);

    assert_eq!((history.json()["type"].as_str(), history.json()["total"].as_u64()), (Some("history"), Some(2)));
    assert_eq!(versions(&history), ["W/\"2\"", "W/\"1\""]);
    let requests: Vec<_> = history.entries().iter().map(|entry| entry["request"].clone()).collect();
    assert_eq!(requests[0], json!({ "method": "PUT", "url": format!("Patient/{id}") }));
    assert_eq!(requests[1], json!({ "method": "POST", "url": "Patient" }));
    assert_eq!(history.resources()[1]["name"][0]["family"], "One");
}

async fn a_deletion_is_an_entry_without_a_resource(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    server.delete(&format!("Patient/{id}")).await.expect(204);
    let history = server.get(&format!("Patient/{id}/_history")).await.expect(200);
    let newest = &history.entries()[0];

    assert_eq!(newest["request"], json!({ "method": "DELETE", "url": format!("Patient/{id}") }));
    assert_eq!(newest.get("resource"), None);
    assert_eq!(newest["fullUrl"], format!("{}/Patient/{id}", server.base));
}

async fn the_pages_of_a_history_show_every_version_once(server: &TestServer) {
    for number in 0..11 {
        let body = json!({ "resourceType": "Patient", "id": "many", "name": [{ "family": format!("N{number}") }] });
        server.put("Patient/many", &body).await;
    }
    let mut seen = Vec::new();
    let mut page = server.get("Patient/many/_history?_count=3").await.expect(200);
    loop {
        assert!(page.entries().len() <= 3);
        seen.extend(versions(&page));
        let Some(next) = page.link("next") else { break };
        page = server.get(&next).await.expect(200);
    }

    let wanted: Vec<String> = (1..=11).rev().map(|version| format!("W/\"{version}\"")).collect();
    assert_eq!(seen, wanted);
}

async fn since_leaves_out_what_is_older(server: &TestServer) {
    let old = server.create(&patient("old")).await;
    // Instants go out in milliseconds.
    actix_web::rt::time::sleep(Duration::from_millis(5)).await;
    let new = server.create(&patient("new")).await;
    let instant =
        server.get(&format!("Patient/{new}")).await.json()["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let history = server.get(&format!("Patient/_history?_since={}", instant.replace('+', "%2B"))).await.expect(200);

    let ids: Vec<_> = history.resources().iter().map(|resource| resource["id"].clone()).collect();
    assert_eq!(ids, [json!(new)]);
    assert_eq!(server.get("Patient/_history?_since=2000-01-01").await.entries().len(), 2);
    assert_ne!(old, new);
}

async fn the_history_of_a_type_and_of_the_system_show_what_belongs_to_them(server: &TestServer) {
    let subject = server.create(&patient("1")).await;
    server.create(&observation(&format!("Patient/{subject}"), "70")).await;

    assert_eq!(server.get("Patient/_history").await.expect(200).entries().len(), 1);
    assert_eq!(server.get("Observation/_history").await.expect(200).entries().len(), 1);
    assert_eq!(server.get("_history").await.expect(200).entries().len(), 2);
    let empty = server.get("Device/_history").await.expect(200).json();
    assert_eq!(empty.get("entry"), None);
}

async fn a_history_takes_no_unknown_parameters(server: &TestServer) {
    for query in ["_since=yesterday", "_count=-1", "_count=x", "name=a", "_cursor=x"] {
        server.get(&format!("Patient/_history?{query}")).await.refused(400);
    }
}
