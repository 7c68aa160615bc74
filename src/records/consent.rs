//! A grant as FHIR says it: a Consent.
//!
//! Spec: R4 consent.html

use serde_json::{Value, json};

use crate::access::{Right, Rights, ScopeSet, Types};
use crate::fhir::format_instant;
use crate::records::RecordId;
use crate::store::{Account, Client, Grant, GrantLevel, Labels};

/// Types of resources that a Consent lets act: a Person is none.
const ACTOR_TYPES: [&str; 4] = ["Patient", "Practitioner", "PractitionerRole", "RelatedPerson"];

/// Somebody whom a Consent names.
#[derive(Clone, Debug)]
pub struct Actor(Value);

impl Actor {
    /// A person, by the resource that they are, if there is one.
    pub fn account(account: &Account) -> Actor {
        let user = account
            .fhir_user
            .as_deref()
            .filter(|user| user.split_once('/').is_some_and(|(type_name, _)| ACTOR_TYPES.contains(&type_name)));
        Actor(match user {
            Some(user) => json!({ "reference": user, "display": account.name }),
            None => json!({ "display": account.name }),
        })
    }

    /// An app or a system.
    pub fn client(client: &Client) -> Actor {
        Actor(json!({ "type": "Device", "identifier": { "value": client.id }, "display": client.name }))
    }

    /// Whoever runs the server.
    pub fn operator() -> Actor {
        Actor(json!({ "display": "Operator of this server" }))
    }
}

/// The Consent that says what `grant` says, but for its reason, for which a Consent has codes only. `provision.action.text` has
/// the scopes.
pub fn consent(grant: &Grant, by: &Actor, to: &Actor, now_us: i64) -> Value {
    let mut consent = json!({
        "resourceType": "Consent",
        "id": format!("grant-{}", grant.id),
        "status": if grant.is_in_force(now_us) { "active" } else { "inactive" },
        "scope": concept("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [concept("http://loinc.org", "59284-0")],
    });
    if let Some(patient) = &grant.patient {
        consent["patient"] = json!({ "reference": RecordId(patient.clone()).to_string() });
    }
    consent["dateTime"] = json!(instant(grant.created_us));
    consent["performer"] = json!([by.0]);
    // Invariant ppc-1 asks for a policy: nothing is allowed that is not granted.
    consent["policyRule"] = concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", "OPTIN");
    consent["provision"] = provision(grant, to);
    consent
}

fn provision(grant: &Grant, to: &Actor) -> Value {
    let scopes = ScopeSet::parse(&grant.scopes);
    let mut period = json!({ "start": instant(grant.created_us) });
    if let Some(end_us) = grant.ended_us.or(grant.until_us) {
        period["end"] = json!(instant(end_us));
    }
    let role = concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP");
    let mut provision = json!({
        "type": "permit",
        "period": period,
        "actor": [{ "role": role, "reference": to.0 }],
        "action": actions(grant, &scopes),
        "securityLabel": labels(grant.labels),
    });
    let types: Option<Vec<Value>> = scopes.scopes().iter().map(|scope| class(scope.types)).collect();
    if let Some(mut types) = types.filter(|types| !types.is_empty()) {
        types.dedup();
        provision["class"] = Value::Array(types);
    }
    provision
}

/// The type that a scope is about; `None` for all.
fn class(types: Types) -> Option<Value> {
    match types {
        Types::Any => None,
        Types::One(one) => Some(json!({ "system": "http://hl7.org/fhir/resource-types", "code": one.name() })),
    }
}

/// What is allowed, in the words of consentaction; what exactly is in the text.
fn actions(grant: &Grant, scopes: &ScopeSet) -> Vec<Value> {
    let together = scopes.scopes().iter().map(|scope| scope.rights);
    let together = together.fold(Rights::default(), Rights::union);
    let all = [
        (together.has(Right::Read) || together.has(Right::Search), "access"),
        (together.has(Right::Create), "collect"),
        (together.has(Right::Update) || together.has(Right::Delete), "correct"),
        (grant.level == GrantLevel::Custodian, "disclose"),
    ];
    let coding = |code: &str| json!({ "system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": code });
    all.into_iter()
        .filter(|(is_allowed, _)| *is_allowed)
        .map(|(_, code)| json!({ "coding": [coding(code)], "text": grant.scopes }))
        .collect()
}

/// The confidentiality of what is shown.
fn labels(labels: Labels) -> Vec<Value> {
    let codes: &[&str] = match labels {
        Labels::Normal => &["N"],
        Labels::Restricted => &["N", "R"],
        Labels::VeryRestricted => &["N", "R", "V"],
    };
    let system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    codes.iter().map(|code| json!({ "system": system, "code": code })).collect()
}

fn concept(system: &str, code: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code }] })
}

/// An instant as FHIR writes it.
pub fn instant(us: i64) -> String {
    let mut text = Vec::new();
    format_instant(us, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::{Id, Issue, Resource};
    use crate::store::{ClientFacts, ClientKind, Grantee, Role};
    use crate::validation::validate;

    const NOW_US: i64 = 1_800_000_000_000_000;

    fn anna() -> Account {
        Account {
            id: 1,
            email: "anna@example.org".to_owned(),
            name: "Anna".to_owned(),
            role: Role::Person,
            password: None,
            fhir_user: Some("RelatedPerson/anna".to_owned()),
            created_us: 0,
            disabled_us: None,
        }
    }

    fn view() -> Grant {
        Grant {
            id: 12,
            patient: Some(Id::parse("a").unwrap()),
            to: Grantee::Account(1),
            level: GrantLevel::View,
            scopes: "patient/*.rs".to_owned(),
            labels: Labels::Normal,
            sees_history: false,
            until_us: None,
            reason: None,
            origin: "command".to_owned(),
            granted_by: None,
            created_us: NOW_US - 1_000_000,
            ended_us: None,
        }
    }

    fn errors(consent: Value) -> Vec<Issue> {
        let mut issues = validate(&Resource::from_value(consent).unwrap(), &[]);
        issues.retain(Issue::is_error);
        issues
    }

    #[test]
    fn each_grant_is_a_valid_consent() {
        let client = Client {
            facts: ClientFacts::of("c1", "EHR", ClientKind::Backend),
            previous_secret: None,
            logo_media: None,
            created_us: 0,
            approved_us: Some(0),
            verified_us: None,
            suspended_us: None,
        };
        let observations = "patient/Observation.rs?category=laboratory patient/Observation.c".to_owned();
        let grants = [
            view(),
            Grant { level: GrantLevel::Custodian, scopes: "patient/*.cruds".to_owned(), ..view() },
            Grant { level: GrantLevel::OwnChoice, scopes: observations, labels: Labels::Restricted, ..view() },
            Grant { patient: None, to: Grantee::Client("c1".to_owned()), scopes: "system/*.rs".to_owned(), ..view() },
            Grant { until_us: Some(NOW_US + 1), reason: Some("a second opinion".to_owned()), ..view() },
            Grant { ended_us: Some(NOW_US - 1), labels: Labels::VeryRestricted, ..view() },
        ];
        let person = Account { fhir_user: Some("Person/1".to_owned()), ..anna() };
        let nobody = Account { fhir_user: None, ..anna() };
        let actors =
            [Actor::account(&anna()), Actor::account(&person), Actor::account(&nobody), Actor::client(&client)];
        for grant in &grants {
            for actor in &actors {
                assert_eq!(errors(consent(grant, &Actor::operator(), actor, NOW_US)), [], "{grant:?} {actor:?}");
            }
        }
        let mut broken = consent(&view(), &Actor::operator(), &actors[0], NOW_US);
        broken["status"] = json!("granted");
        assert_ne!(errors(broken), [], "the check finds what is wrong");
    }

    #[test]
    fn a_consent_says_what_the_grant_says() {
        let grant = Grant {
            level: GrantLevel::OwnChoice,
            scopes: "patient/Observation.rs patient/Observation.c".to_owned(),
            until_us: Some(NOW_US),
            ..view()
        };
        let before = consent(&grant, &Actor::operator(), &Actor::account(&anna()), NOW_US - 1);
        let after = consent(&grant, &Actor::operator(), &Actor::account(&anna()), NOW_US);

        assert_eq!((before["status"].as_str(), after["status"].as_str()), (Some("active"), Some("inactive")));
        assert_eq!(before["patient"]["reference"], "Patient/a");
        let provision = &before["provision"];
        assert_eq!(provision["period"]["end"], "2027-01-15T08:00:00.000Z");
        assert_eq!(provision["actor"][0]["reference"]["reference"], "RelatedPerson/anna");
        assert_eq!(provision["class"].as_array().unwrap().len(), 1);
        let actions: Vec<_> = provision["action"].as_array().unwrap().iter().collect();
        let code = |action: &&Value| action["coding"][0]["code"].as_str().unwrap().to_owned();
        assert_eq!(actions.iter().map(code).collect::<Vec<_>>(), ["access", "collect"]);
        assert_eq!(actions[0]["text"], grant.scopes);
    }
}
