//! Which search parameters each resource type has.
//!
//! Nothing is compiled at start: the table of a type is made when the type is first searched, its extraction plan when
//! the first resource of the type is written.
//!
//! Spec: R4 searchparameter-registry.html

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::fhir::ResourceType;
use crate::fhir::definitions::{self, SearchParameterDefinition, TypeKind};
use crate::search::extract::{Plan, Shape};
use crate::search::own::{self, FIRST_NUMBER, OwnParameter};
use crate::search::path::{self, Path};

/// How a parameter's values are compared.
///
/// Spec: R4 search.html#ptypes
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    Token,
    String,
    Reference,
    Date,
    Number,
    Quantity,
    Uri,
    Composite,
    Special,
}

impl ParameterKind {
    /// As `SearchParameter.type` writes it.
    pub fn name(self) -> &'static str {
        match self {
            ParameterKind::Token => "token",
            ParameterKind::String => "string",
            ParameterKind::Reference => "reference",
            ParameterKind::Date => "date",
            ParameterKind::Number => "number",
            ParameterKind::Quantity => "quantity",
            ParameterKind::Uri => "uri",
            ParameterKind::Composite => "composite",
            ParameterKind::Special => "special",
        }
    }

    pub(super) fn named(name: &str) -> ParameterKind {
        match name {
            "token" => ParameterKind::Token,
            "string" => ParameterKind::String,
            "reference" => ParameterKind::Reference,
            "date" => ParameterKind::Date,
            "number" => ParameterKind::Number,
            "quantity" => ParameterKind::Quantity,
            "uri" => ParameterKind::Uri,
            "composite" => ParameterKind::Composite,
            _ => ParameterKind::Special,
        }
    }
}

/// A search parameter as one resource type has it.
#[derive(Debug)]
pub struct Parameter {
    pub kind: ParameterKind,
    pub definition: &'static SearchParameterDefinition,
    /// Resource types that a reference may point to; empty when any.
    pub targets: Vec<ResourceType>,
    /// Where a reference parameter reads canonical URLs.
    canonicals: Vec<Path>,
    pub(super) tokens: TokenNature,
}

/// What is known of the tokens of a parameter before any is seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TokenNature {
    /// The system that every token has, because the elements are codes of one code system.
    pub system: Option<&'static str>,
    /// Identifiers: few resources share one.
    pub are_identifiers: bool,
    /// Some are identifiers.
    pub may_be_identifiers: bool,
    /// Some are codes of code systems, and each of these has its system in the index if it has one at all: of a few
    /// elements, such as `Attachment.contentType`, the specification does not tell it.
    pub are_of_systems: bool,
    /// Codes of a fixed list, or true and false: many resources share one.
    pub are_few: bool,
}

impl Parameter {
    fn new(definition: &'static SearchParameterDefinition) -> Parameter {
        let kind = ParameterKind::named(&definition.kind);
        // What every type has, a Parameters has, which has nothing else in common with another type.
        let base = ResourceType::parse(&definition.base).unwrap_or(ResourceType::PARAMETERS);
        let walks =
            definition.expression.as_deref().map(|expression| path::walks(expression, base)).unwrap_or_default();
        let (mut targets, mut canonicals, mut tokens) = (Vec::new(), Vec::new(), TokenNature::default());
        match kind {
            ParameterKind::Reference => {
                targets = targets_of(definition, &walks);
                canonicals = walks;
                canonicals.retain(|walk| matches!(walk.leaf, Shape::Canonical | Shape::Uri));
            }
            ParameterKind::Token if !walks.is_empty() => tokens = TokenNature::of(&walks),
            _ => {}
        }
        Parameter { kind, definition, targets, canonicals, tokens }
    }

    /// The number that stands for it in index rows. A parameter of `Resource` has one number for all types.
    pub fn id(&self) -> i16 {
        self.definition.id
    }

    /// Whether a client has defined it, and not the specification.
    pub fn is_own(&self) -> bool {
        self.id() >= FIRST_NUMBER
    }

    /// Whether its number stands for the rows of one resource type, and not of several that share the definition.
    pub(super) fn is_of_one_type(&self) -> bool {
        !self.is_own() && !matches!(&*self.definition.base, "Resource" | "DomainResource")
    }

    /// The name as a query writes it.
    pub fn code(&self) -> &'static str {
        &self.definition.code
    }

    /// Whether a reference may lead to a resource of this type.
    pub fn points_to(&self, resource_type: ResourceType) -> bool {
        self.targets.is_empty() || self.targets.contains(&resource_type)
    }

    /// Whether its references may be canonical URLs, which lead to what bears the URL and not to an id.
    pub fn has_canonicals(&self) -> bool {
        !self.canonicals.is_empty()
    }

    /// The canonical URLs, perhaps with `|version`, by which `resource` refers to others.
    pub fn canonicals<'a>(&self, resource: &'a Value) -> Vec<&'a str> {
        let mut urls = Vec::new();
        for walk in &self.canonicals {
            // Bases matter to walks that ask for a type of target, which no canonical has.
            walk.each(resource, &[], &mut |value| urls.extend(value.as_str()));
        }
        urls
    }
}

impl TokenNature {
    fn of(walks: &[Path]) -> TokenNature {
        let are_all = |shapes: &[Shape]| walks.iter().all(|walk| shapes.contains(&walk.leaf));
        let is_coded = |shape| matches!(shape, Shape::Code | Shape::Coding | Shape::CodeableConcept);
        let mut systems = walks.iter().map(|walk| match walk.leaf {
            Shape::Code => definitions::value_set(walk.value_set?).filter(|systems| systems.len() == 1)?.keys().next(),
            _ => None,
        });
        let first = systems.next().flatten();
        TokenNature {
            system: first.filter(|first| systems.all(|next| next == Some(first))).map(|system| &**system),
            are_identifiers: are_all(&[Shape::Identifier]),
            may_be_identifiers: walks.iter().any(|walk| walk.leaf == Shape::Identifier),
            are_of_systems: walks.iter().any(|walk| is_coded(walk.leaf))
                && walks.iter().all(|walk| walk.leaf != Shape::Code || always_has_system(walk.value_set)),
            are_few: are_all(&[Shape::Code, Shape::Boolean]),
        }
    }
}

/// Whether extraction finds the system of each code of an element that is bound to `value_set`.
fn always_has_system(value_set: Option<&str>) -> bool {
    value_set.and_then(definitions::value_set).is_some_and(|systems| {
        let is_elsewhere =
            |of: &str, code: &str| systems.iter().any(|(other, codes)| **other != *of && codes.contains(code));
        !systems.iter().any(|(system, codes)| codes.iter().any(|code| is_elsewhere(system, code)))
    })
}

/// How the components of a composite parameter are compared; `None` when one names no parameter.
pub(super) fn component_kinds(definition: &SearchParameterDefinition) -> Option<Vec<ParameterKind>> {
    let named = |url: &str| definitions::search_parameters().iter().find(|definition| *definition.url == *url);
    let kinds = definition.components.iter().map(|part| Some(ParameterKind::named(&named(&part.definition)?.kind)));
    kinds.collect()
}

/// The types that both the definition and the elements that it reads admit: a definition that several resource types
/// share lists the targets of all of them.
fn targets_of(definition: &SearchParameterDefinition, walks: &[Path]) -> Vec<ResourceType> {
    let listed: Vec<ResourceType> =
        definition.targets.iter().filter_map(|name| ResourceType::parse(name).ok()).collect();
    if walks.is_empty() || walks.iter().any(|walk| walk.targets.is_empty()) {
        return listed;
    }
    let read = |target: &ResourceType| walks.iter().any(|walk| walk.targets.contains(target));
    let both: Vec<ResourceType> = listed.iter().copied().filter(read).collect();
    if both.is_empty() { listed } else { both }
}

/// The search parameters of all types: those of the specification, and with them the own ones of one database.
#[derive(Debug)]
pub struct Registry {
    /// Definitions by base type.
    bases: HashMap<&'static str, Vec<&'static SearchParameterDefinition>>,
    /// In the order of `ResourceType::all`.
    types: Vec<TypeParameters>,
    any: OnceLock<HashMap<&'static str, &'static Parameter>>,
    /// Own parameters by code, for each type in the order of `ResourceType::all`. They stay for the life of the process:
    /// a request may still use one when it has ended. A definition that changes takes a new number, of which a database
    /// has 4096, so that they can't fill the memory.
    own: Vec<HashMap<&'static str, &'static Parameter>>,
    /// Own parameters that every type has.
    own_of_all: HashMap<&'static str, &'static Parameter>,
}

#[derive(Debug, Default)]
struct TypeParameters {
    by_code: OnceLock<HashMap<&'static str, &'static Parameter>>,
    plan: OnceLock<Plan>,
}

impl Registry {
    /// The parameters that the specification defines.
    pub fn bundled() -> &'static Arc<Registry> {
        static BUNDLED: OnceLock<Arc<Registry>> = OnceLock::new();
        BUNDLED.get_or_init(|| {
            let mut bases: HashMap<&'static str, Vec<_>> = HashMap::new();
            for definition in definitions::search_parameters() {
                bases.entry(&definition.base).or_default().push(definition);
            }
            let types = ResourceType::all().map(|_| TypeParameters::default()).collect();
            let own = ResourceType::all().map(|_| HashMap::new()).collect();
            Arc::new(Registry { bases, types, any: OnceLock::new(), own, own_of_all: HashMap::new() })
        })
    }

    /// The bundled parameters and `own` ones, each with all its bases; bundled ones are never replaced.
    pub fn with_own(own: &[OwnDefinition]) -> Registry {
        let types = ResourceType::all().map(|_| TypeParameters::default()).collect();
        let mut by_type: Vec<HashMap<_, _>> = ResourceType::all().map(|_| HashMap::new()).collect();
        let mut own_of_all = HashMap::new();
        for parameter in own.iter().flat_map(|definition| &definition.on_bases) {
            if *parameter.definition.base == *"Resource" {
                own_of_all.insert(parameter.code(), *parameter);
            }
            for resource_type in own::types_of(&parameter.definition.base) {
                by_type[place_of(resource_type)].insert(parameter.code(), *parameter);
            }
        }
        Registry { bases: HashMap::new(), types, any: OnceLock::new(), own: by_type, own_of_all }
    }

    /// The parameter called `code` of `resource_type`, inherited ones included.
    pub fn parameter(&self, resource_type: ResourceType, code: &str) -> Option<&'static Parameter> {
        let bundled = Registry::bundled().by_code(resource_type).get(code);
        bundled.or_else(|| self.own[place_of(resource_type)].get(code)).copied()
    }

    /// The parameter called `code` that every type has; for a search over all types.
    pub fn common_parameter(&self, code: &str) -> Option<&'static Parameter> {
        let bundled = Registry::bundled();
        let common = bundled.any.get_or_init(|| bundled.table(&["Resource"]));
        common.get(code).or_else(|| self.own_of_all.get(code)).copied()
    }

    /// All parameters of `resource_type`, inherited ones included, by name.
    pub fn parameters(&self, resource_type: ResourceType) -> Vec<&'static Parameter> {
        let bundled = Registry::bundled().by_code(resource_type);
        let own = self.own[place_of(resource_type)].iter().filter(|(code, _)| !bundled.contains_key(*code));
        let mut parameters: Vec<&Parameter> = bundled.iter().chain(own).map(|(_, parameter)| *parameter).collect();
        parameters.sort_unstable_by_key(|parameter| parameter.code());
        parameters
    }

    /// The kind of the parameter with this URL, bundled or own.
    pub fn kind_of(&self, url: &str) -> Option<ParameterKind> {
        let bundled = definitions::search_parameters().iter().find(|definition| *definition.url == *url);
        let own = || self.own.iter().flat_map(HashMap::values).find(|own| *own.definition.url == *url);
        bundled.map(|definition| ParameterKind::named(&definition.kind)).or_else(|| own().map(|own| own.kind))
    }

    /// The parameters that compare the components of the composite `parameter` of `resource_type`.
    pub(super) fn components(
        &self,
        resource_type: ResourceType,
        parameter: &Parameter,
    ) -> Option<Vec<&'static Parameter>> {
        let known = self.parameters(resource_type);
        let named = |url: &str| known.iter().copied().find(|known| *known.definition.url == *url);
        parameter.definition.components.iter().map(|component| named(&component.definition)).collect()
    }

    /// The parameters of `resource_type` that hold references, by name.
    pub fn references(&self, resource_type: ResourceType) -> Vec<&'static Parameter> {
        let mut parameters = self.parameters(resource_type);
        parameters.retain(|parameter| parameter.kind == ParameterKind::Reference);
        parameters
    }

    /// How the index rows of a resource of this type are made.
    pub(super) fn plan(&self, resource_type: ResourceType) -> &Plan {
        let place = place_of(resource_type);
        // Types without own parameters share the one plan.
        let of = if self.own[place].is_empty() { &Registry::bundled().types[place] } else { &self.types[place] };
        of.plan.get_or_init(|| Plan::new(resource_type, &self.parameters(resource_type)))
    }

    fn by_code(&self, resource_type: ResourceType) -> &HashMap<&'static str, &'static Parameter> {
        self.types[place_of(resource_type)].by_code.get_or_init(|| {
            let definition = definitions::type_named(resource_type.name());
            let is_domain_resource = definition.is_none_or(|definition| {
                definition.kind == TypeKind::Resource && *definition.base == *"DomainResource"
            });
            let domain = if is_domain_resource { "DomainResource" } else { "Resource" };
            self.table(&["Resource", domain, resource_type.name()])
        })
    }

    /// Later bases replace the parameters of earlier ones.
    fn table(&self, bases: &[&str]) -> HashMap<&'static str, &'static Parameter> {
        let definitions = bases.iter().filter_map(|base| self.bases.get(base)).flatten();
        let last: HashMap<&'static str, &'static SearchParameterDefinition> =
            definitions.map(|definition| (&*definition.code, *definition)).collect();
        last.into_iter().map(|(code, definition)| (code, kept(definition))).collect()
    }
}

/// An own parameter in the form that searches use, for each of its bases.
#[derive(Clone, Debug)]
pub struct OwnDefinition {
    on_bases: Vec<&'static Parameter>,
}

impl OwnDefinition {
    /// Stays for the life of the process; make one for each number once.
    pub fn new(number: i16, own: &OwnParameter) -> OwnDefinition {
        let definitions = own.definitions(number).into_iter().map(|definition| &*Box::leak(Box::new(definition)));
        OwnDefinition { on_bases: definitions.map(kept).collect() }
    }
}

/// The parameter, for the life of the process.
fn kept(definition: &'static SearchParameterDefinition) -> &'static Parameter {
    Box::leak(Box::new(Parameter::new(definition)))
}

fn place_of(resource_type: ResourceType) -> usize {
    // The numbers of types are 1 to 146 without a gap.
    resource_type.code() as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_without_a_system_in_the_index_are_known() {
        let is_code = |path: &Path| path.leaf == Shape::Code;
        let mut found = Vec::new();
        for resource_type in ResourceType::all() {
            for parameter in Registry::bundled().parameters(resource_type) {
                let expression = parameter.definition.expression.as_deref().unwrap_or_default();
                let is_token = parameter.kind == ParameterKind::Token && !parameter.tokens.are_of_systems;
                if is_token && path::walks(expression, resource_type).iter().any(is_code) {
                    found.push(format!("{resource_type}.{}", parameter.code()));
                }
            }
        }

        assert_eq!(
            found,
            [
                "CapabilityStatement.format",
                "CodeSystem.code",
                "CodeSystem.language",
                "ConceptMap.source-code",
                "ConceptMap.target-code",
                "DocumentReference.contenttype",
                "DocumentReference.language",
                "Library.content-type",
                "OperationDefinition.code",
                "SearchParameter.code",
                "Subscription.payload",
                "ValueSet.code",
            ]
        );
        let tag = Registry::bundled().common_parameter("_tag").unwrap();
        assert!(tag.tokens.are_of_systems);
        assert!(!Registry::bundled().parameter(ResourceType::PATIENT, "identifier").unwrap().tokens.are_of_systems);
    }
}
