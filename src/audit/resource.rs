//! An event as a FHIR AuditEvent.
//!
//! Spec: R4 auditevent.html; IHE BALP 1.1, Patient Read, Patient Query, Patient Create, Patient Update, Patient Delete

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::audit::event::{Event, Outcome};
use crate::audit::id::EventId;
use crate::fhir::{ResourceKey, format_instant};

const RESTFUL: &str = "http://hl7.org/fhir/restful-interaction";
/// The systems of the identifiers of agents.
const ACCOUNT: &str = "urn:emberwell:account";
const CLIENT: &str = "urn:emberwell:client";
const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const BASIC: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";

/// The event as an AuditEvent. `patient` is the Patient whom it is about, where one has that key.
pub fn audit_event(id: EventId, event: &Event, patient: Option<&ResourceKey>) -> Value {
    let text = match event.outcome {
        Outcome::Done => None,
        Outcome::Refused(status) => Some(format!("refused with status {status}")),
    };
    let (system, code) = event.subtype();
    let mut whole = Map::new();
    let mut put = |name: &str, value: Value| {
        whole.insert(name.to_owned(), value);
    };
    put("resourceType", json!("AuditEvent"));
    put("id", json!(id.to_string()));
    put(
        "type",
        json!({ "system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest", "display": "RESTful Operation" }),
    );
    put("subtype", json!([{ "system": system, "code": code }]));
    put("action", json!(event.action()));
    let mut recorded = Vec::new();
    format_instant(event.at_us, &mut recorded);
    put("recorded", json!(String::from_utf8_lossy(&recorded)));
    put("outcome", json!(event.outcome_code()));
    if let Some(text) = text {
        put("outcomeDesc", json!(text));
    }
    put("agent", agents(event));
    put("source", json!({ "observer": { "display": "Emberwell" } }));
    put("entity", entities(event, patient));
    Value::Object(whole)
}

/// What an AuditEvent says in codes.
impl Event {
    /// Its subtype: system and code.
    pub fn subtype(&self) -> (&'static str, &str) {
        (RESTFUL, &self.deed)
    }

    /// `AuditEvent.action`
    pub fn action(&self) -> &'static str {
        action(&self.deed)
    }

    /// `AuditEvent.outcome`
    pub fn outcome_code(&self) -> &'static str {
        match self.outcome {
            Outcome::Done => "0",
            Outcome::Refused(_) => "4",
        }
    }

    /// By which identifiers its agents are known: system and value.
    pub fn agent_identifiers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let account = self.account.map(|account| (ACCOUNT, account.to_string()));
        let client = self.client.clone().map(|client| (CLIENT, client));
        account.into_iter().chain(client)
    }
}

fn action(deed: &str) -> &'static str {
    match deed {
        "create" => "C",
        "read" | "vread" | "history" => "R",
        "update" | "patch" => "U",
        "delete" => "D",
        _ => "E",
    }
}

/// The client, and the person on whose behalf it acts. Somebody who is not known is an agent all the same.
fn agents(event: &Event) -> Value {
    let mut agents = Vec::new();
    let by_token = event.token.as_ref().map(|token| json!([format!("urn:emberwell:token:{token}")]));
    if let Some(account) = event.account {
        let mut who = json!({ "identifier": { "system": ACCOUNT, "value": account.to_string() } });
        if let Some(user) = &event.fhir_user {
            who["reference"] = json!(user);
        }
        agents.push(agent("IRCP", PARTICIPATION, "information recipient", who, event.client.is_none()));
    }
    if let Some(client) = &event.client {
        let who = json!({ "identifier": { "system": CLIENT, "value": client } });
        agents.push(agent("110150", DICOM, "Application", who, true));
    }
    if agents.is_empty() {
        agents.push(agent("110150", DICOM, "Application", json!({ "display": "not known" }), true));
    }
    for agent in &mut agents {
        if let (Some(policy), true) = (&by_token, agent["requestor"] == json!(true)) {
            agent["policy"] = policy.clone();
        }
        if let Some(address) = &event.network {
            agent["network"] = json!({ "address": address, "type": "2" });
        }
    }
    Value::Array(agents)
}

fn agent(code: &str, system: &str, display: &str, who: Value, is_requestor: bool) -> Value {
    json!({
        "type": { "coding": [{ "system": system, "code": code, "display": display }] },
        "who": who,
        "requestor": is_requestor,
    })
}

fn entities(event: &Event, patient: Option<&ResourceKey>) -> Value {
    let mut entities = vec![json!({
        "what": { "identifier": { "value": event.request } },
        "type": { "system": BASIC, "code": "XrequestId" },
    })];
    if event.patient.is_some() {
        let what = match patient {
            Some(patient) => json!({ "reference": patient.to_string() }),
            None => json!({ "display": "a Patient that is not here" }),
        };
        entities.push(json!({
            "what": what,
            "type": { "system": ENTITY_TYPE, "code": "1", "display": "Person" },
            "role": { "system": OBJECT_ROLE, "code": "1", "display": "Patient" },
        }));
    }
    for reference in &event.entities {
        entities.push(json!({
            "what": { "reference": reference },
            "type": { "system": ENTITY_TYPE, "code": "2", "display": "System Object" },
            "role": { "system": OBJECT_ROLE, "code": "4", "display": "Domain Resource" },
        }));
    }
    if let Some(query) = &event.query {
        entities.push(json!({
            "type": { "system": ENTITY_TYPE, "code": "2", "display": "System Object" },
            "role": { "system": OBJECT_ROLE, "code": "24", "display": "Query" },
            "query": STANDARD.encode(query),
        }));
    }
    Value::Array(entities)
}
