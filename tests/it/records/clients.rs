//! `client add`, `client list` and `client suspend`.

use emberwell::store::SecretHash;
use serde_json::json;

use crate::records::{done, read, refused};
use crate::support::holders::{Issue, is_live, issue};
use crate::support::program::run;
use crate::support::{TestServer, on_both, patient_called};

on_both!(
    a_secret_is_shown_once_and_kept_as_a_hash,
    a_backend_client_gets_its_grant,
    a_client_that_can_not_be_is_refused,
    a_suspended_client_has_no_live_token,
    a_client_says_what_people_decide_by,
    an_operator_says_how_far_a_client_may_be_used,
);

const URI: &str = "https://app.example/done";
const KEYS: &str = "https://ehr.example/jwks";

async fn a_secret_is_shown_once_and_kept_as_a_hash(server: &TestServer) {
    let reason = "patient/Observation.rs?category=vital-signs=to draw curves";
    let scopes = "launch/patient patient/Observation.rs?category=vital-signs";
    let app = ["add", "--name", "Growth", "--redirect-uri", URI, "--scope", scopes, "--reason", reason];
    let confidential = done(server, "client", &[&app[..], &["--kind", "confidential"]].concat());
    let public = done(server, "client", &[&app[..], &["--kind", "public", "--launch-uri", URI]].concat());

    let secret = confidential["client_secret"].as_str().unwrap();
    assert_eq!(secret.len(), 43, "256 bits");
    assert_eq!(public.get("client_secret"), None);
    assert_ne!(public["client_id"], confidential["client_id"]);
    assert_eq!(public["reasons"], json!({ "patient/Observation.rs?category=vital-signs": "to draw curves" }));
    let id = confidential["client_id"].as_str().unwrap();
    let kept = read(server, |reader| reader.client(id)).unwrap();
    assert_eq!(kept.secret_hash, Some(SecretHash::of(secret.as_bytes())));

    let listed = done(server, "client", &["list"]);
    let ids: Vec<_> = listed["clients"].as_array().unwrap().iter().map(|client| &client["client_id"]).collect();
    assert_eq!(ids, [&confidential["client_id"], &public["client_id"]]);
    assert!(!listed.to_string().contains(secret) && !run(server, "client", &["list"]).told.contains(secret));
    for client in [id, public["client_id"].as_str().unwrap()] {
        assert_eq!(done(server, "grant", &["list", "--client", client])["grants"], json!([]), "people grant to apps");
    }
}

async fn a_backend_client_gets_its_grant(server: &TestServer) {
    let record = format!("Patient/{}", server.create(&patient_called("Berg")).await);
    let backend = ["add", "--name", "EHR", "--kind", "backend", "--jwks-uri", KEYS, "--scope", "system/*.cruds"];
    let for_all = done(server, "client", &backend);
    let for_one = done(server, "client", &[&backend[..], &["--record", &record]].concat());

    assert_eq!(for_all.get("client_secret"), None);
    let named = ["grant", "record", "scope", "level", "labels", "history", "reason", "to"];
    let grant = |id: &str| {
        let listed = done(server, "grant", &["list", "--client", id]);
        assert_eq!(listed["grants"].as_array().unwrap().len(), 1, "{listed}");
        json!(named.map(|name| &listed["grants"][0][name]))
    };
    let all = "an operator's system client on all records";
    assert_eq!(
        grant(for_all["client_id"].as_str().unwrap()),
        json!([for_all["grant"], null, "system/*.cruds", "own-choice", "very-restricted", true, all, "EHR"])
    );
    assert_eq!(
        grant(for_one["client_id"].as_str().unwrap()),
        json!([
            for_one["grant"],
            record,
            "system/*.cruds",
            "own-choice",
            "normal",
            false,
            "an operator's system client",
            "EHR"
        ])
    );
    let none = [&backend[..], &["--record", "Patient/none"]].concat();
    refused(server, "client", &none, 1, "--record: there is no Patient/none");
    assert_eq!(done(server, "client", &["list"])["clients"].as_array().unwrap().len(), 2);
}

async fn a_client_that_can_not_be_is_refused(server: &TestServer) {
    let app = ["--redirect-uri", URI, "--scope", "patient/*.rs"];
    let backend = ["--kind", "backend", "--jwks-uri", KEYS];
    let inward = ["--kind", "backend", "--scope", "system/*.rs"];
    let table: [(&[&[&str]], &str); 12] = [
        (&[&["--kind", "public", "--scope", "patient/*.rs"]], "--redirect-uri: "),
        (
            &[&["--kind", "public", "--redirect-uri", "http://app.example/"], &app],
            "--redirect-uri: 'http://app.example/'",
        ),
        (&[&["--kind", "public", "--launch-uri", "x"], &app], "--launch-uri: 'x'"),
        (&[&["--kind", "public", "--reason", "patient/*.c=y"], &app], "--reason: "),
        (&[&["--kind", "confidential", "--jwks", "/no/such/file"], &app], "--jwks /no/such/file: it can't be read"),
        (&[&["--kind", "backend", "--scope", "system/*.rs"]], "--jwks-uri: a backend client shows who it is by a key"),
        (&[&backend, &["--scope", "patient/*.rs"]], "--scope: the scope 'patient/*.rs' does not fit"),
        (&[&backend, &["--scope", "system/*.sr"]], "--scope: 'system/*.sr' is no scope"),
        (&[&inward, &["--jwks-uri", "http://127.0.0.1/x"]], "--jwks-uri: 'http://127.0.0.1/x' can't be used"),
        (&[&inward, &["--jwks-uri", "https://127.0.0.1/x"]], "--outbound-allow"),
        (&[&backend, &["--scope", "system/Observation.rs?foo=bar"]], "--scope: it could not be applied: the search in"),
        (
            &[&["--kind", "public"], &app[..2], &["--scope", "patient/Observation.rs?subject.name=x"]],
            "the scope for Observation",
        ),
    ];
    for (arguments, wanted) in table {
        refused(server, "client", &[&["add", "--name", "A"], &*arguments.concat()].concat(), 2, wanted);
    }
    assert_eq!(done(server, "client", &["list"])["clients"], json!([]));
}

async fn a_suspended_client_has_no_live_token(server: &TestServer) {
    let backend = ["add", "--name", "EHR", "--kind", "backend", "--jwks-uri", KEYS, "--scope", "system/*.rs"];
    let id = done(server, "client", &backend)["client_id"].as_str().unwrap().to_owned();
    let token = issue(server, Issue { client: Some(&id), scopes: "system/*.rs", ..Issue::default() });

    assert!(is_live(server, &token));
    assert_eq!(done(server, "client", &["suspend", &id])["state"], "suspended");
    assert!(!is_live(server, &token));
    refused(server, "client", &["suspend", &id], 1, "is suspended already");
    refused(server, "client", &["suspend", "none"], 1, "there is no client none");
}

async fn a_client_says_what_people_decide_by(server: &TestServer) {
    done(server, "person", &["add", "--email", "maker@example.org", "--name", "Maker"]);
    let folder = std::env::temp_dir().join(format!("emberwell-logo-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    let (picture, drawing) = (folder.join("logo.png"), folder.join("logo.svg"));
    std::fs::write(&picture, b"\x89PNG\r\n\x1a\npicture").unwrap();
    std::fs::write(&drawing, b"<svg xmlns='http://www.w3.org/2000/svg'/>").unwrap();
    let (picture, drawing) = (picture.to_str().unwrap(), drawing.to_str().unwrap());
    let app = [
        "add",
        "--name",
        "Growth",
        "--kind",
        "public",
        "--redirect-uri",
        URI,
        "--scope",
        "patient/*.rs offline_access",
    ];
    let more = [
        "--publisher",
        "Curves Ltd",
        "--verified",
        "--logo",
        picture,
        "--policy-uri",
        "https://app.example/privacy",
        "--tos-uri",
        "https://app.example/terms",
        "--contact",
        "help@app.example",
        "--owner",
        "maker@example.org",
        "--optional",
        "offline_access",
        "--without-aud",
    ];

    let told = done(server, "client", &[&app[..], &more].concat());

    let id = told["client_id"].as_str().unwrap();
    let shown = done(server, "client", &["show", id]);
    for (name, wanted) in [
        ("publisher", json!("Curves Ltd")),
        ("verified", json!(true)),
        ("state", json!("approved")),
        ("origin", json!("command")),
        ("logo", json!("image/png")),
        ("policy_uri", json!("https://app.example/privacy")),
        ("tos_uri", json!("https://app.example/terms")),
        ("contacts", json!(["help@app.example"])),
        ("owners", json!(["maker@example.org"])),
        ("optional", json!("offline_access")),
        ("without_aud", json!(true)),
    ] {
        assert_eq!(shown[name], wanted, "{name}");
    }
    let logo = server.request(http::Method::GET, &format!("{}/apps/{id}/logo", server.url)).send().await.expect(200);
    assert_eq!((logo.header("Content-Type").as_str(), &*logo.body), ("image/png", &b"\x89PNG\r\n\x1a\npicture"[..]));
    assert_eq!(logo.header("X-Content-Type-Options"), "nosniff");
    let plain = done(server, "client", &app);
    assert_eq!(
        (&plain["verified"], &plain["logo"], &plain["without_aud"]),
        (&json!(false), &json!(null), &json!(false))
    );
    let none = format!("{}/apps/{}/logo", server.url, plain["client_id"].as_str().unwrap());
    server.request(http::Method::GET, &none).send().await.expect(404);
    for (flag, value, wanted) in [
        ("--logo", drawing, "--logo: the logo can't be used"),
        ("--policy-uri", "javascript:alert(1)", "--policy-uri: "),
        ("--tos-uri", "http://app.example/", "--tos-uri: "),
        ("--optional", "openid", "--scope: the scope 'openid' does not fit here"),
    ] {
        refused(server, "client", &[&app[..], &[flag, value]].concat(), 2, wanted);
    }
    refused(
        server,
        "client",
        &[&app[..], &["--owner", "nobody@example.org"]].concat(),
        1,
        "--owner: there is no account",
    );
    std::fs::remove_dir_all(folder).unwrap();
}

async fn an_operator_says_how_far_a_client_may_be_used(server: &TestServer) {
    let app = ["add", "--name", "Growth", "--kind", "public", "--redirect-uri", URI, "--scope", "patient/*.rs"];
    let id = done(server, "client", &app)["client_id"].as_str().unwrap().to_owned();

    refused(server, "client", &["approve", &id], 1, "is approved already");
    assert_eq!(done(server, "client", &["verify", &id])["verified"], true);
    refused(server, "client", &["verify", &id], 1, "is verified already");
    assert_eq!(done(server, "client", &["suspend", &id])["state"], "suspended");
    assert_eq!(done(server, "client", &["approve", &id])["state"], "approved");
    assert_eq!(done(server, "client", &["verify", &id, "--off"])["verified"], false);
    for command in ["show", "approve", "verify", "suspend"] {
        refused(server, "client", &[command, "none"], 1, "there is no client none");
    }
}
