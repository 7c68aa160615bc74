//! The seal of what clients carry back and forth, such as the place where a page begins. They can neither change nor read it: the
//! numbers in it would tell how much others write.

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
    /// Derived from the other, for making contents unreadable.
    hiding_key: [u8; KEY_BYTES],
}

impl Seal {
    pub(super) fn new(key: &[u8]) -> Result<Seal, StoreError> {
        let key: [u8; KEY_BYTES] = key.try_into().map_err(|_| StoreError::Damaged("the key of the seal".to_owned()))?;
        // No seal is of so few bytes.
        let hiding_key = keyed(&key, &[b"hiding"]).finalize().into_bytes().into();
        Ok(Seal { key, hiding_key })
    }

    /// A key for a new database: 244 random bits.
    pub(super) fn new_key() -> Vec<u8> {
        [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat()
    }

    /// `content`, unreadable, with its seal behind it, which holds for `purpose` only. The same comes out each time.
    pub fn close(&self, purpose: &[u8], content: &[u8]) -> Vec<u8> {
        let digest = self.mac(purpose, content).finalize().into_bytes();
        let seal = &digest[..SEAL_BYTES];
        let mut sealed = content.to_vec();
        self.hide(&mut sealed, seal);
        sealed.extend_from_slice(seal);
        sealed
    }

    /// The content of what `close` made for the same purpose; `None` for anything else.
    pub fn open(&self, purpose: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (hidden, seal) = sealed.split_at_checked(sealed.len().checked_sub(SEAL_BYTES)?)?;
        let mut content = hidden.to_vec();
        self.hide(&mut content, seal);
        // Takes the same time wherever the difference is.
        self.mac(purpose, &content).verify_truncated_left(seal).ok()?;
        Some(content)
    }

    /// Makes bytes unreadable, or readable again: a stream of the keyed hash in counter mode, which begins with the seal of the
    /// content, so that no two contents have the same.
    ///
    /// Spec: RFC 5297 (SIV), with HMAC-SHA256 in place of AES
    fn hide(&self, bytes: &mut [u8], seal: &[u8]) {
        for (number, block) in (0u64..).zip(bytes.chunks_mut(KEY_BYTES)) {
            let stream = keyed(&self.hiding_key, &[seal, &number.to_le_bytes()]).finalize().into_bytes();
            block.iter_mut().zip(stream).for_each(|(byte, hiding)| *byte ^= hiding);
        }
    }

    fn mac(&self, purpose: &[u8], content: &[u8]) -> Hmac<Sha256> {
        // The length keeps the two apart.
        keyed(&self.key, &[&(purpose.len() as u64).to_le_bytes(), purpose, content])
    }
}

fn keyed(key: &[u8; KEY_BYTES], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    parts.iter().for_each(|part| mac.update(part));
    mac
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
            assert_eq!(sealed.len(), content.len() + SEAL_BYTES);
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
