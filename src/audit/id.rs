//! The id of an event: its place in the trail.

use std::fmt;

/// Where an event stands, which never changes: `a-CHAIN-BLOCK-PLACE` as the id of an AuditEvent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    pub chain: i64,
    /// The block.
    pub seq: i64,
    /// Among the events of the block, from 0.
    pub place: i64,
}

impl EventId {
    /// Reads the id of an AuditEvent; `None` when no event has such a one.
    pub fn parse(text: &str) -> Option<EventId> {
        let mut parts = text.strip_prefix("a-")?.split('-').map(|part| part.parse::<u32>().ok().map(i64::from));
        let id = EventId { chain: parts.next()??, seq: parts.next()??, place: parts.next()?? };
        // One text for each place: "a-01-2-3" is nobody's.
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a-{}-{}-{}", self.chain, self.seq, self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_one_text() {
        let id = EventId { chain: 64, seq: 4_000_000_000, place: 0 };

        assert_eq!(EventId::parse(&id.to_string()), Some(id));
        for wrong in ["", "a", "a-1-2", "a-1-2-3-4", "a-01-2-3", "a--1-2-3", "b-1-2-3", "a-1-2-x", "a-1-2-9999999999"] {
            assert_eq!(EventId::parse(wrong), None, "{wrong}");
        }
    }
}
