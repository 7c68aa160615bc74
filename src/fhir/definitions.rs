//! The R4 definitions that the program embeds, each part unpacked on first use.
//!
//! Source and form of each file: `fhir-schemas/README.md`.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

macro_rules! embedded {
    ($file:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/fhir-schemas/derived/", $file))
    };
}

static ELEMENTS: &[u8] = embedded!("elements.json.gz");
static SEARCH_PARAMETERS: &[u8] = embedded!("search-parameters.json.gz");
static BINDINGS: &[u8] = embedded!("bindings.json.gz");
static CODE_SYSTEMS: &[u8] = embedded!("code-systems.json.gz");
static VALUE_SETS: &[u8] = embedded!("value-sets.json.gz");
static COMPARTMENTS: &[u8] = embedded!("compartments.json.gz");
static SCHEMA: &[u8] = embedded!("schema.json.gz");

/// What kind of type a definition describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TypeKind {
    Resource,
    Complex,
    Primitive,
    /// A part of a resource or data type that has elements of its own, named by its path (`Patient.contact`).
    Backbone,
}

/// A resource type, data type or backbone element.
#[derive(Debug)]
pub struct TypeDefinition {
    pub name: Box<str>,
    pub kind: TypeKind,
    /// The type it derives from, such as `DomainResource`; empty for the roots.
    pub base: Box<str>,
    /// In the order of the specification, inherited ones included.
    pub elements: Vec<ElementDefinition>,
    /// Every JSON member of the type, sorted by name.
    members: Box<[Member]>,
}

/// A JSON member: choices are expanded, so that `value[x]` has a member `valueQuantity`.
#[derive(Debug)]
struct Member {
    name: Box<str>,
    /// Position in `TypeDefinition::elements`.
    element: u16,
    /// Position in `ElementDefinition::types`.
    chosen: u8,
}

/// One element of a type.
#[derive(Debug, Deserialize)]
pub struct ElementDefinition {
    /// Without `[x]`.
    #[serde(rename = "n")]
    pub name: Box<str>,
    #[serde(default)]
    pub min: u32,
    /// `None` is `*`.
    #[serde(default = "once", deserialize_with = "maximum")]
    pub max: Option<u32>,
    #[serde(default, rename = "t")]
    pub types: Vec<ElementType>,
    /// True for `value[x]`.
    #[serde(default, rename = "choice")]
    pub is_choice: bool,
    #[serde(default, rename = "sum")]
    pub is_summary: bool,
    #[serde(default, rename = "mod")]
    pub is_modifier: bool,
    /// The value set of a required binding.
    #[serde(default, rename = "b")]
    pub required_binding: Option<Box<str>>,
}

/// A type that an element may have.
#[derive(Debug, Deserialize)]
pub struct ElementType {
    /// Name of the type, or the path of a backbone element.
    #[serde(rename = "c")]
    pub code: Box<str>,
    /// Resource types that a Reference or canonical may point to; empty when any.
    #[serde(default, rename = "p")]
    pub targets: Vec<Box<str>>,
}

impl TypeDefinition {
    /// The element and its type behind the JSON member `name` (without a leading `_`).
    pub fn member(&self, name: &str) -> Option<(&ElementDefinition, &ElementType)> {
        let place = self.members.binary_search_by(|member| (*member.name).cmp(name)).ok()?;
        let member = &self.members[place];
        let element = &self.elements[usize::from(member.element)];
        Some((element, &element.types[usize::from(member.chosen)]))
    }

    /// The element called `name`, without `[x]`.
    pub fn element(&self, name: &str) -> Option<&ElementDefinition> {
        self.elements.iter().find(|element| *element.name == *name)
    }
}

fn once() -> Option<u32> {
    Some(1)
}

/// Reads an upper bound, where -1 stands for `*`.
fn maximum<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(u32::try_from(i64::deserialize(deserializer)?).ok())
}

/// A type as the file holds it, its name being the key.
#[derive(Deserialize)]
struct TypeEntry {
    kind: TypeKind,
    #[serde(default)]
    base: Box<str>,
    elements: Vec<ElementDefinition>,
}

impl TypeEntry {
    fn named(self, name: Box<str>) -> TypeDefinition {
        let TypeEntry { kind, base, mut elements } = self;
        elements.shrink_to_fit();
        let mut members = Vec::new();
        for (place, element) in elements.iter_mut().enumerate() {
            element.types.shrink_to_fit();
            for (chosen, element_type) in element.types.iter_mut().enumerate() {
                element_type.targets.shrink_to_fit();
                let name = if element.is_choice {
                    choice_member(&element.name, &element_type.code)
                } else {
                    element.name.clone()
                };
                members.push(Member { name, element: place as u16, chosen: chosen as u8 });
            }
        }
        // Stable: of an element with several types but one name, the first type stays in front.
        members.sort_by(|left, right| left.name.cmp(&right.name));
        members.dedup_by(|later, first| later.name == first.name);
        TypeDefinition { name, kind, base, elements, members: members.into() }
    }
}

/// `value` of type `dateTime` is the member `valueDateTime`.
fn choice_member(element: &str, code: &str) -> Box<str> {
    let mut name = String::with_capacity(element.len() + code.len());
    name.push_str(element);
    let mut letters = code.chars();
    name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
    name.push_str(letters.as_str());
    name.into()
}

fn types() -> &'static HashMap<Box<str>, TypeDefinition> {
    static TYPES: OnceLock<HashMap<Box<str>, TypeDefinition>> = OnceLock::new();
    TYPES.get_or_init(|| {
        let entries: HashMap<Box<str>, TypeEntry> = read(ELEMENTS);
        entries.into_iter().map(|(name, entry)| (name.clone(), entry.named(name))).collect()
    })
}

/// The definition called `name`: a resource type, a data type or a backbone path.
pub fn type_named(name: &str) -> Option<&'static TypeDefinition> {
    types().get(name)
}

/// Whether `child` is `ancestor` or derives from it: a `Patient` is a `DomainResource` is a `Resource`, an `Age` is a
/// `Quantity`. False for names that R4 does not define.
pub fn is_resource_or_type_subtype(child: &str, ancestor: &str) -> bool {
    let lineage = std::iter::successors(type_named(child), |definition| type_named(&definition.base));
    lineage.into_iter().any(|definition| *definition.name == *ancestor)
}

/// One search parameter on one base type.
#[derive(Debug, Deserialize)]
pub struct SearchParameterDefinition {
    /// Stands for it in index rows; never renumbered.
    pub id: i16,
    /// A resource type, `Resource` or `DomainResource`.
    pub base: Box<str>,
    pub code: Box<str>,
    /// `token`, `string`, ... as R4 writes it.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    pub url: Box<str>,
    /// FHIRPath; `None` for the special ones.
    #[serde(default)]
    pub expression: Option<Box<str>>,
    /// Resource types that a reference parameter may point to; empty for all other kinds.
    #[serde(default, rename = "target")]
    pub targets: Vec<Box<str>>,
    /// Empty unless the parameter is composite.
    #[serde(default, rename = "component")]
    pub components: Vec<SearchComponent>,
}

/// A part of a composite search parameter.
#[derive(Debug, Deserialize)]
pub struct SearchComponent {
    /// URL of the search parameter that says how to compare this part.
    pub definition: Box<str>,
    /// FHIRPath, from what the expression of the whole selects.
    pub expression: Box<str>,
}

/// All bundled search parameters.
pub fn search_parameters() -> &'static [SearchParameterDefinition] {
    static PARAMETERS: OnceLock<Box<[SearchParameterDefinition]>> = OnceLock::new();
    PARAMETERS.get_or_init(|| read(SEARCH_PARAMETERS))
}

/// Codes by the URL of their system.
type CodesBySystem = HashMap<Box<str>, HashSet<Box<str>>>;

/// The codes that the value set `url` admits, by system; `None` when the bundle can't enumerate it.
pub fn value_set(url: &str) -> Option<&'static CodesBySystem> {
    static VALUE_SETS: OnceLock<HashMap<Box<str>, CodesBySystem>> = OnceLock::new();
    VALUE_SETS.get_or_init(|| read(BINDINGS)).get(url)
}

/// Texts of slimmed resources by their URL; each is parsed only when it is asked for.
type Texts = HashMap<Box<str>, Box<str>>;

/// The CodeSystem `url` with its codes, properties and hierarchy but without displays; `None` unless R4 holds all of its
/// codes.
pub fn code_system_definition(url: &str) -> Option<serde_json::Value> {
    static ALL: OnceLock<Texts> = OnceLock::new();
    ALL.get_or_init(|| read(CODE_SYSTEMS)).get(url).map(|text| resource(text))
}

/// The ValueSet `url`: its `compose` without displays; `None` when R4 doesn't define it.
pub fn value_set_definition(url: &str) -> Option<serde_json::Value> {
    static ALL: OnceLock<Texts> = OnceLock::new();
    ALL.get_or_init(|| read(VALUE_SETS)).get(url).map(|text| resource(text))
}

fn resource(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("a test parses every embedded definition")
}

/// By compartment, then by resource type.
type Compartments = HashMap<Box<str>, HashMap<Box<str>, Box<[Box<str>]>>>;

/// The search parameters by which a resource of `resource_type` belongs to the compartment `compartment`; empty when it
/// never does. `{def}` stands for the resource itself, which is in the compartment that it is the centre of.
///
/// Spec: R4 compartmentdefinition.html
pub fn compartment(compartment: &str, resource_type: &str) -> &'static [Box<str>] {
    static ALL: OnceLock<Compartments> = OnceLock::new();
    let all = ALL.get_or_init(|| read(COMPARTMENTS));
    all.get(compartment).and_then(|types| types.get(resource_type)).map_or(&[], |parameters| parameters)
}

/// The slimmed JSON Schema of R4, as text. Unpacked anew by each call, because it is compiled once and then dropped.
pub fn json_schema() -> Vec<u8> {
    unpacked(SCHEMA)
}

fn read<T: DeserializeOwned>(packed: &[u8]) -> T {
    serde_json::from_slice(&unpacked(packed)).expect("a test reads every embedded file")
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    // Gzip ends with the unpacked size.
    let size = packed.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    let mut text = Vec::with_capacity(size);
    GzDecoder::new(packed).read_to_end(&mut text).expect("a test unpacks every embedded file");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::ResourceType;

    fn definition(name: &str) -> &'static TypeDefinition {
        type_named(name).unwrap_or_else(|| panic!("{name} is not defined"))
    }

    #[test]
    fn the_resource_types_are_those_of_the_specification() {
        let listed: Vec<String> = serde_json::from_slice(embedded!("resource-types.json")).unwrap();

        assert_eq!(ResourceType::all().map(ResourceType::name).collect::<Vec<_>>(), listed);
        for name in listed {
            assert_eq!(definition(&name).kind, TypeKind::Resource, "{name}");
            assert!(is_resource_or_type_subtype(&name, "Resource"), "{name}");
        }
    }

    #[test]
    fn elements_keep_their_cardinality_binding_and_flags() {
        let patient = definition("Patient");
        let gender = patient.element("gender").unwrap();
        let contact = patient.element("contact").unwrap();
        let link = definition("Patient.link").element("other").unwrap();

        assert_eq!((gender.min, gender.max), (0, Some(1)));
        assert_eq!(gender.required_binding.as_deref(), Some("http://hl7.org/fhir/ValueSet/administrative-gender"));
        assert!(gender.is_summary && !gender.is_modifier && !gender.is_choice);
        assert!(patient.element("active").unwrap().is_modifier);
        assert_eq!((contact.max, &*contact.types[0].code), (None, "Patient.contact"));
        assert_eq!((link.min, link.types[0].targets.len()), (1, 2));
        assert!(patient.element("name").unwrap().required_binding.is_none());
    }

    #[test]
    fn a_choice_is_found_by_its_json_member_only() {
        let observation = definition("Observation");

        let (element, chosen) = observation.member("valueDateTime").unwrap();

        assert_eq!((&*element.name, &*chosen.code, element.is_choice), ("value", "dateTime", true));
        assert!(observation.element("value").is_some());
        for name in ["value", "valueAttachment", "_status", "valuequantity", ""] {
            assert!(observation.member(name).is_none(), "{name}");
        }
        assert_eq!(&*observation.member("status").unwrap().1.code, "code");
        assert_eq!(&*definition("Extension").member("valueDosage").unwrap().1.code, "Dosage");
    }

    #[test]
    fn every_type_that_is_named_is_defined() {
        for (name, definition) in types() {
            assert!(definition.base.is_empty() || type_named(&definition.base).is_some(), "{name}");
            let lengths = (definition.elements.len(), definition.members.len());
            assert!(lengths.0 <= usize::from(u16::MAX) && lengths.1 >= lengths.0, "{name}");
            for element in &definition.elements {
                assert!(!element.types.is_empty() && element.types.len() <= 255, "{name}.{}", element.name);
                for element_type in &element.types {
                    type_named(&element_type.code).unwrap_or_else(|| panic!("{name}.{}", element.name));
                    assert!(element_type.targets.iter().all(|target| type_named(target).is_some()), "{name}");
                }
            }
        }
    }

    #[test]
    fn types_know_what_they_derive_from() {
        let yes = [
            ("Patient", "Patient"),
            ("Patient", "DomainResource"),
            ("Patient", "Resource"),
            ("Bundle", "Resource"),
            ("Age", "Quantity"),
            ("Age", "Element"),
            ("code", "string"),
            ("Patient.contact", "BackboneElement"),
        ];
        let no = [
            ("Bundle", "DomainResource"),
            ("Resource", "Patient"),
            ("Quantity", "Age"),
            ("Patient", "Element"),
            ("Teapot", "Teapot"),
            ("", ""),
        ];
        for (child, ancestor) in yes {
            assert!(is_resource_or_type_subtype(child, ancestor), "{child} {ancestor}");
        }
        for (child, ancestor) in no {
            assert!(!is_resource_or_type_subtype(child, ancestor), "{child} {ancestor}");
        }
    }

    #[test]
    fn search_parameters_have_one_number_and_one_base_each() {
        let parameters = search_parameters();
        let numbers: HashSet<i16> = parameters.iter().map(|parameter| parameter.id).collect();
        let codes: HashSet<_> = parameters.iter().map(|parameter| (&parameter.base, &parameter.code)).collect();
        let urls: HashSet<_> = parameters.iter().map(|parameter| &parameter.url).collect();

        assert_eq!((numbers.len(), codes.len()), (parameters.len(), parameters.len()));
        for parameter in parameters {
            assert!(is_resource_or_type_subtype(&parameter.base, "Resource"), "{}", parameter.url);
            assert_eq!(*parameter.kind == *"composite", !parameter.components.is_empty(), "{}", parameter.url);
            assert!(parameter.components.iter().all(|part| urls.contains(&part.definition)), "{}", parameter.url);
        }
        let subject = parameters
            .iter()
            .find(|parameter| *parameter.url == *"http://hl7.org/fhir/SearchParameter/Observation-subject");
        assert_eq!(subject.unwrap().targets.len(), 4);
    }

    #[test]
    fn a_value_set_lists_its_codes_by_system() {
        let genders = value_set("http://hl7.org/fhir/ValueSet/administrative-gender").unwrap();

        assert_eq!(genders["http://hl7.org/fhir/administrative-gender"].len(), 4);
        assert!(genders["http://hl7.org/fhir/administrative-gender"].contains("unknown"));
        assert!(value_set("http://example.org/none").is_none());
    }

    #[test]
    fn every_code_system_and_value_set_can_be_read() {
        let systems: Texts = read(CODE_SYSTEMS);
        let value_sets: Texts = read(VALUE_SETS);

        assert_eq!((systems.len(), value_sets.len()), (1054, 1316));
        for url in systems.keys() {
            assert_eq!(code_system_definition(url).unwrap()["url"], **url);
        }
        for url in value_sets.keys() {
            assert!(value_set_definition(url).unwrap()["compose"]["include"].is_array(), "{url}");
        }
        assert!(code_system_definition("http://snomed.info/sct").is_none());
    }

    #[test]
    fn compartments_are_made_of_search_parameters() {
        let codes: HashSet<_> =
            search_parameters().iter().map(|parameter| (&*parameter.base, &*parameter.code)).collect();
        for resource_type in ResourceType::all() {
            for name in ["Patient", "Encounter", "RelatedPerson", "Practitioner", "Device"] {
                for code in compartment(name, resource_type.name()) {
                    let itself = &**code == "{def}" && resource_type.name() == name;
                    let known = codes.contains(&(resource_type.name(), &**code));
                    assert!(itself || known, "{name} {resource_type} {code}");
                }
            }
        }
        assert_eq!(compartment("Patient", "Observation"), ["performer".into(), "subject".into()]);
        assert!(compartment("Patient", "Location").is_empty());
        assert!(compartment("Location", "Patient").is_empty());
    }

    #[test]
    fn the_schema_is_json_that_defines_every_resource_type() {
        let schema: serde_json::Value = serde_json::from_slice(&json_schema()).unwrap();

        for resource_type in ResourceType::all() {
            assert!(schema["definitions"][resource_type.name()].is_object(), "{resource_type}");
        }
    }
}
