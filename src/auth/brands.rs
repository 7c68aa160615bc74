//! Whose server this is, for lists of servers that people choose from: a Bundle with an Organization and its Endpoint.
//!
//! Spec: SMART App Launch 2.2 brands.html, StructureDefinition-user-access-brands-bundle.html

use serde_json::{Value, json};
use url::Url;

use crate::auth::Endpoints;
use crate::config::BrandSettings;

const PROFILES: &str = "http://hl7.org/fhir/smart-app-launch/StructureDefinition";
const EXTENSIONS: &str = "http://hl7.org/fhir/StructureDefinition";

/// The Bundle as of `timestamp`, an instant as FHIR writes it.
pub fn bundle(endpoints: &Endpoints, brand: &BrandSettings, timestamp: &str) -> Value {
    let at = |reference: &str| format!("{}/{reference}", endpoints.brands());
    json!({
        "resourceType": "Bundle",
        "meta": { "profile": [format!("{PROFILES}/user-access-brands-bundle")] },
        "type": "collection",
        "timestamp": timestamp,
        "entry": [
            { "fullUrl": at("Organization/brand"), "resource": organization(endpoints, brand) },
            { "fullUrl": at("Endpoint/fhir"), "resource": endpoint(endpoints, brand) },
        ],
    })
}

/// How apps know the brand across lists: the site that it has on the web, without `www.` and without a path.
///
/// Spec: StructureDefinition-user-access-brand.html (identifier)
pub fn identifier(brand: &BrandSettings) -> Value {
    let host = Url::parse(&brand.website).ok().and_then(|url| url.host_str().map(str::to_owned));
    let site = match host {
        Some(host) => format!("https://{}", host.strip_prefix("www.").unwrap_or(&host)),
        None => brand.website.clone(),
    };
    json!({ "system": "urn:ietf:rfc:3986", "value": site })
}

fn organization(endpoints: &Endpoints, brand: &BrandSettings) -> Value {
    let endpoint = json!({ "reference": "Endpoint/fhir", "display": format!("FHIR R4 of {}", brand.name) });
    let mut portal = vec![json!({ "url": "portalUrl", "valueUrl": format!("{}/", endpoints.issuer) })];
    if let Some(name) = &brand.portal_name {
        portal.insert(0, json!({ "url": "portalName", "valueString": name }));
    }
    portal.push(json!({ "url": "portalEndpoint", "valueReference": endpoint.clone() }));
    let mut extensions = Vec::new();
    if let Some(logo) = &brand.logo {
        let parts = [json!({ "url": "brandLogo", "valueUrl": logo })];
        extensions.push(json!({ "url": format!("{EXTENSIONS}/organization-brand"), "extension": parts }));
    }
    extensions.push(json!({ "url": format!("{EXTENSIONS}/organization-portal"), "extension": portal }));
    let mut organization = json!({
        "resourceType": "Organization",
        "id": "brand",
        "meta": { "profile": [format!("{PROFILES}/user-access-brand")] },
        "extension": extensions,
        "identifier": [identifier(brand)],
        "active": true,
        "name": brand.name,
        "telecom": [{ "system": "url", "value": brand.website }],
        "endpoint": [endpoint],
    });
    if let Some(address) = address(brand) {
        organization["address"] = json!([address]);
    }
    organization
}

/// Where it is, if that is said.
fn address(brand: &BrandSettings) -> Option<Value> {
    let mut address = serde_json::Map::new();
    if !brand.line.is_empty() {
        address.insert("line".to_owned(), json!(brand.line));
    }
    let parts = [
        ("city", &brand.city),
        ("state", &brand.state),
        ("postalCode", &brand.postal_code),
        ("country", &brand.country),
    ];
    for (name, part) in parts {
        if let Some(part) = part {
            address.insert(name.to_owned(), json!(part));
        }
    }
    (!address.is_empty()).then_some(address.into())
}

fn endpoint(endpoints: &Endpoints, brand: &BrandSettings) -> Value {
    let none = json!({ "system": "http://terminology.hl7.org/CodeSystem/endpoint-payload-type", "code": "none" });
    json!({
        "resourceType": "Endpoint",
        "id": "fhir",
        "meta": { "profile": [format!("{PROFILES}/user-access-endpoint")] },
        "extension": [{ "url": format!("{EXTENSIONS}/endpoint-fhir-version"), "valueCode": "4.0.1" }],
        "status": "active",
        "connectionType": {
            "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type", "code": "hl7-fhir-rest",
        },
        "name": format!("FHIR R4 of {}", brand.name),
        // Where those who make apps find what they need.
        "contact": [{ "system": "url", "value": format!("{}/developer", endpoints.issuer) }],
        "payloadType": [{ "coding": [none] }],
        "address": endpoints.base,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_is_known_by_the_host_of_its_site() {
        let of = |website: &str| identifier(&BrandSettings { website: website.to_owned(), ..BrandSettings::default() });

        for website in ["https://www.clinic.example/", "https://clinic.example", "https://clinic.example/about?x=1"] {
            assert_eq!(of(website)["value"], "https://clinic.example", "{website}");
        }
    }
}
