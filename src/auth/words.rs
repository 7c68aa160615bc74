//! Scopes in plain words.

use chrono::DateTime;

use crate::access::{Context, Right, Rights, Scope, Types, Word};

/// Kinds of data that people may choose one by one where an app asks for all.
pub const OFTEN: [&str; 24] = [
    "Patient",
    "AllergyIntolerance",
    "Appointment",
    "CarePlan",
    "CareTeam",
    "Condition",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "FamilyMemberHistory",
    "Goal",
    "Immunization",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Procedure",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Specimen",
    "Task",
];

/// A category of a kind of data.
pub struct Category {
    pub of: &'static str,
    system: &'static str,
    code: &'static str,
    words: &'static str,
}

const OBSERVATION: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const CONDITION: &str = "http://terminology.hl7.org/CodeSystem/condition-category";
const US_CORE: &str = "http://hl7.org/fhir/us/core/CodeSystem/condition-category";

/// Categories that people may choose one by one.
pub const CATEGORIES: [Category; 9] = [
    Category {
        of: "Observation",
        system: OBSERVATION,
        code: "vital-signs",
        words: "vital signs, such as weight and blood pressure",
    },
    Category { of: "Observation", system: OBSERVATION, code: "laboratory", words: "laboratory results" },
    Category {
        of: "Observation",
        system: OBSERVATION,
        code: "social-history",
        words: "habits and living, such as smoking",
    },
    Category { of: "Observation", system: OBSERVATION, code: "survey", words: "answers to surveys" },
    Category { of: "Observation", system: OBSERVATION, code: "imaging", words: "findings of imaging" },
    Category { of: "Observation", system: OBSERVATION, code: "activity", words: "activity, such as steps and sleep" },
    Category { of: "Condition", system: CONDITION, code: "problem-list-item", words: "problems on the problem list" },
    Category { of: "Condition", system: CONDITION, code: "encounter-diagnosis", words: "diagnoses of visits" },
    Category { of: "Condition", system: US_CORE, code: "health-concern", words: "health concerns" },
];

impl Category {
    /// The search that a scope is limited by.
    pub fn query(&self) -> String {
        format!("category={}|{}", self.system, self.code)
    }
}

/// The last day before a moment, as people write it.
pub fn last_day(until_us: i64) -> String {
    let moment = DateTime::from_timestamp_micros(until_us.saturating_sub(1));
    moment.map(|moment| moment.format("%-d %B %Y").to_string()).unwrap_or_default()
}

/// What a scope that is not about resources means; `None` for what is asked in another way.
pub fn of_word(word: Word) -> Option<&'static str> {
    match word {
        Word::OpenId => Some("Know that it is you, each time you use the app"),
        Word::FhirUser => Some("Know your name and who you are in the record"),
        Word::OfflineAccess => {
            Some("Keep this access when you are not using the app, until you take it back or do not use it for 90 days")
        }
        Word::OnlineAccess => Some("Keep this access while you are signed in here"),
        Word::Launch | Word::LaunchPatient | Word::LaunchEncounter => None,
    }
}

/// What a scope about resources means.
pub fn of_scope(scope: &Scope) -> String {
    let verbs = verbs(scope.rights);
    let whose = match scope.context {
        Context::Patient => "in this record",
        Context::User => "in every record that you may see",
        Context::System => "in all records",
    };
    match scope.types {
        Types::Any => {
            format!("{verbs} everything {whose}: all kinds of health data, also kinds that come in the future")
        }
        Types::One(of) => {
            let kind = kind(of.name());
            match limited(scope) {
                Some(limit) => format!("{verbs} {kind} {whose}, only {limit}"),
                None => format!("{verbs} {kind} {whose}"),
            }
        }
    }
}

fn limited(scope: &Scope) -> Option<String> {
    let pairs = scope.query.pairs();
    let known = |(name, value): &(String, String)| {
        let is_it = |category: &&Category| {
            name == "category" && (*value == format!("{}|{}", category.system, category.code) || value == category.code)
        };
        CATEGORIES.iter().find(is_it).map(|category| category.words.to_owned())
    };
    let texts = pairs.iter().map(|pair| known(pair).unwrap_or_else(|| format!("with {} {}", pair.0, pair.1)));
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then(|| texts.join(" and "))
}

/// "See, add and change", from the letters of a scope.
fn verbs(rights: Rights) -> String {
    let sees = rights.has(Right::Read) || rights.has(Right::Search);
    let table = [
        (sees, "see"),
        (rights.has(Right::Create), "add"),
        (rights.has(Right::Update), "change"),
        (rights.has(Right::Delete), "delete"),
    ];
    let said: Vec<&str> = table.into_iter().filter(|(is_said, _)| *is_said).map(|(_, verb)| verb).collect();
    let text = match said.as_slice() {
        [] => "use".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    text[..1].to_uppercase() + &text[1..]
}

/// A kind of data as people call it, with its name.
fn kind(name: &str) -> String {
    let known = match name {
        "Patient" => "name, birth date and address",
        "AllergyIntolerance" => "allergies",
        "Appointment" => "appointments",
        "Basic" => "what apps keep for themselves, such as settings",
        "CarePlan" => "care plans",
        "CareTeam" => "who cares for the person",
        "Condition" => "illnesses and problems",
        "Coverage" => "insurance",
        "Device" => "devices and implants",
        "DiagnosticReport" => "reports of tests and examinations",
        "DocumentReference" => "documents",
        "Encounter" => "visits and hospital stays",
        "FamilyMemberHistory" => "illnesses in the family",
        "Goal" => "goals",
        "Immunization" => "vaccinations",
        "MedicationRequest" => "prescriptions",
        "MedicationStatement" => "medicines that are taken",
        "Observation" => "measurements and test results",
        "Procedure" => "operations and treatments",
        "Provenance" => "where entries come from",
        "QuestionnaireResponse" => "filled-in questionnaires",
        "RelatedPerson" => "relatives and contacts",
        "ServiceRequest" => "orders and referrals",
        "Specimen" => "samples",
        "Task" => "tasks",
        _ => return format!("entries of the kind {name}"),
    };
    format!("{known} ({name})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_said_in_plain_words() {
        let table = [
            ("patient/Observation.rs", "See measurements and test results (Observation) in this record"),
            (
                "patient/Observation.rs?category=laboratory",
                "See measurements and test results (Observation) in this record, only laboratory results",
            ),
            (
                "patient/Condition.crus?code=1",
                "See, add and change illnesses and problems (Condition) in this record, only with code 1",
            ),
            (
                "patient/Basic.cuds?code=https://app.example|keys",
                "See, add, change and delete what apps keep for themselves, such as settings (Basic) in this record, only with code \
                 https://app.example|keys",
            ),
            ("user/Slot.d", "Delete entries of the kind Slot in every record that you may see"),
            (
                "patient/*.read",
                "See everything in this record: all kinds of health data, also kinds that come in the future",
            ),
        ];
        for (scope, wanted) in table {
            assert_eq!(of_scope(&Scope::parse(scope).unwrap()), wanted);
        }
    }

    #[test]
    fn each_finer_choice_is_a_scope() {
        for category in &CATEGORIES {
            let scope = Scope::parse(&format!("patient/{}.rs?{}", category.of, category.query())).unwrap();
            assert!(of_scope(&scope).ends_with(category.words));
        }
    }
}
