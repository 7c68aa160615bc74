//! Apps: how they register themselves, how devices are let in, and what people see and take back of it.

mod brands;
mod browser;
mod developer;
mod device;
mod held;
mod registration;

use emberwell::config::Settings;
use emberwell::fhir::Id;
use emberwell::records::Password;
use emberwell::store::{GrantLevel, Grantee, Labels, NewAccount, NewGrant, Role};
use http::Method;
use serde_json::Value;

use crate::support::holders::change;
use crate::support::{Answer, TestServer, patient_called};

const PASSWORD: &str = "correct horse battery";

/// A server on the database of `server` that needs tokens.
async fn closed(server: &TestServer, more: impl FnOnce(&mut Settings)) -> TestServer {
    server
        .beside(|settings: &mut Settings| {
            settings.server.open = false;
            more(settings);
        })
        .await
}

/// Somebody who can sign in, with the number of the account.
fn person(server: &TestServer, name: &str, role: Role) -> i64 {
    let password = Password::chosen(PASSWORD, &[]).unwrap().hash().unwrap();
    let new = NewAccount {
        email: format!("{name}@example.org"),
        name: name.to_owned(),
        role,
        password: Some(password),
        fhir_user: None,
    };
    change(server, move |tx| tx.add_account(&new)).id
}

/// Somebody who can sign in and is the custodian of a record, with the id of its Patient.
async fn custodian(server: &TestServer, name: &str) -> (i64, String) {
    let record = server.create(&patient_called(name)).await;
    let account = person(server, name, Role::Person);
    let patient = Id::parse(&record).unwrap();
    change(server, move |tx| {
        tx.add_grant(&NewGrant {
            patient: Some(patient.clone()),
            to: Grantee::Account(account),
            level: GrantLevel::Custodian,
            scopes: "patient/*.cruds".to_owned(),
            labels: Labels::VeryRestricted,
            sees_history: true,
            until_us: None,
            reason: None,
            origin: "test".to_owned(),
            granted_by: None,
        })
    });
    (account, record)
}

/// Sends JSON, or nothing, with a Bearer token if there is one.
async fn send(server: &TestServer, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
    let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", server.url) };
    let mut request = server.request(method, &url);
    if let Some(token) = token {
        request = request.header("Authorization", &format!("Bearer {token}"));
    }
    match body {
        Some(body) => request.body("application/json", body.to_string()).send().await,
        None => request.send().await,
    }
}
