//! The end of a token before its time.
//!
//! Spec: RFC 7009

use crate::auth::AuthError;
use crate::store::{Client, SecretHash, Store};

/// Ends a token, with all that came from the same authorization if it has one. A token that is unknown, or another client's,
/// is left alone, and the answer is the same.
pub fn revoke(store: &Store, client: &Client, token: SecretHash) -> Result<(), AuthError> {
    // Looked up before a write begins: whoever holds no token, and a public client shows nothing, keeps nobody from writing.
    let known = store.read_one(|reader| reader.access_token(&token).map_err(AuthError::from))?;
    let Some(known) = known.filter(|known| known.client.as_ref() == Some(&client.id)) else { return Ok(()) };
    store.write(move |tx| {
        match &known.family {
            Some(family) => drop(tx.revoke_family(family)?),
            None => drop(tx.revoke_token(&token)?),
        }
        Ok(())
    })
}
