//! The seal of what clients carry back and forth, such as the place where a page begins. They can neither change nor read it: the
//! numbers in it would tell how much others write.
//!
//! Spec: RFC 8452 (AES-GCM-SIV); RFC 2104 (HMAC)

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;

use crate::store::StoreError;

const KEY_BYTES: usize = 32;

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

    /// `content`, unreadable, with its seal of 16 bytes behind it, which holds for `purpose` only. The same comes out each time.
    pub fn close(&self, purpose: &[u8], content: &[u8]) -> Vec<u8> {
        let mut sealed = content.to_vec();
        self.cipher()
            .seal_in_place_append_tag(nonce(), Aad::from(purpose), &mut sealed)
            .expect("a place in a search is shorter than what a key may seal");
        sealed
    }

    /// The content of what `close` made for the same purpose; `None` for anything else.
    pub fn open(&self, purpose: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut opened = sealed.to_vec();
        let length = self.cipher().open_in_place(nonce(), Aad::from(purpose), &mut opened).ok()?.len();
        opened.truncate(length);
        Some(opened)
    }

    /// What only this database makes of `content`, for `purpose` alone: 256 bits that nobody can guess who has not the key.
    pub fn derive(&self, purpose: &str, content: &[u8]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        let own = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, purpose.as_bytes()).as_ref());
        hmac::sign(&own, content).as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    fn cipher(&self) -> LessSafeKey {
        LessSafeKey::new(
            UnboundKey::new(&AES_256_GCM_SIV, &self.key).expect("the key has as many bytes as AES-256 wants"),
        )
    }
}

/// Always the same: links to the same page are to be alike, and this cipher gives away no more by it.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_its_content_and_purpose_alone() {
        let seal = Seal::new(&[7; KEY_BYTES]).unwrap();
        let sealed = seal.close(b"Patient?", b"17");

        assert_eq!(seal.open(b"Patient?", &sealed), Some(b"17".to_vec()));
        assert_eq!(seal.open(b"Patient", &sealed), None);
        assert_eq!(Seal::new(&[8; KEY_BYTES]).unwrap().open(b"Patient?", &sealed), None);
        for place in 0..sealed.len() {
            let mut other = sealed.clone();
            other[place] ^= 1;
            assert_eq!(seal.open(b"Patient?", &other), None, "{place}");
            assert_eq!(seal.open(b"Patient?", &sealed[..place]), None, "{place}");
        }
    }

    #[test]
    fn what_is_sealed_can_not_be_read() {
        let seal = Seal::new(&[7; KEY_BYTES]).unwrap();
        let long: Vec<u8> = (0..100).collect();

        for content in [&b""[..], b"17", &long[..32], &long[..33], &long] {
            let sealed = seal.close(b"Patient?", content);
            assert_eq!(sealed.len(), content.len() + AES_256_GCM_SIV.tag_len());
            assert_eq!(seal.open(b"Patient?", &sealed).as_deref(), Some(content));
            let unlike = sealed.iter().zip(content).filter(|(sealed, plain)| sealed != plain).count();
            assert!(unlike * 10 >= content.len() * 9, "{unlike} of {}", content.len());
        }
        // Neighbours have nothing in common that tells how far apart they are.
        let near = |number: i64| seal.close(b"Patient?", &number.to_le_bytes());
        let alike = near(1000).iter().zip(near(1001)).filter(|(left, right)| **left == *right).count();
        assert!(alike < 8, "{alike}");
    }
}
