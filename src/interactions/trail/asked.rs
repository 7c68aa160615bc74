//! What a search of the trail asks for.
//!
//! The parser of all searches has read it; here it is turned into tests of events, and what the trail does not know is refused.
//!
//! Spec: R4 auditevent.html#search

use crate::audit::{Event, EventId};
use crate::fhir::{Reference, ResourceKey, ResourceType};
use crate::search::{
    CompileContext, Condition, Criterion, DateBounds, Modifier, ReferenceValue, Registry, SearchError, SearchRequest,
    SortBy, Subject, Summary, TokenValue, Total, Values,
};
use crate::store::Hasher;

/// An instant is told to the millisecond, which is a span of so many microseconds.
const MILLISECOND_US: i64 = 1_000;
const ACTION: &str = "http://hl7.org/fhir/audit-event-action";
const OUTCOME: &str = "http://hl7.org/fhir/audit-event-outcome";

/// By what AuditEvents are searched in the trail.
pub const TRAIL_PARAMETERS: [&str; 8] = ["_id", "action", "agent", "date", "entity", "outcome", "patient", "subtype"];

/// A search that is understood.
pub(super) struct Asked {
    tests: Vec<Test>,
    dates: DateBounds,
    /// Moments of events, the second excluded.
    pub from_us: i64,
    pub to_us: i64,
    /// The events that `_id` names.
    pub ids: Option<Vec<EventId>>,
    pub is_ascending: bool,
    pub count: usize,
}

/// What an event must meet: one of the values.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// The keys of Patients.
    Patient(Vec<i64>),
    Agent(Vec<ReferenceValue>),
    AgentIdentifier(Vec<TokenValue>),
    /// What was touched, and the keys of the Patients among it.
    Entity(Vec<ReferenceValue>, Vec<i64>),
    /// The id of the request.
    EntityIdentifier(Vec<TokenValue>),
    Action(Vec<TokenValue>),
    Subtype(Vec<TokenValue>),
    Outcome(Vec<TokenValue>),
}

impl Asked {
    /// Understands `request`.
    pub fn of(request: &SearchRequest, context: &CompileContext<'_>) -> Result<Asked, SearchError> {
        check_control(request)?;
        let date = Registry::bundled().parameter(ResourceType::AUDIT_EVENT, "date");
        let date = date.ok_or_else(|| unsupported("date"))?;
        let (mut tests, mut ids) = (Vec::new(), None::<Vec<EventId>>);
        for demand in &request.demands {
            let name = demand.text.split_once('=').map_or(demand.text.as_str(), |(name, _)| name);
            let Condition::Criterion(criterion) = &demand.condition else { return Err(unsupported(name)) };
            match (&criterion.subject, &criterion.values, criterion.modifier) {
                (Subject::Id, Values::Ids(named), None) => {
                    let mut named: Vec<EventId> = named.iter().filter_map(|id| EventId::parse(id)).collect();
                    named.retain(|id| ids.as_ref().is_none_or(|known| known.contains(id)));
                    ids = Some(named);
                }
                (Subject::Index(parameter), Values::Dates(_), None) if parameter.id() == date.id() => {}
                _ => tests.push(Test::of(criterion, context.hasher).ok_or_else(|| unsupported(name))?),
            }
        }
        if let Some(compartment) = &request.compartment {
            if compartment.center.resource_type != ResourceType::PATIENT {
                return Err(unsupported(compartment.center.resource_type.name()));
            }
            tests.push(Test::Patient(vec![context.hasher.key(&compartment.center)]));
        }
        let dates = DateBounds::of(request, date, context);
        let span = dates.beginnings(MILLISECOND_US);
        Ok(Asked {
            tests,
            dates,
            from_us: span.from,
            to_us: span.to.saturating_add(MILLISECOND_US),
            ids,
            is_ascending: request.control.sort.keys.first().is_some_and(|key| !key.is_descending),
            count: request.control.count as usize,
        })
    }

    /// Whether it asks for this event.
    pub fn is_for(&self, event: &Event) -> bool {
        let begins_us = event.at_us - event.at_us.rem_euclid(MILLISECOND_US);
        self.dates.admit(begins_us, begins_us + MILLISECOND_US) && self.tests.iter().all(|test| test.is_met_by(event))
    }

    /// The keys of the Patients that are asked for; `None` when it may be any.
    pub fn patients(&self) -> Option<Vec<i64>> {
        let mut asked = None::<Vec<i64>>;
        for test in &self.tests {
            if let Test::Patient(patients) = test {
                let known = asked.take();
                let is_asked = |patient: &&i64| known.as_ref().is_none_or(|known| known.contains(patient));
                asked = Some(patients.iter().filter(is_asked).copied().collect());
            }
        }
        asked
    }
}

/// Refuses what would shape an answer as the trail gives none.
fn check_control(request: &SearchRequest) -> Result<(), SearchError> {
    let control = &request.control;
    let given = |name: &str| request.used.iter().any(|(used, _)| used.split(':').next() == Some(name));
    let shapes = ["_include", "_revinclude", "_contained", "_containedType", "_maxresults", "_elements", "_filter"];
    if let Some(name) = shapes.into_iter().find(|name| given(name)) {
        return Err(unsupported(name));
    }
    if control.summary != Summary::False {
        return Err(unsupported("_summary"));
    }
    let bad = |parameter: &str, problem: &str| SearchError::BadValue {
        parameter: parameter.to_owned(),
        problem: problem.to_owned(),
    };
    if control.count == 0 {
        return Err(bad("_count", "the events of the audit trail are not counted: ask for one at least"));
    }
    if !matches!(control.total, None | Some(Total::None)) {
        return Err(bad("_total", "the events of the audit trail are not counted: give none"));
    }
    let is_by_date = |by: &SortBy| matches!(by, SortBy::Index(by) if by.iter().all(|by| by.code() == "date"));
    match control.sort.keys.as_slice() {
        [] => Ok(()),
        [only] if is_by_date(&only.by) => Ok(()),
        _ => Err(bad("_sort", "the audit trail is in the order of date or -date")),
    }
}

fn unsupported(parameter: &str) -> SearchError {
    SearchError::Unsupported {
        parameter: parameter.chars().take(80).collect(),
        what: "searching AuditEvents by anything but patient, date, agent, entity, action, subtype, outcome and _id",
    }
}

impl Test {
    /// What a criterion of an AuditEvent asks of an event; `None` when the trail can't tell.
    pub fn of(criterion: &Criterion, hasher: &Hasher) -> Option<Test> {
        let Subject::Index(parameter) = criterion.subject else { return None };
        let is_plain = criterion.modifier.is_none() || matches!(criterion.modifier, Some(Modifier::Type(_)));
        Some(match (parameter.code(), &criterion.values, criterion.modifier) {
            ("patient", Values::References(values), _) if is_plain => {
                Test::Patient(values.iter().filter_map(|value| patient(value, hasher)).collect())
            }
            ("agent", Values::References(values), _) if is_plain => Test::Agent(values.clone()),
            ("entity", Values::References(values), _) if is_plain => {
                let patients = values.iter().filter_map(|value| patient(value, hasher)).collect();
                Test::Entity(values.clone(), patients)
            }
            ("agent", Values::Tokens(values), Some(Modifier::Identifier)) => Test::AgentIdentifier(values.clone()),
            ("entity", Values::Tokens(values), Some(Modifier::Identifier)) => Test::EntityIdentifier(values.clone()),
            ("action", Values::Tokens(values), None) => Test::Action(values.clone()),
            ("subtype", Values::Tokens(values), None) => Test::Subtype(values.clone()),
            ("outcome", Values::Tokens(values), None) => Test::Outcome(values.clone()),
            _ => return None,
        })
    }

    /// Whether the event meets it.
    pub fn is_met_by(&self, event: &Event) -> bool {
        match self {
            Test::Patient(patients) => event.patient.is_some_and(|patient| patients.contains(&patient)),
            Test::Agent(values) => event.fhir_user.iter().any(|user| values.iter().any(|value| leads(value, user))),
            Test::AgentIdentifier(values) => {
                event.agent_identifiers().any(|(system, value)| any(values, Some(system), &value))
            }
            Test::Entity(values, patients) => {
                event.patient.is_some_and(|patient| patients.contains(&patient))
                    || event.entities.iter().any(|entity| values.iter().any(|value| leads(value, entity)))
            }
            Test::EntityIdentifier(values) => any(values, None, &event.request),
            Test::Action(values) => any(values, Some(ACTION), event.action()),
            Test::Subtype(values) => {
                let (system, code) = event.subtype();
                any(values, Some(system), code)
            }
            Test::Outcome(values) => any(values, Some(OUTCOME), event.outcome_code()),
        }
    }
}

fn patient(value: &ReferenceValue, hasher: &Hasher) -> Option<i64> {
    match value {
        ReferenceValue::Local(key) if key.resource_type == ResourceType::PATIENT => Some(hasher.key(key)),
        ReferenceValue::Id(id, types) if types.contains(&ResourceType::PATIENT) => {
            let id = crate::fhir::Id::parse(id).ok()?;
            Some(hasher.key(&ResourceKey { resource_type: ResourceType::PATIENT, id }))
        }
        _ => None,
    }
}

/// Whether the reference `to`, which may name a version, leads to what is asked for.
fn leads(value: &ReferenceValue, to: &str) -> bool {
    let Some(key) = key_of(to) else { return false };
    match value {
        ReferenceValue::Local(asked) => *asked == key,
        ReferenceValue::Id(id, types) => key.id.as_str() == id && types.contains(&key.resource_type),
        ReferenceValue::Url(_) => false,
    }
}

/// The resource that a reference of an event leads to, whichever version it names.
pub(super) fn key_of(reference: &str) -> Option<ResourceKey> {
    match Reference::parse(reference, &[]) {
        Reference::Local { key, .. } => Some(key),
        _ => None,
    }
}

/// Whether one of the tokens is this one.
fn any(values: &[TokenValue], system: Option<&str>, code: &str) -> bool {
    values.iter().any(|value| {
        let is_of_system = match value.system.as_deref() {
            None => true,
            Some("") => system.is_none(),
            asked => asked == system,
        };
        is_of_system && value.code.as_ref().is_none_or(|asked| asked.eq_ignore_ascii_case(code))
    })
}
