//! What `_include` and `_revinclude` bring along, by following every reference.
//!
//! Spec: R4 search.html#include, #revinclude

use std::collections::BTreeSet;

use crate::search_oracle::oracle::{World, type_of};
use crate::search_oracle::parameters::{Shape, find, own};

/// How many references away from a match `:iterate` goes, as docs/api/search.md says.
const MOST_LEVELS: usize = 5;

/// One `_include` or `_revinclude`.
#[derive(Clone, Debug)]
pub struct Include {
    pub is_reverse: bool,
    pub is_iterated: bool,
    /// The type that refers; `None` for any.
    pub source: Option<String>,
    /// The parameter that refers; `None` for all.
    pub code: Option<String>,
    /// The type referred to; `None` for any.
    pub target: Option<String>,
}

impl Include {
    /// As a query has it.
    pub fn written(&self) -> String {
        let name = if self.is_reverse { "_revinclude" } else { "_include" };
        let iterate = if self.is_iterated { ":iterate" } else { "" };
        let parts = [self.source.as_deref(), Some(self.code.as_deref().unwrap_or("*")), self.target.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        format!("{name}{iterate}={}", parts.join(":"))
    }
}

impl World {
    /// What comes along with `matches`, and whether there would be more.
    pub fn included(&self, includes: &[Include], matches: &[usize]) -> (BTreeSet<usize>, bool) {
        let mut included: BTreeSet<usize> = BTreeSet::new();
        let mut from: BTreeSet<usize> = matches.iter().copied().collect();
        for level in 0..=MOST_LEVELS {
            let followed = includes.iter().filter(|include| level == 0 || include.is_iterated);
            let mut found: BTreeSet<usize> = followed.flat_map(|include| self.step(include, &from)).collect();
            found.retain(|place| !included.contains(place) && !matches.contains(place));
            if found.is_empty() {
                return (included, false);
            }
            if level == MOST_LEVELS {
                break;
            }
            included.extend(&found);
            from = found;
        }
        (included, true)
    }

    fn step(&self, include: &Include, from: &BTreeSet<usize>) -> BTreeSet<usize> {
        let is_source = |place: &usize| include.source.as_deref().is_none_or(|of| self.is_of(*place, of));
        let is_target = |place: &usize| include.target.as_deref().is_none_or(|of| self.is_of(*place, of));
        if include.is_reverse {
            let refers = |place: &usize| {
                self.followed(include, *place).iter().any(|target| from.contains(target) && is_target(target))
            };
            return (0..self.resources.len()).filter(is_source).filter(refers).collect();
        }
        let sources = from.iter().filter(|place| is_source(place));
        sources.flat_map(|place| self.followed(include, *place)).filter(is_target).collect()
    }

    fn is_of(&self, place: usize, of: &str) -> bool {
        type_of(&self.resources[place]) == of
    }

    /// Where the references lead that `include` follows from a resource.
    fn followed(&self, include: &Include, place: usize) -> Vec<usize> {
        let of = type_of(&self.resources[place]);
        match &include.code {
            Some(code) => find(of, code).map(|_| self.targets(place, code)).unwrap_or_default(),
            None => {
                let references =
                    own(of).iter().filter(|one| one.paths.iter().any(|(_, shape)| *shape == Shape::Reference));
                references.flat_map(|one| self.targets(place, one.code)).collect()
            }
        }
    }
}
