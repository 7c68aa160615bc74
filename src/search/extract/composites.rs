//! Rows of composite parameters: the components that stand together in one repetition.
//!
//! A component has the rows that a parameter of its kind would have; a repetition gives one row for each choice of one
//! row per component.
//!
//! Spec: R4 search.html#composite

use serde_json::Value;

use crate::fhir::ResourceType;
use crate::fhir::definitions::SearchParameterDefinition;
use crate::search::ParameterKind;
use crate::search::extract::computed::is_safe_walk;
use crate::search::extract::{Element, ExtractContext, index_value};
use crate::search::path::{self, Path};
use crate::search::registry::component_kinds;
use crate::store::{CompositeRow, FIRST_OWN_NUMBER, IndexRows};

/// How the rows of a composite parameter are made.
#[derive(Debug)]
pub(super) struct Composite {
    id: i16,
    roots: Vec<Root>,
}

/// What repeats, and where in it the components are.
#[derive(Debug)]
struct Root {
    path: Path,
    components: Vec<Component>,
}

#[derive(Debug)]
struct Component {
    kind: ParameterKind,
    /// From the repetition; from the resource when `is_of_resource`.
    paths: Vec<Path>,
    is_of_resource: bool,
}

impl Composite {
    /// `None` when a component leads nowhere.
    pub(super) fn new(definition: &SearchParameterDefinition, resource_type: ResourceType) -> Option<Composite> {
        let kinds = component_kinds(definition)?;
        let terms = path::terms(definition.expression.as_deref()?);
        let roots = terms.into_iter().map(|term| {
            let Some(path) = path::compile(term, resource_type)?.into_iter().next() else {
                // Of another type.
                return Some(None);
            };
            // Of a definition that names its two components the wrong way round, the expressions are swapped.
            let mut places: Vec<Vec<usize>> = vec![(0..kinds.len()).collect()];
            if definition.id < FIRST_OWN_NUMBER {
                places.push((0..kinds.len()).rev().collect());
            }
            let components = places.iter().find_map(|places| {
                let component = |(kind, place): (&ParameterKind, &usize)| {
                    Component::new(*kind, term, &definition.components[*place].expression, resource_type)
                };
                kinds.iter().zip(places).map(component).collect::<Option<Vec<_>>>()
            })?;
            Some(Some(Root { path, components }))
        });
        let roots: Option<Vec<Option<Root>>> = roots.collect();
        Some(Composite { id: definition.id, roots: roots?.into_iter().flatten().collect() })
    }

    pub(super) fn index(&self, resource: &Value, context: &ExtractContext<'_>, rows: &mut IndexRows) {
        for root in &self.roots {
            root.path.each(resource, context.bases, &mut |repetition| {
                let mut combined = vec![CompositeRow { param: self.id, ..CompositeRow::default() }];
                for (place, component) in root.components.iter().enumerate() {
                    let found = component.rows(resource, repetition, context);
                    combined = combined
                        .iter()
                        .flat_map(|row| parts(component.kind, &found, row, place))
                        .take(super::MAX_ROWS + 1)
                        .collect();
                }
                rows.composites.append(&mut combined);
            });
        }
    }
}

/// What of a composite parameter can't be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::search) enum Unread {
    /// The expression of the whole.
    Whole,
    /// The expression of the component at this place.
    Component(usize),
}

/// Whether the rows of the client's composite parameter `definition` can be made: its expression must have a plain path on
/// `resource_type`, and each component one from there.
pub(in crate::search) fn check(
    definition: &SearchParameterDefinition,
    resource_type: ResourceType,
) -> Result<(), Unread> {
    let kinds = component_kinds(definition).ok_or(Unread::Whole)?;
    let mut has_root = false;
    for term in path::terms(definition.expression.as_deref().unwrap_or_default()) {
        let walks = path::compile(term, resource_type).filter(|_| is_safe_walk(term)).ok_or(Unread::Whole)?;
        match walks.len() {
            // Of another type.
            0 => continue,
            1 => has_root = true,
            _ => return Err(Unread::Whole),
        }
        for (place, (kind, component)) in kinds.iter().zip(&definition.components).enumerate() {
            let expression = &component.expression;
            if !is_safe_walk(expression) || Component::new(*kind, term, expression, resource_type).is_none() {
                return Err(Unread::Component(place));
            }
        }
    }
    if has_root { Ok(()) } else { Err(Unread::Whole) }
}

impl Component {
    fn new(kind: ParameterKind, root: &str, expression: &str, resource_type: ResourceType) -> Option<Component> {
        // A capital letter that the definitions have where the type has none.
        let expression = expression.replace("DateTime", "dateTime");
        let of_resource = expression.strip_prefix("%resource.").map(|rest| format!("{resource_type}.{rest}"));
        let depth = path::compile(root, resource_type)?.first()?.depth();
        let is_of_resource = of_resource.is_some();
        let mut paths = Vec::new();
        match of_resource {
            Some(whole) => paths.extend(path::compile(&whole, resource_type)?),
            None => {
                for term in path::terms(&expression) {
                    let walks = path::compile(&format!("{root}.{term}"), resource_type)?;
                    paths.extend(walks.into_iter().map(|walk| walk.without_first(depth)));
                }
            }
        }
        paths.retain(|path| path.leaf.is_read_by(kind));
        (!paths.is_empty()).then_some(Component { kind, paths, is_of_resource })
    }

    fn rows(&self, resource: &Value, repetition: &Value, context: &ExtractContext<'_>) -> IndexRows {
        let mut rows = IndexRows::default();
        let root = if self.is_of_resource { resource } else { repetition };
        for path in &self.paths {
            path.each(root, context.bases, &mut |value| {
                let element = Element { shape: path.leaf, value_set: path.value_set, value };
                index_value(0, self.kind, &element, context, &mut rows);
            });
        }
        rows.tokens.retain(|row| row.param == 0);
        rows
    }
}

/// `row` completed by each of the rows that the component at `place` has.
fn parts<'a>(
    kind: ParameterKind,
    found: &'a IndexRows,
    row: &'a CompositeRow,
    place: usize,
) -> Box<dyn Iterator<Item = CompositeRow> + 'a> {
    let is_first = place == 0;
    match kind {
        ParameterKind::Token => Box::new(found.tokens.iter().map(move |token| {
            let mut row = row.clone();
            if is_first {
                (row.code, row.system) = (token.code, token.system);
            } else {
                (row.low, row.high) = (token.code, token.system);
            }
            row
        })),
        ParameterKind::Reference => Box::new(found.references.iter().map(move |reference| {
            let mut row = row.clone();
            if is_first {
                row.code = reference.target;
            } else {
                row.low = reference.target;
            }
            row
        })),
        ParameterKind::String => Box::new(
            found.strings.iter().map(move |string| CompositeRow { text: string.folded.clone(), ..row.clone() }),
        ),
        ParameterKind::Date => Box::new(found.dates.iter().map(move |date| CompositeRow {
            low: date.lo_us,
            high: date.hi_us,
            ..row.clone()
        })),
        ParameterKind::Quantity => Box::new(found.quantities.iter().map(move |quantity| CompositeRow {
            value: quantity.value,
            low: quantity.code,
            high: quantity.system,
            ..row.clone()
        })),
        ParameterKind::Number => Box::new(found.quantities.iter().map(move |number| {
            let mut row = row.clone();
            if place < 2 {
                row.value = number.value;
            } else {
                row.upper = number.value;
            }
            row
        })),
        ParameterKind::Uri | ParameterKind::Composite | ParameterKind::Special => Box::new(std::iter::empty()),
    }
}
