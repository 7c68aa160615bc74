//! Text to tokens.
//!
//! Spec: FHIRPath N1 #lexical-elements

use std::sync::Arc;

use super::SyntaxError;
use super::decimal::Decimal;
use super::temporal::Temporal;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// An identifier or a keyword.
    Word(Box<str>),
    /// An identifier in backticks, which is never a keyword.
    Quoted(Box<str>),
    Text(Arc<str>),
    Integer(i64),
    Decimal(Decimal),
    Temporal(Temporal),
    /// `$this` and its kin, without the `$`.
    Special(Box<str>),
    Percent,
    /// An operator or bracket.
    Sign(&'static str),
}

/// Longer ones first where one begins another.
const SIGNS: [&str; 22] =
    ["!=", "!~", "<=", ">=", "=", "~", "<", ">", "+", "-", "*", "/", "&", "|", "(", ")", "[", "]", "{", "}", ".", ","];

/// All tokens of `text`, each with the position of its first character.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, SyntaxError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::new();
    loop {
        lexer.skip_blank()?;
        let start = lexer.at;
        match lexer.next()? {
            Some(token) => found.push((start, token)),
            None => break,
        }
    }
    // Bytes to characters, in one pass over the text.
    let (mut bytes, mut chars) = (0, 0);
    for (position, _) in &mut found {
        chars += text[bytes..*position].chars().count();
        bytes = *position;
        *position = chars;
    }
    Ok(found)
}

struct Lexer<'t> {
    text: &'t str,
    /// In bytes, always between characters.
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn error(&self, at: usize, problem: &str) -> SyntaxError {
        SyntaxError { position: self.text[..at].chars().count(), problem: problem.to_owned() }
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'t str {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn skip_blank(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            if self.rest().starts_with("//") {
                self.take_while(|byte| byte != b'\n' && byte != b'\r');
            } else if self.rest().starts_with("/*") {
                let Some(length) = self.rest()[2..].find("*/") else {
                    return Err(self.error(self.at, "this comment has no end"));
                };
                self.at += length + 4;
            } else {
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Result<Option<Token>, SyntaxError> {
        let Some(first) = self.peek() else { return Ok(None) };
        let token = match first {
            b'0'..=b'9' => self.number()?,
            b'\'' => Token::Text(self.quoted(b'\'')?.into()),
            b'"' => Token::Text(self.quoted(b'"')?.into()),
            b'`' => Token::Quoted(self.quoted(b'`')?.into()),
            b'@' => self.temporal()?,
            b'$' => {
                self.at += 1;
                Token::Special(self.word().into())
            }
            b'%' => {
                self.at += 1;
                Token::Percent
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Token::Word(self.word().into()),
            _ => {
                let sign = SIGNS.iter().find(|sign| self.rest().starts_with(**sign));
                let Some(sign) = sign else {
                    return Err(self.error(self.at, "this character has no meaning here"));
                };
                self.at += sign.len();
                Token::Sign(sign)
            }
        };
        Ok(Some(token))
    }

    fn word(&mut self) -> &'t str {
        self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }

    fn number(&mut self) -> Result<Token, SyntaxError> {
        let start = self.at;
        self.take_while(|byte| byte.is_ascii_digit());
        let next = self.text.as_bytes().get(self.at + 1);
        let has_fraction = self.peek() == Some(b'.') && next.is_some_and(u8::is_ascii_digit);
        if has_fraction {
            self.at += 1;
            self.take_while(|byte| byte.is_ascii_digit());
        }
        let text = &self.text[start..self.at];
        let token =
            if has_fraction { Decimal::parse(text).map(Token::Decimal) } else { text.parse().ok().map(Token::Integer) };
        token.ok_or_else(|| self.error(start, "this number has too many digits"))
    }

    /// A date, dateTime or time after `@`.
    fn temporal(&mut self) -> Result<Token, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let written = self.at;
        let is_time = self.peek() == Some(b'T');
        self.take_while(|byte| byte.is_ascii_digit() || byte == b'-');
        if self.peek() == Some(b'T') {
            self.at += 1;
            self.take_while(|byte| byte.is_ascii_digit() || byte == b':');
            let next = self.text.as_bytes().get(self.at + 1);
            if self.peek() == Some(b'.') && next.is_some_and(u8::is_ascii_digit) {
                self.at += 1;
                self.take_while(|byte| byte.is_ascii_digit());
            }
            let zone = self.rest().as_bytes();
            if !is_time && zone.first() == Some(&b'Z') {
                self.at += 1;
            } else if !is_time && zone.len() >= 6 && matches!(zone[0], b'+' | b'-') && zone[3] == b':' {
                self.at += if zone[1..6].is_ascii() { 6 } else { 0 };
            }
        }
        let text = &self.text[written..self.at];
        let parsed = match text.strip_prefix('T') {
            Some(time) => Temporal::parse_time(time),
            None if text.contains('T') => Temporal::parse_date_time(text),
            None => Temporal::parse_date(text),
        };
        let problem = "a date is written @YYYY-MM-DD, a dateTime @YYYY-MM-DDThh:mm:ss, a time @Thh:mm:ss";
        parsed.map(Token::Temporal).ok_or_else(|| self.error(start, problem))
    }

    /// What stands between two `quote`s, escapes resolved.
    fn quoted(&mut self, quote: u8) -> Result<String, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|byte| byte != quote && byte != b'\\'));
            match self.peek() {
                None => return Err(self.error(start, "this text has no end")),
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => {
                    self.at += 1;
                    return Ok(text);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let start = self.at;
        self.at += 2;
        let unknown = "after a backslash stands one of ' \" ` \\ / f n r t or uXXXX";
        Ok(match self.text.as_bytes().get(start + 1) {
            Some(known @ (b'\'' | b'"' | b'`' | b'\\' | b'/')) => char::from(*known),
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.code_unit().ok_or_else(|| self.error(start, unknown))?;
                let mut units = vec![first];
                if (0xd800..0xdc00).contains(&first) && self.rest().starts_with("\\u") {
                    self.at += 2;
                    units.extend(self.code_unit());
                }
                let text = String::from_utf16(&units).map_err(|_| self.error(start, unknown))?;
                text.chars().next().ok_or_else(|| self.error(start, unknown))?
            }
            _ => return Err(self.error(start, unknown)),
        })
    }

    fn code_unit(&mut self) -> Option<u16> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u16::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_comments_are_skipped() {
        let found = tokens("'é' /* no */ = x // end").unwrap();

        let positions: Vec<usize> = found.iter().map(|(position, _)| *position).collect();

        assert_eq!(positions, [0, 13, 15]);
        assert_eq!(found[2].1, Token::Word("x".into()));
    }

    #[test]
    fn escapes_are_resolved() {
        let found = tokens(r"'\\\/\f\r\n\t\x22'".replace("\\x22", "\\\"").as_str()).unwrap();
        assert_eq!(found[0].1, Token::Text("\\/\u{c}\r\n\t\"".into()));

        let found = tokens(r"'P\u0065ter \ud83d\ude00'").unwrap();
        assert_eq!(found[0].1, Token::Text("Peter 😀".into()));
    }

    #[test]
    fn what_is_no_token_is_refused_with_its_position() {
        let cases =
            [("a # b", 2), ("'open", 0), ("x /* open", 2), (r"'\q'", 1), (r"'\u00é0'", 1), ("@20", 0), ("@2024-13", 0)];

        for (text, position) in cases {
            assert_eq!(tokens(text).unwrap_err().position, position, "{text}");
        }
    }
}
