//! What a patch may cost: size and depth of the resource, and the work done in total.
//!
//! A patch of a few hundred bytes can double a value with each `copy`, nest it ever deeper, or shift a long list a
//! thousand times. So the size is kept as a running number, and everything is measured before it is done.

use serde_json::Value;

use super::Fault;
use crate::fhir::json::MAX_DEPTH;

/// Size and depth of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    /// Length of the compact text, in bytes.
    pub bytes: usize,
    /// 0 for a string, number or literal, otherwise how many containers nest.
    pub depth: usize,
    /// How many JSON values there are, this one and those inside.
    pub values: usize,
}

/// Measures `value`; fails when it nests deeper than a resource may.
pub(super) fn measure(value: &Value) -> Result<Measure, Fault> {
    measure_below(value, MAX_DEPTH)
}

fn measure_below(value: &Value, levels: usize) -> Result<Measure, Fault> {
    let levels_inside = || levels.checked_sub(1).ok_or_else(too_deep);
    match value {
        Value::Null => Ok(Measure { bytes: 4, depth: 0, values: 1 }),
        Value::Bool(truth) => Ok(Measure { bytes: if *truth { 4 } else { 5 }, depth: 0, values: 1 }),
        Value::Number(number) => Ok(Measure { bytes: number.as_str().len(), depth: 0, values: 1 }),
        Value::String(text) => Ok(Measure { bytes: text_bytes(text), depth: 0, values: 1 }),
        Value::Array(items) => {
            let levels = levels_inside()?;
            let mut whole = Measure { bytes: 2 + items.len().saturating_sub(1), depth: 1, values: 1 };
            for item in items {
                let item = measure_below(item, levels)?;
                whole.bytes += item.bytes;
                whole.depth = whole.depth.max(item.depth + 1);
                whole.values += item.values;
            }
            Ok(whole)
        }
        Value::Object(members) => {
            let levels = levels_inside()?;
            let mut whole = Measure { bytes: 2 + members.len().saturating_sub(1), depth: 1, values: 1 };
            for (name, member) in members {
                let member = measure_below(member, levels)?;
                whole.bytes += text_bytes(name) + 1 + member.bytes;
                whole.depth = whole.depth.max(member.depth + 1);
                whole.values += member.values;
            }
            Ok(whole)
        }
    }
}

/// Length of `text` as a JSON string, quotes included.
pub(super) fn text_bytes(text: &str) -> usize {
    let escapes: usize = text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 1,
            0x00..=0x1f => 5,
            _ => 0,
        })
        .sum();
    text.len() + escapes + 2
}

fn too_deep() -> Fault {
    Fault::Refused(format!("a resource nests at most {MAX_DEPTH} levels deep"))
}

/// Fails when a value of `depth`, put `place` levels below the root, would nest too deep.
pub(super) fn check_depth(place: usize, depth: usize) -> Result<(), Fault> {
    if place + depth > MAX_DEPTH { Err(too_deep()) } else { Ok(()) }
}

/// The size of the document under way, and what the patch may still spend.
#[derive(Debug)]
pub(super) struct Budget {
    /// Length of the document's compact text as it stands.
    pub bytes: usize,
    max_bytes: usize,
    work: usize,
    /// JSON values that may still be copied.
    copies: usize,
}

impl Budget {
    /// Passes over a resource of full size that a patch may cause, all operations taken together.
    const PASSES: usize = 16;
    /// Work that is always allowed, however small resources are.
    const FLOOR: usize = 1 << 20;
    /// JSON values that one patch may copy. In memory a small value takes a hundred times its text, and the body that
    /// asks for the copies takes next to nothing, so the bytes alone would let a patch of 2 kB take 300 MB.
    const COPIES: usize = 50_000;

    pub fn new(bytes: usize, max_bytes: usize) -> Budget {
        let work = max_bytes.saturating_mul(Budget::PASSES).saturating_add(Budget::FLOOR);
        Budget { bytes, max_bytes, work, copies: Budget::COPIES }
    }

    /// Pays for touching `units` bytes or list items.
    pub fn spend(&mut self, units: usize) -> Result<(), Fault> {
        self.work = self.work.checked_sub(units).ok_or(Fault::TooCostly)?;
        Ok(())
    }

    /// Pays for a copy of what was measured.
    pub fn spend_on_copy(&mut self, measured: Measure) -> Result<(), Fault> {
        self.copies = self.copies.checked_sub(measured.values).ok_or(Fault::TooCostly)?;
        self.spend(measured.bytes)
    }

    /// Notes that the document loses `lost` bytes and gains `gained`, and fails when it becomes too large by that.
    pub fn exchange(&mut self, lost: usize, gained: usize) -> Result<(), Fault> {
        let after = (self.bytes + gained).saturating_sub(lost);
        if after > self.max_bytes && after > self.bytes {
            return Err(Fault::TooLarge);
        }
        self.bytes = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn measured_bytes_are_those_of_the_compact_text() {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!([[], {}, [1, 2.50, -3e4]]),
            json!({"a": "quote \" backslash \\ newline \n bell \u{7} umlaut ä", "b\t": [true, false, null]}),
        ] {
            let text = serde_json::to_string(&value).unwrap();

            assert_eq!(measure(&value).unwrap().bytes, text.len(), "{text}");
        }
    }

    #[test]
    fn depth_counts_containers() {
        assert_eq!(measure(&json!(1)).unwrap().depth, 0);
        assert_eq!(measure(&json!({})).unwrap().depth, 1);
        assert_eq!(measure(&json!({"a": [1, {"b": 2}]})).unwrap().depth, 3);
    }

    #[test]
    fn values_are_counted_with_those_inside() {
        assert_eq!(measure(&json!("a")).unwrap().values, 1);
        assert_eq!(measure(&json!({"a": [1, {"b": 2}], "c": {}})).unwrap().values, 6);
    }

    #[test]
    fn a_value_deeper_than_a_resource_may_be_is_refused() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));

        assert!(measure(&nested(MAX_DEPTH)).is_ok());
        assert!(measure(&nested(MAX_DEPTH + 1)).is_err());
    }

    #[test]
    fn a_document_that_is_too_large_already_may_still_shrink() {
        let mut budget = Budget::new(100, 50);

        assert!(budget.exchange(10, 0).is_ok());
        assert!(budget.exchange(5, 5).is_ok());
        assert!(matches!(budget.exchange(0, 1), Err(Fault::TooLarge)));
    }
}
