//! The search parameters that clients defined.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, SmallInt, Text};

use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::tx::Numbered;
use crate::store::{Locked, StoreError, Tx};

/// The first number that an own parameter has in index rows; those of the specification lie below.
pub const FIRST_OWN_NUMBER: i16 = 4096;
/// The last number. None is given twice, so that rows of an old definition are never taken for those of a new one.
pub const LAST_OWN_NUMBER: i16 = 8191;

/// Whether an own parameter can be searched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterState {
    /// Resources that were there before it have no rows for it yet.
    Pending = 0,
    Ready = 1,
    /// No longer in force; rows may still be there.
    Retired = 2,
}

/// What a SearchParameter puts in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub url: String,
    /// All that matters for rows and searches; equal texts are equal definitions.
    pub text: String,
}

/// An own parameter as the database keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredParameter {
    /// Stands for it in index rows.
    pub number: i16,
    /// The id of the SearchParameter.
    pub id: String,
    /// Empty once it is retired.
    pub text: String,
    pub state: ParameterState,
    /// From which generation on rows are made for it.
    pub generation: i64,
}

impl Reader<'_> {
    /// All own parameters that ever were, by number.
    pub fn own_parameters(&mut self) -> Result<Vec<StoredParameter>, StoreError> {
        let select = fixed!(
            (SmallInt, Text, Text, SmallInt, BigInt),
            "SELECT p.number, r.id, CASE WHEN p.state = 2 THEN '' ELSE p.definition END, p.state, p.generation \
             FROM own_parameter p JOIN resource r ON r.rid = p.rid ORDER BY p.number",
            &[],
        );
        let rows: Vec<(i16, String, String, i16, i64)> = on!(self.link, connection => select.load(*connection))?;
        rows.into_iter()
            .map(|(number, id, text, state, generation)| {
                let state = match state {
                    0 => ParameterState::Pending,
                    1 => ParameterState::Ready,
                    2 => ParameterState::Retired,
                    other => return Err(StoreError::Damaged(format!("state {other} of search parameter {number}"))),
                };
                Ok(StoredParameter { number, id, text, state, generation })
            })
            .collect()
    }

    /// Whether another resource than `here` has put a parameter with this URL in force.
    pub fn is_defined_elsewhere(&mut self, url: &str, here: Option<&Locked>) -> Result<bool, StoreError> {
        // Numbers of resources begin with 1.
        let values = [Value::Text(url), Value::Integer(here.map_or(0, |here| here.rid))];
        let select =
            fixed!(BigInt, "SELECT COUNT(*) FROM own_parameter WHERE url = ? AND state <> 2 AND rid <> ?", &values);
        let others: i64 = on!(self.link, connection => select.get_result(*connection))?;
        Ok(others > 0)
    }
}

impl Tx<'_> {
    /// Puts in force, or takes out of it, what the SearchParameters among `writes` say.
    pub(super) fn follow_definitions(&mut self, writes: &[Numbered]) -> Result<(), StoreError> {
        let mut changes = Vec::new();
        for write in writes.iter().filter(|write| write.put.key.resource_type.name() == "SearchParameter") {
            let standing = self.standing_definition(write.rid)?;
            let wanted = write.put.definition.as_ref();
            if standing.as_deref() != wanted.map(|definition| definition.text.as_str()) {
                changes.push((write, standing.is_some()));
            }
        }
        let Some((first, _)) = changes.first() else { return Ok(()) };
        let generation = self.next_rules(first.put.rules)?;
        for (write, _) in changes.iter().filter(|(_, is_standing)| *is_standing) {
            let values = [Value::Integer(write.rid)];
            let retire = fixed!((), "UPDATE own_parameter SET state = 2 WHERE rid = ? AND state <> 2", &values);
            on!(self.reader.link, connection => retire.execute(*connection))?;
        }
        for (write, _) in changes {
            if let Some(definition) = &write.put.definition {
                self.define(write.rid, definition, generation)?;
            }
        }
        Ok(())
    }

    fn standing_definition(&mut self, rid: i64) -> Result<Option<String>, StoreError> {
        let values = [Value::Integer(rid)];
        let select = fixed!(Text, "SELECT definition FROM own_parameter WHERE rid = ? AND state <> 2", &values);
        let found: Vec<String> = on!(self.reader.link, connection => select.load(*connection))?;
        Ok(found.into_iter().next())
    }

    fn define(&mut self, rid: i64, definition: &Definition, generation: i64) -> Result<(), StoreError> {
        let select = fixed!(BigInt, "SELECT CAST(COALESCE(MAX(number) + 1, 0) AS BIGINT) FROM own_parameter", &[]);
        let next: i64 = on!(self.reader.link, connection => select.get_result(*connection))?;
        let number = next.max(i64::from(FIRST_OWN_NUMBER));
        if number > i64::from(LAST_OWN_NUMBER) {
            return Err(StoreError::Damaged("the database is out of numbers for search parameters".to_owned()));
        }
        let values = [
            Value::Integer(number),
            Value::Integer(rid),
            Value::Text(&definition.url),
            Value::Text(&definition.text),
            Value::Integer(generation),
        ];
        let insert = fixed!(
            (),
            "INSERT INTO own_parameter (number, rid, url, definition, state, generation) VALUES (?, ?, ?, ?, 0, ?)",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        Ok(())
    }

    /// Opens the parameters `numbers` to searches: each resource has its rows for them. With `is_whole`, each has its rows
    /// for all parameters.
    pub fn ready(&mut self, numbers: &[i16], is_whole: bool) -> Result<(), StoreError> {
        self.has_written = true;
        for number in numbers {
            let values = [Value::Integer(i64::from(*number))];
            let update = fixed!((), "UPDATE own_parameter SET state = 1 WHERE number = ? AND state = 0", &values);
            on!(self.reader.link, connection => update.execute(*connection))?;
        }
        if !numbers.is_empty() {
            self.next_rules(None)?;
        }
        if is_whole {
            let update = fixed!((), "UPDATE index_rules SET is_stale = 0 WHERE is_stale <> 0", &[]);
            on!(self.reader.link, connection => update.execute(*connection))?;
        }
        Ok(())
    }
}
