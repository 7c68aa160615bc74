//! Conditions, and the one way through them.
//!
//! Whoever looks for something within a condition goes by [`Condition::walk`] or [`Condition::inner`] and says how far: a kind of
//! condition that is new has its arm here and is passed through everywhere.

use std::slice::{from_mut, from_ref};
use std::sync::Arc;

use crate::fhir::{Id, ResourceKey, ResourceType};
use crate::search::{Criterion, LabelSet, Parameter, Party, Use};

/// What a resource must meet.
#[derive(Clone, Debug)]
pub enum Condition {
    Criterion(Criterion),
    Chain(Chain),
    Has(Has),
    /// `_list`: one of these Lists has the resource among its entries.
    Listed(Vec<Id>),
    /// All of these.
    And(Vec<Condition>),
    /// One of these, at least.
    Or(Vec<Condition>),
    /// Whatever does not meet the condition: what lacks the element, too.
    Not(Box<Condition>),
    /// Of a search over several types, whose parameters of one name differ: what each of them must meet.
    ByType(Vec<(ResourceType, Condition)>),
    /// Something of these types within the resource meets the condition.
    Contains(Contains),
    /// It is part of the record of one of these Patients.
    Owned(Vec<ResourceKey>),
    /// It is of one of these types; none means that nothing meets it.
    OfTypes(Vec<ResourceType>),
    /// It bears none of these security labels, nor, if it is a Provenance, does what it is about.
    Unlabelled(LabelSet),
    /// No Consent keeps it from this party for this use. Where it is of several records, all must agree.
    Consented(Arc<Party>, Use),
    /// Of a Provenance: something that it is about meets the condition, and so does all that it is about, but for shared types
    /// and what is not here.
    Targets(Box<Condition>),
    /// Of a Binary: the first resource that came to have it as an attachment meets the condition.
    AttachedTo(Box<Condition>),
    /// Of a Binary: this holder of tokens created it, and nothing has had it as an attachment since (`AccessFilter::holder`).
    CreatedBy(Arc<str>),
}

/// What a container must contain.
///
/// Spec: R4 search.html#contained
#[derive(Clone, Debug)]
pub struct Contains {
    /// Empty means any.
    pub types: Vec<ResourceType>,
    pub condition: Box<Condition>,
    /// Whether a resource that is of the types and meets the condition by itself will do.
    pub or_is: bool,
}

/// `parameter.rest=value`: a resource that is referred to meets the rest.
///
/// Spec: R4 search.html#chaining
#[derive(Clone, Debug)]
pub struct Chain {
    pub by: &'static Parameter,
    /// What a target must meet, by its type; targets of other types meet nothing.
    pub targets: Vec<(ResourceType, Condition)>,
    /// Whether a target may be a contained resource; true until [`ResolvedSearch::reaching`] has asked.
    ///
    /// [`ResolvedSearch::reaching`]: crate::search::ResolvedSearch::reaching
    pub reaches_contained: bool,
}

/// `_has:source:by:rest=value`: a resource that refers to the one searched meets the rest.
///
/// Spec: R4 search.html#has
#[derive(Clone, Debug)]
pub struct Has {
    pub source: ResourceType,
    pub by: &'static Parameter,
    pub condition: Box<Condition>,
}

/// How far to go from a condition on a resource to those within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// To those on the resource itself, and on what it contains.
    Itself,
    /// Also to those on other resources to which the search leads: by a chain or `_has`.
    Linked,
    /// Also to those on other resources to which access rules lead: what a Provenance is about, and what has a Binary as an
    /// attachment.
    Everything,
}

/// What is directly within the condition: how far one must go for it, and the two forms in which it is kept, one of them empty.
/// Once for looking and once for changing.
macro_rules! inside {
    ($condition:expr, $one:path $(, $mutable:tt)?) => {
        match $condition {
            Condition::And(all) | Condition::Or(all) => (Extent::Itself, all, &$($mutable)? []),
            Condition::Not(negated) => (Extent::Itself, $one(negated), &$($mutable)? []),
            Condition::ByType(types) => (Extent::Itself, &$($mutable)? [], types),
            Condition::Contains(contains) => {
                (Extent::Itself, $one(&$($mutable)? contains.condition), &$($mutable)? [])
            }
            Condition::Chain(chain) => (Extent::Linked, &$($mutable)? [], &$($mutable)? chain.targets),
            Condition::Has(has) => (Extent::Linked, $one(&$($mutable)? has.condition), &$($mutable)? []),
            Condition::Targets(inner) | Condition::AttachedTo(inner) => {
                (Extent::Everything, $one(inner), &$($mutable)? [])
            }
            Condition::Criterion(_)
            | Condition::Listed(_)
            | Condition::Owned(_)
            | Condition::OfTypes(_)
            | Condition::Unlabelled(_)
            | Condition::Consented(..)
            | Condition::CreatedBy(_) => (Extent::Itself, &$($mutable)? [], &$($mutable)? []),
        }
    };
}

impl Condition {
    /// The conditions directly within this one, as far as `extent` reaches.
    pub fn inner(&self, extent: Extent) -> impl DoubleEndedIterator<Item = &Condition> {
        let (least, plain, typed): (Extent, &[Condition], &[(ResourceType, Condition)]) = inside!(self, from_ref);
        let (plain, typed) = if extent >= least { (plain, typed) } else { (&[][..], &[][..]) };
        plain.iter().chain(typed.iter().map(|(_, condition)| condition))
    }

    /// The same, to be changed.
    pub fn inner_mut(&mut self, extent: Extent) -> impl Iterator<Item = &mut Condition> {
        let (least, plain, typed): (Extent, &mut [Condition], &mut [(ResourceType, Condition)]) =
            inside!(self, from_mut, mut);
        let (plain, typed) = if extent >= least { (plain, typed) } else { (&mut [][..], &mut [][..]) };
        plain.iter_mut().chain(typed.iter_mut().map(|(_, condition)| condition))
    }

    /// This condition and all that are within it, as far as `extent` reaches: each before those within it, in their order.
    pub fn walk(&self, extent: Extent) -> impl Iterator<Item = &Condition> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            let next = waiting.pop()?;
            waiting.extend(next.inner(extent).rev());
            Some(next)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Registry;

    /// Conditions within conditions, of which each leaf says its name.
    fn nested() -> Condition {
        let leaf = |name: &str| Condition::Listed(vec![Id::parse(name).unwrap()]);
        let boxed = |name: &str| Box::new(leaf(name));
        let by = Registry::bundled().parameter(ResourceType::PATIENT, "organization").unwrap();
        let (of, types) = (ResourceType::PATIENT, Vec::new());
        Condition::And(vec![
            leaf("all"),
            Condition::Chain(Chain {
                by,
                targets: vec![(of, leaf("chain")), (of, leaf("other"))],
                reaches_contained: true,
            }),
            Condition::Or(vec![Condition::Not(boxed("not")), Condition::ByType(vec![(of, leaf("type"))])]),
            Condition::Targets(Box::new(Condition::Has(Has { source: of, by, condition: boxed("target") }))),
            Condition::Has(Has { source: of, by, condition: Box::new(Condition::AttachedTo(boxed("holder"))) }),
            Condition::Contains(Contains { types, condition: boxed("contained"), or_is: false }),
        ])
    }

    fn names<'c>(conditions: impl Iterator<Item = &'c Condition>) -> Vec<&'c str> {
        let name = |condition: &'c Condition| match condition {
            Condition::Listed(lists) => Some(lists[0].as_str()),
            _ => None,
        };
        conditions.filter_map(name).collect()
    }

    #[test]
    fn a_walk_goes_as_far_as_it_is_told_and_in_order() {
        let all = nested();
        let found = |extent| names(all.walk(extent));

        assert_eq!(found(Extent::Itself), ["all", "not", "type", "contained"]);
        assert_eq!(found(Extent::Linked), ["all", "chain", "other", "not", "type", "contained"]);
        let everything = ["all", "chain", "other", "not", "type", "target", "holder", "contained"];
        assert_eq!(found(Extent::Everything), everything);
        assert_eq!(all.walk(Extent::Everything).count(), 18);
    }

    #[test]
    fn what_is_to_be_changed_is_what_is_looked_at() {
        fn same(condition: &mut Condition, extent: Extent) {
            let looked_at: Vec<String> = condition.inner(extent).map(|inner| format!("{inner:?}")).collect();
            let changed: Vec<String> = condition.inner_mut(extent).map(|inner| format!("{inner:?}")).collect();
            assert_eq!(looked_at, changed);
            condition.inner_mut(extent).for_each(|inner| same(inner, extent));
        }

        for extent in [Extent::Itself, Extent::Linked, Extent::Everything] {
            same(&mut nested(), extent);
        }
    }
}
