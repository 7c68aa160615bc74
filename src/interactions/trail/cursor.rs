//! Where a page of the trail begins, sealed as the cursors of other searches.
//!
//! Spec: R4 http.html#paging

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::interactions::search::foreign;
use crate::interactions::trail::walk::Place;
use crate::search::{SearchError, SearchRequest};
use crate::store::Seal;

/// A place in the events of one search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The page begins behind it.
    pub place: Place,
    /// The last block of each chain when the first page was read: what was told later is not shown.
    pub ends: BTreeMap<i64, i64>,
}

impl Cursor {
    /// As text for a link.
    pub fn to_text(&self, purpose: &[u8], seal: &Seal) -> String {
        let Place { at_us, chain, seq, place } = self.place;
        let ends = self.ends.iter().filter(|(_, seq)| **seq > 0).flat_map(|(chain, seq)| [*chain, *seq]);
        let mut content = Vec::new();
        for number in [at_us, chain, seq, place].into_iter().chain(ends) {
            write(number, &mut content);
        }
        URL_SAFE_NO_PAD.encode(seal.close(purpose, &content))
    }

    /// Reads what `to_text` wrote for the same search.
    pub fn parse(text: &str, purpose: &[u8], seal: &Seal) -> Result<Cursor, SearchError> {
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| foreign())?;
        let opened = seal.open(purpose, &sealed).ok_or_else(foreign)?;
        let mut content = opened.as_slice();
        let mut numbers = Vec::new();
        while !content.is_empty() {
            numbers.push(read(&mut content).ok_or_else(foreign)?);
        }
        let ([at_us, chain, seq, place], ends) = numbers.split_first_chunk().ok_or_else(foreign)?;
        let place = Place { at_us: *at_us, chain: *chain, seq: *seq, place: *place };
        let ends = ends.chunks(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?))).collect();
        Ok(Cursor { place, ends })
    }
}

/// What a cursor is good for: this search, by this caller.
pub(super) fn purpose(request: &SearchRequest, stamp: u64) -> Vec<u8> {
    format!("trail {}{:?}{stamp}", request.path(), request.used).into_bytes()
}

/// Writes a number in as few bytes as it needs, for there is one for each chain.
fn write(number: i64, out: &mut Vec<u8>) {
    // The sign goes to the end.
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn read(content: &mut &[u8]) -> Option<i64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = content.split_first()?;
        *content = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back() {
        let numbers = [0, 1, -1, 63, 64, -64, -65, 1_795_882_674_259_000, i64::MAX, i64::MIN];
        let mut content = Vec::new();
        numbers.iter().for_each(|number| write(*number, &mut content));

        let mut rest = content.as_slice();
        for number in numbers {
            assert_eq!(read(&mut rest), Some(number));
        }
        assert_eq!(read(&mut rest), None);
    }
}
