//! Equality, equivalence and order of items.
//!
//! Spec: FHIRPath N1 #equality, #equivalence, #comparison

use std::cmp::Ordering;
use std::hash::BuildHasher;

use serde_json::Value;

use super::decimal::Decimal;
use super::node::{Element, Item, Node, Scalar};
use super::temporal::{Temporal, TemporalKind};
use super::units::{self, Unit};

/// `=` of two items; `None` where their precision or units leave it open.
pub(super) fn equal(left: &Node<'_>, right: &Node<'_>) -> Option<bool> {
    if let (Item::Element(left), Item::Element(right)) = (&left.0, &right.0)
        && let Some(same) = same_elements(left, right)
    {
        return Some(same);
    }
    if let (Some(left), Some(right)) = (left.scalar(), right.scalar()) {
        return scalars_equal(&left, &right);
    }
    match (&left.0, &right.0) {
        (Item::Type(namespace, name), Item::Type(other, other_name)) => Some(namespace == other && name == other_name),
        (Item::Value(Scalar::Quantity(..)), _) | (_, Item::Value(Scalar::Quantity(..))) => {
            match (left.quantity(), right.quantity()) {
                (Some(left), Some(right)) => units::compare(&left, &right).map(Ordering::is_eq),
                _ => Some(false),
            }
        }
        _ => Some(false),
    }
}

/// A number that equal items share, so that most unequal ones need no comparison. What is equal across types or
/// precisions (numbers, quantities, dates) all shares one.
pub(super) fn fingerprint(node: &Node<'_>, state: &impl BuildHasher) -> u64 {
    match node.scalar() {
        Some(Scalar::Text(text)) => return state.hash_one(&*text),
        Some(Scalar::Boolean(value)) => return u64::from(value),
        Some(_) => return 2,
        None => (),
    }
    match node.json() {
        Some(Value::Object(members)) if node.quantity().is_none() => {
            let texts = members.iter().map(|(name, value)| match value {
                Value::String(text) => state.hash_one((name, text)),
                _ => state.hash_one(name),
            });
            // In any order, as members are compared.
            texts.fold(3, u64::wrapping_add)
        }
        _ => 2,
    }
}

/// Decides two elements where JSON alone can; `None` sends on to their values.
fn same_elements(left: &Element<'_>, right: &Element<'_>) -> Option<bool> {
    match (left.value, right.value) {
        (Some(value), Some(other)) => {
            let are_simple = !matches!(value, Value::Object(_)) && !matches!(other, Value::Object(_));
            if std::ptr::eq(value, other) {
                return Some(true);
            }
            (!are_simple).then(|| same_json(value, other))
        }
        (None, None) => Some(match (left.shadow, right.shadow) {
            (Some(shadow), Some(other)) => same_json(shadow, other),
            (None, None) => left.type_id == right.type_id,
            _ => false,
        }),
        _ => Some(false),
    }
}

/// Structural equality; numbers by value, members in any order.
fn same_json(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(members), Value::Object(others)) => {
            members.len() == others.len()
                && members.iter().all(|(name, value)| others.get(name).is_some_and(|other| same_json(value, other)))
        }
        (Value::Array(values), Value::Array(others)) => {
            values.len() == others.len() && values.iter().zip(others).all(|(value, other)| same_json(value, other))
        }
        (Value::Number(number), Value::Number(other)) => {
            number == other
                || matches!((Decimal::parse(number.as_str()), Decimal::parse(other.as_str())),
                    (Some(value), Some(other)) if value == other)
        }
        _ => left == right,
    }
}

fn scalars_equal(left: &Scalar<'_>, right: &Scalar<'_>) -> Option<bool> {
    match (left, right) {
        (Scalar::Boolean(left), Scalar::Boolean(right)) => Some(left == right),
        (Scalar::Text(left), Scalar::Text(right)) => Some(**left == **right),
        (Scalar::Temporal(left), Scalar::Temporal(right)) => {
            if is_time(left) != is_time(right) {
                return Some(false);
            }
            left.compare(*right).map(Ordering::is_eq)
        }
        _ => match (left.number(), right.number(), as_quantity(left), as_quantity(right)) {
            (Some(left), Some(right), ..) => Some(left == right),
            (_, _, Some(left), Some(right)) => units::compare(&left, &right).map(Ordering::is_eq),
            _ => Some(false),
        },
    }
}

fn is_time(temporal: &Temporal) -> bool {
    temporal.kind == TemporalKind::Time
}

fn as_quantity(scalar: &Scalar<'_>) -> Option<(Decimal, Unit)> {
    match scalar {
        Scalar::Quantity(value, unit) => Some((*value, unit.clone())),
        _ => scalar.number().map(|value| (value, Unit::one())),
    }
}

/// `<` and its kin: `Err` when the types have no common order, `Ok(None)` where precision or units leave it open.
pub(super) fn order(left: &Node<'_>, right: &Node<'_>) -> Result<Option<Ordering>, ()> {
    if let (Some(left), Some(right)) = (left.quantity(), right.quantity()) {
        return Ok(units::compare(&left, &right));
    }
    match (left.scalar(), right.scalar()) {
        (Some(Scalar::Text(left)), Some(Scalar::Text(right))) => Ok(Some(left.cmp(&right))),
        (Some(Scalar::Temporal(left)), Some(Scalar::Temporal(right))) if is_time(&left) == is_time(&right) => {
            Ok(left.compare(right))
        }
        (Some(left), Some(right)) => match (left.number(), right.number()) {
            (Some(left), Some(right)) => Ok(Some(left.cmp(&right))),
            _ => match (as_quantity(&left), as_quantity(&right)) {
                (Some(left), Some(right)) => Ok(units::compare(&left, &right)),
                _ => Err(()),
            },
        },
        // A primitive without a value has no place in any order.
        (None, _) if has_no_value(left) => Ok(None),
        (_, None) if has_no_value(right) => Ok(None),
        _ => Err(()),
    }
}

fn has_no_value(node: &Node<'_>) -> bool {
    node.element().is_some_and(|element| element.value.is_none())
}

/// `~` of two items.
pub(super) fn equivalent(left: &Node<'_>, right: &Node<'_>) -> bool {
    if let (Some(left), Some(right)) = (left.quantity(), right.quantity()) {
        return quantities_equivalent(&left, &right);
    }
    if let (Some(left), Some(right)) = (left.scalar(), right.scalar()) {
        return scalars_equivalent(&left, &right);
    }
    match (&left.0, &right.0) {
        (Item::Element(left), Item::Element(right)) => match (left.value, right.value) {
            (Some(value), Some(other)) => similar_json(value, other, &mut 20_000),
            _ => same_elements(left, right) == Some(true),
        },
        _ => equal(left, right) == Some(true),
    }
}

fn scalars_equivalent(left: &Scalar<'_>, right: &Scalar<'_>) -> bool {
    match (left, right) {
        (Scalar::Text(left), Scalar::Text(right)) => folded(left).eq(folded(right)),
        _ => match (left.number(), right.number(), as_quantity(left), as_quantity(right)) {
            (Some(left), Some(right), ..) => decimals_equivalent(left, right),
            (_, _, Some(left), Some(right)) => quantities_equivalent(&left, &right),
            _ => scalars_equal(left, right) == Some(true),
        },
    }
}

fn quantities_equivalent(left: &(Decimal, Unit), right: &(Decimal, Unit)) -> bool {
    // Calendar years and months may stand for UCUM's here, while `=` leaves that open.
    let loosened = |quantity: &(Decimal, Unit)| (quantity.0, units::loosened(&quantity.1));
    let (left, right) = (loosened(left), loosened(right));
    if left.1 == right.1 { decimals_equivalent(left.0, right.0) } else { units::similar(&left, &right) }
}

/// Equal when rounded to the precision of the less precise one.
fn decimals_equivalent(left: Decimal, right: Decimal) -> bool {
    let scale = left.trimmed().scale().min(right.trimmed().scale());
    left.rounded(scale) == right.rounded(scale)
}

/// The characters without regard to case and kind of blank.
fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.split_whitespace().enumerate().flat_map(|(place, word)| {
        (place > 0).then_some(' ').into_iter().chain(word.chars().flat_map(char::to_lowercase))
    })
}

/// As `same_json`, but texts by their folded form and arrays in any order. `budget` bounds the comparisons.
fn similar_json(left: &Value, right: &Value, budget: &mut usize) -> bool {
    if *budget == 0 {
        return false;
    }
    *budget -= 1;
    match (left, right) {
        (Value::Object(members), Value::Object(others)) => {
            members.len() == others.len()
                && members
                    .iter()
                    .all(|(name, value)| others.get(name).is_some_and(|other| similar_json(value, other, budget)))
        }
        (Value::Array(values), Value::Array(others)) => {
            let mut is_used = vec![false; others.len()];
            values.len() == others.len()
                && values.iter().all(|value| {
                    let place = (0..others.len())
                        .find(|place| !is_used[*place] && similar_json(value, &others[*place], budget));
                    place.inspect(|place| is_used[*place] = true).is_some()
                })
        }
        (Value::String(text), Value::String(other)) => folded(text).eq(folded(other)),
        _ => same_json(left, right),
    }
}
