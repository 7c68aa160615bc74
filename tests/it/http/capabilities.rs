//! The CapabilityStatement claims what is there: each claim is called once.
//!
//! Spec: R4 http.html#capabilities

use http::Method;
use serde_json::{Value, json};

use crate::support::{TestServer, bundle, identifier, on_both, patient};

on_both!(
    every_claimed_interaction_of_patients_works,
    every_claimed_interaction_of_the_system_works,
    every_claimed_search_parameter_of_patients_is_taken,
    every_claimed_include_of_patients_is_taken,
    what_is_said_of_sorting_holds,
    every_claimed_compartment_is_searched,
    the_statement_says_what_it_is,
    what_is_said_of_the_header_of_provenance_holds,
);

async fn statement(server: &TestServer) -> Value {
    server.get("metadata").await.expect(200).json()
}

fn codes(interactions: &Value) -> Vec<String> {
    let code = |interaction: &Value| interaction["code"].as_str().unwrap().to_owned();
    interactions.as_array().unwrap().iter().map(code).collect()
}

async fn patients(server: &TestServer) -> Value {
    let statement = statement(server).await;
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    resources.iter().find(|resource| resource["type"] == "Patient").unwrap().clone()
}

async fn every_claimed_interaction_of_patients_works(server: &TestServer) {
    let claimed = patients(server).await;
    let codes = codes(&claimed["interaction"]);
    assert!(codes.len() >= 5, "{codes:?}");
    for code in codes {
        let id = server.create(&patient(&code)).await;
        let address = format!("Patient/{id}");
        let mut body = patient(&code);
        body["id"] = json!(id);
        body["active"] = json!(true);
        let patch = r#"[{"op":"add","path":"/active","value":true}]"#;
        match code.as_str() {
            "read" => server.get(&address).await.expect(200),
            "vread" => server.get(&format!("{address}/_history/1")).await.expect(200),
            "update" => server.put(&address, &body).await.expect(200),
            "patch" => {
                let request = server.request(Method::PATCH, &address);
                request.body("application/json-patch+json", patch).send().await.expect(200)
            }
            "delete" => server.delete(&address).await.expect(204),
            "history-instance" => server.get(&format!("{address}/_history")).await.expect(200),
            "history-type" => server.get("Patient/_history").await.expect(200),
            "create" => server.post("Patient", &patient("new")).await.expect(201),
            "search-type" => server.get("Patient").await.expect(200),
            _ => panic!("{code} is claimed, but this test can't call it"),
        };
    }
    assert_eq!(claimed["updateCreate"], true);
    server.put("Patient/chosen", &json!({ "resourceType": "Patient", "id": "chosen" })).await.expect(201);
    assert_eq!(claimed["conditionalCreate"], true);
    let request = server.request(Method::POST, "Patient").header("If-None-Exist", &identifier("read"));
    request.json(&patient("read")).send().await.expect(200);
    assert_eq!(claimed["conditionalUpdate"], true);
    server.put(&format!("Patient?{}", identifier("vread")), &patient("vread")).await.expect(200);
    assert_eq!(claimed["conditionalDelete"], "single");
    server.delete(&format!("Patient?{}", identifier("vread"))).await.expect(204);
    assert_eq!(claimed["conditionalRead"], "full-support");
    let request = server.request(Method::GET, "Patient/chosen").header("If-None-Match", "W/\"1\"");
    request.send().await.expect(304);
}

async fn every_claimed_interaction_of_the_system_works(server: &TestServer) {
    let statement = statement(server).await;
    let codes = codes(&statement["rest"][0]["interaction"]);
    assert!(!codes.is_empty());
    for code in codes {
        match code.as_str() {
            "batch" | "transaction" => {
                let entry = json!({ "resource": patient(&code), "request": { "method": "POST", "url": "Patient" } });
                server.post("", &bundle(&code, &[entry])).await.expect(200)
            }
            "search-system" => server.get("?_type=Patient").await.expect(200),
            "history-system" => server.get("_history").await.expect(200),
            _ => panic!("{code} is claimed, but this test can't call it"),
        };
    }
}

async fn every_claimed_search_parameter_of_patients_is_taken(server: &TestServer) {
    let claimed = patients(server).await;
    let parameters = claimed["searchParam"].as_array().unwrap();
    assert!(parameters.len() > 10);
    for parameter in parameters {
        let name = parameter["name"].as_str().unwrap();
        let value = match parameter["type"].as_str().unwrap() {
            "date" => "2000-01-01",
            "reference" => "Patient/1",
            "uri" => "https://nobody.example/x",
            "number" | "quantity" => "1",
            _ if name == "_filter" => "_id+eq+x",
            _ => "x",
        };
        server.get(&format!("Patient?{name}={value}")).await.expect(200);
    }
}

async fn what_is_said_of_sorting_holds(server: &TestServer) {
    let said = statement(server).await["rest"][0]["documentation"].as_str().unwrap().to_owned();
    assert!(said.contains("`_sort` takes every search parameter but composite and special ones"), "{said}");
    for parameter in patients(server).await["searchParam"].as_array().unwrap() {
        let name = parameter["name"].as_str().unwrap();
        let is_sorted_by = parameter["type"] != "composite" && parameter["type"] != "special";
        // Those read texts, whatever R4 calls their type.
        let expected = if is_sorted_by && !matches!(name, "_text" | "_content") { 200 } else { 400 };
        for sort in [name.to_owned(), format!("-{name}")] {
            assert_eq!(server.get(&format!("Patient?_sort={sort}")).await.status, expected, "{sort}");
        }
    }
    server.get("Observation?_sort=patient.family").await.expect(200);
}

async fn what_is_said_of_the_header_of_provenance_holds(server: &TestServer) {
    let statement = statement(server).await;
    let said = statement["rest"][0]["documentation"].as_str().unwrap();
    assert!(said.contains("X-Provenance"), "{said}");
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    let provenance = resources.iter().find(|resource| resource["type"] == "Provenance").unwrap();
    assert!(provenance["documentation"].as_str().unwrap().contains("X-Provenance"), "{provenance}");
    let claim =
        r#"{"resourceType":"Provenance","recorded":"2026-01-01T00:00:00Z","agent":[{"who":{"display":"Ann"}}]}"#;

    let entry = json!({ "request": { "method": "POST", "url": "Patient" }, "resource": patient("2") });
    for (method, path, body) in [
        (Method::POST, "Patient", patient("1")),
        (Method::PUT, "Patient/chosen", json!({ "resourceType": "Patient", "id": "chosen" })),
        (Method::POST, "", bundle("transaction", &[entry])),
    ] {
        let request = server.request(method, path).header("X-Provenance", claim).json(&body);
        assert!(matches!(request.send().await.status, 200 | 201), "{path}");
    }
    let patch = server.request(Method::PATCH, "Patient/chosen").header("X-Provenance", claim);
    let patch = patch.body("application/json-patch+json", r#"[{"op":"add","path":"/active","value":true}]"#);
    patch.send().await.expect(200);

    let found = server.get("Provenance?target=Patient/chosen").await.expect(200).resources();
    assert_eq!(found.len(), 2, "of the update and the patch");
    assert!(found.iter().all(|found| found["agent"][0]["who"]["display"] == "Ann"), "{found:?}");
}

async fn every_claimed_include_of_patients_is_taken(server: &TestServer) {
    let claimed = patients(server).await;
    for (member, parameter, fewest) in [("searchInclude", "_include", 3), ("searchRevInclude", "_revinclude", 100)] {
        let values = claimed[member].as_array().unwrap();
        assert!(values.len() > fewest, "{member}: {}", values.len());
        for value in values {
            server.get(&format!("Patient?{parameter}={}", value.as_str().unwrap())).await.expect(200);
        }
    }
}

async fn every_claimed_compartment_is_searched(server: &TestServer) {
    let statement = statement(server).await;
    let claimed = statement["rest"][0]["compartment"].as_array().unwrap();
    assert_eq!(claimed.len(), 5);
    for center in ["Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"] {
        let url = format!("http://hl7.org/fhir/CompartmentDefinition/{}", center.to_lowercase());
        assert!(claimed.contains(&json!(url)), "{url}");
        server.get(&format!("{center}/1/*")).await.expect(200);
    }
}

async fn the_statement_says_what_it_is(server: &TestServer) {
    let statement = statement(server).await;

    assert_eq!(statement["resourceType"], "CapabilityStatement");
    assert_eq!(statement["fhirVersion"], "4.0.1");
    assert_eq!(statement["kind"], "instance");
    assert_eq!(statement["implementation"]["url"], server.base);
    assert_eq!(statement["rest"][0]["mode"], "server");
}
