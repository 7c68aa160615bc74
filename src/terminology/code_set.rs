//! A set of codes that may hold all codes of a system, without knowing them.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

/// Which codes of one system belong to a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// These and no others.
    Only(BTreeSet<Box<str>>),
    /// All codes of the system, known here or not, except these.
    AllBut(BTreeSet<Box<str>>),
}

impl Extent {
    fn codes(&self) -> &BTreeSet<Box<str>> {
        let (Extent::Only(codes) | Extent::AllBut(codes)) = self;
        codes
    }

    fn complement(&self) -> Extent {
        match self {
            Extent::Only(codes) => Extent::AllBut(codes.clone()),
            Extent::AllBut(codes) => Extent::Only(codes.clone()),
        }
    }

    fn union(&self, other: &Extent) -> Extent {
        use Extent::{AllBut, Only};
        match (self, other) {
            (Only(left), Only(right)) => Only(left | right),
            (AllBut(left), AllBut(right)) => AllBut(left & right),
            (AllBut(except), Only(codes)) | (Only(codes), AllBut(except)) => AllBut(except - codes),
        }
    }

    fn intersection(&self, other: &Extent) -> Extent {
        use Extent::{AllBut, Only};
        match (self, other) {
            (Only(left), Only(right)) => Only(left & right),
            (AllBut(left), AllBut(right)) => AllBut(left | right),
            (AllBut(except), Only(codes)) | (Only(codes), AllBut(except)) => Only(codes - except),
        }
    }
}

/// Codes by system. A system without a code in the set is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeSet(BTreeMap<Box<str>, Extent>);

impl CodeSet {
    /// The set with `extent` of one system.
    pub fn of(system: &str, extent: Extent) -> CodeSet {
        let mut set = CodeSet::default();
        set.add(system, &extent);
        set
    }

    /// All systems of the set, in the order of their URLs, and what each contributes.
    pub fn systems(&self) -> impl Iterator<Item = (&str, &Extent)> {
        self.0.iter().map(|(system, extent)| (&**system, extent))
    }

    /// The (system, code) pairs that are listed one by one.
    pub fn codes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.systems().flat_map(|(system, extent)| {
            let listed = if let Extent::Only(codes) = extent { Some(codes) } else { None };
            listed.into_iter().flatten().map(move |code| (system, &**code))
        })
    }

    /// The systems of which all codes are meant, and the codes that are not.
    pub fn whole_systems(&self) -> impl Iterator<Item = (&str, &BTreeSet<Box<str>>)> {
        self.systems().filter_map(|(system, extent)| match extent {
            Extent::AllBut(except) => Some((system, except)),
            Extent::Only(_) => None,
        })
    }

    /// Whether the code is in the set.
    pub fn contains(&self, system: &str, code: &str) -> bool {
        self.0.get(system).is_some_and(|extent| match extent {
            Extent::Only(codes) => codes.contains(code),
            Extent::AllBut(except) => !except.contains(code),
        })
    }

    /// True when no code at all is meant.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many codes it takes to write the set down, those left out of whole systems included.
    pub fn size(&self) -> usize {
        self.0.values().map(|extent| extent.codes().len()).sum()
    }

    /// As `size`, of one system.
    pub fn size_of(&self, system: &str) -> usize {
        self.0.get(system).map_or(0, |extent| extent.codes().len())
    }

    fn add(&mut self, system: &str, extent: &Extent) {
        if *extent == Extent::Only(BTreeSet::new()) {
            return;
        }
        match self.0.entry(system.into()) {
            Entry::Occupied(mut held) => {
                let both = held.get().union(extent);
                held.insert(both);
            }
            Entry::Vacant(place) => {
                place.insert(extent.clone());
            }
        }
    }

    /// Adds the codes of `other`.
    pub fn unite(&mut self, other: &CodeSet) {
        for (system, extent) in other.systems() {
            self.add(system, extent);
        }
    }

    /// Keeps only the codes that `other` has, too.
    pub fn intersect(&mut self, other: &CodeSet) {
        self.narrow(|system| match other.0.get(system) {
            Some(extent) => extent.clone(),
            None => Extent::Only(BTreeSet::new()),
        });
    }

    /// Takes out the codes of `other`.
    pub fn subtract(&mut self, other: &CodeSet) {
        self.narrow(|system| match other.0.get(system) {
            Some(extent) => extent.complement(),
            None => Extent::AllBut(BTreeSet::new()),
        });
    }

    fn narrow(&mut self, to: impl Fn(&str) -> Extent) {
        self.0.retain(|system, extent| {
            *extent = extent.intersection(&to(system));
            *extent != Extent::Only(BTreeSet::new())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(list: &str) -> BTreeSet<Box<str>> {
        list.split_terminator(' ').map(Box::from).collect()
    }

    fn only(list: &str) -> CodeSet {
        CodeSet::of("s", Extent::Only(codes(list)))
    }

    fn all_but(list: &str) -> CodeSet {
        CodeSet::of("s", Extent::AllBut(codes(list)))
    }

    #[test]
    fn sets_obey_the_algebra_whether_a_system_is_listed_or_whole() {
        let all = [only(""), only("a"), only("a b"), only("b c"), all_but(""), all_but("a"), all_but("b d")];
        for left in &all {
            for right in &all {
                let (mut union, mut both, mut rest) = (left.clone(), left.clone(), left.clone());
                union.unite(right);
                both.intersect(right);
                rest.subtract(right);

                for code in ["a", "b", "c", "d", "unheard of"] {
                    let (l, r) = (left.contains("s", code), right.contains("s", code));
                    assert_eq!(union.contains("s", code), l || r, "{left:?} {right:?} {code}");
                    assert_eq!(both.contains("s", code), l && r, "{left:?} {right:?} {code}");
                    assert_eq!(rest.contains("s", code), l && !r, "{left:?} {right:?} {code}");
                }
            }
        }
    }

    #[test]
    fn systems_do_not_mix() {
        let mut set = only("a");
        set.unite(&CodeSet::of("t", Extent::AllBut(codes("x"))));

        assert_eq!(set.codes().collect::<Vec<_>>(), [("s", "a")]);
        assert_eq!(set.whole_systems().collect::<Vec<_>>(), [("t", &codes("x"))]);
        assert!(!set.contains("t", "x") && set.contains("t", "a") && !set.contains("u", "a"));
        assert_eq!(set.size(), 2);
        set.subtract(&only("a"));
        assert_eq!(set.systems().count(), 1);
    }
}
