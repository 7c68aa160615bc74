//! Compressed bodies, in both directions.
//!
//! Spec: RFC 9110 8.4

use std::io::{Read, Write};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::Method;
use serde_json::json;

use crate::support::{TestServer, on_both, patient};

on_both!(
    a_packed_body_is_read,
    a_large_answer_is_packed_for_a_client_that_wants_it,
    a_body_that_unpacks_to_too_much_is_refused,
    a_body_that_is_not_packed_as_it_says_is_refused,
);

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

async fn a_packed_body_is_read(server: &TestServer) {
    let packed = gzip(patient("packed").to_string().as_bytes());
    let request = server.request(Method::POST, "Patient").header("Content-Encoding", "gzip");
    let created = request.body("application/fhir+json", packed).send().await.expect(201);

    assert_eq!(created.json()["identifier"][0]["value"], "packed");
}

async fn a_large_answer_is_packed_for_a_client_that_wants_it(server: &TestServer) {
    let body = json!({ "resourceType": "Basic", "code": { "text": "the same again ".repeat(500) } });
    let id = server.create(&body).await;
    let address = format!("Basic/{id}");
    let plain = server.get(&address).await.expect(200);
    let packed = server.request(Method::GET, &address).header("Accept-Encoding", "gzip").send().await.expect(200);

    assert_eq!((plain.header("Content-Encoding").as_str(), packed.header("Content-Encoding").as_str()), ("", "gzip"));
    assert!(packed.header("Vary").to_ascii_lowercase().contains("accept-encoding"), "{}", packed.header("Vary"));
    assert!(packed.body.len() < plain.body.len() / 2);
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
}

async fn a_body_that_unpacks_to_too_much_is_refused(server: &TestServer) {
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let request = server.request(Method::POST, "Patient").header("Content-Encoding", "gzip");
    request.body("application/fhir+json", bomb).send().await.refused(413);
}

async fn a_body_that_is_not_packed_as_it_says_is_refused(server: &TestServer) {
    let send = async |encoding: &str, body: Vec<u8>| {
        let request = server.request(Method::POST, "Patient").header("Content-Encoding", encoding);
        request.body("application/fhir+json", body).send().await
    };
    let plain = patient("1").to_string().into_bytes();
    send("gzip", plain.clone()).await.refused(400);
    let mut cut = gzip(&plain);
    cut.truncate(cut.len() - 9);
    send("gzip", cut).await.refused(400);
    send("compress", plain).await.refused(415);

    assert_eq!(server.count("Patient").await, 0);
}
