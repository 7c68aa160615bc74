//! `$validate`: would this resource be accepted?
//!
//! Spec: R4 resource-operation-validate.html

use serde_json::Value;

use crate::access::{Caller, Denied};
use crate::fhir::{Id, Issue, IssueCode, Resource, ResourceKey, ResourceType};
use crate::interactions::{Engine, InteractionError, read};
use crate::search::Right;
use crate::validation;

/// What the client means to do with the resource.
///
/// Spec: R4 valueset-resource-validation-mode.html
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidateMode {
    Create,
    Update,
    Delete,
}

impl ValidateMode {
    /// Reads the code of the mode; `None` when it is none of the three that this server knows.
    pub fn parse(code: &str) -> Option<ValidateMode> {
        match code {
            "create" => Some(ValidateMode::Create),
            "update" => Some(ValidateMode::Update),
            "delete" => Some(ValidateMode::Delete),
            _ => None,
        }
    }
}

/// What the Parameters of the operation say.
struct Asked {
    resource: Option<Value>,
    mode: Option<ValidateMode>,
    has_profile: bool,
}

/// All findings; an information when there is nothing to find fault with. `body` is the resource itself or a Parameters
/// around it; `mode` is that of the URL and gives way to that of the Parameters.
pub fn validate(
    engine: &Engine,
    caller: &Caller,
    resource_type: ResourceType,
    id: Option<&Id>,
    body: Option<Value>,
    mode: Option<ValidateMode>,
) -> Result<Vec<Issue>, InteractionError> {
    let asked = match body {
        Some(body) if is_envelope(&body, resource_type) => unwrapped(body)?,
        other => Asked { resource: other, mode: None, has_profile: false },
    };
    let mode = asked.mode.or(mode);
    let mut issues = Vec::new();
    if asked.has_profile {
        issues.push(Issue {
            severity: crate::fhir::Severity::Warning,
            code: IssueCode::NotSupported,
            expression: None,
            text: "the profile was not checked: this server validates against the base definitions of R4".to_owned(),
        });
    }
    let right = match (id, mode) {
        (None, _) | (_, Some(ValidateMode::Create)) => Right::Create,
        (_, Some(ValidateMode::Delete)) => Right::Delete,
        (Some(_), _) => Right::Update,
    };
    // Who may not do it need not know whether it would be done.
    caller.filter().permitted(resource_type, right).map_err(Denied::from)?;
    if let (Some(id), Some(ValidateMode::Update | ValidateMode::Delete)) = (id, mode) {
        let key = ResourceKey { resource_type, id: id.clone() };
        engine.store.read_one(|reader| read(reader, caller, &key))?;
    }
    match asked.resource {
        Some(value) => issues.extend(findings(engine, resource_type, id, value, mode)),
        None if mode == Some(ValidateMode::Delete) && id.is_some() => {}
        None => {
            return Err(InteractionError::Invalid(vec![Issue::request(
                IssueCode::Required,
                "there is nothing to validate: send the resource, or a Parameters with a parameter 'resource'",
            )]));
        }
    }
    if issues.is_empty() {
        issues.push(Issue::information(match caller.filter().administers() {
            true => "no issues: this would be accepted",
            // Which is known for certain only when it stands in the index.
            false => "no issues: whether the token may write this resource is looked at by the write alone",
        }));
    }
    Ok(issues)
}

fn findings(
    engine: &Engine,
    resource_type: ResourceType,
    id: Option<&Id>,
    value: Value,
    mode: Option<ValidateMode>,
) -> Vec<Issue> {
    let resource = match Resource::from_value(value) {
        Ok(resource) => resource,
        Err(issue) => return vec![issue],
    };
    let mut issues = validation::validate(&resource, &engine.bases);
    if resource.resource_type != resource_type {
        let text = format!("the address is for {resource_type}: send the resource to the address of its own type");
        issues.push(Issue::error(IssueCode::Invalid, "resourceType", text));
    }
    let place = || format!("{}.id", resource.resource_type);
    if mode == Some(ValidateMode::Update) && resource.id.is_none() {
        issues.push(Issue::error(IssueCode::Required, place(), "an update needs the id in the body"));
    }
    if let (Some(id), Some(own)) = (id, &resource.id)
        && id != own
    {
        let text = "the id in the body differs from the one in the address: both must be the same";
        issues.push(Issue::error(IssueCode::Invalid, place(), text));
    }
    issues
}

/// A Parameters is the envelope of the operation, unless a Parameters is what is to be validated.
fn is_envelope(body: &Value, resource_type: ResourceType) -> bool {
    let is_parameters = body.get("resourceType").and_then(Value::as_str) == Some("Parameters");
    let holds_resource = || {
        let parameters = body.get("parameter").and_then(Value::as_array);
        parameters.into_iter().flatten().any(|parameter| parameter.get("resource").is_some())
    };
    is_parameters && (resource_type != ResourceType::PARAMETERS || holds_resource())
}

fn unwrapped(mut envelope: Value) -> Result<Asked, InteractionError> {
    let mut asked = Asked { resource: None, mode: None, has_profile: false };
    let parameters = envelope.get_mut("parameter").and_then(Value::as_array_mut);
    for (index, parameter) in parameters.into_iter().flatten().enumerate() {
        let refused = |text: &str| {
            let place = format!("Parameters.parameter[{index}]");
            InteractionError::Invalid(vec![Issue::error(IssueCode::Value, place, text)])
        };
        match parameter.get("name").and_then(Value::as_str) {
            Some("resource") => asked.resource = parameter.get_mut("resource").map(Value::take),
            Some("mode") => {
                let code = parameter.get("valueCode").and_then(Value::as_str);
                let mode = code.and_then(ValidateMode::parse);
                asked.mode = Some(mode.ok_or_else(|| refused("the mode is create, update or delete, as a valueCode"))?);
            }
            Some("profile") => asked.has_profile = true,
            _ => return Err(refused("the parameters of this operation are resource, mode and profile")),
        }
    }
    Ok(asked)
}
