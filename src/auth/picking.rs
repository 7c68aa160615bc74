//! Whose record it is: those that a person may choose from, and the search among more than a page holds.

use chrono::NaiveDate;
use serde_json::Value;

use crate::access::Caller;
use crate::auth::{AuthError, Desk};
use crate::fhir::{Id, PartialDate, ResourceType};
use crate::search::fold;

/// So many records are shown to choose from.
pub const MOST_RECORDS: usize = 50;
/// What is sought has at most so many characters ..
pub const MOST_SOUGHT: usize = 100;
/// .. and so many words.
const MOST_WORDS: usize = 8;

/// A record that may be chosen.
#[derive(Clone, Debug)]
pub struct RecordChoice {
    /// The id of the Patient.
    pub id: String,
    pub name: String,
}

/// What there is to choose from.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// At most [`MOST_RECORDS`], by family name, and before them what was chosen, if it is none of them.
    pub shown: Vec<RecordChoice>,
    /// There are more than can be shown at once, so that one is searched for.
    pub are_many: bool,
    /// More than are shown have what is sought, or there are more of them all where nothing is sought.
    pub has_more: bool,
    /// What is sought.
    pub sought: Option<String>,
}

impl Records {
    /// The record that it is about, where there is nothing to choose.
    pub fn settled(&self) -> Option<&RecordChoice> {
        match self.shown.as_slice() {
            [only] if !self.are_many => Some(only),
            _ => None,
        }
    }
}

impl Desk<'_> {
    /// The records that the person may choose from; where these are many, those that have what is `sought`.
    pub(super) fn pick(
        &self,
        caller: &Caller,
        sought: Option<&str>,
        chosen: Option<&str>,
    ) -> Result<Records, AuthError> {
        let all = self.some_records(caller, &[])?;
        if all.len() <= MOST_RECORDS {
            return Ok(Records { shown: all, ..Records::default() });
        }
        let sought = sought.map(bounded).filter(|sought| !sought.is_empty());
        let mut shown = match &sought {
            None => all,
            Some(sought) => self.sought(caller, sought)?,
        };
        let has_more = shown.len() > MOST_RECORDS;
        shown.truncate(MOST_RECORDS);
        // What was chosen stays so, also if another search came between.
        let is_elsewhere = |id: &&str| shown.iter().all(|record| record.id != *id);
        if let Some(id) = chosen.filter(is_elsewhere).and_then(|id| Id::parse(id).ok()) {
            shown.splice(0..0, self.records(caller, &[("_id", id.as_str())])?);
        }
        Ok(Records { shown, are_many: true, has_more, sought })
    }

    /// Those whose names begin with the words of `sought`, and who were born on a day among them; or the one with that id.
    fn sought(&self, caller: &Caller, sought: &str) -> Result<Vec<RecordChoice>, AuthError> {
        let words = sought.split_whitespace().take(MOST_WORDS);
        let criteria: Vec<(&str, String)> = words.filter_map(criterion).collect();
        let pairs: Vec<(&str, &str)> = criteria.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut found = if pairs.is_empty() { Vec::new() } else { self.some_records(caller, &pairs)? };
        if let Ok(id) = Id::parse(sought) {
            let by_id = self.records(caller, &[("_id", id.as_str())])?;
            found.retain(|record| by_id.iter().all(|same| same.id != record.id));
            found.splice(0..0, by_id);
        }
        Ok(found)
    }

    /// One more than are shown, so that it is known whether there are more.
    fn some_records(&self, caller: &Caller, criteria: &[(&str, &str)]) -> Result<Vec<RecordChoice>, AuthError> {
        let count = (MOST_RECORDS + 1).to_string();
        let mut query = criteria.to_vec();
        query.extend([("_sort", "family"), ("_count", &count)]);
        self.records(caller, &query)
    }

    /// The records that the person may see, of those that are searched for.
    pub(super) fn records(&self, caller: &Caller, query: &[(&str, &str)]) -> Result<Vec<RecordChoice>, AuthError> {
        let found = self.found(caller, ResourceType::PATIENT, query)?;
        let choice = |patient: &Value| {
            let id = patient["id"].as_str()?.to_owned();
            Some(RecordChoice { id, name: name_of(patient) })
        };
        Ok(found.iter().filter_map(choice).collect())
    }
}

fn bounded(sought: &str) -> String {
    sought.trim().chars().take(MOST_SOUGHT).collect()
}

/// What a word that is sought means in a search; `None` for one that no name has, such as a dash.
fn criterion(word: &str) -> Option<(&'static str, String)> {
    if PartialDate::parse(word).is_ok_and(|date| date.is_date_form()) {
        return Some(("birthdate", word.to_owned()));
    }
    if fold(word).is_empty() {
        return None;
    }
    let mut escaped = String::with_capacity(word.len());
    for character in word.chars() {
        if matches!(character, '\\' | ',' | '|' | '$') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    Some(("name", escaped))
}

/// A person's name as the record has it.
fn name_of(patient: &Value) -> String {
    let name = &patient["name"][0];
    let given = name["given"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let parts: Vec<&str> = given.chain(name["family"].as_str()).collect();
    let said = match name["text"].as_str() {
        Some(text) => text.to_owned(),
        None if parts.is_empty() => format!("Record {}", patient["id"].as_str().unwrap_or_default()),
        None => parts.join(" "),
    };
    // Two people of the same name are told apart by it.
    match patient["birthDate"].as_str() {
        Some(born) => format!("{said}, born {}", in_words(born)),
        None => said,
    }
}

/// A day as people write it; a date that is less precise as it is.
pub(super) fn in_words(date: &str) -> String {
    match NaiveDate::parse_from_str(date, "%Y-%m-%d") {
        Ok(day) => day.format("%-d %B %Y").to_string(),
        Err(_) => date.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_told_by_name_and_birth() {
        let table = [
            (
                json!({ "name": [{ "given": ["Mila"], "family": "Lind" }], "birthDate": "2016-06-30" }),
                "Mila Lind, born 30 June 2016",
            ),
            (json!({ "name": [{ "text": "Mila L." }], "birthDate": "2016" }), "Mila L., born 2016"),
            (json!({ "id": "a" }), "Record a"),
        ];
        for (patient, wanted) in table {
            assert_eq!(name_of(&patient), wanted);
        }
    }

    #[test]
    fn what_is_sought_is_a_name_or_a_day() {
        let of = |word: &str| criterion(word).map(|(name, value)| format!("{name}={value}"));

        assert_eq!(of("Lind").as_deref(), Some("name=Lind"));
        assert_eq!(of("2016-06-30").as_deref(), Some("birthdate=2016-06-30"));
        assert_eq!(of("a,b|c$d\\").as_deref(), Some("name=a\\,b\\|c\\$d\\\\"));
        assert_eq!(of("2016-13-01").as_deref(), Some("name=2016-13-01"));
        assert_eq!(bounded(&format!(" {} ", "é".repeat(200))).chars().count(), MOST_SOUGHT);
    }
}
