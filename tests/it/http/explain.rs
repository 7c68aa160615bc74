//! `_explain=true`: how a search was done.
//!
//! Own to this server; docs/api/explain.md

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, bundle, observation, on_both, patient_called};

on_both!(
    a_search_is_explained_by_its_statements_plans_and_times,
    every_kind_of_search_is_explained_as_it_was_understood,
    a_search_that_does_not_end_in_time_is_explained_up_to_there,
    an_explanation_is_offered_only_where_it_is_given,
    an_explanation_holds_no_value_of_the_search,
    a_server_that_does_not_explain_says_how_to_have_it_do_so,
);

fn part<'v>(parameter: &'v Value, name: &str) -> &'v Value {
    parameter["part"].as_array().unwrap().iter().find(|part| part["name"] == name).unwrap()
}

fn named(answer: &Answer, name: &str) -> Vec<Value> {
    let parameters = answer.json()["parameter"].as_array().cloned().unwrap();
    parameters.into_iter().filter(|parameter| parameter["name"] == name).collect()
}

fn names(parameters: &[Value]) -> Vec<String> {
    parameters.iter().map(|one| part(one, "name")["valueCode"].as_str().unwrap().to_owned()).collect()
}

async fn explaining(server: &TestServer) -> TestServer {
    server.beside(|settings| settings.server.explain = true).await
}

async fn a_search_is_explained_by_its_statements_plans_and_times(server: &TestServer) {
    for _ in 0..3 {
        server.create(&patient_called("Oak")).await;
    }
    let explaining = explaining(server).await;
    let answer = explaining.get("Patient?family=oak&_total=accurate&_explain=true&_count=2").await.expect(200);

    assert_eq!(answer.json()["resourceType"], "Parameters");
    let steps = named(&answer, "step");
    assert_eq!(names(&steps), ["parse", "compile", "statements", "write"]);
    assert!(steps.iter().all(|step| part(step, "microseconds")["valueInteger"].is_u64()), "{}", answer.text());
    let statements = named(&answer, "statement");
    // What begins so may be many.
    assert_eq!(names(&statements), ["sizes", "page", "cursor", "count"]);
    let statements = &statements[1..];
    // One more than the page has, which tells that there is a next one.
    assert_eq!(part(&statements[0], "rows")["valueInteger"], 3);
    assert_eq!(part(&statements[1], "rows")["valueInteger"], 1);
    assert_eq!(part(&statements[2], "number")["valueDecimal"], 3);
    for statement in [&statements[0], &statements[2]] {
        let text = part(statement, "text")["valueString"].as_str().unwrap();
        let plan = part(statement, "plan")["valueString"].as_str().unwrap();
        assert!(text.starts_with("SELECT ") && text.contains("index_string") && text.contains('?'), "{text}");
        assert!(plan.contains("folded"), "{plan}");
    }
    let next = explaining.get("Patient?family=oak&_count=2").await.link("next").unwrap();
    let next = explaining.get(&format!("{next}&_explain=true")).await.expect(200);
    assert_eq!(names(&named(&next, "statement")), ["cursor", "page"]);
    let posted = explaining.request(Method::POST, "Patient/_search?_explain=true");
    let posted = posted.body("application/x-www-form-urlencoded", "family=oak").send().await.expect(200);
    assert_eq!(names(&named(&posted, "statement")), ["sizes", "page"]);
    assert_eq!(explaining.found("Patient?family=oak&_explain=false").await.len(), 3);
    explaining.get("?_explain=true").await.expect(200);
    explaining.stop().await;
}

/// The texts of the parts called `name` of what was understood.
fn understood(answer: &Answer, name: &str) -> Vec<String> {
    let parts = named(answer, "request")[0]["part"].as_array().unwrap().clone();
    let parts = parts.into_iter().filter(|part| part["name"] == name);
    parts.map(|part| part["valueString"].as_str().or(part["valueCode"].as_str()).unwrap().to_owned()).collect()
}

async fn every_kind_of_search_is_explained_as_it_was_understood(server: &TestServer) {
    let mut patient = patient_called("Oak");
    patient["id"] = json!("oak");
    server.put("Patient/oak", &patient).await.expect(201);
    server.create(&observation("Patient/oak", "70")).await;
    let entry = json!({ "item": { "reference": "Patient/oak" } });
    let list =
        json!({ "resourceType": "List", "id": "trees", "status": "current", "mode": "working", "entry": [entry] });
    server.put("List/trees", &list).await.expect(201);
    let explaining = explaining(server).await;

    let cases: [(&str, &[&str], &[&str], &str); 12] = [
        ("Patient?name=oak,elm&_id=oak", &["name (string, 2)", "_id (id, 1)"], &["page"], "index_string"),
        ("Patient?gender:not=male", &["gender:not (token, 1)"], &["page"], "index_token"),
        ("Patient?birthdate:missing=true", &["birthdate:missing (boolean, 1)"], &["page"], "index_date"),
        (
            "Observation?patient.name=oak",
            &["patient to Patient.name (string, 1)"],
            &["sizes", "page"],
            "index_reference",
        ),
        (
            "Patient?_has:Observation:patient:code=29463-7",
            &["from Observation.patient with code (token, 1)"],
            &["sizes", "page"],
            "index_reference",
        ),
        (
            "Observation?code-value-quantity=29463-7$gt60",
            &["code-value-quantity (composite, 1)"],
            &["page"],
            "index_composite",
        ),
        ("Patient?_list=trees", &["_list (1)"], &["page"], "index_reference"),
        ("Patient/oak/Observation?code=29463-7", &["code (token, 1)"], &["page"], "compartment"),
        ("Observation?_include=Observation:subject", &[], &["page", "include"], "resource"),
        ("Patient?_revinclude=Observation:subject&_total=accurate", &[], &["page", "count", "include"], "resource"),
        ("Observation?_summary=count", &[], &["count"], "type_count"),
        (
            "?_type=Observation,Condition&subject=Patient/oak",
            &["Observation.subject (reference, 1) or Condition.subject (reference, 1)"],
            &["page"],
            "index_reference",
        ),
    ];
    for (search, criteria, statements, table) in cases {
        let separator = if search.contains('?') { '&' } else { '?' };
        let answer = explaining.get(&format!("{search}{separator}_explain=true")).await.expect(200);
        assert_eq!(understood(&answer, "criterion"), criteria, "{search}");
        let mut told = named(&answer, "statement");
        assert_eq!(names(&told), statements, "{search}: {}", answer.text());
        told.retain(|statement| part(statement, "name")["valueCode"] != "sizes");
        assert!(part(&told[0], "text")["valueString"].as_str().unwrap().contains(table), "{search}");
        assert!(told.iter().all(|one| !part(one, "plan")["valueString"].as_str().unwrap().is_empty()), "{search}");
        let found = match told[0]["part"].as_array().unwrap().iter().find(|part| part["name"] == "number") {
            Some(number) => number["valueDecimal"].clone(),
            None => part(&told[0], "rows")["valueInteger"].clone(),
        };
        assert_eq!(found, 1, "{search}");
    }
    let shaped = explaining.get("Patient/oak/Observation?_sort=-_id&_count=3&_explain=true").await.expect(200);
    assert_eq!(understood(&shaped, "type"), ["Observation"]);
    assert_eq!(understood(&shaped, "compartment"), ["Patient"]);
    assert_eq!(understood(&shaped, "shape"), ["_sort=-_id", "_count=3"]);
    explaining.stop().await;
}

async fn a_search_that_does_not_end_in_time_is_explained_up_to_there(server: &TestServer) {
    let entry = |number: usize| {
        let family = format!("{number} {}", "of the long and winding road ".repeat(6));
        json!({ "request": { "method": "POST", "url": "Patient" }, "resource": patient_called(&family) })
    };
    server.post("", &bundle("transaction", &(0..1000).map(entry).collect::<Vec<_>>())).await.expect(200);
    let limited = server.beside(|settings| {
        settings.server.explain = true;
        settings.limits.search_time = Some(Duration::from_millis(50));
    });
    let limited = limited.await;
    let values: Vec<String> = (0..1900).map(|number| format!("smithereens{number}")).collect();
    let search = format!("family:contains={}&_total=accurate&_explain=true", values.join(","));

    let posted = limited.request(Method::POST, "Patient/_search");
    let answer = posted.body("application/x-www-form-urlencoded", search).send().await.expect(200);

    let statements = named(&answer, "statement");
    assert_eq!(names(&statements), ["page"]);
    assert_eq!(part(&statements[0], "ended")["valueBoolean"], true);
    assert!(part(&statements[0], "plan")["valueString"].as_str().unwrap().contains("param"), "{}", answer.text());
    let ended = named(&answer, "ended")[0]["valueString"].as_str().unwrap().to_owned();
    assert!(ended.contains("'family:contains' is costly"), "{ended}");
    assert!(named(&answer, "bytes").is_empty() && !answer.text().contains("smithereens"));
    assert_eq!(limited.found("Patient?_count=3").await.len(), 3);
    limited.stop().await;
}

async fn an_explanation_is_offered_only_where_it_is_given(server: &TestServer) {
    let text = "_explain=true";
    assert!(!server.get("metadata").await.expect(200).text().contains(text));
    let explaining = explaining(server).await;

    assert!(explaining.get("metadata").await.expect(200).text().contains(text));

    explaining.stop().await;
}

async fn an_explanation_holds_no_value_of_the_search(server: &TestServer) {
    server.create(&patient_called("Smithereens")).await;
    let explaining = explaining(server).await;
    for search in [
        "family=smithereens",
        "family:exact=Smithereens",
        "family:contains=smither%27eens",
        "family:contains=smither%5C%5C%0Aeens",
        "family:not=smithereens",
        "birthdate=1969-07-20",
        "identifier=https://smithereens.example|x1969x",
        "general-practitioner=Practitioner/smithereens",
        "_id=smithereens,a,b",
        "_id=smithereens&_sort=_id",
        "_lastUpdated=gt1969-07-20",
    ] {
        let answer = explaining.get(&format!("Patient?{search}&_explain=true&_total=accurate")).await;
        if search == "family:not=smithereens" {
            answer.refused(400);
            continue;
        }
        let text = answer.expect(200).text();
        for value in ["mither", "eens", "1969-07", "x1969x", "-14256000000000"] {
            assert!(!text.contains(value), "{search}: {text}");
        }
    }
    explaining.stop().await;
}

async fn a_server_that_does_not_explain_says_how_to_have_it_do_so(server: &TestServer) {
    let issue = server.get("Patient?_explain=true").await.refused(403);
    let text = issue["details"]["text"].as_str().unwrap();

    assert_eq!(issue["code"], "forbidden");
    assert!(text.contains("--explain"), "{text}");
    server.get("Patient?_explain=false").await.expect(200);
    let explaining = explaining(server).await;
    let get = json!({ "request": { "method": "GET", "url": "Patient?_explain=true" } });
    let batch = explaining.post("", &bundle("batch", &[get])).await.expect(200);
    assert_eq!(batch.json()["entry"][0]["response"]["status"], "400 Bad Request");
    let write = explaining.request(Method::PUT, "Patient?family=oak&_explain=true").json(&patient_called("Oak"));
    write.send().await.refused(400);
    explaining.stop().await;
}
