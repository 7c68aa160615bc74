//! Arithmetic, mathematical functions, and the bounds that precision sets.
//!
//! Spec: FHIRPath N1 #math, #math-1; the boundary functions are of FHIRPath 3

use super::Function;
use crate::fhirpath::ast::{Expr, Operator};
use crate::fhirpath::decimal::Decimal;
use crate::fhirpath::evaluate::{Evaluation, Outcome, Scope, single, wrong};
use crate::fhirpath::node::{Items, Node, Scalar, Text};
use crate::fhirpath::temporal::{CalendarUnit, Temporal, TemporalKind};
use crate::fhirpath::units::{self, Unit};

/// Digits after the point that a boundary has unless told otherwise, and may have at most.
const BOUNDARY_SCALE: i64 = 8;
const MAX_BOUNDARY_SCALE: i64 = 28;

pub(super) fn call<'a>(
    evaluation: &Evaluation<'_, 'a>,
    function: Function,
    arguments: &[Expr],
    input: &[Node<'a>],
    scope: Scope<'_, 'a>,
) -> Outcome<'a> {
    let name = function.name();
    let Some(node) = single(input, name)? else { return Ok(Items::Empty) };
    match function {
        Function::LowBoundary | Function::HighBoundary => {
            let digits = match arguments.first() {
                Some(digits) => evaluation.integer(digits, scope, name)?,
                None => None,
            };
            return boundary(node, digits, function == Function::LowBoundary);
        }
        Function::Precision => return precision(node),
        Function::Comparable => {
            let other = evaluation.eval(&arguments[0], scope)?;
            let other = single(&other, name)?.and_then(Node::quantity);
            let (Some((_, unit)), Some((_, other))) = (node.quantity(), other) else { return Ok(Items::Empty) };
            let one = Decimal::integer(1);
            return Ok(units::compare(&(one, unit), &(one, other)).is_some().into());
        }
        Function::Abs => {
            if let Some((value, unit)) = node.quantity() {
                return Ok(Scalar::Quantity(absolute(value), unit).into());
            }
        }
        _ => (),
    }
    let scalar = node.scalar();
    let Some(value) = scalar.as_ref().and_then(Scalar::number) else { return Err(wrong(name, "a number")) };
    let is_integer = matches!(scalar, Some(Scalar::Integer(_)));
    let number = |argument: &Expr| {
        let items = evaluation.eval(argument, scope)?;
        match single(&items, name)? {
            None => Ok(None),
            Some(node) => match node.scalar().and_then(|scalar| scalar.number()) {
                Some(value) => Ok(Some(value)),
                None => Err(wrong(name, "a number")),
            },
        }
    };
    let whole = |value: Decimal| value.to_i64().map(Scalar::Integer);
    let real = |value: f64| Decimal::from_f64(value).map(Scalar::Decimal);
    let result = match function {
        Function::Abs if is_integer => whole(absolute(value)),
        Function::Abs => Some(Scalar::Decimal(absolute(value))),
        Function::Ceiling => whole(value.ceiling()),
        Function::Floor => whole(value.floor()),
        Function::Truncate => whole(value.truncated()),
        Function::Exp => real(value.to_f64().exp()),
        Function::Ln => real(value.to_f64().ln()),
        Function::Sqrt => real(value.to_f64().sqrt()),
        Function::Log => number(&arguments[0])?.and_then(|base| real(value.to_f64().log(base.to_f64()))),
        Function::Power => number(&arguments[0])?.and_then(|exponent| power(value, exponent, is_integer)),
        Function::Round => {
            let digits = match arguments.first() {
                Some(digits) => evaluation.integer(digits, scope, name)?.unwrap_or(0),
                None => 0,
            };
            let digits = u8::try_from(digits).map_err(|_| wrong(name, "a precision of 0 to 255 digits"))?;
            Some(Scalar::Decimal(value.rounded(digits)))
        }
        _ => return super::unsupported(function),
    };
    Ok(result.into())
}

fn absolute(value: Decimal) -> Decimal {
    if value.digits() < 0 { value.negated() } else { value }
}

fn power<'a>(value: Decimal, exponent: Decimal, is_integer: bool) -> Option<Scalar<'a>> {
    let count = exponent.to_i64().and_then(|count| u32::try_from(count).ok()).filter(|count| *count <= 1000);
    let Some(count) = count else {
        return Decimal::from_f64(value.to_f64().powf(exponent.to_f64())).map(Scalar::Decimal);
    };
    let mut result = Decimal::integer(1);
    for _ in 0..count {
        result = result.multiply(value)?;
    }
    if is_integer { result.to_i64().map(Scalar::Integer) } else { Some(Scalar::Decimal(result)) }
}

/// `+ - * / div mod &`.
pub(in crate::fhirpath) fn arithmetic<'a>(
    evaluation: &Evaluation<'_, 'a>,
    operator: Operator,
    left: &[Node<'a>],
    right: &[Node<'a>],
) -> Outcome<'a> {
    let name = operator.text();
    let (left, right) = (single(left, name)?, single(right, name)?);
    if operator == Operator::Concatenate {
        return concatenated(evaluation, left, right, name);
    }
    let (Some(left), Some(right)) = (left, right) else { return Ok(Items::Empty) };
    let (first, second) = (left.scalar(), right.scalar());
    if let (Some(Scalar::Text(_)), Some(Scalar::Text(_)), Operator::Add) = (&first, &second, operator) {
        return concatenated(evaluation, Some(left), Some(right), name);
    }
    if let Some(Scalar::Temporal(temporal)) = first {
        return moved(temporal, right, operator);
    }
    if let (Some(Scalar::Integer(left)), Some(Scalar::Integer(right))) = (&first, &second)
        && operator != Operator::Divide
    {
        return Ok(integers(operator, *left, *right).map(Scalar::Integer).into());
    }
    let numbers = (first.as_ref().and_then(Scalar::number), second.as_ref().and_then(Scalar::number));
    if let (Some(left), Some(right)) = numbers {
        return Ok(decimals(operator, left, right).into());
    }
    let quantity =
        |node: &Node<'a>, number: Option<Decimal>| node.quantity().or_else(|| number.map(|value| (value, Unit::one())));
    match (quantity(left, numbers.0), quantity(right, numbers.1)) {
        (Some(left), Some(right)) => quantities(operator, &left, &right),
        _ => Err(wrong(name, "two numbers, texts or quantities, or a date and a span of time")),
    }
}

fn concatenated<'a>(
    evaluation: &Evaluation<'_, 'a>,
    left: Option<&Node<'a>>,
    right: Option<&Node<'a>>,
    name: &'static str,
) -> Outcome<'a> {
    let mut joined = String::new();
    for node in [left, right].into_iter().flatten() {
        match node.scalar() {
            Some(Scalar::Text(text)) => joined.push_str(&text),
            Some(_) if node.as_str().is_some() => joined.push_str(node.as_str().unwrap_or("")),
            None if node.element().is_some_and(|element| element.value.is_none()) => (),
            _ => return Err(wrong(name, "text")),
        }
    }
    evaluation.spend(joined.len() / 100)?;
    Ok(Scalar::Text(Text::Shared(joined.into())).into())
}

fn integers(operator: Operator, left: i64, right: i64) -> Option<i64> {
    match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Div => left.checked_div(right),
        Operator::Mod => left.checked_rem(right),
        _ => None,
    }
}

fn decimals<'a>(operator: Operator, left: Decimal, right: Decimal) -> Option<Scalar<'a>> {
    match operator {
        Operator::Add => left.add(right).map(Scalar::Decimal),
        Operator::Subtract => left.add(right.negated()).map(Scalar::Decimal),
        Operator::Multiply => left.multiply(right).map(Scalar::Decimal),
        Operator::Divide => left.divide(right).map(Scalar::Decimal),
        Operator::Div => left.divide_whole(right)?.0.to_i64().map(Scalar::Integer),
        Operator::Mod => Some(Scalar::Decimal(left.divide_whole(right)?.1)),
        _ => None,
    }
}

fn quantities<'a>(operator: Operator, left: &(Decimal, Unit), right: &(Decimal, Unit)) -> Outcome<'a> {
    let product = |value: Option<Decimal>, is_quotient: bool| {
        let unit = units::combined(&left.1, &right.1, is_quotient);
        Ok(value.zip(unit).map(|(value, unit)| Scalar::Quantity(value, unit)).into())
    };
    match operator {
        Operator::Multiply => product(left.0.multiply(right.0), false),
        Operator::Divide => product(left.0.divide(right.0), true),
        Operator::Add | Operator::Subtract => {
            // Into the unit of the left side.
            let one = (Decimal::integer(1), left.1.clone());
            let factor = units::aligned(right, &one);
            let other =
                factor.and_then(|(value, unit)| if left.1 == right.1 { Some(right.0) } else { value.divide(unit) });
            let other = if operator == Operator::Subtract { other.map(Decimal::negated) } else { other };
            let sum = other.and_then(|other| left.0.add(other));
            Ok(sum.map(|value| Scalar::Quantity(value, left.1.clone())).into())
        }
        _ => Err(wrong(operator.text(), "numbers")),
    }
}

/// A date, dateTime or time moved by a span of time.
fn moved<'a>(temporal: Temporal, by: &Node<'a>, operator: Operator) -> Outcome<'a> {
    let name = operator.text();
    let wanted = "a date and a span of time in calendar units";
    let (value, unit) = by.quantity().ok_or_else(|| wrong(name, wanted))?;
    let unit = unit.calendar().ok_or_else(|| wrong(name, wanted))?;
    let value = match operator {
        Operator::Add => value,
        Operator::Subtract => value.negated(),
        _ => return Err(wrong(name, "numbers")),
    };
    let is_span_of_day = !matches!(unit, CalendarUnit::Year | CalendarUnit::Month);
    if temporal.kind == TemporalKind::Time && !is_span_of_day {
        return Err(wrong(name, wanted));
    }
    let moved = value.truncated().to_i64().and_then(|amount| temporal.plus(amount, unit));
    Ok(moved.map(Scalar::Temporal).into())
}

fn precision<'a>(node: &Node<'a>) -> Outcome<'a> {
    Ok(match node.scalar() {
        Some(Scalar::Temporal(temporal)) => Scalar::Integer(temporal.digits()).into(),
        Some(Scalar::Decimal(value)) => Scalar::Integer(i64::from(value.scale())).into(),
        Some(Scalar::Integer(_)) => Scalar::Integer(0).into(),
        _ => return Err(wrong("precision", "a decimal, date, dateTime or time")),
    })
}

fn boundary<'a>(node: &Node<'a>, digits: Option<i64>, is_low: bool) -> Outcome<'a> {
    let name = if is_low { "lowBoundary" } else { "highBoundary" };
    if let Some((value, unit)) = node.quantity() {
        let value = decimal_boundary(value, digits.unwrap_or(BOUNDARY_SCALE), is_low);
        return Ok(value.map(|value| Scalar::Quantity(value, unit)).into());
    }
    match node.scalar() {
        Some(Scalar::Temporal(temporal)) => {
            let most = match temporal.kind {
                TemporalKind::Date => 8,
                TemporalKind::DateTime => 17,
                TemporalKind::Time => 9,
            };
            Ok(temporal.boundary(digits.unwrap_or(most), is_low).map(Scalar::Temporal).into())
        }
        Some(scalar) => match scalar.number() {
            Some(value) => {
                let value = decimal_boundary(value, digits.unwrap_or(BOUNDARY_SCALE), is_low);
                Ok(value.map(Scalar::Decimal).into())
            }
            None => Err(wrong(name, "a number, quantity, date, dateTime or time")),
        },
        None => Err(wrong(name, "a number, quantity, date, dateTime or time")),
    }
}

/// Half a unit of the last written digit below (or above), cut to `scale` digits outwards.
fn decimal_boundary(value: Decimal, scale: i64, is_low: bool) -> Option<Decimal> {
    let scale = u8::try_from(scale).ok().filter(|scale| i64::from(*scale) <= MAX_BOUNDARY_SCALE)?;
    let half = Decimal::new(5, value.scale() + 1);
    let bound = value.add(if is_low { half.negated() } else { half })?;
    let shift = 10i128.checked_pow(u32::from(scale))?;
    let scaled = bound.multiply(Decimal::new(shift, 0))?;
    let cut = if is_low { scaled.floor() } else { scaled.ceiling() };
    Some(Decimal::new(cut.digits(), scale))
}
