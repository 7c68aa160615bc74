//! `/brands`: whose server this is.

use emberwell::config::BrandSettings;
use http::Method;

use super::{closed, send};
use crate::support::{TestServer, on_both};

on_both!(a_brand_is_told_to_whoever_asks, a_server_without_a_brand_tells_none,);

async fn a_brand_is_told_to_whoever_asks(server: &TestServer) {
    let with_brand = closed(server, |settings| {
        settings.apps.brand = Some(BrandSettings {
            name: "Clinic at the lake".to_owned(),
            website: "https://www.clinic.example/".to_owned(),
            logo: Some("https://www.clinic.example/logo.png".to_owned()),
            portal_name: Some("MyLake".to_owned()),
            line: vec!["Shore 1".to_owned()],
            city: Some("Laketown".to_owned()),
            ..BrandSettings::default()
        });
    })
    .await;
    let document = send(&with_brand, Method::GET, "/fhir/.well-known/smart-configuration", None, None).await.json();
    let address = document["user_access_brand_bundle"].as_str().unwrap();
    assert_eq!(document["user_access_brand_identifier"]["value"], "https://clinic.example");

    let request = || with_brand.request(Method::GET, address).header("Origin", "https://list.example");
    let answer = request().send().await.expect(200);
    assert_eq!(answer.header("Content-Type"), "application/fhir+json");
    assert_eq!(answer.header("Access-Control-Allow-Origin"), "*");
    let bundle = answer.json();
    assert_eq!(bundle["type"], "collection");
    let [organization, endpoint] = [0, 1].map(|at| bundle["entry"][at]["resource"].clone());
    assert_eq!(
        (&organization["name"], &organization["address"][0]["city"]),
        (&"Clinic at the lake".into(), &"Laketown".into())
    );
    assert_eq!(organization["identifier"][0], document["user_access_brand_identifier"]);
    assert_eq!(
        (&endpoint["address"], &endpoint["connectionType"]["code"]),
        (&with_brand.base.clone().into(), &"hl7-fhir-rest".into())
    );
    let held = answer.header("ETag");
    request().header("If-None-Match", &held).send().await.expect(304);
    request().header("If-None-Match", "\"x\"").send().await.expect(200);
    let checked = server.request(Method::POST, "Bundle/$validate").json(&bundle).send().await.expect(200).json();
    let errors = checked["issue"].as_array().unwrap().iter().filter(|issue| issue["severity"] == "error");
    assert_eq!(errors.collect::<Vec<_>>(), Vec::<&serde_json::Value>::new());
    with_brand.stop().await;
}

async fn a_server_without_a_brand_tells_none(server: &TestServer) {
    let server = closed(server, |_| {}).await;

    assert_eq!(send(&server, Method::GET, "/brands", None, None).await.status, 404);
    let document = send(&server, Method::GET, "/fhir/.well-known/smart-configuration", None, None).await.json();
    assert_eq!(document.get("user_access_brand_bundle"), None);
    server.stop().await;
}
