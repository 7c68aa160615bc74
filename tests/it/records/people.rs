//! `person add` and `person disable`.

use std::io::Write;
use std::process::Stdio;

use emberwell::clock::now_us;
use emberwell::records::verify_password;
use emberwell::store::{Happening, SecretHash, Session};
use serde_json::json;

use crate::records::{done, person, read, refused};
use crate::support::holders::change;
use crate::support::program::{Ended, program};
use crate::support::{TestServer, on_both};

on_both!(
    an_address_has_one_account,
    a_password_comes_on_stdin_and_is_kept_as_a_hash,
    an_operator_gives_another_password,
    an_account_is_disabled_once,
);

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

/// Makes Bert with the password that this is on stdin.
fn with_stdin(server: &TestServer, input: &[u8]) -> Ended {
    given(server, &["add", "--email", "bert@example.org", "--name", "Bert", "--password-stdin"], input)
}

/// Runs `person` with this on stdin.
fn given(server: &TestServer, arguments: &[&str], input: &[u8]) -> Ended {
    let mut command = program(server, "person");
    command.args(arguments);
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

async fn an_operator_gives_another_password(server: &TestServer) {
    assert_eq!(with_stdin(server, b"wicker tarpaulin").code, Some(0));
    let bert = read(server, |reader| reader.account_by_email("bert@example.org")).unwrap();
    change(server, move |tx| {
        let hash = SecretHash::of(b"cookie");
        tx.offer_authenticator(bert.id, b"sealed")?;
        tx.confirm_authenticator(bert.id)?;
        tx.add_session(&Session {
            hash,
            account: bert.id,
            created_us: now_us(),
            seen_us: now_us(),
            verified_us: now_us(),
            expires_us: i64::MAX,
            factors: "pwd".to_owned(),
            agent: String::new(),
        })
    });
    let password = ["password", "--email", "Bert@example.org", "--password-stdin"];

    let weak = given(server, &password, b"bertbert1\n");
    assert_eq!(weak.code, Some(2), "{}", weak.told);
    assert!(read(server, |reader| reader.session(&SecretHash::of(b"cookie"))).is_some());
    let stranger = given(server, &["password", "--email", "eve@example.org", "--password-stdin"], b"lampshade orchard");
    assert!(stranger.code == Some(1) && stranger.told.contains("--email: there is no account"), "{}", stranger.told);

    let done = given(server, &password, b"lampshade orchard\n");

    assert_eq!(done.code, Some(0), "{}", done.told);
    let hash = read(server, |reader| reader.account(bert.id)).unwrap().password.unwrap();
    assert!(verify_password("lampshade orchard", Some(&hash)) && !verify_password("wicker tarpaulin", Some(&hash)));
    assert!(read(server, |reader| reader.session(&SecretHash::of(b"cookie"))).is_none());
    assert!(read(server, |reader| reader.authenticator(bert.id)).is_some());
    let without_app = given(server, &[&password[..], &["--remove-app"]].concat(), b"lampshade orchard");
    assert_eq!(without_app.code, Some(0), "{}", without_app.told);
    assert_eq!(read(server, |reader| reader.authenticator(bert.id)), None);
    let happened = read(server, |reader| reader.happenings(bert.id, false, 9));
    let what: Vec<_> = happened.into_iter().map(|it| it.what).collect();
    let operators = Happening::PasswordSetByOperator;
    assert_eq!(what, [Happening::AuthenticatorOff, operators, operators]);
}
