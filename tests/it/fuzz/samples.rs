//! What is right, before it is broken.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::fuzz::mutate;
use crate::search_oracle::random::Random;

/// Resources of many types: the made-up family, and some with what it lacks.
pub static RESOURCES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let family: Value = serde_json::from_str(include_str!("../../../src/demo/family.json")).unwrap();
    let entries = family["entry"].as_array().unwrap();
    let mut all: Vec<Value> = entries.iter().map(|entry| entry["resource"].clone()).collect();
    all.extend([
        json!({ "resourceType": "SearchParameter", "url": "https://a.example/SearchParameter/own", "name": "Own", "status": "active",
            "description": "own", "code": "own", "base": ["Patient"], "type": "string", "expression": EXPRESSIONS[0] }),
        json!({ "resourceType": "ValueSet", "status": "active", "url": "https://a.example/vs", "compose": { "include": [{
            "system": "http://loinc.org", "filter": [{ "property": "concept", "op": "regex", "value": "a+b" }] }] } }),
        json!({ "resourceType": "Location", "position": { "longitude": -83.69, "latitude": 42.25 } }),
        json!({ "resourceType": "Binary", "contentType": "text/plain", "data": "QUFB" }),
        json!({ "resourceType": "Patient", "contained": [{ "resourceType": "Organization", "id": "o", "name": "O" }],
            "managingOrganization": { "reference": "#o" }, "_birthDate": { "extension": [{ "url": "https://a.example/x",
            "valueDateTime": "2020-01-01T00:00:00.123+01:00" }] }, "birthDate": "1990-02" }),
    ]);
    all
});

pub const EXPRESSIONS: &[&str] = &[
    "Patient.name.where(use = 'official').given.first() & ' x'",
    "(Observation.value as Quantity).value > 5.50 and Observation.effective <= @2020-01-01T10:00:00.000Z",
    "Patient.contact.select(name.family | name.given).distinct().count() + 2 * -3 div 4 mod 5",
    "descendants().where($this is Reference).reference.matches('^[A-Z]([a-z]+)/') or iif(true, {}, 'a'.replace('b', 'c').substring(1, 2)).exists()",
    "Bundle.entry.resource.ofType(Patient).repeat(children()).aggregate($this + $total, 0).toString().indexOf('x')",
    "extension('https://a.example/x').value.as(dateTime) + 3 months - 1.5 'mg'",
    "%resource.name.all(given.exists() implies family.exists().not()) xor (1 in (1 | 2 | 3)) and 4 'kg' ~ 4000 'g'",
];

pub const QUERIES: &[&str] = &[
    "name=smi&birthdate=ge1990-01&_sort=-birthdate,name&_count=10",
    "code=http://loinc.org|8867-4,8480-6&date=sa2020&value-quantity=gt5.4|http://unitsofmeasure.org|mg&_total=accurate",
    "subject:Patient.name:exact=Reed&_include=Observation:subject&_revinclude:iterate=Provenance:target&_include=*",
    "_has:Observation:patient:_has:AuditEvent:entity:agent=x&_summary=count&_elements=id,name",
    "_filter=name co \"a\" and (birthdate gt 1990 or not(gender eq male))&_id=1,2",
    "code:in=https://a.example/vs&code:not-in=x&code:below=y&identifier:of-type=http://x|MR|1&category:missing=false",
    "near=42.25|-83.69|11.2|km&_lastUpdated=lt2030-01-01T00:00:00Z&_tag=a|b&_text=(a* OR \"b c\") NOT d&_content=é",
    "component-code-value-quantity=http://loinc.org|8480-6$lt60&_contained=both&_containedType=container",
    "_type=Patient,Observation&_maxresults=5&_cursor=AAAA&_format=json&_pretty=true&_list=42&related:above=x&url:contains=q",
];

pub const SCOPES: &[&str] = &[
    "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory&code=a,b launch/patient",
    "system/*.cruds user/Patient.read openid fhirUser offline_access",
    "patient/*.* user/*.write launch?role=x patient/Practitioner.rs",
];

pub const FORMS: &[&str] = &[
    "grant_type=client_credentials&scope=system%2F*.rs&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzM4NCIsImtpZCI6ImsifQ.eyJpc3MiOiJjIiwic3ViIjoiYyIsImF1ZCI6Imh0dHBzOi8vYS5vcmcvYXV0aC90b2tlbiIsImV4cCI6MTgwMDAwMDMwMCwianRpIjoiMSJ9.c2ln",
    "token=abc&client_id=c&client_secret=s&token_type_hint=access_token",
];

/// A JWT for https://a.org that ends in 2027, whose signature is none.
pub const ASSERTION: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzM4NCIsImtpZCI6ImsifQ.eyJpc3MiOiJjIiwic3ViIjoiYyIsImF1ZCI6Imh0dHBzOi8vYS5vcmcvYXV0aC90b2tlbiIsImV4cCI6MTgwMDAwMDMwMCwianRpIjoiMSJ9.c2ln";

pub const JSON_PATCHES: &[&str] = &[
    r#"[{"op":"test","path":"/active","value":true},{"op":"replace","path":"/name/0/given/0","value":"A"},{"op":"add","path":"/name/-","value":{"family":"B"}}]"#,
    r#"[{"op":"copy","from":"/name/0","path":"/name/1"},{"op":"move","from":"/name/1","path":"/name/0"},{"op":"remove","path":"/a~1b~0c"}]"#,
];

pub const FHIRPATH_PATCHES: &[&str] = &[
    r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":"Patient"},{"name":"name","valueString":"birthDate"},{"name":"value","valueDate":"1930-01-01"}]},{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"Patient.name.where(use='usual')"}]}]}"#,
    r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"insert"},{"name":"path","valueString":"Patient.name[0].given"},{"name":"index","valueInteger":0},{"name":"value","valueString":"X"}]},{"name":"operation","part":[{"name":"type","valueCode":"move"},{"name":"path","valueString":"Patient.name"},{"name":"source","valueInteger":1},{"name":"destination","valueInteger":0}]}]}"#,
];

/// A resource, changed by its structure, its bytes, or both.
pub fn resource(random: &mut Random) -> Vec<u8> {
    let (sample, other) = (random.pick(&RESOURCES).clone(), random.pick(&RESOURCES).clone());
    let text = match random.below(4) {
        0 => sample.to_string(),
        _ => mutate::value(random, &sample, &other).to_string(),
    };
    if random.percent(60) {
        mutate::bytes(random, text.as_bytes(), other.to_string().as_bytes())
    } else {
        text.into_bytes()
    }
}

/// A batch or a transaction with changed entries.
pub fn bundle(random: &mut Random) -> Vec<u8> {
    let entries: Vec<Value> = (0..1 + random.below(4))
        .map(|_| {
            let resource = random.pick(&RESOURCES).clone();
            let name = resource["resourceType"].as_str().unwrap_or_default().to_owned();
            let urls = [name.clone(), format!("{name}/f{}", random.below(9)), format!("{name}?identifier=a"), "Patient?name=a".to_owned()];
            json!({ "fullUrl": format!("urn:uuid:00000000-0000-0000-0000-00000000000{}", random.below(9)), "resource": resource,
                "request": { "method": random.of(&["POST", "PUT", "GET", "DELETE", "PATCH"]), "url": random.pick(&urls),
                    "ifNoneExist": "identifier=x", "ifMatch": "W/\"1\"" } })
        })
        .collect();
    let bundle = json!({ "resourceType": "Bundle", "type": random.of(&["batch", "transaction"]), "entry": entries });
    let other = random.pick(&RESOURCES);
    let changed = mutate::value(random, &bundle, other);
    let text = changed.to_string();
    if random.percent(30) { mutate::bytes(random, text.as_bytes(), b"{}[]\"") } else { text.into_bytes() }
}

/// A changed one of `samples`.
pub fn of(random: &mut Random, samples: &[&str]) -> String {
    let (sample, other) = (*random.pick(samples), *random.pick(samples));
    mutate::text(random, sample, other)
}

/// A changed JSON text: by its structure, or by its bytes.
pub fn json_of(random: &mut Random, samples: &[&str]) -> Vec<u8> {
    let (sample, other) = (*random.pick(samples), *random.pick(samples));
    if random.percent(40) {
        return mutate::bytes(random, sample.as_bytes(), other.as_bytes());
    }
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    mutate::value(random, &parsed(sample), &parsed(other)).to_string().into_bytes()
}
