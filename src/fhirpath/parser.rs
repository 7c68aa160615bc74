//! Tokens to an expression, with names, types and functions resolved.
//!
//! Spec: FHIRPath N1 #grammar, #operator-precedence

use super::SyntaxError;
use super::ast::{Expr, Literal, Operator, Step, TypeTest};
use super::functions::Function;
use super::lexer::{self, Token};
use super::temporal::CalendarUnit;
use super::types::{Symbol, SystemType, TypeId};
use super::units::Unit;

/// How high the tree of an expression may be.
pub(super) const MAX_DEPTH: usize = 100;

/// Parses the whole of `text`.
pub(super) fn parse(text: &str) -> Result<Expr, SyntaxError> {
    let end = text.chars().count();
    let mut parser = Parser { tokens: lexer::tokens(text)?, at: 0, end, depth: 0 };
    let tree = parser.operators(0)?;
    match parser.peek() {
        None => Ok(tree.expr),
        Some(_) => Err(parser.error("the expression should end here or go on with an operator")),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
    depth: usize,
}

/// A subtree and its height, which left-nested operators raise without recursion of the parser.
struct Tree {
    expr: Expr,
    height: usize,
}

/// What binds two operands at one level of precedence.
enum Infix {
    Operator(Operator),
    Union,
    Is,
    As,
}

/// Weakest first.
fn infix(token: &Token) -> Option<(u8, Infix)> {
    let (level, operator) = match token {
        Token::Word(word) => match &**word {
            "implies" => (0, Operator::Implies),
            "or" => (1, Operator::Or),
            "xor" => (1, Operator::Xor),
            "and" => (2, Operator::And),
            "in" => (3, Operator::In),
            "contains" => (3, Operator::Contains),
            "is" => return Some((7, Infix::Is)),
            "as" => return Some((7, Infix::As)),
            "div" => (9, Operator::Div),
            "mod" => (9, Operator::Mod),
            _ => return None,
        },
        Token::Sign(sign) => match *sign {
            "=" => (4, Operator::Equal),
            "!=" => (4, Operator::NotEqual),
            "~" => (4, Operator::Equivalent),
            "!~" => (4, Operator::NotEquivalent),
            "<" => (5, Operator::Less),
            "<=" => (5, Operator::LessOrEqual),
            ">" => (5, Operator::Greater),
            ">=" => (5, Operator::GreaterOrEqual),
            "|" => return Some((6, Infix::Union)),
            "+" => (8, Operator::Add),
            "-" => (8, Operator::Subtract),
            "&" => (8, Operator::Concatenate),
            "*" => (9, Operator::Multiply),
            "/" => (9, Operator::Divide),
            _ => return None,
        },
        _ => return None,
    };
    Some((level, Infix::Operator(operator)))
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn error(&self, problem: &str) -> SyntaxError {
        let position = self.tokens.get(self.at).map_or(self.end, |(position, _)| *position);
        SyntaxError { position, problem: problem.to_owned() }
    }

    fn error_before(&self, problem: String) -> SyntaxError {
        let place = self.at.saturating_sub(1);
        SyntaxError { position: self.tokens.get(place).map_or(self.end, |(position, _)| *position), problem }
    }

    fn skip(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(known)) if *known == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), SyntaxError> {
        if self.skip(sign) { Ok(()) } else { Err(self.error(&format!("'{sign}' is missing here"))) }
    }

    fn tree(&self, expr: Expr, height: usize) -> Result<Tree, SyntaxError> {
        if height > MAX_DEPTH { Err(self.too_deep()) } else { Ok(Tree { expr, height }) }
    }

    fn too_deep(&self) -> SyntaxError {
        self.error(&format!("an expression may be nested at most {MAX_DEPTH} deep"))
    }

    /// Operands joined by operators that bind at least as tightly as `weakest`.
    fn operators(&mut self, weakest: u8) -> Result<Tree, SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.too_deep());
        }
        let mut left = self.signed()?;
        while let Some((level, infix)) = self.peek().and_then(infix).filter(|(level, _)| *level >= weakest) {
            self.at += 1;
            left = match infix {
                Infix::Operator(operator) => {
                    let right = self.operators(level + 1)?;
                    let height = left.height.max(right.height) + 1;
                    self.tree(Expr::Binary(operator, Box::new(left.expr), Box::new(right.expr)), height)?
                }
                Infix::Union => {
                    let right = self.operators(level + 1)?;
                    match left.expr {
                        // One flat list: search parameters join dozens of paths.
                        Expr::Union(mut parts) => {
                            parts.push(right.expr);
                            self.tree(Expr::Union(parts), left.height.max(right.height + 1))?
                        }
                        first => {
                            let height = left.height.max(right.height) + 1;
                            self.tree(Expr::Union(vec![first, right.expr]), height)?
                        }
                    }
                }
                Infix::Is => {
                    let test = self.type_test()?;
                    self.tree(Expr::Is(Box::new(left.expr), test), left.height + 1)?
                }
                Infix::As => {
                    let test = self.type_test()?;
                    self.tree(Expr::As(Box::new(left.expr), test), left.height + 1)?
                }
            };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn signed(&mut self) -> Result<Tree, SyntaxError> {
        let is_minus = self.skip("-");
        if !is_minus && !self.skip("+") {
            return self.path();
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.too_deep());
        }
        let operand = self.signed()?;
        self.depth -= 1;
        let inner = Box::new(operand.expr);
        self.tree(if is_minus { Expr::Negate(inner) } else { Expr::Plus(inner) }, operand.height + 1)
    }

    /// A term and the steps after it.
    fn path(&mut self) -> Result<Tree, SyntaxError> {
        let mut height = 0;
        let mut steps = Vec::new();
        let head = self.term(&mut steps, &mut height)?;
        loop {
            if self.skip(".") {
                let name = self.name()?;
                steps.push(self.named_step(name, &mut height)?);
            } else if self.skip("[") {
                let index = self.operators(0)?;
                self.expect("]")?;
                height = height.max(index.height);
                steps.push(Step::At(index.expr));
            } else {
                break;
            }
        }
        if steps.is_empty() {
            return self.tree(head, height.max(1));
        }
        // Parentheses around a path only group: its steps go on here.
        let head = match head {
            Expr::Path(inner, mut first) if !first.is_empty() => {
                first.append(&mut steps);
                steps = first;
                inner
            }
            other => Box::new(other),
        };
        self.tree(Expr::Path(head, steps), height + 1)
    }

    /// The start of a path; what a name there does becomes the first step.
    fn term(&mut self, steps: &mut Vec<Step>, height: &mut usize) -> Result<Expr, SyntaxError> {
        let Some(token) = self.peek().cloned() else {
            return Err(self.error("an expression is missing here"));
        };
        self.at += 1;
        let literal = match token {
            Token::Text(text) => Literal::Text(text),
            Token::Temporal(temporal) => Literal::Temporal(temporal),
            Token::Integer(value) => match self.unit() {
                Some(unit) => Literal::Quantity(super::decimal::Decimal::integer(value), unit),
                None => Literal::Integer(value),
            },
            Token::Decimal(value) => match self.unit() {
                Some(unit) => Literal::Quantity(value, unit),
                None => Literal::Decimal(value),
            },
            Token::Word(word) if &*word == "true" => Literal::Boolean(true),
            Token::Word(word) if &*word == "false" => Literal::Boolean(false),
            Token::Word(name) | Token::Quoted(name) => {
                let step = if name.starts_with(|first: char| first.is_ascii_uppercase())
                    && !matches!(self.peek(), Some(Token::Sign("(")))
                {
                    Step::Root(TypeId::named(&name))
                } else {
                    self.named_step(name, height)?
                };
                steps.push(step);
                return Ok(Expr::This);
            }
            Token::Special(name) => {
                return match &*name {
                    "this" => Ok(Expr::This),
                    "index" => Ok(Expr::Index),
                    "total" => Ok(Expr::Total),
                    _ => Err(self.error_before("only $this, $index and $total are known".to_owned())),
                };
            }
            Token::Percent => {
                return match self.peek().cloned() {
                    Some(Token::Word(name) | Token::Quoted(name)) => {
                        self.at += 1;
                        Ok(Expr::Variable(name))
                    }
                    Some(Token::Text(name)) => {
                        self.at += 1;
                        Ok(Expr::Variable((*name).into()))
                    }
                    _ => Err(self.error("the name of a variable is missing here")),
                };
            }
            Token::Sign("(") => {
                let inner = self.operators(0)?;
                self.expect(")")?;
                *height = inner.height;
                return Ok(inner.expr);
            }
            Token::Sign("{") => {
                self.expect("}")?;
                return Ok(Expr::Empty);
            }
            Token::Sign(_) => return Err(self.error_before("an expression is missing here".to_owned())),
        };
        Ok(Expr::Literal(literal))
    }

    fn unit(&mut self) -> Option<Unit> {
        let unit = match self.peek()? {
            Token::Text(code) => Unit::Code(code.clone()),
            Token::Word(word) => Unit::Calendar(CalendarUnit::named(word)?),
            _ => return None,
        };
        self.at += 1;
        Some(unit)
    }

    fn name(&mut self) -> Result<Box<str>, SyntaxError> {
        match self.peek() {
            Some(Token::Word(name) | Token::Quoted(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.error("the name of an element or function is missing here")),
        }
    }

    /// An element, or a function when `(` follows. The name was just read.
    fn named_step(&mut self, name: Box<str>, height: &mut usize) -> Result<Step, SyntaxError> {
        if !self.skip("(") {
            return Ok(Step::Member(Symbol::named(&name), name));
        }
        self.at -= 1;
        if matches!(&*name, "is" | "as" | "ofType") {
            self.at += 1;
            let test = self.type_test()?;
            self.expect(")")?;
            return Ok(match &*name {
                "is" => Step::Is(test),
                "as" => Step::As(test),
                _ => Step::OfType(test),
            });
        }
        let Some((function, arity)) = Function::named(&name) else {
            return Err(self.error_before(format!("there is no function called {name}")));
        };
        self.at += 1;
        let mut arguments = Vec::new();
        if !self.skip(")") {
            loop {
                let argument = self.operators(0)?;
                *height = (*height).max(argument.height);
                arguments.push(argument.expr);
                if self.skip(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        if !arity.contains(&arguments.len()) {
            let wanted = match (arity.start(), arity.end()) {
                (least, most) if least == most => least.to_string(),
                (least, most) => format!("{least} to {most}"),
            };
            return Err(self.error_before(format!("the function {name} takes {wanted} arguments")));
        }
        Ok(Step::Call(function, arguments))
    }

    fn type_test(&mut self) -> Result<TypeTest, SyntaxError> {
        let mut name = self.name()?;
        let namespace = if self.skip(".") { Some(std::mem::replace(&mut name, self.name()?)) } else { None };
        let (fhir, system) = (TypeId::named(&name), SystemType::named(&name));
        let test = match (namespace.as_deref(), fhir, system) {
            (Some("System"), _, Some(system)) => Some(TypeTest::System(system)),
            (Some("System"), _, None) => Some(TypeTest::Nothing),
            (Some("FHIR"), Some(fhir), _) | (None, Some(fhir), None) => Some(TypeTest::Fhir(fhir)),
            (None, None, Some(system)) => Some(TypeTest::System(system)),
            (None, Some(fhir), Some(system)) => Some(TypeTest::Either(fhir, system)),
            // A part of a resource: `Patient.contact`
            (Some(outer), ..) => TypeId::named(&format!("{outer}.{name}")).map(TypeTest::Fhir),
            (None, None, None) => None,
        };
        test.ok_or_else(|| self.error_before(format!("there is no type called {name}")))
    }
}
