//! The server's own keys, by which it signs.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, Text};

use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// The seal of a key holds for this alone.
const PURPOSE: &[u8] = b"signing key";

/// A key pair.
#[derive(Clone)]
pub struct SigningKey {
    pub kid: String,
    /// The private key, PKCS #8 in DER.
    pub pkcs8: Vec<u8>,
    pub created_us: i64,
}

impl Reader<'_> {
    /// All keys, the newest first.
    pub fn signing_keys(&mut self) -> Result<Vec<SigningKey>, StoreError> {
        let select = fixed!(
            (Text, Binary, BigInt),
            "SELECT kid, private_key, created_us FROM signing_key ORDER BY created_us DESC, kid",
            &[],
        );
        let found: Vec<(String, Vec<u8>, i64)> = on!(self.link, connection => select.load(*connection))?;
        let seal = self.seal();
        let key = |(kid, sealed, created_us): (String, Vec<u8>, i64)| {
            let damaged = || StoreError::Damaged(format!("the signing key {kid}"));
            let pkcs8 = seal.open(PURPOSE, &sealed).ok_or_else(damaged)?;
            Ok(SigningKey { kid, pkcs8, created_us })
        };
        found.into_iter().map(key).collect()
    }
}

impl Tx<'_> {
    /// Keeps a new key.
    pub fn add_signing_key(&mut self, new: &SigningKey) -> Result<(), StoreError> {
        self.has_written = true;
        let sealed = self.reader.seal().close(PURPOSE, &new.pkcs8);
        let values = [Value::Text(&new.kid), Value::Bytes(Some(&sealed)), Value::Integer(new.created_us)];
        let insert = fixed!((), "INSERT INTO signing_key (kid, private_key, created_us) VALUES (?, ?, ?)", &values);
        on!(self.reader.link, connection => insert.execute(*connection))?;
        Ok(())
    }

    /// Forgets the keys that were made before.
    pub fn forget_signing_keys(&mut self, before_us: i64) -> Result<(), StoreError> {
        self.has_written = true;
        let values = [Value::Integer(before_us)];
        let delete = fixed!((), "DELETE FROM signing_key WHERE created_us < ?", &values);
        on!(self.reader.link, connection => delete.execute(*connection))?;
        Ok(())
    }
}
