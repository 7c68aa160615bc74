//! Reading what the server answered.
//!
//! The server may be any: what it says is cut to a length, and nothing in it reaches a terminal but plain text.
//!
//! Spec: R4 http.html#transaction-response, operationoutcome.html

use serde_json::Value;

use crate::load::Reason;
use crate::load::remote::asked::{Asked, Kind};
use crate::load::target::Outcome;

/// No more than so many reasons are taken from one OperationOutcome.
const MOST_REASONS: usize = 20;
/// Longer texts are cut, in characters.
const LONGEST_TEXT: usize = 500;

/// One outcome for each entry, or why that can't be told.
pub(super) fn outcomes(body: &[u8], asked: &[Asked]) -> Result<Vec<Outcome>, Vec<Reason>> {
    let unclear = |text: &str| vec![Reason { expression: None, text: text.to_owned() }];
    let bundle: Value = serde_json::from_slice(body).map_err(|_| unclear("the server's answer is no JSON"))?;
    let entries = bundle.get("entry").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if bundle.get("resourceType").and_then(Value::as_str) != Some("Bundle") || entries.len() != asked.len() {
        return Err(unclear("the server's answer is no Bundle with one entry for each that was sent"));
    }
    Ok(entries.iter().zip(asked).map(|(entry, asked)| outcome(entry, asked)).collect())
}

fn outcome(entry: &Value, asked: &Asked) -> Outcome {
    let response = entry.get("response");
    let status = response.and_then(|response| response.get("status")).and_then(Value::as_str).unwrap_or_default();
    let status: u16 = status.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or_default();
    match (&asked.kind, status) {
        (Kind::Write(name), 200..300) => Outcome::Stored(name.name()),
        (Kind::ConditionalCreate(name), 201) => Outcome::Stored(name.name()),
        (Kind::ConditionalCreate(_), 200..300 | 304) => Outcome::Matched,
        (Kind::Delete, 200..300) => Outcome::Deleted(1),
        (Kind::Other, 200..400) => Outcome::Nothing,
        _ => Outcome::Refused(told(status, response.and_then(|response| response.get("outcome")))),
    }
}

/// The indices of what was done, and of what was refused.
pub(super) fn parted(outcomes: &[Outcome]) -> (Vec<usize>, Vec<usize>) {
    (0..outcomes.len()).partition(|index| !matches!(outcomes[*index], Outcome::Refused(_)))
}

/// Why the server refused the Bundle as a whole.
pub(super) fn reasons(status: u16, body: &[u8]) -> Vec<Reason> {
    told(status, serde_json::from_slice::<Value>(body).ok().as_ref())
}

fn told(status: u16, outcome: Option<&Value>) -> Vec<Reason> {
    let issues = outcome
        .filter(|outcome| outcome.get("resourceType").and_then(Value::as_str) == Some("OperationOutcome"))
        .and_then(|outcome| outcome.get("issue"))
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let is_error = |issue: &&Value| matches!(issue.get("severity").and_then(Value::as_str), Some("error" | "fatal"));
    let reasons: Vec<Reason> = issues.iter().filter(is_error).take(MOST_REASONS).map(reason).collect();
    if reasons.is_empty() {
        return vec![Reason { expression: None, text: format!("the server answered with status {status}") }];
    }
    reasons
}

fn reason(issue: &Value) -> Reason {
    let at = |place: &str| issue.pointer(place).and_then(Value::as_str);
    let text = at("/details/text").or_else(|| at("/diagnostics")).or_else(|| at("/code"));
    Reason {
        expression: at("/expression/0").or_else(|| at("/location/0")).map(plain),
        text: plain(text.unwrap_or("no reason is given")),
    }
}

fn plain(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fhir::ResourceType;

    #[test]
    fn each_entry_is_counted_by_what_it_asked_for() {
        let patient = ResourceType::PATIENT;
        let kinds =
            [Kind::Write(patient), Kind::ConditionalCreate(patient), Kind::ConditionalCreate(patient), Kind::Delete];
        let asked: Vec<Asked> = kinds.into_iter().map(|kind| Asked { kind, is_repeatable: true }).collect();
        let entries =
            ["200 OK", "201", "200 OK", "204 No Content"].map(|status| json!({ "response": { "status": status } }));
        let body = json!({ "resourceType": "Bundle", "entry": entries }).to_string();

        let outcomes = outcomes(body.as_bytes(), &asked).unwrap();

        let stored = Outcome::Stored("Patient");
        assert_eq!(outcomes, [stored, Outcome::Stored("Patient"), Outcome::Matched, Outcome::Deleted(1)]);
    }

    #[test]
    fn an_answer_that_is_not_one_for_each_entry_tells_nothing() {
        let asked = [Asked { kind: Kind::Delete, is_repeatable: true }];
        for body in ["", "<html>", "[]", r#"{"resourceType":"Bundle"}"#, r#"{"resourceType":"Patient","entry":[{}]}"#] {
            assert!(outcomes(body.as_bytes(), &asked).is_err(), "{body}");
        }
    }

    #[test]
    fn reasons_are_plain_text_with_their_places() {
        let issues = json!([
            { "severity": "warning", "code": "invalid", "diagnostics": "only a warning" },
            { "severity": "error", "code": "invalid", "details": { "text": "bad\u{1b}[31m" }, "expression": ["Bundle.entry[1]"] },
            { "severity": "fatal", "code": "exception", "diagnostics": "x".repeat(600) },
        ]);
        let body = json!({ "resourceType": "OperationOutcome", "issue": issues }).to_string();

        let reasons = reasons(400, body.as_bytes());

        assert_eq!(reasons.len(), 2);
        assert_eq!(reasons[0], Reason { expression: Some("Bundle.entry[1]".to_owned()), text: "bad [31m".to_owned() });
        assert_eq!(reasons[1].text.len(), 500);
    }

    #[test]
    fn a_refusal_without_an_outcome_is_told_by_its_status() {
        assert_eq!(reasons(502, b"<html>bad gateway</html>")[0].text, "the server answered with status 502");
    }
}
