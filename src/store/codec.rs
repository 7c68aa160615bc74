//! How tails are packed on disk.
//!
//! Most tails are some hundred bytes long, and what repeats in them repeats from one resource to the next rather than
//! within one. zstd alone packs them to half; with a dictionary of what the tails of a type have in common, to a sixth.

use std::cell::RefCell;

use zstd::zstd_safe::{self, CCtx, CDict, DCtx, DDict};

use crate::store::StoreError;

const PLAIN: i16 = 0;
const ZSTD: i16 = 1;
/// Numbers from here on are those of dictionaries.
pub(super) const FIRST_DICTIONARY: i16 = 2;

/// Below this many bytes packing costs more than it saves.
const SMALLEST_PACKED: usize = 200;
/// The same with a dictionary, which helps already with a few repeated words.
const SMALLEST_PACKED_BY_DICTIONARY: usize = 64;

/// The quickest level: the others were measured to save little more.
const LEVEL: i32 = 1;

/// No stored tail unpacks to more than this; a larger one means damage.
const LARGEST_TAIL: usize = 64 << 20;

/// A tail as it goes to disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    pub(super) codec: i16,
    pub(super) bytes: Vec<u8>,
}

/// What the tails of a resource type have in common.
pub(super) struct Dictionary {
    /// What stands in `codec` of the tails that are packed by it.
    pub(super) number: i16,
    packing: CDict<'static>,
    unpacking: DDict<'static>,
}

impl Dictionary {
    pub(super) fn new(number: i16, bytes: &[u8]) -> Dictionary {
        Dictionary { number, packing: CDict::create(bytes, LEVEL), unpacking: DDict::create(bytes) }
    }
}

thread_local! {
    static PACKER: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static UNPACKER: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

impl Packed {
    /// Packs `tail`; done before a write transaction opens, for it needs no lock.
    pub(super) fn new(tail: &[u8], dictionary: Option<&Dictionary>) -> Packed {
        let smallest = if dictionary.is_some() { SMALLEST_PACKED_BY_DICTIONARY } else { SMALLEST_PACKED };
        if tail.len() >= smallest {
            let mut bytes = Vec::with_capacity(zstd_safe::compress_bound(tail.len()));
            let packed = PACKER.with_borrow_mut(|packer| match dictionary {
                Some(dictionary) => packer.compress_using_cdict(&mut bytes, tail, &dictionary.packing),
                None => packer.compress(&mut bytes, tail, LEVEL),
            });
            if packed.is_ok() && bytes.len() < tail.len() {
                bytes.shrink_to_fit();
                return Packed { codec: dictionary.map_or(ZSTD, |dictionary| dictionary.number), bytes };
            }
        }
        Packed { codec: PLAIN, bytes: tail.to_vec() }
    }
}

/// The tail again; `dictionary` is the one that `codec` numbers.
pub(super) fn unpack(codec: i16, bytes: Vec<u8>, dictionary: Option<&Dictionary>) -> Result<Vec<u8>, StoreError> {
    if codec == PLAIN {
        return Ok(bytes);
    }
    let stated = zstd_safe::get_frame_content_size(&bytes).ok().flatten();
    let size = stated.and_then(|size| usize::try_from(size).ok()).unwrap_or(LARGEST_TAIL).min(LARGEST_TAIL);
    let mut tail = Vec::with_capacity(size);
    let unpacked = UNPACKER.with_borrow_mut(|unpacker| match (codec, dictionary) {
        (ZSTD, _) => Ok(unpacker.decompress(&mut tail, &bytes)),
        (number, Some(dictionary)) if dictionary.number == number => {
            Ok(unpacker.decompress_using_ddict(&mut tail, &bytes, &dictionary.unpacking))
        }
        (number, _) => Err(StoreError::Damaged(format!("a tail is packed by dictionary {number}, which is not there"))),
    })?;
    match unpacked {
        Ok(_) => Ok(tail),
        Err(code) => {
            let reason = zstd_safe::get_error_name(code);
            Err(StoreError::Damaged(format!("a tail does not unpack: {reason}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(size: usize) -> Vec<u8> {
        (0..size).map(|index| b"abcdefgh"[(index / 7) % 8]).collect()
    }

    #[test]
    fn what_was_packed_unpacks_to_the_same_bytes() {
        let dictionary = Dictionary::new(5, &tail(3000));
        for size in [0, 1, 63, 64, 199, 200, 5000, 300_000] {
            for dictionary in [None, Some(&dictionary)] {
                let packed = Packed::new(&tail(size), dictionary);

                assert!(packed.bytes.len() <= size);
                assert_eq!(unpack(packed.codec, packed.bytes, dictionary).unwrap(), tail(size));
            }
        }
    }

    #[test]
    fn a_tail_does_not_unpack_by_another_dictionary() {
        let packed = Packed::new(&tail(1000), Some(&Dictionary::new(5, &tail(3000))));
        let other = Dictionary::new(6, &tail(2000));

        for dictionary in [None, Some(&other)] {
            let unpacked = unpack(packed.codec, packed.bytes.clone(), dictionary);

            assert!(matches!(unpacked, Err(StoreError::Damaged(_))));
        }
    }

    #[test]
    fn damaged_bytes_are_noticed() {
        let packed = Packed::new(&tail(1000), None);
        let cut = packed.bytes[..packed.bytes.len() - 3].to_vec();

        assert!(matches!(unpack(packed.codec, cut, None), Err(StoreError::Damaged(_))));
    }
}
