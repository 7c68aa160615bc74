//! The context of a launch, and the handle by which an EHR or a page hands it to an app.
//!
//! Spec: SMART App Launch 2.2 scopes-and-launch-context.html, app-launch.html#launch-app-ehr-launch

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::access::{Caller, ScopeSet, Word};
use crate::auth::{AuthError, Endpoints};
use crate::fhir::{Id, Reference, ResourceKey, ResourceType, whole};
use crate::interactions::{self, InteractionError};
use crate::records::Secret;
use crate::store::{Client, ClientKind, Launch, Reader, Store, StoreError};

/// A handle is taken up within so long.
const HANDLE_US: i64 = 5 * 60 * 1_000_000;
/// What else a launch may be about.
const MOST_CONTEXTS: usize = 20;

/// What a launch is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchContext {
    /// The id of the Patient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// The id of the Encounter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encounter: Option<String>,
    /// What the app is to do, in words that it and the EHR agree on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// Whether the app must show whose record it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need_patient_banner: Option<bool>,
    /// What else it is about: objects with a reference, a canonical or an identifier.
    #[serde(default, rename = "fhirContext", skip_serializing_if = "Vec::is_empty")]
    pub fhir_context: Vec<Value>,
}

impl LaunchContext {
    /// The context as it is kept.
    pub fn parse(text: &str) -> Result<LaunchContext, StoreError> {
        serde_json::from_str(text).map_err(|_| StoreError::Damaged("the context of a launch".to_owned()))
    }

    /// As it is kept.
    pub fn to_json(&self) -> String {
        json!(self).to_string()
    }

    pub fn patient_id(&self) -> Result<Option<Id>, StoreError> {
        id(self.patient.as_deref())
    }

    pub fn encounter_id(&self) -> Result<Option<Id>, StoreError> {
        id(self.encounter.as_deref())
    }

    /// As the answer with a token for `scopes` says it, and what a token is worth.
    pub fn tell(&self, scopes: &ScopeSet, endpoints: &Endpoints, told: &mut Map<String, Value>) {
        let Value::Object(members) = json!(self) else { return };
        told.extend(members);
        if self.patient.is_some() || scopes.has(Word::Launch) {
            told.insert("smart_style_url".to_owned(), endpoints.style().into());
        }
        if self.patient.is_some() {
            told.entry("need_patient_banner").or_insert(Value::Bool(true));
        }
    }
}

fn id(text: Option<&str>) -> Result<Option<Id>, StoreError> {
    let damaged = |_| StoreError::Damaged("an id in the context of a launch".to_owned());
    text.map(|text| Id::parse(text).map_err(damaged)).transpose()
}

/// Checks what an EHR says of a launch against what the person who launches may see, and gives the handle.
///
/// What may not be seen is refused like what isn't there.
pub fn begin(store: &Store, caller: &Caller, request: &Value, now_us: i64) -> Result<Secret, AuthError> {
    let invalid = |text: &str| AuthError::InvalidRequest(text.to_owned());
    let account = caller.agent().and_then(|agent| agent.account);
    let account = account.ok_or(AuthError::InvalidToken("a person launches an app: use the token of one"))?;
    let mut members = request.as_object().cloned().ok_or_else(|| invalid("send a JSON object"))?;
    let client_id = members.remove("client_id");
    let client_id = client_id.as_ref().and_then(Value::as_str).ok_or_else(|| invalid("client_id is missing"))?;
    let context: LaunchContext = serde_json::from_value(Value::Object(members)).map_err(|_| {
        invalid(
            "beside client_id a launch has patient, encounter and intent as texts, need_patient_banner as true or false, and \
             fhirContext as an array of objects",
        )
    })?;
    check_fhir_context(&context.fhir_context)?;
    let client = store.read(|reader| {
        check_context(reader, caller, &context)?;
        Ok::<_, AuthError>(reader.client(client_id)?)
    })?;
    let is_app = |client: &Client| client.suspended_us.is_none() && client.kind != ClientKind::Backend;
    let client = client.filter(is_app).ok_or_else(|| invalid("no app has this client_id"))?;
    keep(store, &client.id, account, &context, now_us)
}

/// Keeps a launch of `client` by `account`, and gives its handle.
pub fn keep(
    store: &Store,
    client: &str,
    account: i64,
    context: &LaunchContext,
    now_us: i64,
) -> Result<Secret, AuthError> {
    let handle = Secret::random().map_err(|error| StoreError::Unreachable(error.to_string()))?;
    let launch = Launch {
        hash: handle.hash(),
        client: client.to_owned(),
        account,
        context: context.to_json(),
        expires_us: now_us + HANDLE_US,
    };
    store.write(move |tx| tx.add_launch(&launch).map_err(AuthError::from))?;
    Ok(handle)
}

/// SMART App Launch 2.2, fhirContext: each has a reference, a canonical or an identifier, and no Patient or Encounter is in it
/// unless its role says what for.
fn check_fhir_context(contexts: &[Value]) -> Result<(), AuthError> {
    let is_fit = |context: &Value| {
        let text = |name: &str| context.get(name).and_then(Value::as_str);
        let says = text("reference").is_some() || text("canonical").is_some() || context["identifier"].is_object();
        // Roles that the specification does not define are absolute addresses.
        let has_role = context.get("role").is_none() || text("role").is_some_and(is_role);
        let is_plain = text("role").is_none_or(|role| role == "launch");
        // Relative or absolute.
        let of = text("reference").and_then(|reference| reference.rsplit('/').nth(1)).unwrap_or_default();
        says && has_role && !(is_plain && matches!(of, "Patient" | "Encounter"))
    };
    if contexts.len() <= MOST_CONTEXTS && contexts.iter().all(is_fit) {
        return Ok(());
    }
    Err(AuthError::InvalidRequest(
        "fhirContext has at most 20 objects, each with a reference, a canonical or an identifier; the patient and the encounter \
         have parameters of their own, and a role is launch or an absolute address"
            .to_owned(),
    ))
}

fn is_role(role: &str) -> bool {
    role == "launch"
        || role.split_once(':').is_some_and(|(scheme, rest)| {
            !scheme.is_empty()
                && !rest.is_empty()
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        })
}

fn check_context(reader: &mut Reader<'_>, caller: &Caller, context: &LaunchContext) -> Result<(), AuthError> {
    let patient = context.patient.as_deref().map(|id| seen(reader, caller, "Patient", id)).transpose()?;
    let encounter = context.encounter.as_deref().map(|id| seen(reader, caller, "Encounter", id)).transpose()?;
    let Some(encounter) = encounter else { return Ok(()) };
    let subject = encounter["subject"]["reference"].as_str().unwrap_or_default();
    let is_of_patient =
        match (patient.as_ref().and_then(|patient| patient["id"].as_str()), Reference::parse(subject, &[])) {
            (Some(id), Reference::Local { key, .. }) => key.resource_type.name() == "Patient" && key.id.as_str() == id,
            _ => false,
        };
    if is_of_patient {
        return Ok(());
    }
    Err(AuthError::InvalidRequest("encounter is not one of the patient: name both, as they belong together".to_owned()))
}

fn seen(reader: &mut Reader<'_>, caller: &Caller, of: &str, id: &str) -> Result<Value, AuthError> {
    let unknown = || AuthError::InvalidRequest(format!("there is no {of} with this id that you may see"));
    let resource_type = ResourceType::parse(of).map_err(|_| unknown())?;
    let id = Id::parse(id).map_err(|_| unknown())?;
    resource(reader, caller, &ResourceKey { resource_type, id })?.ok_or_else(unknown)
}

/// A resource that the caller may see, as JSON.
pub(super) fn resource(
    reader: &mut Reader<'_>,
    caller: &Caller,
    key: &ResourceKey,
) -> Result<Option<Value>, StoreError> {
    let row = match interactions::read(reader, caller, key) {
        Ok(row) => row,
        Err(InteractionError::Store(error)) => return Err(error),
        // Whatever else: to this caller it is not there.
        Err(_) => return Ok(None),
    };
    let damaged = |_| StoreError::Damaged(format!("the body of {key}"));
    row.tail.map(|tail| whole(&row.key, row.version, row.updated_us, &tail).map_err(damaged)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_says_what_the_answer_with_the_token_is_to_say() {
        let context = LaunchContext {
            patient: Some("a".to_owned()),
            fhir_context: vec![json!({ "reference": "ImagingStudy/1" })],
            ..LaunchContext::default()
        };

        assert_eq!(LaunchContext::parse(&context.to_json()).unwrap(), context);
        let mut told = Map::new();
        context.tell(&ScopeSet::default(), &Endpoints::of("https://a.org/fhir"), &mut told);
        let wanted = json!({
            "patient": "a",
            "fhirContext": [{ "reference": "ImagingStudy/1" }],
            "smart_style_url": "https://a.org/auth/smart-style-1.json",
            "need_patient_banner": true,
        });
        assert_eq!(Value::Object(told), wanted);
    }

    #[test]
    fn what_has_a_parameter_of_its_own_is_not_in_the_fhir_context() {
        for right in [
            json!({ "reference": "ImagingStudy/1" }),
            json!({ "canonical": "http://a.example/q|1" }),
            json!({ "identifier": { "value": "1" } }),
            json!({ "reference": "Patient/1", "role": "https://a.example/mother" }),
        ] {
            assert!(check_fhir_context(std::slice::from_ref(&right)).is_ok(), "{right}");
        }
        for role in ["", "reviewer", ":x"] {
            assert!(check_fhir_context(&[json!({ "reference": "Practitioner/1", "role": role })]).is_err(), "{role}");
        }
        for wrong in [json!({}), json!("ImagingStudy/1"), json!({ "reference": "Patient/1" }), json!({ "role": "x" })] {
            assert!(check_fhir_context(std::slice::from_ref(&wrong)).is_err(), "{wrong}");
        }
    }
}
