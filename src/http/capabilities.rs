//! The CapabilityStatement, made from what is really there.
//!
//! Spec: R4 capabilitystatement.html

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::auth::Endpoints;
use crate::clock;
use crate::config::{AppSettings, RegistrationPolicy};
use crate::fhir::{self, ResourceType, format_instant};
use crate::interactions::{Engine, TRAIL_PARAMETERS};
use crate::search::{CENTERS, Handling, Parameter, ParseContext, Registry, parse};

/// R4 has no element for sorting.
const SORTING: &str = "`_sort` takes every search parameter but composite and special ones, `_id` and `_lastUpdated`, each with a \
                       `-` before it for the other way, and references with a parameter of what they lead to \
                       (`patient.family`).";
/// Nor has it one for a header.
const CLAIMING: &str = " The header `X-Provenance`, a Provenance as JSON on one line and without `target`, goes with create, update, patch, \
                        batch and transaction: it is stored, with its target, beside each version that the request writes.";
const EXPLAINING: &str =
    " A search with `_explain=true` is answered with how it was done: a Parameters of its statements and plans.";

/// The statement of a server that runs `engine`, and explains its searches if `explains`, as compact JSON. AuditEvents are those of
/// the audit trail if `keeps_trail`. Tokens come from `endpoints`; `None` when no token is needed.
pub fn statement(
    engine: &Engine,
    explains: bool,
    keeps_trail: bool,
    endpoints: Option<(&Endpoints, &AppSettings)>,
) -> Vec<u8> {
    let mut now = Vec::new();
    format_instant(clock::now_us(), &mut now);
    let registry = engine.registry();
    let is_of_trail = |of: ResourceType| keeps_trail && of == ResourceType::AUDIT_EVENT;
    let referring = referring(&registry, ResourceType::all().filter(|of| !is_of_trail(*of)));
    let resources: Vec<Value> = ResourceType::all()
        .map(|of| match is_of_trail(of) {
            true => trail(&registry),
            false if of == ResourceType::PROVENANCE => {
                let mut told = resource(engine, &registry, of, &referring);
                told["documentation"] = provenance(engine.fhir.provenance && endpoints.is_some()).into();
                told
            }
            false => resource(engine, &registry, of, &referring),
        })
        .collect();
    let compartments =
        CENTERS.map(|name| format!("http://hl7.org/fhir/CompartmentDefinition/{}", name.to_ascii_lowercase()));
    let mut documentation = [SORTING, CLAIMING].concat();
    if explains {
        documentation.push_str(EXPLAINING);
    }
    let mut statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": String::from_utf8_lossy(&now),
        "kind": "instance",
        "software": { "name": "Emberwell", "version": env!("CARGO_PKG_VERSION") },
        "implementation": { "description": "Emberwell, a health data server", "url": engine.fhir.base_url },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "patchFormat": ["application/json-patch+json", "application/fhir+json"],
        "rest": [{
            "mode": "server",
            "documentation": documentation,
            "resource": resources,
            "interaction": codes(&["transaction", "batch", "search-system", "history-system"]),
            "searchParam": search_parameters(engine, &registry, None),
            "compartment": compartments,
            "operation": [reindex()],
        }],
    });
    if let Some((endpoints, apps)) = endpoints {
        statement["rest"][0]["security"] = security(endpoints, apps);
    }
    let mut text = Vec::with_capacity(512 * 1024);
    fhir::json::write(&statement, &mut text);
    text
}

/// How to get a token. Older clients look for the addresses here and nowhere else.
///
/// Spec: SMART App Launch 2.2 conformance.html#declaring-support-for-oauth2-endpoints
fn security(endpoints: &Endpoints, apps: &AppSettings) -> Value {
    let address = |name: &str, address: String| json!({ "url": name, "valueUri": address });
    let mut addresses = vec![
        address("authorize", endpoints.authorization()),
        address("token", endpoints.token()),
        address("introspect", endpoints.introspection()),
        address("revoke", endpoints.revocation()),
        address("manage", endpoints.management()),
    ];
    if apps.registration != RegistrationPolicy::Off {
        addresses.push(address("register", endpoints.registration()));
    }
    json!({
        "extension": [{
            "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
            "extension": addresses,
        }],
        "cors": true,
        "service": [{
            "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                "code": "SMART-on-FHIR",
                "display": "SMART-on-FHIR",
            }],
            "text": "OAuth 2 by SMART App Launch; see .well-known/smart-configuration",
        }],
    })
}

fn resource(engine: &Engine, registry: &Arc<Registry>, resource_type: ResourceType, referring: &Referring) -> Value {
    let settings = &engine.fhir;
    let mut included = vec!["*".to_owned()];
    included.extend(includes(registry, resource_type).into_iter().map(|(text, _)| text));
    json!({
        "type": resource_type.name(),
        "interaction": codes(&[
            "read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type",
        ]),
        "versioning": "versioned-update",
        "readHistory": true,
        "updateCreate": settings.update_creates,
        "conditionalCreate": true,
        "conditionalRead": "full-support",
        "conditionalUpdate": true,
        "conditionalDelete": if settings.delete_multiple { "multiple" } else { "single" },
        "searchInclude": included,
        "searchRevInclude": referring.get(&resource_type).map_or(&[][..], Vec::as_slice),
        "searchParam": search_parameters(engine, registry, Some(resource_type)),
        "operation": [
            validate(),
            reindex(),
        ],
    })
}

/// Where Provenances come from, beside those that clients send; whether the server makes any itself.
fn provenance(is_recorded: bool) -> &'static str {
    match is_recorded {
        true => {
            "The server writes one for each version that is written by a token: who wrote it, by which app, on whose behalf. What a \
                 client sends in the header X-Provenance stands in place of the server's words, with the true agents added."
        }
        false => {
            "What a client sends in the header X-Provenance is stored as one for each version that the request writes."
        }
    }
}

/// AuditEvents, where they are answered from the audit trail.
fn trail(registry: &Registry) -> Value {
    let listed = registry.parameters(ResourceType::AUDIT_EVENT).into_iter();
    let taken = listed.filter(|parameter| TRAIL_PARAMETERS.contains(&parameter.code()));
    let told = taken.map(|parameter| {
        let mut told = json!({
            "name": parameter.code(),
            "definition": parameter.definition.url,
            "type": parameter.kind.name(),
        });
        let documentation = match parameter.code() {
            "patient" => "The person whose record was touched; whoever acted is found by agent.",
            "agent" => "Takes :identifier, too: urn:emberwell:client|ID or urn:emberwell:account|NUMBER.",
            "entity" => "Takes :identifier, too: the X-Request-Id of the request.",
            _ => return told,
        };
        told["documentation"] = documentation.into();
        told
    });
    json!({
        "type": "AuditEvent",
        "documentation": "Written by the server alone: the audit trail. Newest first unless _sort is date; _count and the links of \
                          the pages work, totals, includes and other parameters do not.",
        "interaction": codes(&["read", "vread", "search-type"]),
        "versioning": "versioned",
        "readHistory": false,
        "updateCreate": false,
        "conditionalCreate": false,
        "conditionalRead": "full-support",
        "conditionalUpdate": false,
        "conditionalDelete": "not-supported",
        "searchParam": told.collect::<Vec<_>>(),
        "operation": [validate()],
    })
}

fn validate() -> Value {
    json!({ "name": "validate", "definition": "http://hl7.org/fhir/OperationDefinition/Resource-validate" })
}

/// This server's own operation; what it does is told here, for no address has the definition.
fn reindex() -> Value {
    json!({
        "name": "reindex",
        "definition": "https://emberwell.example/OperationDefinition/reindex",
        "documentation": "Makes the index rows of resources anew, so that search parameters which were defined after \
                          them can be searched by; POST, answered by 202 with Content-Location.",
    })
}

/// By type: what refers to it, as `_revinclude` says it.
type Referring = HashMap<ResourceType, Vec<String>>;

fn referring(registry: &Registry, sources: impl Iterator<Item = ResourceType>) -> Referring {
    let mut referring: Referring = HashMap::new();
    for (text, parameter) in sources.flat_map(|source| includes(registry, source)) {
        for target in ResourceType::all().filter(|target| parameter.points_to(*target)) {
            referring.entry(target).or_default().push(text.clone());
        }
    }
    referring
}

/// The references of a type, as `_include` says them.
fn includes(registry: &Registry, source: ResourceType) -> Vec<(String, &'static Parameter)> {
    let references = registry.references(source).into_iter().filter(|parameter| !registry.is_pending(parameter));
    references.map(|parameter| (format!("{source}:{}", parameter.code()), parameter)).collect()
}

/// The parameters that a search takes. The parser itself is asked, so that nothing is promised that it refuses.
fn search_parameters(engine: &Engine, registry: &Arc<Registry>, resource_type: Option<ResourceType>) -> Vec<Value> {
    let context = ParseContext { handling: Handling::Strict, bases: &engine.bases, registry };
    // A type that has no parameters of its own, so that what is left are those of every type.
    let listed = registry.parameters(resource_type.unwrap_or(ResourceType::PARAMETERS));
    let is_taken = |code: &str| {
        let query = [(format!("{code}:missing"), "true".to_owned())];
        parse(resource_type, &query, &context).is_ok()
    };
    let taken = listed.into_iter().filter(|parameter| is_taken(parameter.code()));
    let told = taken.map(|parameter| {
        let mut told = json!({
            "name": parameter.code(),
            "definition": parameter.definition.url,
            "type": parameter.kind.name(),
        });
        let hierarchies: Vec<String> =
            parameter.hierarchies().iter().map(|by| format!("{}.{}", by.base, by.code)).collect();
        if !hierarchies.is_empty() {
            told["documentation"] = format!("Takes :above and :below, along {}.", hierarchies.join(", ")).into();
        }
        told
    });
    // R4 defines no SearchParameter for it.
    told.chain([json!({ "name": "_filter", "type": "special" })]).collect()
}

fn codes(codes: &[&str]) -> Vec<Value> {
    codes.iter().map(|code| json!({ "code": code })).collect()
}
