//! The two layers of escaping in a search: `%xx` of the URL, and `\` within a value.
//!
//! Spec: R4 search.html#escaping

use crate::search::SearchError;

/// Splits a query string (or a form body) into decoded pairs, in order. `+` is a space; an empty pair is skipped; a
/// pair without `=` has an empty value.
pub fn parse_query_string(text: &str) -> Result<Vec<(String, String)>, SearchError> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

fn decode(text: &str) -> Result<String, SearchError> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let high = rest.next().and_then(hexadecimal).ok_or(SearchError::Encoding)?;
                let low = rest.next().and_then(hexadecimal).ok_or(SearchError::Encoding)?;
                bytes.push(high << 4 | low);
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| SearchError::Encoding)
}

fn hexadecimal(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// Splits `text` at each `separator` that no backslash protects; the parts are still escaped.
pub(super) fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let whole = rest?;
        match find(whole, separator) {
            Some(at) => {
                rest = Some(&whole[at + separator.len_utf8()..]);
                Some(&whole[..at])
            }
            None => rest.take(),
        }
    })
}

/// Splits `text` once, at the first `separator` that no backslash protects.
pub(super) fn split_once(text: &str, separator: char) -> Option<(&str, &str)> {
    let at = find(text, separator)?;
    Some((&text[..at], &text[at + separator.len_utf8()..]))
}

fn find(text: &str, separator: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == separator {
            return Some(at);
        }
    }
    None
}

/// Undoes `\,` `\|` `\$` `\\`; `None` when a backslash stands before anything else.
pub(super) fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => plain.push(rest.next().filter(|next| matches!(next, ',' | '|' | '$' | '\\'))?),
            _ => plain.push(character),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn query_strings_are_decoded_in_order() {
        let pairs = parse_query_string("name=J%C3%BCrgen+M&code=http%3A//a%7Cb&&flag&a=b=c").unwrap();

        assert_eq!(pairs, [pair("name", "Jürgen M"), pair("code", "http://a|b"), pair("flag", ""), pair("a", "b=c")]);
    }

    #[test]
    fn broken_escapes_and_bad_utf8_are_refused() {
        for text in ["a=%", "a=%4", "a=%zz", "a=%ff", "%c3=1", "a=%+1"] {
            assert_eq!(parse_query_string(text), Err(SearchError::Encoding), "{text}");
        }
    }

    #[test]
    fn escaped_separators_do_not_separate() {
        assert_eq!(split(r"a\,b,c,", ',').collect::<Vec<_>>(), [r"a\,b", "c", ""]);
        assert_eq!(split(r"a\\,b", ',').collect::<Vec<_>>(), [r"a\\", "b"]);
        assert_eq!(split_once(r"a\|b|c|d", '|'), Some((r"a\|b", "c|d")));
        assert_eq!(unescape(r"a\,b\|c\$d\\").as_deref(), Some(r"a,b|c$d\"));
    }

    #[test]
    fn a_lone_backslash_is_refused() {
        assert_eq!(unescape(r"xx\xx"), None);
        assert_eq!(unescape(r"xx\"), None);
    }
}
