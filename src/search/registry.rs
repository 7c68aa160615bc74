//! Which search parameters each resource type has.
//!
//! Nothing is compiled at start: the table of a type is made when the type is first searched, its extraction plan when
//! the first resource of the type is written.
//!
//! Spec: R4 searchparameter-registry.html

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::fhir::ResourceType;
use crate::fhir::definitions::{self, SearchParameterDefinition, TypeKind};
use crate::search::extract::computed::is_safe_walk;
use crate::search::extract::{Plan, Shape};
use crate::search::own::{self, OwnParameter};
use crate::search::path::{self, Path};
use crate::store::{FIRST_OWN_NUMBER, ParameterState, StoredParameter};

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

    /// `None` when `name` is none that `SearchParameter.type` may have.
    pub fn of_name(name: &str) -> Option<ParameterKind> {
        use ParameterKind as K;
        let all =
            [K::Token, K::String, K::Reference, K::Date, K::Number, K::Quantity, K::Uri, K::Composite, K::Special];
        all.into_iter().find(|kind| kind.name() == name)
    }

    fn named(name: &str) -> ParameterKind {
        ParameterKind::of_name(name).unwrap_or(ParameterKind::Special)
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
        // What is known before any value is seen is known of walks alone, not of what FHIRPath computes.
        let is_walk = |expression: &&str| definition.id < FIRST_OWN_NUMBER || is_safe_walk(expression);
        // What every type has, a Parameters has, which has nothing else in common with another type.
        let base = ResourceType::parse(&definition.base).unwrap_or(ResourceType::PARAMETERS);
        let expression = definition.expression.as_deref().filter(is_walk);
        let walks = expression.map(|expression| path::walks(expression, base)).unwrap_or_default();
        let (mut targets, mut canonicals, mut tokens) = (Vec::new(), Vec::new(), TokenNature::default());
        match kind {
            ParameterKind::Reference => {
                targets = targets_of(definition, &walks);
                canonicals = walks;
                // The value of an extension may be of any type: an own parameter that may hold references is read as those.
                let may_refer = canonicals.iter().any(|walk| walk.leaf == Shape::Reference);
                let is_open = definition.id >= FIRST_OWN_NUMBER && may_refer;
                canonicals.retain(|walk| !is_open && matches!(walk.leaf, Shape::Canonical | Shape::Uri));
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
        self.id() >= FIRST_OWN_NUMBER
    }

    /// Whether its number stands for the rows of one resource type, and not of several that share the definition.
    pub(super) fn is_of_one_type(&self) -> bool {
        !self.is_own() && !matches!(&*self.definition.base, "Resource" | "DomainResource")
    }

    /// The name as a query writes it.
    pub fn code(&self) -> &'static str {
        &self.definition.code
    }

    /// The element of a resource of this type that it reads, such as `Appointment.participant.actor`.
    pub fn element(&self, of: ResourceType) -> Option<String> {
        let expression = self.definition.expression.as_deref()?;
        let start = format!("{of}.");
        let path = expression.split('|').map(str::trim).find(|path| path.starts_with(&start))?;
        path.split(".where(").next().map(str::to_owned)
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
    /// Which change of the own parameters it stands for (`store::Reader::rules`); 0 when it has none.
    generation: i64,
    zone_minutes: i16,
    definitions: Vec<OwnDefinition>,
    /// The last number that any own parameter has had; 0 when there was none.
    last_number: i16,
    /// Numbers of own parameters that older resources have no rows for yet.
    pending: HashSet<i16>,
    /// Own parameters by code, for each type in the order of `ResourceType::all`.
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
            Arc::new(Registry {
                bases,
                types,
                any: OnceLock::new(),
                generation: 0,
                zone_minutes: 0,
                definitions: Vec::new(),
                last_number: 0,
                pending: HashSet::new(),
                own,
                own_of_all: HashMap::new(),
            })
        })
    }

    /// The bundled parameters and the own ones in `definitions`, as they are in force since `generation`; bundled ones are
    /// never replaced. `last_number` is the last that any own parameter has had. Dates without a zone are taken to be in that
    /// of `zone_minutes`, east of UTC.
    pub fn with_own(generation: i64, zone_minutes: i16, last_number: i16, definitions: Vec<OwnDefinition>) -> Registry {
        let types = ResourceType::all().map(|_| TypeParameters::default()).collect();
        let mut own: Vec<HashMap<_, _>> = ResourceType::all().map(|_| HashMap::new()).collect();
        let mut own_of_all = HashMap::new();
        for parameter in definitions.iter().flat_map(|definition| &definition.on_bases) {
            if *parameter.definition.base == *"Resource" {
                own_of_all.insert(parameter.code(), *parameter);
            }
            for resource_type in own::types_of(&parameter.definition.base) {
                own[place_of(resource_type)].insert(parameter.code(), *parameter);
            }
        }
        let pending = definitions.iter().filter(|definition| definition.is_pending).map(|it| it.number).collect();
        let (bases, any) = (HashMap::new(), OnceLock::new());
        Registry { bases, types, any, generation, zone_minutes, definitions, last_number, pending, own, own_of_all }
    }

    /// Which change of the rules for the index it stands for, as `store::Reader::rules` counts them.
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// The zone, in minutes east of UTC, of dates that name none: in resources as in searches.
    pub fn zone_minutes(&self) -> i16 {
        self.zone_minutes
    }

    /// The own parameters that are in force.
    pub fn own_parameters(&self) -> impl Iterator<Item = &OwnDefinition> {
        self.definitions.iter()
    }

    /// The last number that any own parameter has had.
    pub fn last_number(&self) -> i16 {
        self.last_number
    }

    /// Whether older resources have no rows for this parameter yet.
    pub fn is_pending(&self, parameter: &Parameter) -> bool {
        self.pending.contains(&parameter.id())
    }

    /// Whether the rows of the parameter with this number are all there: it is of the specification, or ready.
    pub fn has_all_rows(&self, number: i16) -> bool {
        let is_in_force = || self.definitions.iter().any(|definition| definition.number == number);
        number < FIRST_OWN_NUMBER || (is_in_force() && !self.pending.contains(&number))
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

/// An own parameter that is in force.
#[derive(Clone, Debug)]
pub struct OwnDefinition {
    /// The id of the SearchParameter.
    pub id: String,
    /// Stands for it in index rows.
    pub number: i16,
    /// Since when rows are made for it.
    pub generation: i64,
    pub is_pending: bool,
    pub own: OwnParameter,
    on_bases: Vec<&'static Parameter>,
}

impl OwnDefinition {
    /// The parameter as the database keeps it.
    ///
    /// The form that searches use stays for the life of the process, for a request may use it when the definition has
    /// changed: make it for each number once, and then [`OwnDefinition::again`]. A database has 4096 numbers, and an
    /// expression 8 KiB at most, so that it can't fill the memory.
    pub fn new(stored: &StoredParameter) -> Option<OwnDefinition> {
        let own = OwnParameter::of(&serde_json::from_str(&stored.text).ok()?);
        let definitions = own.definitions(stored.number).into_iter();
        let on_bases = definitions.map(|definition| kept(Box::leak(Box::new(definition)))).collect();
        let is_pending = stored.state == ParameterState::Pending;
        let (id, number, generation) = (stored.id.clone(), stored.number, stored.generation);
        Some(OwnDefinition { id, number, generation, is_pending, own, on_bases })
    }

    /// The parameter on each of its bases.
    pub(super) fn on_bases(&self) -> impl Iterator<Item = &'static Parameter> + '_ {
        self.on_bases.iter().copied()
    }

    /// The same parameter, in another state.
    pub fn again(&self, stored: &StoredParameter) -> OwnDefinition {
        OwnDefinition {
            id: stored.id.clone(),
            generation: stored.generation,
            is_pending: stored.state == ParameterState::Pending,
            ..self.clone()
        }
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
