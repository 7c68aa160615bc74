//! Search through canonical references: chains and `_has`.
//!
//! Spec: R4 references.html#canonical, search.html#chaining, #has

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::search_oracle::random::Random;
use crate::search_oracle::{encoded, fill};
use crate::support::{TestServer, bundle, on_both};

on_both!(
    chains_lead_to_what_bears_the_url_and_the_version,
    what_is_referred_to_is_found_by_what_refers,
    chains_go_on_through_further_references,
    changes_count_at_once,
    random_references_lead_where_their_texts_say,
    what_leads_nowhere_is_refused,
);

const URL: &str = "http://emberwell.example/Questionnaire/";

fn questionnaire(id: &str, name: &str, version: Option<&str>, status: &str) -> Value {
    let mut questionnaire = json!({
        "resourceType": "Questionnaire", "id": id, "url": format!("{URL}{name}"), "status": status,
        "title": format!("About {name} {}", version.unwrap_or("always"))
    });
    if let Some(version) = version {
        questionnaire["version"] = json!(version);
    }
    questionnaire
}

fn response(id: &str, questionnaire: &str, status: &str) -> Value {
    json!({
        "resourceType": "QuestionnaireResponse", "id": id, "status": status, "questionnaire": questionnaire
    })
}

fn world(base: &str) -> Vec<Value> {
    vec![
        questionnaire("sleep-1", "sleep", Some("1"), "retired"),
        questionnaire("sleep-2", "sleep", Some("2"), "active"),
        questionnaire("mood", "mood", None, "active"),
        questionnaire("unused", "unused", Some("1"), "active"),
        json!({ "resourceType": "Questionnaire", "id": "nameless", "version": "7", "status": "draft", "title": "?" }),
        response("to-1", &format!("{URL}sleep|1"), "completed"),
        response("to-2", &format!("{URL}sleep|2"), "in-progress"),
        response("to-any", &format!("{URL}sleep"), "completed"),
        response("to-3", &format!("{URL}sleep|3"), "completed"),
        response("to-mood", &format!("{URL}mood"), "completed"),
        response("to-mood-1", &format!("{URL}mood|1"), "amended"),
        response("by-address", &format!("{base}/Questionnaire/nameless"), "stopped"),
        response("by-version", &format!("{base}/Questionnaire/nameless|7"), "stopped"),
        response("by-other", &format!("{base}/Questionnaire/nameless|8"), "stopped"),
        json!({ "resourceType": "QuestionnaireResponse", "id": "none", "status": "completed" }),
    ]
}

async fn check(server: &TestServer, cases: &[(&str, &[&str])]) {
    for (search, wanted) in cases {
        let mut found = server.found(search).await;
        found.sort();
        assert_eq!(found, *wanted, "{search}");
        let counted = server.get(&format!("{search}&_summary=count")).await.expect(200).json();
        assert_eq!(counted["total"], wanted.len(), "{search}");
    }
}

async fn chains_lead_to_what_bears_the_url_and_the_version(server: &TestServer) {
    fill(server, &world(&server.base)).await;
    let filter = format!(
        "QuestionnaireResponse?_filter={}",
        encoded("questionnaire[status eq active].title sw \"about sleep\" and status eq completed")
    );

    check(
        server,
        &[
            ("QuestionnaireResponse?questionnaire.title=about%20sleep", &["to-1", "to-2", "to-any"]),
            ("QuestionnaireResponse?questionnaire.title=about%20sleep%201", &["to-1", "to-any"]),
            ("QuestionnaireResponse?questionnaire.version=2", &["to-2", "to-any"]),
            // Each version is asked by itself: one of them is active, the other is not.
            ("QuestionnaireResponse?questionnaire.status=active", &["to-2", "to-any", "to-mood"]),
            ("QuestionnaireResponse?questionnaire.status:not=active", &["by-address", "by-version", "to-1", "to-any"]),
            ("QuestionnaireResponse?questionnaire:Questionnaire.status=retired", &["to-1", "to-any"]),
            (
                "QuestionnaireResponse?questionnaire.url:below=http://emberwell.example/",
                &["to-1", "to-2", "to-any", "to-mood"],
            ),
            ("QuestionnaireResponse?questionnaire._id=mood", &["to-mood"]),
            // A URL that is an address of this server leads to what is there.
            ("QuestionnaireResponse?questionnaire._id=nameless", &["by-address", "by-version"]),
            ("QuestionnaireResponse?questionnaire.status=draft&status=stopped", &["by-address", "by-version"]),
            ("QuestionnaireResponse?questionnaire.title=about%20sleep&status=completed", &["to-1", "to-any"]),
            ("QuestionnaireResponse?questionnaire.status=active&_id=to-1,to-2", &["to-2"]),
            ("QuestionnaireResponse?questionnaire.title=teapot", &[]),
            (&filter, &["to-any"]),
            // The value itself is compared as before.
            (
                "QuestionnaireResponse?questionnaire=http://emberwell.example/Questionnaire/sleep",
                &["to-1", "to-2", "to-3", "to-any"],
            ),
            ("QuestionnaireResponse?questionnaire=http://emberwell.example/Questionnaire/sleep|3", &["to-3"]),
            ("QuestionnaireResponse?questionnaire:missing=true", &["none"]),
        ],
    )
    .await;
}

async fn what_is_referred_to_is_found_by_what_refers(server: &TestServer) {
    fill(server, &world(&server.base)).await;

    check(
        server,
        &[
            (
                "Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed",
                &["mood", "sleep-1", "sleep-2"],
            ),
            ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=in-progress", &["sleep-2"]),
            ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=amended", &[]),
            ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=stopped", &["nameless"]),
            ("Questionnaire?_has:QuestionnaireResponse:questionnaire:_id=to-1", &["sleep-1"]),
            ("Questionnaire?_has:QuestionnaireResponse:questionnaire:_id=to-any", &["sleep-1", "sleep-2"]),
            ("Questionnaire?_has:QuestionnaireResponse:questionnaire:_id=to-3,by-other", &[]),
            ("Questionnaire?_has:QuestionnaireResponse:questionnaire:_id=to-any&status=active", &["sleep-2"]),
            ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status:not=completed", &["nameless", "sleep-2"]),
        ],
    )
    .await;
    let both = server.get("?_type=Questionnaire,Patient&_has:QuestionnaireResponse:questionnaire:_id=to-1").await;
    assert!(both.refused(400)["details"]["text"].as_str().unwrap().contains("does not refer to Patient"));
    let any = server.found("?_has:QuestionnaireResponse:questionnaire:_id=to-any,to-mood").await;
    assert_eq!(any.into_iter().collect::<BTreeSet<_>>(), ["mood", "sleep-1", "sleep-2"].map(str::to_owned).into());
}

async fn chains_go_on_through_further_references(server: &TestServer) {
    let library = |id: &str, version: &str, title: &str| {
        json!({
            "resourceType": "Library", "id": id, "url": "http://emberwell.example/Library/scores", "version": version,
            "status": "active", "type": { "text": "logic" }, "title": title
        })
    };
    let measure = |id: &str, libraries: &[&str]| {
        let mut measure = json!({
            "resourceType": "Measure", "id": id, "url": format!("http://emberwell.example/Measure/{id}"), "status": "active"
        });
        if !libraries.is_empty() {
            measure["library"] = json!(libraries);
        }
        measure
    };
    let report = |id: &str, measure: &str| {
        json!({
            "resourceType": "MeasureReport", "id": id, "status": "complete", "type": "summary",
            "measure": format!("http://emberwell.example/Measure/{measure}"),
            "period": { "start": "2026" }, "reporter": { "reference": "Organization/trust" }
        })
    };
    fill(
        server,
        &[
            json!({ "resourceType": "Organization", "id": "trust", "name": "Trust" }),
            library("scores-1", "1", "Old scores"),
            library("scores-2", "2", "New scores"),
            measure("falls", &["http://emberwell.example/Library/scores|1"]),
            measure("pain", &["http://emberwell.example/Library/scores|2", "http://emberwell.example/Library/gone"]),
            measure("both", &["http://emberwell.example/Library/scores"]),
            measure("neither", &[]),
            report("r-falls", "falls"),
            report("r-pain", "pain"),
            report("r-both", "both"),
            report("r-gone", "gone"),
        ],
    )
    .await;

    check(
        server,
        &[
            ("Measure?depends-on:Library.title=old", &["both", "falls"]),
            ("Measure?depends-on:Library.status=active", &["both", "falls", "pain"]),
            ("MeasureReport?measure.depends-on:Library.title=new", &["r-both", "r-pain"]),
            (
                "MeasureReport?measure.depends-on:Library.status=active&reporter=Organization/trust",
                &["r-both", "r-falls", "r-pain"],
            ),
            ("Library?_has:Measure:depends-on:_has:MeasureReport:measure:_id=r-falls", &["scores-1"]),
            ("Library?_has:Measure:depends-on:_has:MeasureReport:measure:status=complete", &["scores-1", "scores-2"]),
            ("Organization?_has:MeasureReport:reporter:measure.depends-on:Library.title=old", &["trust"]),
            ("Measure?_has:MeasureReport:measure:reporter:Organization.name=trust", &["both", "falls", "pain"]),
        ],
    )
    .await;
}

async fn changes_count_at_once(server: &TestServer) {
    fill(server, &world(&server.base)).await;
    let search = "QuestionnaireResponse?questionnaire.status=active";

    server.put("Questionnaire/sleep-2", &questionnaire("sleep-2", "sleep", Some("3"), "active")).await.expect(200);
    check(server, &[(search, &["to-3", "to-any", "to-mood"])]).await;
    server
        .put("QuestionnaireResponse/to-any", &response("to-any", &format!("{URL}sleep|1"), "completed"))
        .await
        .expect(200);
    check(server, &[(search, &["to-3", "to-mood"])]).await;
    server.delete("Questionnaire/mood").await.expect(204);
    check(server, &[(search, &["to-3"])]).await;
    let put = json!({
        "resource": questionnaire("mood", "mood", Some("1"), "active"),
        "request": { "method": "PUT", "url": "Questionnaire/mood" }
    });
    server.post("", &bundle("transaction", &[put])).await.expect(200);
    check(server, &[(search, &["to-3", "to-mood", "to-mood-1"])]).await;
    server.delete("QuestionnaireResponse?questionnaire.title=about%20mood&status=amended").await.expect(204);
    check(server, &[(search, &["to-3", "to-mood"])]).await;
}

/// References and definitions of few URLs and versions, compared one by one.
async fn random_references_lead_where_their_texts_say(server: &TestServer) {
    let mut random = Random::new(7);
    let versions = [None, Some("1"), Some("2"), Some("10")];
    let mut resources = Vec::new();
    let (mut definitions, mut references) = (Vec::new(), Vec::new());
    for place in 0..24 {
        let (name, version) = (random.of(&["a", "b", "ab", "a/b"]), *random.pick(&versions));
        let status = random.of(&["active", "draft"]);
        resources.push(questionnaire(&format!("q{place}"), name, version, status));
        definitions.push((format!("{URL}{name}"), version, status));
    }
    for place in 0..80 {
        let (name, version) = (random.of(&["a", "b", "ab", "a/b", "c"]), *random.pick(&versions));
        let status = random.of(&["completed", "amended"]);
        let text = version.map_or(format!("{URL}{name}"), |version| format!("{URL}{name}|{version}"));
        resources.push(response(&format!("r{place}"), &text, status));
        references.push((format!("{URL}{name}"), version, status));
    }
    fill(server, &resources).await;

    let leads = |reference: &(String, Option<&str>, &str), definition: &(String, Option<&str>, &str)| {
        reference.0 == definition.0 && (reference.1.is_none() || reference.1 == definition.1)
    };
    let set = |prefix: &str, places: Vec<usize>| -> BTreeSet<String> {
        places.into_iter().map(|place| format!("{prefix}{place}")).collect()
    };
    let referring = |is_wanted: &dyn Fn(usize) -> bool| {
        let is_one = |place: &usize| {
            (0..definitions.len()).any(|at| is_wanted(at) && leads(&references[*place], &definitions[at]))
        };
        set("r", (0..references.len()).filter(is_one).collect())
    };
    let referred = |is_wanted: &dyn Fn(usize) -> bool| {
        let is_one = |at: &usize| {
            (0..references.len()).any(|place| is_wanted(place) && leads(&references[place], &definitions[*at]))
        };
        set("q", (0..definitions.len()).filter(is_one).collect())
    };
    let mut cases = vec![
        (
            "QuestionnaireResponse?questionnaire.status=active".to_owned(),
            referring(&|at| definitions[at].2 == "active"),
        ),
        (
            "QuestionnaireResponse?questionnaire.title=about%20a".to_owned(),
            referring(&|at| definitions[at].0.contains("/a")),
        ),
        (
            "Questionnaire?_has:QuestionnaireResponse:questionnaire:status=amended".to_owned(),
            referred(&|place| references[place].2 == "amended"),
        ),
    ];
    for at in 0..definitions.len() {
        cases.push((format!("QuestionnaireResponse?questionnaire._id=q{at}"), referring(&|other| other == at)));
    }
    for place in 0..references.len() {
        let search = format!("Questionnaire?_has:QuestionnaireResponse:questionnaire:_id=r{place}");
        cases.push((search, referred(&|other| other == place)));
    }
    let mut nonempty = 0;
    for (search, wanted) in cases {
        let found: BTreeSet<String> = server.found(&format!("{search}&_count=200")).await.into_iter().collect();
        assert_eq!(found, wanted, "{search}");
        nonempty += usize::from(!wanted.is_empty());
    }
    assert!(nonempty > 60, "{nonempty}");
}

async fn what_leads_nowhere_is_refused(server: &TestServer) {
    let cases = [
        ("QuestionnaireResponse?questionnaire.teapot=x", "'teapot' is not a search parameter of Questionnaire"),
        ("QuestionnaireResponse?questionnaire:Patient.name=x", "after 'questionnaire:' comes a resource type"),
        ("Measure?depends-on.title=x", "name one"),
        ("Measure?depends-on:Patient.name=x", "after 'depends-on:' comes a resource type"),
        ("Patient?_has:Measure:depends-on:name=x", "refers by canonical URL, and a Patient has none"),
        ("QuestionnaireResponse?_sort=questionnaire.title", "by their canonical URL, which several may have"),
    ];
    for (search, problem) in cases {
        let refused = server.get(search).await.refused(400);
        let text = refused["details"]["text"].as_str().unwrap();
        assert!(text.contains(problem), "{search}: {text}");
    }
}
