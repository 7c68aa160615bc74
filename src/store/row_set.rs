//! The index rows of a resource as one short text of bytes, kept beside it.
//!
//! An update compares the rows that stand in the index with those it wants, and touches only what differs; a deletion
//! knows what to take away. No second index by resource is needed for that, which would cost more than the rows.

use std::collections::HashSet;
use std::hash::Hash;

use crate::store::LAST_OWN_NUMBER;
use crate::store::consent_rules::ConsentRow;
use crate::store::contained::{self, ContainedHead, ContainedRows};
use crate::store::rows::{
    Bond, CompositeRow, DateRow, Edge, IndexRows, PatientRow, PositionRow, QuantityRow, ReferenceRow, StringRow,
    TokenRow, UriRow, WordSum, WordTexts,
};

impl IndexRows {
    /// Sorts each kind and drops repeats, so that equal sets are equal values.
    pub fn normalize(&mut self) {
        self.tokens.sort_unstable();
        self.tokens.dedup();
        self.strings.sort_unstable();
        self.strings.dedup();
        self.dates.sort_unstable();
        self.dates.dedup();
        self.quantities.sort_unstable_by_key(QuantityRow::order);
        self.quantities.dedup();
        self.references.sort_unstable();
        self.references.dedup();
        self.uris.sort_unstable();
        self.uris.dedup();
        self.composites.sort_unstable_by(|left, right| left.order().cmp(&right.order()));
        self.composites.dedup();
        self.texts.sort_unstable();
        self.texts.dedup();
        self.patients.sort_unstable();
        self.patients.dedup_by(|later, first| {
            let is_same = later.patient == first.patient;
            if is_same && later.bond != first.bond {
                first.bond = Bond::Both;
            }
            is_same
        });
        self.consents.sort_unstable();
        self.consents.dedup();
        self.deleted_from.sort_unstable();
        self.deleted_from.dedup();
        self.contained.iter_mut().for_each(|inner| inner.rows.normalize());
    }

    /// Drops the rows of the parameters, further rows that they have for modifiers included, for which `is_wanted` says no.
    pub fn retain(&mut self, is_wanted: &dyn Fn(i16) -> bool) {
        self.contained.iter_mut().for_each(|inner| inner.rows.retain(is_wanted));
        let is_wanted = |param: i16| is_wanted(param & LAST_OWN_NUMBER);
        self.tokens.retain(|row| is_wanted(row.param));
        self.strings.retain(|row| is_wanted(row.param));
        self.dates.retain(|row| is_wanted(row.param));
        self.quantities.retain(|row| is_wanted(row.param));
        self.references.retain(|row| is_wanted(row.param));
        self.uris.retain(|row| is_wanted(row.param));
        self.composites.retain(|row| is_wanted(row.param));
    }

    /// The rows as bytes; `decode` reads them back.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + 11 * self.tokens.len() + 8 * self.references.len());
        count(self.tokens.len(), &mut out);
        for row in &self.tokens {
            small(row.param, &mut out);
            number(row.code, &mut out);
            number(row.system, &mut out);
            out.push(row.edge as u8);
        }
        count(self.strings.len(), &mut out);
        for row in &self.strings {
            small(row.param, &mut out);
            text(&row.folded, &mut out);
            number(row.exact, &mut out);
            out.push(row.edge as u8);
        }
        count(self.dates.len(), &mut out);
        for row in &self.dates {
            small(row.param, &mut out);
            number(row.lo_us, &mut out);
            number(row.hi_us, &mut out);
            out.push(row.edge as u8);
        }
        count(self.quantities.len(), &mut out);
        for row in &self.quantities {
            small(row.param, &mut out);
            number(bits(row.value), &mut out);
            number(row.code, &mut out);
            number(row.system, &mut out);
            out.push(row.mark() as u8);
        }
        count(self.references.len(), &mut out);
        for row in &self.references {
            small(row.param, &mut out);
            number(row.target, &mut out);
        }
        count(self.uris.len(), &mut out);
        for row in &self.uris {
            small(row.param, &mut out);
            text(&row.value, &mut out);
            out.push(row.edge as u8);
        }
        count(self.composites.len(), &mut out);
        for row in &self.composites {
            small(row.param, &mut out);
            text(&row.text, &mut out);
            for part in [row.code, row.system, bits(row.value), bits(row.upper), row.low, row.high] {
                number(part, &mut out);
            }
        }
        count(self.patients.len(), &mut out);
        for patient in &self.patients {
            number(patient.patient, &mut out);
            out.push(patient.bond as u8);
        }
        count(self.words.count as usize, &mut out);
        if self.words.count > 0 {
            number(self.words.sum as i64, &mut out);
        }
        // The end, for all but Locations, Consents, deletions and what contains others.
        for row in &self.positions {
            for part in [row.x, row.y, row.z] {
                number(bits(part), &mut out);
            }
        }
        if !self.consents.is_empty() {
            out.push(CONSENTS);
            count(self.consents.len(), &mut out);
        }
        for row in &self.consents {
            row.numbers().into_iter().for_each(|part| number(part, &mut out));
        }
        if self.labels != 0 {
            out.push(LABELS);
            small(self.labels, &mut out);
        }
        if !self.deleted_from.is_empty() {
            out.push(DELETED_FROM);
            count(self.deleted_from.len(), &mut out);
        }
        for patient in &self.deleted_from {
            number(*patient, &mut out);
        }
        if !self.contained.is_empty() {
            out.push(CONTAINED);
            count(self.contained.len(), &mut out);
        }
        for inner in &self.contained {
            let rows = inner.rows.encode();
            count(usize::try_from(inner.place).unwrap_or_default(), &mut out);
            small(inner.head.as_ref().map_or(0, |head| head.rtype), &mut out);
            text(inner.head.as_ref().map_or("", |head| &head.id), &mut out);
            count(rows.len(), &mut out);
            out.extend_from_slice(&rows);
        }
        out
    }

    /// Reads what `encode` wrote; `None` when the bytes are damaged. No bytes at all are no rows: a migration that empties
    /// the index leaves that.
    pub(super) fn decode(bytes: &[u8]) -> Option<IndexRows> {
        if bytes.is_empty() {
            return Some(IndexRows::default());
        }
        let mut input = Input(bytes);
        let mut rows = IndexRows {
            tokens: input.list(|row| {
                Some(TokenRow { param: row.small()?, code: row.number()?, system: row.number()?, edge: row.edge()? })
            })?,
            strings: input.list(|row| {
                Some(StringRow { param: row.small()?, folded: row.text()?, exact: row.number()?, edge: row.edge()? })
            })?,
            dates: input.list(|row| {
                Some(DateRow { param: row.small()?, lo_us: row.number()?, hi_us: row.number()?, edge: row.edge()? })
            })?,
            quantities: input.list(|row| {
                let (param, value, code, system) = (row.small()?, row.real()?, row.number()?, row.number()?);
                let (edge, side) = QuantityRow::of_mark(row.byte()?)?;
                Some(QuantityRow { param, value, code, system, edge, side })
            })?,
            references: input.list(|row| Some(ReferenceRow { param: row.small()?, target: row.number()? }))?,
            uris: input.list(|row| Some(UriRow { param: row.small()?, value: row.text()?, edge: row.edge()? }))?,
            composites: input.list(|row| {
                Some(CompositeRow {
                    param: row.small()?,
                    text: row.text()?,
                    code: row.number()?,
                    system: row.number()?,
                    value: row.real()?,
                    upper: row.real()?,
                    low: row.number()?,
                    high: row.number()?,
                })
            })?,
            texts: Vec::new(),
            patients: input
                .list(|row| Some(PatientRow { patient: row.number()?, bond: Bond::from_number(row.byte()?)? }))?,
            positions: Vec::new(),
            words: WordSum::default(),
            word_texts: WordTexts::default(),
            labels: 0,
            consents: Vec::new(),
            deleted_from: Vec::new(),
            contained: Vec::new(),
        };
        rows.words.count = u32::try_from(input.count()?).ok()?;
        if rows.words.count > 0 {
            rows.words.sum = input.number()? as u64;
        }
        while input.0.first().is_some_and(|first| ![CONSENTS, LABELS, DELETED_FROM, CONTAINED].contains(first)) {
            rows.positions.push(PositionRow { x: input.real()?, y: input.real()?, z: input.real()? });
        }
        if input.0.first() == Some(&CONSENTS) {
            input.byte()?;
            rows.consents = input.list(Input::consent)?;
        }
        if input.0.first() == Some(&LABELS) {
            input.byte()?;
            rows.labels = input.small()?;
        }
        if input.0.first() == Some(&DELETED_FROM) {
            input.byte()?;
            rows.deleted_from = input.list(Input::number)?;
        }
        if !input.0.is_empty() {
            input.byte()?;
            rows.contained = input.list(Input::contained)?;
        }
        Some(rows)
    }

    /// The rows of `self` that `other` lacks; both normalized.
    pub(super) fn without(&self, other: &IndexRows) -> IndexRows {
        // The words of a resource are one row.
        let has_other_words = self.words != other.words;
        IndexRows {
            tokens: difference(&self.tokens, &other.tokens),
            strings: difference(&self.strings, &other.strings),
            dates: difference(&self.dates, &other.dates),
            quantities: self.quantities.iter().filter(|row| !other.quantities.contains(row)).copied().collect(),
            references: difference(&self.references, &other.references),
            uris: difference(&self.uris, &other.uris),
            composites: self.composites.iter().filter(|row| !other.composites.contains(row)).cloned().collect(),
            texts: self.texts.clone(),
            patients: difference(&self.patients, &other.patients),
            positions: self.positions.iter().filter(|row| !other.positions.contains(row)).copied().collect(),
            words: if has_other_words { self.words } else { WordSum::default() },
            word_texts: if has_other_words { self.word_texts.clone() } else { WordTexts::default() },
            labels: self.labels,
            consents: difference(&self.consents, &other.consents),
            deleted_from: difference(&self.deleted_from, &other.deleted_from),
            contained: contained::difference(&self.contained, &other.contained),
        }
    }
}

impl IndexRows {
    /// Takes the rows that stand in `gone`, too, but for their edges out of both, and gives them: they are to be
    /// marked anew where they are. Both normalized.
    pub(super) fn take_marked(&mut self, gone: &mut IndexRows) -> IndexRows {
        IndexRows {
            tokens: take_pairs(&mut self.tokens, &mut gone.tokens, |row| (row.param, row.code, row.system)),
            strings: take_pairs(&mut self.strings, &mut gone.strings, |row| (row.param, row.folded.clone(), row.exact)),
            dates: take_pairs(&mut self.dates, &mut gone.dates, |row| (row.param, row.lo_us, row.hi_us)),
            quantities: take_pairs(&mut self.quantities, &mut gone.quantities, |row| {
                (row.param, row.value.to_bits(), row.code, row.system)
            }),
            uris: take_pairs(&mut self.uris, &mut gone.uris, |row| (row.param, row.value.clone())),
            ..IndexRows::default()
        }
    }
}

fn take_pairs<T, K: Eq + Hash>(added: &mut Vec<T>, gone: &mut Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    if added.is_empty() || gone.is_empty() {
        return Vec::new();
    }
    let standing: HashSet<K> = gone.iter().map(&key).collect();
    let (marked, new): (Vec<T>, Vec<T>) = added.drain(..).partition(|row| standing.contains(&key(row)));
    *added = new;
    let kept: HashSet<K> = marked.iter().map(&key).collect();
    gone.retain(|row| !kept.contains(&key(row)));
    marked
}

impl QuantityRow {
    /// A total order; the value by its bits, for rows only need *some* order.
    pub(super) fn order(&self) -> (i16, u64, i64, i64, i16) {
        (self.param, self.value.to_bits(), self.code, self.system, self.mark())
    }
}

impl CompositeRow {
    /// A total order, as that of a quantity.
    fn order(&self) -> (i16, &str, [i64; 6]) {
        (self.param, &self.text, [self.code, self.system, bits(self.value), bits(self.upper), self.low, self.high])
    }
}

fn bits(value: f64) -> i64 {
    value.to_bits() as i64
}

fn difference<T: Ord + Clone>(wanted: &[T], present: &[T]) -> Vec<T> {
    wanted.iter().filter(|row| present.binary_search(row).is_err()).cloned().collect()
}

fn count(length: usize, out: &mut Vec<u8>) {
    let mut rest = length;
    while rest >= 0x80 {
        out.push((rest as u8 & 0x7f) | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn small(value: i16, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Zero, the commonest value of a system, takes one byte, all others nine.
fn number(value: i64, out: &mut Vec<u8>) {
    if value == 0 {
        out.push(0);
    } else {
        out.push(1);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

fn text(value: &str, out: &mut Vec<u8>) {
    count(value.len(), out);
    out.extend_from_slice(value.as_bytes());
}

/// Stands before what is contained; no number begins so.
const CONTAINED: u8 = 2;
/// Stands before the rules of a Consent; no number begins so.
const CONSENTS: u8 = 3;
/// Stands before the labels, where there are any; no number begins so.
const LABELS: u8 = 4;
/// Stands before the Patients whose record a deletion was part of; no number begins so.
const DELETED_FROM: u8 = 5;

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn count(&mut self) -> Option<usize> {
        let mut length = 0usize;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(length);
            }
        }
        None
    }

    fn small(&mut self) -> Option<i16> {
        let (bytes, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(i16::from_le_bytes(*bytes))
    }

    fn edge(&mut self) -> Option<Edge> {
        Edge::from_number(self.byte()?)
    }

    fn real(&mut self) -> Option<f64> {
        Some(f64::from_bits(self.number()? as u64))
    }

    fn number(&mut self) -> Option<i64> {
        if self.byte()? == 0 {
            return Some(0);
        }
        let (bytes, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(i64::from_le_bytes(*bytes))
    }

    fn text(&mut self) -> Option<String> {
        let length = self.count()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(bytes.to_vec()).ok()
    }

    fn consent(&mut self) -> Option<ConsentRow> {
        let mut numbers = [0; 12];
        for number in &mut numbers {
            *number = self.number()?;
        }
        ConsentRow::of_numbers(numbers)
    }

    fn contained(&mut self) -> Option<ContainedRows> {
        let place = i64::try_from(self.count()?).ok()?;
        let head = ContainedHead { rtype: self.small()?, id: self.text()? };
        let length = self.count()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        // Nothing that is contained contains others.
        let rows = IndexRows::decode(bytes).filter(|rows| rows.contained.is_empty())?;
        Some(ContainedRows { place, head: Some(head), rows })
    }

    fn list<T>(&mut self, mut row: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.count()?;
        // A damaged length must not reserve memory: rows take at least one byte each.
        let mut rows = Vec::with_capacity(length.min(self.0.len()));
        for _ in 0..length {
            rows.push(row(self)?);
        }
        Some(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Side;

    fn sample() -> IndexRows {
        let mut rows = IndexRows {
            tokens: vec![
                TokenRow { param: 7, code: -5, system: 0, edge: Edge::Lowest },
                TokenRow { param: 7, code: i64::MAX, system: 9, edge: Edge::Highest },
            ],
            strings: vec![StringRow { param: 1, folded: "müller".to_owned(), exact: 3, edge: Edge::Both }],
            dates: vec![DateRow { param: 2, lo_us: i64::MIN, hi_us: i64::MAX, edge: Edge::Both }],
            quantities: vec![
                QuantityRow { param: 3, value: -1.5, code: 0, system: 4, edge: Edge::Both, side: Side::Whole },
                QuantityRow { param: 3, value: 2.5, code: 0, system: 4, edge: Edge::Highest, side: Side::High },
            ],
            references: vec![ReferenceRow { param: 4, target: 11 }],
            uris: vec![UriRow { param: 5, value: "http://example.org/a".to_owned(), edge: Edge::Neither }],
            composites: vec![CompositeRow { param: 6, code: 1, value: 2.5, low: -3, ..CompositeRow::default() }],
            texts: Vec::new(),
            patients: vec![
                PatientRow { patient: 11, bond: Bond::Both },
                PatientRow { patient: -12, bond: Bond::Owned },
            ],
            positions: Vec::new(),
            words: WordSum { count: 300, sum: u64::MAX - 6 },
            word_texts: WordTexts::default(),
            labels: 0,
            consents: Vec::new(),
            deleted_from: Vec::new(),
            contained: Vec::new(),
        };
        rows.normalize();
        rows
    }

    fn consent(patient: i64, is_exception: bool) -> ConsentRow {
        ConsentRow {
            patient,
            is_exception,
            branch: 1,
            actor: -2,
            rtype: 96,
            item: 0,
            code: 5,
            system: 6,
            ceiling: 2,
            rights: 3,
            from_us: i64::MIN,
            until_us: i64::MAX,
        }
    }

    fn containing() -> IndexRows {
        let head = |id: &str| Some(ContainedHead { rtype: 7, id: id.to_owned() });
        let contained = vec![
            ContainedRows { place: 1, head: head("a"), rows: sample() },
            ContainedRows { place: 300, head: head(""), rows: IndexRows::default() },
        ];
        IndexRows { contained, ..sample() }
    }

    #[test]
    fn rows_survive_the_way_to_bytes_and_back() {
        assert_eq!(IndexRows::decode(&sample().encode()), Some(sample()));
        assert_eq!(IndexRows::decode(&IndexRows::default().encode()), Some(IndexRows::default()));
        let located = IndexRows { positions: vec![PositionRow { x: 0.6, y: 0.0, z: -0.8 }], ..sample() };
        assert_eq!(IndexRows::decode(&located.encode()), Some(located.clone()));
        assert_eq!(IndexRows::decode(&containing().encode()), Some(containing()));
        let consenting = IndexRows { consents: vec![consent(1, false), consent(2, true)], ..sample() };
        assert_eq!(IndexRows::decode(&consenting.encode()), Some(consenting.clone()));
        let all = IndexRows { consents: consenting.consents, labels: 5, ..containing() };
        assert_eq!(IndexRows::decode(&all.encode()), Some(all));
        let deleted = IndexRows { deleted_from: vec![-3, 0, 9], ..IndexRows::default() };
        assert_eq!(IndexRows::decode(&deleted.encode()), Some(deleted));
        let both = IndexRows { contained: containing().contained, ..located };
        assert_eq!(IndexRows::decode(&both.encode()), Some(both));
    }

    #[test]
    fn no_bytes_are_no_rows() {
        assert_eq!(IndexRows::decode(&[]), Some(IndexRows::default()));
    }

    #[test]
    fn rows_of_a_parameter_are_dropped_with_those_for_its_modifiers() {
        let row = |param| TokenRow { param, code: 1, system: 0, edge: Edge::Both };
        let mut rows = IndexRows { tokens: vec![row(7), row(4096), row(4096 + 8192), row(4097)], ..sample() };

        rows.retain(&|param| param != 4096);

        assert_eq!(rows, IndexRows { tokens: vec![row(7), row(4097)], ..sample() });
    }

    #[test]
    fn damaged_bytes_are_noticed() {
        let bytes = sample().encode();

        for length in 1..bytes.len() {
            assert_eq!(IndexRows::decode(&bytes[..length]), None, "cut at {length}");
        }
        let (whole, own) = (containing().encode(), bytes.len());
        for length in own + 1..whole.len() {
            assert_eq!(IndexRows::decode(&whole[..length]), None, "cut at {length}");
        }
    }

    #[test]
    fn only_what_differs_is_left() {
        let old = sample();
        let mut new = sample();
        new.tokens.push(TokenRow { param: 8, code: 1, system: 1, edge: Edge::Both });
        new.quantities.clear();
        new.words.sum = 1;
        new.normalize();

        let added = new.without(&old);
        let gone = old.without(&new);

        assert_eq!(
            added,
            IndexRows {
                tokens: vec![TokenRow { param: 8, code: 1, system: 1, edge: Edge::Both }],
                words: new.words,
                ..IndexRows::default()
            }
        );
        assert_eq!(gone, IndexRows { quantities: old.quantities.clone(), words: old.words, ..IndexRows::default() });
    }

    #[test]
    fn rows_that_differ_by_their_edge_alone_are_marked_anew() {
        let string = |folded: &str, edge| StringRow { param: 1, folded: folded.to_owned(), exact: 2, edge };
        let rows = |strings| IndexRows { strings, ..IndexRows::default() };
        let mut added = rows(vec![string("a", Edge::Lowest), string("b", Edge::Highest)]);
        let mut gone = rows(vec![string("a", Edge::Both), string("c", Edge::Neither)]);

        let marked = added.take_marked(&mut gone);

        assert_eq!(marked, rows(vec![string("a", Edge::Lowest)]));
        assert_eq!(added, rows(vec![string("b", Edge::Highest)]));
        assert_eq!(gone, rows(vec![string("c", Edge::Neither)]));
    }
}
