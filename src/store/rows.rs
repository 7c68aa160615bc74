//! The rows that the database holds: resources, and what the index knows of them.

use crate::fhir::{Id, ResourceKey, ResourceType};
use crate::store::{ConsentRow, ContainedRows, Hasher};

/// Which interaction made a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Create = 0,
    Update = 1,
    Delete = 2,
}

/// One version of a resource as it is stored.
#[derive(Clone, Debug)]
pub struct ResourceRow {
    /// Number of the resource in this database; ascending by creation.
    pub rid: i64,
    pub key: ResourceKey,
    /// Counted from 1.
    pub version: i64,
    /// Instant of the write, in microseconds, whole milliseconds.
    pub updated_us: i64,
    pub method: Method,
    /// The tail of the JSON (see `fhir::Resource::tail`), unpacked; `None` for a deletion.
    pub tail: Option<Vec<u8>>,
}

/// What the index says of one resource; written with it or not at all.
///
/// `param` is `fhir::definitions::SearchParameterDefinition::id`. Codes, systems and targets are keyed 64-bit hashes
/// (`store::Hasher`), so that a row takes 25 to 40 bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexRows {
    pub tokens: Vec<TokenRow>,
    pub strings: Vec<StringRow>,
    pub dates: Vec<DateRow>,
    pub quantities: Vec<QuantityRow>,
    pub references: Vec<ReferenceRow>,
    pub uris: Vec<UriRow>,
    pub composites: Vec<CompositeRow>,
    /// What the codes of `tokens` stand for. Not part of the rows that are kept and compared: a text is told once.
    pub texts: Vec<TokenText>,
    /// The Patients that the resource is about or otherwise bound to.
    pub patients: Vec<PatientRow>,
    /// Where a Location is: none or one.
    pub positions: Vec<PositionRow>,
    /// What the words come to.
    pub words: WordSum,
    /// The words. Not part of the rows that are kept and compared: `words` tells whether they changed.
    pub word_texts: WordTexts,
    /// Which of the labels that keep it from callers it bears, as bits (`search::LabelSet`).
    pub labels: i16,
    /// Of a Consent in force: what it lets nobody see or do.
    pub consents: Vec<ConsentRow>,
    /// Of a deletion: the Patients whose record the last version was part of, as reference targets.
    pub deleted_from: Vec<i64>,
    /// The resources within it that have rows, in the order of their places.
    pub contained: Vec<ContainedRows>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenRow {
    pub param: i16,
    pub code: i64,
    /// 0 when the token has no system.
    pub system: i64,
    /// Whether the resource is sorted by this row.
    pub edge: Edge,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StringRow {
    pub param: i16,
    /// Lower case, without accents, at most 200 characters.
    pub folded: String,
    /// Hash of the text as written, for `:exact`.
    pub exact: i64,
    /// Whether the resource is sorted by this row.
    pub edge: Edge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateRow {
    pub param: i16,
    /// First moment; `i64::MIN` when open.
    pub lo_us: i64,
    /// First moment after; `i64::MAX` when open.
    pub hi_us: i64,
    /// Whether the resource is sorted by this row.
    pub edge: Edge,
}

/// A quantity or a number; a number has no code and no system.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct QuantityRow {
    pub param: i16,
    pub value: f64,
    /// 0 when absent.
    pub code: i64,
    /// 0 when absent.
    pub system: i64,
    /// Whether the resource is sorted by this row.
    pub edge: Edge,
    pub side: Side,
}

impl QuantityRow {
    /// Edge and side as the one number that the databases keep.
    pub(super) fn mark(&self) -> i16 {
        4 * self.side as i16 + self.edge as i16
    }

    /// Reads what `mark` wrote.
    pub(super) fn of_mark(number: u8) -> Option<(Edge, Side)> {
        let side = [Side::Whole, Side::Low, Side::High].get(usize::from(number / 4)).copied()?;
        Some((Edge::from_number(number % 4)?, side))
    }
}

/// What a row of a quantity holds of its value: a Range stands as two rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// All of it.
    #[default]
    Whole = 0,
    /// The low end of a Range.
    Low = 1,
    /// The high end of a Range.
    High = 2,
}

impl Side {
    /// The least and the greatest number of which `index_quantity.edge` is one in rows of this side.
    pub fn marks(self) -> (i64, i64) {
        let first = 4 * self as i64;
        (first, first + 3)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReferenceRow {
    pub param: i16,
    /// `Hasher::key` of a local target, `Hasher::text` of any other URL; the place of a contained one, which becomes its
    /// number in the database (`ContainedRows::place`).
    pub target: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UriRow {
    pub param: i16,
    pub value: String,
    /// Whether the resource is sorted by this row.
    pub edge: Edge,
}

/// The components of a composite parameter within one repetition.
///
/// The first is a token or a reference; what the others are decides which fields they use, 0 and "" stand elsewhere.
#[derive(Clone, Debug, Default, PartialEq, PartialOrd)]
pub struct CompositeRow {
    pub param: i16,
    /// Code of the token, or target of the reference.
    pub code: i64,
    pub system: i64,
    /// Of a string: folded.
    pub text: String,
    /// Of a quantity or number.
    pub value: f64,
    /// Number of a third component.
    pub upper: f64,
    /// First moment of a date; code of a token or quantity.
    pub low: i64,
    /// First moment after a date; system of a token or quantity.
    pub high: i64,
}

/// A place on the Earth as a point of a sphere with the radius 1: z to the north, x to the meridian of Greenwich.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionRow {
    pub x: f64,
    pub y: f64,
    pub z: f64,
}

/// A Patient that a resource is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PatientRow {
    /// As a reference target.
    pub patient: i64,
    pub bond: Bond,
}

/// How a resource is bound to a Patient: by the compartment, as the specification defines it, or because the resource belongs
/// to the Patient's record, which decides who may see it. A performer is in the compartment of an Observation about another.
///
/// Spec: R4 compartmentdefinition-patient.html
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bond {
    /// In the compartment, and part of the record.
    Both = 1,
    /// In the compartment only.
    Member = 2,
    /// Part of the record only.
    Owned = 3,
}

impl Bond {
    /// The bond of what is in the compartment, in the record, or in both; `None` when it is in neither.
    pub fn of(is_member: bool, is_owned: bool) -> Option<Bond> {
        match (is_member, is_owned) {
            (true, true) => Some(Bond::Both),
            (true, false) => Some(Bond::Member),
            (false, true) => Some(Bond::Owned),
            (false, false) => None,
        }
    }

    /// Whether the resource is part of the Patient's record.
    pub fn is_owned(self) -> bool {
        self != Bond::Member
    }

    pub(super) fn from_number(number: u8) -> Option<Bond> {
        [Bond::Both, Bond::Member, Bond::Owned].into_iter().find(|bond| *bond as u8 == number)
    }
}

/// What the hash of a code stands for among the tokens of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenText {
    pub param: i16,
    pub code: i64,
    pub text: String,
}

/// The words of a resource: folded, without repeats left out, one space between two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordTexts {
    /// Those of the narrative, [`HAS_NARRATIVE`] first if there are any.
    pub narrative: String,
    /// All others.
    pub rest: String,
}

/// Stands before the words of a narrative. No word of a text is like it, for it has neither letter nor digit.
pub const HAS_NARRATIVE: &str = "¶";

/// What the words of a resource come to: equal words at equal places have equal sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordSum {
    pub count: u32,
    /// Made of keyed hashes, so that nobody can prepare two texts of equal sum.
    pub sum: u64,
}

impl WordTexts {
    /// What the words come to.
    pub fn sum(&self, hasher: &Hasher) -> WordSum {
        let mut sum = WordSum::default();
        self.each(|column, place, word| {
            sum.count += 1;
            sum.sum = sum.sum.wrapping_add(word_hash(hasher.text(word), column, place));
        });
        sum
    }

    /// Hands each word to `each`: 0 for the narrative or 1, its place among the words there, and itself.
    pub(super) fn each(&self, mut each: impl FnMut(u8, i64, &str)) {
        for (column, text) in [(0, &self.narrative), (1, &self.rest)] {
            for (place, word) in (0..).zip(text.split(' ').filter(|word| !word.is_empty())) {
                each(column, place, word);
            }
        }
    }
}

/// What a word at its place adds to the sum. An odd factor loses nothing of the hash.
pub(super) fn word_hash(hash: i64, column: u8, place: i64) -> u64 {
    let place = (place as u64) << 1 | u64::from(column);
    (hash as u64).wrapping_mul(place << 1 | 1)
}

/// Whether a row holds the lowest or the highest value that its resource has for the parameter: ascending sorts read the
/// lowest, descending ones the highest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    #[default]
    Both = 0,
    Lowest = 1,
    Highest = 2,
    /// A value in between, or one that nothing is sorted by.
    Neither = 3,
}

impl Edge {
    pub(super) fn from_number(number: u8) -> Option<Edge> {
        [Edge::Both, Edge::Lowest, Edge::Highest, Edge::Neither].get(usize::from(number)).copied()
    }
}

/// A key from its parts as the database holds them; `None` when a row was damaged.
pub(super) fn key_from(rtype: i16, id: &str) -> Option<ResourceKey> {
    Some(ResourceKey { resource_type: ResourceType::from_code(rtype)?, id: Id::parse(id).ok()? })
}
