//! What a `_filter` demands, once its names are looked up.
//!
//! Spec: R4 search_filter.html

use crate::fhir::ResourceType;
use crate::search::parse::comparisons::{self, Misfit};
use crate::search::parse::conditions::{Work, cut, is_common, subject};
use crate::search::parse::filter::{self, Comparison, Expression};
use crate::search::{Condition, SearchError};

/// The text of one filter, and the name of the parameter that gives it.
#[derive(Clone, Copy)]
struct Filter<'f> {
    name: &'f str,
    text: &'f str,
}

/// A step of the path of a comparison.
#[derive(Clone, Copy)]
struct Place<'f> {
    filter: Filter<'f>,
    comparison: &'f Comparison<'f>,
    step: usize,
    /// What is left of the step's name: `_has` takes off its front.
    name: &'f str,
}

impl Filter<'_> {
    /// The refusal of what stands at the byte `at`; places are told as characters, counted from 1.
    fn refusal(self, at: usize, problem: &str) -> SearchError {
        let place = self.text.get(..at).unwrap_or(self.text).chars().count() + 1;
        let problem = format!("at character {place}: {problem}");
        SearchError::BadValue { parameter: cut(self.name), problem }
    }
}

impl Place<'_> {
    fn at(self) -> usize {
        self.comparison.path[self.step].at
    }

    /// Names the place of an error that does not name one. An unknown name refuses the search, however it is handled:
    /// without the comparison, the filter would mean something else.
    fn located(self, error: SearchError) -> SearchError {
        match error {
            SearchError::UnknownParameter { .. } | SearchError::BadName { .. } => {
                self.filter.refusal(self.at(), &error.to_string())
            }
            other => other,
        }
    }
}

impl Work<'_> {
    /// What the filter `text` demands of a resource of one of the types in `scope`. `name` is that of the parameter.
    pub(super) fn filter(
        &mut self,
        scope: &[ResourceType],
        name: &str,
        text: &str,
        depth: usize,
    ) -> Result<Condition, SearchError> {
        let filter = Filter { name, text };
        let expression = filter::read(text).map_err(|fault| filter.refusal(fault.at, &fault.problem))?;
        self.expression(scope, filter, &expression, false, depth)
    }

    /// Negations are moved inward, so that each stands before one comparison alone.
    fn expression(
        &mut self,
        scope: &[ResourceType],
        filter: Filter<'_>,
        expression: &Expression<'_>,
        is_negated: bool,
        depth: usize,
    ) -> Result<Condition, SearchError> {
        let mut each = |list: &[Expression<'_>]| -> Result<Vec<Condition>, SearchError> {
            list.iter().map(|one| self.expression(scope, filter, one, is_negated, depth)).collect()
        };
        match (expression, is_negated) {
            (Expression::And(list), false) | (Expression::Or(list), true) => Ok(Condition::And(each(list)?)),
            (Expression::Or(list), false) | (Expression::And(list), true) => Ok(Condition::Or(each(list)?)),
            (Expression::Not(inner), _) => self.expression(scope, filter, inner, !is_negated, depth),
            (Expression::Comparison(comparison), _) => {
                let place = Place { filter, comparison, step: 0, name: comparison.path[0].name };
                let condition = self.step(scope, place, depth)?;
                Ok(if is_negated { Condition::Not(Box::new(condition)) } else { condition })
            }
        }
    }

    fn step(&mut self, scope: &[ResourceType], place: Place<'_>, depth: usize) -> Result<Condition, SearchError> {
        let condition = match scope {
            [] => self.step_of(None, place, depth),
            [only] => self.step_of(Some(*only), place, depth),
            _ if is_common(place.name, self.context.registry) => self.step_of(None, place, depth),
            _ => {
                let each = scope.iter().map(|of| Ok((*of, self.step_of(Some(*of), place, depth)?)));
                each.collect::<Result<_, SearchError>>().map(Condition::ByType)
            }
        };
        condition.map_err(|error| place.located(error))
    }

    fn step_of(&mut self, of: Option<ResourceType>, place: Place<'_>, depth: usize) -> Result<Condition, SearchError> {
        let Place { filter, comparison, step, name } = place;
        if let Some(rest) = name.strip_prefix("_has:") {
            return self.has(of, name, rest, depth, &mut |work, source, name| {
                work.step(&[source], Place { name, ..place }, depth + 1)
            });
        }
        let Some(next) = comparison.path.get(step + 1) else { return self.comparison(of, place, depth) };
        self.chain(of, name, name, depth, &mut |work, target| {
            let rest = work.step(&[target], Place { step: step + 1, name: next.name, ..place }, depth + 1)?;
            match &comparison.path[step].filter {
                Some(inner) => {
                    let inner = work.expression(&[target], filter, inner, false, depth + 1)?;
                    Ok(Condition::And(vec![inner, rest]))
                }
                None => Ok(rest),
            }
        })
    }

    /// The comparison with the parameter at the end of the path.
    fn comparison(
        &mut self,
        of: Option<ResourceType>,
        place: Place<'_>,
        depth: usize,
    ) -> Result<Condition, SearchError> {
        let Place { filter, comparison, name, .. } = place;
        self.count_condition(filter.name, depth)?;
        if let Some((code, _)) = name.split_once(':') {
            let problem = format!("'{}' takes no modifier in a filter, but an operator after it", cut(code));
            return Err(filter.refusal(place.at(), &problem));
        }
        if matches!(name, "_list" | "_filter") {
            let problem = format!("'{name}' can't be part of a filter: give it as a parameter of its own");
            return Err(filter.refusal(place.at(), &problem));
        }
        let subject = subject(of, name, self.context.registry)?;
        let condition = comparisons::condition(of, subject, name, comparison.operator, &comparison.value, self.context);
        condition.map_err(|misfit| match misfit {
            Misfit::Operator(problem) => filter.refusal(comparison.operator_at, &problem),
            Misfit::Value(problem) => filter.refusal(comparison.value_at, &problem),
            Misfit::Unsupported(what) => SearchError::Unsupported { parameter: cut(filter.name), what },
        })
    }
}
