//! How tails are packed on disk.

use std::borrow::Cow;
use std::cell::RefCell;

use crate::store::StoreError;

const PLAIN: i16 = 0;
const ZSTD: i16 = 1;

/// Below this many bytes packing costs more than it saves.
const SMALLEST_PACKED: usize = 200;

/// No stored tail unpacks to more than this; a larger one means damage.
const LARGEST_TAIL: usize = 64 << 20;

/// A tail as it goes to disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    pub(super) codec: i16,
    pub(super) bytes: Vec<u8>,
}

thread_local! {
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

impl Packed {
    /// Packs `tail`; done before a write transaction opens, for it needs no lock.
    pub fn new(tail: Vec<u8>) -> Packed {
        if tail.len() >= SMALLEST_PACKED
            && let Some(bytes) = compress(&tail)
            && bytes.len() < tail.len()
        {
            return Packed { codec: ZSTD, bytes };
        }
        Packed { codec: PLAIN, bytes: tail }
    }

    /// The tail again.
    pub(super) fn unpack(codec: i16, bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        match codec {
            PLAIN => Ok(bytes),
            ZSTD => decompress(&bytes),
            other => Err(StoreError::Damaged(format!("tail packed with unknown codec {other}"))),
        }
    }

    /// The bytes that were packed.
    pub fn tail(&self) -> Result<Cow<'_, [u8]>, StoreError> {
        match self.codec {
            PLAIN => Ok(Cow::Borrowed(&self.bytes)),
            _ => decompress(&self.bytes).map(Cow::Owned),
        }
    }
}

fn compress(tail: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = zstd::bulk::Compressor::new(1).ok();
        }
        slot.as_mut()?.compress(tail).ok()
    })
}

fn decompress(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let damaged = |error: std::io::Error| StoreError::Damaged(format!("a tail does not unpack: {error}"));
    DECOMPRESSOR.with_borrow_mut(|slot| {
        let decompressor = match slot {
            Some(decompressor) => decompressor,
            None => slot.insert(zstd::bulk::Decompressor::new().map_err(damaged)?),
        };
        let stated = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
        let size = stated.and_then(|size| usize::try_from(size).ok()).unwrap_or(LARGEST_TAIL).min(LARGEST_TAIL);
        decompressor.decompress(bytes, size).map_err(damaged)
    })
}

#[cfg(test)]
mod tests {
    use super::Packed;

    #[test]
    fn what_was_packed_unpacks_to_the_same_bytes() {
        for size in [0, 1, 199, 200, 5000, 300_000] {
            let tail: Vec<u8> = (0..size).map(|index| b"abcdefgh"[(index / 7) % 8]).collect();

            let packed = Packed::new(tail.clone());

            assert_eq!(Packed::unpack(packed.codec, packed.bytes.clone()).expect("unpacks"), tail);
            assert!(packed.bytes.len() <= size);
        }
    }
}
