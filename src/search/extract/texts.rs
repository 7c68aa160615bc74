//! Rows of string and uri parameters.
//!
//! Spec: R4 search.html#string, #uri

use serde_json::Value;

use crate::search::ExtractContext;
use crate::search::extract::{Element, Shape};
use crate::search::fold::fold;
use crate::store::{Edge, StringRow, UriRow};

pub(super) fn index_string(param: i16, element: &Element<'_>, context: &ExtractContext<'_>, rows: &mut Vec<StringRow>) {
    let Some(element) = element.unwrapped() else { return };
    let family = match element.shape {
        Shape::HumanName => element.text("family"),
        Shape::Family => element.value.as_str(),
        _ => None,
    };
    if let Some(family) = family {
        family_parts(param, family, rows);
    }
    let mut whole = |text: &str| {
        if !text.is_empty() {
            rows.push(StringRow { param, folded: fold(text), exact: context.hasher.text(text), edge: Edge::Both });
        }
    };
    match element.shape {
        Shape::HumanName => {
            ["text", "family"].iter().filter_map(|name| element.text(name)).for_each(&mut whole);
            for name in ["given", "prefix", "suffix"] {
                element.items(name).iter().filter_map(Value::as_str).for_each(&mut whole);
            }
        }
        Shape::Address => {
            element.items("line").iter().filter_map(Value::as_str).for_each(&mut whole);
            let parts = ["text", "city", "district", "state", "postalCode", "country"];
            parts.iter().filter_map(|name| element.text(name)).for_each(whole);
        }
        Shape::CodeableConcept => element.text("text").into_iter().for_each(whole),
        Shape::Text | Shape::Family | Shape::Code | Shape::Uri | Shape::Canonical | Shape::Date => {
            element.value.as_str().into_iter().for_each(whole);
        }
        _ => {}
    }
}

/// The words of a family name after the first: "servers should search the parts of a family name independently".
/// Without an exact hash, because `:exact` asks for the whole.
fn family_parts(param: i16, family: &str, rows: &mut Vec<StringRow>) {
    let is_gap = |letter: char| letter.is_whitespace() || matches!(letter, '-' | '\u{2010}' | '\u{2011}');
    // Names have a few words; what has more is no name.
    for part in family.split(is_gap).filter(|part| !part.is_empty()).skip(1).take(16) {
        rows.push(StringRow { param, folded: fold(part), exact: 0, edge: Edge::Neither });
    }
}

pub(super) fn index_uri(param: i16, element: &Element<'_>, rows: &mut Vec<UriRow>) {
    let Some(element) = element.unwrapped() else { return };
    let Some(text) = element.value.as_str() else { return };
    match element.shape {
        Shape::Uri | Shape::Text | Shape::Code => rows.push(UriRow { param, value: text.to_owned(), edge: Edge::Both }),
        // Found with its version and without.
        Shape::Canonical => {
            rows.push(UriRow { param, value: text.to_owned(), edge: Edge::Both });
            if let Some((url, _)) = text.split_once('|') {
                rows.push(UriRow { param, value: url.to_owned(), edge: Edge::Neither });
            }
        }
        _ => {}
    }
}
