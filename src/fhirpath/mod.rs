//! FHIRPath over JSON: parse once, evaluate often, borrow everything.
//!
//! Spec: FHIRPath 2.0 (http://hl7.org/fhirpath/N1), R4 fhirpath.html

mod ast;
mod compare;
mod decimal;
mod evaluate;
mod functions;
mod json_names;
mod lexer;
mod locate;
mod node;
mod parser;
#[cfg(test)]
mod suite;
mod temporal;
#[cfg(test)]
mod tests;
mod types;
mod units;

use serde_json::Value;
use thiserror::Error;

pub use evaluate::Context;
pub use locate::{Path, Step};
pub use node::Node;

/// A compiled expression. Reading it takes no lock, so one serves all threads.
#[derive(Debug)]
pub struct Expression(ast::Expr);

/// The text is no FHIRPath, or names a function or type that is not known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("at character {position}: {problem}")]
pub struct SyntaxError {
    /// Characters before the fault.
    pub position: usize,
    /// What is wrong, in words.
    pub problem: String,
}

/// Why an expression has no result for this input.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvaluationError {
    #[error("the expression needs too many steps for this resource")]
    TooManySteps,
    #[error("'{0}' is not a type of FHIR R4")]
    UnknownType(String),
    #[error("'{0}' takes a single item, not several")]
    NotSingle(&'static str),
    #[error("'{operation}' works on {wanted}")]
    WrongType { operation: &'static str, wanted: &'static str },
    #[error("there is no variable called '%{0}'")]
    UnknownVariable(String),
    #[error("the present time is not known here")]
    NoClock,
    #[error("'{0}' is not offered by this server")]
    Unsupported(&'static str),
}

/// Compiles `text`; names of functions and types are checked, names of elements are not.
pub fn compile(text: &str) -> Result<Expression, SyntaxError> {
    parser::parse(text).map(Expression)
}

impl Expression {
    /// The items that this selects from `root`, a resource or element of the type `root_type`. `Resource` stands for
    /// whatever the resource says that it is.
    pub fn evaluate<'a>(
        &self,
        root: &'a Value,
        root_type: &str,
        context: &Context<'a>,
    ) -> Result<Vec<Node<'a>>, EvaluationError> {
        self.evaluate_from(&Node::root(root, root_type)?, context)
    }

    /// As [`Expression::evaluate`], from an item that another expression selected.
    pub fn evaluate_from<'a>(&self, root: &Node<'a>, context: &Context<'a>) -> Result<Vec<Node<'a>>, EvaluationError> {
        evaluate::run(&self.0, root, context)
    }

    /// Where in the JSON of `root` the selected elements stand. A primitive that has only extensions is named without
    /// `_`, by the place its value would have. Computed values stand nowhere and are left out.
    pub fn locate(&self, root: &Value, root_type: &str) -> Result<Vec<Path>, EvaluationError> {
        let nodes = self.evaluate(root, root_type, &Context::new(root))?;
        Ok(locate::paths(root, &nodes))
    }
}
