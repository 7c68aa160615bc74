//! `_filter`: its grammar, its operators, and that it is the algebra of sets.
//!
//! Spec: R4 search_filter.html

use std::collections::BTreeSet;
use std::io::Write as _;

use http::Method;
use serde_json::{Value, json};

use crate::search_oracle::encoded;
use crate::search_oracle::random::Random;
use crate::support::client::Answer;
use crate::support::{TestServer, bundle, on_both};

on_both!(
    operators_compare_as_the_specification_says,
    paths_go_through_references_and_filter_on_the_way,
    a_filter_is_one_parameter_among_others,
    what_is_no_filter_is_refused_with_its_place,
    filters_at_their_bounds_are_answered,
    random_filters_are_the_algebra_of_their_terms,
);

async fn fill(server: &TestServer) {
    let name = |family: &str, given: &str| json!([{ "family": family, "given": [given] }]);
    let reading = |id: &str, patient: &str, code: &str, value: f64, period: (&str, &str)| {
        json!({
            "resourceType": "Observation", "id": id, "status": "final",
            "code": { "coding": [{ "system": "http://loinc.org", "code": code }] },
            "subject": { "reference": patient },
            "effectivePeriod": { "start": period.0, "end": period.1 },
            "valueQuantity": { "value": value, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg" }
        })
    };
    let resources = [
        json!({ "resourceType": "Organization", "id": "clinic", "name": "Harbour Clinic" }),
        json!({
            "resourceType": "Patient", "id": "ada", "gender": "female", "active": true, "birthDate": "1980-05-01",
            "name": name("Moor", "Ada"), "managingOrganization": { "reference": "Organization/clinic" },
            "identifier": [{ "system": "urn:mrn", "value": "a,1" }]
        }),
        json!({
            "resourceType": "Patient", "id": "ben", "gender": "male", "birthDate": "1980",
            "name": name("Garcia Lopez", "Ben"), "identifier": [{ "system": "urn:mrn", "value": "b" }]
        }),
        json!({ "resourceType": "Patient", "id": "cleo", "name": name("Öztürk", "Cleo"), "birthDate": "1991-02-03" }),
        json!({ "resourceType": "Patient", "id": "dan", "gender": "male", "active": false }),
        json!({ "resourceType": "Group", "id": "herd", "type": "animal", "actual": true }),
        reading("o1", "Patient/ada", "1234-5", 5.0, ("2020-01-10", "2020-01-20")),
        reading("o2", "Patient/ben", "1234-5", 15.0, ("2020-01-15", "2020-02-01")),
        reading("o3", "Patient/ben", "9999-9", 25.0, ("2021-01-01", "2021-01-02")),
        reading("o4", "Group/herd", "9999-9", 35.0, ("2022-01-01", "2022-01-02")),
    ];
    for resource in resources {
        let (type_name, id) = (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        server.put(&format!("{type_name}/{id}"), &resource).await.expect(201);
    }
}

/// The ids that a search with this filter finds, in the order of the alphabet.
async fn filtered(server: &TestServer, type_name: &str, filter: &str) -> Vec<String> {
    let mut found = server.found(&format!("{type_name}?_filter={}", encoded(filter))).await;
    found.sort();
    found
}

/// The answer to a search whose parameters are too long for an address.
async fn posted(server: &TestServer, type_name: &str, form: &str) -> Answer {
    let request = server.request(Method::POST, &format!("{type_name}/_search"));
    request.body("application/x-www-form-urlencoded", form).send().await
}

async fn check(server: &TestServer, cases: &[(&str, &str, &[&str])]) {
    for (type_name, filter, wanted) in cases {
        assert_eq!(filtered(server, type_name, filter).await, *wanted, "{type_name}: {filter}");
    }
}

async fn operators_compare_as_the_specification_says(server: &TestServer) {
    fill(server).await;

    check(
        server,
        &[
            // Strings: whole, folded values.
            ("Patient", r#"family eq "moor""#, &["ada"]),
            ("Patient", r#"family eq "moo""#, &[]),
            ("Patient", r#"family eq "GARCIA lopez""#, &["ben"]),
            ("Patient", r#"family eq "lopez""#, &[]),
            ("Patient", r#"family ne "moor""#, &["ben", "cleo"]),
            ("Patient", r#"family ne "garcia lopez""#, &["ada", "cleo"]),
            ("Patient", r#"name co "o""#, &["ada", "ben", "cleo"]),
            ("Patient", "family co rk", &["cleo"]),
            ("Patient", "family sw oz", &["cleo"]),
            ("Patient", "family ew PEZ", &["ben"]),
            ("Patient", "family ew garcia", &[]),
            ("Patient", "family ew turk", &["cleo"]),
            ("Patient", "family gt g", &["ada", "cleo"]),
            ("Patient", "family ge Gz", &["ada", "ben", "cleo"]),
            ("Patient", "family lt o", &["ada", "ben"]),
            ("Patient", "family le m", &["ada", "ben"]),
            ("Patient", "family lt g", &[]),
            // Tokens: an item of the set is meant, so that absence is neither equal nor unequal.
            ("Patient", "gender eq male", &["ben", "dan"]),
            ("Patient", "gender eq MALE", &["ben", "dan"]),
            ("Patient", "gender ne male", &["ada"]),
            ("Patient", "not (gender eq male)", &["ada", "cleo"]),
            ("Patient", "not (gender ne male)", &["ben", "cleo", "dan"]),
            ("Patient", r#"identifier eq "urn:mrn|a\\,1""#, &["ada"]),
            ("Patient", r"identifier eq urn:mrn|a\,1", &["ada"]),
            ("Patient", "identifier ne urn:mrn|b", &["ada"]),
            ("Patient", "active eq true or active eq false", &["ada", "dan"]),
            ("Observation", "code eq http://loinc.org|1234-5", &["o1", "o2"]),
            ("Observation", "code eq loinc|1234-5", &["o1", "o2"]),
            ("Observation", "code ne loinc|1234-5", &["o3", "o4"]),
            ("Observation", "code eq snomed|1234-5", &[]),
            // Presence.
            ("Patient", "gender pr true", &["ada", "ben", "dan"]),
            ("Patient", "gender pr false", &["cleo"]),
            ("Patient", "not (gender pr false)", &["ada", "ben", "dan"]),
            ("Patient", "organization pr true", &["ada"]),
            // Dates.
            ("Patient", "birthdate eq 1980", &["ada", "ben"]),
            ("Patient", "birthdate eq 1980-05-01", &["ada"]),
            ("Patient", "birthdate ne 1980", &["cleo"]),
            ("Patient", "birthdate co 1980-05-01", &["ada", "ben"]),
            ("Patient", "birthdate co 1980-05-02", &["ben"]),
            ("Patient", "birthdate co 1980", &["ben"]),
            ("Patient", "birthdate gt 1980", &["cleo"]),
            ("Patient", "birthdate le 1980", &["ada", "ben"]),
            ("Patient", "birthdate sa 1985", &["cleo"]),
            ("Patient", "birthdate eb 1985", &["ada", "ben"]),
            ("Observation", "date po 2020-01-17", &["o1", "o2"]),
            ("Observation", "date po 2020-01-12", &["o1"]),
            ("Observation", "date po 2020", &["o1", "o2"]),
            ("Observation", "date po 2020-01-20T23:59:59Z", &["o1", "o2"]),
            ("Observation", "date po 2020-01-21", &["o2"]),
            ("Observation", "date po 2020-02-02", &[]),
            ("Observation", "date co 2020-01-15", &["o1", "o2"]),
            ("Observation", "date co 2020-01-09", &[]),
            ("Observation", "_lastUpdated gt 2020", &["o1", "o2", "o3", "o4"]),
            ("Observation", "_lastUpdated po 2020", &[]),
            ("Observation", "not (_lastUpdated co 2020)", &["o1", "o2", "o3", "o4"]),
            // Quantities.
            ("Observation", "value-quantity gt 15", &["o3", "o4"]),
            ("Observation", "value-quantity ge 15|ucum|mg", &["o2", "o3", "o4"]),
            ("Observation", "value-quantity lt 15||mg", &["o1"]),
            ("Observation", "value-quantity eq 15|ucum|g", &[]),
            ("Observation", "value-quantity ap 14", &["o2"]),
            ("Observation", "value-quantity ne 15", &["o1", "o3", "o4"]),
            // References, ids and composites.
            ("Observation", "subject re Patient/ben", &["o2", "o3"]),
            ("Observation", "subject re Group/herd", &["o4"]),
            ("Observation", "not (subject re Patient/ben)", &["o1", "o4"]),
            ("Patient", "_id eq ada or _id eq dan", &["ada", "dan"]),
            ("Patient", "_id ne ada", &["ben", "cleo", "dan"]),
            ("Patient", "not (_id eq ada)", &["ben", "cleo", "dan"]),
            ("Patient", "_id pr true", &["ada", "ben", "cleo", "dan"]),
            ("Patient", "not (_id pr true)", &[]),
            ("Observation", "code-value-quantity eq loinc|9999-9$gt30", &["o4"]),
        ],
    )
    .await;
}

async fn paths_go_through_references_and_filter_on_the_way(server: &TestServer) {
    fill(server).await;

    check(
        server,
        &[
            ("Observation", "subject.name co \"moor\"", &["o1"]),
            ("Observation", "patient.organization.name sw harbour", &["o1"]),
            ("Observation", "not (patient.organization.name sw harbour)", &["o2", "o3", "o4"]),
            ("Observation", "subject:Group.type eq animal", &["o4"]),
            ("Observation", "subject.gender eq male", &["o2", "o3"]),
            ("Observation", "patient[gender eq female].family eq moor", &["o1"]),
            ("Observation", "patient[gender eq male].family eq moor", &[]),
            ("Observation", "patient[not (gender eq female)].birthdate po 1980", &["o2", "o3"]),
            ("Observation", "patient[gender eq male or family eq moor].birthdate po 1980", &["o1", "o2", "o3"]),
            ("Observation", "patient[organization[name co clinic].name sw h].family eq moor", &["o1"]),
            ("Observation", "patient.gender pr true and value-quantity gt 10", &["o2", "o3"]),
            ("Patient", "_has:Observation:patient:code eq loinc|9999-9", &["ben"]),
            ("Patient", "not (_has:Observation:patient:code eq loinc|9999-9)", &["ada", "cleo", "dan"]),
            ("Patient", "_has:Observation:patient:value-quantity lt 10 or gender pr false", &["ada", "cleo"]),
            ("Organization", "_has:Patient:organization:_has:Observation:patient:status eq final", &["clinic"]),
            ("Observation", "patient._has:Observation:patient:code eq 9999-9", &["o2", "o3"]),
        ],
    )
    .await;
}

async fn a_filter_is_one_parameter_among_others(server: &TestServer) {
    fill(server).await;
    let either = encoded("gender eq female or family sw g");

    let cases: [(String, &[&str]); 8] = [
        (format!("Patient?_filter={either}&gender=male"), &["ben"]),
        (format!("Patient?_filter={either}&_filter={}", encoded("birthdate po 1980-05-01")), &["ada", "ben"]),
        (format!("Patient?_filter={either}&_filter={}", encoded("birthdate eq 1980-05-01")), &["ada"]),
        (format!("Patient/ben/Observation?_filter={}", encoded("value-quantity gt 20 or code eq 1")), &["o3"]),
        (format!("Observation?patient._filter={either}"), &["o1", "o2", "o3"]),
        (
            format!("Patient?_has:Observation:patient:_filter={}", encoded("value-quantity gt 20 and status eq final")),
            &["ben"],
        ),
        (
            format!("?_type=Patient,Observation&_filter={}", encoded("_id eq ada or _id eq o1 or _id eq clinic")),
            &["ada", "o1"],
        ),
        (
            format!("?_type=Observation,Group&_filter={}", encoded("not (_id eq o1) and _lastUpdated gt 2020")),
            &["herd", "o2", "o3", "o4"],
        ),
    ];
    for (search, wanted) in &cases {
        let mut found = server.found(search).await;
        found.sort();
        assert_eq!(found, *wanted, "{search}");
    }

    let first = server.get(&format!("Patient?_filter={either}&_count=1&_total=accurate")).await.expect(200);
    assert_eq!(first.json()["total"], 2);
    assert_eq!(first.matches(), ["ada"]);
    let second = server.get(&first.link("next").unwrap()).await.expect(200);
    assert_eq!(second.matches(), ["ben"]);
    assert!(second.link("self").unwrap().contains("_filter=gender"), "{:?}", second.link("self"));

    let conditional = format!("Patient?_filter={}", encoded("family eq moor and gender eq female"));
    let mut ada = server.get("Patient/ada").await.expect(200).json();
    ada["active"] = json!(false);
    server.put(&conditional, &ada).await.expect(200);
    assert_eq!(filtered(server, "Patient", "active eq false").await, ["ada", "dan"]);
    let statement = server.get("metadata").await.expect(200).json();
    let is_filter = |list: &Value| list.as_array().unwrap().iter().any(|one| one["name"] == "_filter");
    assert!(is_filter(&statement["rest"][0]["searchParam"]));
    assert!(statement["rest"][0]["resource"].as_array().unwrap().iter().all(|of| is_filter(&of["searchParam"])));
}

async fn what_is_no_filter_is_refused_with_its_place(server: &TestServer) {
    let cases = [
        ("Patient", "", "'_filter' has an empty value"),
        ("Patient", "name", "at character 5: after a name comes one of eq, ne"),
        ("Patient", "ä", "at character 1: here is to be the name"),
        ("Patient", "name eq \"é\" xor active eq true", "at character 13: after a comparison comes 'and', 'or'"),
        ("Patient", "gender eq male and teapot eq x", "at character 20: 'teapot' is not a search parameter of Patient"),
        ("Patient", "gendr eq male", "did you mean 'gender'?"),
        (
            "Patient",
            "gender gt male",
            "at character 8: 'gt' does not compare 'gender', which is a token: it takes eq, ne, ss, sb, in, ni, pr",
        ),
        (
            "Patient",
            "active in ValueSet/x",
            "at character 8: 'in' does not compare 'active', which is a token: it takes eq, ne, pr",
        ),
        ("Patient", "identifier ss a|b", "which is a token: it takes eq, ne, pr"),
        ("Observation", "code ss 8867-4", "at character 9: give system|code"),
        ("Observation", "code ni my-set", "give the canonical URL of a ValueSet"),
        ("Observation", "code in http://x,http://y", "a comparison has one value"),
        ("RiskAssessment", "probability co 0.5", "comparing with the precision in which a number was given"),
        ("Patient", "name ap x", "'ap' does not compare 'name', which is a string: it takes eq, ne, co, sw"),
        ("Patient", "birthdate sw 19", "'sw' does not compare 'birthdate', which is a date"),
        ("Patient", "organization eq Organization/1", "which is a reference: it takes re, pr"),
        ("Observation", "value-quantity po 5", "which is a quantity"),
        ("ValueSet", "url ne http://x", "which is a uri"),
        ("Observation", "code-value-quantity ne a$5", "which is a composite"),
        ("Location", "near eq 1|2", "'near' is special and can't be part of a filter"),
        ("Patient", "_list eq x", "'_list' can't be part of a filter"),
        ("Patient", "_filter eq x", "'_filter' can't be part of a filter"),
        ("Patient", "name:exact eq x", "'name' takes no modifier in a filter"),
        ("Patient", "name eq \"--\"", "it needs a letter or a digit"),
        ("Patient", "birthdate eq ge1980", "at character 14: "),
        ("Patient", "birthdate eq yesterday", "at character 14: "),
        ("Patient", "gender eq male,female", "a comparison has one value"),
        ("Patient", "gender pr perhaps", "'pr' takes true or false"),
        ("Patient", "name.given eq x", "at character 1: 'name' can't be searched by: 'name' is no reference"),
        ("Patient", "name[given eq x].family eq y", "is no reference"),
        ("Observation", "subject.teapot eq x", "at character 9: 'teapot' is not a search parameter of"),
        ("Observation", "subject:Teapot.name eq x", "after 'subject:' comes a resource type"),
        ("Provenance", "target.name eq x", "name one, as target:Patient"),
        ("Patient", "_has:Observation:patient eq x", "write _has:Type:reference:parameter"),
        ("Patient", "_has:Observation:code:code eq x", "'code' is no reference"),
        ("", "gender eq male", "'gender' is not a search parameter of a search over all types"),
    ];

    for (type_name, filter, problem) in cases {
        for prefer in ["handling=strict", "handling=lenient"] {
            let path = format!("{type_name}?_filter={}", encoded(filter));
            let answer = server.request(Method::GET, &path).header("Prefer", prefer).send().await;
            let issue = answer.refused(400);
            let text = issue["details"]["text"].as_str().unwrap();
            assert!(text.contains(problem), "{type_name}: {filter}: {text}");
        }
    }
    let refused = server.get("Patient?_filter:missing=true").await.refused(400);
    assert!(refused["details"]["text"].as_str().unwrap().contains("it takes no modifier"), "{refused}");
}

async fn filters_at_their_bounds_are_answered(server: &TestServer) {
    fill(server).await;
    let nested = format!("{}gender eq male{}", "not (".repeat(16), ")".repeat(16));
    // Alternating, so that nothing can be put together.
    let mut deep = "gender eq male".to_owned();
    for depth in 0..15 {
        let word = if depth % 2 == 0 { "and" } else { "or" };
        deep = format!("({deep} {word} not (_id eq x{depth}))");
    }
    let wide: Vec<String> = (0..64).map(|place| format!("name co \"a{place}\"")).collect();
    let mut bracketed = "patient.gender eq male".to_owned();
    for _ in 0..6 {
        bracketed = format!("patient[_has:Observation:patient:code eq 9999-9].gender eq male and {bracketed}");
    }
    let branching = |references: usize| format!("{}status eq active", "based-on.".repeat(references));
    let hops = "patient._has:Observation:patient:".repeat(4) + "status eq final";

    assert_eq!(filtered(server, "Patient", &nested).await, ["ben", "dan"]);
    assert_eq!(filtered(server, "Patient", &deep).await, ["ada", "ben", "cleo", "dan"]);
    assert_eq!(filtered(server, "Patient", &wide.join(" or ")).await, [""; 0]);
    assert_eq!(
        filtered(server, "Patient", &format!("not ({})", wide.join(" and "))).await,
        ["ada", "ben", "cleo", "dan"]
    );
    assert_eq!(filtered(server, "Observation", &bracketed).await, ["o2", "o3"]);
    assert_eq!(filtered(server, "ServiceRequest", &vec![branching(5); 2].join(" or ")).await, [""; 0]);
    assert_eq!(filtered(server, "Observation", &hops).await, ["o1", "o2", "o3"]);

    for (type_name, filter, problem) in [
        ("Patient", format!("({nested})"), "more than 16 parentheses"),
        ("Patient", "(".repeat(8000), "more than 16 parentheses"),
        ("Patient", format!("{} or name co x", wide.join(" or ")), "at most 64 comparisons"),
        ("Patient", format!("name co \"{}\"", "x".repeat(8192)), "longer than 8192 bytes"),
        ("Observation", "patient._has:Observation:patient:".repeat(5) + "status eq final", "more than 8 references"),
        ("ServiceRequest", branching(8), "more than 1000 conditions at '_filter'"),
    ] {
        let refused = posted(server, type_name, &format!("_filter={}", encoded(&filter))).await.refused(400);
        let text = refused["details"]["text"].as_str().unwrap();
        assert!(text.contains(problem), "{filter}: {text}");
    }
    let many = format!("_filter={}", encoded(&wide.join(" or ")));
    let many = vec![many; 8].join("&");
    assert_eq!(posted(server, "Patient", &many).await.expect(200).matches(), [""; 0]);
}

/// A filter, and what it is to find.
struct Known {
    filter: String,
    found: BTreeSet<String>,
}

async fn random_filters_are_the_algebra_of_their_terms(server: &TestServer) {
    const PEOPLE: usize = 60;
    const FILTERS: usize = 600;
    let seed = match std::env::var("EMBERWELL_TEST_SEED") {
        Ok(seed) => seed.parse().expect("EMBERWELL_TEST_SEED is a whole number"),
        Err(_) => emberwell::clock::now_us().unsigned_abs(),
    };
    let mut random = Random::new(seed);
    let mut entries = Vec::new();
    let mut put = |resource: Value| {
        let url = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        entries.push(json!({ "resource": resource, "request": { "method": "PUT", "url": url } }));
    };
    for number in 0..PEOPLE {
        let mut person = json!({ "resourceType": "Patient", "id": format!("p{number}") });
        if random.percent(80) {
            person["gender"] = json!(random.of(&["male", "female", "other"]));
        }
        if random.percent(80) {
            person["birthDate"] = json!(random.of(&["1980", "1980-05", "1980-05-01", "1990-01-01", "2001"]));
        }
        if random.percent(80) {
            person["name"] = json!([{ "family": random.of(&["Moor", "Mill", "Ash", "Moor Ash"]) }]);
        }
        if random.percent(30) {
            person["generalPractitioner"] = json!([{ "reference": "Practitioner/d" }]);
        }
        put(person);
        if random.percent(60) {
            put(json!({
                "resourceType": "Observation", "id": format!("o{number}"), "status": random.of(&["final", "amended"]),
                "code": { "coding": [{ "system": "urn:c", "code": random.of(&["x", "y"]) }] },
                "subject": { "reference": format!("Patient/p{number}") }, "valueInteger": 1
            }));
        }
    }
    put(json!({ "resourceType": "Practitioner", "id": "d", "name": [{ "family": "Quill" }], "gender": "female" }));
    server.post("", &bundle("transaction", &entries)).await.expect(200);
    let everyone: BTreeSet<String> = (0..PEOPLE).map(|number| format!("p{number}")).collect();

    // Each term with the search that asks the same.
    let terms = [
        ("gender eq male", "gender=male"),
        ("gender eq female", "gender=female"),
        ("gender pr false", "gender:missing=true"),
        ("birthdate ge 1980-05", "birthdate=ge1980-05"),
        ("birthdate lt 1990", "birthdate=lt1990"),
        ("birthdate eq 1980", "birthdate=1980"),
        ("family sw moor", "family=moor"),
        ("family co oo", "family:contains=oo"),
        ("family eq ash", "family:exact=Ash"),
        ("general-practitioner re Practitioner/d", "general-practitioner=Practitioner/d"),
        ("general-practitioner.gender eq female", "general-practitioner.gender=female"),
        ("general-practitioner:Practitioner.name co ill", "general-practitioner:Practitioner.name:contains=ill"),
        ("_has:Observation:patient:code eq urn:c|x", "_has:Observation:patient:code=urn:c|x"),
        ("_has:Observation:patient:status eq amended", "_has:Observation:patient:status=amended"),
        ("_id eq p1", "_id=p1"),
        ("_lastUpdated gt 2020", "_lastUpdated=gt2020"),
    ];
    let mut known = Vec::new();
    for (filter, search) in terms {
        let found = server.found(&format!("Patient?{}&_count=1000", search.replace('|', "%7C"))).await;
        known.push(Known { filter: filter.to_owned(), found: found.into_iter().collect() });
    }
    let finding = known.iter().filter(|term| !term.found.is_empty()).count();
    assert_eq!(finding, known.len(), "EMBERWELL_TEST_SEED={seed}: each term finds somebody");

    for _ in 0..FILTERS {
        let Known { filter, found } = expression(&mut random, &known, &everyone, 3);
        let other = random.pick(&terms);
        let is_joined = random.percent(20);
        let more = if is_joined { format!("&{}", other.1.replace('|', "%7C")) } else { String::new() };
        let mut wanted = found;
        if is_joined {
            let place = terms.iter().position(|term| term == other).unwrap();
            wanted = wanted.intersection(&known[place].found).cloned().collect();
        }
        let answer = server.get(&format!("Patient?_count=1000&_filter={}{more}", encoded(&filter))).await.expect(200);
        let got: BTreeSet<String> = answer.matches().into_iter().collect();
        if got != wanted {
            let _ = writeln!(std::io::stderr(), "EMBERWELL_TEST_SEED={seed}");
        }
        assert_eq!(got, wanted, "{filter}{more}");
    }
}

/// A random expression. A right operand of another kind than a term stands in parentheses, and so does, now and then, a
/// left one: there is no precedence.
fn expression(random: &mut Random, terms: &[Known], everyone: &BTreeSet<String>, depth: usize) -> Known {
    if depth == 0 || random.percent(15) {
        let Known { filter, found } = random.pick(terms);
        return Known { filter: filter.clone(), found: found.clone() };
    }
    let left = expression(random, terms, everyone, depth - 1);
    match random.below(5) {
        0 => Known {
            filter: format!("not ({})", left.filter),
            found: everyone.difference(&left.found).cloned().collect(),
        },
        choice => {
            let right = expression(random, terms, everyone, depth - 1);
            let (word, found) = match choice % 2 {
                0 => ("and", left.found.intersection(&right.found).cloned().collect()),
                _ => ("or", left.found.union(&right.found).cloned().collect()),
            };
            let filter = match random.percent(50) {
                true => format!("({}) {word} ({})", left.filter, right.filter),
                false => format!("{} {word} ({})", left.filter, right.filter),
            };
            Known { filter, found }
        }
    }
}
