//! Bodies that are no resource: refused with a place, and nothing is stored.
//!
//! Spec: R4 json.html, http.html#create

use http::Method;

use crate::support::{TestServer, on_both};

on_both!(
    bad_bodies_are_refused_and_nothing_is_stored,
    malformed_json_is_refused_with_its_line_and_column,
    malformed_json_in_an_entry_names_entry_and_element,
    a_form_that_is_no_utf_8_is_refused,
    a_very_large_number_of_flaws_is_answered_in_short,
);

fn nested(depth: usize) -> Vec<u8> {
    let open = r#"{"url":"https://nobody.example/x","extension":["#;
    let mut text = r#"{"resourceType":"Patient","extension":["#.to_owned();
    text.push_str(&open.repeat(depth));
    text.push_str(r#"{"url":"https://nobody.example/x","valueBoolean":true}"#);
    text.push_str(&"]}".repeat(depth + 1));
    text.into_bytes()
}

async fn bad_bodies_are_refused_and_nothing_is_stored(server: &TestServer) {
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no JSON", b"Patient".to_vec()),
        ("half of it", br#"{"resourceType":"Patient","active":tr"#.to_vec()),
        ("something behind it", br#"{"resourceType":"Patient"}{}"#.to_vec()),
        ("a comma too many", br#"{"resourceType":"Patient",}"#.to_vec()),
        ("an array", br#"[{"resourceType":"Patient"}]"#.to_vec()),
        ("a number", b"1".to_vec()),
        ("no type", b"{}".to_vec()),
        ("another type", br#"{"resourceType":"Observation","status":"final","code":{"text":"x"}}"#.to_vec()),
        ("an unknown type", br#"{"resourceType":"Patience"}"#.to_vec()),
        ("a type that is abstract", br#"{"resourceType":"DomainResource"}"#.to_vec()),
        ("a type that is no text", br#"{"resourceType":1}"#.to_vec()),
        ("an unknown element", br#"{"resourceType":"Patient","shoeSize":44}"#.to_vec()),
        ("a wrong type of element", br#"{"resourceType":"Patient","active":"yes"}"#.to_vec()),
        ("one where a list belongs", br#"{"resourceType":"Patient","name":{"family":"x"}}"#.to_vec()),
        ("a date that is none", br#"{"resourceType":"Patient","birthDate":"1970-02-30"}"#.to_vec()),
        ("an empty object", br#"{"resourceType":"Patient","name":[{}]}"#.to_vec()),
        ("an empty list", br#"{"resourceType":"Patient","name":[]}"#.to_vec()),
        ("an empty text", br#"{"resourceType":"Patient","language":""}"#.to_vec()),
        ("a null", br#"{"resourceType":"Patient","active":null}"#.to_vec()),
        ("a key twice", br#"{"resourceType":"Patient","active":true,"active":false}"#.to_vec()),
        ("no UTF-8", b"{\"resourceType\":\"Patient\",\"language\":\"\xff\xfe\"}".to_vec()),
        ("half a surrogate", br#"{"resourceType":"Patient","name":[{"family":"\ud800"}]}"#.to_vec()),
        ("a NUL", br#"{"resourceType":"Patient","name":[{"family":"a\u0000b"}]}"#.to_vec()),
        ("a raw NUL", b"{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"a\0b\"}]}".to_vec()),
        ("a raw control character", b"{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"a\x01b\"}]}".to_vec()),
        ("a number that is none", br#"{"resourceType":"Patient","multipleBirthInteger":01}"#.to_vec()),
        (
            "a script in the narrative",
            concat!(
                r#"{"resourceType":"Patient","text":{"status":"generated","#,
                r#""div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"}}"#
            )
            .as_bytes()
            .to_vec(),
        ),
        ("nesting of 200", nested(100)),
        ("nesting of 80,000", nested(40_000)),
        ("nesting that never ends", b"[".repeat(500_000)),
        (
            "a space in the id of an element",
            br#"{"resourceType":"Patient","name":[{"id":"a b","family":"x"}]}"#.to_vec(),
        ),
        (
            "a urn:uuid that is none",
            br#"{"resourceType":"Patient","managingOrganization":{"reference":"urn:uuid:1"}}"#.to_vec(),
        ),
        ("UTF-16", "{\"resourceType\":\"Patient\"}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a byte order mark", b"\xef\xbb\xbf{\"resourceType\":\"Patient\"}".to_vec()),
    ];
    for (name, body) in cases {
        let answer = server.request(Method::POST, "Patient").body("application/fhir+json", body).send().await;
        assert!(matches!(answer.status, 400 | 422), "{name}: {} {}", answer.status, answer.text());
        answer.refused(answer.status);
    }

    assert_eq!(server.count("Patient").await, 0);
    assert_eq!(server.get("_history").await.expect(200).json().get("entry"), None);
}

async fn malformed_json_is_refused_with_its_line_and_column(server: &TestServer) {
    let body = "{\n  \"resourceType\": \"Patient\",\n  \"active\": tru\n}";
    let answer = server.request(Method::POST, "Patient").body("application/fhir+json", body).send().await;
    answer.refused(400);

    assert!(answer.text().contains("line 3"), "{}", answer.text());
}

async fn malformed_json_in_an_entry_names_entry_and_element(server: &TestServer) {
    let body = concat!(
        r#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"POST","url":"Observation"},"#,
        r#""resource":{"resourceType":"Observation","component":[{"valueQuantity":{"value":01}}]}}]}"#
    );
    let issue = server.request(Method::POST, "").body("application/fhir+json", body).send().await.refused(400);

    assert_eq!(issue["expression"][0], "Bundle.entry[0].resource.component[0].value.value");
    assert!(issue["diagnostics"].as_str().unwrap().starts_with("line 1, column 1"), "{issue}");
}

async fn a_form_that_is_no_utf_8_is_refused(server: &TestServer) {
    for form in [&b"name=\xff\xfe"[..], b"name=%ff", b"name=%zz"] {
        let request = server.request(Method::POST, "Patient/_search");
        let issue = request.body("application/x-www-form-urlencoded", form).send().await.refused(400);
        assert!(issue["diagnostics"].as_str().unwrap().contains("UTF-8"), "{issue}");
    }
}

async fn a_very_large_number_of_flaws_is_answered_in_short(server: &TestServer) {
    let extensions = vec![r#"{"url":"urn:a"}"#; 100_000].join(",");
    let body = format!(r#"{{"resourceType":"Patient","extension":[{extensions}]}}"#);
    let answer = server.request(Method::POST, "Patient").body("application/fhir+json", body).send().await;
    answer.refused(422);

    assert_eq!(answer.json()["issue"].as_array().unwrap().len(), 101);
}
