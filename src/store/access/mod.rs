//! Who may do what: accounts, grants, clients, tokens.
//!
//! These tables hold facts and enforce no rule; `records` does. Every change to what anybody may do counts the generation on
//! in its own transaction, by which caches find out.

mod accounts;
mod apps;
mod clients;
mod codes;
mod credentials;
mod device_codes;
mod grants;
mod happenings;
mod identities;
mod secret_hash;
mod sessions;
mod signing_keys;
#[cfg(test)]
mod tests;
mod tokens;

use diesel::RunQueryDsl;
use diesel::sql_types::BigInt;

use crate::store::reader::{Reader, on};
use crate::store::statement::fixed;
use crate::store::{StoreError, Tx};

pub use accounts::{Account, NewAccount, PasswordHash, Role};
pub use apps::{Logo, Part};
pub use clients::{Client, ClientFacts, ClientKind, ClientOrigin, ClientState};
pub use codes::{AuthorizationCode, Launch};
pub use credentials::{NewPasskey, StoredAuthenticator, StoredPasskey};
pub use device_codes::DeviceCode;
pub use grants::{Grant, GrantLevel, Grantee, Labels, NewGrant};
pub use happenings::{Happened, Happening, NewHappening};
pub use identities::{Identity, NewIdentity};
pub use secret_hash::SecretHash;
pub use sessions::Session;
pub use signing_keys::SigningKey;
pub use tokens::{AccessToken, TokenContext, TokenKind};

impl Reader<'_> {
    /// Counts the changes to what anybody may do: what was concluded from an account, a grant, a client or a token holds as
    /// long as this stays the same.
    pub fn access_generation(&mut self) -> Result<i64, StoreError> {
        let select = fixed!(BigInt, "SELECT generation FROM access_state", &[]);
        Ok(on!(self.link, connection => select.get_result(*connection))?)
    }
}

impl Tx<'_> {
    /// Waits until no other transaction changes accounts, grants or clients, and keeps others from it until the end. Take it
    /// before looking at what a rule depends on.
    pub fn lock_access(&mut self) -> Result<(), StoreError> {
        self.lock_text("access")
    }

    /// Counts the generation on, so that nothing that was concluded before is relied on any more.
    pub fn bump(&mut self) -> Result<(), StoreError> {
        self.has_written = true;
        self.has_changed_access = true;
        let update = fixed!((), "UPDATE access_state SET generation = generation + 1", &[]);
        on!(self.reader.link, connection => update.execute(*connection))?;
        Ok(())
    }

    /// Counts the generation on if a statement changed any row, and tells whether it did.
    fn bump_if(&mut self, changed: usize) -> Result<bool, StoreError> {
        if changed > 0 {
            self.bump()?;
        }
        Ok(changed > 0)
    }
}

/// The id of a Patient or Encounter as the database holds it.
fn id_from(text: Option<String>) -> Result<Option<crate::fhir::Id>, StoreError> {
    let damaged = |_| StoreError::Damaged("an id in the tables of access".to_owned());
    text.map(|text| crate::fhir::Id::parse(&text).map_err(damaged)).transpose()
}
