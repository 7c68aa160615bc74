//! The walk over an expression.
//!
//! Spec: FHIRPath N1 #expressions, #operations

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::Value;

use super::ast::{Expr, Literal, Operator, Step, TypeTest};
use super::node::{Element, Item, Items, Node, Scalar, Text};
use super::types::TypeId;
use super::{EvaluationError, compare, functions};

/// How many items one evaluation may touch.
const MAX_STEPS: u32 = 1_000_000;

/// What surrounds an evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The resource that holds the root, or is it: `%resource`; `resolve()` looks for `#id` in its `contained`.
    pub resource: &'a Value,
    /// The outermost resource, of which `resource` may be a contained one: `%rootResource`.
    pub root_resource: &'a Value,
    /// This server's own base URLs, without a slash at the end; references below them are local.
    pub bases: &'a [String],
    /// Microseconds since 1970-01-01T00:00:00Z, for `now()` and its kin; without it they are an error.
    pub now_us: Option<i64>,
}

impl<'a> Context<'a> {
    /// Only the resource; no base URL, no clock.
    pub fn new(resource: &'a Value) -> Context<'a> {
        Context { resource, root_resource: resource, bases: &[], now_us: None }
    }
}

impl<'a> Node<'a> {
    /// The root of an evaluation.
    pub(super) fn root(value: &'a Value, type_name: &str) -> Result<Node<'a>, EvaluationError> {
        let named = TypeId::named(type_name);
        let type_id = named.ok_or_else(|| EvaluationError::UnknownType(type_name.chars().take(80).collect()))?;
        Ok(Node(Item::Element(Element { value: Some(value), shadow: None, type_id: type_id.of(Some(value)) })))
    }

    /// A resource whose type stands in it.
    pub(super) fn resource(value: &'a Value) -> Result<Node<'a>, EvaluationError> {
        Node::root(value, "Resource")
    }
}

/// Evaluates `expr` on `root`.
pub(super) fn run<'a>(expr: &Expr, root: &Node<'a>, context: &Context<'a>) -> Result<Vec<Node<'a>>, EvaluationError> {
    let evaluation = Evaluation { context, root, left: Cell::new(MAX_STEPS) };
    let scope = Scope { this: std::slice::from_ref(root), index: 0, total: &[] };
    Ok(evaluation.eval(expr, scope)?.into_vec())
}

pub(super) struct Evaluation<'c, 'a> {
    pub(super) context: &'c Context<'a>,
    root: &'c Node<'a>,
    left: Cell<u32>,
}

/// What `$this`, `$index` and `$total` mean.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s, 'a> {
    pub(super) this: &'s [Node<'a>],
    pub(super) index: usize,
    pub(super) total: &'s [Node<'a>],
}

pub(super) type Outcome<'a> = Result<Items<'a>, EvaluationError>;

impl<'a> Evaluation<'_, 'a> {
    /// Counts work against the limit.
    pub(super) fn spend(&self, steps: usize) -> Result<(), EvaluationError> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.left.get().checked_sub(steps));
        self.left.set(left.ok_or(EvaluationError::TooManySteps)?);
        Ok(())
    }

    pub(super) fn eval(&self, expr: &Expr, scope: Scope<'_, 'a>) -> Outcome<'a> {
        self.spend(1)?;
        match expr {
            Expr::Empty => Ok(Items::Empty),
            Expr::Literal(literal) => Ok(literal_value(literal).into()),
            Expr::This => {
                self.spend(scope.this.len())?;
                Ok(scope.this.iter().cloned().collect())
            }
            Expr::Index => Ok(Scalar::Integer(scope.index as i64).into()),
            Expr::Total => {
                self.spend(scope.total.len())?;
                Ok(scope.total.iter().cloned().collect())
            }
            Expr::Variable(name) => self.variable(name),
            Expr::Path(head, steps) => self.path(head, steps, scope),
            Expr::Union(parts) => self.union(parts, scope),
            Expr::Binary(operator, left, right) => self.binary(*operator, left, right, scope),
            Expr::Negate(inner) => self.negate(inner, scope),
            Expr::Plus(inner) => {
                let items = self.eval(inner, scope)?;
                let is_number = |node: &Node<'_>| node.scalar().is_some_and(|scalar| scalar.number().is_some());
                match single(&items, "+")? {
                    Some(node) if !is_number(node) && node.quantity().is_none() => Err(wrong("+", "a number")),
                    _ => Ok(items),
                }
            }
            Expr::Is(inner, test) => {
                let items = self.eval(inner, scope)?;
                Ok(single(&items, "is")?.map(|node| is_type(node, *test)).into())
            }
            Expr::As(inner, test) => Ok(kept(self.eval(inner, scope)?, |node| as_type(node, *test))),
        }
    }

    fn path(&self, head: &Expr, steps: &[Step], scope: Scope<'_, 'a>) -> Outcome<'a> {
        let mut steps = steps.iter();
        let mut items = match (head, steps.as_slice().first()) {
            // The common start, `Patient.` or a name, without a copy of `$this`.
            (Expr::This, Some(first)) => {
                steps.next();
                self.step(first, scope.this, scope)?
            }
            _ => self.eval(head, scope)?,
        };
        for step in steps {
            items = self.step(step, &items, scope)?;
        }
        Ok(items)
    }

    fn step(&self, step: &Step, input: &[Node<'a>], scope: Scope<'_, 'a>) -> Outcome<'a> {
        self.spend(1 + input.len())?;
        match step {
            Step::Member(Some(symbol), name) => {
                let mut found = Items::Empty;
                for node in input {
                    node.push_members(*symbol, name, &mut found);
                }
                Ok(found)
            }
            Step::Member(None, name) => {
                let has_namespace = |node: &&Node<'_>| matches!(&node.0, Item::Type(..)) && **name == *"namespace";
                let spaces = input.iter().filter(has_namespace).filter_map(|node| match &node.0 {
                    Item::Type(namespace, _) => Some(Scalar::Text(Text::Borrowed(namespace)).into()),
                    _ => None,
                });
                Ok(spaces.collect())
            }
            Step::JsonName(own, name, chosen) => {
                let mut found = Items::Empty;
                for node in input {
                    if let Some(own) = own {
                        node.push_members(*own, name, &mut found);
                    }
                    let mut choices = Items::Empty;
                    node.push_members(chosen.symbol, chosen.element, &mut choices);
                    let is_meant = |node: &Node<'a>| node.element().is_some_and(|one| one.type_id == chosen.type_id);
                    choices.into_vec().into_iter().filter(is_meant).for_each(|node| found.push(node));
                }
                Ok(found)
            }
            Step::Root(wanted) => {
                let fits = |node: &&Node<'_>| match (node.element(), wanted) {
                    (Some(element), Some(wanted)) => element.type_id.is_a(*wanted),
                    _ => false,
                };
                Ok(input.iter().filter(fits).cloned().collect())
            }
            Step::At(index) => {
                let place = self.integer(index, scope, "[]")?;
                let node = place.and_then(|place| usize::try_from(place).ok()).and_then(|place| input.get(place));
                Ok(node.cloned().map_or(Items::Empty, Items::One))
            }
            Step::Is(test) => Ok(single(input, "is")?.map(|node| is_type(node, *test)).into()),
            Step::As(test) | Step::OfType(test) => {
                Ok(input.iter().filter(|node| as_type(node, *test)).cloned().collect())
            }
            Step::Call(function, arguments) => functions::call(self, *function, arguments, input, scope),
        }
    }

    fn union(&self, parts: &[Expr], scope: Scope<'_, 'a>) -> Outcome<'a> {
        let mut found = Distinct::default();
        for part in parts {
            for node in self.eval(part, scope)?.into_vec() {
                found.push(self, node)?;
            }
        }
        Ok(found.items)
    }

    /// Whether an item equals `node`.
    pub(super) fn holds(&self, items: &[Node<'a>], node: &Node<'a>) -> Result<bool, EvaluationError> {
        self.spend(items.len())?;
        Ok(items.iter().any(|known| compare::equal(known, node) == Some(true)))
    }

    fn negate(&self, inner: &Expr, scope: Scope<'_, 'a>) -> Outcome<'a> {
        let items = self.eval(inner, scope)?;
        let Some(node) = single(&items, "-")? else { return Ok(Items::Empty) };
        if let Some((value, unit)) = node.quantity() {
            return Ok(Scalar::Quantity(value.negated(), unit).into());
        }
        match node.scalar() {
            Some(Scalar::Integer(value)) => Ok(value.checked_neg().map(Scalar::Integer).into()),
            Some(Scalar::Decimal(value)) => Ok(Scalar::Decimal(value.negated()).into()),
            _ => Err(wrong("-", "a number")),
        }
    }

    fn binary(&self, operator: Operator, left: &Expr, right: &Expr, scope: Scope<'_, 'a>) -> Outcome<'a> {
        let first = self.eval(left, scope)?;
        if matches!(operator, Operator::And | Operator::Or | Operator::Xor | Operator::Implies) {
            return self.logic(operator, &first, right, scope);
        }
        let second = self.eval(right, scope)?;
        match operator {
            Operator::Equal => Ok(self.equal(&first, &second)?.into()),
            Operator::NotEqual => Ok(self.equal(&first, &second)?.map(|same| !same).into()),
            Operator::Equivalent => Ok(self.equivalent(&first, &second)?.into()),
            Operator::NotEquivalent => Ok((!self.equivalent(&first, &second)?).into()),
            Operator::In => self.membership("in", &first, &second),
            Operator::Contains => self.membership("contains", &second, &first),
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                order(operator, &first, &second)
            }
            _ => functions::arithmetic(self, operator, &first, &second),
        }
    }

    /// Three-valued logic; the right side is evaluated only where it matters.
    fn logic(&self, operator: Operator, first: &[Node<'a>], right: &Expr, scope: Scope<'_, 'a>) -> Outcome<'a> {
        let name = operator.text();
        let first = truth(first, name)?;
        match (operator, first) {
            (Operator::And, Some(false)) => return Ok(false.into()),
            (Operator::Or, Some(true)) | (Operator::Implies, Some(false)) => return Ok(true.into()),
            _ => (),
        }
        let second = truth(&self.eval(right, scope)?, name)?;
        let result = match (operator, first, second) {
            (Operator::And, _, Some(false)) => Some(false),
            (Operator::And, Some(true), Some(true)) => Some(true),
            (Operator::Or | Operator::Implies, _, Some(true)) => Some(true),
            (Operator::Or, Some(false), Some(false)) | (Operator::Implies, Some(true), Some(false)) => Some(false),
            (Operator::Xor, Some(first), Some(second)) => Some(first != second),
            _ => None,
        };
        Ok(result.into())
    }

    /// `=` of two collections.
    fn equal(&self, left: &[Node<'a>], right: &[Node<'a>]) -> Result<Option<bool>, EvaluationError> {
        if left.is_empty() || right.is_empty() {
            return Ok(None);
        }
        if left.len() != right.len() {
            return Ok(Some(false));
        }
        self.spend(left.len())?;
        let mut result = Some(true);
        for (node, other) in left.iter().zip(right) {
            match compare::equal(node, other) {
                Some(true) => (),
                Some(false) => return Ok(Some(false)),
                None => result = None,
            }
        }
        Ok(result)
    }

    /// `~` of two collections: order does not matter.
    fn equivalent(&self, left: &[Node<'a>], right: &[Node<'a>]) -> Result<bool, EvaluationError> {
        if left.len() != right.len() {
            return Ok(false);
        }
        self.spend(left.len().saturating_mul(right.len()))?;
        let mut is_used = vec![false; right.len()];
        Ok(left.iter().all(|node| {
            let place = (0..right.len()).find(|place| !is_used[*place] && compare::equivalent(node, &right[*place]));
            place.inspect(|place| is_used[*place] = true).is_some()
        }))
    }

    fn membership(&self, operator: &'static str, item: &[Node<'a>], collection: &[Node<'a>]) -> Outcome<'a> {
        match single(item, operator)? {
            None => Ok(Items::Empty),
            Some(node) => Ok(self.holds(collection, node)?.into()),
        }
    }

    fn variable(&self, name: &str) -> Outcome<'a> {
        let text = |text: &str| Scalar::Text(Text::Shared(text.into()));
        let value = match name {
            "context" => return Ok(Items::One(self.root.clone())),
            "resource" => return Node::resource(self.context.resource).map(Items::One),
            "rootResource" => return Node::resource(self.context.root_resource).map(Items::One),
            "ucum" => text("http://unitsofmeasure.org"),
            "sct" => text("http://snomed.info/sct"),
            "loinc" => text("http://loinc.org"),
            _ => {
                if let Some(name) = name.strip_prefix("vs-") {
                    text(&format!("http://hl7.org/fhir/ValueSet/{name}"))
                } else if let Some(name) = name.strip_prefix("ext-") {
                    text(&format!("http://hl7.org/fhir/StructureDefinition/{name}"))
                } else {
                    return Err(EvaluationError::UnknownVariable(name.to_owned()));
                }
            }
        };
        Ok(value.into())
    }

    /// The value of an argument that must be a whole number; `None` when it is empty.
    pub(super) fn integer(
        &self,
        argument: &Expr,
        scope: Scope<'_, 'a>,
        operation: &'static str,
    ) -> Result<Option<i64>, EvaluationError> {
        let items = self.eval(argument, scope)?;
        let Some(node) = single(&items, operation)? else { return Ok(None) };
        match node.scalar() {
            Some(Scalar::Integer(value)) => Ok(Some(value)),
            _ => Err(wrong(operation, "a whole number")),
        }
    }
}

/// A collection without equal items, which stays quick to add to when it grows.
#[derive(Default)]
pub(super) struct Distinct<'a> {
    pub(super) items: Items<'a>,
    /// Places in `items` by fingerprint, once there are more than a few.
    places: HashMap<u64, Vec<usize>>,
}

/// Up to so many items are compared one by one.
const FEW: usize = 16;

impl<'a> Distinct<'a> {
    /// Adds `node` unless an equal one is there; whether it was added.
    pub(super) fn push(&mut self, evaluation: &Evaluation<'_, 'a>, node: Node<'a>) -> Result<bool, EvaluationError> {
        if self.items.len() < FEW {
            let is_new = !evaluation.holds(&self.items, &node)?;
            if is_new {
                self.items.push(node);
            }
            return Ok(is_new);
        }
        if self.places.is_empty() {
            for (place, known) in self.items.iter().enumerate() {
                let fingerprint = compare::fingerprint(known, self.places.hasher());
                self.places.entry(fingerprint).or_default().push(place);
            }
        }
        let fingerprint = compare::fingerprint(&node, self.places.hasher());
        let alike = self.places.entry(fingerprint).or_default();
        evaluation.spend(1 + alike.len())?;
        let is_new = !alike.iter().any(|place| compare::equal(&self.items[*place], &node) == Some(true));
        if is_new {
            alike.push(self.items.len());
            self.items.push(node);
        }
        Ok(is_new)
    }
}

fn literal_value<'a>(literal: &Literal) -> Scalar<'a> {
    match literal {
        Literal::Boolean(value) => Scalar::Boolean(*value),
        Literal::Integer(value) => Scalar::Integer(*value),
        Literal::Decimal(value) => Scalar::Decimal(*value),
        Literal::Text(text) => Scalar::Text(Text::Shared(text.clone())),
        Literal::Temporal(value) => Scalar::Temporal(*value),
        Literal::Quantity(value, unit) => Scalar::Quantity(*value, unit.clone()),
    }
}

fn order<'a>(operator: Operator, left: &[Node<'a>], right: &[Node<'a>]) -> Outcome<'a> {
    let name = operator.text();
    let (Some(left), Some(right)) = (single(left, name)?, single(right, name)?) else { return Ok(Items::Empty) };
    let ordering =
        compare::order(left, right).map_err(|()| wrong(name, "two numbers, texts, dates, times or quantities"))?;
    let test: fn(Ordering) -> bool = match operator {
        Operator::Less => Ordering::is_lt,
        Operator::LessOrEqual => Ordering::is_le,
        Operator::Greater => Ordering::is_gt,
        _ => Ordering::is_ge,
    };
    Ok(ordering.map(test).into())
}

pub(super) fn wrong(operation: &'static str, wanted: &'static str) -> EvaluationError {
    EvaluationError::WrongType { operation, wanted }
}

/// The only item; `None` when there is none.
pub(super) fn single<'n, 'a>(
    items: &'n [Node<'a>],
    operation: &'static str,
) -> Result<Option<&'n Node<'a>>, EvaluationError> {
    match items {
        [] => Ok(None),
        [node] => Ok(Some(node)),
        _ => Err(EvaluationError::NotSingle(operation)),
    }
}

/// The truth of a collection: a single item that is no boolean counts as true.
///
/// Spec: FHIRPath N1 #singleton-evaluation-of-collections
pub(super) fn truth(items: &[Node<'_>], operation: &'static str) -> Result<Option<bool>, EvaluationError> {
    Ok(single(items, operation)?.map(|node| node.as_bool().unwrap_or(true)))
}

fn kept<'a>(items: Items<'a>, test: impl Fn(&Node<'a>) -> bool) -> Items<'a> {
    match items {
        Items::Many(mut nodes) => {
            nodes.retain(test);
            Items::Many(nodes)
        }
        Items::One(node) if test(&node) => Items::One(node),
        _ => Items::Empty,
    }
}

/// `is`: the type or one that derives from it.
fn is_type(node: &Node<'_>, test: TypeTest) -> bool {
    match (&node.0, test) {
        (Item::Element(element), TypeTest::Fhir(wanted) | TypeTest::Either(wanted, _)) => element.type_id.is_a(wanted),
        (Item::Value(scalar), TypeTest::System(wanted) | TypeTest::Either(_, wanted)) => scalar.system_type() == wanted,
        _ => false,
    }
}

/// `as` and `ofType`: as `is`, but a `code` is no `string` here, while an `Age` is a `Quantity`.
fn as_type(node: &Node<'_>, test: TypeTest) -> bool {
    match (&node.0, test) {
        (Item::Element(element), TypeTest::Fhir(wanted)) if element.type_id.get().primitive.is_some() => {
            element.type_id == wanted
        }
        _ => is_type(node, test),
    }
}
