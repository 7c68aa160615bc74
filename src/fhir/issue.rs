//! Findings about a request or a resource, and the OperationOutcome that carries them.
//!
//! Spec: R4 operationoutcome.html

use serde_json::{Value, json};

/// How bad a finding is.
///
/// Spec: R4 valueset-issue-severity.html
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Fatal,
    Error,
    Warning,
    Information,
}

/// What kind of finding it is; the names are those of the specification.
///
/// Spec: R4 valueset-issue-type.html
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueCode {
    Invalid,
    Structure,
    Required,
    Value,
    Invariant,
    Security,
    Login,
    Forbidden,
    Processing,
    NotSupported,
    Duplicate,
    MultipleMatches,
    NotFound,
    Deleted,
    TooLong,
    CodeInvalid,
    Extension,
    TooCostly,
    BusinessRule,
    Conflict,
    Transient,
    LockError,
    Exception,
    Timeout,
    Throttled,
    Informational,
}

impl IssueCode {
    /// The code as it stands in `OperationOutcome.issue.code`.
    pub fn as_str(self) -> &'static str {
        match self {
            IssueCode::Invalid => "invalid",
            IssueCode::Structure => "structure",
            IssueCode::Required => "required",
            IssueCode::Value => "value",
            IssueCode::Invariant => "invariant",
            IssueCode::Security => "security",
            IssueCode::Login => "login",
            IssueCode::Forbidden => "forbidden",
            IssueCode::Processing => "processing",
            IssueCode::NotSupported => "not-supported",
            IssueCode::Duplicate => "duplicate",
            IssueCode::MultipleMatches => "multiple-matches",
            IssueCode::NotFound => "not-found",
            IssueCode::Deleted => "deleted",
            IssueCode::TooLong => "too-long",
            IssueCode::CodeInvalid => "code-invalid",
            IssueCode::Extension => "extension",
            IssueCode::TooCostly => "too-costly",
            IssueCode::BusinessRule => "business-rule",
            IssueCode::Conflict => "conflict",
            IssueCode::Transient => "transient",
            IssueCode::LockError => "lock-error",
            IssueCode::Exception => "exception",
            IssueCode::Timeout => "timeout",
            IssueCode::Throttled => "throttled",
            IssueCode::Informational => "informational",
        }
    }
}

/// One finding. `text` is for people: what is wrong and what would be right, without the content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    pub severity: Severity,
    pub code: IssueCode,
    /// FHIRPath of the element, such as `Patient.contact[2].name`; `None` when it concerns no element.
    pub expression: Option<String>,
    pub text: String,
}

impl Issue {
    /// A finding that refuses the request, at the element `expression`.
    pub fn error(code: IssueCode, expression: impl Into<String>, text: impl Into<String>) -> Issue {
        Issue { severity: Severity::Error, code, expression: Some(expression.into()), text: text.into() }
    }

    /// A finding that refuses the request and concerns no element of a resource.
    pub fn request(code: IssueCode, text: impl Into<String>) -> Issue {
        Issue { severity: Severity::Error, code, expression: None, text: text.into() }
    }

    /// A finding that refuses nothing.
    pub fn information(text: impl Into<String>) -> Issue {
        Issue { severity: Severity::Information, code: IssueCode::Informational, expression: None, text: text.into() }
    }

    /// True when this finding refuses the request.
    pub fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Fatal | Severity::Error)
    }

    /// The same finding about a resource that stands at `place` in a larger one, as in
    /// `Bundle.entry[3].resource` for a path that begins with the resource's type.
    #[must_use]
    pub fn within(mut self, place: &str) -> Issue {
        self.expression = Some(match self.expression.as_deref().and_then(|path| path.split_once('.')) {
            Some((_, rest)) => format!("{place}.{rest}"),
            None => place.to_owned(),
        });
        self
    }
}

/// The OperationOutcome that carries `issues`.
pub fn outcome(issues: &[Issue]) -> Value {
    let issues: Vec<Value> = issues
        .iter()
        .map(|issue| {
            let severity = match issue.severity {
                Severity::Fatal => "fatal",
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Information => "information",
            };
            let mut entry = json!({
                "severity": severity,
                "code": issue.code.as_str(),
                "details": { "text": issue.text },
                "diagnostics": issue.text,
            });
            if let Some(expression) = &issue.expression {
                entry["expression"] = json!([expression]);
            }
            entry
        })
        .collect();
    json!({ "resourceType": "OperationOutcome", "issue": issues })
}
