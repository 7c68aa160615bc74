//! Rows of reference parameters, and the compartments that follow from them.
//!
//! Spec: R4 search.html#reference, #versions

use crate::fhir::{Id, Reference, ResourceKey, ResourceType};
use crate::search::ExtractContext;
use crate::search::extract::{Element, Shape};
use crate::store::ReferenceRow;

pub(super) fn index(
    param: i16,
    element: &Element<'_>,
    context: &ExtractContext<'_>,
    rows: &mut Vec<ReferenceRow>,
    patients: Option<&mut Vec<i64>>,
) {
    let Some(element) = element.unwrapped() else { return };
    let mut push = |target| rows.push(ReferenceRow { param, target });
    match element.shape {
        Shape::Reference => {
            let Some(text) = element.text("reference") else { return };
            match Reference::parse(text, context.bases) {
                Reference::Local { key, .. } => {
                    let target = context.hasher.key(&key);
                    push(target);
                    if key.resource_type == ResourceType::PATIENT
                        && let Some(patients) = patients
                    {
                        patients.push(target);
                    }
                }
                Reference::Absolute(url) => push(context.hasher.text(without_version(url))),
                // Neither a contained resource nor a placeholder can be searched for.
                Reference::Contained(_) | Reference::Urn(_) | Reference::Conditional { .. } | Reference::Malformed => {}
            }
        }
        Shape::Canonical | Shape::Uri => {
            let Some(text) = element.value.as_str().filter(|text| !text.starts_with('#')) else { return };
            push(target_of_url(text, context));
            if let Some((url, _)) = text.split_once('|') {
                push(target_of_url(url, context));
            }
        }
        Shape::Resource => {
            let name = element.text("resourceType").and_then(|name| ResourceType::parse(name).ok());
            let id = element.text("id").and_then(|id| Id::parse(id).ok());
            if let (Some(resource_type), Some(id)) = (name, id) {
                push(context.hasher.key(&ResourceKey { resource_type, id }));
            }
        }
        _ => {}
    }
}

/// A URL under one of the server's own bases is the resource there, as a search for it would say.
fn target_of_url(url: &str, context: &ExtractContext<'_>) -> i64 {
    match Reference::parse(url, context.bases) {
        Reference::Local { key, .. } => context.hasher.key(&key),
        _ => context.hasher.text(url),
    }
}

fn without_version(url: &str) -> &str {
    let url = url.split_once("/_history/").map_or(url, |(url, _)| url);
    url.split_once('|').map_or(url, |(url, _)| url)
}
