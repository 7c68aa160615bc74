//! FHIR JSON: a strict parser that says where, and a writer that keeps every digit.
//!
//! Stricter than JSON where FHIR is, or where leniency would hide a mistake: no byte order mark, no member twice, no
//! member that cannot be an element, no NUL, no nesting without end. `null` passes, because arrays of primitives need
//! it to line up with their extensions; `validation` judges where it stands.
//!
//! Spec: R4 json.html

use serde_json::{Map, Number, Value};
use thiserror::Error;

/// How deep objects and arrays may nest.
pub const MAX_DEPTH: usize = 100;

/// More digits than any measurement has; keeps arithmetic on a hostile number cheap.
const MAX_NUMBER_LENGTH: usize = 400;

/// The longest member name that an error repeats; no element of R4 comes near.
const MAX_ECHOED_NAME: usize = 64;

const EXPECTED_VALUE: &str =
    "a value is expected here: an object, an array, a number, true, false, or text in double quotes";

/// Why a text is no FHIR JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct JsonError {
    /// Counted from 1.
    pub line: usize,
    /// Counted in characters, from 1.
    pub column: usize,
    /// The element under way, such as `contact[2].name`; empty at the root.
    pub path: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// Parses one JSON value. Numbers keep their text to the letter, objects the order of their members.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        let problem = "the text begins with a byte order mark: remove it, JSON is sent without one".to_owned();
        return Err(JsonError { line: 1, column: 1, path: String::new(), problem });
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Parser::new(text).document().map_err(|fault| fault.located(text)),
        Err(invalid) => {
            let text = std::str::from_utf8(&bytes[..invalid.valid_up_to()]).expect("valid up to there, as just found");
            // The readable part leads to the element under way, unless it has a fault of its own before.
            let fault = match Parser::new(text).document() {
                Err(fault) if fault.offset < text.len() => fault,
                cut_off => Box::new(Fault {
                    offset: text.len(),
                    problem: "the text is not valid UTF-8: send it in UTF-8".into(),
                    path: cut_off.err().map(|fault| fault.path).unwrap_or_default(),
                }),
            };
            Err(fault.located(text))
        }
    }
}

/// A fault as it travels up; line, column and path text are worked out only once it has arrived.
struct Fault {
    /// In bytes.
    offset: usize,
    problem: std::borrow::Cow<'static, str>,
    /// Innermost step first.
    path: Vec<Step>,
}

enum Step {
    Member(String),
    Entry(usize),
}

impl Fault {
    /// Notes that the fault lies inside the member `name`.
    #[cold]
    fn in_member(mut self: Box<Fault>, name: &str) -> Box<Fault> {
        self.path.push(Step::Member(shortened(name)));
        self
    }

    /// Notes that the fault lies inside entry `index` of an array.
    #[cold]
    fn in_entry(mut self: Box<Fault>, index: usize) -> Box<Fault> {
        self.path.push(Step::Entry(index));
        self
    }

    fn located(self, text: &str) -> JsonError {
        let before = &text[..self.offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let mut path = String::new();
        for step in self.path.iter().rev() {
            match step {
                Step::Member(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Step::Entry(index) => path.push_str(&format!("[{index}]")),
            }
        }
        JsonError {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            path,
            problem: self.problem.into_owned(),
        }
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(MAX_ECHOED_NAME).collect()
}

type Parsed<T> = Result<T, Box<Fault>>;

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Parser<'a> {
        Parser { text, bytes: text.as_bytes(), at: 0, depth: 0 }
    }

    fn document(mut self) -> Parsed<Value> {
        self.skip_space();
        let value = self.value()?;
        self.skip_space();
        if self.at < self.bytes.len() {
            return Err(self.fault("there is more text after the end of the JSON value: send one value only"));
        }
        Ok(value)
    }

    fn value(&mut self) -> Parsed<Value> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => self.nested(Parser::object),
            Some(b'[') => self.nested(Parser::array),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(self.fault(EXPECTED_VALUE)),
            None => Err(self.cut_off()),
        }
    }

    /// Reads an object or array, which `peek` has seen begin.
    fn nested(&mut self, read: fn(&mut Self) -> Parsed<Value>) -> Parsed<Value> {
        if self.depth == MAX_DEPTH {
            return Err(self.fault(format!("objects and arrays may nest at most {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Parsed<Value> {
        let mut members = Map::new();
        if self.took(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            let start = self.at;
            let name = self.member_name()?;
            self.skip_space();
            if !self.took(b':') {
                return Err(self.missing("a ':' is expected between the name of an element and its value"));
            }
            self.skip_space();
            let value = self.value().map_err(|fault| fault.in_member(name))?;
            // The map's own index finds a repeated name, so that large objects stay linear.
            if members.insert(name.to_owned(), value).is_some() {
                self.at = start;
                let problem = format!("'{}' appears twice in one object: send it once", shortened(name));
                return Err(self.fault(problem).in_member(name));
            }
            self.skip_space();
            if self.took(b',') {
                self.skip_space();
            } else if self.took(b'}') {
                return Ok(Value::Object(members));
            } else {
                return Err(self.missing("a ',' or '}' is expected after the value of an element"));
            }
        }
    }

    fn array(&mut self) -> Parsed<Value> {
        let mut entries = Vec::new();
        if self.took(b']') {
            return Ok(Value::Array(entries));
        }
        loop {
            let entry = self.value().map_err(|fault| fault.in_entry(entries.len()))?;
            entries.push(entry);
            self.skip_space();
            if self.took(b',') {
                self.skip_space();
            } else if self.took(b']') {
                return Ok(Value::Array(entries));
            } else {
                return Err(self.missing("a ',' or ']' is expected after an entry of an array"));
            }
        }
    }

    /// Reads a quoted element name; refusing all others also keeps out what a JSON library may treat specially.
    fn member_name(&mut self) -> Parsed<&'a str> {
        if !self.took(b'"') {
            return Err(self.missing("the name of an element is expected here, in double quotes"));
        }
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.at += 1;
        }
        let name = &self.text[start..self.at];
        if self.peek().is_none() {
            return Err(self.cut_off());
        }
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') || !self.took(b'"') {
            self.at = start;
            return Err(self.fault("this cannot be the name of an element: names have letters, digits and '_' only"));
        }
        Ok(name)
    }

    fn string(&mut self) -> Parsed<String> {
        self.at += 1;
        let start = self.at;
        self.at = run_end(self.bytes, start);
        let first = &self.text[start..self.at];
        if self.took(b'"') {
            return Ok(first.to_owned());
        }
        let mut string = first.to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape()?),
                Some(0) => return Err(self.nul()),
                Some(_) => {
                    return Err(self.fault("a control character in a string must be escaped: write \\n, \\t or \\r"));
                }
                None => return Err(self.cut_off()),
            }
            let start = self.at;
            self.at = run_end(self.bytes, start);
            string.push_str(&self.text[start..self.at]);
        }
    }

    /// Reads an escape from its backslash on.
    fn escape(&mut self) -> Parsed<char> {
        let start = self.at;
        let Some(letter) = self.bytes.get(start + 1) else {
            self.at = self.bytes.len();
            return Err(self.cut_off());
        };
        let character = match letter {
            b'"' | b'\\' | b'/' => char::from(*letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(self.fault("JSON has no such escape: write the character itself, or \\u and four digits")),
        };
        self.at += 2;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Parsed<char> {
        let unit = self.hex_unit()?;
        let code = match unit {
            0 => return Err(self.nul()),
            0xD800..=0xDBFF => {
                let start = self.at;
                self.at += 6;
                let second = if self.bytes[self.at..].starts_with(b"\\u") { self.hex_unit()? } else { 0 };
                if !(0xDC00..=0xDFFF).contains(&second) {
                    self.at = start;
                    return Err(self.lone_surrogate());
                }
                0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00)
            }
            code => code,
        };
        let character = char::from_u32(code).ok_or_else(|| self.lone_surrogate())?;
        self.at += 6;
        Ok(character)
    }

    /// The four hexadecimal digits after the `\u` at the current place, which stays.
    fn hex_unit(&self) -> Parsed<u32> {
        let digits = self.bytes.get(self.at + 2..self.at + 6).unwrap_or_default();
        if digits.len() < 4 {
            let mut cut_off = self.cut_off();
            cut_off.offset = self.bytes.len();
            return Err(cut_off);
        }
        let mut unit = 0;
        for digit in digits {
            match char::from(*digit).to_digit(16) {
                Some(digit) => unit = unit * 16 + digit,
                None => return Err(self.fault("\\u is followed by exactly four hexadecimal digits")),
            }
        }
        Ok(unit)
    }

    fn number(&mut self) -> Parsed<Number> {
        let start = self.at;
        self.took(b'-');
        let leading_zero = self.peek() == Some(b'0');
        if !self.took_digits() {
            return Err(self.missing("a digit is expected after '-'"));
        }
        let whole = &self.bytes[start..self.at];
        if leading_zero && whole != b"0" && whole != b"-0" {
            self.at = start;
            return Err(self.fault("a number has no needless zeros in front: write 7, not 07"));
        }
        if self.took(b'.') && !self.took_digits() {
            return Err(self.missing("a digit is expected after the decimal point"));
        }
        if self.took(b'e') || self.took(b'E') {
            let _ = self.took(b'+') || self.took(b'-');
            if !self.took_digits() {
                return Err(self.missing("a digit is expected in the exponent"));
            }
        }
        let number = &self.text[start..self.at];
        if number.len() > MAX_NUMBER_LENGTH {
            self.at = start;
            return Err(self.fault(format!("a number may have at most {MAX_NUMBER_LENGTH} characters")));
        }
        // Parsing would rewrite `1E5` as `1e+5`; the grammar was checked above.
        Ok(Number::from_string_unchecked(number.to_owned()))
    }

    fn word(&mut self, word: &str, value: Value) -> Parsed<Value> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(value);
        }
        if word.as_bytes().starts_with(rest) {
            self.at = self.bytes.len();
            return Err(self.cut_off());
        }
        Err(self.fault(EXPECTED_VALUE))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Steps over `byte` if it is next.
    fn took(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    /// Steps over digits; false when there are none.
    fn took_digits(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > start
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    #[cold]
    fn fault(&self, problem: impl Into<std::borrow::Cow<'static, str>>) -> Box<Fault> {
        Box::new(Fault { offset: self.at, problem: problem.into(), path: Vec::new() })
    }

    /// `problem`, unless the text is over.
    #[cold]
    fn missing(&self, problem: &'static str) -> Box<Fault> {
        if self.at < self.bytes.len() { self.fault(problem) } else { self.cut_off() }
    }

    #[cold]
    fn cut_off(&self) -> Box<Fault> {
        self.fault("the JSON is incomplete: the text ends too early")
    }

    #[cold]
    fn nul(&self) -> Box<Fault> {
        self.fault("the character NUL cannot be part of a string: remove it")
    }

    #[cold]
    fn lone_surrogate(&self) -> Box<Fault> {
        self.fault("this escape is half of a surrogate pair: write both halves, or the character itself")
    }
}

/// Where the run of characters that a JSON string holds as they are ends: at a quote, a backslash, a control character
/// or the end of `bytes`.
fn run_end(bytes: &[u8], start: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES * 0x80;
    let mut at = start;
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        // Eight bytes at once. A byte below n sets its high bit in (word - n) & !word; a borrow can only spoil the bytes
        // above a hit, so the lowest hit is a true one.
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let hits =
            (control | (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash)) & HIGHS;
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| *byte >= 0x20 && *byte != b'"' && *byte != b'\\') {
        at += 1;
    }
    at
}

/// Writes `value` compactly, key order and digits kept.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.as_str().as_bytes()),
        Value::String(text) => write_text(text, out),
        Value::Array(entries) => {
            out.push(b'[');
            for (index, entry) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(entry, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(name, out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
    }
}

/// Writes `text` as a JSON string, with quotes; only what JSON requires is escaped.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut start = 0;
    loop {
        let end = run_end(bytes, start);
        out.extend_from_slice(&bytes[start..end]);
        let Some(special) = bytes.get(end) else { break };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            control => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(DIGITS[usize::from(control >> 4)]);
                out.push(DIGITS[usize::from(control & 15)]);
            }
        }
        start = end + 1;
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> String {
        let mut out = Vec::new();
        write(&parse(text.as_bytes()).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn refused(bytes: &[u8]) -> JsonError {
        parse(bytes).expect_err(&String::from_utf8_lossy(bytes))
    }

    #[test]
    fn digits_keys_and_nulls_survive_a_round_trip() {
        let cases = [
            "1.00",
            "1E+5",
            "1E5",
            "1e-05",
            "-0.0",
            "-0",
            "0",
            "100000000000000000000.123",
            "0.000",
            "null",
            "true",
            "false",
            "[]",
            "{}",
            "\"\"",
            r#"{"zeta":1,"alpha":[1.0,null,{"b":"x"}],"_id":{"extension":[]}}"#,
            r#"{"a":"quote \" backslash \\ line \n tab \t bell \u0007 back \b feed \f return \r"}"#,
            "\"Grüße, 日本, 👩‍⚕️, a long run without any escape at all\"",
            r#"["12345678\"","1234567\"","123456789\\"]"#,
        ];
        for text in cases {
            assert_eq!(rewritten(text), text);
        }
    }

    #[test]
    fn space_and_needless_escapes_are_not_kept() {
        let text = " \r\n{ \"a\" :\t[ 1 , \"\\u0041\\/\\u00e9\\ud83d\\ude00\\uD83D\\uDE00\" ] , \"b\":{ } }\n";

        assert_eq!(rewritten(text), "{\"a\":[1,\"A/é😀😀\"],\"b\":{}}");
    }

    #[test]
    fn the_result_equals_what_serde_json_reads() {
        let text =
            r#"{"resourceType":"Patient","name":[{"family":"O\u0027Neil","given":["A","B"]}],"active":true,"x":-1.50}"#;

        assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn faults_name_line_column_and_element() {
        let cases: [(&str, usize, usize, &str, &str); 33] = [
            ("", 1, 1, "", "incomplete"),
            ("  ", 1, 3, "", "incomplete"),
            ("{", 1, 2, "", "incomplete"),
            ("{\"a\"", 1, 5, "", "incomplete"),
            ("{\"a\":", 1, 6, "a", "incomplete"),
            ("{\"a\":tr", 1, 8, "a", "incomplete"),
            ("{\"a\":\"x", 1, 8, "a", "incomplete"),
            ("{\"a\":\"\\", 1, 8, "a", "incomplete"),
            ("{\"a\":\"\\u00", 1, 11, "a", "incomplete"),
            ("{\"a\":1} x", 1, 9, "", "more text"),
            ("{\"a\":1}{}", 1, 8, "", "more text"),
            ("{\n \"contact\": [{}, {},\n  {\"name\": oops}]}", 3, 12, "contact[2].name", "double quotes"),
            ("{\"é\":1}", 1, 3, "", "name of an element"),
            ("{\"a\":\"éé\",\"a\":2}", 1, 11, "a", "'a' appears twice"),
            ("{\"b\":[{\"a\":1,\"c\":2,\"a\":2}]}", 1, 20, "b[0].a", "twice"),
            ("{\"$serde_json::private::Number\":\"1\"}", 1, 3, "", "name of an element"),
            ("{\"\":1}", 1, 3, "", "name of an element"),
            ("{\"1a\":1}", 1, 3, "", "name of an element"),
            ("{\"a\\u0062\":1}", 1, 3, "", "name of an element"),
            ("{a:1}", 1, 2, "", "double quotes"),
            ("{\"a\":1,}", 1, 8, "", "name of an element"),
            ("{\"a\" 1}", 1, 6, "", "':'"),
            ("{\"a\":1 \"b\":2}", 1, 8, "", "','"),
            ("[1 2]", 1, 4, "", "','"),
            ("[1,]", 1, 4, "[1]", "value is expected"),
            ("{\"a\":['x']}", 1, 7, "a[0]", "value is expected"),
            ("[\"a\nb\"]", 1, 4, "[0]", "control character"),
            ("[\"ab\\u0000\"]", 1, 5, "[0]", "NUL"),
            ("[\"ab\0\"]", 1, 5, "[0]", "NUL"),
            ("[\"\\ud83d\"]", 1, 3, "[0]", "surrogate"),
            ("[\"\\ud83d\\u0041\"]", 1, 3, "[0]", "surrogate"),
            ("[\"\\ude00\"]", 1, 3, "[0]", "surrogate"),
            ("[\"\\x\"]", 1, 3, "[0]", "no such escape"),
        ];
        for (text, line, column, path, problem) in cases {
            let error = refused(text.as_bytes());

            assert_eq!((error.line, error.column, error.path.as_str()), (line, column, path), "{text:?}: {error}");
            assert!(error.problem.contains(problem), "{text:?}: {error}");
        }
    }

    #[test]
    fn numbers_outside_of_the_grammar_are_refused() {
        for text in
            ["01", "-", "-a", "1.", ".5", "1e", "1e+", "1.e1", "+1", "00", "-01", "1a", "NaN", "Infinity", "0x1"]
        {
            refused(text.as_bytes());
        }
        let (longest, too_long) = ("9".repeat(400), "9".repeat(401));
        assert_eq!(rewritten(&longest), longest);
        assert!(refused(too_long.as_bytes()).problem.contains("at most 400"));
    }

    #[test]
    fn invalid_utf_8_is_located_in_its_element() {
        let error = refused(b"{\"name\":[{\"family\":\"\xC3\xA9\xFF\"}]}");

        assert_eq!((error.line, error.column, error.path.as_str()), (1, 22, "name[0].family"));
        assert!(error.problem.contains("UTF-8"));
        assert_eq!(refused(b"{\"a\":x \xFF}").column, 6, "an earlier fault comes first");
        assert!(refused(b"{} \xFF").problem.contains("UTF-8"));
    }

    #[test]
    fn a_byte_order_mark_is_to_be_removed() {
        assert!(refused(b"\xEF\xBB\xBF{}").problem.contains("remove it"));
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));

        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(refused(nested(MAX_DEPTH + 1).as_bytes()).column, MAX_DEPTH + 1);
        assert!(refused("[{\"a\":".repeat(100_000).as_bytes()).problem.contains("at most 100"));
    }

    #[test]
    fn an_object_of_many_members_is_read_in_linear_time() {
        let members: Vec<String> = (0..100_000).map(|index| format!("\"k{index}\":0")).collect();
        let text = format!("{{{}}}", members.join(","));

        assert_eq!(parse(text.as_bytes()).unwrap().as_object().unwrap().len(), 100_000);
        let twice = text.replace("\"k99999\"", "\"k0\"");
        assert_eq!(refused(twice.as_bytes()).path, "k0");
    }

    #[test]
    fn a_long_member_name_is_not_repeated_in_full() {
        let error = refused(format!("{{\"{}\":x}}", "a".repeat(10_000)).as_bytes());

        assert_eq!(error.path.len(), 64);
    }
}
