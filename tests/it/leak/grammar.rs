//! Requests at random, over all ways from one resource to another.

use http::Method;
use serde_json::{Value, json};

use crate::leak::judge::Sent;
use crate::leak::people::{Item, observation};
use crate::search_oracle::random::Random;

/// References that are followed: type, parameter, and what it leads to.
const LINKS: &[(&str, &str, &[&str])] = &[
    ("Observation", "subject", &["Patient"]),
    ("Observation", "patient", &["Patient"]),
    ("Observation", "performer", &["Practitioner", "Patient"]),
    ("Observation", "focus", &["Patient", "Observation"]),
    ("Observation", "has-member", &["Observation"]),
    ("Observation", "derived-from", &["DocumentReference"]),
    ("Observation", "encounter", &["Encounter"]),
    ("Observation", "device", &["Device"]),
    ("Patient", "link", &["Patient"]),
    ("Patient", "general-practitioner", &["Practitioner"]),
    ("Patient", "organization", &["Organization"]),
    ("Condition", "subject", &["Patient"]),
    ("Condition", "asserter", &["Patient"]),
    ("Encounter", "subject", &["Patient"]),
    ("Encounter", "participant", &["Practitioner"]),
    ("Encounter", "location", &["Location"]),
    ("List", "item", &["Observation"]),
    ("List", "source", &["Patient"]),
    ("List", "subject", &["Patient"]),
    ("Group", "member", &["Patient"]),
    ("Provenance", "target", &["Observation"]),
    ("Provenance", "agent", &["Practitioner"]),
    ("DocumentReference", "subject", &["Patient"]),
    ("DocumentReference", "author", &["Patient"]),
    ("DiagnosticReport", "result", &["Observation"]),
    ("DiagnosticReport", "subject", &["Patient"]),
    ("MedicationRequest", "subject", &["Patient"]),
    ("MedicationRequest", "medication", &["Medication"]),
    ("MedicationRequest", "requester", &["Practitioner", "Patient"]),
    ("ServiceRequest", "requester", &["Patient"]),
    ("QuestionnaireResponse", "author", &["Patient"]),
    ("QuestionnaireResponse", "questionnaire", &["Questionnaire"]),
    ("Composition", "author", &["Patient"]),
    ("Composition", "entry", &["Observation"]),
    ("Coverage", "payor", &["Patient"]),
    ("Coverage", "beneficiary", &["Patient"]),
    ("Claim", "payee", &["Patient"]),
    ("Consent", "consentor", &["Patient"]),
    ("Consent", "actor", &["Patient"]),
    ("Flag", "author", &["Patient"]),
    ("CareTeam", "participant", &["Patient"]),
    ("Person", "patient", &["Patient"]),
    ("RelatedPerson", "patient", &["Patient"]),
    ("Device", "patient", &["Patient"]),
    ("Basic", "author", &["Patient"]),
    ("AuditEvent", "agent", &["Patient"]),
    ("AuditEvent", "patient", &["Patient"]),
    ("PractitionerRole", "practitioner", &["Practitioner"]),
    ("PractitionerRole", "organization", &["Organization"]),
];

/// Other parameters, with values that something hidden has, or something that is seen, or nothing.
const VALUES: &[(&str, &str, &[&str])] = &[
    ("Observation", "code", &["29463-7", "http://loinc.org|29463-7", "8480-6", "http://loinc.org|"]),
    ("Observation", "combo-code", &["8480-6", "29463-7"]),
    ("Observation", "category", &["laboratory", "vital-signs", "x"]),
    ("Observation", "status", &["final", "amended"]),
    ("Observation", "date", &["2026-02-03", "ge2026-01-01", "lt2020", "ap2026"]),
    ("Observation", "value-quantity", &["4242.5", "gt4000", "70", "lt100", "ap70||kg"]),
    ("Observation", "code-value-quantity", &["29463-7$gt4000", "29463-7$70", "29463-7$4242.5"]),
    ("Observation", "component-code-value-quantity", &["8480-6$120", "8480-6$gt110"]),
    ("Observation", "identifier", &["@!b-lab@", "@!a-lab@", "urn:x:number|@!b-vital@", "@!m-lab@", "@!moved-in.1@"]),
    ("Patient", "family", &["@!b@", "zq", "Ash", "@!linked@", "@!m@"]),
    ("Patient", "name", &["Birch", "zq", "Ash", "@!hushed@"]),
    ("Patient", "identifier", &["@!b@", "@!a@", "urn:x:number|@!linked@", "@!m@"]),
    ("Patient", "birthdate", &["1951-07-08", "lt1960", "gt1960"]),
    ("Patient", "gender", &["female", "male"]),
    ("Patient", "email", &["@!b@", "@!a@"]),
    ("Patient", "address-city", &["@!b@", "zq"]),
    ("Condition", "code", &["73211009", "http://snomed.info/sct|73211009"]),
    ("Condition", "identifier", &["@!b-diabetes@", "@!a-diabetes@", "@!m-diabetes@"]),
    ("Encounter", "status", &["finished", "planned"]),
    ("Encounter", "class", &["AMB", "IMP"]),
    ("Encounter", "identifier", &["@!b-visit@", "@!a-visit@"]),
    ("DocumentReference", "identifier", &["@!b-letter@", "@!a-letter@", "@!gone-letter@"]),
    ("DocumentReference", "description", &["@!b-letter@", "zq"]),
    ("DiagnosticReport", "status", &["final"]),
    ("List", "identifier", &["@!b-list@", "@!a-list@"]),
    ("List", "status", &["current"]),
    ("Group", "type", &["person"]),
    ("Device", "identifier", &["@!led-to-device@", "@!a-device@"]),
    ("MedicationRequest", "status", &["active"]),
    ("MedicationRequest", "identifier", &["@!b-order@", "@!a-order@"]),
    ("QuestionnaireResponse", "status", &["completed"]),
    ("Composition", "title", &["@!b-note@", "zq"]),
    ("Coverage", "status", &["active"]),
    ("Claim", "identifier", &["@!b-claim@"]),
    ("Consent", "status", &["active"]),
    ("Flag", "identifier", &["@!b-flag@"]),
    ("Person", "name", &["@!person@", "zq"]),
    ("RelatedPerson", "name", &["@!b-parent@", "zq"]),
    ("Practitioner", "name", &["Doc", "zq"]),
    ("Organization", "name", &["House", "zq"]),
    ("Location", "near", &["47.2|9.4|100|km", "0|0|1|km"]),
    ("Location", "name", &["Ward"]),
    ("Medication", "status", &["active"]),
    ("Questionnaire", "url", &["http://x.example/q"]),
    ("ServiceRequest", "status", &["active"]),
    ("AuditEvent", "subtype", &["read", "update,create"]),
    ("AuditEvent", "outcome", &["0", "4"]),
    ("AuditEvent", "entity", &["Observation/@b-lab@", "Observation/@a-lab@", "Patient/@b@"]),
    ("Provenance", "recorded", &["2026-01-01", "gt2020"]),
];

/// What goes with any type.
const ANYWHERE: &[&str] = &[
    "_security=R",
    "_security:not=R",
    "_security=https://emberwell.example/CodeSystem/security-label|personal",
    "_lastUpdated=gt2020",
    "_lastUpdated=lt2020",
    "_list=@b-list@",
    "_list=@a-list@",
    "_list=@a-list@,@b-list@",
    "_tag:missing=true",
    "_content=zq",
    "_content=@!b-lab@",
    "_text=@!b-lab@",
    "_profile:missing=true",
    "_source:missing=true",
];

/// What shapes an answer.
const SHAPES: &[&str] = &[
    "_summary=count",
    "_summary=true",
    "_summary=text",
    "_summary=data",
    "_total=accurate",
    "_total=estimate",
    "_total=none",
    "_count=0",
    "_count=1",
    "_count=2",
    "_count=5",
    "_elements=subject,identifier",
    "_contained=true",
    "_contained=both",
    "_contained=both&_containedType=contained",
    "_contained=true&_containedType=contained",
    "_include=*",
    "_revinclude=*",
    "_include=*&_include:iterate=*",
    "_revinclude=*&_include:iterate=*",
    "_sort=_lastUpdated",
    // Not by `_id`: what was created has an id of its own in either world.
    "_format=json",
];

const SHARED: [&str; 5] = ["Practitioner", "Organization", "Location", "Medication", "Questionnaire"];

/// Makes requests about the cast.
pub struct Grammar<'c> {
    pub random: Random,
    pub cast: &'c [Item],
}

impl Grammar<'_> {
    pub fn request(&mut self) -> Sent {
        match self.random.below(100) {
            0..60 => Sent::get(&self.search()),
            60..66 => self.posted(),
            66..78 => self.single(),
            78..82 => self.history(),
            82..88 => self.bundle(),
            _ => self.write(),
        }
    }

    fn resource_type(&mut self) -> &'static str {
        match self.random.below(100) {
            0..30 => "Observation",
            30..45 => "Patient",
            45..55 => self.random.of(&SHARED),
            _ => self.random.pick(LINKS).0,
        }
    }

    /// One of the cast of this type, or nobody.
    fn one_of(&mut self, of: &str) -> String {
        let named: Vec<&str> = self.cast.iter().filter(|item| item.resource_type == of).map(|item| item.name).collect();
        let name = if named.is_empty() || self.random.percent(8) { "free" } else { self.random.of(&named) };
        format!("@{name}@")
    }

    fn reference(&mut self, of: &str) -> String {
        let id = self.one_of(of);
        match self.random.below(10) {
            0 => id,
            1 => format!("{of}/{id}/_history/1"),
            2 => format!("{of}/{id},{of}/{}", self.one_of(of)),
            _ => format!("{of}/{id}"),
        }
    }

    /// `name=value`, a condition on resources of the type.
    fn condition(&mut self, of: &str, depth: usize) -> String {
        let links: Vec<&(&str, &str, &[&str])> = LINKS.iter().filter(|link| link.0 == of).collect();
        let back: Vec<&(&str, &str, &[&str])> = LINKS.iter().filter(|link| link.2.contains(&of)).collect();
        let values: Vec<&(&str, &str, &[&str])> = VALUES.iter().filter(|value| value.0 == of).collect();
        match self.random.below(100) {
            0..8 => format!("_id={}", self.one_of(of)),
            8..11 => format!("_id:not={}", self.one_of(of)),
            11..18 => (*self.random.of(ANYWHERE)).to_owned(),
            18..40 if !links.is_empty() => {
                let (_, by, targets) = **self.random.pick(&links);
                let target = self.random.of(targets);
                match self.random.below(8) {
                    0 => format!("{by}:missing={}", self.random.of(&["true", "false"])),
                    1 => format!("{by}:identifier=urn:x:number|@!{}@", self.random.of(&["b", "a", "b-lab", "linked"])),
                    2 => format!("{by}:not={}", self.reference(target)),
                    3 => format!("{by}:{target}={}", self.one_of(target)),
                    _ => format!("{by}={}", self.reference(target)),
                }
            }
            40..58 if !links.is_empty() && depth > 0 => {
                let (_, by, targets) = **self.random.pick(&links);
                let target = self.random.of(targets);
                let of =
                    if targets.len() > 1 || self.random.percent(50) { format!(":{target}") } else { String::new() };
                format!("{by}{of}.{}", self.condition(target, depth - 1))
            }
            58..76 if !back.is_empty() && depth > 0 => {
                let (source, by, _) = **self.random.pick(&back);
                format!("_has:{source}:{by}:{}", self.condition(source, depth - 1))
            }
            _ if !values.is_empty() => {
                let (_, name, known) = **self.random.pick(&values);
                let value = self.random.of(known);
                match self.random.below(12) {
                    0 => format!("{name}:missing={}", self.random.of(&["true", "false"])),
                    1 => format!("{name}:not={value}"),
                    2 => format!("{name}:contains={value}"),
                    3 => format!("{name}:text={value}"),
                    4 => format!("{name}:in=http://x.example/codes"),
                    5 => format!("{name}={value},{}", self.random.of(known)),
                    _ => format!("{name}={value}"),
                }
            }
            _ => format!("_id={}", self.one_of(of)),
        }
    }

    /// A term of `_filter`.
    fn filter(&mut self, of: &str) -> String {
        let term = |grammar: &mut Self| match grammar.random.below(4) {
            0 => format!("_id%20eq%20{}", grammar.one_of(of)),
            1 if of == "Observation" => "subject.family%20co%20%22zq%22".to_owned(),
            2 if of == "Observation" => format!("subject%20re%20{}", grammar.reference("Patient")),
            _ => "_lastUpdated%20gt%202020-01-01".to_owned(),
        };
        let (left, right) = (term(self), term(self));
        let joined = self.random.of(&["and", "or"]);
        match self.random.below(3) {
            0 => format!("_filter=not%20({left})"),
            1 => format!("_filter={left}"),
            _ => format!("_filter=({left})%20{joined}%20({right})"),
        }
    }

    fn include(&mut self) -> String {
        let (source, by, targets) = *self.random.pick(LINKS);
        let iterate = if self.random.percent(40) { ":iterate" } else { "" };
        let direction = self.random.of(&["_include", "_revinclude"]);
        match self.random.below(5) {
            0 => format!("{direction}{iterate}={source}:*"),
            1 => format!("{direction}{iterate}={source}:{by}:{}", self.random.of(targets)),
            _ => format!("{direction}{iterate}={source}:{by}"),
        }
    }

    fn sort(&mut self, of: &str) -> String {
        let minus = if self.random.percent(50) { "-" } else { "" };
        let links: Vec<&(&str, &str, &[&str])> = LINKS.iter().filter(|link| link.0 == of).collect();
        let key = |grammar: &mut Self, of: &str| {
            let values: Vec<&(&str, &str, &[&str])> = VALUES.iter().filter(|value| value.0 == of).collect();
            if values.is_empty() { "_lastUpdated" } else { grammar.random.pick(&values).1 }
        };
        if links.is_empty() || self.random.percent(40) {
            return format!("_sort={minus}{}", key(self, of));
        }
        let (_, by, targets) = **self.random.pick(&links);
        let target = self.random.of(targets);
        let chained = key(self, target);
        format!("_sort={minus}{by}:{target}.{chained}")
    }

    /// The parameters of a search of this type.
    fn parameters(&mut self, of: &str) -> String {
        let mut all = Vec::new();
        for _ in 0..self.random.below(3) + usize::from(self.random.percent(60)) {
            let condition = if self.random.percent(8) { self.filter(of) } else { self.condition(of, 3) };
            all.push(condition);
        }
        for _ in 0..self.random.below(3) {
            match self.random.below(3) {
                0 => all.push(self.include()),
                1 => all.push(self.sort(of)),
                _ => all.push((*self.random.of(SHAPES)).to_owned()),
            }
        }
        if self.random.percent(25) {
            all.push((*self.random.of(&["_count=1", "_count=2", "_count=3"])).to_owned());
        }
        all.join("&")
    }

    fn search(&mut self) -> String {
        let of = self.resource_type();
        let parameters = self.parameters(of);
        match self.random.below(20) {
            0 => format!("?_type={of},{}&{}", self.resource_type(), self.random.of(ANYWHERE)),
            1 => format!("?_id={},{}", self.one_of(of), self.one_of("Patient")),
            2..5 => {
                let center = self.random.of(&["Patient", "Encounter", "Practitioner", "Device", "RelatedPerson"]);
                let member = if self.random.percent(20) { "*" } else { of };
                let parameters = if member == "*" { String::new() } else { format!("?{parameters}") };
                format!("{center}/{}/{member}{parameters}", self.one_of(center))
            }
            _ => format!("{of}?{parameters}"),
        }
    }

    fn posted(&mut self) -> Sent {
        let of = self.resource_type();
        let (in_address, in_body) = (self.condition(of, 2), self.parameters(of));
        let path = match self.random.percent(30) {
            true => format!("{of}/_search?{in_address}"),
            false => format!("{of}/_search"),
        };
        Sent::of(Method::POST, &path).body("application/x-www-form-urlencoded", in_body)
    }

    fn address(&mut self) -> String {
        let of = self.random.pick(self.cast).resource_type.clone();
        format!("{of}/{}", self.one_of(&of))
    }

    fn single(&mut self) -> Sent {
        let address = self.address();
        let path = match self.random.below(5) {
            0 => format!("{address}/_history/{}", self.random.of(&["1", "2", "3", "0", "9"])),
            1 => format!("{address}/_history"),
            2 => format!("{address}?{}", self.random.of(&["_summary=true", "_elements=subject", "_pretty=true"])),
            _ => address,
        };
        let method = if self.random.percent(15) { Method::HEAD } else { Method::GET };
        let sent = Sent::of(method, &path);
        match self.random.below(10) {
            0 => sent.header("If-None-Match", "W/\"1\""),
            1 => sent.header("If-Modified-Since", "Wed, 01 Jan 2020 00:00:00 GMT"),
            2 => sent.header("Accept", "text/plain"),
            _ => sent,
        }
    }

    fn history(&mut self) -> Sent {
        let of = self.resource_type();
        let shape = self.random.of(&["", "?_count=1", "?_count=3", "?_since=2020-01-01T00:00:00Z", "?_at=2026"]);
        Sent::get(&if self.random.percent(30) { format!("_history{shape}") } else { format!("{of}/_history{shape}") })
    }

    fn bundle(&mut self) -> Sent {
        let kind = self.random.of(&["batch", "batch", "transaction"]);
        let entries: Vec<Value> = (0..1 + self.random.below(3))
            .map(|_| {
                let url = if self.random.percent(50) { self.address() } else { self.search() };
                match self.random.below(6) {
                    0 => json!({ "request": { "method": "DELETE", "url": self.hidden("Observation") } }),
                    1 => {
                        let address = self.hidden("Observation");
                        let resource = self.own(address.split_once('/').map(|(_, id)| id));
                        json!({ "request": { "method": "PUT", "url": address }, "resource": resource })
                    }
                    2 => {
                        let criteria = self.condition("Observation", 2);
                        json!({ "request": { "method": "POST", "url": "Observation", "ifNoneExist": criteria },
                            "resource": self.own(None) })
                    }
                    _ => json!({ "request": { "method": "GET", "url": url } }),
                }
            })
            .collect();
        Sent::of(Method::POST, "").json(json!({ "resourceType": "Bundle", "type": kind, "entry": entries }))
    }

    /// The address of what nobody who asks here sees.
    fn hidden(&mut self, of: &str) -> String {
        let named: Vec<&str> = self
            .cast
            .iter()
            .filter(|item| item.resource_type == of && item.seen.is_empty())
            .map(|item| item.name)
            .collect();
        let name = if named.is_empty() || self.random.percent(10) { "free" } else { self.random.of(&named) };
        format!("{of}/@{name}@")
    }

    /// An Observation about somebody, leading to somebody.
    fn own(&mut self, id: Option<&str>) -> Value {
        let subject = self.random.of(&["Patient/a", "Patient/a", "Patient/b", "Patient/free", "Patient/m"]);
        let category = self.random.of(&["laboratory", "vital-signs"]);
        let mut resource = observation(subject, category, "sent");
        if let Some(id) = id {
            resource["id"] = json!(id);
        }
        if self.random.percent(40) {
            resource["focus"] = json!([{ "reference": format!("Patient/{}", self.one_of("Patient")) }]);
        }
        if self.random.percent(40) {
            resource["hasMember"] = json!([{ "reference": format!("Observation/{}", self.one_of("Observation")) }]);
        }
        resource
    }

    fn write(&mut self) -> Sent {
        let address = self.hidden("Observation");
        let id = address.split_once('/').map(|(_, id)| id.to_owned());
        let of = self.random.pick(self.cast).resource_type.clone();
        match self.random.below(9) {
            0 => Sent::of(Method::PUT, &address).json(self.own(id.as_deref())),
            1 => Sent::of(Method::PUT, &address)
                .header("If-Match", self.random.of(&["W/\"1\"", "W/\"2\"", "*"]))
                .json(self.own(id.as_deref())),
            2 => Sent::of(Method::PATCH, &address).body(
                "application/json-patch+json",
                self.random.of(&[
                    r#"[{"op":"test","path":"/status","value":"final"}]"#,
                    r#"[{"op":"test","path":"/valueQuantity/value","value":4242.5}]"#,
                    r#"[{"op":"replace","path":"/subject/reference","value":"Patient/a"}]"#,
                ]),
            ),
            3 => Sent::of(Method::DELETE, &self.hidden(&of)),
            4 => {
                let criteria = self.condition("Observation", 2);
                Sent::of(Method::POST, "Observation").header("If-None-Exist", &criteria).json(self.own(None))
            }
            5 => {
                let path = format!("Observation?{}", self.condition("Observation", 2));
                let id = self.random.percent(40).then_some(id).flatten();
                Sent::of(Method::PUT, &path).json(self.own(id.as_deref()))
            }
            6 => Sent::of(Method::DELETE, &format!("{of}?{}", self.condition(&of, 2))),
            7 => Sent::of(Method::POST, &format!("{address}/$validate?mode={}", self.random.of(&["update", "delete"])))
                .json(self.own(id.as_deref())),
            _ => {
                let path = format!("Observation?{}", self.condition("Observation", 2));
                let test = r#"[{"op":"test","path":"/status","value":"final"}]"#;
                Sent::of(Method::PATCH, &path).body("application/json-patch+json", test)
            }
        }
    }
}
