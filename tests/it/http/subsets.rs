//! Parts of resources.
//!
//! Spec: R4 search.html#summary, #elements

use serde_json::{Value, json};

use crate::support::{TestServer, on_both};

on_both!(
    a_summary_has_what_the_specification_marks_and_says_that_it_is_a_part,
    elements_are_what_was_asked_for_and_what_must_be_there,
    a_whole_resource_is_not_marked,
    a_summary_of_another_name_is_refused,
);

async fn create(server: &TestServer) -> String {
    let body = json!({
        "resourceType": "Observation",
        "text": { "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">weight</div>" },
        "status": "final",
        "code": { "text": "weight" },
        "note": [{ "text": "after breakfast" }],
        "valueString": "heavy",
    });
    server.create(&body).await
}

fn is_subset(resource: &Value) -> bool {
    let tags = resource["meta"]["tag"].as_array().cloned().unwrap_or_default();
    tags.iter().any(|tag| tag["code"] == "SUBSETTED")
}

async fn a_summary_has_what_the_specification_marks_and_says_that_it_is_a_part(server: &TestServer) {
    let id = create(server).await;
    let read = server.get(&format!("Observation/{id}?_summary=true")).await.expect(200).json();
    let searched = server.get("Observation?_summary=true").await.expect(200).resources()[0].clone();

    for part in [read, searched] {
        assert!(is_subset(&part), "{part}");
        assert_eq!((part.get("text"), part.get("note")), (None, None));
        assert_eq!((part["status"].as_str(), part["valueString"].as_str()), (Some("final"), Some("heavy")));
    }
    let text = server.get(&format!("Observation/{id}?_summary=text")).await.expect(200).json();
    assert!(is_subset(&text) && text.get("text").is_some() && text.get("valueString").is_none(), "{text}");
    let data = server.get(&format!("Observation/{id}?_summary=data")).await.expect(200).json();
    assert!(is_subset(&data) && data.get("text").is_none() && data.get("note").is_some(), "{data}");
}

async fn elements_are_what_was_asked_for_and_what_must_be_there(server: &TestServer) {
    let id = create(server).await;
    for address in [format!("Observation/{id}?_elements=note"), "Observation?_elements=note".to_owned()] {
        let answer = server.get(&address).await.expect(200).json();
        let part = if answer["resourceType"] == "Bundle" { answer["entry"][0]["resource"].clone() } else { answer };

        assert!(is_subset(&part), "{part}");
        assert_eq!(part["note"][0]["text"], "after breakfast");
        assert_eq!((part["id"].as_str(), part["status"].as_str()), (Some(id.as_str()), Some("final")));
        assert_eq!((part.get("text"), part.get("valueString")), (None, None));
    }
}

async fn a_whole_resource_is_not_marked(server: &TestServer) {
    let id = create(server).await;
    server.get(&format!("Observation/{id}?_summary=true")).await.expect(200);
    let whole = server.get(&format!("Observation/{id}?_summary=false")).await.expect(200).json();

    assert!(!is_subset(&whole), "{whole}");
    assert!(whole.get("text").is_some() && whole.get("note").is_some());
}

async fn a_summary_of_another_name_is_refused(server: &TestServer) {
    let id = create(server).await;

    server.get(&format!("Observation/{id}?_summary=brief")).await.refused(400);
    server.get("Observation?_summary=brief").await.refused(400);
}
