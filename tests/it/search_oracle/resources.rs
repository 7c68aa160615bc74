//! Random resources about nobody, with values that are awkward to search for.

use serde_json::{Value, json};

use crate::search_oracle::parameters::TYPES;
use crate::search_oracle::random::Random;
use crate::search_oracle::terms;

/// How many of each type.
pub const EACH: usize = 60;

const FAMILIES: &[&str] = &[
    "Müller",
    "Muller",
    "MÜLLER-Lüdenscheidt",
    "Carreno Quinones",
    "O'Brien",
    "OBrien",
    "Smith, Jr.",
    "Smi|th",
    "50%",
    "100$ Note",
    "a_b",
    r"back\slash",
    "東京",
    "Zażółć",
    "e\u{301}tude",
    "étude",
    "İstanbul",
    "van  der Berg",
    "Ørsted",
    "Ng",
    "N",
    "Straße",
];
const GIVEN: &[&str] =
    &["Zoé", "Zoe", "ZOË", "Jean-Luc", "Ann Marie", "X", "Ævar", "José", "jose", "%", "_", "q\"uote"];
const CITIES: &[&str] = &["Zürich", "Zurich", "St. Gallen", "Saint-Étienne", "A,B", "New York", "NEW YORK CITY"];
const SYSTEMS: &[&str] = &["urn:oid:1.2.3", "http://x.example/ids", "http://x.example/IDS", "http://y.example/a|b"];
const VALUES: &[&str] = &["1", "01", "A1", "a1", "x,y", "x|y", "p$q", r"b\c", "100%", "_", "ü", "Ü", "a b"];
const CODES: &[&str] = &["8867-4", "29463-7", "ABC", "abc", "8480-6", "a,b"];
const CODE_SYSTEMS: &[&str] = &["http://loinc.org", "http://snomed.info/sct", "http://x.example/cs"];
const DATES: &[&str] = &["2019", "2020", "2020-02", "2020-02-29", "2020-03-01", "2019-12-31", "2021-01", "1970-01-01"];
const TIMES: &[&str] = &[
    "2020-02-29T10:30:15Z",
    "2020-02-29T10:30:15.500Z",
    "2020-02-29T23:30:00-05:00",
    "2020-03-01T00:30:00+02:00",
    "2020-03-01T00:00:00Z",
    "2019-12-31T23:59:59.999Z",
    "2020-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59Z",
];
const NUMBERS: &[&str] = &["0", "-0.5", "5", "5.4", "5.40", "5.35", "5.45", "100", "99.5", "1e2", "0.001", "12.34"];
/// System, code, unit.
const UNITS: &[(&str, &str, &str)] = &[
    ("http://unitsofmeasure.org", "/min", "/min"),
    ("http://unitsofmeasure.org", "mm[Hg]", "mmHg"),
    ("http://unitsofmeasure.org", "kPa", "kPa"),
    ("http://unitsofmeasure.org", "Cel", "°C"),
    ("http://unitsofmeasure.org", "[degF]", "°F"),
    ("http://unitsofmeasure.org", "kg", "kg"),
    ("http://unitsofmeasure.org", "[lb_av]", "lb"),
    ("urn:x:units", "tab", "tablets"),
];
const URLS: &[&str] = &[
    "http://x.example/fhir",
    "http://x.example/fhir/ValueSet",
    "http://x.example/fhir/ValueSet/1",
    "http://x.example/fhir/ValueSet/2",
    "http://x.example/FHIR/ValueSet/1",
    "urn:oid:1.2.3.4",
    "http://y.example/100%_",
];

const URNS: &[&str] = &[
    "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
    "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a",
    "urn:oid:1.2.3",
];

/// [`EACH`] resources of every type, with ids like `p7`, and what codes mean; `base` is the server's own.
pub fn resources(random: &mut Random, base: &str) -> Vec<Value> {
    let mut all = terms::definitions();
    for (type_name, _) in TYPES {
        for number in 0..EACH {
            let mut maker = Maker { random: &mut *random, base, resource: json!({ "resourceType": type_name }) };
            maker.set("id", |_| json!(format!("{}{number}", &type_name[..1].to_lowercase())));
            maker.meta();
            maker.may("text", Maker::narrative);
            maker.body(type_name);
            all.push(maker.resource);
        }
    }
    all
}

struct Maker<'a> {
    random: &'a mut Random,
    base: &'a str,
    resource: Value,
}

impl Maker<'_> {
    fn set(&mut self, name: &str, value: impl FnOnce(&mut Self) -> Value) {
        self.resource[name] = value(self);
    }

    /// Sets it or leaves it out.
    fn may(&mut self, name: &str, value: impl FnOnce(&mut Self) -> Value) {
        if self.random.percent(70) {
            self.set(name, value);
        }
    }

    /// One to three of them.
    fn some(&mut self, value: impl Fn(&mut Self) -> Value) -> Value {
        let count = 1 + self.random.below(3);
        Value::Array((0..count).map(|_| value(self)).collect())
    }

    fn text(&mut self, texts: &[&str]) -> Value {
        json!(self.random.of(texts))
    }

    fn meta(&mut self) {
        if self.random.percent(50) {
            self.resource["meta"] = json!({ "profile": [self.text(URLS)], "tag": [self.coding()],
                "security": [self.coding()], "source": self.text(URLS) });
        }
    }

    fn narrative(&mut self) -> Value {
        let words = |maker: &mut Self| -> String {
            let texts = maker.random.of(&[FAMILIES, GIVEN, CITIES, CODES]);
            maker.random.of(texts).replace('&', "&amp;").replace('é', "&#233;")
        };
        let mut div = "<div xmlns=\"http://www.w3.org/1999/xhtml\">".to_owned();
        for _ in 0..1 + self.random.below(4) {
            let (first, second, third) = (words(self), words(self), words(self));
            let form = match self.random.below(4) {
                0 => format!("<p>{first} {second}</p>"),
                1 => format!("{first}<b>{second}</b> {third}"),
                2 => format!("<p>{first}<br/>{second}</p>{third}"),
                _ => format!("<i>{first}</i> &amp; {second}"),
            };
            div.push_str(&form);
        }
        json!({ "status": "generated", "div": div + "</div>" })
    }

    fn coding(&mut self) -> Value {
        match self.random.below(6) {
            0 => json!({ "code": self.text(CODES) }),
            1 => json!({ "system": self.text(CODE_SYSTEMS), "display": "no code" }),
            2 => json!({ "system": self.text(CODE_SYSTEMS), "code": self.text(CODES), "display": self.text(FAMILIES) }),
            _ => json!({ "system": self.text(CODE_SYSTEMS), "code": self.text(CODES) }),
        }
    }

    fn concept(&mut self) -> Value {
        if self.random.percent(10) {
            return json!({ "text": self.text(FAMILIES) });
        }
        json!({ "coding": self.some(Self::coding), "text": self.text(FAMILIES) })
    }

    fn identifier(&mut self) -> Value {
        let mut identifier = self.bare_identifier();
        if self.random.percent(40) {
            let code = self.text(&["MR", "mr", "SS"]);
            identifier["type"] = json!({ "text": self.text(FAMILIES),
                "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": code }] });
        }
        identifier
    }

    fn bare_identifier(&mut self) -> Value {
        match self.random.below(5) {
            0 => json!({ "value": self.text(VALUES) }),
            1 => json!({ "system": self.text(SYSTEMS) }),
            _ => json!({ "system": self.text(SYSTEMS), "value": self.text(VALUES) }),
        }
    }

    fn name(&mut self) -> Value {
        let mut name = json!({ "family": self.text(FAMILIES), "given": self.some(|maker| maker.text(GIVEN)) });
        if self.random.percent(30) {
            name["text"] = self.text(FAMILIES);
            name["prefix"] = json!(["Dr."]);
        }
        name
    }

    fn address(&mut self) -> Value {
        json!({ "use": self.text(&["home", "work", "old"]), "line": self.some(|maker| maker.text(CITIES)),
            "city": self.text(CITIES), "postalCode": self.text(&["8000", "8001", "CH-8000"]), "country": "CH" })
    }

    fn contact(&mut self) -> Value {
        json!({ "system": self.text(&["phone", "email", "fax"]), "value": self.text(&["+41 44 1", "a@b.example", "A@B.example", "1"]) })
    }

    fn date_time(&mut self) -> Value {
        let forms = if self.random.percent(50) { DATES } else { TIMES };
        self.text(forms)
    }

    fn period(&mut self) -> Value {
        match self.random.below(4) {
            0 => json!({ "start": self.date_time() }),
            1 => json!({ "end": self.date_time() }),
            2 => json!({ "start": "1969", "end": self.date_time() }),
            _ => json!({ "start": self.date_time(), "end": "2021-06-01T12:00:00+02:00" }),
        }
    }

    fn quantity(&mut self) -> Value {
        let value: Value = serde_json::from_str(self.random.of(NUMBERS)).unwrap();
        let (system, code, unit) = *self.random.pick(UNITS);
        match self.random.below(6) {
            0 => json!({ "value": value }),
            1 => json!({ "value": value, "unit": unit }),
            _ => json!({ "value": value, "unit": unit, "system": system, "code": code }),
        }
    }

    /// To one of `types`, in one of the forms that a reference has.
    fn reference(&mut self, types: &[&str]) -> Value {
        let type_name = self.random.of(types);
        let number = self.random.below(EACH / 4);
        let target = format!("{type_name}/{}{number}", &type_name[..1].to_lowercase());
        let text = match self.random.below(13) {
            10 => return json!({ "identifier": self.identifier(), "type": type_name }),
            11 => return json!({ "display": "somebody" }),
            12 => self.random.of(URNS).to_owned(),
            0 => format!("{}/{target}", self.base),
            1 => format!("{target}/_history/1"),
            2 => format!("https://elsewhere.example/fhir/{target}"),
            3 => format!("{}/{target}/_history/2", self.base),
            _ => target,
        };
        json!({ "reference": text })
    }

    /// A reference to any type that there is.
    fn anything(&mut self) -> Value {
        let type_name = self.random.pick(TYPES).0;
        self.reference(&[type_name])
    }

    fn person(&mut self) {
        self.may("name", |maker| maker.some(Self::name));
        self.may("gender", |maker| maker.text(&["male", "female", "other", "unknown"]));
        self.may("active", |maker| json!(maker.random.percent(50)));
        self.may("telecom", |maker| maker.some(Self::contact));
        self.may("address", |maker| maker.some(Self::address));
        self.may("birthDate", |maker| maker.text(DATES));
        self.may("identifier", |maker| maker.some(Self::identifier));
    }

    fn body(&mut self, type_name: &str) {
        match type_name {
            "Patient" => {
                self.person();
                self.may("generalPractitioner", |maker| {
                    maker.some(|maker| maker.reference(&["Practitioner", "Organization"]))
                });
                self.may("managingOrganization", |maker| maker.reference(&["Organization"]));
                if self.random.percent(20) {
                    self.set("link", |maker| json!([{ "other": maker.reference(&["Patient"]), "type": "seealso" }]));
                }
                self.may("communication", |maker| json!([{ "language": maker.concept() }]));
                match self.random.below(3) {
                    0 => self.set("deceasedDateTime", Self::date_time),
                    1 => self.set("deceasedBoolean", |maker| json!(maker.random.percent(50))),
                    _ => {}
                }
            }
            "Practitioner" => self.person(),
            "Organization" => {
                self.set("name", |maker| maker.text(FAMILIES));
                self.may("alias", |maker| maker.some(|maker| maker.text(GIVEN)));
                self.may("identifier", |maker| maker.some(Self::identifier));
                self.may("active", |maker| json!(maker.random.percent(50)));
                self.may("address", |maker| {
                    maker.some(|maker| {
                        let mut address = maker.address();
                        address["use"] = json!("work");
                        address
                    })
                });
                self.may("partOf", |maker| maker.reference(&["Organization"]));
            }
            "Encounter" => {
                self.set("status", |maker| maker.text(&["planned", "finished", "in-progress"]));
                self.set("class", Self::coding);
                self.may("identifier", |maker| maker.some(Self::identifier));
                self.may("period", Self::period);
                self.may("length", Self::quantity);
                self.may("subject", |maker| maker.reference(&["Patient"]));
                self.may("participant", |maker| {
                    maker.some(|maker| json!({ "individual": maker.reference(&["Practitioner"]) }))
                });
                self.may("serviceProvider", |maker| maker.reference(&["Organization"]));
            }
            "Observation" => self.observation(),
            "Condition" => {
                self.set("subject", |maker| maker.reference(&["Patient"]));
                self.may("code", Self::concept);
                self.may("encounter", |maker| maker.reference(&["Encounter"]));
                self.may("recordedDate", Self::date_time);
                self.may("asserter", |maker| maker.reference(&["Practitioner", "Patient"]));
                self.may("category", |maker| maker.some(Self::concept));
                self.set("clinicalStatus", |maker| {
                    let code = maker.text(&["active", "recurrence", "relapse"]);
                    json!({ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": code }] })
                });
                match self.random.below(4) {
                    0 => self.set("onsetDateTime", Self::date_time),
                    1 => self.set("onsetPeriod", Self::period),
                    2 => self.set("onsetString", |maker| maker.text(FAMILIES)),
                    _ => self.set("onsetAge", |maker| {
                        json!({ "value": 1 + maker.random.below(99), "unit": "years",
                        "system": "http://unitsofmeasure.org", "code": "a" })
                    }),
                }
            }
            "RiskAssessment" => {
                self.set("status", |maker| maker.text(&["final", "registered"]));
                self.set("subject", |maker| maker.reference(&["Patient"]));
                self.may("occurrenceDateTime", Self::date_time);
                self.may("prediction", |maker| {
                    maker.some(|maker| {
                    json!({ "probabilityDecimal": serde_json::from_str::<Value>(maker.random.of(NUMBERS)).unwrap() })
                })
                });
            }
            "List" => {
                self.set("status", |maker| maker.text(&["current", "retired"]));
                self.set("mode", |_| json!("working"));
                self.may("title", |maker| maker.text(FAMILIES));
                self.may("subject", |maker| maker.reference(&["Patient"]));
                self.may("source", |maker| maker.reference(&["Practitioner", "Patient"]));
                self.may("entry", |maker| maker.some(|maker| json!({ "item": maker.anything() })));
            }
            "Provenance" => {
                self.set("recorded", |maker| maker.text(TIMES));
                self.set("target", |maker| maker.some(Self::anything));
                self.set("agent", |maker| {
                    maker.some(|maker| json!({ "who": maker.reference(&["Practitioner", "Organization", "Patient"]) }))
                });
            }
            "ValueSet" => {
                self.set("status", |maker| maker.text(&["draft", "active", "retired"]));
                self.may("url", |maker| maker.text(URLS));
                self.may("name", |maker| maker.text(FAMILIES));
                self.may("date", Self::date_time);
                self.may("version", |maker| maker.text(VALUES));
                self.may(
                    "compose",
                    |maker| json!({ "include": maker.some(|maker| json!({ "system": maker.text(URLS) })) }),
                );
            }
            _ => unreachable!("{type_name} has no maker"),
        }
    }

    fn observation(&mut self) {
        self.set("status", |maker| maker.text(&["final", "preliminary", "amended"]));
        self.set("code", Self::concept);
        self.may("category", |maker| maker.some(Self::concept));
        self.may("identifier", |maker| maker.some(Self::identifier));
        self.may("subject", |maker| maker.reference(&["Patient"]));
        self.may("encounter", |maker| maker.reference(&["Encounter"]));
        self.may("performer", |maker| {
            maker.some(|maker| maker.reference(&["Practitioner", "Patient", "Organization"]))
        });
        match self.random.below(6) {
            0 | 5 => self.set("effectiveDateTime", Self::date_time),
            1 => self.set("effectiveInstant", |maker| maker.text(TIMES)),
            2 => self.set("effectivePeriod", Self::period),
            3 => self.set("effectiveTiming", |maker| {
                let events = maker.some(Self::date_time);
                let bounds = json!({ "start": "2019-12-31", "end": maker.text(&["2020", "2020-03-01"]) });
                if maker.random.percent(50) {
                    json!({ "event": events })
                } else {
                    json!({ "event": events, "repeat": { "boundsPeriod": bounds } })
                }
            }),
            _ => {}
        }
        match self.random.below(7) {
            0 | 1 => self.set("valueQuantity", Self::quantity),
            2 => self.set("valueString", |maker| maker.text(FAMILIES)),
            3 => self.set("valueCodeableConcept", Self::concept),
            4 => self.set("valueDateTime", Self::date_time),
            5 => self.set("valuePeriod", Self::period),
            _ => {}
        }
        if self.random.percent(40) {
            self.set("component", |maker| {
                maker.some(|maker| json!({ "code": maker.concept(), "valueQuantity": maker.quantity() }))
            });
        }
    }
}
