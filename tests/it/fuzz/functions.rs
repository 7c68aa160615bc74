//! The readers themselves, without a server around them.

use emberwell::access::ScopeSet;
use emberwell::auth::{Assertion, Endpoints, Form, KeySet};
use emberwell::fhir::{Resource, ResourceType, json};
use emberwell::fhirpath::{self, Context};
use emberwell::interactions::patch::{fhirpath_patch, json_patch};
use emberwell::search::{Handling, ParseContext, Registry, parse, parse_query_string};
use emberwell::validation;
use serde_json::Value;

use crate::fuzz::samples::{self, RESOURCES};
use crate::fuzz::{mutate, run};
use crate::load::scratch::Scratch;

const PATCHED_BYTES: usize = 1 << 20;

#[test]
fn any_bytes_are_json_or_are_not() {
    run("JSON", samples::resource, |bytes| match json::parse(bytes) {
        Ok(value) => {
            let mut written = Vec::new();
            json::write(&value, &mut written);
            assert_eq!(json::parse(&written).unwrap(), value, "what is written is read back");
            true
        }
        Err(_) => false,
    });
}

#[test]
fn any_resource_is_valid_or_has_findings() {
    run("validation", samples::resource, |bytes| {
        let resource = json::parse(bytes).ok().and_then(|value| Resource::from_value(value).ok());
        resource.is_some_and(|resource| !validation::validate(&resource, &[]).iter().any(|issue| issue.is_error()))
    });
}

#[test]
fn any_query_is_a_search_or_is_refused() {
    let bases = ["https://a.example/fhir".to_owned()];
    let types =
        ["Patient", "Observation", "Encounter", "Location", "ValueSet"].map(|name| ResourceType::parse(name).unwrap());
    run(
        "search",
        |random| (samples::of(random, samples::QUERIES), *random.pick(&types)),
        |(query, resource_type)| {
            let Ok(pairs) = parse_query_string(query) else { return false };
            let accepted = [Handling::Strict, Handling::Lenient].map(|handling| {
                let context = ParseContext { handling, bases: &bases, registry: Registry::bundled() };
                parse(Some(*resource_type), &pairs, &context).is_ok() | parse(None, &pairs, &context).is_ok()
            });
            accepted[1]
        },
    );
}

#[test]
fn any_expression_is_fhirpath_or_is_refused() {
    run(
        "FHIRPath",
        |random| (samples::of(random, samples::EXPRESSIONS), random.below(RESOURCES.len())),
        |(text, at)| {
            let Ok(expression) = fhirpath::compile(text) else { return false };
            let resource = &RESOURCES[*at];
            let type_name = resource["resourceType"].as_str().unwrap();
            let context = Context { now_us: Some(1_700_000_000_000_000), ..Context::new(resource) };
            // Whatever the outcome is, it comes.
            drop(expression.evaluate(resource, type_name, &context));
            drop(expression.locate(resource, type_name));
            true
        },
    );
}

#[test]
fn any_scopes_give_no_more_than_they_say() {
    let all = ScopeSet::parse("patient/*.cruds user/*.cruds system/*.cruds");
    run(
        "scopes",
        |random| samples::of(random, samples::SCOPES),
        |text| {
            let scopes = ScopeSet::parse(text);
            for scope in scopes.intersection(&all).scopes() {
                assert!(
                    all.is_within(&all) && scopes.scopes().iter().any(|given| given.context == scope.context),
                    "{text}"
                );
            }
            scopes.dropped().is_empty()
        },
    );
}

#[test]
fn any_assertion_is_read_or_refused() {
    let endpoints = Endpoints::of("https://a.org/fhir");
    run(
        "assertion",
        |random| samples::of(random, &[samples::ASSERTION]),
        |text| Assertion::parse(text, &endpoints, 1_800_000_000_000_000).is_ok(),
    );
}

#[test]
fn any_form_is_read_or_refused() {
    run(
        "form",
        |random| samples::of(random, samples::FORMS),
        |text| parse_query_string(text).ok().and_then(|pairs| Form::new(pairs).ok()).is_some(),
    );
}

#[test]
fn any_key_set_is_read_or_refused() {
    let sample = r#"{"keys":[{"kty":"EC","crv":"P-384","kid":"k","x":"AAAA","y":"AAAA","alg":"ES384"},{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"r"}]}"#;
    run("key set", |random| samples::json_of(random, &[sample]), |bytes| KeySet::parse(bytes).is_ok());
}

fn patient() -> Value {
    serde_json::json!({ "resourceType": "Patient", "active": true, "name": [
        { "use": "usual", "family": "A", "given": ["B", "C"] }, { "family": "D", "given": ["E"] }] })
}

#[test]
fn any_json_patch_is_done_or_refused() {
    run(
        "JSON Patch",
        |random| samples::json_of(random, samples::JSON_PATCHES),
        |bytes| json::parse(bytes).is_ok_and(|patch| json_patch::apply(&mut patient(), &patch, PATCHED_BYTES).is_ok()),
    );
}

#[test]
fn any_fhirpath_patch_is_done_or_refused() {
    run(
        "FHIRPath Patch",
        |random| samples::json_of(random, samples::FHIRPATH_PATCHES),
        |bytes| {
            json::parse(bytes).is_ok_and(|patch| fhirpath_patch::apply(&mut patient(), &patch, PATCHED_BYTES).is_ok())
        },
    );
}

/// Files of lines, of which `load` gets as many at once as a run has in all.
#[test]
fn any_file_is_loaded_or_refused() {
    let scratch = Scratch::make();
    let (first, number) = (crate::fuzz::first_seed(), crate::fuzz::number());
    for seed in first..first + number {
        let mut random = crate::search_oracle::random::Random::new(seed);
        let lines: Vec<Vec<u8>> = (0..1 + random.below(4)).map(|_| samples::resource(&mut random)).collect();
        let all = mutate::bytes(&mut random, &lines.join(&b'\n'), b"\n\n\0{");
        let name = random.of(&["ndjson", "json", "ndjson"]);
        scratch.file(&format!("{seed}.{name}"), all);
    }

    let run = scratch.load(&[]);

    assert_eq!(run.code, 1, "some of it is refused, and the program ends by itself: {}", run.told);
    assert!(run.summary.is_object(), "EMBERWELL_TEST_SEED={first}: {}", run.told);
    assert!(!run.told.contains("panicked"), "EMBERWELL_TEST_SEED={first}: {}", run.told);
}
