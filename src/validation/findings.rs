//! The findings about one resource: no repeats, and an end.

use std::collections::HashSet;
use std::fmt::Display;

use crate::fhir::{Issue, IssueCode};

/// How many findings are listed.
const LISTED: usize = 100;

/// How many findings are counted; the check stops there, so that a hostile body can't buy hours of work.
const COUNTED: usize = 10_000;

/// Collects the findings of both passes.
#[derive(Default)]
pub(super) struct Findings {
    issues: Vec<Issue>,
    count: usize,
    /// Element and code of what the JSON Schema pass said: the structure pass doesn't say it again.
    by_schema: HashSet<(String, &'static str)>,
}

impl Findings {
    /// Adds a finding of the JSON Schema pass.
    pub(super) fn add_by_schema(&mut self, code: IssueCode, expression: String, text: String) {
        if self.by_schema.insert((expression.clone(), code.as_str())) {
            self.push(code, expression, text);
        }
    }

    /// Adds a finding of any other pass, unless the schema pass has said the same.
    pub(super) fn add(&mut self, code: IssueCode, element: impl Display, text: impl Into<String>) {
        if self.is_full() {
            return;
        }
        let key = (element.to_string(), code.as_str());
        if self.by_schema.is_empty() || !self.by_schema.contains(&key) {
            self.push(code, key.0, text.into());
        }
    }

    fn push(&mut self, code: IssueCode, expression: String, text: String) {
        self.count += 1;
        if self.issues.len() < LISTED {
            self.issues.push(Issue::error(code, expression, text));
        }
    }

    /// True when looking further makes no sense.
    pub(super) fn is_full(&self) -> bool {
        self.count >= COUNTED
    }

    /// The list, with a last line about what was left out.
    pub(super) fn into_issues(mut self) -> Vec<Issue> {
        let hidden = self.count - self.issues.len();
        if hidden > 0 {
            let at_least = if self.is_full() { "at least " } else { "" };
            self.issues.push(Issue::information(format!("{at_least}{hidden} more findings are not listed")));
        }
        self.issues
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundred_findings_are_listed_and_the_rest_is_counted() {
        let mut findings = Findings::default();
        for index in 0..103 {
            findings.add(IssueCode::Value, format!("Patient.name[{index}]"), "wrong");
        }

        let issues = findings.into_issues();

        assert_eq!(issues.len(), 101);
        assert_eq!(issues[100].text, "3 more findings are not listed");
        assert!(!issues[100].is_error());
    }

    #[test]
    fn finding_of_the_schema_is_not_said_again() {
        let mut findings = Findings::default();
        findings.add_by_schema(IssueCode::Value, "Patient.birthDate".to_owned(), "first".to_owned());
        findings.add(IssueCode::Value, "Patient.birthDate", "second");
        findings.add(IssueCode::Required, "Patient.birthDate", "third");

        let texts: Vec<_> = findings.into_issues().into_iter().map(|issue| issue.text).collect();

        assert_eq!(texts, ["first", "third"]);
    }

    #[test]
    fn counting_ends_somewhere() {
        let mut findings = Findings::default();
        for _ in 0..20_000 {
            findings.add(IssueCode::Value, "Patient", "wrong");
        }

        assert_eq!(findings.into_issues()[100].text, "at least 9900 more findings are not listed");
    }
}
