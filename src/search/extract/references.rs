//! Rows of reference parameters, and the compartments that follow from them.
//!
//! Spec: R4 search.html#reference, #versions

use crate::fhir::{Id, Reference, Resource, ResourceKey, ResourceType};
use crate::search::extract::{Element, Shape, tokens};
use crate::search::facet::Facet;
use crate::search::{ExtractContext, canonical};
use crate::store::{Bond, IndexRows, PatientRow, ReferenceRow};

/// In place of a target: the element is there (`:missing=false`), but names nothing that can be searched for.
pub(in crate::search) const NO_TARGET: i64 = 0;

pub(super) fn index(param: i16, element: &Element<'_>, context: &ExtractContext<'_>, rows: &mut IndexRows) {
    let Some(element) = element.unwrapped() else { return };
    if let (Shape::Reference, Some(identifier)) = (element.shape, element.value.get("identifier")) {
        tokens::index_identifier(Facet::Identifier.of(param), identifier, context, rows);
    }
    if let (Shape::Reference, Some(id)) =
        (element.shape, element.text("reference").and_then(|text| text.strip_prefix('#')))
    {
        let place = context.places.and_then(|places| places.get(id));
        rows.references.push(ReferenceRow { param, target: place.unwrap_or(NO_TARGET) });
        return;
    }
    each_target(&element, context, &mut |text| {
        let target = text.map_or(NO_TARGET, |text| context.hasher.text(text));
        rows.references.push(ReferenceRow { param, target });
    });
    if let (Shape::Canonical | Shape::Uri, Some(text)) = (element.shape, element.value.as_str())
        && !text.starts_with('#')
    {
        names(param, canonical::called(text, context.bases), context, rows);
    }
}

/// The names of a definition, by which canonical references lead to it.
pub(super) fn index_names(param: i16, resource: &Resource, context: &ExtractContext<'_>, rows: &mut IndexRows) {
    names(param, canonical::names(resource), context, rows);
}

fn names(param: i16, names: Vec<String>, context: &ExtractContext<'_>, rows: &mut IndexRows) {
    let targets = names.into_iter().map(|name| context.hasher.text(&name));
    rows.references.extend(targets.map(|target| ReferenceRow { param, target }));
}

/// Calls `each` with what the element refers to: `Type/id` of a resource of this server, or the URL of another; `None`
/// where it is there but names nothing that can be searched for.
pub(super) fn each_target(element: &Element<'_>, context: &ExtractContext<'_>, each: &mut dyn FnMut(Option<&str>)) {
    match element.shape {
        Shape::Reference => {
            let reference = element.text("reference").map(|text| Reference::parse(text, context.bases));
            match reference {
                Some(Reference::Local { key, .. }) => each(Some(&key.to_string())),
                Some(Reference::Absolute(url)) => each(Some(without_version(url))),
                Some(Reference::Urn(urn)) => each(Some(urn)),
                // By what else it says (an identifier, a display, something contained) no target is found.
                Some(Reference::Contained(_) | Reference::Conditional { .. } | Reference::Malformed) => each(None),
                None if ["identifier", "display"].iter().any(|name| element.value.get(name).is_some()) => each(None),
                None => {}
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
                each(Some(&ResourceKey { resource_type, id }.to_string()));
            }
        }
        _ => {}
    }
}

/// The Patient that a reference points to, to whom the resource is bound.
pub(super) fn index_patient(
    element: &Element<'_>,
    bond: Bond,
    context: &ExtractContext<'_>,
    patients: &mut Vec<PatientRow>,
) {
    let Some(element) = element.unwrapped() else { return };
    if element.shape == Shape::Reference {
        patients.extend(patient(element.text("reference"), context).map(|patient| PatientRow { patient, bond }));
    }
}

/// The Patient of this server that the text of a reference names, as a target.
pub(super) fn patient(text: Option<&str>, context: &ExtractContext<'_>) -> Option<i64> {
    match Reference::parse(text?, context.bases) {
        Reference::Local { key, .. } if key.resource_type == ResourceType::PATIENT => Some(context.hasher.key(&key)),
        _ => None,
    }
}

/// A URL under one of the server's own bases is the resource there, as a search for it would say.
fn url_target(url: &str, context: &ExtractContext<'_>, each: &mut dyn FnMut(Option<&str>)) {
    match Reference::parse(url, context.bases) {
        Reference::Local { key, .. } => each(Some(&key.to_string())),
        _ => each(Some(url)),
    }
}

fn without_version(url: &str) -> &str {
    let url = url.split_once("/_history/").map_or(url, |(url, _)| url);
    url.split_once('|').map_or(url, |(url, _)| url)
}
