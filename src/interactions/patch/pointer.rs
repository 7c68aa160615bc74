//! JSON Pointer: where in a JSON document an operation works.
//!
//! Spec: RFC 6901, RFC 6902 section 4

use std::borrow::Cow;

use serde_json::Value;

use super::Fault;

/// A parsed pointer; no tokens mean the whole document.
#[derive(Debug)]
pub(super) struct Pointer<'a> {
    pub text: &'a str,
    pub tokens: Vec<Cow<'a, str>>,
}

impl<'a> Pointer<'a> {
    /// Parses `text`, `~1` and `~0` read as `/` and `~`.
    pub fn parse(text: &'a str) -> Result<Pointer<'a>, Fault> {
        if text.is_empty() {
            return Ok(Pointer { text, tokens: Vec::new() });
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(Fault::Malformed("a JSON pointer is empty or begins with '/'".to_owned()));
        };
        let tokens = rest.split('/').map(unescape).collect::<Result<_, _>>()?;
        Ok(Pointer { text, tokens })
    }

    /// True when `other` lies inside the value that this points to.
    pub fn is_proper_prefix_of(&self, other: &Pointer) -> bool {
        self.tokens.len() < other.tokens.len() && self.tokens.iter().zip(&other.tokens).all(|(mine, its)| mine == its)
    }

    /// The value that this points to.
    pub fn find<'v>(&self, document: &'v Value) -> Result<&'v Value, Fault> {
        let mut value = document;
        for token in &self.tokens {
            value = match value {
                Value::Object(members) => members.get(token.as_ref()).ok_or_else(no_member)?,
                Value::Array(items) => &items[item_index(token, items.len())?],
                _ => return Err(no_container()),
            };
        }
        Ok(value)
    }

    /// The same, to be changed.
    pub fn find_mut<'v>(&self, document: &'v mut Value) -> Result<&'v mut Value, Fault> {
        walk_mut(&self.tokens, document)
    }

    /// The container that holds, or is to hold, what this points to, with the last token; `None` for the whole document.
    pub fn find_parent<'v>(&self, document: &'v mut Value) -> Result<Option<(&'v mut Value, &str)>, Fault> {
        match self.tokens.split_last() {
            None => Ok(None),
            Some((last, parents)) => Ok(Some((walk_mut(parents, document)?, last.as_ref()))),
        }
    }
}

fn walk_mut<'v>(tokens: &[Cow<str>], document: &'v mut Value) -> Result<&'v mut Value, Fault> {
    let mut value = document;
    for token in tokens {
        value = match value {
            Value::Object(members) => members.get_mut(token.as_ref()).ok_or_else(no_member)?,
            Value::Array(items) => {
                let index = item_index(token, items.len())?;
                &mut items[index]
            }
            _ => return Err(no_container()),
        };
    }
    Ok(value)
}

fn unescape(token: &str) -> Result<Cow<'_, str>, Fault> {
    if !token.contains('~') {
        return Ok(Cow::Borrowed(token));
    }
    let mut plain = String::with_capacity(token.len());
    let mut parts = token.split('~');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (letter, rest) = match part.as_bytes().first() {
            Some(b'0') => ('~', &part[1..]),
            Some(b'1') => ('/', &part[1..]),
            _ => return Err(Fault::Malformed("in a JSON pointer '~' is followed by 0 or 1".to_owned())),
        };
        plain.push(letter);
        plain.push_str(rest);
    }
    Ok(Cow::Owned(plain))
}

/// The index of an item that exists in a list of `length` items.
pub(super) fn item_index(token: &str, length: usize) -> Result<usize, Fault> {
    match index(token)? {
        Some(index) if index < length => Ok(index),
        _ => Err(Fault::NoSuchPlace(format!("the list has {length} items, counted from 0"))),
    }
}

/// The index at which a new item may come into a list of `length` items; `-` is the end.
pub(super) fn gap_index(token: &str, length: usize) -> Result<usize, Fault> {
    match index(token)? {
        None => Ok(length),
        Some(index) if index <= length => Ok(index),
        Some(_) => Err(Fault::NoSuchPlace(format!("an item of this list can be added at 0 to {length}, or at '-'"))),
    }
}

/// `None` is `-`.
fn index(token: &str) -> Result<Option<usize>, Fault> {
    if token == "-" {
        return Ok(None);
    }
    let digits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (token.len() > 1 && token.starts_with('0')) {
        return Err(Fault::NoSuchPlace("an item of a list is named by digits without leading zeros".to_owned()));
    }
    // More digits than a machine word holds are beyond the end of every list.
    Ok(Some(token.parse().unwrap_or(usize::MAX)))
}

fn no_member() -> Fault {
    Fault::NoSuchPlace("an object on the way has no member of that name".to_owned())
}

fn no_container() -> Fault {
    Fault::NoSuchPlace("the path goes on below a value that is neither object nor list".to_owned())
}
