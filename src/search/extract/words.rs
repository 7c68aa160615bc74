//! The words of a resource: those of its narrative for `_text`, all of them for `_content`.
//!
//! All texts are read, those of extensions and of contained resources too, but not what is there for programs alone: URLs,
//! UUIDs, ids, references, dates and embedded data.
//!
//! Spec: R4 search.html#text, #content

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};

use crate::fhir::Resource;
use crate::fhir::definitions::{self, TypeDefinition};
use crate::search::fold::fold_words;
use crate::store::{HAS_NARRATIVE, WordTexts};

/// So many bytes of words are kept of the narrative, and as many of all others: some 40,000 words.
const MAX_BYTES: usize = 256 * 1024;

pub(super) fn texts(resource: &Resource) -> WordTexts {
    let mut texts = WordTexts::default();
    let Value::Object(members) = &resource.value else { return texts };
    if let Some(div) = members.get("text").and_then(|text| text.get("div")).and_then(Value::as_str) {
        fold_words(&plain(div), &mut texts.narrative);
        if !texts.narrative.is_empty() {
            texts.narrative.insert(0, ' ');
            texts.narrative.insert_str(0, HAS_NARRATIVE);
        }
        cut(&mut texts.narrative);
    }
    let mut walk = Walk { words: &mut texts.rest, is_outermost: true };
    walk.resource(members);
    cut(&mut texts.rest);
    texts
}

/// Leaves whole words.
fn cut(words: &mut String) {
    if words.len() > MAX_BYTES {
        let end = words.floor_char_boundary(MAX_BYTES);
        let end = words[..end].rfind(' ').unwrap_or_default();
        words.truncate(end);
    }
}

struct Walk<'a> {
    words: &'a mut String,
    /// Whether the resource under way is the one that is written, whose narrative is kept apart.
    is_outermost: bool,
}

impl Walk<'_> {
    fn resource(&mut self, members: &Map<String, Value>) {
        let name = members.get("resourceType").and_then(Value::as_str);
        let Some(definition) = name.and_then(definitions::type_named) else { return };
        // What is stored begins with `meta`, wherever it stood.
        let (meta, others): (Vec<_>, Vec<_>) = members.iter().partition(|(name, _)| *name == "meta");
        self.members(definition, meta.into_iter().chain(others));
    }

    fn members<'v>(&mut self, definition: &TypeDefinition, members: impl Iterator<Item = (&'v String, &'v Value)>) {
        for (name, value) in members {
            if name.starts_with('_') {
                // Beside a primitive stand its id and its extensions.
                if let Some(element) = definitions::type_named("Element") {
                    self.values(value, &|walk, value| walk.element(element, value));
                }
                continue;
            }
            let Some((_, of)) = definition.member(name) else { continue };
            match &*of.code {
                "string" if name == "id" || (name == "reference" && *definition.name == *"Reference") => {}
                "string" | "markdown" | "code" => self.values(value, &|walk, value| walk.text(value)),
                "xhtml" => self.values(value, &|walk, value| walk.narrative(value)),
                "uri" | "url" | "canonical" | "oid" | "uuid" | "id" => {}
                "date" | "dateTime" | "instant" | "time" | "base64Binary" => {}
                "Resource" => {
                    let was_outermost = std::mem::replace(&mut self.is_outermost, false);
                    self.values(value, &|walk, value| {
                        if let Value::Object(members) = value {
                            walk.resource(members);
                        }
                    });
                    self.is_outermost = was_outermost;
                }
                code => {
                    if let Some(definition) = definitions::type_named(code) {
                        self.values(value, &|walk, value| walk.element(definition, value));
                    }
                }
            }
        }
    }

    /// Hands `value` to `each`, or what it lists.
    fn values(&mut self, value: &Value, each: &dyn Fn(&mut Self, &Value)) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| each(self, value)),
            value => each(self, value),
        }
    }

    fn element(&mut self, definition: &TypeDefinition, value: &Value) {
        if let Value::Object(members) = value {
            self.members(definition, members.iter());
        }
    }

    fn text(&mut self, value: &Value) {
        if let Value::String(text) = value
            && self.words.len() <= MAX_BYTES
            && !is_for_programs(text)
        {
            fold_words(text, self.words);
        }
    }

    fn narrative(&mut self, value: &Value) {
        if let Value::String(text) = value
            && !self.is_outermost
            && self.words.len() <= MAX_BYTES
        {
            fold_words(&plain(text), self.words);
        }
    }
}

/// Whether a text is a URL, a URN or a UUID from its first to its last letter.
fn is_for_programs(text: &str) -> bool {
    let is_url = ["http://", "https://", "urn:"].iter().any(|scheme| text.starts_with(scheme));
    if is_url {
        return !text.contains(char::is_whitespace);
    }
    let is_right = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_right)
}

/// XHTML without its markup: elements that don't stand within a line part words.
fn plain(div: &str) -> String {
    const WITHIN_A_LINE: [&str; 18] = [
        "a", "abbr", "acronym", "b", "bdo", "big", "cite", "code", "dfn", "em", "i", "kbd", "small", "span", "strong",
        "sub", "sup", "tt",
    ];
    let mut text = String::with_capacity(div.len() / 2);
    let mut reader = Reader::from_str(div);
    // What is no XML is refused before it comes here.
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(tag) | Event::Empty(tag) if WITHIN_A_LINE.binary_search(&tag.name().as_ref()).is_err() => {
                text.push(' ');
            }
            Event::End(tag) if WITHIN_A_LINE.binary_search(&tag.name().as_ref()).is_err() => text.push(' '),
            Event::Text(part) => text.push_str(&part),
            Event::GeneralRef(entity) => text.push(match entity.resolve_char_ref() {
                Ok(Some(character)) => character,
                // The others stand for signs, which part words.
                _ => ' ',
            }),
            Event::Eof => break,
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts_of(value: Value) -> WordTexts {
        texts(&Resource::from_value(value).unwrap())
    }

    fn narrative(div: &str) -> Value {
        json!({ "status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{div}</div>") })
    }

    #[test]
    fn a_narrative_is_read_as_people_see_it() {
        let cases = [
            ("<p title=\"no > such\">H<sub>2</sub>O</p><p>b<br/>c</p>", "¶ h2o b c"),
            ("<table><tr><td>Caf&#233;</td><td>x&amp;y</td></tr></table><!-- hidden -->", "¶ cafe x y"),
            ("<img src=\"#i\" alt=\"x\"/>", ""),
        ];

        for (div, expected) in cases {
            let texts = texts_of(json!({ "resourceType": "Patient", "id": "a", "text": narrative(div) }));
            assert_eq!((&*texts.narrative, &*texts.rest), (expected, "generated"), "{div}");
        }
    }

    #[test]
    fn what_is_there_for_programs_is_left_out() {
        let texts = texts_of(json!({
            "resourceType": "Observation", "id": "x1",
            "meta": { "profile": ["http://p.example/q"], "tag": [{ "system": "urn:t", "code": "T-1" }] },
            "contained": [{ "resourceType": "Patient", "id": "in", "text": narrative("inner"), "name": [{ "family": "Moor" }] }],
            "extension": [
                { "url": "http://e.example", "valueString": "extended" },
                { "url": "urn:x", "valueAttachment": { "contentType": "text/plain", "data": "AAAA", "title": "Curve" } }
            ],
            "status": "final",
            "_status": { "id": "s1", "extension": [{ "url": "urn:e", "valueMarkdown": "**said**" }] },
            "code": { "coding": [{ "system": "http://loinc.org", "code": "8867-4", "display": "Heart rate" }] },
            "subject": { "reference": "Patient/1", "display": "Max", "identifier": { "system": "urn:mrn", "value": "77" } },
            "identifier": [
                { "value": "urn:oid:1.2" }, { "value": "https://i.example/7" }, { "value": "urn: no URN" },
                { "value": "5b1e7a30-92c4-4d0f-8a6b-0c1d2e3f4a5b" }, { "value": "5b1e7a30-92c4-4d0f-8a6b-0c1d2e3f4a5x" }
            ],
            "effectiveDateTime": "2026-03-02T08:00:00Z"
        }));

        let mut words: Vec<&str> = texts.rest.split(' ').collect();
        words.sort_unstable();
        let expected = "0c1d2e3f4a5x 1 4 4d0f 5b1e7a30 77 8867 8a6b 92c4 curve extended final generated heart inner max \
                        moor no plain rate said t text urn urn";
        assert_eq!((words.join(" "), &*texts.narrative), (expected.to_owned(), ""));
    }

    #[test]
    fn words_beyond_the_bound_are_left_out_whole() {
        let note = "é12 ".repeat(MAX_BYTES / 3);
        let texts =
            texts_of(json!({ "resourceType": "Basic", "id": "a", "code": { "text": note }, "text": narrative(&note) }));

        for text in [&texts.narrative, &texts.rest] {
            assert!(text.len() <= MAX_BYTES && text.len() > MAX_BYTES - 5, "{}", text.len());
            assert!(text.ends_with(" e12"));
        }
    }
}
