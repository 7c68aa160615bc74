//! ETag, conditional reads, Prefer, HEAD and what every answer carries.
//!
//! Spec: R4 http.html#versioning, #cread, #ops

use http::Method;
use serde_json::json;

use crate::support::{TestServer, on_both, patient, patient_called};

on_both!(
    a_read_of_a_version_that_the_client_has_is_not_modified,
    a_read_since_a_date_is_not_modified_when_nothing_changed,
    a_client_chooses_what_a_write_answers_with,
    a_head_has_the_headers_of_the_get_and_no_body,
    accept_and_format_choose_the_media_type,
    a_posted_format_outweighs_accept_as_one_in_the_address_does,
    every_answer_has_an_id_that_the_client_may_choose,
    a_slash_at_the_end_changes_nothing,
);

async fn a_read_of_a_version_that_the_client_has_is_not_modified(server: &TestServer) {
    let id = server.create(&patient_called("One")).await;
    let address = format!("Patient/{id}");
    let read = async |tag: &str| server.request(Method::GET, &address).header("If-None-Match", tag).send().await;
    let same = read("W/\"1\"").await.expect(304);
    assert_eq!((same.body.len(), same.header("ETag").as_str()), (0, "W/\"1\""));

    let mut two = patient_called("Two");
    two["id"] = json!(id);
    server.put(&address, &two).await.expect(200);
    assert_eq!(read("W/\"1\"").await.expect(200).header("ETag"), "W/\"2\"");
    read("W/\"1\", W/\"2\"").await.expect(304);
}

async fn a_read_since_a_date_is_not_modified_when_nothing_changed(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    let address = format!("Patient/{id}");
    let date = server.get(&address).await.header("Last-Modified");
    assert!(date.ends_with("GMT"), "{date}");
    let read = async |date: &str| server.request(Method::GET, &address).header("If-Modified-Since", date).send().await;

    read(&date).await.expect(304);
    read("Sat, 01 Jan 2000 00:00:00 GMT").await.expect(200);
    read("not a date").await.expect(200);
}

async fn a_client_chooses_what_a_write_answers_with(server: &TestServer) {
    let create = async |prefer: &str| {
        server.request(Method::POST, "Patient").header("Prefer", prefer).json(&patient("1")).send().await.expect(201)
    };
    let minimal = create("return=minimal").await;
    assert_eq!(minimal.body.len(), 0);
    assert!(minimal.header("Location").starts_with(&server.base));
    assert_eq!(minimal.header("ETag"), "W/\"1\"");
    assert_eq!(create("return=representation").await.json()["resourceType"], "Patient");
    assert_eq!(create("return=OperationOutcome").await.json()["resourceType"], "OperationOutcome");
    assert_eq!(create("return=anything").await.json()["resourceType"], "Patient");
}

async fn a_head_has_the_headers_of_the_get_and_no_body(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    for address in [format!("Patient/{id}"), "Patient".to_owned(), "metadata".to_owned()] {
        let head = server.request(Method::HEAD, &address).send().await.expect(200);
        let get = server.get(&address).await.expect(200);

        assert_eq!(head.body.len(), 0, "{address}");
        for name in ["Content-Type", "ETag", "Last-Modified", "Content-Length"] {
            assert_eq!(head.header(name), get.header(name), "{name} of {address}");
        }
    }
    let missing = server.request(Method::HEAD, "Patient/never").send().await.expect(404);
    assert_eq!(missing.body.len(), 0);
}

async fn accept_and_format_choose_the_media_type(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    let read = async |accept: &str, query: &str| {
        server.request(Method::GET, &format!("Patient/{id}{query}")).header("Accept", accept).send().await
    };
    let media = async |accept: &str, query: &str| read(accept, query).await.expect(200).header("Content-Type");

    assert_eq!(media("*/*", "").await, "application/fhir+json; charset=utf-8");
    assert_eq!(media("application/json", "").await, "application/json; charset=utf-8");
    assert_eq!(media("text/html", "?_format=json").await, "application/fhir+json; charset=utf-8");
    assert_eq!(media("text/html", "?_format=application/fhir%2Bjson").await, "application/fhir+json; charset=utf-8");
    read("application/fhir+xml", "").await.refused(406);
    read("*/*", "?_format=xml").await.refused(406);
    read("text/html", "").await.refused(406);
    let pretty = read("*/*", "?_pretty=true").await.expect(200);
    assert!(pretty.text().contains("\n  \"resourceType\""), "{}", pretty.text());
}

async fn a_posted_format_outweighs_accept_as_one_in_the_address_does(server: &TestServer) {
    let search = async |query: &str, form: &str| {
        let request = server.request(Method::POST, &format!("Patient/_search{query}")).header("Accept", "text/html");
        request.body("application/x-www-form-urlencoded", form).send().await
    };

    search("", "_format=json").await.expect(200);
    search("?_format=json", "name=a").await.expect(200);
    search("", "name=a").await.refused(406);
    search("", "_format=xml").await.refused(406);
    let request = server.request(Method::POST, "_search").header("Accept", "text/html");
    request.body("application/x-www-form-urlencoded", "_type=Patient&_format=json").send().await.expect(200);
}

async fn every_answer_has_an_id_that_the_client_may_choose(server: &TestServer) {
    let given = server.get("Patient").await.header("X-Request-Id");
    assert!(!given.is_empty());
    let chosen = server.request(Method::GET, "Patient/never").header("X-Request-Id", "abc-1").send().await;
    assert_eq!(chosen.header("X-Request-Id"), "abc-1");
    assert_eq!(chosen.header("X-Content-Type-Options"), "nosniff");
    let unfit = server.request(Method::GET, "Patient").header("X-Request-Id", "a b;c").send().await;

    assert_ne!(unfit.header("X-Request-Id"), "a b;c");
}

async fn a_slash_at_the_end_changes_nothing(server: &TestServer) {
    let id = server.create(&patient("1")).await;

    server.get(&format!("Patient/{id}/")).await.expect(200);
    server.get("Patient/?_count=1").await.expect(200);
    server.post("Patient/", &patient("2")).await.expect(201);
}
