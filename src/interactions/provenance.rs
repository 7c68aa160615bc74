//! Who wrote a version, by which app and on whose behalf: a Provenance beside each version that a known caller writes.
//!
//! Each has one target, so that it is seen exactly where that is. What a client says itself, in the header `X-Provenance`, stands
//! in place of the server's own words, with the true agents added.
//!
//! Spec: R4 provenance.html, #header

use std::sync::Arc;

use serde_json::{Value, json};

use crate::access::{ACCOUNT_SYSTEM, Agent, CLIENT_SYSTEM, Caller};
use crate::clock;
use crate::fhir::{Id, Issue, IssueCode, Resource, ResourceKey, ResourceType, format_instant};
use crate::interactions::prepared::indexed;
use crate::interactions::sight::permitted;
use crate::interactions::{Engine, InteractionError};
use crate::search::{RECORDED, RECORDED_SYSTEM, Registry, Right};
use crate::store::{Creator, IndexRows, Method, Packed, Put, Tx};
use crate::validation;

const PARTICIPANT: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
const OPERATION: &str = "http://terminology.hl7.org/CodeSystem/v3-DataOperation";
/// Systems of identifiers that begin so are for what the server says of agents itself.
const OWN_SYSTEMS: &str = "urn:emberwell:";
/// What people are as resources, as far as a Provenance takes them for agents.
///
/// Spec: R4 provenance-definitions.html#Provenance.agent.who
const PEOPLE: [&str; 4] = ["Patient", "Practitioner", "PractitionerRole", "RelatedPerson"];

/// The Provenance of a version that is to be written, ready but for the number of that version.
pub(super) struct Origin {
    target: ResourceKey,
    id: Id,
    /// What is expected to be written.
    expected: Step,
    /// Of the expected version.
    resource: Resource,
    packed: Packed,
    rows: IndexRows,
    /// Whether it is the server that says what was done.
    is_own: bool,
    registry: Arc<Registry>,
    bases: Arc<[String]>,
}

/// What is written of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    version: i64,
    is_create: bool,
}

impl Origin {
    /// Prepares the Provenance of the next version of `target`, which is `written` and expected to have the number `version`;
    /// `None` where nothing is known to tell, and for what is itself about who did what.
    pub(super) fn of(
        engine: &Engine,
        registry: &Arc<Registry>,
        caller: &Caller,
        target: &ResourceKey,
        version: i64,
        written: &Resource,
    ) -> Result<Option<Origin>, InteractionError> {
        let agents = caller.agent().map(agents).unwrap_or_default();
        let is_told = caller.claim().is_some() || (engine.fhir.provenance && !agents.is_empty());
        if !is_told || !has_provenance(target.resource_type) {
            return Ok(None);
        }
        let expected = Step { version, is_create: version == 1 };
        let mut value = match caller.claim() {
            Some(claim) => claim.value.clone(),
            None => {
                json!({ "resourceType": "Provenance", "recorded": recorded(caller), "activity": activity(expected) })
            }
        };
        value["target"] = targets(target, expected);
        // What is told of a version is as sensitive as that is, also when it is gone.
        if let Some(Value::Array(labels)) = written.value.pointer("/meta/security").filter(|labels| labels.is_array()) {
            append(&mut value["meta"], "security", labels.clone());
        }
        if !agents.is_empty() {
            append(&mut value["meta"], "tag", vec![json!({ "system": RECORDED_SYSTEM, "code": RECORDED })]);
            append(&mut value, "agent", agents);
        }
        let mut resource = Resource::from_value(value).map_err(|issue| InteractionError::Invalid(vec![issue]))?;
        let id = Id::random();
        resource.set_id(id.clone());
        let bases = Arc::clone(&engine.bases);
        let rows = indexed(&resource, &engine.store.hasher(), &bases, registry)?;
        let packed = engine.store.pack(ResourceType::PROVENANCE, &resource.tail());
        let (target, registry, is_own) = (target.clone(), Arc::clone(registry), caller.claim().is_none());
        Ok(Some(Origin { target, id, expected, resource, packed, rows, is_own, registry, bases }))
    }

    /// The Provenance to write beside `target`.
    pub(super) fn put(&self, tx: &Tx<'_>, target: &Put) -> Result<Put, InteractionError> {
        let step = Step {
            version: target.previous.as_ref().map_or(1, |previous| previous.version + 1),
            is_create: target.previous.as_ref().is_none_or(|previous| previous.is_deleted),
        };
        let (tail, rows) = match step == self.expected {
            true => (self.packed.clone(), self.rows.clone()),
            false => self.adapted(tx, step)?,
        };
        let key = ResourceKey { resource_type: ResourceType::PROVENANCE, id: self.id.clone() };
        let rules = Some(self.registry.generation());
        let (method, tail, creator) = (Method::Create, Some(tail), Creator::Nobody);
        Ok(Put { key, previous: None, method, tail, rows, rules, definition: None, creator })
    }

    /// What was prepared, for another version.
    fn adapted(&self, tx: &Tx<'_>, step: Step) -> Result<(Packed, IndexRows), InteractionError> {
        let mut resource = self.resource.clone();
        resource.value["target"] = targets(&self.target, step);
        let is_other = self.is_own && step.is_create != self.expected.is_create;
        if is_other {
            resource.value["activity"] = activity(step);
        }
        let packed = tx.pack(ResourceType::PROVENANCE, &resource.tail());
        // No parameter of R4 tells the version of a target; one that a client defined might.
        let own_parameters = || self.registry.parameters(ResourceType::PROVENANCE).iter().any(|own| own.is_own());
        let rows = match is_other || own_parameters() {
            true => indexed(&resource, &tx.hasher(), &self.bases, &self.registry)?,
            false => self.rows.clone(),
        };
        Ok((packed, rows))
    }
}

/// Whether versions of the type get a Provenance: what tells of others' doings gets none of its own.
fn has_provenance(of: ResourceType) -> bool {
    !matches!(of.name(), "Provenance" | "AuditEvent")
}

fn targets(target: &ResourceKey, step: Step) -> Value {
    json!([{ "reference": format!("{target}/_history/{}", step.version) }])
}

/// Spec: http://terminology.hl7.org/CodeSystem/v3-DataOperation
fn activity(step: Step) -> Value {
    json!({ "coding": [{ "system": OPERATION, "code": if step.is_create { "CREATE" } else { "UPDATE" } }] })
}

/// One moment for all that a request writes, where that is known.
fn recorded(caller: &Caller) -> String {
    let mut text = Vec::with_capacity(24);
    format_instant(caller.act().map_or_else(clock::now_us, |act| act.at_us), &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The person, and the app that acts on behalf of the person or for itself.
///
/// Spec: R4 valueset-provenance-agent-type.html: an enterer enters data into a system, a composer is a device by which somebody
/// records, an assembler a device that works by itself
fn agents(agent: &Agent) -> Vec<Value> {
    let person = agent.account.map(|account| person(account, agent.fhir_user.as_deref()));
    let app = agent.client.as_ref().map(|id| json!({ "identifier": { "system": CLIENT_SYSTEM, "value": id } }));
    let of_type =
        |code: &str, who: Value| json!({ "type": { "coding": [{ "system": PARTICIPANT, "code": code }] }, "who": who });
    match (person, app) {
        (Some(person), Some(app)) => {
            let mut composer = of_type("composer", app);
            composer["onBehalfOf"] = person.clone();
            vec![of_type("enterer", person), composer]
        }
        (Some(person), None) => vec![of_type("enterer", person)],
        (None, Some(app)) => vec![of_type("assembler", app)],
        (None, None) => Vec::new(),
    }
}

fn person(account: i64, fhir_user: Option<&str>) -> Value {
    let mut person = json!({ "identifier": { "system": ACCOUNT_SYSTEM, "value": account.to_string() } });
    let is_agent = |user: &&str| user.split_once('/').is_some_and(|(type_name, _)| PEOPLE.contains(&type_name));
    if let Some(user) = fhir_user.filter(is_agent) {
        person["reference"] = json!(user);
    }
    person
}

/// Adds to the list `name` of an object, or makes both.
fn append(object: &mut Value, name: &str, more: Vec<Value>) {
    if !object.is_object() {
        *object = json!({});
    }
    match &mut object[name] {
        Value::Array(items) => items.extend(more),
        other => *other = Value::Array(more),
    }
}

/// `caller` in a request whose header `X-Provenance` says where what it writes comes from. `of` is the one type that is written,
/// if it is one.
///
/// The client needs the right to create a Provenance, as if it had sent it by itself. It leaves the targets out, and does not
/// speak for the server.
///
/// Spec: R4 provenance.html#header
pub fn claimed(
    engine: &Engine,
    caller: Caller,
    of: Option<ResourceType>,
    claim: Value,
) -> Result<Caller, InteractionError> {
    let refused = |issue: Issue| InteractionError::Invalid(vec![issue]);
    if let Some(of) = of.filter(|of| !has_provenance(*of)) {
        let text = format!("no Provenance is kept of {}: leave the header X-Provenance out", of.with_article());
        return Err(refused(Issue::request(IssueCode::NotSupported, text)));
    }
    permitted(&caller, ResourceType::PROVENANCE, Right::Create)?;
    let mut claim = Resource::from_value(claim).map_err(refused)?;
    if claim.resource_type != ResourceType::PROVENANCE {
        let text = "the header X-Provenance holds a Provenance, and nothing else";
        return Err(refused(Issue::error(IssueCode::Invalid, "resourceType", text)));
    }
    let mut issues = foreign(&claim);
    // It is valid if it is so with a target.
    claim.value["target"] = json!([{ "reference": "Basic/target" }]);
    issues.extend(validation::validate(&claim, &engine.bases).into_iter().filter(Issue::is_error));
    if !issues.is_empty() {
        return Err(InteractionError::Invalid(issues));
    }
    Ok(caller.claiming(Arc::new(claim)))
}

/// What a client may not say, since the server says it.
fn foreign(claim: &Resource) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut refuse = |place: String, text: &str| issues.push(Issue::error(IssueCode::BusinessRule, place, text));
    if claim.object().contains_key("target") {
        refuse("Provenance.target".to_owned(), "leave the target out: it is what the request writes");
    }
    for (index, tag) in list(&claim.value["meta"]["tag"]).enumerate() {
        if tag["system"] == RECORDED_SYSTEM {
            refuse(format!("Provenance.meta.tag[{index}].system"), "leave the tag out: the server adds it");
        }
    }
    for (index, agent) in list(&claim.value["agent"]).enumerate() {
        for name in ["who", "onBehalfOf"] {
            let system = agent[name]["identifier"]["system"].as_str();
            if system.is_some_and(|system| system.starts_with(OWN_SYSTEMS)) {
                let place = format!("Provenance.agent[{index}].{name}.identifier.system");
                refuse(place, "use another identifier: the server adds those of its clients and accounts itself");
            }
        }
    }
    issues
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
