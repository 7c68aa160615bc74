//! The R4 definitions that the program embeds, unpacked on first use.
//!
//! Source and form of each file: `fhir-schemas/README.md`.

use std::collections::HashMap;

/// What kind of type a definition describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// From JSON member name (choices expanded: `valueQuantity`) to the element and the type of that choice.
    members: HashMap<Box<str>, (u16, u8)>,
}

/// One element of a type.
#[derive(Debug)]
pub struct ElementDefinition {
    /// Without `[x]`.
    pub name: Box<str>,
    pub min: u32,
    /// `None` is `*`.
    pub max: Option<u32>,
    pub types: Vec<ElementType>,
    /// True for `value[x]`.
    pub is_choice: bool,
    pub is_summary: bool,
    pub is_modifier: bool,
    /// The value set of a required binding.
    pub required_binding: Option<Box<str>>,
}

/// A type that an element may have.
#[derive(Debug)]
pub struct ElementType {
    /// Name of the type, or the path of a backbone element.
    pub code: Box<str>,
    /// Resource types that a Reference or canonical may point to; empty when any.
    pub targets: Vec<Box<str>>,
}

impl TypeDefinition {
    /// The element and its type behind the JSON member `name` (without a leading `_`).
    pub fn member(&self, name: &str) -> Option<(&ElementDefinition, &ElementType)> {
        let (element, chosen) = *self.members.get(name)?;
        let element = &self.elements[element as usize];
        Some((element, &element.types[chosen as usize]))
    }

    /// The element called `name`, without `[x]`.
    pub fn element(&self, name: &str) -> Option<&ElementDefinition> {
        self.elements.iter().find(|element| *element.name == *name)
    }
}

/// The definition called `name`: a resource type, a data type or a backbone path.
pub fn type_named(name: &str) -> Option<&'static TypeDefinition> {
    let _ = name;
    todo!()
}

/// One search parameter on one base type.
#[derive(Debug)]
pub struct SearchParameterDefinition {
    /// Stands for it in index rows; never renumbered.
    pub id: i16,
    /// A resource type, `Resource` or `DomainResource`.
    pub base: Box<str>,
    pub code: Box<str>,
    /// `token`, `string`, ... as R4 writes it.
    pub kind: Box<str>,
    pub url: Box<str>,
    /// FHIRPath; `None` for the special ones.
    pub expression: Option<Box<str>>,
    pub targets: Vec<Box<str>>,
    pub components: Vec<SearchComponent>,
}

/// A part of a composite search parameter.
#[derive(Debug)]
pub struct SearchComponent {
    pub definition: Box<str>,
    pub expression: Box<str>,
}

/// All bundled search parameters.
pub fn search_parameters() -> &'static [SearchParameterDefinition] {
    todo!()
}

/// The codes that the value set `url` admits, by system; `None` when the bundle can't enumerate it.
pub fn value_set(url: &str) -> Option<&'static HashMap<Box<str>, std::collections::HashSet<Box<str>>>> {
    let _ = url;
    todo!()
}

/// The search parameters by which a resource of `resource_type` belongs to the compartment `compartment`.
///
/// Spec: R4 compartmentdefinition.html
pub fn compartment(compartment: &str, resource_type: &str) -> &'static [Box<str>] {
    let _ = (compartment, resource_type);
    todo!()
}

/// The slimmed JSON Schema of R4, as text.
pub fn json_schema() -> Vec<u8> {
    todo!()
}
