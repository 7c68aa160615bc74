//! An event as a FHIR AuditEvent.
//!
//! Spec: R4 auditevent.html; IHE BALP 1.1, Patient Read, Patient Query, Patient Create, Patient Update, Patient Delete

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::access::{ACCOUNT_SYSTEM, CLIENT_SYSTEM, Deed};
use crate::audit::event::{Event, Outcome};
use crate::audit::id::EventId;
use crate::audit::query::without_values;
use crate::fhir::{ResourceKey, format_instant};

const RESTFUL: &str = "http://hl7.org/fhir/restful-interaction";
/// The system of the codes of deeds that are no interactions of FHIR.
const OWN: &str = "https://emberwell.example/CodeSystem/audit-event";
const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const OBSERVATION_VALUE: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const BASIC: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";

/// What an AuditEvent tells of the query of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queries {
    /// As it was asked: for those who administer the server.
    Whole,
    /// As it was asked only by callers who could reach nothing but the record that the event is about. Of others the names of the
    /// parameters, for the values may be about somebody else.
    OfOneRecord,
}

/// The event as an AuditEvent. `patient` is the Patient whom it is about, where one has that key.
pub fn audit_event(id: EventId, event: &Event, patient: Option<&ResourceKey>, queries: Queries) -> Value {
    let text = match event.outcome {
        Outcome::Done => None,
        Outcome::Refused(status) => Some(match &event.error {
            Some(error) => format!("refused with status {status}: {error}"),
            None => format!("refused with status {status}"),
        }),
    };
    let kind = kind(&event.deed);
    let mut whole = Map::new();
    let mut put = |name: &str, value: Value| {
        whole.insert(name.to_owned(), value);
    };
    put("resourceType", json!("AuditEvent"));
    put("id", json!(id.to_string()));
    put("type", coding(kind.what));
    let subtypes = event.subtypes().map(|(system, code)| json!({ "system": system, "code": code }));
    put("subtype", Value::Array(subtypes.collect()));
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
    put("entity", entities(event, patient, queries));
    Value::Object(whole)
}

/// What an AuditEvent says in codes.
impl Event {
    /// Its subtypes: system and code each.
    pub fn subtypes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let kind = kind(&self.deed);
        let of_dicom = kind.which.map(|(system, code, _)| (system, code));
        [(kind.system, &*self.deed)].into_iter().chain(of_dicom)
    }

    /// `AuditEvent.action`
    pub fn action(&self) -> &'static str {
        match &*self.deed {
            "create" | "add-account" | "add-client" | "grant" => "C",
            "read" | "vread" | "history" => "R",
            "update" | "patch" | "change-credentials" => "U",
            "delete" | "end-grant" => "D",
            _ => "E",
        }
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
        let account = self.agent.account.map(|account| (ACCOUNT_SYSTEM, account.to_string()));
        let client = self.agent.client.clone().map(|client| (CLIENT_SYSTEM, client));
        account.into_iter().chain(client)
    }
}

/// A system, a code and how people read it.
type Code = (&'static str, &'static str, &'static str);

/// What an event is about, by its deed.
struct Kind {
    /// `AuditEvent.type`
    what: Code,
    /// The system of the deed itself.
    system: &'static str,
    /// As DICOM calls it, where it is no interaction of FHIR.
    which: Option<Code>,
}

fn kind(deed: &str) -> Kind {
    let of_own = |what, which| Kind { what, system: OWN, which };
    let sign_in = (DICOM, "110114", "User Authentication");
    let security = (DICOM, "110113", "Security Alert");
    match deed {
        "login" | "sign-in" => of_own(sign_in, Some((DICOM, "110122", "Login"))),
        "revoke" => of_own(sign_in, Some((DICOM, "110123", "Logout"))),
        "introspect" => of_own(sign_in, None),
        "grant" | "end-grant" => of_own(security, Some((DICOM, "110136", "Security Roles Changed"))),
        "add-account" | "disable-account" | "change-credentials" | "add-client" | "change-client"
        | "approve-client" | "verify-client" | "remove-client" | "suspend-client" | "invite" => {
            of_own(security, Some((DICOM, "110137", "User Security Attributes Changed")))
        }
        "reindex" => of_own((DICOM, "110100", "Application Activity"), None),
        _ => Kind {
            what: ("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest", "RESTful Operation"),
            system: RESTFUL,
            which: None,
        },
    }
}

fn coding((system, code, display): Code) -> Value {
    json!({ "system": system, "code": code, "display": display })
}

/// The client, and the person on whose behalf it acts. Somebody who is not known is an agent all the same.
fn agents(event: &Event) -> Value {
    let mut agents = Vec::new();
    let by_token = event.agent.token.as_ref().map(|token| json!([format!("urn:emberwell:token:{token}")]));
    if let Some(account) = event.agent.account {
        let mut who = json!({ "identifier": { "system": ACCOUNT_SYSTEM, "value": account.to_string() } });
        if let Some(user) = &event.agent.fhir_user {
            who["reference"] = json!(user);
        }
        agents.push(agent("IRCP", PARTICIPATION, "information recipient", who, event.agent.client.is_none()));
    }
    if let Some(client) = &event.agent.client {
        let who = json!({ "identifier": { "system": CLIENT_SYSTEM, "value": client } });
        agents.push(agent("110150", DICOM, "Application", who, true));
    }
    if agents.is_empty() {
        let who = match &event.agent.command {
            Some(command) => json!({ "display": format!("an operator, by the command {command}") }),
            None => json!({ "display": "not known" }),
        };
        agents.push(agent("110150", DICOM, "Application", who, true));
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

/// A resource by its reference, anything else by its identifier: `SYSTEM|VALUE`.
fn what(entity: &str) -> Value {
    match entity.split_once('|') {
        Some((system, value)) => json!({ "identifier": { "system": system, "value": value } }),
        None => json!({ "reference": entity }),
    }
}

fn entities(event: &Event, patient: Option<&ResourceKey>, queries: Queries) -> Value {
    let mut entities = vec![json!({
        "what": { "identifier": { "value": &*event.request } },
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
            "what": what(reference),
            "type": { "system": ENTITY_TYPE, "code": "2", "display": "System Object" },
            "role": { "system": OBJECT_ROLE, "code": "4", "display": "Domain Resource" },
        }));
    }
    if let Some(asked) = &event.query {
        let query = match queries {
            Queries::Whole => asked.clone(),
            Queries::OfOneRecord if event.is_within_one_record() => asked.clone(),
            Queries::OfOneRecord => without_values(asked, &named(event, patient, asked)),
        };
        let mut entity = json!({
            "type": { "system": ENTITY_TYPE, "code": "2", "display": "System Object" },
            "role": { "system": OBJECT_ROLE, "code": "24", "display": "Query" },
            "query": STANDARD.encode(&query),
        });
        if query != *asked {
            entity["securityLabel"] =
                json!([{ "system": OBSERVATION_VALUE, "code": "REDACTED", "display": "redacted" }]);
        }
        entities.push(entity);
    }
    Value::Array(entities)
}

/// The resources that may be named in what is told of a query (`Type/id`), since the event is about them: the Patient, what was
/// touched, and the one whose versions were given out.
fn named(event: &Event, patient: Option<&ResourceKey>, asked: &str) -> Vec<String> {
    let touched = event.entities.iter().map(|entity| match entity.split_once("/_history/") {
        Some((resource, _)) => resource.to_owned(),
        None => entity.clone(),
    });
    let address = asked.split_once('?').map_or(asked, |(address, _)| address);
    let versions_of = address.strip_suffix("/_history").filter(|_| event.deed == Deed::History.code());
    patient.map(ResourceKey::to_string).into_iter().chain(touched).chain(versions_of.map(str::to_owned)).collect()
}
