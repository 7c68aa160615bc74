//! Text.
//!
//! Spec: FHIRPath N1 #string-manipulation

use super::Function;
use crate::fhirpath::EvaluationError;
use crate::fhirpath::ast::Expr;
use crate::fhirpath::evaluate::{Evaluation, Outcome, Scope, single, wrong};
use crate::fhirpath::node::{Items, Node, Scalar, Text};

/// How long a text may grow, in bytes.
const MAX_LENGTH: usize = 1_000_000;

pub(super) fn call<'a>(
    evaluation: &Evaluation<'_, 'a>,
    function: Function,
    arguments: &[Expr],
    input: &[Node<'a>],
    scope: Scope<'_, 'a>,
) -> Outcome<'a> {
    let name = function.name();
    if function == Function::Join {
        return join(evaluation, arguments.first(), input, scope);
    }
    let subject = text_of(input, name)?;
    let argument = |place: usize| match arguments.get(place) {
        Some(argument) => text_of(&evaluation.eval(argument, scope)?, name),
        None => Ok(None),
    };
    if function == Function::Substring {
        let start = evaluation.integer(&arguments[0], scope, name)?;
        let length = match arguments.get(1) {
            Some(length) => evaluation.integer(length, scope, name)?,
            None => None,
        };
        return Ok(subject.and_then(|text| substring(&text, start?, length).map(shared)).into());
    }
    let Some(subject) = subject else { return Ok(Items::Empty) };
    evaluation.spend(1 + subject.len() / 100)?;
    match function {
        Function::Upper => return Ok(shared(&subject.to_uppercase()).into()),
        Function::Lower => return Ok(shared(&subject.to_lowercase()).into()),
        Function::Trim => return Ok(shared(subject.trim()).into()),
        Function::Length => return Ok(Scalar::Integer(subject.chars().count() as i64).into()),
        Function::ToChars => {
            evaluation.spend(subject.len())?;
            let mut buffer = [0; 4];
            return Ok(subject.chars().map(|letter| shared(letter.encode_utf8(&mut buffer)).into()).collect());
        }
        Function::Matches | Function::MatchesFull | Function::ReplaceMatches => return super::unsupported(function),
        _ => (),
    }
    let Some(first) = argument(0)? else { return Ok(Items::Empty) };
    Ok(match function {
        Function::IndexOf => place_of(&subject, subject.find(&*first)).into(),
        Function::LastIndexOf => place_of(&subject, subject.rfind(&*first)).into(),
        Function::StartsWith => subject.starts_with(&*first).into(),
        Function::EndsWith => subject.ends_with(&*first).into(),
        Function::Contains => subject.contains(&*first).into(),
        Function::Replace => match argument(1)? {
            Some(with) => {
                let grown = (subject.len() + 1).saturating_mul(with.len() + 1);
                evaluation.spend(if grown > MAX_LENGTH { usize::MAX } else { grown / 100 })?;
                shared(&subject.replace(&*first, &with)).into()
            }
            None => Items::Empty,
        },
        Function::Split => {
            let parts: Items<'a> = subject.split(&*first).map(|part| shared(part).into()).collect();
            evaluation.spend(parts.len())?;
            parts
        }
        Function::Encode => encoded(&subject, &first).map(|text| shared(&text)).into(),
        Function::Decode => decoded(&subject, &first).map(|text| shared(&text)).into(),
        Function::Escape => escaped(&subject, &first).map(|text| shared(&text)).into(),
        Function::Unescape => unescaped(&subject, &first).map(|text| shared(&text)).into(),
        _ => return super::unsupported(function),
    })
}

fn shared<'a>(text: &str) -> Scalar<'a> {
    Scalar::Text(Text::Shared(text.into()))
}

/// The text of the only item; `None` when there is none or it has no value.
fn text_of<'a>(items: &[Node<'a>], name: &'static str) -> Result<Option<Text<'a>>, EvaluationError> {
    let Some(node) = single(items, name)? else { return Ok(None) };
    if let Some(element) = node.element() {
        // A date of the resource is text where text is asked for.
        return match element.value {
            Some(serde_json::Value::String(text)) => Ok(Some(Text::Borrowed(text))),
            None => Ok(None),
            Some(_) => Err(wrong(name, "text")),
        };
    }
    match node.scalar() {
        Some(Scalar::Text(text)) => Ok(Some(text)),
        _ => Err(wrong(name, "text")),
    }
}

fn place_of<'a>(subject: &str, place: Option<usize>) -> Scalar<'a> {
    Scalar::Integer(place.map_or(-1, |place| subject[..place].chars().count() as i64))
}

fn substring(text: &str, start: i64, length: Option<i64>) -> Option<&str> {
    let start = usize::try_from(start).ok()?;
    let (from, _) = text.char_indices().nth(start)?;
    let rest = &text[from..];
    let Some(length) = length else { return Some(rest) };
    let length = usize::try_from(length).unwrap_or(0);
    let end = rest.char_indices().nth(length).map_or(rest.len(), |(end, _)| end);
    Some(&rest[..end])
}

fn join<'a>(
    evaluation: &Evaluation<'_, 'a>,
    separator: Option<&Expr>,
    input: &[Node<'a>],
    scope: Scope<'_, 'a>,
) -> Outcome<'a> {
    let separator = match separator {
        Some(separator) => text_of(&evaluation.eval(separator, scope)?, "join")?,
        None => None,
    };
    let separator = separator.as_deref().unwrap_or("");
    let mut joined = String::new();
    for (place, node) in input.iter().enumerate() {
        let Some(text) = text_of(std::slice::from_ref(node), "join")? else { continue };
        if place > 0 {
            joined.push_str(separator);
        }
        joined.push_str(&text);
        evaluation.spend(1 + (text.len() + separator.len()) / 100)?;
    }
    Ok(shared(&joined).into())
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn alphabet(form: &str) -> Option<&'static [u8; 64]> {
    match form {
        "base64" => Some(BASE64),
        "urlbase64" => Some(URL_BASE64),
        _ => None,
    }
}

/// `None` for forms other than `hex`, `base64` and `urlbase64`.
fn encoded(text: &str, form: &str) -> Option<String> {
    if form == "hex" {
        return Some(text.bytes().map(|byte| format!("{byte:02x}")).collect());
    }
    let alphabet = alphabet(form)?;
    let mut written = String::with_capacity(text.len().div_ceil(3) * 4);
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = bits >> (18 - 6 * place) & 0x3f;
            written.push(if place <= chunk.len() { char::from(alphabet[digit as usize]) } else { '=' });
        }
    }
    Some(written)
}

/// `None` for unknown forms and for what is not in that form or is no text.
fn decoded(text: &str, form: &str) -> Option<String> {
    if form == "hex" {
        let bytes = text.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2 && !pair.starts_with('+'))?;
            u8::from_str_radix(pair, 16).ok()
        });
        return String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok();
    }
    let alphabet = alphabet(form)?;
    let digits = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    for chunk in digits.chunks(4) {
        let mut bits = 0u32;
        for digit in chunk {
            bits = bits << 6 | alphabet.iter().position(|known| known == digit)? as u32;
        }
        bits <<= 6 * (4 - chunk.len());
        let kept = [0, 1, 2, 3].get(chunk.len() - 1).filter(|kept| **kept > 0)?;
        bytes.extend_from_slice(&bits.to_be_bytes()[1..=*kept]);
    }
    String::from_utf8(bytes).ok()
}

/// `None` for forms other than `html` and `json`.
fn escaped(text: &str, form: &str) -> Option<String> {
    match form {
        "html" => {
            let safe = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            Some(safe.replace('"', "&quot;").replace('\'', "&#39;"))
        }
        "json" => {
            let quoted = serde_json::Value::from(text).to_string();
            Some(quoted[1..quoted.len() - 1].to_owned())
        }
        _ => None,
    }
}

/// `None` for forms other than `html` and `json`, and for broken JSON escapes.
fn unescaped(text: &str, form: &str) -> Option<String> {
    match form {
        "html" => {
            let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
            Some(plain.replace("&amp;", "&"))
        }
        "json" => {
            // A quote that needs no escape here would end the JSON string.
            if !text.contains('\\') {
                return Some(text.to_owned());
            }
            serde_json::from_str(&format!("\"{text}\"")).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_go_back_and_forth() {
        for text in ["", "a", "ab", "abc", "subjects?_d", "é😀"] {
            for form in ["hex", "base64", "urlbase64"] {
                let written = encoded(text, form).unwrap();
                assert_eq!(decoded(&written, form).as_deref(), Some(text), "{form} of {text}");
            }
        }
        assert_eq!(encoded("subjects?_d", "base64").as_deref(), Some("c3ViamVjdHM/X2Q="));
    }

    #[test]
    fn broken_encodings_have_no_text() {
        for (text, form) in
            [("7", "hex"), ("+1", "hex"), ("zz", "hex"), ("A", "base64"), ("a!==", "base64"), ("x", "rot13")]
        {
            assert_eq!(decoded(text, form), None, "{form} of {text}");
        }
    }

    #[test]
    fn substrings_count_characters() {
        assert_eq!(substring("é12", 1, Some(1)), Some("1"));
        assert_eq!(substring("é12", 0, Some(-1)), Some(""));
        assert_eq!(substring("é12", 2, Some(i64::MAX)), Some("2"));
        assert_eq!(substring("é12", 3, None), None);
        assert_eq!(substring("é12", -1, None), None);
    }
}
