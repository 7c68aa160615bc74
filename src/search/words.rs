//! What `_text` and `_content` ask for: words, phrases and beginnings of words, joined by AND, OR and NOT.
//!
//! `any = all {"OR" all}`, `all = each {["AND"] each}`, `each = ["NOT"] each | "(" any ")" | word | "phrase"`; a `*` after a
//! word or a phrase asks for what begins so. What a query leaves of an index is either what has something, or all but that:
//! neither of the databases has to say "not" but within what something else has.
//!
//! Spec: R4 search.html#text, #content

use crate::search::fold::fold_words;
use crate::search::query_text::unescape;
use crate::store::HAS_NARRATIVE;

/// The most words of one parameter.
const MAX_WORDS: usize = 64;

/// So deep may parentheses and NOT be nested.
const MAX_DEPTH: usize = 8;

/// Which words a resource must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    pub(super) tree: Tree,
    /// Everything but what has them.
    pub(super) is_negated: bool,
}

/// Words that a resource has; lists are not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Phrase(Phrase),
    All(Vec<Tree>),
    Any(Vec<Tree>),
    /// The first and not the second.
    Without(Box<Tree>, Box<Tree>),
}

/// Words that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phrase {
    /// Folded, at least one, with one space between two.
    pub words: String,
    /// Whether more letters may follow on the last word.
    pub is_prefix: bool,
}

impl Words {
    /// There is a narrative, or there is none.
    pub(super) fn narrative(is_there: bool) -> Words {
        let phrase = Phrase { words: HAS_NARRATIVE.to_owned(), is_prefix: false };
        Words { tree: Tree::Phrase(phrase), is_negated: !is_there }
    }

    fn all(mut each: Vec<Words>) -> Words {
        if each.len() == 1 {
            return each.remove(0);
        }
        let (without, with): (Vec<Words>, Vec<Words>) = each.into_iter().partition(|words| words.is_negated);
        match (with.is_empty(), without.is_empty()) {
            (true, _) => Words { tree: any(without), is_negated: true },
            (false, true) => Words { tree: all(with), is_negated: false },
            (false, false) => {
                let tree = Tree::Without(Box::new(all(with)), Box::new(any(without)));
                Words { tree, is_negated: false }
            }
        }
    }

    fn any(mut each: Vec<Words>) -> Words {
        if each.len() == 1 {
            return each.remove(0);
        }
        let (without, with): (Vec<Words>, Vec<Words>) = each.into_iter().partition(|words| words.is_negated);
        match (with.is_empty(), without.is_empty()) {
            (_, true) => Words { tree: any(with), is_negated: false },
            (true, false) => Words { tree: all(without), is_negated: true },
            (false, false) => {
                let tree = Tree::Without(Box::new(all(without)), Box::new(any(with)));
                Words { tree, is_negated: true }
            }
        }
    }
}

fn all(words: Vec<Words>) -> Tree {
    joined(words, Tree::All)
}

fn any(words: Vec<Words>) -> Tree {
    joined(words, Tree::Any)
}

fn joined(words: Vec<Words>, join: fn(Vec<Tree>) -> Tree) -> Tree {
    let mut trees: Vec<Tree> = words.into_iter().map(|words| words.tree).collect();
    if trees.len() == 1 { trees.remove(0) } else { join(trees) }
}

/// Reads what stood between commas, still escaped; problems are told with their place and what would be right.
pub(super) fn parse(parts: &[&str]) -> Result<Words, String> {
    let (mut each, mut words, mut start) = (Vec::new(), 0, 0);
    for part in parts {
        let mut reader = Reader { text: part, at: 0, start, depth: 0, words };
        each.push(reader.whole()?);
        words = reader.words;
        start += part.chars().count() + 1;
    }
    Ok(Words::any(each))
}

struct Reader<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
    /// Characters of the value before `text`.
    start: usize,
    depth: usize,
    /// How many words were read.
    words: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Operator {
    And,
    Or,
    Not,
}

impl<'a> Reader<'a> {
    fn whole(&mut self) -> Result<Words, String> {
        let words = self.any()?;
        match self.rest().is_empty() {
            true => Ok(words),
            false => Err(self.wrong(self.at, "a ')' closes nothing")),
        }
    }

    fn any(&mut self) -> Result<Words, String> {
        let mut each = vec![self.all()?];
        while self.eat_operator(Operator::Or)? {
            each.push(self.all()?);
        }
        Ok(Words::any(each))
    }

    fn all(&mut self) -> Result<Words, String> {
        let mut each = vec![self.each()?];
        loop {
            if self.eat_operator(Operator::And)? {
                each.push(self.each()?);
                continue;
            }
            self.skip_spaces();
            if self.rest().is_empty() || self.rest().starts_with(')') || self.operator()? == Some(Operator::Or) {
                return Ok(Words::all(each));
            }
            each.push(self.each()?);
        }
    }

    fn each(&mut self) -> Result<Words, String> {
        self.skip_spaces();
        let start = self.at;
        if self.eat_operator(Operator::Not)? {
            let words = self.deeper(start, |reader| reader.each())?;
            return Ok(Words { is_negated: !words.is_negated, ..words });
        }
        if self.operator()?.is_some() {
            return Err(self.wrong(start, "AND and OR stand between words; put quotes around them to search for them"));
        }
        match self.rest().chars().next() {
            None => Err(self.wrong(start, "a word is missing")),
            Some(')') => Err(self.wrong(start, "a word is missing before ')'")),
            Some('(') => {
                self.at += 1;
                let words = self.deeper(start, |reader| reader.any())?;
                if !self.rest().starts_with(')') {
                    return Err(self.wrong(start, "this '(' is not closed; before a comma in it belongs a backslash"));
                }
                self.at += 1;
                Ok(words)
            }
            Some('"') => {
                let Some(length) = self.rest()[1..].find('"') else {
                    return Err(
                        self.wrong(start, "these quotes are not closed; before a comma in them belongs a backslash")
                    );
                };
                self.at += length + 2;
                self.phrase(start, &self.text[start + 1..self.at - 1])
            }
            Some(_) => {
                let term = self.term();
                self.at += term.len();
                self.phrase(start, term)
            }
        }
    }

    /// The words of `text`, which began at `start`, and perhaps a `*` after them.
    fn phrase(&mut self, start: usize, text: &str) -> Result<Words, String> {
        let plain = self.unescaped(start, text)?;
        let mut words = String::new();
        fold_words(&plain, &mut words);
        if words.is_empty() {
            return Err(self.wrong(start, "here is neither a letter nor a digit; nothing else is searched for"));
        }
        self.words += words.split(' ').count();
        if self.words > MAX_WORDS {
            return Err(format!("it asks for more than {MAX_WORDS} words; split the search"));
        }
        let is_prefix = self.rest().starts_with('*');
        self.at += usize::from(is_prefix);
        let ends =
            self.rest().chars().next().is_none_or(|next| next.is_whitespace() || matches!(next, '(' | ')' | '"'));
        if !ends || self.rest().starts_with('*') {
            return Err(self.wrong(self.at, "a '*' stands only at the end of a word, and a space behind it"));
        }
        Ok(Words { tree: Tree::Phrase(Phrase { words, is_prefix }), is_negated: false })
    }

    /// What is escaped is no letter: it parts words.
    fn unescaped(&self, start: usize, text: &str) -> Result<String, String> {
        unescape(text)
            .ok_or_else(|| self.wrong(start, "a backslash stands only before ',', '|', '$' or another backslash"))
    }

    fn deeper(&mut self, start: usize, read: impl FnOnce(&mut Self) -> Result<Words, String>) -> Result<Words, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong(start, &format!("parentheses and NOT are nested more than {MAX_DEPTH} deep")));
        }
        let words = read(self);
        self.depth -= 1;
        words
    }

    /// Goes past `operator` if it comes next.
    fn eat_operator(&mut self, operator: Operator) -> Result<bool, String> {
        self.skip_spaces();
        let is_next = self.operator()? == Some(operator);
        if is_next {
            self.at += self.term().len();
        }
        Ok(is_next)
    }

    /// The operator that comes next. A small "or" or "not" could be either that or a word: neither is guessed. "and" between
    /// two words changes nothing, and the specification writes it so.
    fn operator(&self) -> Result<Option<Operator>, String> {
        let term = self.term();
        match term {
            "OR" => return Ok(Some(Operator::Or)),
            "NOT" => return Ok(Some(Operator::Not)),
            _ => {}
        }
        if term.eq_ignore_ascii_case("and") {
            return Ok(Some(Operator::And));
        }
        match term.eq_ignore_ascii_case("or") || term.eq_ignore_ascii_case("not") {
            true => {
                Err(self
                    .wrong(self.at, "write OR and NOT in capitals, or put quotes around them to search for the words"))
            }
            false => Ok(None),
        }
    }

    /// Up to what ends a word that stands without quotes.
    fn term(&self) -> &'a str {
        let rest = self.rest();
        let is_end = |character: char| character.is_whitespace() || matches!(character, '(' | ')' | '"' | '*');
        &rest[..rest.find(is_end).unwrap_or(rest.len())]
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// A problem at a byte of the text, told by the character of the value.
    fn wrong(&self, at: usize, problem: &str) -> String {
        format!("at character {}: {problem}", self.start + self.text[..at].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::query_text::split;

    /// As a formula: `!` before what is negated.
    fn formula(words: &Words) -> String {
        fn tree(of: &Tree) -> String {
            let list = |trees: &[Tree], sign: &str| {
                let each: Vec<String> = trees.iter().map(tree).collect();
                format!("({})", each.join(sign))
            };
            match of {
                Tree::Phrase(phrase) => format!("{}{}", phrase.words, if phrase.is_prefix { "*" } else { "" }),
                Tree::All(trees) => list(trees, " & "),
                Tree::Any(trees) => list(trees, " | "),
                Tree::Without(with, without) => format!("({} - {})", tree(with), tree(without)),
            }
        }
        format!("{}{}", if words.is_negated { "!" } else { "" }, tree(&words.tree))
    }

    fn parsed(text: &str) -> Result<String, String> {
        let parts: Vec<&str> = split(text, ',').collect();
        parse(&parts).map(|words| formula(&words))
    }

    #[test]
    fn words_are_joined_as_they_are_written() {
        let cases = [
            ("Müller", "muller"),
            ("(bone OR liver) and metastases", "((bone | liver) & metastases)"),
            ("a b OR c AND d", "((a & b) | (c & d))"),
            ("E11.9", "e11 9"),
            ("\"Heart  rate\"", "heart rate"),
            ("a\"b\"(c)", "(a & b & c)"),
            ("hyper* \"blood pres\"*", "(hyper* & blood pres*)"),
            ("a,b c", "(a | (b & c))"),
            ("\"a\\, b\" c\\$d", "(a b & c d)"),
            ("\"AND\" \"or\"", "(and & or)"),
            ("a\0b", "a b"),
            ("NEAR(a)", "(near & a)"),
            ("narrative:x^2", "narrative x 2"),
        ];

        for (text, expected) in cases {
            assert_eq!(parsed(text), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_negated_is_taken_from_what_is_not() {
        let cases = [
            ("NOT a", "!a"),
            ("NOT NOT a", "a"),
            ("a NOT b", "(a - b)"),
            ("NOT a NOT b", "!(a | b)"),
            ("NOT a OR NOT b", "!(a & b)"),
            ("a OR NOT b", "!(b - a)"),
            ("a b AND NOT (c d)", "((a & b) - (c & d))"),
            ("NOT (a OR NOT b) c", "((b - a) & c)"),
            ("a,NOT b", "!(b - a)"),
        ];

        for (text, expected) in cases {
            assert_eq!(parsed(text), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        let cases = [
            ("a (b", 3, "not closed"),
            ("a b)", 4, "closes nothing"),
            ("()", 2, "missing before ')'"),
            ("a,b \"c", 5, "not closed"),
            ("ä OR", 5, "a word is missing"),
            ("OR a", 1, "between words"),
            ("a OR AND b", 6, "between words"),
            ("a NOT", 6, "a word is missing"),
            ("*", 1, "neither a letter nor a digit"),
            ("a*b", 3, "only at the end"),
            ("a**", 3, "only at the end"),
            ("a - b", 3, "neither a letter nor a digit"),
            ("\"\"", 1, "neither a letter nor a digit"),
            ("\u{1F642}", 1, "neither a letter nor a digit"),
            ("bone or liver", 6, "in capitals"),
            ("not a", 1, "in capitals"),
            (r"a\b", 1, "backslash"),
            ("((((((((( a )))))))))", 9, "nested more than 8"),
            ("NOT NOT NOT NOT NOT NOT NOT NOT NOT a", 33, "nested more than 8"),
        ];

        for (text, place, problem) in cases {
            let error = parsed(text).unwrap_err();
            assert!(
                error.starts_with(&format!("at character {place}: ")) && error.contains(problem),
                "{text}: {error}"
            );
        }
        assert!(parsed(&["a"; 64].join(" ")).is_ok());
        assert_eq!(parsed(&["a"; 65].join(",")).unwrap_err(), "it asks for more than 64 words; split the search");
        assert!(parsed("(((((((( a ))))))))").is_ok());
    }
}
