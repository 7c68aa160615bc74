//! The Bundles of a search: pages, links, totals, what was not understood.
//!
//! Spec: R4 search.html#return, #errors, http.html#paging

use std::collections::BTreeSet;

use http::Method;
use serde_json::json;

use crate::support::{TestServer, on_both, patient, patient_called};

on_both!(
    the_pages_of_a_search_show_every_match_once,
    what_is_written_between_two_pages_neither_repeats_nor_hides_a_match,
    a_search_that_finds_nothing_has_no_entries,
    an_unknown_parameter_is_refused_by_name,
    an_unknown_parameter_is_left_out_and_reported_when_the_client_is_lenient,
    the_self_link_says_what_was_understood,
    a_page_can_be_counted_without_being_sent,
    a_search_over_all_types_takes_their_names,
    what_a_search_cannot_read_is_refused,
);

async fn the_pages_of_a_search_show_every_match_once(server: &TestServer) {
    let mut created = BTreeSet::new();
    for number in 0..23 {
        created.insert(server.create(&patient_called(&format!("Oak{number}"))).await);
    }
    server.create(&patient_called("Elm")).await;
    for sort in ["", "&_sort=_id", "&_sort=-_lastUpdated"] {
        let mut seen = Vec::new();
        let mut page = server.get(&format!("Patient?family=oak&_count=5{sort}")).await.expect(200);
        loop {
            let matches = page.matches();
            assert!((1..=5).contains(&matches.len()), "{sort}");
            seen.extend(matches);
            let Some(next) = page.link("next") else { break };
            page = server.get(&next).await.expect(200);
        }
        assert_eq!(seen.len(), 23, "{sort}");
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), created, "{sort}");
    }
}

async fn what_is_written_between_two_pages_neither_repeats_nor_hides_a_match(server: &TestServer) {
    let mut created = BTreeSet::new();
    for _ in 0..10 {
        created.insert(server.create(&patient_called("Oak")).await);
    }
    let mut page = server.get("Patient?family=oak&_count=4").await.expect(200);
    let mut seen = page.matches();
    let deleted = seen[0].clone();
    server.delete(&format!("Patient/{deleted}")).await.expect(204);
    let added = server.create(&patient_called("Oak")).await;
    while let Some(next) = page.link("next") {
        page = server.get(&next).await.expect(200);
        seen.extend(page.matches());
    }

    let distinct: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(distinct.len(), seen.len(), "no match twice");
    assert!(created.is_subset(&distinct), "no match left out");
    assert!(distinct.is_subset(&created.into_iter().chain([added]).collect()));
}

async fn a_search_that_finds_nothing_has_no_entries(server: &TestServer) {
    server.create(&patient("1")).await;
    let bundle = server.get("Patient?family=nobody").await.expect(200).json();

    assert_eq!((bundle["type"].as_str(), bundle["total"].as_u64()), (Some("searchset"), Some(0)));
    assert_eq!(bundle.get("entry"), None);
}

async fn an_unknown_parameter_is_refused_by_name(server: &TestServer) {
    let answer = server.get("Patient?nmae=x").await;
    answer.refused(400);

    assert!(answer.text().contains("'nmae'") && answer.text().contains("'name'"), "{}", answer.text());
}

async fn an_unknown_parameter_is_left_out_and_reported_when_the_client_is_lenient(server: &TestServer) {
    let id = server.create(&patient_called("Oak")).await;
    let request = server.request(Method::GET, "Patient?nonsense=x&family=oak").header("Prefer", "handling=lenient");
    let answer = request.send().await.expect(200);

    assert_eq!(answer.matches(), [id]);
    let own = answer.link("self").unwrap();
    assert!(own.contains("family=oak") && !own.contains("nonsense"), "{own}");
    let entries = answer.entries();
    let outcome = entries.iter().find(|entry| entry["search"]["mode"] == "outcome").unwrap();
    assert_eq!(outcome["resource"]["resourceType"], "OperationOutcome");
    assert_eq!(outcome["resource"]["issue"][0]["severity"], "warning");
    assert!(outcome["resource"]["issue"][0].to_string().contains("nonsense"));
}

async fn the_self_link_says_what_was_understood(server: &TestServer) {
    let answer = server.get("Patient?family=M%C3%BCller&_count=7").await.expect(200);
    let own = answer.link("self").unwrap();

    assert!(own.starts_with(&format!("{}/Patient?", server.base)), "{own}");
    assert!(own.contains("family=M%C3%BCller") && own.contains("_count=7"), "{own}");
    server.get(&own).await.expect(200);
}

async fn a_page_can_be_counted_without_being_sent(server: &TestServer) {
    for _ in 0..3 {
        server.create(&patient_called("Oak")).await;
    }
    for query in ["_summary=count", "_count=0"] {
        let bundle = server.get(&format!("Patient?family=oak&{query}")).await.expect(200).json();
        assert_eq!((bundle["total"].as_u64(), bundle.get("entry")), (Some(3), None), "{query}");
    }
}

async fn a_search_over_all_types_takes_their_names(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    server.create(&json!({ "resourceType": "Basic", "code": { "text": "x" } })).await;

    assert_eq!(server.found("?_type=Patient").await, [id]);
    assert_eq!(server.found("?_type=Patient,Basic").await.len(), 2);
    assert_eq!(server.found("?_lastUpdated=gt2000").await.len(), 2);
}

async fn what_a_search_cannot_read_is_refused(server: &TestServer) {
    for query in [
        "birthdate=yesterday",
        "birthdate=1970-13",
        "family=",
        "family:nearly=x",
        "_count=-1",
        "_count=x",
        "_total=some",
        "_sort=colour",
        "_cursor=x",
        "family=%zz",
        "family=%ff",
        "identifier=|",
        "general-practitioner.nonsense=x",
        "_include=Patient:teapot",
    ] {
        server.get(&format!("Patient?{query}")).await.refused(400);
    }
    server.get("Unknown?name=x").await.refused(404);
}
