//! Existence, filtering, subsetting and combining.
//!
//! Spec: FHIRPath N1 #existence, #filtering-and-projection, #subsetting, #combining, #aggregates

use std::cmp::Ordering;

use super::Function;
use crate::fhirpath::EvaluationError;
use crate::fhirpath::ast::Expr;
use crate::fhirpath::compare;
use crate::fhirpath::evaluate::{Distinct, Evaluation, Outcome, Scope, single, truth, wrong};
use crate::fhirpath::node::{Items, Node, Scalar};

pub(super) fn call<'a>(
    evaluation: &Evaluation<'_, 'a>,
    function: Function,
    arguments: &[Expr],
    input: &[Node<'a>],
    scope: Scope<'_, 'a>,
) -> Outcome<'a> {
    let work = Work { evaluation, input, scope };
    let first = arguments.first();
    match (function, first) {
        (Function::Empty, _) => Ok(input.is_empty().into()),
        (Function::Exists, None) => Ok((!input.is_empty()).into()),
        (Function::Exists, Some(criteria)) => Ok(work.any(criteria)?.into()),
        (Function::Not, _) => Ok(truth(input, "not")?.map(|value| !value).into()),
        (Function::All, Some(criteria)) => Ok(work.all(criteria)?.into()),
        (Function::AllTrue, _) => booleans(input, "allTrue", |all| all.iter().all(|value| *value)),
        (Function::AnyTrue, _) => booleans(input, "anyTrue", |all| all.iter().any(|value| *value)),
        (Function::AllFalse, _) => booleans(input, "allFalse", |all| all.iter().all(|value| !*value)),
        (Function::AnyFalse, _) => booleans(input, "anyFalse", |all| all.iter().any(|value| !*value)),
        (Function::SubsetOf, Some(other)) => Ok(work.is_within(input, &work.outer(other)?)?.into()),
        (Function::SupersetOf, Some(other)) => Ok(work.is_within(&work.outer(other)?, input)?.into()),
        (Function::Count, _) => Ok(Scalar::Integer(input.len() as i64).into()),
        (Function::Distinct, _) => work.distinct(input.iter().cloned()),
        (Function::IsDistinct, _) => Ok((work.distinct(input.iter().cloned())?.len() == input.len()).into()),
        (Function::Where, Some(criteria)) => work.filter(criteria),
        (Function::Select, Some(projection)) => work.select(projection),
        (Function::Repeat, Some(projection)) => work.repeat(projection),
        (Function::Single, _) => Ok(single(input, "single")?.cloned().map_or(Items::Empty, Items::One)),
        (Function::First, _) => Ok(input.first().cloned().map_or(Items::Empty, Items::One)),
        (Function::Last, _) => Ok(input.last().cloned().map_or(Items::Empty, Items::One)),
        (Function::Tail, _) => Ok(input.iter().skip(1).cloned().collect()),
        (Function::Skip, Some(count)) => {
            let count = evaluation.integer(count, scope, "skip")?.unwrap_or(0).max(0);
            Ok(input.iter().skip(usize::try_from(count).unwrap_or(usize::MAX)).cloned().collect())
        }
        (Function::Take, Some(count)) => {
            let count = evaluation.integer(count, scope, "take")?.unwrap_or(0).max(0);
            Ok(input.iter().take(usize::try_from(count).unwrap_or(usize::MAX)).cloned().collect())
        }
        (Function::Intersect, Some(other)) => work.intersect(&work.outer(other)?),
        (Function::Exclude, Some(other)) => work.exclude(&work.outer(other)?),
        (Function::Union, Some(other)) => work.distinct(input.iter().cloned().chain(work.outer(other)?.into_vec())),
        (Function::Combine, Some(other)) => {
            let other = work.outer(other)?;
            evaluation.spend(other.len())?;
            Ok(input.iter().cloned().chain(other.into_vec()).collect())
        }
        (Function::Iif, Some(criterion)) => work.iif(criterion, &arguments[1], arguments.get(2)),
        (Function::Aggregate, Some(aggregator)) => work.aggregate(aggregator, arguments.get(1)),
        (Function::Sort, _) => work.sort(arguments),
        // What is traced may be somebody's record, so it goes nowhere.
        (Function::Trace, _) => Ok(input.iter().cloned().collect()),
        _ => super::unsupported(function),
    }
}

fn booleans<'a>(input: &[Node<'a>], name: &'static str, test: impl Fn(&[bool]) -> bool) -> Outcome<'a> {
    let values: Option<Vec<bool>> = input.iter().map(Node::as_bool).collect();
    values.map(|values| test(&values).into()).ok_or_else(|| wrong(name, "booleans"))
}

/// A function's input and what surrounds it.
struct Work<'w, 'c, 'a> {
    evaluation: &'w Evaluation<'c, 'a>,
    input: &'w [Node<'a>],
    scope: Scope<'w, 'a>,
}

impl<'a> Work<'_, '_, 'a> {
    /// An argument that is evaluated once, from where the whole expression stands.
    fn outer(&self, argument: &Expr) -> Outcome<'a> {
        self.evaluation.eval(argument, self.scope)
    }

    /// An argument that is evaluated for the item at `index`.
    fn inner(&self, argument: &Expr, node: &Node<'a>, index: usize) -> Outcome<'a> {
        self.evaluation.eval(argument, Scope { this: std::slice::from_ref(node), index, total: self.scope.total })
    }

    fn filter(&self, criteria: &Expr) -> Outcome<'a> {
        let mut found = Items::Empty;
        for (index, node) in self.input.iter().enumerate() {
            if truth(&self.inner(criteria, node, index)?, "where")? == Some(true) {
                found.push(node.clone());
            }
        }
        Ok(found)
    }

    fn any(&self, criteria: &Expr) -> Result<bool, EvaluationError> {
        for (index, node) in self.input.iter().enumerate() {
            if truth(&self.inner(criteria, node, index)?, "exists")? == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn all(&self, criteria: &Expr) -> Result<bool, EvaluationError> {
        for (index, node) in self.input.iter().enumerate() {
            if truth(&self.inner(criteria, node, index)?, "all")? != Some(true) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn select(&self, projection: &Expr) -> Outcome<'a> {
        let mut found = Items::Empty;
        for (index, node) in self.input.iter().enumerate() {
            let projected = self.inner(projection, node, index)?;
            self.evaluation.spend(projected.len())?;
            found.extend(projected.into_vec());
        }
        Ok(found)
    }

    fn repeat(&self, projection: &Expr) -> Outcome<'a> {
        let mut found = Distinct::default();
        let mut waiting: Vec<Node<'a>> = self.input.to_vec();
        while !waiting.is_empty() {
            let mut next = Vec::new();
            for (index, node) in waiting.iter().enumerate() {
                for node in self.inner(projection, node, index)?.into_vec() {
                    if found.push(self.evaluation, node.clone())? {
                        next.push(node);
                    }
                }
            }
            waiting = next;
        }
        Ok(found.items)
    }

    fn distinct(&self, nodes: impl Iterator<Item = Node<'a>>) -> Outcome<'a> {
        let mut found = Distinct::default();
        for node in nodes {
            found.push(self.evaluation, node)?;
        }
        Ok(found.items)
    }

    fn is_within(&self, part: &[Node<'a>], whole: &[Node<'a>]) -> Result<bool, EvaluationError> {
        for node in part {
            if !self.evaluation.holds(whole, node)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn intersect(&self, other: &[Node<'a>]) -> Outcome<'a> {
        let mut found = Distinct::default();
        for node in self.input {
            if self.evaluation.holds(other, node)? {
                found.push(self.evaluation, node.clone())?;
            }
        }
        Ok(found.items)
    }

    fn exclude(&self, other: &[Node<'a>]) -> Outcome<'a> {
        let mut found = Items::Empty;
        for node in self.input {
            if !self.evaluation.holds(other, node)? {
                found.push(node.clone());
            }
        }
        Ok(found)
    }

    fn iif(&self, criterion: &Expr, then: &Expr, otherwise: Option<&Expr>) -> Outcome<'a> {
        single(self.input, "iif")?;
        let scope = Scope { this: self.input, ..self.scope };
        let items = self.evaluation.eval(criterion, scope)?;
        let chosen = match single(&items, "iif")? {
            None => otherwise,
            Some(node) => match node.as_bool() {
                Some(true) => Some(then),
                Some(false) => otherwise,
                None => return Err(wrong("iif", "a boolean as its criterion")),
            },
        };
        chosen.map_or(Ok(Items::Empty), |chosen| self.evaluation.eval(chosen, scope))
    }

    fn aggregate(&self, aggregator: &Expr, start: Option<&Expr>) -> Outcome<'a> {
        let mut total = start.map_or(Ok(Items::Empty), |start| self.outer(start))?;
        for (index, node) in self.input.iter().enumerate() {
            let scope = Scope { this: std::slice::from_ref(node), index, total: &total };
            total = self.evaluation.eval(aggregator, scope)?;
        }
        Ok(total)
    }

    /// By each key in turn; a key behind `-` sorts downwards, whatever its type. Items without a key come
    /// first either way.
    fn sort(&self, keys: &[Expr]) -> Outcome<'a> {
        let mut rows: Vec<(Vec<Items<'a>>, &Node<'a>)> = Vec::with_capacity(self.input.len());
        for (index, node) in self.input.iter().enumerate() {
            let mut values = Vec::with_capacity(keys.len().max(1));
            for key in keys {
                let key = if let Expr::Negate(inner) = key { inner } else { key };
                values.push(self.inner(key, node, index)?);
            }
            if keys.is_empty() {
                values.push(Items::One(node.clone()));
            }
            rows.push((values, node));
        }
        self.evaluation.spend(rows.len().saturating_mul(10))?;
        let mut is_sortable = true;
        rows.sort_by(|(left, _), (right, _)| {
            for (place, (left, right)) in left.iter().zip(right).enumerate() {
                let (Some(left), Some(right)) = (left.first(), right.first()) else {
                    match left.is_empty().cmp(&right.is_empty()) {
                        Ordering::Equal => continue,
                        ordering => return ordering.reverse(),
                    }
                };
                let ordering = compare::order(left, right).unwrap_or_else(|()| {
                    is_sortable = false;
                    None
                });
                let ordering = ordering.unwrap_or(Ordering::Equal);
                if ordering != Ordering::Equal {
                    let is_downwards = matches!(keys.get(place), Some(Expr::Negate(_)));
                    return if is_downwards { ordering.reverse() } else { ordering };
                }
            }
            Ordering::Equal
        });
        if !is_sortable {
            return Err(wrong("sort", "items of one simple type"));
        }
        Ok(rows.into_iter().map(|(_, node)| node.clone()).collect())
    }
}
