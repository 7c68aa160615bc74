//! `person add` and `person disable`.

use std::io::Write;
use std::process::Stdio;

use emberwell::records::verify_password;
use serde_json::json;

use crate::records::{done, person, read, refused};
use crate::support::program::{Ended, program};
use crate::support::{TestServer, on_both};

on_both!(an_address_has_one_account, a_password_comes_on_stdin_and_is_kept_as_a_hash, an_account_is_disabled_once,);

async fn an_address_has_one_account(server: &TestServer) {
    let arguments = ["add", "--email", " Anna@Example.org", "--name", "Dr. Anna", "--role", "professional"];
    let made = done(server, "person", &[&arguments[..], &["--fhir-user", "Practitioner/7"]].concat());

    assert_eq!(
        made,
        json!({ "account": made["account"], "email": "anna@example.org", "name": "Dr. Anna", "role": "professional",
            "fhirUser": "Practitioner/7" })
    );
    refused(
        server,
        "person",
        &["add", "--email", "ANNA@example.org", "--name", "B"],
        1,
        "--email: there is an account",
    );
    let kept = read(server, |reader| reader.account_by_email("anna@example.org")).unwrap();
    assert_eq!((kept.name.as_str(), kept.password), ("Dr. Anna", None));
}

/// Runs `person add --password-stdin` for Bert with this on stdin.
fn with_stdin(server: &TestServer, input: &[u8]) -> Ended {
    let mut command = program(server, "person");
    command.args(["add", "--email", "bert@example.org", "--name", "Bert", "--password-stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program may end before it has read all.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), told: text(output.stderr) }
}

async fn a_password_comes_on_stdin_and_is_kept_as_a_hash(server: &TestServer) {
    let long = "a".repeat(257);
    let endless = vec![b'a'; 1 << 20];
    let table: [&[u8]; 8] = [
        b"",
        b"1234567\n",
        long.as_bytes(),
        b"12345678\n12345678\n",
        b"\xff\xfe1234567",
        &endless,
        b"password1\n",
        b"bert2026\n",
    ];
    for input in table {
        let ended = with_stdin(server, input);
        assert_eq!(ended.code, Some(2), "{}", ended.told);
        assert!(ended.told.contains("--password-stdin: "), "{}", ended.told);
    }
    assert_eq!(read(server, |reader| reader.account_by_email("bert@example.org")), None);

    let ended = with_stdin(server, "pässwörd 1\r\n".as_bytes());

    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.told);
    assert!(!ended.told.contains("rd 1"), "{}", ended.told);
    let hash = read(server, |reader| reader.account_by_email("bert@example.org")).unwrap().password.unwrap();
    assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
    assert!(verify_password("pässwörd 1", Some(&hash)) && !verify_password("pässwörd 1\r", Some(&hash)));
}

async fn an_account_is_disabled_once(server: &TestServer) {
    let anna = person(server, "Anna");

    assert_eq!(done(server, "person", &["disable", "--email", "Anna@example.org"])["disabled"], true);
    assert!(read(server, |reader| reader.account_by_email(&anna)).unwrap().disabled_us.is_some());
    refused(server, "person", &["disable", "--email", &anna], 1, "is disabled already");
    refused(server, "person", &["disable", "--email", "b@example.org"], 1, "--email: there is no account");
}
