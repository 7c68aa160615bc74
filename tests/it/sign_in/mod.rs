//! Signing in, and looking after one's account, by the forms that people fill in.

mod account;
mod passkeys;
mod passwords;
mod problems;
mod second_factor;
mod set_up;
mod software_key;

use emberwell::records::Password;
use emberwell::store::{Account, NewAccount, PasswordHash, Role, SecretHash, Session, Store, StoreError};

use crate::support::TestServer;
use crate::support::browser::Browser;
use crate::support::holders::change;

/// The password of everybody here.
pub const PASSWORD: &str = "wicker tarpaulin";

/// What is kept of `text`.
pub fn hash(text: &str) -> PasswordHash {
    Password::chosen(text, &[]).unwrap().hash().unwrap()
}

/// An account at `NAME@example.org` that has [`PASSWORD`].
pub fn person(server: &TestServer, name: &'static str) -> Account {
    let password = Some(hash(PASSWORD));
    change(server, move |tx| {
        tx.add_account(&NewAccount {
            email: format!("{name}@example.org"),
            name: name.to_owned(),
            role: Role::Person,
            password: password.clone(),
            fhir_user: None,
        })
    })
}

/// What the database of `server` says.
pub fn read<T>(
    server: &TestServer,
    work: impl FnOnce(&mut emberwell::store::Reader<'_>) -> Result<T, StoreError>,
) -> T {
    Store::open(server.database(), 1, None).unwrap().read(work).unwrap()
}

/// The sessions of an account that are kept.
pub fn sessions(server: &TestServer, account: i64) -> Vec<Session> {
    read(server, |reader| reader.sessions_of(account))
}

/// The session of a browser.
pub fn session(server: &TestServer, browser: &Browser<'_>) -> Option<Session> {
    let cookie = browser.cookie("emberwell")?;
    read(server, |reader| reader.session(&SecretHash::of(cookie.as_bytes())))
}
