//! How text is made comparable: for string parameters, and for the codes of token parameters.
//!
//! Spec: R4 search.html#string, #token

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// How many characters of a folded text the index keeps. Search values are cut alike, so that a longer one finds
/// what agrees with it that far; `:exact` compares all of it.
pub const STRING_INDEX_CHARS: usize = 200;

/// The text as a string search compares it: no accents, lower case, no punctuation, single spaces, at most
/// [`STRING_INDEX_CHARS`] characters. May be empty.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len().min(STRING_INDEX_CHARS));
    let mut writer = Writer { folded: &mut folded, chars: 0, space_due: false };
    if text.is_ascii() {
        for byte in text.bytes() {
            if !writer.push(char::from(byte.to_ascii_lowercase())) {
                break;
            }
        }
    } else {
        'text: for part in text.nfkd().filter(|part| !is_combining_mark(*part)) {
            for lower in part.to_lowercase().nfkd().filter(|part| !is_combining_mark(*part)) {
                if !writer.push(lower) {
                    break 'text;
                }
            }
        }
    }
    folded
}

struct Writer<'a> {
    folded: &'a mut String,
    chars: usize,
    space_due: bool,
}

impl Writer<'_> {
    /// Takes one character; false when the text is full.
    fn push(&mut self, character: char) -> bool {
        if character.is_whitespace() || character.is_control() {
            self.space_due = self.chars > 0;
            return true;
        }
        if is_punctuation(character) {
            return true;
        }
        let room = STRING_INDEX_CHARS - self.chars;
        if room < 1 + usize::from(self.space_due) {
            return false;
        }
        if self.space_due {
            self.folded.push(' ');
            self.chars += 1;
            self.space_due = false;
        }
        self.folded.push(character);
        self.chars += 1;
        true
    }
}

/// Characters that the specification wants ignored; signs with a meaning of their own (`+ < = > $`) stay.
fn is_punctuation(character: char) -> bool {
    matches!(character, '!' | '"' | '#' | '%' | '&' | '\'' | '(' | ')' | '*' | ',' | '-' | '.' | '/' | ':' | ';' | '?')
        || matches!(character, '@' | '[' | '\\' | ']' | '_' | '{' | '}')
        || matches!(character, '\u{A1}' | '\u{A7}' | '\u{AB}' | '\u{AD}' | '\u{B6}' | '\u{B7}' | '\u{BB}' | '\u{BF}')
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205E}')
        || matches!(character, '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}')
}

/// Of a longer word, no more characters are compared.
pub(super) const WORD_CHARS: usize = 64;

/// Appends the words of `text` to `words`, with one space between two: lower case, without accents, split at whatever is
/// neither letter nor digit. Ideographs and kana, between which no space stands, are words of their own.
pub(super) fn fold_words(text: &str, words: &mut String) {
    let mut writer = WordWriter { words, chars: 0 };
    if text.is_ascii() {
        for byte in text.bytes() {
            writer.push(char::from(byte.to_ascii_lowercase()));
        }
        return;
    }
    for part in text.nfkd().filter(|part| !is_combining_mark(*part)) {
        for lower in part.to_lowercase().nfkd().filter(|part| !is_combining_mark(*part)) {
            writer.push(lower);
        }
    }
}

struct WordWriter<'a> {
    words: &'a mut String,
    /// Of the word under way; 0 between two.
    chars: usize,
}

impl WordWriter<'_> {
    fn push(&mut self, character: char) {
        // A soft hyphen and joiners show where a word may break or must not.
        if matches!(character, '\u{AD}' | '\u{200C}' | '\u{200D}' | '\u{2060}' | '\u{FEFF}') {
            return;
        }
        if !character.is_alphanumeric() {
            self.chars = 0;
            return;
        }
        let is_word = is_word_by_itself(character);
        if self.chars == 0 || is_word {
            if !self.words.is_empty() {
                self.words.push(' ');
            }
            self.chars = 0;
        }
        if self.chars < WORD_CHARS {
            self.words.push(character);
        }
        self.chars = if is_word { 0 } else { self.chars + 1 };
    }
}

fn is_word_by_itself(character: char) -> bool {
    matches!(character, '\u{3041}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}')
        || matches!(character, '\u{20000}'..='\u{3FFFF}')
}

/// A code as tokens compare it: in lower case.
///
/// Few code systems tell codes apart by case alone, and the specification prefers finding too much over missing
/// something: "When in doubt, servers SHOULD treat tokens in a case-insensitive manner".
pub(super) fn fold_code(code: &str) -> Cow<'_, str> {
    let is_lower = code.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(code) } else { Cow::Owned(code.to_lowercase()) }
}

/// The smallest text that is greater than every text beginning with `prefix`, in the order of code points;
/// `None` when there is none.
pub(super) fn end_of_prefix(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            _ => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_drops_case_accents_punctuation_and_double_spaces() {
        let cases = [
            ("Müller", "muller"),
            ("  O'Brien \t Smith-Jones ", "obrien smithjones"),
            ("ＦＵＬＬ", "full"),
            ("İstanbul", "istanbul"),
            ("e\u{301}te\u{301}", "ete"),
            ("123 Main St., Apt 4", "123 main st apt 4"),
            ("ﬁn", "fin"),
            ("東京", "東京"),
            ("-", ""),
            ("A > G", "a > g"),
        ];

        for (text, folded) in cases {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn folded_text_is_cut_at_the_same_place_as_any_longer_one() {
        let long = "é b ".repeat(500);

        assert_eq!(fold(&long).chars().count(), STRING_INDEX_CHARS - 1);
        assert!(fold(&long).starts_with(&fold(&long[..40])));
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for text in ["Ǆ ÅNGSTRÖM", "ß ſ K", "Ὀδυσσεύς"] {
            assert_eq!(fold(&fold(text)), fold(text));
        }
    }

    #[test]
    fn words_are_letters_and_digits_without_case_and_accents() {
        let cases = [
            ("Müller, Jürgen-Ångström", "muller jurgen angstrom"),
            ("  E11.9 (Type 2)\tO'Brien\0x", "e11 9 type 2 o brien x"),
            ("dia\u{AD}betes ½ ﬁn ＦＵＬＬ", "diabetes 1 2 fin full"),
            ("東京 Tower タワーx", "東 京 tower タ ワ ー x"),
            ("- ☃ 🙂 \"", ""),
        ];

        for (text, expected) in cases {
            let mut words = String::new();
            fold_words(text, &mut words);
            assert_eq!(words, expected, "{text}");
        }
    }

    #[test]
    fn words_are_appended_and_cut() {
        let mut words = "a".to_owned();

        fold_words(&format!("{} b", "x".repeat(100)), &mut words);

        assert_eq!(words, format!("a {} b", "x".repeat(WORD_CHARS)));
    }

    #[test]
    fn end_of_a_prefix_is_above_all_that_begin_with_it() {
        assert_eq!(end_of_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(end_of_prefix("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(end_of_prefix("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(end_of_prefix("\u{10FFFF}"), None);
    }

    #[test]
    fn codes_differ_by_more_than_case() {
        assert_eq!(fold_code("MALE"), "male");
        assert_eq!(fold_code("8867-4"), "8867-4");
    }
}
