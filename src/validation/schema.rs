//! The first pass: the official JSON Schema of R4, one resource at a time by the type that it names.
//!
//! The schema's root is a choice among all types, which would answer one useless error; picking the definition by
//! `resourceType` gives exact ones. A resource inside another is not described by the slim schema: the structure pass
//! finds it and sends it here on its own.
//!
//! Spec: R4 json.html, validation.html#schema

use std::sync::{LazyLock, OnceLock};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{Draft, JsonType, PatternOptions, Registry, ValidationError, Validator};
use serde_json::{Value, json};

use super::findings::Findings;
use super::path::{Path, is_plain_name};
use super::primitives::Primitive;
use crate::fhir::definitions::{self, TypeDefinition};
use crate::fhir::{IssueCode, ResourceType};

/// The schema registers under this name; its own `id` keyword is one that its draft doesn't know.
const SCHEMA: &str = "http://hl7.org/fhir/json-schema/4.0";

/// More allowed codes than this are not listed in a text.
pub(super) const CODES_LISTED: usize = 12;

/// The errors of a resource with more JSON values than this are left to the structure pass.
///
/// The library gathers all errors before it hands out the first, half a kilobyte each: a hostile body of 8 MB took 2 GB.
const LISTABLE: usize = 50_000;

/// One validator per type, compiled when a resource of that type first comes in: all of them would take 165 MB.
static VALIDATORS: [OnceLock<Validator>; 146] = [const { OnceLock::new() }; 146];

static REGISTRY: LazyLock<Registry<'static>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_slice(&definitions::json_schema()).expect("the bundled schema is JSON");
    Registry::new()
        .draft(Draft::Draft6)
        .add(SCHEMA, schema)
        .and_then(|registry| registry.prepare())
        .expect("the bundled schema refers to nothing outside itself")
});

/// Holds `resource` against the schema of its type; findings are placed below `path`.
pub(super) fn check(resource_type: ResourceType, resource: &Value, path: &Path, findings: &mut Findings) {
    let validator = validator(resource_type);
    if validator.is_valid(resource) || findings.is_full() {
        return;
    }
    let mut left = LISTABLE;
    if !has_at_most(&mut left, resource) {
        return;
    }
    for error in validator.iter_errors(resource) {
        if findings.is_full() {
            return;
        }
        report(resource_type, &error, path, findings);
    }
}

/// Counts the values in `value` off `left`; false when they are more.
fn has_at_most(left: &mut usize, value: &Value) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter().all(|item| has_at_most(left, item)),
        Value::Object(object) => object.values().all(|member| has_at_most(left, member)),
        _ => true,
    }
}

fn validator(resource_type: ResourceType) -> &'static Validator {
    VALIDATORS[(resource_type.code() - 1) as usize].get_or_init(|| {
        let schema = json!({ "$ref": format!("{SCHEMA}#/definitions/{resource_type}") });
        jsonschema::options()
            .with_draft(Draft::Draft6)
            .with_registry(&REGISTRY)
            .with_pattern_options(PatternOptions::regex())
            .offline()
            .build(&schema)
            .expect("the bundled schema defines every resource type")
    })
}

/// Turns one error of the schema into a finding in our words: its own text would print the value.
fn report(resource_type: ResourceType, error: &ValidationError, path: &Path, findings: &mut Findings) {
    let instance = error.instance().as_ref();
    // The schema forbids null even in lists that `_field` stands beside; the structure pass knows better.
    if instance.is_null() {
        return;
    }
    let place = Place::of(resource_type, error.instance_path(), path);
    let name = &place.name;
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for member in unexpected {
                // The schema forgets the `_field` of every canonical; the structure pass knows which fields have one.
                let is_sibling = member.strip_prefix('_').is_some_and(|field| place.knows(field));
                if is_sibling {
                    continue;
                }
                let (at, text) = unknown_member(&place.expression, member);
                findings.add_by_schema(IssueCode::Structure, at, text);
            }
        }
        ValidationErrorKind::Required { property } => {
            let missing = property.as_str().unwrap_or_default();
            let (at, text) = (format!("{}.{missing}", place.expression), format!("{missing} is required"));
            findings.add_by_schema(IssueCode::Required, at, text);
        }
        ValidationErrorKind::Enum { options } => {
            let codes: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let (code, text) = match instance {
                Value::String(_) => (IssueCode::CodeInvalid, not_in_list(name, codes)),
                Value::Array(_) => (IssueCode::Structure, once(name)),
                _ => (shape_code(instance, false), not_in_list(name, codes)),
            };
            findings.add_by_schema(code, place.expression, text);
        }
        ValidationErrorKind::Type { kind } => {
            let wants_list = matches!(kind, TypeKind::Single(JsonType::Array));
            let wants_object = matches!(kind, TypeKind::Single(JsonType::Object));
            let code = shape_code(instance, wants_list || wants_object);
            let text = match (wants_list, instance) {
                (true, _) => format!("{name} may repeat, so it is written as an array"),
                (false, Value::Array(_)) => once(name),
                (false, _) => match kind {
                    TypeKind::Single(wanted) => format!("{name} must be a JSON {wanted}"),
                    TypeKind::Multiple(_) => format!("{name} has the wrong JSON type"),
                },
            };
            findings.add_by_schema(code, place.expression, text);
        }
        ValidationErrorKind::Pattern { .. } => {
            // The patterns take every Unicode space for an illegal one in strings; names and texts have them.
            let text = match place.type_code.and_then(Primitive::of) {
                Some(primitive) if primitive.admits(instance) => return,
                Some(primitive) => primitive.rule().to_owned(),
                None => format!("{name} doesn't have the form that its type asks for"),
            };
            findings.add_by_schema(IssueCode::Value, place.expression, text);
        }
        _ => {
            let text = format!("{name} doesn't fit its definition");
            findings.add_by_schema(shape_code(instance, false), place.expression, text);
        }
    }
}

/// What to say about an array where one value belongs.
fn once(name: &str) -> String {
    format!("{name} occurs once, so it is not written as an array")
}

/// A wrong nesting is a matter of structure, a wrong scalar one of value.
pub(super) fn shape_code(instance: &Value, wants_nesting: bool) -> IssueCode {
    if wants_nesting || instance.is_array() || instance.is_object() { IssueCode::Structure } else { IssueCode::Value }
}

/// Where to put and what to say about a member that the definition doesn't know.
pub(super) fn unknown_member(parent: &str, member: &str) -> (String, String) {
    let element = member.strip_prefix('_').unwrap_or(member);
    if is_plain_name(element) {
        (format!("{parent}.{element}"), format!("{member} is not an element of {parent}; remove or rename it"))
    } else {
        (parent.to_owned(), format!("a member of {parent} has a name that no element has"))
    }
}

/// What to say about a code outside its value set.
pub(super) fn not_in_list(name: &str, mut codes: Vec<&str>) -> String {
    if codes.is_empty() || codes.len() > CODES_LISTED {
        return format!("{name} must be one of the codes that its definition lists");
    }
    codes.sort_unstable();
    format!("{name} must be one of: {}", codes.join(", "))
}

/// A place in the resource, translated from a JSON pointer.
struct Place {
    expression: String,
    name: String,
    /// Type of the element, when the definitions know it.
    type_code: Option<&'static str>,
    /// Definition of that type.
    definition: Option<&'static TypeDefinition>,
}

impl Place {
    fn of(resource_type: ResourceType, pointer: &Location, path: &Path) -> Place {
        let mut place = Place {
            expression: path.to_string(),
            name: path.name().to_owned(),
            type_code: None,
            definition: definitions::type_named(resource_type.name()),
        };
        for segment in pointer.segments() {
            match segment {
                LocationSegment::Index(index) => place.expression.push_str(&format!("[{index}]")),
                LocationSegment::Property(member) => place.descend(&member),
            }
        }
        place
    }

    fn descend(&mut self, member: &str) {
        let plain = member.strip_prefix('_').unwrap_or(member);
        let known = self.definition.and_then(|definition| definition.member(plain));
        self.name = known.map_or(plain, |(element, _)| &*element.name).to_owned();
        self.type_code = known.map(|(_, chosen)| &*chosen.code);
        self.definition = if member.starts_with('_') {
            definitions::type_named("Element")
        } else {
            self.type_code.and_then(definitions::type_named)
        };
        self.expression.push('.');
        self.expression.push_str(&self.name);
    }

    /// True when the type of this element has an element called `member`.
    fn knows(&self, member: &str) -> bool {
        self.definition.is_some_and(|definition| definition.member(member).is_some())
    }
}
