//! From one System type to another, and the present time.
//!
//! Spec: FHIRPath N1 #conversion, #current-date-and-time-functions

use super::Function;
use crate::fhirpath::EvaluationError;
use crate::fhirpath::ast::Expr;
use crate::fhirpath::decimal::Decimal;
use crate::fhirpath::evaluate::{Evaluation, Outcome, Scope, single};
use crate::fhirpath::node::{Items, Node, Scalar, Text};
use crate::fhirpath::temporal::{CalendarUnit, Temporal, TemporalKind};
use crate::fhirpath::units::{self, Unit};

type Conversion = for<'a> fn(Scalar<'a>) -> Option<Scalar<'a>>;

pub(super) fn call<'a>(
    evaluation: &Evaluation<'_, 'a>,
    function: Function,
    arguments: &[Expr],
    input: &[Node<'a>],
    scope: Scope<'_, 'a>,
) -> Outcome<'a> {
    let (conversion, is_question): (Conversion, bool) = match function {
        Function::Now => return Ok(Scalar::Temporal(now(evaluation)?).into()),
        Function::Today => return Ok(Scalar::Temporal(now(evaluation)?.date()).into()),
        Function::TimeOfDay => return Ok(now(evaluation)?.time().map(Scalar::Temporal).into()),
        Function::ToBoolean => (to_boolean, false),
        Function::ToInteger => (to_integer, false),
        Function::ToDecimal => (to_decimal, false),
        Function::ToText => (to_text, false),
        Function::ToDate => (to_date, false),
        Function::ToDateTime => (to_date_time, false),
        Function::ToTime => (to_time, false),
        Function::ToQuantity => (to_quantity, false),
        Function::ConvertsToBoolean => (to_boolean, true),
        Function::ConvertsToInteger => (to_integer, true),
        Function::ConvertsToDecimal => (to_decimal, true),
        Function::ConvertsToText => (to_text, true),
        Function::ConvertsToDate => (to_date, true),
        Function::ConvertsToDateTime => (to_date_time, true),
        Function::ConvertsToTime => (to_time, true),
        Function::ConvertsToQuantity => (to_quantity, true),
        _ => return super::unsupported(function),
    };
    let Some(node) = single(input, function.name())? else { return Ok(Items::Empty) };
    let scalar = node.scalar().or_else(|| node.quantity().map(|(value, unit)| Scalar::Quantity(value, unit)));
    let mut converted = scalar.and_then(conversion);
    if let Some(argument) = arguments.first() {
        let wanted = evaluation.eval(argument, scope)?;
        let unit = single(&wanted, function.name())?.and_then(Node::as_str).map(unit_named);
        converted = converted.and_then(|scalar| in_unit(scalar, unit?));
    }
    Ok(if is_question { converted.is_some().into() } else { converted.into() })
}

fn now(evaluation: &Evaluation<'_, '_>) -> Result<Temporal, EvaluationError> {
    evaluation.context.now_us.map(Temporal::instant).ok_or(EvaluationError::NoClock)
}

fn unit_named(text: &str) -> Unit {
    CalendarUnit::named(text).map_or_else(|| Unit::Code(text.into()), Unit::Calendar)
}

fn in_unit(scalar: Scalar<'_>, unit: Unit) -> Option<Scalar<'_>> {
    let Scalar::Quantity(value, own) = scalar else { return None };
    if own == unit {
        return Some(Scalar::Quantity(value, own));
    }
    let (value, one) = units::aligned(&(value, own), &(Decimal::integer(1), unit.clone()))?;
    Some(Scalar::Quantity(value.divide(one)?, unit))
}

fn to_boolean(scalar: Scalar<'_>) -> Option<Scalar<'_>> {
    let value = match &scalar {
        Scalar::Boolean(value) => *value,
        Scalar::Text(text) => match &*text.to_ascii_lowercase() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => true,
            "false" | "f" | "no" | "n" | "0" | "0.0" => false,
            _ => return None,
        },
        _ => match scalar.number()?.to_i64()? {
            0 => false,
            1 => true,
            _ => return None,
        },
    };
    Some(Scalar::Boolean(value))
}

fn to_integer(scalar: Scalar<'_>) -> Option<Scalar<'_>> {
    let value = match scalar {
        Scalar::Integer(value) => value,
        Scalar::Boolean(value) => i64::from(value),
        Scalar::Text(text) => i64::from(text.parse::<i32>().ok()?),
        _ => return None,
    };
    Some(Scalar::Integer(value))
}

fn to_decimal(scalar: Scalar<'_>) -> Option<Scalar<'_>> {
    let value = match scalar {
        Scalar::Boolean(value) => Decimal::integer(i64::from(value)),
        // FHIRPath writes no exponents.
        Scalar::Text(text) if !text.contains(['e', 'E']) => Decimal::parse(&text)?,
        Scalar::Text(_) => return None,
        other => other.number()?,
    };
    Some(Scalar::Decimal(value))
}

fn to_text(scalar: Scalar<'_>) -> Option<Scalar<'_>> {
    Some(match scalar {
        Scalar::Text(text) => Scalar::Text(text),
        other => Scalar::Text(Text::Shared(other.to_text().into())),
    })
}

fn to_date(scalar: Scalar<'_>) -> Option<Scalar<'_>> {
    let value = match scalar {
        Scalar::Temporal(value) if value.kind != TemporalKind::Time => value.date(),
        Scalar::Text(text) => Temporal::parse_date_time(&text)?.date(),
        _ => return None,
    };
    Some(Scalar::Temporal(value))
}

fn to_date_time(scalar: Scalar<'_>) -> Option<Scalar<'_>> {
    let value = match scalar {
        Scalar::Temporal(value) if value.kind != TemporalKind::Time => value.date_time(),
        Scalar::Text(text) => Temporal::parse_date_time(&text)?,
        _ => return None,
    };
    Some(Scalar::Temporal(value))
}

fn to_time(scalar: Scalar<'_>) -> Option<Scalar<'_>> {
    let value = match scalar {
        Scalar::Temporal(value) if value.kind == TemporalKind::Time => value,
        Scalar::Text(text) => Temporal::parse_time(&text)?,
        _ => return None,
    };
    Some(Scalar::Temporal(value))
}

fn to_quantity(scalar: Scalar<'_>) -> Option<Scalar<'_>> {
    let (value, unit) = match scalar {
        Scalar::Quantity(value, unit) => (value, unit),
        Scalar::Boolean(value) => (Decimal::integer(i64::from(value)), Unit::one()),
        Scalar::Text(text) => quantity_written(&text)?,
        other => (other.number()?, Unit::one()),
    };
    Some(Scalar::Quantity(value, unit))
}

/// `1.5 'mg'`, `4 days` or a plain number.
fn quantity_written(text: &str) -> Option<(Decimal, Unit)> {
    let text = text.trim();
    let (number, unit) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    let value = Decimal::parse(number).filter(|_| !number.contains(['e', 'E']))?;
    let unit = match unit.trim_start() {
        "" => Unit::one(),
        quoted if quoted.len() > 2 && quoted.starts_with('\'') && quoted.ends_with('\'') => {
            Unit::Code(quoted[1..quoted.len() - 1].into())
        }
        word => Unit::Calendar(CalendarUnit::named(word)?),
    };
    Some((value, unit))
}
