//! What a check of the whole database reads: every resource as it stands, and every row of the index.

use diesel::RunQueryDsl;
use diesel::connection::DefaultLoadingMode;
use diesel::pg::PgRowByRowLoadingMode;
use diesel::sql_types::{BigInt, Binary, Double, Nullable, SmallInt, Text};
use siphasher::sip::SipHasher13;
use std::collections::HashMap;
use std::hash::Hasher as _;

use crate::fhir::ResourceKey;
use crate::store::StoreError;
use crate::store::codec;
use crate::store::consent_rules::ConsentRow;
use crate::store::contained::{contained_rid, stored_target};
use crate::store::reader::{Link, Reader, on};
use crate::store::rows::{CompositeRow, IndexRows, ResourceRow, WordSum, WordTexts, key_from, word_hash};
use crate::store::statement::{Fixed, Statement, Value, fixed};

/// A resource with all that stands beside it.
pub struct StoredRow {
    pub rid: i64,
    /// `None` when type or id are damaged.
    pub key: Option<ResourceKey>,
    /// Whether the hash under which it is looked up is that of its key.
    pub is_found_by_key: bool,
    pub version: i64,
    /// An error when it can't be unpacked.
    pub row: Result<ResourceRow, StoreError>,
    /// The labels that the row itself tells.
    pub labels: i16,
    /// `None` when the bytes are damaged.
    pub index_rows: Option<IndexRows>,
}

/// How the rows of one resource number its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub rid: i64,
    pub count: i64,
    pub first: i64,
    pub last: i64,
}

/// A table of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Token,
    String,
    Date,
    Quantity,
    Reference,
    Uri,
    Composite,
    Compartment,
    Position,
    /// A row of it is a word at its place.
    Words,
    Contained,
    Consent,
    DeletedFrom,
}

/// All tables of the index.
pub const TABLES: [Table; 13] = [
    Table::Token,
    Table::String,
    Table::Date,
    Table::Quantity,
    Table::Reference,
    Table::Uri,
    Table::Composite,
    Table::Compartment,
    Table::Position,
    Table::Words,
    Table::Contained,
    Table::Consent,
    Table::DeletedFrom,
];

impl Table {
    /// The name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Table::Token => "index_token",
            Table::String => "index_string",
            Table::Date => "index_date",
            Table::Quantity => "index_quantity",
            Table::Reference => "index_reference",
            Table::Uri => "index_uri",
            Table::Composite => "index_composite",
            Table::Compartment => "compartment",
            Table::Position => "index_position",
            Table::Words => "index_words",
            Table::Contained => "contained",
            Table::Consent => "consent_rule",
            Table::DeletedFrom => "deleted_from",
        }
    }
}

/// What a set of rows comes to, whatever their order: two equal sets have equal fingerprints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    pub count: u64,
    pub sum: u64,
}

impl Fingerprint {
    /// Of one row, given by its hash.
    pub fn of(hash: u64) -> Fingerprint {
        Fingerprint { count: 1, sum: hash }
    }

    /// Takes more rows in.
    pub fn add(&mut self, rows: Fingerprint) {
        self.count += rows.count;
        self.sum = self.sum.wrapping_add(rows.sum);
    }
}

/// Runs `$each` with every row of a statement, without holding them all.
macro_rules! stream {
    ($reader:expr, $sql:ty, $row:ty, $text:expr, $values:expr, $each:expr) => {{
        let select = fixed!($sql, $text, $values);
        match &mut $reader.link {
            Link::Sqlite(connection) => {
                for row in select.load_iter::<$row, DefaultLoadingMode>(*connection)? {
                    $each(row?);
                }
            }
            Link::Postgres(connection) => {
                for row in select.load_iter::<$row, PgRowByRowLoadingMode>(*connection)? {
                    $each(row?);
                }
            }
        }
    }};
}

type SpanSql = (BigInt, BigInt, BigInt, BigInt);
/// The number of a Consent, and those of a rule of it.
type ConsentTuple = (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);

impl Reader<'_> {
    /// The next `limit` resources after number `rid`, deleted ones too, in the order of their numbers.
    pub fn stored_after(&mut self, rid: i64, limit: i64) -> Result<Vec<StoredRow>, StoreError> {
        type Sql =
            (BigInt, BigInt, SmallInt, Text, BigInt, BigInt, SmallInt, SmallInt, SmallInt, Nullable<Binary>, Binary);
        type Row = (i64, i64, i16, String, i64, i64, i16, i16, i16, Option<Vec<u8>>, Vec<u8>);
        let values = [Value::Integer(rid), Value::Integer(limit)];
        let select = fixed!(
            Sql,
            "SELECT rid, key, rtype, id, version, updated_us, method, labels, codec, tail, index_rows FROM resource \
             WHERE rid > ? ORDER BY rid LIMIT ?",
            &values,
        );
        let rows: Vec<Row> = on!(self.link, connection => select.load(*connection))?;
        let hasher = self.hasher;
        let stored = |(rid, hash, rtype, id, version, updated_us, method, labels, codec, tail, index_rows): Row| {
            let key = key_from(rtype, &id);
            StoredRow {
                rid,
                is_found_by_key: key.as_ref().is_some_and(|key| hasher.key(key) == hash),
                key,
                version,
                row: self.row_from((rid, rtype, id, version, updated_us, method, codec, tail)),
                labels,
                index_rows: IndexRows::decode(&index_rows),
            }
        };
        Ok(rows.into_iter().map(stored).collect())
    }

    /// How the older versions of the resources above `after`, up to `until`, are numbered.
    pub fn version_spans(&mut self, after: i64, until: i64) -> Result<Vec<Span>, StoreError> {
        let values = [Value::Integer(after), Value::Integer(until)];
        self.spans(fixed!(
            SpanSql,
            "SELECT rid, COUNT(*), MIN(version), MAX(version) FROM version WHERE rid > ? AND rid <= ? \
             GROUP BY rid ORDER BY rid",
            &values
        ))
    }

    /// How the change log numbers the versions of the resources above `after`, up to `until`.
    pub fn change_spans(&mut self, after: i64, until: i64) -> Result<Vec<Span>, StoreError> {
        let values = [Value::Integer(after), Value::Integer(until)];
        self.spans(fixed!(
            SpanSql,
            "SELECT rid, COUNT(*), MIN(version), MAX(version) FROM change WHERE rid > ? AND rid <= ? \
             GROUP BY rid ORDER BY rid",
            &values
        ))
    }

    fn spans<S: Statement<Rows = SpanSql>>(&mut self, select: Fixed<'_, S>) -> Result<Vec<Span>, StoreError> {
        let rows: Vec<(i64, i64, i64, i64)> = on!(self.link, connection => select.load(*connection))?;
        Ok(rows.into_iter().map(|(rid, count, first, last)| Span { rid, count, first, last }).collect())
    }

    /// Hands each older version of the resources above `after`, up to `until`, to `each`: number of the resource,
    /// version, whether it is a deletion, and the tail.
    pub fn each_older(
        &mut self,
        after: i64,
        until: i64,
        mut each: impl FnMut(i64, i64, bool, Result<Option<Vec<u8>>, StoreError>),
    ) -> Result<(), StoreError> {
        let values = [Value::Integer(after), Value::Integer(until)];
        // None can be asked for while the rows come in.
        self.dictionaries.meet_all(&mut self.link)?;
        let dictionaries = self.dictionaries;
        stream!(
            self,
            (BigInt, BigInt, SmallInt, SmallInt, Nullable<Binary>),
            (i64, i64, i16, i16, Option<Vec<u8>>),
            "SELECT rid, version, method, codec, tail FROM version WHERE rid > ? AND rid <= ?",
            &values,
            |(rid, version, method, packing, tail): (i64, i64, i16, i16, Option<Vec<u8>>)| {
                let dictionary = dictionaries.get(packing);
                let tail = tail.map(|bytes| codec::unpack(packing, bytes, dictionary.as_deref())).transpose();
                each(rid, version, method == 2, tail);
            }
        );
        Ok(())
    }

    /// Hands each row of an index table to `each`: number of the resource, and hash of the row.
    pub fn each_index_row(&mut self, table: Table, mut each: impl FnMut(i64, u64)) -> Result<(), StoreError> {
        let hasher = self.hasher;
        match table {
            Table::Token => stream!(
                self,
                (SmallInt, BigInt, BigInt, BigInt, SmallInt),
                (i16, i64, i64, i64, i16),
                "SELECT param, code, system, rid, edge FROM index_token",
                &[],
                |(param, code, system, rid, edge)| each(rid, token(param, code, system, rid, edge))
            ),
            Table::String => stream!(
                self,
                (SmallInt, Text, BigInt, BigInt, SmallInt),
                (i16, String, i64, i64, i16),
                "SELECT param, folded, exact, rid, edge FROM index_string",
                &[],
                |(param, folded, exact, rid, edge): (i16, String, i64, i64, i16)| {
                    each(rid, text(&folded, &[i64::from(param), exact, rid, i64::from(edge)]));
                }
            ),
            Table::Date => stream!(
                self,
                (SmallInt, BigInt, BigInt, BigInt, SmallInt),
                (i16, i64, i64, i64, i16),
                "SELECT param, lo_us, hi_us, rid, edge FROM index_date",
                &[],
                |(param, lo_us, hi_us, rid, edge)| each(rid, token(param, lo_us, hi_us, rid, edge))
            ),
            Table::Quantity => stream!(
                self,
                (SmallInt, Double, BigInt, BigInt, BigInt, SmallInt),
                (i16, f64, i64, i64, i64, i16),
                "SELECT param, value, code, system, rid, edge FROM index_quantity",
                &[],
                |(param, value, code, system, rid, edge)| each(rid, quantity(param, value, code, system, rid, edge))
            ),
            Table::Reference => stream!(
                self,
                (SmallInt, BigInt, BigInt),
                (i16, i64, i64),
                "SELECT param, target, rid FROM index_reference",
                &[],
                |(param, target, rid)| each(rid, numbers(&[i64::from(param), target, rid]))
            ),
            Table::Uri => stream!(
                self,
                (SmallInt, Text, BigInt, SmallInt),
                (i16, String, i64, i16),
                "SELECT param, value, rid, edge FROM index_uri",
                &[],
                |(param, value, rid, edge): (i16, String, i64, i16)| {
                    each(rid, text(&value, &[i64::from(param), rid, i64::from(edge)]));
                }
            ),
            Table::Composite => stream!(
                self,
                (SmallInt, BigInt, BigInt, Text, Double, Double, BigInt, BigInt, BigInt),
                (i16, i64, i64, String, f64, f64, i64, i64, i64),
                "SELECT param, code, system, text, value, upper, low, high, rid FROM index_composite",
                &[],
                |(param, code, system, text, value, upper, low, high, rid)| {
                    each(rid, composite(&CompositeRow { param, code, system, text, value, upper, low, high }, rid));
                }
            ),
            Table::Compartment => stream!(
                self,
                (BigInt, SmallInt, BigInt, SmallInt),
                (i64, i16, i64, i16),
                "SELECT patient, rtype, rid, bond FROM compartment",
                &[],
                |(patient, rtype, rid, bond)| {
                    each(rid, numbers(&[patient, i64::from(rtype), rid, i64::from(bond)]));
                }
            ),
            Table::Position => stream!(
                self,
                (Double, Double, Double, BigInt),
                (f64, f64, f64, i64),
                "SELECT z, x, y, rid FROM index_position",
                &[],
                |(z, x, y, rid)| each(rid, numbers(&[bits(z), bits(x), bits(y), rid]))
            ),
            Table::Contained => stream!(
                self,
                (BigInt, SmallInt, Text),
                (i64, i16, String),
                "SELECT rid, rtype, id FROM contained",
                &[],
                |(rid, rtype, id): (i64, i16, String)| each(rid, text(&id, &[i64::from(rtype), rid]))
            ),
            Table::DeletedFrom => stream!(
                self,
                (BigInt, BigInt),
                (i64, i64),
                "SELECT rid, patient FROM deleted_from",
                &[],
                |(rid, patient)| each(rid, numbers(&[patient, rid]))
            ),
            Table::Consent => stream!(
                self,
                (
                    BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt,
                    BigInt
                ),
                ConsentTuple,
                "SELECT rid, patient, CAST(is_exception AS BIGINT), CAST(branch AS BIGINT), actor, CAST(rtype AS BIGINT), item, code, \
                 system, CAST(ceiling AS BIGINT), CAST(rights AS BIGINT), from_us, until_us FROM consent_rule",
                &[],
                |row: ConsentTuple| {
                    let (rid, a, b, c, d, e, f, g, h, i, j, k, l) = row;
                    each(rid, numbers(&[a, b, c, d, e, f, g, h, i, j, k, l, rid]));
                }
            ),
            Table::Words => each_word(&mut self.link, |rid, column, place, word| {
                each(rid, of_resource(word_hash(hasher.text(word), column, place), rid));
            })?,
        }
        Ok(())
    }
}

/// Hands each word in the index to `each`: number of the resource, 0 for its narrative or 1, place, and word.
fn each_word(link: &mut Link<'_>, mut each: impl FnMut(i64, u8, i64, &str)) -> Result<(), StoreError> {
    match link {
        Link::Sqlite(connection) => {
            type Sql = (Text, BigInt, Text, BigInt);
            let select = fixed!(Sql, "SELECT term, doc, col, \"offset\" FROM index_words_read", &[]);
            for row in select.load_iter::<(String, i64, String, i64), DefaultLoadingMode>(*connection)? {
                let (word, rid, column, place) = row?;
                each(rid, u8::from(column == "rest"), place, &word);
            }
        }
        Link::Postgres(connection) => {
            let select = fixed!((BigInt, Text, Text), "SELECT rid, narrative, rest FROM index_words", &[]);
            for row in select.load_iter::<(i64, String, String), PgRowByRowLoadingMode>(*connection)? {
                let (rid, narrative, rest) = row?;
                WordTexts { narrative, rest }.each(|column, place, word| each(rid, column, place, word));
            }
        }
    }
    Ok(())
}

/// The words of all resources from the number `first` on, put together again.
pub(super) fn words(link: &mut Link<'_>, first: i64) -> Result<HashMap<i64, WordTexts>, StoreError> {
    let mut placed = Vec::new();
    each_word(link, |rid, column, place, word| {
        if rid >= first {
            placed.push((rid, column, place, word.to_owned()));
        }
    })?;
    placed.sort_unstable();
    let mut words: HashMap<i64, WordTexts> = HashMap::new();
    for (rid, column, _, word) in placed {
        let texts = words.entry(rid).or_default();
        let text = if column == 0 { &mut texts.narrative } else { &mut texts.rest };
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&word);
    }
    Ok(words)
}

impl IndexRows {
    /// Hands what the rows that the resource `rid`, whose type has the number `rtype`, has in each table of the index
    /// come to, piece by piece, with those of what it contains.
    pub fn each_fingerprint(&self, rtype: i16, rid: i64, add: &mut dyn FnMut(Table, Fingerprint)) {
        let WordSum { count, sum } = self.words;
        add(Table::Words, Fingerprint { count: u64::from(count), sum: of_resource(sum, rid) });
        let mut each = |table, hash| add(table, Fingerprint::of(hash));
        for row in &self.tokens {
            each(Table::Token, token(row.param, row.code, row.system, rid, row.edge as i16));
        }
        for row in &self.strings {
            each(Table::String, text(&row.folded, &[i64::from(row.param), row.exact, rid, row.edge as i64]));
        }
        for row in &self.dates {
            each(Table::Date, token(row.param, row.lo_us, row.hi_us, rid, row.edge as i16));
        }
        for row in &self.quantities {
            each(Table::Quantity, quantity(row.param, row.value, row.code, row.system, rid, row.mark()));
        }
        for row in &self.references {
            each(Table::Reference, numbers(&[i64::from(row.param), stored_target(row.target, rid), rid]));
        }
        for row in &self.uris {
            each(Table::Uri, text(&row.value, &[i64::from(row.param), rid, row.edge as i64]));
        }
        for row in &self.composites {
            each(Table::Composite, composite(row, rid));
        }
        for patient in &self.patients {
            each(Table::Compartment, numbers(&[patient.patient, i64::from(rtype), rid, patient.bond as i64]));
        }
        for row in &self.positions {
            each(Table::Position, numbers(&[bits(row.z), bits(row.x), bits(row.y), rid]));
        }
        for row in &self.consents {
            each(Table::Consent, consent(row, rid));
        }
        for patient in &self.deleted_from {
            each(Table::DeletedFrom, numbers(&[*patient, rid]));
        }
        for inner in &self.contained {
            let place = contained_rid(rid, inner.place);
            if let Some(head) = &inner.head {
                add(Table::Contained, Fingerprint::of(text(&head.id, &[i64::from(head.rtype), place])));
            }
            inner.rows.each_fingerprint(rtype, place, add);
        }
    }
}

/// A word's hash, or a sum of them, as that of the resource `rid`. The factor is odd, so that nothing of it is lost, and the
/// same for all words of a resource, so that it does not matter when it comes in.
fn of_resource(words: u64, rid: i64) -> u64 {
    words.wrapping_mul((rid as u64) << 1 | 1)
}

/// Of a token or a date: both are two numbers.
fn token(param: i16, first: i64, second: i64, rid: i64, edge: i16) -> u64 {
    numbers(&[i64::from(param), first, second, rid, i64::from(edge)])
}

fn quantity(param: i16, value: f64, code: i64, system: i64, rid: i64, edge: i16) -> u64 {
    numbers(&[i64::from(param), bits(value), code, system, rid, i64::from(edge)])
}

fn composite(row: &CompositeRow, rid: i64) -> u64 {
    let CompositeRow { param, code, system, text: written, value, upper, low, high } = row;
    text(written, &[i64::from(*param), *code, *system, bits(*value), bits(*upper), *low, *high, rid])
}

fn consent(row: &ConsentRow, rid: i64) -> u64 {
    numbers(&[&row.numbers()[..], &[rid]].concat())
}

/// The databases hold minus zero and zero as one.
fn bits(value: f64) -> i64 {
    (value + 0.0).to_bits() as i64
}

fn numbers(values: &[i64]) -> u64 {
    let mut hasher = SipHasher13::new();
    values.iter().for_each(|value| hasher.write_i64(*value));
    hasher.finish()
}

fn text(text: &str, values: &[i64]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(text.as_bytes());
    values.iter().for_each(|value| hasher.write_i64(*value));
    hasher.finish()
}
