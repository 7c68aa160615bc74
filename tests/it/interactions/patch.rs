//! JSON Patch and FHIRPath Patch of one resource.
//!
//! Spec: R4 http.html#patch, fhirpatch.html

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, on_both, patient_called};

on_both!(
    a_json_patch_changes_what_it_names_and_nothing_else,
    a_fhirpath_patch_changes_what_it_names,
    a_patch_whose_test_fails_changes_nothing,
    a_patch_that_breaks_the_resource_is_refused,
    a_patch_of_nothing_is_not_found_or_gone,
    a_patch_for_an_older_version_is_refused,
    a_patch_may_not_change_what_the_resource_is,
    a_patch_whose_copies_double_a_value_again_and_again_is_refused,
    a_parameters_that_is_no_patch_is_refused,
    a_path_that_takes_too_many_steps_is_refused,
);

async fn json_patch(server: &TestServer, address: &str, operations: &Value) -> Answer {
    let request = server.request(Method::PATCH, address);
    request.body("application/json-patch+json", operations.to_string()).send().await
}

async fn a_json_patch_changes_what_it_names_and_nothing_else(server: &TestServer) {
    let mut body = patient_called("Before");
    body["gender"] = json!("female");
    let id = server.create(&body).await;
    let operations = json!([
        { "op": "test", "path": "/name/0/family", "value": "Before" },
        { "op": "replace", "path": "/name/0/family", "value": "After" },
        { "op": "add", "path": "/name/0/given", "value": ["A", "B"] },
    ]);
    let patched = json_patch(server, &format!("Patient/{id}"), &operations).await.expect(200);

    assert_eq!(patched.header("ETag"), "W/\"2\"");
    let read = server.get(&format!("Patient/{id}")).await.json();
    assert_eq!(read["name"], json!([{ "family": "After", "given": ["A", "B"] }]));
    assert_eq!(read["gender"], "female");
}

async fn a_fhirpath_patch_changes_what_it_names(server: &TestServer) {
    let id = server.create(&patient_called("Before")).await;
    let patch = json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": [
        { "name": "type", "valueCode": "replace" },
        { "name": "path", "valueString": "Patient.name[0].family" },
        { "name": "value", "valueString": "After" },
    ]}]});
    let patched = server.request(Method::PATCH, &format!("Patient/{id}")).json(&patch).send().await.expect(200);

    assert_eq!(patched.json()["name"][0]["family"], "After");
    assert_eq!(server.get(&format!("Patient/{id}")).await.json()["meta"]["versionId"], "2");
}

async fn a_patch_whose_test_fails_changes_nothing(server: &TestServer) {
    let id = server.create(&patient_called("Before")).await;
    let operations = json!([
        { "op": "add", "path": "/active", "value": true },
        { "op": "test", "path": "/name/0/family", "value": "Other" },
    ]);
    json_patch(server, &format!("Patient/{id}"), &operations).await.refused(422);

    let read = server.get(&format!("Patient/{id}")).await.json();
    assert_eq!((read.get("active"), read["meta"]["versionId"].as_str()), (None, Some("1")));
}

async fn a_patch_that_breaks_the_resource_is_refused(server: &TestServer) {
    let id = server.create(&patient_called("Before")).await;
    let operations = json!([{ "op": "add", "path": "/nonsense", "value": true }]);
    let refused = json_patch(server, &format!("Patient/{id}"), &operations).await;
    assert!(matches!(refused.status, 400 | 422), "{}", refused.text());
    json_patch(server, &format!("Patient/{id}"), &json!([{ "op": "leap" }])).await.refused(400);
    json_patch(server, &format!("Patient/{id}"), &json!({ "op": "add" })).await.refused(400);

    assert_eq!(server.get(&format!("Patient/{id}")).await.json()["meta"]["versionId"], "1");
}

async fn a_patch_of_nothing_is_not_found_or_gone(server: &TestServer) {
    let operations = json!([{ "op": "add", "path": "/active", "value": true }]);
    json_patch(server, "Patient/never", &operations).await.refused(404);
    let id = server.create(&patient_called("Gone")).await;
    server.delete(&format!("Patient/{id}")).await.expect(204);

    json_patch(server, &format!("Patient/{id}"), &operations).await.refused(410);
}

async fn a_patch_for_an_older_version_is_refused(server: &TestServer) {
    let id = server.create(&patient_called("One")).await;
    let patch = async |version: &str, family: &str| {
        let operations = json!([{ "op": "replace", "path": "/name/0/family", "value": family }]);
        let request = server.request(Method::PATCH, &format!("Patient/{id}")).header("If-Match", version);
        request.body("application/json-patch+json", operations.to_string()).send().await
    };
    patch("W/\"1\"", "Two").await.expect(200);
    patch("W/\"1\"", "Three").await.refused(412);

    assert_eq!(server.get(&format!("Patient/{id}")).await.json()["name"][0]["family"], "Two");
}

async fn a_patch_may_not_change_what_the_resource_is(server: &TestServer) {
    let id = server.create(&patient_called("One")).await;
    for (path, value) in [("/id", "other"), ("/resourceType", "Person")] {
        let operations = json!([{ "op": "replace", "path": path, "value": value }]);
        json_patch(server, &format!("Patient/{id}"), &operations).await.refused(422);
    }
}

async fn a_patch_whose_copies_double_a_value_again_and_again_is_refused(server: &TestServer) {
    let id = server.create(&patient_called("Before")).await;
    let address = format!("Patient/{id}");
    let start =
        json!({ "op": "add", "path": "/extension", "value": [{ "url": "urn:a", "valueString": "x".repeat(1000) }] });
    let texts = |count: usize| {
        let copies = (0..count).map(|_| json!({ "op": "copy", "from": "/extension", "path": "/extension/-" }));
        Value::Array(std::iter::once(start.clone()).chain(copies).collect())
    };
    let objects = |count: usize| {
        let copies = (0..count).map(|number| json!({ "op": "copy", "from": "/a", "path": format!("/a/k{number}") }));
        let start = json!({ "op": "add", "path": "/a", "value": { "b": "x" } });
        Value::Array(std::iter::once(start).chain(copies).collect())
    };
    json_patch(server, &address, &texts(40)).await.refused(413);
    json_patch(server, &address, &objects(40)).await.refused(422);
    json_patch(server, &address, &texts(1000)).await.refused(400);

    assert_eq!(server.get(&address).await.expect(200).header("ETag"), "W/\"1\"");
}

async fn a_parameters_that_is_no_patch_is_refused(server: &TestServer) {
    let id = server.create(&patient_called("Before")).await;
    let delete = json!([{ "name": "type", "valueCode": "delete" }, { "name": "path", "valueString": "Patient.name" }]);
    let bad = [
        json!({ "resourceType": "Parameters", "parameter": [] }),
        json!({ "resourceType": "Parameters", "parameter": [{ "name": "other", "part": delete }] }),
        json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": delete, "shoeSize": 44 }] }),
        json!({ "resourceType": "Parameters", "shoeSize": 44, "parameter": [{ "name": "operation", "part": delete }] }),
        patient_called("Other"),
    ];
    for patch in bad {
        server.request(Method::PATCH, &format!("Patient/{id}")).json(&patch).send().await.refused(400);
    }

    assert_eq!(server.get(&format!("Patient/{id}")).await.expect(200).header("ETag"), "W/\"1\"");
}

async fn a_path_that_takes_too_many_steps_is_refused(server: &TestServer) {
    let id = server.create(&patient_called("Before")).await;
    let patch = |path: &str| {
        json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": [
            { "name": "type", "valueCode": "replace" },
            { "name": "path", "valueString": path },
            { "name": "value", "valueString": "After" },
        ]}]})
    };
    let send =
        async |path: &str| server.request(Method::PATCH, &format!("Patient/{id}")).json(&patch(path)).send().await;

    let issue = send("Patient.name.where((1 | 2).repeat($this + 1).exists()).family").await.refused(422);

    assert!(issue["diagnostics"].as_str().unwrap().contains("too many steps"), "{issue}");
    send("Patient.name.where((1 | 2).exists()).family").await.expect(200);
}
