//! Search along hierarchies of resources: `:below` and `:above` of references.
//!
//! Spec: R4 search.html#recursive

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::search_oracle::random::Random;
use crate::search_oracle::{encoded, fill};
use crate::support::{TestServer, bundle, on_both};

on_both!(
    what_is_part_of_a_place_is_below_it,
    a_hierarchy_follows_itself_and_others_follow_the_whole,
    whatever_searches_takes_hierarchies,
    hierarchies_of_any_form_end_and_are_followed_wholly,
    what_is_no_hierarchy_is_refused,
    the_statement_tells_which_parameters_follow_a_hierarchy,
);

fn location(id: &str, whole: Option<&str>) -> Value {
    let mut location = json!({ "resourceType": "Location", "id": id, "name": format!("Place {id}") });
    if let Some(whole) = whole {
        location["partOf"] = json!({ "reference": whole });
    }
    location
}

fn procedure(id: &str, patient: &str, place: Value) -> Value {
    json!({
        "resourceType": "Procedure", "id": id, "status": "completed",
        "subject": { "reference": format!("Patient/{patient}") }, "location": place
    })
}

fn at(place: &str) -> Value {
    json!({ "reference": place })
}

/// A hospital with two wards, one of them with a room, and a building elsewhere.
fn hospital() -> Vec<Value> {
    vec![
        location("hospital", None),
        location("east", Some("Location/hospital")),
        location("west", Some("Location/hospital")),
        location("room", Some("Location/east")),
        location("annex", Some("http://elsewhere.example/fhir/Location/1")),
        json!({ "resourceType": "Location", "id": "tent", "partOf": { "display": "somewhere" } }),
        json!({ "resourceType": "Patient", "id": "ada" }),
        json!({ "resourceType": "Patient", "id": "ben" }),
        procedure("in-hospital", "ada", at("Location/hospital")),
        procedure("in-east", "ben", at("Location/east")),
        procedure("in-west", "ada", at("Location/west")),
        procedure("in-room", "ada", at("Location/room")),
        procedure("in-annex", "ben", at("Location/annex")),
        procedure("elsewhere", "ben", at("http://elsewhere.example/fhir/Location/1")),
        procedure("in-tent", "ben", at("Location/tent")),
        procedure("nowhere", "ben", json!({ "display": "somewhere" })),
    ]
}

async fn what_is_part_of_a_place_is_below_it(server: &TestServer) {
    fill(server, &hospital()).await;
    let base = format!("Procedure?location:below={}", encoded(&format!("{}/Location/east", server.base)));

    server
        .check_found(&[
            ("Procedure?location:below=hospital", &["in-east", "in-hospital", "in-room", "in-west"]),
            ("Procedure?location:below=Location/east", &["in-east", "in-room"]),
            (&base, &["in-east", "in-room"]),
            ("Procedure?location:below=room", &["in-room"]),
            ("Procedure?location:below=west,room", &["in-room", "in-west"]),
            ("Procedure?location:below=nothing", &[]),
            ("Procedure?location:above=room", &["in-east", "in-hospital", "in-room"]),
            ("Procedure?location:above=hospital", &["in-hospital"]),
            ("Procedure?location:above=room,west", &["in-east", "in-hospital", "in-room", "in-west"]),
            // What is referred to elsewhere has parts here, but what is above it is not known.
            ("Procedure?location:below=http://elsewhere.example/fhir/Location/1", &["elsewhere", "in-annex"]),
            ("Procedure?location:above=http://elsewhere.example/fhir/Location/1", &["elsewhere"]),
            ("Procedure?location:above=annex", &["elsewhere", "in-annex"]),
            // A reference without a target is above nothing, and nothing is above another without one.
            ("Procedure?location:above=tent", &["in-tent"]),
            ("Procedure?location:below=tent", &["in-tent"]),
        ])
        .await;
    // What is deleted holds nothing together any more; what moves is found where it is now.
    server.delete("Location/east").await.expect(204);
    server.put("Location/west", &location("west", None)).await.expect(200);
    server
        .check_found(&[
            ("Procedure?location:below=hospital", &["in-hospital"]),
            ("Procedure?location:below=east", &["in-east", "in-room"]),
            ("Procedure?location:above=room", &["in-east", "in-room"]),
        ])
        .await;
}

async fn a_hierarchy_follows_itself_and_others_follow_the_whole(server: &TestServer) {
    let plan = |id: &str, on: Option<&str>, whole: Option<&str>| {
        let mut plan = json!({
            "resourceType": "CarePlan", "id": id, "status": "active", "intent": "plan",
            "subject": { "reference": "Patient/ada" }
        });
        for (name, target) in [("basedOn", on), ("partOf", whole)] {
            if let Some(target) = target {
                plan[name] = json!([{ "reference": format!("CarePlan/{target}") }]);
            }
        }
        plan
    };
    let request = |id: &str, on: &str| {
        json!({
            "resourceType": "ServiceRequest", "id": id, "status": "active", "intent": "order",
            "subject": { "reference": "Patient/ada" }, "basedOn": [{ "reference": on }]
        })
    };
    let resources = [
        json!({ "resourceType": "Patient", "id": "ada" }),
        plan("a", None, None),
        plan("b", Some("a"), None),
        plan("c", Some("b"), Some("a")),
        plan("d", None, Some("c")),
        request("r1", "CarePlan/a"),
        request("r2", "ServiceRequest/r1"),
        request("r3", "CarePlan/d"),
        json!({
            "resourceType": "Observation", "id": "o", "status": "final", "code": { "text": "x" },
            "basedOn": [{ "reference": "CarePlan/d" }, { "reference": "ServiceRequest/r2" }]
        }),
    ];
    fill(server, &resources).await;

    server
        .check_found(&[
            ("CarePlan?based-on:below=a", &["b", "c"]),
            ("CarePlan?part-of:below=a", &["c", "d"]),
            ("CarePlan?based-on:above=b", &["b", "c"]),
            ("CarePlan?part-of:above=c", &["c", "d"]),
            // A request may be based on a plan, which is where this hierarchy begins.
            ("ServiceRequest?based-on:below=CarePlan/a", &["r1", "r2"]),
            ("ServiceRequest?based-on:below=ServiceRequest/r1", &["r2"]),
            ("ServiceRequest?based-on:above=ServiceRequest/r2", &["r1", "r2"]),
            // Of the hierarchies of plans, others follow the one of wholes and parts.
            ("Observation?based-on:below=CarePlan/a", &["o"]),
            ("Observation?based-on:below=CarePlan/b", &[]),
            ("Observation?based-on:below=a", &["o"]),
        ])
        .await;
}

async fn whatever_searches_takes_hierarchies(server: &TestServer) {
    let mut resources = hospital();
    let visit = |id: &str, place: &str, whole: Option<&str>| {
        let mut visit = json!({
            "resourceType": "Encounter", "id": id, "status": "finished", "class": { "code": "IMP" },
            "subject": { "reference": "Patient/ada" }, "location": [{ "location": { "reference": place } }]
        });
        if let Some(whole) = whole {
            visit["partOf"] = json!({ "reference": format!("Encounter/{whole}") });
        }
        visit
    };
    let mut pulse = json!({ "resourceType": "Observation", "id": "pulse", "status": "final", "code": { "text": "x" } });
    pulse["encounter"] = at("Encounter/surgery");
    resources.extend([
        visit("stay", "Location/hospital", None),
        visit("surgery", "Location/room", Some("stay")),
        pulse,
    ]);
    fill(server, &resources).await;

    server
        .check_found(&[
            ("Procedure?location:below=east&patient=ada", &["in-room"]),
            ("Procedure?location:below=hospital&location:above=east", &["in-east", "in-hospital"]),
            ("Procedure?location.partof:below=hospital", &["in-east", "in-room", "in-west"]),
            ("Observation?encounter:below=stay", &["pulse"]),
            ("Observation?encounter.location:below=east", &["pulse"]),
            ("Observation?encounter.location:above=west", &[]),
            ("Patient?_has:Procedure:patient:location:below=west", &["ada"]),
            ("Patient?_has:Procedure:patient:location:below=hospital&_id=ben", &["ben"]),
            ("Location?_has:Procedure:location:subject:Patient.name:missing=true&partof:below=east", &["room"]),
            ("Patient/ada/Procedure?location:below=east", &["in-room"]),
            ("?_type=Procedure,Immunization&location:below=east", &["in-east", "in-room"]),
        ])
        .await;
    let form = "location:below=east&_sort=-_id&_count=1";
    let posted = server.request(Method::POST, "Procedure/_search").body("application/x-www-form-urlencoded", form);
    assert_eq!(posted.send().await.expect(200).matches(), ["in-room"]);
    let get = json!({ "request": { "method": "GET", "url": "Procedure?location:below=east&_sort=_id" } });
    let answer = server.post("", &bundle("batch", &[get])).await.expect(200).json();
    assert_eq!(answer["entry"][0]["resource"]["entry"].as_array().map(Vec::len), Some(2), "{answer}");
    server.delete("Procedure?location:below=room").await.expect(204);
    server.check_found(&[("Procedure?location:below=east", &["in-east"])]).await;
    let put = server.put("Location?partof:below=hospital", &location("room", Some("Location/west"))).await;
    assert_eq!(put.status, 412, "{}", put.text());
}

/// Chains, trees, circles and loose ends, compared with a walk over the resources.
async fn hierarchies_of_any_form_end_and_are_followed_wholly(server: &TestServer) {
    const PLACES: usize = 60;
    let mut random = Random::new(42);
    let mut wholes: Vec<Option<usize>> = Vec::new();
    let mut resources = Vec::new();
    for place in 0..PLACES {
        // A chain of 20, then what refers anywhere: to itself, in circles, to what is not there.
        let whole = match place {
            0 => None,
            1..20 => Some(place - 1),
            _ if random.percent(20) => None,
            _ => Some(random.below(PLACES + 3)),
        };
        let target = whole.map(|whole| format!("Location/l{whole}"));
        resources.push(location(&format!("l{place}"), target.as_deref()));
        resources.push(procedure(&format!("p{place}"), "ada", at(&format!("Location/l{place}"))));
        wholes.push(whole);
    }
    // A circle with a tail, whatever was rolled.
    for (place, whole) in [(57, 59), (58, 57), (59, 58), (56, 57)] {
        resources[2 * place] = location(&format!("l{place}"), Some(&format!("Location/l{whole}")));
        wholes[place] = Some(whole);
    }
    resources.extend(
        (PLACES..PLACES + 3).map(|gone| procedure(&format!("p{gone}"), "ben", at(&format!("Location/l{gone}")))),
    );
    fill(server, &resources).await;

    let up = |start: usize| {
        let mut above = BTreeSet::from([start]);
        let mut next = wholes.get(start).copied().flatten();
        while let Some(place) = next.filter(|place| above.insert(*place)) {
            next = wholes.get(place).copied().flatten();
        }
        above
    };
    let mut circles = 0;
    for place in 0..PLACES + 3 {
        let below: BTreeSet<usize> = (0..PLACES + 3).filter(|other| up(*other).contains(&place)).collect();
        circles += usize::from(up(place).iter().any(|above| *above != place && up(*above).contains(&place)));
        for (direction, wanted) in [("above", up(place)), ("below", below)] {
            let search = format!("Procedure?location:{direction}=l{place}&_count=100");
            let found: BTreeSet<String> = server.found(&search).await.into_iter().collect();
            let wanted: BTreeSet<String> = wanted.iter().map(|place| format!("p{place}")).collect();
            assert_eq!(found, wanted, "{search}");
            let beside: BTreeSet<String> = server.found(&format!("{search}&patient=ada")).await.into_iter().collect();
            let here: BTreeSet<String> =
                wanted.into_iter().filter(|id| id[1..].parse::<usize>().unwrap() < PLACES).collect();
            assert_eq!(beside, here, "{search}&patient=ada");
        }
    }
    assert!(circles >= 3, "{circles}");
}

async fn what_is_no_hierarchy_is_refused(server: &TestServer) {
    let cases = [
        ("Patient?link:below=1", "':above' and ':below' are for references into a hierarchy"),
        ("Observation?patient:above=1", "it takes ':missing', ':identifier', ':Patient'"),
        (
            "Observation?based-on:below=MedicationRequest/1",
            "a MedicationRequest is in no hierarchy here; give one of CarePlan",
        ),
        ("QuestionnaireResponse?questionnaire:below=http://x", "comparing the versions of canonical references"),
        ("StructureDefinition?base:above=http://x", "comparing the versions of canonical references"),
        ("Procedure?location:below.name=x", "after 'location:' comes a resource type"),
        ("Procedure?location:below=", "empty value"),
    ];
    for (search, text) in cases {
        let answer = server.get(search).await.expect(400);
        assert!(answer.text().contains(text), "{search}: {}", answer.text());
        assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    }
}

async fn the_statement_tells_which_parameters_follow_a_hierarchy(server: &TestServer) {
    let statement = server.get("metadata").await.expect(200).json();
    let mut told = 0;
    for resource in statement["rest"][0]["resource"].as_array().unwrap() {
        let type_name = resource["type"].as_str().unwrap();
        for parameter in resource["searchParam"].as_array().unwrap() {
            let name = parameter["name"].as_str().unwrap();
            let documentation = parameter["documentation"].as_str().unwrap_or_default();
            let is_told = documentation.starts_with("Takes :above and :below, along ");
            let answer = server.get(&format!("{type_name}?{name}:below=http://x.example/Y/1&_count=0")).await;
            if is_told {
                told += 1;
                assert_eq!(answer.status, 200, "{type_name}.{name}: {}", answer.text());
            } else if parameter["type"] == "reference" {
                assert_eq!(answer.status, 400, "{type_name}.{name}");
            }
        }
    }
    assert!(told > 100, "{told}");
}
