//! What an operator of `_filter` means for each kind of parameter.
//!
//! Spec: R4 search_filter.html#ops

use crate::fhir::ResourceType;
use crate::search::fold::fold;
use crate::search::parse::ParseContext;
use crate::search::parse::filter::Operator;
use crate::search::parse::values;
use crate::search::query_text::split;
use crate::search::{Condition, Criterion, Modifier, Parameter, ParameterKind, Prefix, Subject, Values};

/// "For convenience", what stands for the whole name of a code system.
const NAMESPACES: [(&str, &str); 4] = [
    ("loinc", "http://loinc.org"),
    ("snomed", "http://snomed.info/sct"),
    ("rxnorm", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("ucum", "http://unitsofmeasure.org"),
];

/// Why something can't be compared.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// The operator is not for this kind of parameter; tells which are.
    Operator(String),
    Value(String),
    /// The specification has it, this server does not.
    Unsupported(&'static str),
}

/// What `subject operator value` demands. `of` is the type whose parameter it is, `code` its name.
pub(super) fn condition(
    of: Option<ResourceType>,
    subject: Subject,
    code: &str,
    operator: Operator,
    value: &str,
    context: &ParseContext<'_>,
) -> Result<Condition, Misfit> {
    let criterion = Condition::Criterion(criterion(of, subject, code, operator, value, context)?);
    if operator != Operator::Ni {
        return Ok(criterion);
    }
    // "None of the concepts": there are some.
    let presence = Criterion { subject, modifier: Some(Modifier::Missing), values: Values::Missing(false), size: None };
    Ok(Condition::And(vec![Condition::Criterion(presence), criterion]))
}

fn criterion(
    of: Option<ResourceType>,
    subject: Subject,
    code: &str,
    operator: Operator,
    value: &str,
    context: &ParseContext<'_>,
) -> Result<Criterion, Misfit> {
    let kind = match subject {
        Subject::Id => ParameterKind::Token,
        Subject::LastUpdated => ParameterKind::Date,
        Subject::Near | Subject::Text | Subject::Content => ParameterKind::Special,
        Subject::Index(parameter) => parameter.kind,
    };
    let (modifier, prefix) = match (kind, operator) {
        (_, Operator::Pr) if operators(subject, kind).contains(&Operator::Pr) => {
            let values = match value.to_ascii_lowercase().as_str() {
                "true" => Values::Missing(false),
                "false" => Values::Missing(true),
                _ => return Err(Misfit::Value("'pr' takes true or false".to_owned())),
            };
            return Ok(Criterion { subject, modifier: Some(Modifier::Missing), values, size: None });
        }
        (ParameterKind::Number, Operator::Co) => {
            return Err(Misfit::Unsupported("comparing with the precision in which a number was given ('co')"));
        }
        _ if !operators(subject, kind).contains(&operator) => return Err(unfit(subject, kind, code, operator)),
        (ParameterKind::String, Operator::Eq) => (Some(Modifier::Whole), None),
        (ParameterKind::String, Operator::Co) => (Some(Modifier::Contains), None),
        (ParameterKind::String, Operator::Ew) => (Some(Modifier::Ending), None),
        (ParameterKind::String, Operator::Sw) => (None, None),
        (ParameterKind::String, Operator::Gt) => (Some(Modifier::Initial(Prefix::Gt)), None),
        (ParameterKind::String, Operator::Lt) => (Some(Modifier::Initial(Prefix::Lt)), None),
        (ParameterKind::String, Operator::Ge) => (Some(Modifier::Initial(Prefix::Ge)), None),
        (ParameterKind::String, Operator::Le) => (Some(Modifier::Initial(Prefix::Le)), None),
        // Each resource has one id, so that an unequal one is no equal one.
        (ParameterKind::Token, Operator::Ne) if matches!(subject, Subject::Id) => (Some(Modifier::Not), None),
        (ParameterKind::Token | ParameterKind::String, Operator::Ne) => (Some(Modifier::Unequal), None),
        (ParameterKind::Token, Operator::Ss) => (Some(Modifier::Below), None),
        (ParameterKind::Token, Operator::Sb) => (Some(Modifier::Above), None),
        (ParameterKind::Token, Operator::In) => (Some(Modifier::In), None),
        (ParameterKind::Token, Operator::Ni) => (Some(Modifier::NotIn), None),
        (ParameterKind::Date, Operator::Co) => (Some(Modifier::Covering), Some(Prefix::Eq)),
        (ParameterKind::Date, Operator::Po) => (Some(Modifier::Overlapping), Some(Prefix::Eq)),
        (_, operator) => (None, prefix(operator)),
    };
    let value = &*spelled(kind, value);
    let values = match (kind, prefix) {
        (ParameterKind::String, _) if fold(value).is_empty() => {
            Err("it needs a letter or a digit: case, accents and punctuation are not compared".to_owned())
        }
        (ParameterKind::String, _) => Ok(Values::Strings(vec![value.to_owned()])),
        (ParameterKind::Uri, _) => Ok(Values::Uris(vec![value.to_owned()])),
        (ParameterKind::Date, Some(prefix)) => values::date(prefix, value).map(|date| Values::Dates(vec![date])),
        _ if split(value, ',').nth(1).is_some() => {
            Err("a comparison has one value: join two comparisons with 'or', or \
             write '\\,' for a comma in the value"
                .to_owned())
        }
        (ParameterKind::Number, Some(prefix)) => {
            values::number(prefix, value).map(|number| Values::Quantities(vec![number]))
        }
        (ParameterKind::Quantity, Some(prefix)) => {
            values::quantity(prefix, value).map(|quantity| Values::Quantities(vec![quantity]))
        }
        (ParameterKind::Token, None) if modifier.is_some_and(asks_terminology) => {
            values::read(of, subject, modifier, &[value], context)
        }
        _ => values::read(of, subject, None, &[value], context),
    };
    Ok(Criterion { subject, modifier, values: values.map_err(Misfit::Value)?, size: None })
}

fn asks_terminology(modifier: Modifier) -> bool {
    matches!(modifier, Modifier::Below | Modifier::Above | Modifier::In | Modifier::NotIn)
}

/// The operators that a parameter of this kind takes. The specification says nothing of uris and composites: they are
/// what they are, or not there.
fn operators(subject: Subject, kind: ParameterKind) -> &'static [Operator] {
    use Operator::*;
    match kind {
        ParameterKind::Token if has_concepts(subject) => &[Eq, Ne, Ss, Sb, In, Ni, Pr],
        ParameterKind::String => &[Eq, Ne, Co, Sw, Ew, Gt, Lt, Ge, Le, Pr],
        ParameterKind::Number | ParameterKind::Quantity => &[Eq, Ne, Gt, Lt, Ge, Le, Ap, Sa, Eb, Pr],
        ParameterKind::Date => &[Eq, Ne, Co, Gt, Lt, Ge, Le, Ap, Sa, Eb, Po, Pr],
        ParameterKind::Token => &[Eq, Ne, Pr],
        ParameterKind::Reference => &[Re, Pr],
        ParameterKind::Uri | ParameterKind::Composite => &[Eq, Pr],
        ParameterKind::Special => &[],
    }
}

/// Whether some of the tokens are codes of code systems that the index knows.
fn has_concepts(subject: Subject) -> bool {
    matches!(subject, Subject::Index(Parameter { tokens, .. }) if tokens.are_of_systems)
}

fn unfit(subject: Subject, kind: ParameterKind, code: &str, operator: Operator) -> Misfit {
    let (operator, names) =
        (operator.name(), operators(subject, kind).iter().map(|operator| operator.name()).collect::<Vec<_>>());
    let kind = match kind {
        ParameterKind::Token => "a token",
        ParameterKind::String => "a string",
        ParameterKind::Reference => "a reference",
        ParameterKind::Date => "a date",
        ParameterKind::Number => "a number",
        ParameterKind::Quantity => "a quantity",
        ParameterKind::Uri => "a uri",
        ParameterKind::Composite => "a composite",
        ParameterKind::Special => "special",
    };
    Misfit::Operator(match names.as_slice() {
        [] => format!("'{code}' is {kind} and can't be part of a filter: give it as a parameter of its own"),
        names => format!("'{operator}' does not compare '{code}', which is {kind}: it takes {}", names.join(", ")),
    })
}

fn prefix(operator: Operator) -> Option<Prefix> {
    Some(match operator {
        Operator::Eq => Prefix::Eq,
        Operator::Ne => Prefix::Ne,
        Operator::Gt => Prefix::Gt,
        Operator::Lt => Prefix::Lt,
        Operator::Ge => Prefix::Ge,
        Operator::Le => Prefix::Le,
        Operator::Sa => Prefix::Sa,
        Operator::Eb => Prefix::Eb,
        Operator::Ap => Prefix::Ap,
        _ => return None,
    })
}

/// The value with the whole names of code systems where their short ones stand.
fn spelled(kind: ParameterKind, value: &str) -> String {
    let places: &[usize] = match kind {
        ParameterKind::Token => &[0],
        ParameterKind::Quantity => &[1],
        ParameterKind::Composite => &[0, 1],
        _ => return value.to_owned(),
    };
    let component = |component: &str| {
        let mut pieces: Vec<&str> = split(component, '|').collect();
        // What stands last is a code or a number, not a system.
        let last = pieces.len() - 1;
        for place in places.iter().filter(|place| **place < last) {
            let known = NAMESPACES.iter().find(|(short, _)| short.eq_ignore_ascii_case(pieces[*place]));
            pieces[*place] = known.map_or(pieces[*place], |(_, whole)| whole);
        }
        pieces.join("|")
    };
    match kind {
        ParameterKind::Composite => split(value, '$').map(component).collect::<Vec<_>>().join("$"),
        _ => component(value),
    }
}
