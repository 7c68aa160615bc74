//! `_explain=true`: how a search was done, for those who run the server, instead of what it found.
//!
//! Own to this server; docs/api/explain.md. No value of the search is in the answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::access::Caller;
use crate::fhir::ResourceType;
use crate::fhir::json::write;
use crate::http::{HttpError, bundle_writer};
use crate::interactions::{Engine, InteractionError, TracedSearch, search_traced};
use crate::search::{Condition, Criterion, Modifier, SearchRequest, Subject, Values};
use crate::store::{Step, StepAnswer};

const NAME: &str = "_explain";

/// Takes `_explain` out of `query`; true when it asks for an explanation.
pub fn is_asked(query: &mut Vec<(String, String)>) -> Result<bool, HttpError> {
    let values: Vec<String> = query.extract_if(.., |(name, _)| name == NAME).map(|(_, value)| value).collect();
    let refused = |problem: &str| Err(HttpError::Parameter { name: NAME, problem: problem.to_owned() });
    match values.as_slice() {
        [] => Ok(false),
        [value] => match value.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => refused("give true or false"),
        },
        _ => refused("give it only once"),
    }
}

/// Does the search, and tells how: a Parameters resource as compact JSON. `parsing` is how long it took to understand it.
pub fn explain(
    engine: &Engine,
    caller: &Caller,
    request: &SearchRequest,
    parsing: Duration,
) -> Result<Vec<u8>, InteractionError> {
    // The plan tells of all that the search goes past.
    caller.administers()?;
    let TracedSearch { page, steps } = search_traced(engine, caller, request)?;
    let begun = Instant::now();
    let bundle = page.map(|page| bundle_writer::searchset(&engine.fhir.base_url, request, &page, &[]));
    let times = [
        ("parse", parsing),
        ("compile", steps.iter().map(|step| step.prepared).sum()),
        ("statements", steps.iter().map(|step| step.took).sum()),
        ("write", begun.elapsed()),
    ];
    let mut parameters = vec![understood(request)];
    parameters.extend(
        times.iter().map(
            |(name, took)| json!({ "name": "step", "part": [{ "name": "name", "valueCode": name }, micros(*took)] }),
        ),
    );
    parameters.extend(steps.iter().map(statement));
    parameters.push(match bundle {
        Ok(bundle) => json!({ "name": "bytes", "valueInteger": limited(bundle.len() as u128) }),
        Err(costly) => json!({ "name": "ended", "valueString": costly.to_string() }),
    });
    let mut out = Vec::new();
    write(&json!({ "resourceType": "Parameters", "parameter": parameters }), &mut out);
    Ok(out)
}

/// What the search asks for, without the values that it asks for.
fn understood(request: &SearchRequest) -> Value {
    let mut parts = Vec::new();
    for searched in request.resource_type.iter().chain(&request.types) {
        parts.push(json!({ "name": "type", "valueCode": searched.name() }));
    }
    if let Some(compartment) = &request.compartment {
        parts.push(json!({ "name": "compartment", "valueCode": compartment.center.resource_type.name() }));
    }
    for demand in &request.demands {
        parts.push(json!({ "name": "criterion", "valueString": form(&demand.condition) }));
    }
    let shapes = request.used.iter().filter(|(name, _)| is_shape(name));
    parts.extend(shapes.map(|(name, value)| json!({ "name": "shape", "valueString": format!("{name}={value}") })));
    json!({ "name": "request", "part": parts })
}

/// Whether the value of a parameter says how the answer is to look, and nothing of what is searched for.
fn is_shape(name: &str) -> bool {
    let code = name.split(':').next().unwrap_or(name);
    matches!(
        code,
        "_contained"
            | "_containedType"
            | "_count"
            | "_elements"
            | "_include"
            | "_maxresults"
            | "_revinclude"
            | "_sort"
            | "_summary"
            | "_total"
    )
}

/// A condition as it was understood, with the number of its values in place of them.
fn form(condition: &Condition) -> String {
    let typed = |types: &[(ResourceType, Condition)], between: &str| {
        let each: Vec<String> = types.iter().map(|(of, condition)| format!("{of}.{}", form(condition))).collect();
        each.join(between)
    };
    let joined = |conditions: &[Condition], word: &str| {
        let each: Vec<String> = conditions.iter().map(form).collect();
        format!("({})", each.join(word))
    };
    match condition {
        Condition::Criterion(criterion) => form_of_criterion(criterion),
        Condition::Chain(chain) => format!("{} to {}", chain.by.code(), typed(&chain.targets, " or ")),
        Condition::Has(has) => format!("from {}.{} with {}", has.source, has.by.code(), form(&has.condition)),
        Condition::Listed(lists) => format!("_list ({})", lists.len()),
        Condition::And(all) => joined(all, " and "),
        Condition::Or(any) => joined(any, " or "),
        Condition::Not(negated) => format!("not ({})", form(negated)),
        Condition::ByType(types) => typed(types, " or "),
        Condition::Contains(contains) => format!("containing ({})", form(&contains.condition)),
        Condition::Owned(patients) => format!("of records ({})", patients.len()),
        Condition::OfTypes(types) => format!("of types ({})", types.len()),
        Condition::Unlabelled(labels) => format!("without labels ({})", labels.len()),
        Condition::Consented(_, put_to) => format!("not denied by a Consent ({put_to:?})").to_lowercase(),
        Condition::Targets(inner) => format!("about ({})", form(inner)),
        Condition::AttachedTo(inner) => format!("attached to ({})", form(inner)),
        Condition::CreatedBy(_) => "created by the caller".to_owned(),
    }
}

fn form_of_criterion(criterion: &Criterion) -> String {
    let code = match criterion.subject {
        Subject::Id => "_id",
        Subject::LastUpdated => "_lastUpdated",
        Subject::Near => "near",
        Subject::Text => "_text",
        Subject::Content => "_content",
        Subject::Index(parameter) => parameter.code(),
    };
    let modifier = match criterion.modifier {
        None => String::new(),
        Some(Modifier::Missing) => ":missing".to_owned(),
        Some(Modifier::Not) => ":not".to_owned(),
        Some(Modifier::Exact) => ":exact".to_owned(),
        Some(Modifier::Contains) => ":contains".to_owned(),
        Some(Modifier::Below) => ":below".to_owned(),
        Some(Modifier::Above) => ":above".to_owned(),
        Some(Modifier::Type(of)) => format!(":{of}"),
        Some(Modifier::Text) => ":text".to_owned(),
        Some(Modifier::OfType) => ":of-type".to_owned(),
        Some(Modifier::Identifier) => ":identifier".to_owned(),
        Some(Modifier::In) => ":in".to_owned(),
        Some(Modifier::NotIn) => ":not-in".to_owned(),
        // What no modifier says is told as the operators of `_filter`.
        Some(Modifier::Whole) => " eq".to_owned(),
        Some(Modifier::Unequal) => " ne".to_owned(),
        Some(Modifier::Ending) => " ew".to_owned(),
        Some(Modifier::Initial(_)) => " by its first character".to_owned(),
        Some(Modifier::Covering) => " co".to_owned(),
        Some(Modifier::Overlapping) => " po".to_owned(),
    };
    let (kind, values) = match &criterion.values {
        Values::Missing(_) => ("boolean", 1),
        Values::Ids(values) => ("id", values.len()),
        Values::Tokens(values) => ("token", values.len()),
        Values::Strings(values) => ("string", values.len()),
        Values::References(values) => ("reference", values.len()),
        Values::Dates(values) => ("date", values.len()),
        Values::Quantities(values) => ("quantity", values.len()),
        Values::Uris(values) => ("uri", values.len()),
        Values::Near(values) => ("near", values.len()),
        Values::Words(_) => ("words", 1),
        Values::Composites(values) => ("composite", values.len()),
        Values::TypedIdentifiers(values) => ("token", values.len()),
        Values::CodeQueries(values) => ("codes", values.len()),
        Values::Codes(codes) => ("codes", codes.listed.len()),
    };
    format!("{code}{modifier} ({kind}, {values})")
}

fn statement(step: &Step) -> Value {
    let answer = match step.answer {
        StepAnswer::Number(number) => json!({ "name": "number", "valueDecimal": number }),
        StepAnswer::Rows(count) => json!({ "name": "rows", "valueInteger": limited(count as u128) }),
        StepAnswer::Ended => json!({ "name": "ended", "valueBoolean": true }),
    };
    json!({
        "name": "statement",
        "part": [
            { "name": "name", "valueCode": step.part },
            { "name": "text", "valueString": step.statement },
            answer,
            micros(step.took),
            { "name": "plan", "valueString": step.plan },
        ],
    })
}

fn micros(took: Duration) -> Value {
    json!({ "name": "microseconds", "valueInteger": limited(took.as_micros()) })
}

/// As FHIR's integers are, which have 32 bits.
fn limited(number: u128) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_is_taken_out_and_checked() {
        let asked = |values: &[&str]| {
            let mut query: Vec<(String, String)> =
                values.iter().map(|value| (NAME.to_owned(), (*value).to_owned())).collect();
            query.push(("name".to_owned(), "x".to_owned()));
            let asked = is_asked(&mut query);
            assert_eq!(query.len(), 1);
            asked.ok()
        };

        assert_eq!(asked(&[]), Some(false));
        assert_eq!(asked(&["true"]), Some(true));
        assert_eq!(asked(&["false"]), Some(false));
        assert_eq!(asked(&["yes"]), None);
        assert_eq!(asked(&[""]), None);
        assert_eq!(asked(&["true", "true"]), None);
    }
}
