//! `_text` and `_content`: the words of each resource, what a query says of them, and queries made of such words.
//!
//! Spec: R4 search.html#text, #content; docs/api/search.md#words

use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::search_oracle::criteria::cased;
use crate::search_oracle::oracle::{Criterion, World};
use crate::search_oracle::random::Random;
use crate::search_oracle::values::{escaped, unescaped};

/// The words of a resource in their order.
pub struct Words {
    narrative: Vec<String>,
    others: Vec<String>,
}

/// What a query says.
enum Sought {
    /// Words that follow each other, the last perhaps only begun.
    Phrase(Vec<String>, bool),
    All(Vec<Sought>),
    Any(Vec<Sought>),
    Not(Box<Sought>),
}

impl Words {
    pub fn of(resource: &Value) -> Words {
        let narrative = words_of(&without_markup(resource["text"]["div"].as_str().unwrap_or_default()));
        let mut others = Vec::new();
        let members = resource.as_object().unwrap();
        // `meta` is stored in front.
        let (meta, rest): (Map<String, Value>, Map<String, Value>) =
            members.clone().into_iter().partition(|(name, _)| name == "meta");
        take(&Value::Object(meta), &mut others);
        take(&Value::Object(rest), &mut others);
        Words { narrative, others }
    }

    /// Whether `_text`, or `_content`, finds them by one of these values.
    pub fn meet(&self, is_content: bool, values: &[String]) -> bool {
        values.iter().any(|value| self.have(&Reader { text: value, at: 0 }.any(), is_content))
    }

    pub fn has_narrative(&self) -> bool {
        !self.narrative.is_empty()
    }

    fn have(&self, sought: &Sought, is_content: bool) -> bool {
        match sought {
            Sought::All(all) => all.iter().all(|one| self.have(one, is_content)),
            Sought::Any(any) => any.iter().any(|one| self.have(one, is_content)),
            Sought::Not(one) => !self.have(one, is_content),
            Sought::Phrase(phrase, is_begun) => {
                let (last, before) = phrase.split_last().unwrap();
                let is_here = |words: &[String]| {
                    let (end, start) = words.split_last().unwrap();
                    start == before && if *is_begun { end.starts_with(last.as_str()) } else { end == last }
                };
                let is_in = |words: &[String]| words.windows(phrase.len()).any(is_here);
                is_in(&self.narrative) || (is_content && is_in(&self.others))
            }
        }
    }
}

/// All texts but those that are there for programs, by their names in the resources that are made here.
fn take(value: &Value, words: &mut Vec<String>) {
    let Value::Object(members) = value else {
        return value.as_array().into_iter().flatten().for_each(|item| take(item, words));
    };
    let is_reference = members.contains_key("reference") || members.contains_key("identifier");
    for (name, value) in members {
        let is_for_programs = match name.as_str() {
            "resourceType" | "id" | "reference" | "url" | "div" | "source" | "profile" | "birthDate" | "date" => true,
            "lastUpdated" | "start" | "end" | "event" | "recordedDate" | "recorded" | "effectiveInstant" => true,
            "timestamp" | "valueSet" => true,
            "system" => !matches!(value.as_str(), Some("phone" | "email" | "fax")),
            "type" => is_reference && value.is_string(),
            name => name.ends_with("DateTime"),
        };
        match value {
            Value::String(text) if !is_for_programs => words.extend(words_of(text)),
            Value::Array(items) if !is_for_programs => {
                for item in items {
                    match item {
                        Value::String(text) => words.extend(words_of(text)),
                        item => take(item, words),
                    }
                }
            }
            Value::Object(_) => take(value, words),
            _ => {}
        }
    }
}

/// Elements part words, but for those that stand within a line.
fn without_markup(div: &str) -> String {
    let mut text = String::new();
    let mut rest = div;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        let end = at + rest[at..].find(['>', ';']).expect("markup ends");
        match &rest[at + 1..end] {
            "b" | "/b" | "i" | "/i" => {}
            "#233" => text.push('é'),
            _ => text.push(' '),
        }
        rest = &rest[end + 1..];
    }
    text + rest
}

/// Letters and digits without case and accents; what Chinese and Japanese are written in is parted at each.
fn words_of(text: &str) -> Vec<String> {
    let bare = text.nfkd().filter(|letter| !is_combining_mark(*letter));
    let lower = bare.flat_map(char::to_lowercase).filter(|letter| !is_combining_mark(*letter));
    let mut parted = String::new();
    for letter in lower {
        match letter {
            '東' | '京' => parted.extend([' ', letter, ' ']),
            letter if letter.is_alphanumeric() => parted.push(letter),
            _ => parted.push(' '),
        }
    }
    parted.split_whitespace().map(str::to_owned).collect()
}

/// NOT binds before AND, AND before OR.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn any(&mut self) -> Sought {
        let mut any = vec![self.all()];
        while self.takes("OR") {
            any.push(self.all());
        }
        Sought::Any(any)
    }

    fn all(&mut self) -> Sought {
        let mut all = vec![self.one()];
        loop {
            if !self.takes("AND") && !self.takes("and") {
                let rest = self.text[self.at..].trim_start();
                if rest.is_empty() || rest.starts_with(')') || rest.starts_with("OR ") {
                    return Sought::All(all);
                }
            }
            all.push(self.one());
        }
    }

    fn one(&mut self) -> Sought {
        if self.takes("NOT") {
            return Sought::Not(Box::new(self.one()));
        }
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        if rest.starts_with('(') {
            self.at += 1;
            let inner = self.any();
            let rest = &self.text[self.at..];
            self.at += rest.find(')').unwrap() + 1;
            return inner;
        }
        let (text, length) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').map(|(text, _)| (text, text.len() + 2)).unwrap(),
            None => {
                let end = rest.find([' ', '(', ')', '*']).unwrap_or(rest.len());
                (&rest[..end], end)
            }
        };
        let is_begun = rest[length..].starts_with('*');
        self.at += length + usize::from(is_begun);
        Sought::Phrase(words_of(&unescaped(text)), is_begun)
    }

    fn takes(&mut self, word: &str) -> bool {
        let rest = &self.text[self.at..];
        let is_next = rest.trim_start().strip_prefix(word).is_some_and(|after| after.starts_with([' ', '(']));
        if is_next {
            self.at += rest.len() - rest.trim_start().len() + word.len();
        }
        is_next
    }
}

pub fn text(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    sought(random, world, type_name, "_text")
}

pub fn content(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    sought(random, world, type_name, "_content")
}

fn sought(random: &mut Random, world: &World, type_name: &str, name: &str) -> Option<Criterion> {
    if name == "_text" && random.percent(5) {
        let truth = random.of(&["true", "false"]).to_owned();
        return Some(Criterion { name: "_text:missing".to_owned(), values: vec![truth] });
    }
    let mut values = Vec::new();
    for _ in 0..1 + usize::from(random.percent(15)) {
        values.push(expression(random, world, type_name, name == "_content", 2)?);
    }
    Some(Criterion { name: name.to_owned(), values })
}

fn expression(random: &mut Random, world: &World, type_name: &str, is_content: bool, depth: usize) -> Option<String> {
    let mut text = String::new();
    for number in 0..*random.pick(&[1, 1, 2, 2, 3]) {
        if number > 0 {
            text.push_str(random.of(&[" ", " AND ", " OR ", " and ", " OR "]));
        }
        if random.percent(20) {
            text.push_str("NOT ");
        }
        if depth > 0 && random.percent(15) {
            text.push_str(&format!("({})", expression(random, world, type_name, is_content, depth - 1)?));
        } else {
            text.push_str(&phrase(random, world, type_name, is_content)?);
        }
    }
    Some(text)
}

/// Words that follow each other in some resource, as they may be written.
fn phrase(random: &mut Random, world: &World, type_name: &str, is_content: bool) -> Option<String> {
    let places: Vec<usize> = world.of_type(type_name).collect();
    let words = (0..20).find_map(|_| {
        let words = &world.words()[*random.pick(&places)];
        let words = if is_content && random.percent(70) { &words.others } else { &words.narrative };
        (!words.is_empty()).then_some(words)
    })?;
    let at = random.below(words.len());
    let word = words[at].clone();
    let kept: String = word.chars().take(1 + random.below(word.chars().count())).collect();
    let following = words[at..words.len().min(at + 2 + random.below(2))].join(" ");
    let star = if random.percent(25) { "*" } else { "" };
    let text = match random.below(6) {
        0 | 1 => return Some(format!("{}*", cased(random, &kept))).filter(|_| !is_operator(&kept)),
        2 => format!("\"{}\"{star}", cased(random, &following)),
        3 => escaped(&following.replace(' ', random.of(&["-", ".", ","]))),
        _ => cased(random, &word),
    };
    (!is_operator(&text)).then_some(text)
}

fn is_operator(word: &str) -> bool {
    ["and", "or", "not"].contains(&word.to_lowercase().as_str())
}
