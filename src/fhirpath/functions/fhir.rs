//! What FHIR adds to the language: extensions, references, the tree of elements.
//!
//! Spec: R4 fhirpath.html#functions, FHIRPath N1 #tree-navigation

use serde_json::Value;

use super::Function;
use crate::fhir::ResourceType;
use crate::fhirpath::ast::Expr;
use crate::fhirpath::evaluate::{Evaluation, Outcome, Scope, single};
use crate::fhirpath::node::{Element, Item, Items, Node, Scalar, Text};
use crate::fhirpath::types::{Symbol, TypeId};

pub(super) fn call<'a>(
    evaluation: &Evaluation<'_, 'a>,
    function: Function,
    arguments: &[Expr],
    input: &[Node<'a>],
    scope: Scope<'_, 'a>,
) -> Outcome<'a> {
    match function {
        Function::Extension => {
            let wanted = evaluation.eval(&arguments[0], scope)?;
            extensions(evaluation, input, single(&wanted, "extension")?)
        }
        Function::HasExtension => {
            let wanted = evaluation.eval(&arguments[0], scope)?;
            Ok((!extensions(evaluation, input, single(&wanted, "hasExtension")?)?.is_empty()).into())
        }
        Function::HasValue => Ok(matches!(input, [node] if node.scalar().is_some()).into()),
        Function::GetValue => Ok(single(input, "getValue")?.and_then(Node::scalar).into()),
        Function::Resolve => Ok(input.iter().filter_map(|node| resolved(evaluation, node)).collect()),
        Function::Children => {
            let mut found = Items::Empty;
            for node in input {
                node.push_children(&mut found);
            }
            evaluation.spend(found.len())?;
            Ok(found)
        }
        Function::Descendants => descendants(evaluation, input),
        Function::Type => Ok(input.iter().map(type_of).collect()),
        _ => super::unsupported(function),
    }
}

fn extensions<'a>(evaluation: &Evaluation<'_, 'a>, input: &[Node<'a>], wanted: Option<&Node<'a>>) -> Outcome<'a> {
    let (Some(url), Some(symbol)) = (wanted.and_then(Node::as_str), Symbol::named("extension")) else {
        return Ok(Items::Empty);
    };
    let mut all = Items::Empty;
    for node in input {
        node.push_members(symbol, "extension", &mut all);
    }
    evaluation.spend(all.len())?;
    let has_url = |node: &Node<'a>| node.json().and_then(|json| json.get("url")).and_then(Value::as_str) == Some(url);
    Ok(all.into_vec().into_iter().filter(has_url).collect())
}

fn type_of<'a>(node: &Node<'a>) -> Node<'a> {
    Node(match &node.0 {
        Item::Element(element) => Item::Type("FHIR", element.type_id.get().name),
        Item::Value(scalar) => Item::Type("System", scalar.system_type().name()),
        Item::Type(..) => Item::Type("System", "SimpleTypeInfo"),
    })
}

/// Level by level, as `repeat(children())` would, but equal elements at different places stay apart.
fn descendants<'a>(evaluation: &Evaluation<'_, 'a>, input: &[Node<'a>]) -> Outcome<'a> {
    let mut found = Vec::new();
    let mut level: Vec<Node<'a>> = input.to_vec();
    while !level.is_empty() {
        let mut next = Items::Empty;
        for node in &level {
            node.push_children(&mut next);
        }
        evaluation.spend(level.len() + next.len())?;
        level = next.into_vec();
        found.extend(level.iter().cloned());
    }
    Ok(Items::Many(found))
}

/// What a Reference or canonical points to, as far as it can be told without reading the store: a contained resource,
/// or a node that only knows its type.
fn resolved<'a>(evaluation: &Evaluation<'_, 'a>, node: &Node<'a>) -> Option<Node<'a>> {
    let (text, named) = match &node.0 {
        Item::Element(element) => match element.value? {
            Value::String(text) => (&**text, None),
            Value::Object(members) => {
                let text = members.get("reference").and_then(Value::as_str).unwrap_or("");
                (text, members.get("type").and_then(Value::as_str))
            }
            _ => return None,
        },
        Item::Value(Scalar::Text(Text::Borrowed(text))) => (*text, None),
        _ => return None,
    };
    if let Some(id) = text.strip_prefix('#') {
        return contained(evaluation, id);
    }
    let name = type_named_by(text, evaluation.context.bases).or(named)?;
    let type_id = TypeId::named(ResourceType::parse(name).ok()?.name())?;
    Some(Node(Item::Element(Element { value: None, shadow: None, type_id })))
}

fn contained<'a>(evaluation: &Evaluation<'_, 'a>, id: &str) -> Option<Node<'a>> {
    let outer = evaluation.context.root_resource;
    if id.is_empty() {
        return Node::resource(outer).ok();
    }
    let resources = outer.get("contained")?.as_array()?;
    let target = resources.iter().find(|resource| resource.get("id").and_then(Value::as_str) == Some(id))?;
    Node::resource(target).ok()
}

/// The resource type that a reference tells by its form: `Type/id`, with or without a base and a version, or
/// `Type?criteria`.
fn type_named_by<'t>(text: &'t str, bases: &[String]) -> Option<&'t str> {
    let own = bases.iter().find_map(|base| text.strip_prefix(base.as_str())?.strip_prefix('/'));
    let path = own.unwrap_or(text);
    if let Some((name, _)) = path.split_once('?') {
        return Some(name);
    }
    let path = path.split_once("/_history/").map_or(path, |(path, _)| path);
    let (before, _) = path.rsplit_once('/')?;
    Some(before.rsplit_once('/').map_or(before, |(_, name)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_tells_its_type_by_its_form() {
        let bases = ["https://a.example/fhir".to_owned()];
        let cases = [
            ("Patient/1", Some("Patient")),
            ("Patient/1/_history/2", Some("Patient")),
            ("https://a.example/fhir/Group/1", Some("Group")),
            ("https://b.example/r4/Patient/x", Some("Patient")),
            ("https://a.example/fhir/Patient?identifier=x|1", Some("Patient")),
            ("Patient?identifier=http://x/Group/5", Some("Patient")),
            ("Patient", None),
        ];

        for (text, expected) in cases {
            assert_eq!(type_named_by(text, &bases), expected, "{text}");
        }
    }
}
