//! Rows of reference parameters, and the compartments that follow from them.
//!
//! Spec: R4 search.html#reference, #versions

use crate::fhir::{Id, Reference, ResourceKey, ResourceType};
use crate::search::ExtractContext;
use crate::search::extract::{Element, Shape, tokens};
use crate::search::facet::Facet;
use crate::store::{IndexRows, ReferenceRow};

pub(super) fn index(param: i16, element: &Element<'_>, context: &ExtractContext<'_>, rows: &mut IndexRows) {
    let Some(element) = element.unwrapped() else { return };
    if let (Shape::Reference, Some(identifier)) = (element.shape, element.value.get("identifier")) {
        tokens::index_identifier(Facet::Identifier.of(param), identifier, context, rows);
    }
    each_target(&element, context, &mut |text| {
        rows.references.push(ReferenceRow { param, target: context.hasher.text(text) });
    });
}

/// Calls `each` with what the element refers to: `Type/id` of a resource of this server, or the URL of another.
pub(super) fn each_target(element: &Element<'_>, context: &ExtractContext<'_>, each: &mut dyn FnMut(&str)) {
    match element.shape {
        Shape::Reference => {
            let Some(text) = element.text("reference") else { return };
            match Reference::parse(text, context.bases) {
                Reference::Local { key, .. } => each(&key.to_string()),
                Reference::Absolute(url) => each(without_version(url)),
                // Neither a contained resource nor a placeholder can be searched for.
                Reference::Contained(_) | Reference::Urn(_) | Reference::Conditional { .. } | Reference::Malformed => {}
            }
        }
        Shape::Canonical | Shape::Uri => {
            let Some(text) = element.value.as_str().filter(|text| !text.starts_with('#')) else { return };
            url_target(text, context, each);
            if let Some((url, _)) = text.split_once('|') {
                url_target(url, context, each);
            }
        }
        Shape::Resource => {
            let name = element.text("resourceType").and_then(|name| ResourceType::parse(name).ok());
            let id = element.text("id").and_then(|id| Id::parse(id).ok());
            if let (Some(resource_type), Some(id)) = (name, id) {
                each(&ResourceKey { resource_type, id }.to_string());
            }
        }
        _ => {}
    }
}

/// The Patient that a reference points to, in whose compartment the resource is.
pub(super) fn index_compartment(element: &Element<'_>, context: &ExtractContext<'_>, patients: &mut Vec<i64>) {
    let Some(element) = element.unwrapped() else { return };
    if element.shape == Shape::Reference
        && let Some(Reference::Local { key, .. }) =
            element.text("reference").map(|text| Reference::parse(text, context.bases))
        && key.resource_type == ResourceType::PATIENT
    {
        patients.push(context.hasher.key(&key));
    }
}

/// A URL under one of the server's own bases is the resource there, as a search for it would say.
fn url_target(url: &str, context: &ExtractContext<'_>, each: &mut dyn FnMut(&str)) {
    match Reference::parse(url, context.bases) {
        Reference::Local { key, .. } => each(&key.to_string()),
        _ => each(url),
    }
}

fn without_version(url: &str) -> &str {
    let url = url.split_once("/_history/").map_or(url, |(url, _)| url);
    url.split_once('|').map_or(url, |(url, _)| url)
}
