//! The seal of what clients carry back and forth, such as the place where a page begins.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::store::StoreError;

const KEY_BYTES: usize = 32;
/// Half of the digest: nobody guesses 128 bits, and addresses stay short.
const SEAL_BYTES: usize = 16;

/// Makes and checks seals by a random key that is kept in the database.
#[derive(Clone, Copy)]
pub struct Seal {
    key: [u8; KEY_BYTES],
}

impl Seal {
    pub(super) fn new(key: &[u8]) -> Result<Seal, StoreError> {
        let key = key.try_into().map_err(|_| StoreError::Damaged("the key of the seal".to_owned()))?;
        Ok(Seal { key })
    }

    /// A key for a new database: 244 random bits.
    pub(super) fn new_key() -> Vec<u8> {
        [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat()
    }

    /// `content` with its seal behind it, which holds for `purpose` only.
    pub fn close(&self, purpose: &[u8], content: &[u8]) -> Vec<u8> {
        let digest = self.mac(purpose, content).finalize().into_bytes();
        [content, &digest[..SEAL_BYTES]].concat()
    }

    /// The content of what `close` made for the same purpose; `None` for anything else.
    pub fn open<'b>(&self, purpose: &[u8], sealed: &'b [u8]) -> Option<&'b [u8]> {
        let (content, seal) = sealed.split_at_checked(sealed.len().checked_sub(SEAL_BYTES)?)?;
        // Takes the same time wherever the difference is.
        self.mac(purpose, content).verify_truncated_left(seal).ok()?;
        Some(content)
    }

    fn mac(&self, purpose: &[u8], content: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length will do");
        // The length keeps the two apart.
        mac.update(&(purpose.len() as u64).to_le_bytes());
        mac.update(purpose);
        mac.update(content);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_its_content_and_purpose_alone() {
        let seal = Seal::new(&[7; KEY_BYTES]).unwrap();
        let sealed = seal.close(b"Patient?", b"17");

        assert_eq!(seal.open(b"Patient?", &sealed), Some(&b"17"[..]));
        assert_eq!(seal.open(b"Patient", &sealed), None);
        assert_eq!(Seal::new(&[8; KEY_BYTES]).unwrap().open(b"Patient?", &sealed), None);
        for place in 0..sealed.len() {
            let mut other = sealed.clone();
            other[place] ^= 1;
            assert_eq!(seal.open(b"Patient?", &other), None, "{place}");
            assert_eq!(seal.open(b"Patient?", &sealed[..place]), None, "{place}");
        }
    }
}
