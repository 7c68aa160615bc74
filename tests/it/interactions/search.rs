//! Search by every type of parameter.
//!
//! Spec: R4 search.html#ptypes

use http::Method;
use serde_json::{Value, json};

use crate::support::{TestServer, observation, on_both, patient};

on_both!(
    tokens_are_found_by_each_of_their_forms,
    strings_are_found_by_their_beginning_without_case_and_accents,
    dates_are_compared_by_the_time_they_span,
    references_are_found_by_each_of_their_forms,
    numbers_are_compared_by_the_digits_that_were_given,
    quantities_are_compared_with_their_unit,
    uris_are_found_by_each_of_their_forms,
    ids_are_found_one_or_several,
    last_updated_is_compared,
    several_parameters_narrow_and_commas_widen,
    what_is_missing_can_be_searched,
    an_updated_or_deleted_resource_is_found_by_what_it_is_now,
    a_search_by_post_finds_the_same,
);

/// Puts each resource under its own id.
async fn fill(server: &TestServer, resources: &[Value]) {
    for resource in resources {
        let (type_name, id) = (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        server.put(&format!("{type_name}/{id}"), resource).await.expect(201);
    }
}

/// Checks which ids each search finds, in the order of the alphabet.
async fn check(server: &TestServer, cases: &[(&str, &[&str])]) {
    for (search, wanted) in cases {
        let mut found = server.found(search).await;
        found.sort();
        assert_eq!(found, *wanted, "{search}");
    }
}

async fn tokens_are_found_by_each_of_their_forms(server: &TestServer) {
    let person = |id: &str, identifier: Value, gender: &str| json!({ "resourceType": "Patient", "id": id, "identifier": [identifier], "gender": gender });
    fill(
        server,
        &[
            person("a", json!({ "system": "urn:x", "value": "1" }), "female"),
            person("b", json!({ "system": "urn:y", "value": "1" }), "male"),
            person("c", json!({ "value": "1" }), "male"),
            person("d", json!({ "system": "urn:x", "value": "A,b|c" }), "other"),
        ],
    )
    .await;

    check(
        server,
        &[
            ("Patient?identifier=1", &["a", "b", "c"]),
            ("Patient?identifier=urn:x|1", &["a"]),
            ("Patient?identifier=urn:x|", &["a", "d"]),
            ("Patient?identifier=|1", &["c"]),
            ("Patient?identifier=urn:z|1", &[]),
            ("Patient?identifier=urn:x|A%5C,b%5C|c", &["d"]),
            ("Patient?identifier=urn:x|1,urn:y|1", &["a", "b"]),
            ("Patient?gender=male", &["b", "c"]),
            ("Patient?gender=http://hl7.org/fhir/administrative-gender|female", &["a"]),
            ("Patient?gender:not=male", &["a", "d"]),
        ],
    )
    .await;
}

async fn strings_are_found_by_their_beginning_without_case_and_accents(server: &TestServer) {
    let person = |id: &str, family: &str| json!({ "resourceType": "Patient", "id": id, "name": [{ "family": family, "given": ["Zoé"] }] });
    fill(server, &[person("a", "Müller"), person("b", "Muller-Lüdenscheidt"), person("c", "Schmüller")]).await;

    check(
        server,
        &[
            ("Patient?family=muller", &["a", "b"]),
            ("Patient?family=M%C3%9CLL", &["a", "b"]),
            ("Patient?family:exact=M%C3%BCller", &["a"]),
            ("Patient?family:exact=muller", &[]),
            ("Patient?family:contains=mull", &["a", "b", "c"]),
            ("Patient?given=zoe", &["a", "b", "c"]),
            ("Patient?name=zoe", &["a", "b", "c"]),
            ("Patient?family=uller", &[]),
        ],
    )
    .await;
    server.get("Patient?family=%25").await.refused(400);
}

async fn dates_are_compared_by_the_time_they_span(server: &TestServer) {
    let born = |id: &str, date: &str| json!({ "resourceType": "Patient", "id": id, "birthDate": date });
    fill(server, &[born("a", "1970"), born("b", "1970-03"), born("c", "1970-03-15"), born("d", "1971-01-01")]).await;

    check(
        server,
        &[
            ("Patient?birthdate=1970", &["a", "b", "c"]),
            ("Patient?birthdate=1970-03", &["b", "c"]),
            ("Patient?birthdate=1970-03-15", &["c"]),
            ("Patient?birthdate=gt1970-03-15", &["a", "b", "d"]),
            ("Patient?birthdate=ge1971", &["d"]),
            ("Patient?birthdate=lt1970-03-01", &["a"]),
            ("Patient?birthdate=sa1970-12-31", &["d"]),
            ("Patient?birthdate=eb1971", &["a", "b", "c"]),
            ("Patient?birthdate=ge1970-03&birthdate=lt1970-04", &["a", "b", "c"]),
        ],
    )
    .await;
}

async fn references_are_found_by_each_of_their_forms(server: &TestServer) {
    fill(server, &[json!({ "resourceType": "Patient", "id": "p1" }), json!({ "resourceType": "Patient", "id": "p2" })])
        .await;
    let about = |id: &str, subject: &str| {
        let mut weight = observation(subject, "70");
        weight["id"] = json!(id);
        weight
    };
    let absolute = format!("{}/Patient/p1", server.base);
    fill(
        server,
        &[
            about("a", "Patient/p1"),
            about("b", &absolute),
            about("c", "Patient/p2"),
            about("d", "https://elsewhere.example/fhir/Patient/p1"),
        ],
    )
    .await;

    check(
        server,
        &[
            ("Observation?subject=Patient/p1", &["a", "b"]),
            ("Observation?subject:Patient=p1", &["a", "b"]),
            ("Observation?patient=p1", &["a", "b"]),
            ("Observation?patient=Patient/p2", &["c"]),
            (&format!("Observation?subject={absolute}"), &["a", "b"]),
            ("Observation?subject=https://elsewhere.example/fhir/Patient/p1", &["d"]),
            ("Observation?subject=Patient/p3", &[]),
        ],
    )
    .await;
}

async fn numbers_are_compared_by_the_digits_that_were_given(server: &TestServer) {
    let risk = |id: &str, probability: &str| {
        let number: Value = serde_json::from_str(probability).unwrap();
        json!({ "resourceType": "RiskAssessment", "id": id, "status": "final", "subject": { "reference": "Patient/1" },
            "prediction": [{ "probabilityDecimal": number }] })
    };
    fill(server, &[risk("a", "0.30"), risk("b", "0.34"), risk("c", "0.40")]).await;

    check(
        server,
        &[
            ("RiskAssessment?probability=0.3", &["a", "b"]),
            ("RiskAssessment?probability=0.30", &["a"]),
            ("RiskAssessment?probability=gt0.3", &["b", "c"]),
            ("RiskAssessment?probability=ge0.34", &["b", "c"]),
            ("RiskAssessment?probability=lt0.34", &["a"]),
        ],
    )
    .await;
    server.get("RiskAssessment?probability=much").await.refused(400);
}

async fn quantities_are_compared_with_their_unit(server: &TestServer) {
    let weight = |id: &str, kilograms: &str| {
        let mut weight = observation("Patient/1", kilograms);
        weight["id"] = json!(id);
        weight
    };
    fill(server, &[weight("a", "70.0"), weight("b", "70.4"), weight("c", "90")]).await;

    check(
        server,
        &[
            ("Observation?value-quantity=70|http://unitsofmeasure.org|kg", &["a", "b"]),
            ("Observation?value-quantity=70.0", &["a"]),
            ("Observation?value-quantity=gt70.2||kg", &["b", "c"]),
            ("Observation?value-quantity=70||mg", &[]),
            ("Observation?value-quantity=lt100|http://unitsofmeasure.org|kg", &["a", "b", "c"]),
        ],
    )
    .await;
}

async fn uris_are_found_by_each_of_their_forms(server: &TestServer) {
    let value_set =
        |id: &str, url: &str| json!({ "resourceType": "ValueSet", "id": id, "url": url, "status": "active" });
    let resources = [
        value_set("colours", "http://emberwell.example/fhir/ValueSet/colours"),
        value_set("shades", "http://emberwell.example/fhir/ValueSet/colours/shades"),
        value_set("percent", "http://emberwell.example/fhir/100%_sure"),
        value_set("oid", "urn:oid:1.2.3"),
        json!({ "resourceType": "ValueSet", "id": "none", "status": "active" }),
    ];
    fill(server, &resources).await;

    check(
        server,
        &[
            ("ValueSet?url=http://emberwell.example/fhir/ValueSet/colours", &["colours"]),
            ("ValueSet?url:below=http://emberwell.example/fhir/ValueSet", &["colours", "shades"]),
            ("ValueSet?url:above=http://emberwell.example/fhir/ValueSet/colours/shades/1", &["colours", "shades"]),
            ("ValueSet?url:contains=ValueSet/col", &["colours", "shades"]),
            ("ValueSet?url:contains=valueset", &[]),
            ("ValueSet?url:contains=shades,oid:1", &["oid", "shades"]),
            ("ValueSet?url:contains=100%25_", &["percent"]),
            ("ValueSet?url:contains=1%25s", &[]),
            ("ValueSet?url:contains=_", &["percent"]),
            ("ValueSet?url:contains=%25&url:contains=fhir", &["percent"]),
            ("ValueSet?url:contains=urn:oid:1.2.3", &["oid"]),
            ("ValueSet?url:missing=true", &["none"]),
        ],
    )
    .await;
}

async fn ids_are_found_one_or_several(server: &TestServer) {
    let person = |id: &str| json!({ "resourceType": "Patient", "id": id });
    fill(server, &[person("a"), person("b"), person("C")]).await;

    check(server, &[("Patient?_id=a", &["a"]), ("Patient?_id=a,C,never", &["C", "a"]), ("Patient?_id=c", &[])]).await;
}

async fn last_updated_is_compared(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    let instant = server.get(&format!("Patient/{id}")).await.json()["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let instant = instant.replace('+', "%2B");

    assert_eq!(server.found(&format!("Patient?_lastUpdated={instant}")).await, std::slice::from_ref(&id));
    assert_eq!(server.found("Patient?_lastUpdated=gt2000-01-01").await, [id]);
    assert!(server.found("Patient?_lastUpdated=lt2000-01-01").await.is_empty());
    assert!(server.found(&format!("Patient?_lastUpdated=gt{instant}")).await.is_empty());
}

async fn several_parameters_narrow_and_commas_widen(server: &TestServer) {
    let person = |id: &str, family: &str, gender: &str| json!({ "resourceType": "Patient", "id": id, "name": [{ "family": family }], "gender": gender });
    fill(server, &[person("a", "Ash", "male"), person("b", "Ash", "female"), person("c", "Birch", "female")]).await;

    check(
        server,
        &[
            ("Patient?family=ash&gender=female", &["b"]),
            ("Patient?family=ash,birch&gender=female", &["b", "c"]),
            ("Patient?family=ash&family=birch", &[]),
        ],
    )
    .await;
}

async fn what_is_missing_can_be_searched(server: &TestServer) {
    fill(
        server,
        &[
            json!({ "resourceType": "Patient", "id": "a", "gender": "male" }),
            json!({ "resourceType": "Patient", "id": "b", "birthDate": "1970" }),
        ],
    )
    .await;

    check(
        server,
        &[
            ("Patient?gender:missing=true", &["b"]),
            ("Patient?gender:missing=false", &["a"]),
            ("Patient?birthdate:missing=true", &["a"]),
        ],
    )
    .await;
}

async fn an_updated_or_deleted_resource_is_found_by_what_it_is_now(server: &TestServer) {
    let called = |family: &str| json!({ "resourceType": "Patient", "id": "a", "name": [{ "family": family }] });
    server.put("Patient/a", &called("Before")).await.expect(201);
    server.put("Patient/a", &called("After")).await.expect(200);
    check(server, &[("Patient?family=before", &[]), ("Patient?family=after", &["a"])]).await;
    server.delete("Patient/a").await.expect(204);

    check(server, &[("Patient?family=after", &[]), ("Patient?_id=a", &[])]).await;
}

async fn a_search_by_post_finds_the_same(server: &TestServer) {
    fill(server, &[json!({ "resourceType": "Patient", "id": "a", "gender": "male", "birthDate": "1970" })]).await;
    let search = async |address: &str, form: &str| {
        let request = server.request(Method::POST, address);
        request.body("application/x-www-form-urlencoded", form).send().await
    };

    assert_eq!(search("Patient/_search", "gender=male").await.expect(200).matches(), ["a"]);
    assert_eq!(search("Patient/_search?birthdate=1970", "gender=male").await.expect(200).matches(), ["a"]);
    assert!(search("Patient/_search?birthdate=1971", "gender=male").await.expect(200).matches().is_empty());
    assert_eq!(search("_search", "_type=Patient&_id=a").await.expect(200).matches(), ["a"]);
    let request = server.request(Method::POST, "Patient/_search");
    request.json(&json!({ "gender": "male" })).send().await.refused(415);
}
