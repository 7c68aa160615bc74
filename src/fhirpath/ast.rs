//! What an expression is once parsed: names resolved to symbols, types and functions.

use std::sync::Arc;

use super::decimal::Decimal;
use super::functions::Function;
use super::temporal::Temporal;
use super::types::{Chosen, Symbol, SystemType, TypeId};
use super::units::Unit;

/// An expression; at most [`super::parser::MAX_DEPTH`] high, so that recursion over it is safe.
#[derive(Debug)]
pub(super) enum Expr {
    /// `{}`
    Empty,
    Literal(Literal),
    This,
    Index,
    Total,
    /// `%name`
    Variable(Box<str>),
    /// Where a path begins, then what is done with it, from left to right.
    Path(Box<Expr>, Vec<Step>),
    Union(Vec<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Negate(Box<Expr>),
    /// `+x`: only checks that `x` is a number or a quantity.
    Plus(Box<Expr>),
    Is(Box<Expr>, TypeTest),
    As(Box<Expr>, TypeTest),
}

#[derive(Debug)]
pub(super) enum Step {
    /// A capitalised name at the start of a path: keeps what has this type; `None` keeps nothing.
    Root(Option<TypeId>),
    /// `None` when no type has such an element.
    Member(Option<Symbol>, Box<str>),
    /// As `Member`, and the choice that JSON writes so.
    JsonName(Option<Symbol>, Box<str>, Chosen),
    At(Expr),
    Call(Function, Vec<Expr>),
    Is(TypeTest),
    As(TypeTest),
    OfType(TypeTest),
}

#[derive(Clone, Debug)]
pub(super) enum Literal {
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    Text(Arc<str>),
    Temporal(Temporal),
    Quantity(Decimal, Unit),
}

/// What `is`, `as` and `ofType` ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeTest {
    Fhir(TypeId),
    System(SystemType),
    /// A name that both namespaces know, such as `Quantity`.
    Either(TypeId, SystemType),
    /// A System type that does not exist.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    NotEqual,
    Equivalent,
    NotEquivalent,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Concatenate,
    Multiply,
    Divide,
    Div,
    Mod,
}

impl Operator {
    /// As it is written.
    pub(super) fn text(self) -> &'static str {
        match self {
            Operator::Implies => "implies",
            Operator::Or => "or",
            Operator::Xor => "xor",
            Operator::And => "and",
            Operator::In => "in",
            Operator::Contains => "contains",
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Equivalent => "~",
            Operator::NotEquivalent => "!~",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Concatenate => "&",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Div => "div",
            Operator::Mod => "mod",
        }
    }
}
