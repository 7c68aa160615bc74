//! The keyed hash under which codes, systems and reference targets stand in the index.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use crate::fhir::ResourceKey;

/// Hashes text to the 64-bit numbers of the index.
///
/// The key is random and kept in the database, so that nobody can prepare two values that collide.
#[derive(Clone, Copy, Debug)]
pub struct Hasher {
    key: [u8; 16],
}

impl Hasher {
    /// The hasher of a database whose key is `key`.
    pub fn new(key: [u8; 16]) -> Hasher {
        Hasher { key }
    }

    /// The number for a code, a system, an exact string or an absolute URL; never 0, which means absent.
    pub fn text(&self, text: &str) -> i64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(text.as_bytes());
        match hasher.finish() as i64 {
            0 => 1,
            number => number,
        }
    }

    /// The number of a resource on this server as a reference target, and its key in the `resource` table.
    pub fn key(&self, key: &ResourceKey) -> i64 {
        self.text(&key.to_string())
    }
}
