//! Which rows a resource is sorted by: the lowest and the highest of each parameter.
//!
//! Spec: R4 search.html#sort

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::store::{Edge, IndexRows};

/// Marks the edges. Rows that extraction has marked as `Neither` stay so: nothing is sorted by them.
pub(super) fn mark(rows: &mut IndexRows) {
    let texts: HashMap<(i16, i64), &str> =
        rows.texts.iter().map(|text| ((text.param, text.code), text.text.as_str())).collect();
    let text_of = |param, code| texts.get(&(param, code)).copied().unwrap_or_default();
    each_parameter(
        &mut rows.tokens,
        |row| row.param,
        |row| &mut row.edge,
        |left, right| {
            let key = |row: &crate::store::TokenRow| (text_of(row.param, row.code), row.code, row.system);
            key(left).cmp(&key(right))
        },
    );
    each_parameter(
        &mut rows.strings,
        |row| row.param,
        |row| &mut row.edge,
        |left, right| (&left.folded, left.exact).cmp(&(&right.folded, right.exact)),
    );
    each_parameter(
        &mut rows.dates,
        |row| row.param,
        |row| &mut row.edge,
        |left, right| (left.lo_us, left.hi_us).cmp(&(right.lo_us, right.hi_us)),
    );
    each_parameter(
        &mut rows.quantities,
        |row| row.param,
        |row| &mut row.edge,
        |left, right| {
            left.value.total_cmp(&right.value).then_with(|| (left.code, left.system).cmp(&(right.code, right.system)))
        },
    );
    each_parameter(&mut rows.uris, |row| row.param, |row| &mut row.edge, |left, right| left.value.cmp(&right.value));
}

/// Marks the lowest and the highest row of each parameter; the rows of one stand together.
fn each_parameter<T>(
    rows: &mut [T],
    param: impl Fn(&T) -> i16,
    edge: impl Fn(&mut T) -> &mut Edge,
    compare: impl Fn(&T, &T) -> Ordering,
) {
    for group in rows.chunk_by_mut(|left, right| param(left) == param(right)) {
        let mut lowest: Option<usize> = None;
        let mut highest: Option<usize> = None;
        for place in 0..group.len() {
            if *edge(&mut group[place]) == Edge::Neither {
                continue;
            }
            *edge(&mut group[place]) = Edge::Neither;
            if lowest.is_none_or(|known| compare(&group[place], &group[known]).is_lt()) {
                lowest = Some(place);
            }
            if highest.is_none_or(|known| compare(&group[place], &group[known]).is_gt()) {
                highest = Some(place);
            }
        }
        let (Some(lowest), Some(highest)) = (lowest, highest) else { continue };
        *edge(&mut group[lowest]) = Edge::Lowest;
        let is_same = lowest == highest;
        *edge(&mut group[highest]) = if is_same { Edge::Both } else { Edge::Highest };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StringRow, TokenRow, TokenText};

    #[test]
    fn the_lowest_and_the_highest_are_marked_and_words_are_not() {
        let string =
            |param, folded: &str, exact| StringRow { param, folded: folded.to_owned(), exact, edge: Edge::Both };
        let mut word = string(1, "a", 0);
        word.edge = Edge::Neither;
        let mut rows = IndexRows {
            strings: vec![word, string(1, "b", 1), string(1, "c", 2), string(1, "d", 3), string(2, "x", 4)],
            ..IndexRows::default()
        };

        mark(&mut rows);

        let edges: Vec<Edge> = rows.strings.iter().map(|row| row.edge).collect();
        assert_eq!(edges, [Edge::Neither, Edge::Lowest, Edge::Neither, Edge::Highest, Edge::Both]);
    }

    #[test]
    fn tokens_are_ordered_by_what_they_stand_for() {
        let token = |code| TokenRow { param: 1, code, system: 0, edge: Edge::Both };
        let text = |code, text: &str| TokenText { param: 1, code, text: text.to_owned() };
        let mut rows = IndexRows {
            tokens: vec![token(1), token(2)],
            texts: vec![text(1, "z"), text(2, "a")],
            ..IndexRows::default()
        };

        mark(&mut rows);

        assert_eq!((rows.tokens[0].edge, rows.tokens[1].edge), (Edge::Highest, Edge::Lowest));
    }
}
