//! What may be done with a resource: the letters of a SMART scope.
//!
//! Spec: SMART App Launch 2.2, scopes for requesting clinical data

use std::fmt::{self, Write};

/// One of the letters `cruds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    Create = 1,
    /// Read, vread, and the history of an instance.
    Read = 2,
    Update = 4,
    Delete = 8,
    /// Search, and the history of a type.
    Search = 16,
}

impl Right {
    /// All there are, in the order of `cruds`.
    pub const ALL: [Right; 5] = [Right::Create, Right::Read, Right::Update, Right::Delete, Right::Search];

    /// As a scope writes it.
    pub fn letter(self) -> char {
        match self {
            Right::Create => 'c',
            Right::Read => 'r',
            Right::Update => 'u',
            Right::Delete => 'd',
            Right::Search => 's',
        }
    }
}

/// Several [`Right`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rights(u8);

impl Rights {
    /// All there are.
    pub const ALL: Rights = Rights::of(&Right::ALL);

    /// These rights.
    pub const fn of(rights: &[Right]) -> Rights {
        let (mut all, mut place) = (0, 0);
        while place < rights.len() {
            all |= rights[place] as u8;
            place += 1;
        }
        Rights(all)
    }

    /// Reads letters of `cruds`, at least one, each at most once and in this order.
    pub fn parse(letters: &str) -> Option<Rights> {
        let (mut rights, mut rest) = (Rights::default(), letters);
        for right in Right::ALL {
            if let Some(behind) = rest.strip_prefix(right.letter()) {
                rights = rights.union(Rights::of(&[right]));
                rest = behind;
            }
        }
        (rest.is_empty() && !rights.is_empty()).then_some(rights)
    }

    /// Whether `right` is among them.
    pub fn has(self, right: Right) -> bool {
        self.0 & right as u8 != 0
    }

    /// Those that are in one of the two.
    pub fn union(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    /// Those that are in both.
    pub fn intersection(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of them are in `other`.
    pub fn is_within(self, other: Rights) -> bool {
        self.intersection(other) == self
    }
}

/// The letters.
impl fmt::Display for Rights {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Right::ALL.into_iter().filter(|right| self.has(*right));
        all.try_for_each(|right| formatter.write_char(right.letter()))
    }
}
