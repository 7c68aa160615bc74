//! The grammar of unit codes.
//!
//! Spec: UCUM 2.2, 2.2 Syntax Rules

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::atoms::Atoms;
use super::exact::Exact;

/// Longer codes are not read; the longest of UCUM's own examples have some 30 bytes.
const MAX_LENGTH: usize = 256;
/// How deep brackets may nest.
const MAX_DEPTH: usize = 16;
/// The digits of an exponent and of a factor.
const MAX_EXPONENT_DIGITS: usize = 3;
const MAX_FACTOR_DIGITS: usize = 18;

/// A unit in terms of base units.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub factor: Exact,
    pub offset: Option<Exact>,
    /// On a scale without ratios, so that it can't be part of a product.
    pub is_special: bool,
    /// Base units with their exponents, none of which is zero.
    pub powers: BTreeMap<&'static str, i16>,
}

/// Reads a whole code.
pub(super) fn unit(code: &str, atoms: &Atoms) -> Option<Unit> {
    if code.len() > MAX_LENGTH {
        return None;
    }
    let mut parser = Parser { rest: code, atoms };
    let unit = parser.term(0)?;
    parser.rest.is_empty().then_some(unit)
}

impl Unit {
    pub(super) fn number(factor: Exact) -> Unit {
        Unit { factor, offset: None, is_special: false, powers: BTreeMap::new() }
    }

    /// A dimension of its own.
    pub(super) fn base(code: &'static str) -> Unit {
        Unit { powers: BTreeMap::from([(code, 1)]), ..Unit::number(Exact::one()) }
    }

    /// The base units as a code.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (code, power) in &self.powers {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(code);
            if *power != 1 {
                // Writing to a String can't fail.
                let _ = write!(text, "{power}");
            }
        }
        if text.is_empty() { "1".to_owned() } else { text }
    }

    /// To a power; only the first when the unit is special.
    fn raised(self, exponent: i16) -> Option<Unit> {
        if exponent == 1 {
            return Some(self);
        }
        if self.is_special {
            return None;
        }
        let factor = self.factor.power(exponent.unsigned_abs())?;
        let mut powers = self.powers;
        for power in powers.values_mut() {
            *power = power.checked_mul(exponent)?;
        }
        powers.retain(|_, power| *power != 0);
        Some(Unit { powers, ..Unit::number(if exponent < 0 { factor.inverted() } else { factor }) })
    }

    fn times(mut self, other: Unit) -> Option<Unit> {
        if self.is_special || other.is_special {
            return None;
        }
        for (code, power) in other.powers {
            let sum = self.powers.entry(code).or_insert(0);
            *sum = sum.checked_add(power)?;
        }
        self.powers.retain(|_, power| *power != 0);
        Some(Unit { factor: self.factor.factor_times(&other.factor)?, ..self })
    }
}

struct Parser<'a> {
    rest: &'a str,
    atoms: &'a Atoms,
}

impl<'a> Parser<'a> {
    /// Components joined by `.` and `/`, up to a closing bracket or the end. A slash divides by what follows it alone.
    fn term(&mut self, depth: usize) -> Option<Unit> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut result = None;
        let mut is_divided = self.take('/');
        loop {
            let component = self.component(depth)?;
            let component = if is_divided { component.raised(-1)? } else { component };
            let product = match result {
                None => component,
                Some(left) => Unit::times(left, component)?,
            };
            is_divided = if self.take('.') {
                false
            } else if self.take('/') {
                true
            } else {
                return Some(product);
            };
            result = Some(product);
        }
    }

    fn component(&mut self, depth: usize) -> Option<Unit> {
        if self.take('(') {
            let inner = self.term(depth + 1)?;
            return self.take(')').then_some(inner);
        }
        if self.take('{') {
            self.annotation()?;
            return Some(Unit::number(Exact::one()));
        }
        let unit = self.annotatable()?;
        if self.take('{') {
            self.annotation()?;
        }
        Some(unit)
    }

    /// What stands in braces counts nothing.
    fn annotation(&mut self) -> Option<()> {
        let (text, rest) = self.rest.split_once('}')?;
        self.rest = rest;
        text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'{').then_some(())
    }

    /// A whole number, or an atom with or without prefix and exponent: `7`, `cm`, `m-2`, `10*3`, `[in_i'H2O]`.
    fn annotatable(&mut self) -> Option<Unit> {
        let mut is_bracketed = false;
        let is_end = |letter: char| {
            match letter {
                '[' => is_bracketed = true,
                ']' => is_bracketed = false,
                _ => {}
            }
            !is_bracketed && matches!(letter, '.' | '/' | '(' | ')' | '{' | '}')
        };
        let (text, rest) = self.rest.split_at(self.rest.find(is_end).unwrap_or(self.rest.len()));
        self.rest = rest;
        let name = text.trim_end_matches(|last: char| last.is_ascii_digit());
        let digits = &text[name.len()..];
        if name.is_empty() {
            let factor =
                digits.parse::<u64>().ok().filter(|factor| *factor != 0 && digits.len() <= MAX_FACTOR_DIGITS)?;
            return Some(Unit::number(Exact::fraction(factor, 1)?));
        }
        if digits.is_empty() {
            return self.simple(name);
        }
        let exponent: i16 = digits.parse().ok().filter(|_| digits.len() <= MAX_EXPONENT_DIGITS)?;
        let (name, exponent) = match name.strip_suffix(['-', '+']) {
            Some(shorter) if name.ends_with('-') => (shorter, -exponent),
            Some(shorter) => (shorter, exponent),
            None => (name, exponent),
        };
        self.simple(name)?.raised(exponent)
    }

    /// An atom with or without prefix; one that is an atom as a whole has none.
    fn simple(&self, name: &str) -> Option<Unit> {
        if let Some(atom) = self.atoms.named(name) {
            return Some(atom.unit.clone());
        }
        self.atoms.prefixes.iter().find_map(|(prefix, factor)| {
            let atom = self.atoms.named(name.strip_prefix(prefix)?).filter(|atom| atom.is_metric)?;
            Some(Unit { factor: atom.unit.factor.factor_times(factor)?, ..atom.unit.clone() })
        })
    }

    fn take(&mut self, letter: char) -> bool {
        let rest = self.rest.strip_prefix(letter);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}
