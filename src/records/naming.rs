//! How people, records and reasons are named: each a type that only parsing makes.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::fhir::{Id, ResourceType};

/// A text that can't be used, and what would do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct NotUsable(pub(super) &'static str);

/// RFC 5321 section 4.5.3.1: the longest address.
const EMAIL_BYTES: usize = 254;
const NAME_CHARACTERS: usize = 200;
const REASON_CHARACTERS: usize = 500;

/// An e-mail address, trimmed and in lower case: what an account is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl FromStr for Email {
    type Err = NotUsable;

    fn from_str(text: &str) -> Result<Email, NotUsable> {
        let text = text.trim().to_lowercase();
        let is_part = |part: &str| {
            let is_odd =
                |letter: char| letter.is_whitespace() || letter.is_control() || is_unseen(letter) || letter == '@';
            !part.is_empty() && !part.contains(is_odd)
        };
        // What lies behind the @ is for the mail system to judge.
        let is_address = text.split_once('@').is_some_and(|(local, domain)| is_part(local) && is_part(domain));
        if is_address && text.len() <= EMAIL_BYTES {
            Ok(Email(text))
        } else {
            Err(NotUsable("an e-mail address has one @ with something on both sides, no spaces, and at most 254 bytes"))
        }
    }
}

impl Email {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What people read for an account or a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl FromStr for Name {
    type Err = NotUsable;

    fn from_str(text: &str) -> Result<Name, NotUsable> {
        let wrong = NotUsable(
            "a name has 1 to 200 characters, none of them a line break, a control character or one that can't be seen",
        );
        shown(text, NAME_CHARACTERS).map(Name).ok_or(wrong)
    }
}

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why access is given or asked for, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

impl FromStr for Reason {
    type Err = NotUsable;

    fn from_str(text: &str) -> Result<Reason, NotUsable> {
        let wrong = NotUsable(
            "a reason has 1 to 500 characters, none of them a line break, a control character or one that can't be seen",
        );
        shown(text, REASON_CHARACTERS).map(Reason).ok_or(wrong)
    }
}

impl Reason {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `text` without space around it, if it can be shown on a line, as it is written.
fn shown(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    let fits = !text.chars().all(is_joiner) && text.chars().count() <= most;
    let is_odd = |letter: char| letter.is_control() || is_unseen(letter);
    (fits && !text.contains(is_odd)).then(|| text.to_owned())
}

/// Whether a character shows nothing, begins another line, or turns what stands behind it: by these a text looks like what it is not.
///
/// Spec: UAX #9 section 2; Unicode default ignorable code points
fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Persian and the scripts of India write with these between letters, so that they stay; alone they show nothing.
fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200c}' | '\u{200d}')
}

/// A record, written as the Patient that it is: `Patient/ID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordId(pub Id);

impl FromStr for RecordId {
    type Err = NotUsable;

    fn from_str(text: &str) -> Result<RecordId, NotUsable> {
        let id = text.strip_prefix("Patient/").and_then(|id| Id::parse(id).ok());
        id.map(RecordId).ok_or(NotUsable("a record is named by its Patient: Patient/ID"))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Patient/{}", self.0)
    }
}

/// Who somebody is as a resource, such as `Practitioner/7`.
///
/// Spec: SMART App Launch 2.2 scopes-and-launch-context.html#scopes-for-requesting-identity-data
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FhirUser(String);

impl FromStr for FhirUser {
    type Err = NotUsable;

    fn from_str(text: &str) -> Result<FhirUser, NotUsable> {
        const TYPES: [&str; 5] = ["Patient", "Person", "Practitioner", "PractitionerRole", "RelatedPerson"];
        let is_user = text.split_once('/').is_some_and(|(type_name, id)| {
            let is_type = ResourceType::parse(type_name).is_ok_and(|known| TYPES.contains(&known.name()));
            is_type && Id::parse(id).is_ok()
        });
        if is_user {
            Ok(FhirUser(text.to_owned()))
        } else {
            Err(NotUsable("use TYPE/ID of a Patient, Person, Practitioner, PractitionerRole or RelatedPerson"))
        }
    }
}

impl FhirUser {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_trimmed_and_in_lower_case() {
        assert_eq!("  Anna@Example.org ".parse::<Email>().unwrap().as_str(), "anna@example.org");
        assert_eq!("ÄNNE@example.org".parse::<Email>().unwrap().as_str(), "änne@example.org");
        let long = format!("{}@example.org", "a".repeat(250));
        for wrong in ["", "anna", "@example.org", "anna@", "a@b@c", "an na@example.org", "a\n@example.org", &long] {
            assert!(wrong.parse::<Email>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_and_a_reason_fit_on_a_line() {
        assert_eq!(" Anna ".parse::<Name>().unwrap().as_str(), "Anna");
        assert!("é".repeat(200).parse::<Name>().is_ok());
        assert!(["می\u{200c}خواهم", "רות", "👩\u{200d}👧"].iter().all(|right| right.parse::<Name>().is_ok()));
        for wrong in [
            "",
            "  ",
            "a\nb",
            "a\u{1b}[31m",
            &"a".repeat(201),
            "\u{202e}evil",
            "e\u{200b}vil",
            "a\u{2028}b",
            "\u{2066}a\u{2069}",
            "\u{200d}",
            "\u{3164}",
        ] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong}");
        }
        assert!("a".repeat(500).parse::<Reason>().is_ok() && "a".repeat(501).parse::<Reason>().is_err());
    }

    #[test]
    fn a_record_is_a_patient() {
        assert_eq!("Patient/a-1".parse::<RecordId>().unwrap().to_string(), "Patient/a-1");
        for wrong in ["a-1", "Patient/", "Patient/a/b", "Observation/1", "patient/1", "Patient/a_b"] {
            assert!(wrong.parse::<RecordId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_user_is_one_of_five_types() {
        for right in ["Patient/1", "Person/1", "Practitioner/1", "PractitionerRole/1", "RelatedPerson/1"] {
            assert_eq!(right.parse::<FhirUser>().unwrap().as_str(), right);
        }
        for wrong in ["Organization/1", "Practitioner", "Practitioner/", "https://a.example/Patient/1"] {
            assert!(wrong.parse::<FhirUser>().is_err(), "{wrong}");
        }
    }
}
