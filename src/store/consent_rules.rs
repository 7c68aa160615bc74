//! The rules that Consents come to: who is denied what of a record, and what is excepted from that.
//!
//! They are rows of the index of the Consent, written with it, so that they hold from the same moment. Whoever concluded that there
//! are none finds out by the generation of access.
//!
//! Spec: R4 consent.html

use diesel::RunQueryDsl;
use diesel::sql_types::BigInt;

use crate::fhir::ResourceKey;
use crate::store::StoreError;
use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};

/// A rule of a Consent: in a branch of it, what is denied, or excepted from what is denied. Each part bounds what the rule is about;
/// 0 bounds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsentRow {
    /// Whose record it is about, as a reference target.
    pub patient: i64,
    pub is_exception: bool,
    /// Which provision denies; its exceptions have the same.
    pub branch: i16,
    /// Who asks.
    pub actor: i64,
    pub rtype: i16,
    /// A single resource, as a reference target.
    pub item: i64,
    /// A security label that the resource bears, as in a [`crate::store::TokenRow`].
    pub code: i64,
    pub system: i64,
    /// How confidential the resource may be: 1 neither R nor V, 2 not V.
    pub ceiling: i16,
    /// 1 reading, 2 writing, 3 both.
    pub rights: i16,
    /// Microseconds since 1970.
    pub from_us: i64,
    /// First moment when it says nothing more.
    pub until_us: i64,
}

impl ConsentRow {
    /// Its columns but for the resource that it is of, in the order of the table.
    pub(super) fn numbers(&self) -> [i64; 12] {
        [
            self.patient,
            i64::from(self.is_exception),
            i64::from(self.branch),
            self.actor,
            i64::from(self.rtype),
            self.item,
            self.code,
            self.system,
            i64::from(self.ceiling),
            i64::from(self.rights),
            self.from_us,
            self.until_us,
        ]
    }

    /// Reads what `numbers` gives; `None` when they are damaged.
    pub(super) fn of_numbers(numbers: [i64; 12]) -> Option<ConsentRow> {
        let [patient, is_exception, branch, actor, rtype, item, code, system, ceiling, rights, from_us, until_us] =
            numbers;
        let small = |number: i64| i16::try_from(number).ok();
        let (branch, rtype) = (small(branch)?, small(rtype)?);
        let (ceiling, rights, is_exception) = (small(ceiling)?, small(rights)?, is_exception != 0);
        Some(ConsentRow {
            patient,
            is_exception,
            branch,
            actor,
            rtype,
            item,
            code,
            system,
            ceiling,
            rights,
            from_us,
            until_us,
        })
    }
}

impl Reader<'_> {
    /// Whether any Consent denies anything.
    pub fn has_consent_rules(&mut self) -> Result<bool, StoreError> {
        let select = fixed!(BigInt, "SELECT rid FROM consent_rule LIMIT 1", &[]);
        let found: Vec<i64> = on!(self.link, connection => select.load(*connection))?;
        Ok(!found.is_empty())
    }

    /// The targets of the references by which `key`, if it is there, refers to others under the parameter with the number `param`.
    pub fn referred_by(&mut self, key: &ResourceKey, param: i16) -> Result<Vec<i64>, StoreError> {
        let values = [Value::Integer(self.hasher.key(key)), Value::Integer(i64::from(param))];
        let select = fixed!(
            BigInt,
            "SELECT i.target FROM resource r JOIN index_reference i ON i.rid = r.rid WHERE r.key = ? AND i.param = ?",
            &values,
        );
        Ok(on!(self.link, connection => select.load(*connection))?)
    }
}
