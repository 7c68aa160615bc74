//! Contained resources in the index.
//!
//! They have rows as all others have, under numbers of their own. Such a number is negative and follows from that of the
//! container and the place within it, so that the index rows beside the container need not keep it, and the rows of all
//! that is contained in one resource lie together. No row of `resource` has such a number: whatever joins an index table
//! with `resource` passes over them.
//!
//! Spec: R4 references.html#contained

use crate::store::rows::IndexRows;

/// So many places are between the numbers of two containers. More than a resource may have rows, so that all fit.
pub const PLACES: i64 = 1 << 18;

/// The index rows of a resource within another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainedRows {
    /// Where it stands in `contained`, counted from 1.
    pub place: i64,
    /// Of a difference: `None` where the place has the same type and id on both sides.
    pub head: Option<ContainedHead>,
    /// Without compartments and words, which are those of the container, and without texts, which stand with the
    /// container's.
    pub rows: IndexRows,
}

/// What a contained resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainedHead {
    pub rtype: i16,
    /// Unique within the container; empty when it has none.
    pub id: String,
}

/// The number of what stands at `place` in the resource `container`.
pub fn contained_rid(container: i64, place: i64) -> i64 {
    -(container * PLACES + place)
}

/// Container and place of a contained resource; `None` when `rid` is that of a resource by itself.
pub fn container_of(rid: i64) -> Option<(i64, i64)> {
    (rid < 0).then(|| (-rid / PLACES, -rid % PLACES))
}

/// A number by which contained resources stand in order behind their containers.
pub fn order_of(rid: i64) -> i64 {
    if rid < 0 { -rid } else { rid * PLACES }
}

/// What a reference row of `rid` has for a target in the database: a reference to something contained is kept as its
/// place, and leads to its number.
pub(super) fn stored_target(target: i64, rid: i64) -> i64 {
    if !(1..PLACES).contains(&target) {
        return target;
    }
    contained_rid(container_of(rid).map_or(rid, |(container, _)| container), target)
}

impl ContainedRows {
    /// What `self` has that the same place of `others`, which are in the order of their places, has not.
    fn without(&self, others: &[ContainedRows]) -> Option<ContainedRows> {
        let Ok(index) = others.binary_search_by_key(&self.place, |other| other.place) else {
            return Some(self.clone());
        };
        let other = &others[index];
        let rows = self.rows.without(&other.rows);
        let head = self.head.clone().filter(|_| self.head != other.head);
        (head.is_some() || rows != IndexRows::default()).then_some(ContainedRows { place: self.place, head, rows })
    }
}

/// The part of `wanted` that `present` lacks, place by place.
pub(super) fn difference(wanted: &[ContainedRows], present: &[ContainedRows]) -> Vec<ContainedRows> {
    wanted.iter().filter_map(|rows| rows.without(present)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Edge, TokenRow};

    fn contained(place: i64, id: &str, codes: &[i64]) -> ContainedRows {
        let token = |code: &i64| TokenRow { param: 1, code: *code, system: 0, edge: Edge::Neither };
        let rows = IndexRows { tokens: codes.iter().map(token).collect(), ..IndexRows::default() };
        ContainedRows { place, head: Some(ContainedHead { rtype: 7, id: id.to_owned() }), rows }
    }

    #[test]
    fn a_number_tells_container_and_place() {
        for (container, place) in [(1, 1), (1, PLACES - 1), (2, 1), (1 << 40, 200_000)] {
            let rid = contained_rid(container, place);
            assert!(rid < 0);
            assert_eq!(container_of(rid), Some((container, place)));
        }
        assert_eq!(container_of(7), None);
    }

    #[test]
    fn a_place_is_a_target_within_the_container() {
        assert_eq!(stored_target(2, 5), contained_rid(5, 2));
        assert_eq!(stored_target(2, contained_rid(5, 1)), contained_rid(5, 2));
        assert_eq!([stored_target(0, 5), stored_target(-9, 5), stored_target(PLACES, 5)], [0, -9, PLACES]);
    }

    #[test]
    fn only_what_differs_at_a_place_is_touched() {
        let before = [contained(1, "a", &[1, 2]), contained(2, "b", &[3]), contained(3, "c", &[4])];
        let after =
            [contained(1, "a", &[2, 5]), contained(2, "b", &[3]), contained(3, "x", &[4]), contained(4, "d", &[])];

        let added = difference(&after, &before);
        let gone = difference(&before, &after);

        assert_eq!(added.iter().map(|rows| rows.place).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!((added[0].head.as_ref(), added[0].rows.tokens[0].code), (None, 5));
        assert_eq!(added[1].rows, IndexRows::default());
        assert!(added[1].head.is_some() && added[2].head.is_some());
        assert_eq!(gone.iter().map(|rows| (rows.place, rows.rows.tokens.len())).collect::<Vec<_>>(), [(1, 1), (3, 0)]);
    }
}
