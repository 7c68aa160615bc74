//! The order of the matches: what they are sorted by, and which of two comes first.
//!
//! Spec: R4 search.html#sort

use std::cmp::Ordering;

use crate::fhir::ResourceType;
use crate::search::extract::NO_TARGET;
use crate::search::{Parameter, ParameterKind};
use crate::store::{Edge, IndexRows, ReferenceRow};

/// The order of the matches: by the first key, what is equal there by the second, and so on. Without a key it is the
/// order of creation.
#[derive(Clone, Debug, Default)]
pub struct Sort {
    pub keys: Vec<SortKey>,
    /// Whether the server has chosen the order, for the client asks for none.
    pub is_implied: bool,
}

/// One key of a sort.
#[derive(Clone, Debug)]
pub struct SortKey {
    pub by: SortBy,
    pub is_descending: bool,
}

/// What matches are sorted by.
#[derive(Clone, Debug)]
pub enum SortBy {
    Id,
    LastUpdated,
    /// A parameter of each type that is searched, all of one kind; a number of a parameter belongs to one type.
    Index(Vec<&'static Parameter>),
    /// What the targets of a reference are sorted by.
    Linked(Link),
    /// The lowest text by which a criterion of the search finds a resource.
    Beginning(Beginning),
}

/// What a criterion that asks for the beginning of a text finds: a part of the table of texts.
#[derive(Clone, Debug)]
pub struct Beginning {
    pub by: &'static Parameter,
    /// The first text, folded.
    pub from: String,
    /// The first text behind all that begin so.
    pub to: String,
    /// Which of the demands of the search the criterion is.
    pub place: usize,
}

impl Beginning {
    /// The value of a resource with these rows.
    pub fn lowest(&self, rows: &IndexRows) -> Option<SortValue> {
        let is_within = |folded: &str| *self.from <= *folded && *folded < *self.to;
        let texts = rows.strings.iter().filter(|row| row.param == self.by.id() && is_within(&row.folded));
        let lowest = texts.min_by(|left, right| (&left.folded, left.exact).cmp(&(&right.folded, right.exact)))?;
        Some(SortValue::Text(lowest.folded.clone(), [lowest.exact, 0]))
    }
}

/// `reference.parameter` as a key.
#[derive(Clone, Debug)]
pub struct Link {
    /// The reference of each type that is searched.
    pub by: Vec<&'static Parameter>,
    /// Targets of other types count as missing.
    pub targets: Vec<ResourceType>,
    pub then: Box<SortBy>,
}

impl Sort {
    /// Whether one statement gives the matches in order: their place then never changes.
    pub fn is_by_creation_or_id(&self) -> bool {
        matches!(self.keys.as_slice(), [] | [SortKey { by: SortBy::Id, .. }])
    }
}

/// A value that matches are sorted by. Those of one key are all of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum SortValue {
    /// A folded string, the text of a code, a URL, an id; and how it is written, as hashes.
    Text(String, [i64; 2]),
    /// First moment, and first moment after.
    Span(i64, i64),
    /// A number or the number of a quantity; and its unit, as hashes.
    Number(f64, [i64; 2]),
    Instant(i64),
}

impl SortValue {
    /// The order of a key.
    pub fn compare(&self, other: &SortValue) -> Ordering {
        use SortValue::*;
        match (self, other) {
            (Text(left, _), Text(right, _)) => left.cmp(right),
            (Span(left, left_end), Span(right, right_end)) => (left, left_end).cmp(&(right, right_end)),
            (Number(left, _), Number(right, _)) => left.total_cmp(right),
            (Instant(left), Instant(right)) => left.cmp(right),
            _ => self.kind().cmp(&other.kind()),
        }
    }

    /// How the value is written, where that does not count for the order of the key.
    fn writing(&self) -> [i64; 2] {
        match self {
            SortValue::Text(_, writing) | SortValue::Number(_, writing) => *writing,
            SortValue::Span(..) | SortValue::Instant(_) => [0, 0],
        }
    }

    /// The value without how it is written.
    pub fn plain(&self) -> SortValue {
        match self {
            SortValue::Text(text, _) => SortValue::Text(text.clone(), [0, 0]),
            SortValue::Number(number, _) => SortValue::Number(*number, [0, 0]),
            SortValue::Span(..) | SortValue::Instant(_) => self.clone(),
        }
    }

    fn kind(&self) -> u8 {
        match self {
            SortValue::Text(..) => 0,
            SortValue::Span(..) => 1,
            SortValue::Number(..) => 2,
            SortValue::Instant(_) => 3,
        }
    }
}

/// A match with what it is sorted by.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// One for each key; `None` where the resource has no value.
    pub values: Vec<Option<SortValue>>,
    pub rid: i64,
}

/// Which of two matches comes first.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    pub keys: &'a [SortKey],
    /// The whole order turned round, for pages that lead back.
    pub is_backward: bool,
}

impl Order<'_> {
    /// By one key after the other, what has no value last; then what is written alike stands together, then the
    /// order of creation, both in the direction of the first key.
    pub fn compare(&self, left: &Place, right: &Place) -> Ordering {
        let keys = self.keys.iter().zip(left.values.iter().zip(&right.values));
        let by_keys = keys
            .map(|(key, (left, right))| compare_values(key, left.as_ref(), right.as_ref()))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal);
        self.turned(by_keys.then_with(|| {
            let tie = match (self.keys, left.values.as_slice(), right.values.as_slice()) {
                // The index is in this order, so that no more of it need be read than the page holds.
                ([_], [Some(left)], [Some(right)]) => left.writing().cmp(&right.writing()),
                _ => Ordering::Equal,
            };
            let tie = tie.then(left.rid.cmp(&right.rid));
            if self.keys.first().is_some_and(|first| first.is_descending) { tie.reverse() } else { tie }
        }))
    }

    /// By the first key alone.
    pub fn compare_first(&self, left: Option<&SortValue>, right: Option<&SortValue>) -> Ordering {
        self.turned(self.keys.first().map_or(Ordering::Equal, |first| compare_values(first, left, right)))
    }

    fn turned(&self, order: Ordering) -> Ordering {
        if self.is_backward { order.reverse() } else { order }
    }
}

fn compare_values(key: &SortKey, left: Option<&SortValue>, right: Option<&SortValue>) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) => {
            let order = left.compare(right);
            if key.is_descending { order.reverse() } else { order }
        }
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// What a resource is sorted by, as far as its index rows tell.
#[derive(Clone, Debug, PartialEq)]
pub enum IndexedValue {
    Value(SortValue),
    /// The text is that of the token with this number.
    Token {
        param: i16,
        code: i64,
        system: i64,
    },
    /// The lowest or the highest of these.
    References(Vec<i64>),
}

/// The value of the parameters, which are of one kind, that a resource with these rows is sorted by: the lowest, or the
/// highest in a descending order.
pub fn indexed_value(parameters: &[&Parameter], is_descending: bool, rows: &IndexRows) -> Option<IndexedValue> {
    let has = |param: i16| parameters.iter().any(|parameter| parameter.id() == param);
    let is_edge = |edge: Edge| edge == Edge::Both || edge == if is_descending { Edge::Highest } else { Edge::Lowest };
    let value = match parameters.first()?.kind {
        ParameterKind::Token => {
            let row = rows.tokens.iter().find(|row| has(row.param) && is_edge(row.edge))?;
            return Some(IndexedValue::Token { param: row.param, code: row.code, system: row.system });
        }
        ParameterKind::Reference => {
            let is_target = |row: &&ReferenceRow| has(row.param) && row.target != NO_TARGET;
            let targets = rows.references.iter().filter(is_target).map(|row| row.target);
            return Some(IndexedValue::References(targets.collect())).filter(|found| *found != NOTHING);
        }
        ParameterKind::String => {
            let row = rows.strings.iter().find(|row| has(row.param) && is_edge(row.edge))?;
            SortValue::Text(row.folded.clone(), [row.exact, 0])
        }
        ParameterKind::Date => {
            let row = rows.dates.iter().find(|row| has(row.param) && is_edge(row.edge))?;
            SortValue::Span(row.lo_us, row.hi_us)
        }
        ParameterKind::Number | ParameterKind::Quantity => {
            let row = rows.quantities.iter().find(|row| has(row.param) && is_edge(row.edge))?;
            SortValue::Number(row.value, [row.code, row.system])
        }
        ParameterKind::Uri => {
            let row = rows.uris.iter().find(|row| has(row.param) && is_edge(row.edge))?;
            SortValue::Text(row.value.clone(), [0, 0])
        }
        ParameterKind::Composite | ParameterKind::Special => return None,
    };
    Some(IndexedValue::Value(value))
}

const NOTHING: IndexedValue = IndexedValue::References(Vec::new());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Registry;
    use crate::store::{StringRow, TokenRow};

    fn key(is_descending: bool) -> SortKey {
        SortKey { by: SortBy::LastUpdated, is_descending }
    }

    fn place(rid: i64, values: &[Option<i64>]) -> Place {
        Place { rid, values: values.iter().map(|value| value.map(SortValue::Instant)).collect() }
    }

    fn sorted(keys: &[SortKey], is_backward: bool, mut places: Vec<Place>) -> Vec<i64> {
        let order = Order { keys, is_backward };
        places.sort_by(|left, right| order.compare(left, right));
        places.into_iter().map(|place| place.rid).collect()
    }

    #[test]
    fn what_has_no_value_comes_last_in_either_direction() {
        let places = || vec![place(1, &[None]), place(2, &[Some(5)]), place(3, &[Some(7)]), place(4, &[None])];

        assert_eq!(sorted(&[key(false)], false, places()), [2, 3, 1, 4]);
        assert_eq!(sorted(&[key(true)], false, places()), [3, 2, 4, 1]);
        assert_eq!(sorted(&[key(false)], true, places()), [4, 1, 3, 2]);
    }

    #[test]
    fn what_is_equal_is_sorted_by_the_next_key_and_at_last_by_age() {
        let places = || {
            vec![
                place(1, &[Some(1), Some(1)]),
                place(2, &[Some(1), Some(2)]),
                place(3, &[Some(0), None]),
                place(4, &[Some(1), Some(1)]),
            ]
        };

        assert_eq!(sorted(&[key(false), key(true)], false, places()), [3, 2, 1, 4]);
        assert_eq!(sorted(&[key(true), key(false)], false, places()), [4, 1, 2, 3]);
    }

    #[test]
    fn a_single_key_keeps_together_what_is_written_alike() {
        let text = |rid, writing| Place { rid, values: vec![Some(SortValue::Text("a".to_owned(), [writing, 0]))] };

        assert_eq!(sorted(&[key(false)], false, vec![text(1, 9), text(2, 3), text(3, 9)]), [2, 1, 3]);
    }

    #[test]
    fn ascending_orders_read_the_lowest_value_and_descending_ones_the_highest() {
        let patient = |code| Registry::bundled().parameter(ResourceType::PATIENT, code).unwrap();
        let (given, gender) = (patient("given"), patient("gender"));
        let doctor = patient("general-practitioner");
        let string = |folded: &str, edge| StringRow { param: given.id(), folded: folded.to_owned(), exact: 1, edge };
        let rows = IndexRows {
            strings: vec![string("a", Edge::Lowest), string("b", Edge::Neither), string("c", Edge::Highest)],
            tokens: vec![TokenRow { param: gender.id(), code: 4, system: 5, edge: Edge::Both }],
            references: vec![
                ReferenceRow { param: doctor.id(), target: NO_TARGET },
                ReferenceRow { param: doctor.id(), target: 6 },
            ],
            ..IndexRows::default()
        };
        let text = |text: &str| Some(IndexedValue::Value(SortValue::Text(text.to_owned(), [1, 0])));

        assert_eq!(indexed_value(&[given], false, &rows), text("a"));
        assert_eq!(indexed_value(&[given], true, &rows), text("c"));
        let token = IndexedValue::Token { param: gender.id(), code: 4, system: 5 };
        assert_eq!(indexed_value(&[gender], true, &rows), Some(token));
        assert_eq!(indexed_value(&[doctor], false, &rows), Some(IndexedValue::References(vec![6])));
        assert_eq!(indexed_value(&[patient("family")], false, &rows), None);
        assert_eq!(indexed_value(&[patient("link")], false, &rows), None);
    }
}
