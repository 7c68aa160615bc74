//! `--demo`: an empty database is filled, and nothing is open.

use crate::support::program::run;
use crate::support::{TestServer, on_both};

on_both!(
    a_demo_is_closed_and_has_people_records_and_an_app,
    a_demo_adds_nothing_to_a_database_that_is_in_use,
    the_people_of_a_demo_can_sign_in_on_loopback_alone,
    the_sample_app_is_there_with_a_demo_alone,
);

async fn demo(server: &TestServer) -> TestServer {
    let demo = |settings: &mut emberwell::config::Settings| {
        settings.server.demo = true;
        settings.server.open = false;
    };
    server.beside(demo).await
}

async fn a_demo_is_closed_and_has_people_records_and_an_app(server: &TestServer) {
    let demo = demo(server).await;

    assert_eq!(demo.get("metadata").await.status, 200);
    assert_eq!(demo.get("Patient").await.status, 401);
    let grants = run(server, "grant", &["list", "--record", "Patient/mila", "--json"]);
    assert_eq!(grants.code, Some(0), "{}", grants.told);
    let grants: serde_json::Value = serde_json::from_str(&grants.stdout).unwrap();
    let levels = |to: &str| {
        let to_them = grants["grants"].as_array().unwrap().iter().filter(move |grant| grant["to"] == to);
        to_them.map(|grant| grant["level"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(levels("nadia@family.example"), ["custodian"], "{grants}");
    assert_eq!(levels("jonas@family.example"), ["view"]);
    assert_eq!(levels("solberg@clinic.example"), ["modify"]);
    let clients = run(server, "client", &["list", "--json"]);
    assert!(clients.stdout.contains("/sample-app/launch.html"), "{}", clients.stdout);
    // The open server beside it sees what was stored.
    assert_eq!(server.count("Patient").await, 4);
    assert_eq!(server.found("Observation?category=vital-signs&patient=mila&_count=100").await.len(), 23);
    demo.stop().await;
}

async fn a_demo_adds_nothing_to_a_database_that_is_in_use(server: &TestServer) {
    server.create(&crate::support::patient_called("Oak")).await;
    let demo = demo(server).await;

    assert_eq!(server.count("Patient").await, 1);
    assert!(run(server, "grant", &["list", "--to", "nadia@family.example"]).told.contains("nadia@family.example"));
    demo.stop().await;
}

async fn the_people_of_a_demo_can_sign_in_on_loopback_alone(server: &TestServer) {
    demo(server).await.stop().await;

    let told = |arguments: &[&str]| {
        let ended = run(server, "serve", arguments);
        assert_eq!(ended.stdout, "", "it must not listen");
        (ended.code, ended.told)
    };
    let (code, refusal) = told(&["--demo", "--listen=0.0.0.0:0"]);
    assert_eq!(code, Some(2), "{refusal}");
    assert!(refusal.contains("--demo needs an address on loopback"), "{refusal}");
    let (code, refusal) = told(&["--listen=0.0.0.0:0"]);
    assert_eq!(code, Some(1), "{refusal}");
    assert!(refusal.contains("nadia@family.example"), "{refusal}");
}

async fn the_sample_app_is_there_with_a_demo_alone(server: &TestServer) {
    let demo = demo(server).await;

    for (path, kind) in [("", "text/html"), ("/launch.html", "text/html"), ("/smart.js", "text/javascript")] {
        let path = format!("{}/sample-app{path}", demo.url);
        let answer = demo.get(&path).await.expect(200);
        assert!(answer.header("Content-Type").starts_with(kind), "{path}");
        assert!(answer.header("Content-Security-Policy").starts_with("default-src 'self'"), "{path}");
    }
    assert_eq!(demo.get(&format!("{}/sample-app/family.json", demo.url)).await.status, 404);
    assert_eq!(server.get(&format!("{}/sample-app", server.url)).await.status, 404);
    demo.stop().await;
}
