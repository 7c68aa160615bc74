//! `_filter`: what its text says, read anew, and which resources that is true of, as sets of them.
//!
//! Spec: R4 search_filter.html; docs/api/search.md#by-an-expression

use std::fmt;

use serde_json::Value;

use crate::search_oracle::oracle::{Places, World, elements, type_of};
use crate::search_oracle::parameters::{Parameter, Shape, find};
use crate::search_oracle::spans::Span;
use crate::search_oracle::values::{fold, number_meets, quantity_meets, span, texts, token_meets, tokens};

/// Terms joined by `and` and `or`, which are read from left to right.
#[derive(Clone, Debug)]
pub struct Expression {
    pub first: Term,
    /// Whether it is joined by `and`, and what.
    pub rest: Vec<(bool, Term)>,
}

#[derive(Clone, Debug)]
pub enum Term {
    Comparison { path: Vec<Step>, operator: String, value: String },
    Group(Box<Expression>),
    Not(Box<Expression>),
}

/// `name` or `name[filter]`
#[derive(Clone, Debug)]
pub struct Step {
    pub name: String,
    pub filter: Option<Expression>,
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.rest.iter().try_for_each(|(is_and, term)| write!(f, " {} {term}", if *is_and { "and" } else { "or" }))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Group(inner) => write!(f, "({inner})"),
            Term::Not(inner) => write!(f, "not ({inner})"),
            Term::Comparison { path, operator, value } => {
                for (place, step) in path.iter().enumerate() {
                    write!(f, "{}{}", if place > 0 { "." } else { "" }, step.name)?;
                    if let Some(filter) = &step.filter {
                        write!(f, "[{filter}]")?;
                    }
                }
                let is_plain = value.chars().all(|letter| letter.is_alphanumeric() || "-._:/|+".contains(letter));
                match is_plain {
                    true => write!(f, " {operator} {value}"),
                    false => write!(f, " {operator} {}", Value::from(value.as_str())),
                }
            }
        }
    }
}

/// Reads what `Display` writes.
pub fn read(text: &str) -> Expression {
    let mut reader = Reader { rest: text };
    let expression = reader.expression();
    assert!(reader.rest.is_empty(), "{text} ends before {}", reader.rest);
    expression
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn expression(&mut self) -> Expression {
        let mut expression = Expression { first: self.term(), rest: Vec::new() };
        loop {
            let is_and = self.takes(" and ");
            if !is_and && !self.takes(" or ") {
                return expression;
            }
            expression.rest.push((is_and, self.term()));
        }
    }

    fn term(&mut self) -> Term {
        if self.takes("not (") {
            return Term::Not(Box::new(self.closed(")")));
        }
        if self.takes("(") {
            return Term::Group(Box::new(self.closed(")")));
        }
        let mut path = Vec::new();
        loop {
            let name = self.up_to([' ', '.', '[']);
            let filter = self.takes("[").then(|| self.closed("]"));
            path.push(Step { name, filter });
            if !self.takes(".") {
                break;
            }
        }
        self.takes(" ");
        let operator = self.up_to([' ', ' ', ' ']);
        self.takes(" ");
        if !self.rest.starts_with('"') {
            return Term::Comparison { path, operator, value: self.up_to([' ', ')', ']']) };
        }
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
        let value = values.next().unwrap().unwrap();
        let end = values.byte_offset();
        self.rest = &self.rest[end..];
        Term::Comparison { path, operator, value }
    }

    fn closed(&mut self, sign: &str) -> Expression {
        let expression = self.expression();
        assert!(self.takes(sign), "{sign} is not there: {}", self.rest);
        expression
    }

    fn up_to(&mut self, ends: [char; 3]) -> String {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        text.to_owned()
    }

    fn takes(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

/// Expressions with one thing less each.
pub fn smaller(expression: &Expression) -> Vec<Expression> {
    let only = |term: &Term| Expression { first: term.clone(), rest: Vec::new() };
    let mut all = Vec::new();
    if !expression.rest.is_empty() {
        all.push(only(&expression.first));
        all.extend(expression.rest.iter().map(|(_, term)| only(term)));
    }
    for place in 0..expression.rest.len() {
        let mut less = expression.clone();
        less.rest.remove(place);
        all.push(less);
    }
    if let (Term::Group(inner) | Term::Not(inner), []) = (&expression.first, &expression.rest[..]) {
        all.push((**inner).clone());
        all.extend(smaller(inner));
    }
    if let (Term::Comparison { path, operator, value }, []) = (&expression.first, &expression.rest[..]) {
        for place in 0..path.len() {
            let mut path = path.clone();
            if path[place].filter.take().is_some() {
                all.push(only(&Term::Comparison { path, operator: operator.clone(), value: value.clone() }));
            }
        }
    }
    all
}

impl World {
    /// The resources of a type of which a filter is true.
    pub fn filtered(&self, of: &str, expression: &Expression) -> Places {
        let mut found = self.term(of, &expression.first);
        for (is_and, term) in &expression.rest {
            let other = self.term(of, term);
            found = if *is_and { &found & &other } else { &found | &other };
        }
        found
    }

    fn term(&self, of: &str, term: &Term) -> Places {
        match term {
            Term::Group(inner) => self.filtered(of, inner),
            Term::Not(inner) => {
                let without = self.filtered(of, inner);
                self.of_type(of).filter(|place| !without.contains(place)).collect()
            }
            Term::Comparison { path, operator, value } => self.path(of, path, operator, value),
        }
    }

    fn path(&self, of: &str, path: &[Step], operator: &str, value: &str) -> Places {
        let (step, rest) = path.split_first().unwrap();
        if let Some(name) = step.name.strip_prefix("_has:") {
            let pieces: Vec<&str> = name.splitn(3, ':').collect();
            let mut further = vec![Step { name: pieces[2].to_owned(), filter: step.filter.clone() }];
            further.extend_from_slice(rest);
            let sources = self.path(pieces[0], &further, operator, value);
            let targets = sources.iter().flat_map(|source| self.targets(*source, pieces[1]));
            return targets.filter(|target| type_of(&self.resources[*target]) == of).collect();
        }
        if rest.is_empty() {
            let is_met = |place: &usize| self.compares(&self.resources[*place], &step.name, operator, value);
            return self.of_type(of).filter(is_met).collect();
        }
        let (code, named) = step.name.split_once(':').map_or((&*step.name, None), |(code, named)| (code, Some(named)));
        let Some(parameter) = find(of, code) else { return Places::new() };
        let types = named.map_or_else(|| parameter.targets.to_vec(), |named| vec![named]);
        let mut meeting = Places::new();
        for target in types {
            let found = self.path(target, rest, operator, value);
            meeting.extend(match &step.filter {
                Some(filter) => &found & &self.filtered(target, filter),
                None => found,
            });
        }
        let leads = |place: &usize| self.targets(*place, code).iter().any(|target| meeting.contains(target));
        self.of_type(of).filter(leads).collect()
    }

    /// One comparison with a parameter of the resource itself.
    fn compares(&self, resource: &Value, code: &str, operator: &str, value: &str) -> bool {
        match (code, operator) {
            ("_id" | "_lastUpdated", "pr") => return value == "true",
            ("_id", "eq") => return resource["id"] == value,
            ("_id", _) => return resource["id"] != value,
            ("_lastUpdated", _) => {
                let stored = Span::read(resource["meta"]["lastUpdated"].as_str().unwrap()).unwrap();
                return self.spans_compare(stored, operator, value);
            }
            _ => {}
        }
        let Some(parameter) = find(type_of(resource), code) else { return false };
        let is_presence = matches!(parameter.paths.first(), Some((_, Shape::Presence)));
        if operator == "pr" && is_presence {
            // What is true or false is always there.
            return value == "true";
        }
        if operator == "pr" {
            let is_absent = self.meets(resource, code, "missing", &["true".to_owned()]);
            return is_absent != (value == "true");
        }
        let value = whole_names(parameter, value);
        if !parameter.roots.is_empty() {
            return self.meets(resource, code, "", &[value]);
        }
        let elements = elements(resource, parameter);
        if operator == "ni" {
            let is_in = self.one_meets(&elements, parameter, "in", &value);
            return !elements.is_empty() && !is_in;
        }
        if is_presence {
            return self.meets(resource, code, "", &[value]) == (operator == "eq");
        }
        elements.iter().any(|(shape, element)| self.element_compares(parameter, *shape, element, operator, &value))
    }

    fn element_compares(
        &self,
        parameter: &Parameter,
        shape: Shape,
        element: &Value,
        operator: &str,
        value: &str,
    ) -> bool {
        match shape {
            Shape::Boolean => (element.as_bool() == Some(value == "true")) == (operator == "eq"),
            Shape::Code(_) | Shape::Concept | Shape::Coding | Shape::Identifier | Shape::Contact => {
                let mut stored = tokens(shape, element);
                if stored.is_empty() {
                    // A text without a code is a value, too.
                    stored.push((None, None));
                }
                let is_meant = |modifier: &str| self.one_meets(&[(shape, element)], parameter, modifier, value);
                match operator {
                    "in" => return is_meant("in"),
                    "ss" => return is_meant("below"),
                    "sb" => return is_meant("above"),
                    _ => {}
                }
                stored.iter().any(|token| token_meets(token, value) == (operator == "eq"))
            }
            Shape::Text | Shape::Family | Shape::Name | Shape::Address if operator == "sw" => {
                self.one_meets(&[(shape, element)], parameter, "", &crate::search_oracle::values::escaped(value))
            }
            Shape::Text | Shape::Family | Shape::Name | Shape::Address => {
                texts(shape, element).iter().any(|text| strings_compare(&fold(text), operator, &fold(value)))
            }
            Shape::Date | Shape::Period | Shape::Timing => {
                span(shape, element).is_some_and(|stored| self.spans_compare(stored, operator, value))
            }
            Shape::Number => number_meets(&element.to_string(), &format!("{operator}{value}")),
            Shape::Quantity => quantity_meets(element, &format!("{operator}{value}")),
            Shape::Reference => self.reference_meets(element, parameter, "", value),
            Shape::Uri | Shape::Canonical => element == value,
            Shape::Presence => unreachable!("judged above"),
        }
    }

    fn spans_compare(&self, stored: Span, operator: &str, value: &str) -> bool {
        let sought = Span::read(value).unwrap();
        match operator {
            "co" => stored.from <= sought.from && sought.to <= stored.to,
            "po" => stored.from < sought.to && sought.from < stored.to,
            prefix => sought.admits(prefix, stored, self.now),
        }
    }
}

/// "The greater than, less than etc. comparison is done on the first character"
fn strings_compare(stored: &str, operator: &str, value: &str) -> bool {
    let order = || stored.chars().next().map(|first| Some(first).cmp(&value.chars().next()));
    match operator {
        "eq" => stored == value,
        "ne" => stored != value,
        "co" => stored.contains(value),
        "ew" => stored.ends_with(value),
        "gt" => order().is_some_and(|order| order.is_gt()),
        "lt" => order().is_some_and(|order| order.is_lt()),
        "ge" => order().is_some_and(|order| order.is_ge()),
        "le" => order().is_some_and(|order| order.is_le()),
        _ => unreachable!("strings are not compared by {operator}"),
    }
}

/// The value with the whole name of a code system where a short one stands.
fn whole_names(parameter: &Parameter, value: &str) -> String {
    let is_quantity = matches!(parameter.paths.first(), Some((_, Shape::Quantity)));
    let is_token = matches!(parameter.paths.first(), Some((_, Shape::Code(_) | Shape::Concept | Shape::Coding)));
    match value.strip_prefix("loinc|") {
        Some(code) if is_token => format!("http://loinc.org|{code}"),
        _ if is_quantity => value.replace("|ucum|", "|http://unitsofmeasure.org|"),
        _ => value.to_owned(),
    }
}
