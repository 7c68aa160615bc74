//! `_maxresults`: how many matches a search gives on all its pages together.
//!
//! What is left of it travels in the cursor: how many matches may come from the place of the cursor on, whichever way the
//! page goes.
//!
//! Spec: R5 search.html#maxresults (R4 has none)

/// How many matches may come from a place on; `None` is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance(pub Option<u32>);

impl Allowance {
    /// How many of `count` matches that begin at the place it is of may be given.
    pub fn page(self, count: u32) -> u32 {
        self.0.map_or(count, |left| left.min(count))
    }

    /// What is left behind `given` matches that begin at the place it is of.
    pub fn behind(self, given: usize) -> Allowance {
        let given = u32::try_from(given).unwrap_or(u32::MAX);
        Allowance(self.0.map(|left| left.saturating_sub(given)))
    }

    /// What is left in front of `given` matches that end at the place it is of.
    pub fn before(self, given: usize) -> Allowance {
        let given = u32::try_from(given).unwrap_or(u32::MAX);
        Allowance(self.0.map(|left| left.saturating_add(given)))
    }

    pub fn is_used_up(self) -> bool {
        self.0 == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_share_what_a_search_may_give_forth_and_back() {
        let first = Allowance(Some(25));
        let second = first.behind(10);
        let last = second.behind(10);

        assert_eq!([first.page(10), second.page(10), last.page(10)], [10, 10, 5]);
        assert!(last.behind(5).is_used_up() && !last.is_used_up());
        // The page before the last one ends where the last one begins.
        assert_eq!((last.before(10), last.before(10).before(10)), (second, first));
    }

    #[test]
    fn a_search_without_the_parameter_gives_all() {
        let all = Allowance(None);

        assert_eq!(all.page(10), 10);
        assert_eq!((all.behind(10), all.before(10)), (all, all));
        assert!(!all.is_used_up());
    }
}
