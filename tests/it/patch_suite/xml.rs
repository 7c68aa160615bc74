//! Reads resources in FHIR XML as FHIR JSON, well enough for test cases.
//!
//! Spec: R4 xml.html, json.html

use emberwell::fhir::definitions::{TypeDefinition, TypeKind, type_named};
use quick_xml::escape::{partial_escape, unescape};
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::{Map, Value};

/// An XML element, comments left out.
#[derive(Debug, Default)]
pub struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    nodes: Vec<Node>,
}

#[derive(Debug)]
enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    fn start(start: &BytesStart) -> Element {
        let attributes = start
            .attributes()
            .map(|attribute| {
                let attribute = attribute.unwrap();
                let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap();
                (attribute.key.as_ref().to_owned(), value.into_owned())
            })
            .collect();
        Element { name: start.name().as_ref().to_owned(), attributes, nodes: Vec::new() }
    }

    pub fn children(&self) -> impl Iterator<Item = &Element> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children().find(|child| child.name == name)
    }

    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.push_str(&format!(" {name}=\"{}\"", partial_escape(value.as_str()).replace('"', "&quot;")));
        }
        if self.nodes.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for node in &self.nodes {
            match node {
                Node::Element(child) => child.write(out),
                Node::Text(text) => out.push_str(&partial_escape(text.as_str())),
            }
        }
        out.push_str(&format!("</{}>", self.name));
    }
}

/// The root element of `text`.
pub fn parse(text: &str) -> Element {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event().unwrap();
        let text = match event {
            Event::Start(start) => {
                open.push(Element::start(&start));
                continue;
            }
            Event::Empty(start) => {
                let child = Element::start(&start);
                open.last_mut().unwrap().nodes.push(Node::Element(child));
                continue;
            }
            Event::End(_) => {
                let child = open.pop().unwrap();
                open.last_mut().unwrap().nodes.push(Node::Element(child));
                continue;
            }
            Event::Text(text) => text.xml10_content().into_owned(),
            Event::GeneralRef(reference) => unescape(&format!("&{};", reference.xml10_content())).unwrap().into_owned(),
            Event::CData(text) => text.xml10_content().into_owned(),
            Event::Eof => break,
            _ => continue,
        };
        let nodes = &mut open.last_mut().unwrap().nodes;
        match nodes.last_mut() {
            Some(Node::Text(before)) => before.push_str(&text),
            _ => nodes.push(Node::Text(text)),
        }
    }
    let document = open.pop().unwrap();
    document
        .nodes
        .into_iter()
        .find_map(|node| match node {
            Node::Element(root) => Some(root),
            Node::Text(_) => None,
        })
        .unwrap()
}

/// The JSON form of the resource that `element` is.
pub fn resource(element: &Element) -> Value {
    let mut members = Map::new();
    members.insert("resourceType".to_owned(), Value::String(element.name.clone()));
    members.extend(object(element, definition(&element.name)));
    Value::Object(members)
}

fn definition(name: &str) -> &'static TypeDefinition {
    type_named(name).unwrap_or_else(|| panic!("{name} is not defined"))
}

fn object(element: &Element, holder: &TypeDefinition) -> Map<String, Value> {
    let mut members = Map::new();
    for name in ["id", "url"] {
        if let Some(value) = element.attribute(name) {
            members.insert(name.to_owned(), Value::String(value.to_owned()));
        }
    }
    for child in element.children() {
        let (known, chosen) =
            holder.member(&child.name).unwrap_or_else(|| panic!("{} has no {}", holder.name, child.name));
        let (value, extra) = content(child, definition(&chosen.code));
        if known.max == Some(1) {
            value.map(|value| members.insert(child.name.clone(), value));
            extra.map(|extra| members.insert(format!("_{}", child.name), extra));
        } else {
            push(&mut members, &child.name, value, extra);
        }
    }
    members
}

/// The value of an element, and what belongs under its name with an underscore.
fn content(element: &Element, definition: &TypeDefinition) -> (Option<Value>, Option<Value>) {
    if &*definition.name == "Resource" {
        return (element.children().next().map(resource), None);
    }
    if &*definition.name == "xhtml" {
        let mut text = String::new();
        element.write(&mut text);
        return (Some(Value::String(text)), None);
    }
    if definition.kind != TypeKind::Primitive {
        return (Some(Value::Object(object(element, definition))), None);
    }
    let value = element.attribute("value").map(|text| match &*definition.name {
        "boolean" | "integer" | "decimal" | "positiveInt" | "unsignedInt" => serde_json::from_str(text).unwrap(),
        _ => Value::String(text.to_owned()),
    });
    let extra = object(element, self::definition("Element"));
    (value, (!extra.is_empty()).then_some(Value::Object(extra)))
}

/// Appends to both halves of a list, the second of which exists only once it holds something.
fn push(members: &mut Map<String, Value>, name: &str, value: Option<Value>, extra: Option<Value>) {
    let length =
        |members: &Map<String, Value>, name: &str| members.get(name).map_or(0, |list| list.as_array().unwrap().len());
    let extra_name = format!("_{name}");
    let end = length(members, name).max(length(members, &extra_name));
    for (name, item) in [(name.to_owned(), value), (extra_name, extra)] {
        if item.is_none() && !members.contains_key(&name) {
            continue;
        }
        let list = members.entry(name).or_insert_with(|| Value::Array(Vec::new())).as_array_mut().unwrap();
        list.resize(end, Value::Null);
        list.push(item.unwrap_or_default());
    }
}
