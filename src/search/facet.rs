//! Further rows of a parameter, besides those of its values, under numbers of their own.
//!
//! Spec: R4 search.html#modifiers

/// What else of an element can be searched for than its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Facet {
    /// Of a token: what people read (`:text`), as the hash of a folded text.
    Text,
    /// Of a reference: the identifier of its target (`:identifier`), as a token.
    Identifier,
    /// Of an identifier: its type with its value (`:of-type`).
    OfType,
}

/// One more than the highest number that a parameter may have.
const SPAN: i16 = 8192;

impl Facet {
    /// The number of the rows of this facet of the parameter `param`.
    pub(super) fn of(self, param: i16) -> i16 {
        debug_assert!(param < SPAN, "the numbers of parameters end below {SPAN}");
        match self {
            Facet::Text => param + SPAN,
            Facet::Identifier => param + 2 * SPAN,
            Facet::OfType => param + 3 * SPAN,
        }
    }
}

/// What an identifier of a type is found by: the hash of this text takes the place of the system.
pub(super) fn type_of_identifier(system: &str, code: &str) -> String {
    format!("{system}|{code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_facets_share_a_number() {
        for param in [1, 1707, SPAN - 1] {
            let all = [param, Facet::Text.of(param), Facet::Identifier.of(param), Facet::OfType.of(param)];
            assert!(all.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] >= SPAN), "{all:?}");
        }
    }
}
