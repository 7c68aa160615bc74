//! What a search may cost, and how much it may give: time, matches, and values of the parameters that say so.
//!
//! Spec: R4 search.html#return, #errors; R5 search.html#maxresults

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::{TestServer, bundle, on_both, patient_called, statuses};

on_both!(
    a_search_that_takes_too_long_ends_and_names_what_is_costly,
    a_costly_search_ends_wherever_it_stands,
    a_history_has_the_same_time,
    a_search_gives_no_more_than_maxresults_on_all_its_pages,
    the_total_of_a_search_is_that_of_all_its_pages,
    a_control_parameter_with_a_bad_value_is_refused_by_name,
);

/// Much less than looking for all of `needles` takes, much more than looking up a code.
const LIMIT: Duration = Duration::from_millis(100);
/// What an answer may take beyond the limit: the trials of the criteria, and a machine that has more to do.
const BEYOND: Duration = Duration::from_secs(1);

/// Patients with long names, in a transaction.
fn crowd() -> Value {
    let entry = |number: usize| {
        let family = format!("{number} {}", "of the long and winding road ".repeat(6));
        let patient = json!({ "resourceType": "Patient", "gender": "female", "name": [{ "family": family }] });
        json!({ "request": { "method": "POST", "url": "Patient" }, "resource": patient })
    };
    bundle("transaction", &(0..1000).map(entry).collect::<Vec<_>>())
}

/// A criterion whose values are all looked for in all names, which have none of them.
fn needles() -> String {
    let values: Vec<String> = (0..1900).map(|number| format!("smithereens{number}")).collect();
    format!("family:contains={}", values.join(","))
}

/// A server over 3000 patients that has `LIMIT` for a search.
async fn limited(server: &TestServer) -> TestServer {
    for _ in 0..3 {
        server.post("", &crowd()).await.expect(200);
    }
    server.beside(|settings| settings.limits.search_time = Some(LIMIT)).await
}

fn form(server: &TestServer, query: &str) -> Request {
    server.request(Method::POST, "Patient/_search").body("application/x-www-form-urlencoded", query)
}

async fn a_search_that_takes_too_long_ends_and_names_what_is_costly(server: &TestServer) {
    let limited = limited(server).await;
    let costly = format!("gender=female&{}", needles());

    for shape in ["", "&_total=accurate", "&_summary=count", "&_sort=-_id", "&_revinclude=Observation:subject"] {
        let begun = Instant::now();
        let answer = form(&limited, &format!("{costly}{shape}")).send().await;
        let took = begun.elapsed();
        let issue = answer.refused(503);
        let text = issue["details"]["text"].as_str().unwrap();
        assert!(took < LIMIT + BEYOND, "{took:?}");
        assert_eq!(issue["code"], "timeout", "{issue}");
        assert_eq!(issue["diagnostics"], issue["details"]["text"]);
        assert!(text.contains("the 100ms that it may: 'family:contains' is costly"), "{text}");
        assert!(!answer.text().contains("smithereens") && !text.contains("gender"), "{text}");
        assert_eq!(answer.header("Retry-After"), "");
    }
    // The same connections go on, and what is written takes its time.
    for _ in 0..20 {
        assert_eq!(limited.found("Patient?gender=female&_count=3").await.len(), 3);
    }
    limited.post("", &crowd()).await.expect(200);
    assert_eq!(limited.count("Patient").await, 4000);
    let unlimited = server.beside(|settings| settings.limits.search_time = None).await;
    let found_out = form(&unlimited, &costly).send().await.expect(200);
    assert_eq!(found_out.json()["total"], 0, "it can be found out in more time");
    unlimited.stop().await;
    limited.stop().await;
}

async fn a_costly_search_ends_wherever_it_stands(server: &TestServer) {
    let limited = limited(server).await;
    let search = format!("Patient?{}", needles());
    let patient = patient_called("Oak");
    let entry = |method: &str, url: &str| json!({ "request": { "method": method, "url": url }, "resource": patient });
    let get = json!({ "request": { "method": "GET", "url": search } });
    let mut create = entry("POST", "Patient");
    create["request"]["ifNoneExist"] = json!(needles());
    let delete = json!({ "request": { "method": "DELETE", "url": search } });
    let costly = [get, create, entry("PUT", &search), delete];

    for entry in &costly {
        let begun = Instant::now();
        let transaction = limited.post("", &bundle("transaction", &[entry.clone(), entry_of(&patient)])).await;
        assert!(begun.elapsed() < LIMIT + BEYOND, "{:?} {}", begun.elapsed(), entry["request"]["method"]);
        let issue = transaction.refused(503);
        assert_eq!((&issue["code"], &issue["expression"][0]), (&json!("timeout"), &json!("Bundle.entry[0]")));
        assert!(issue["details"]["text"].as_str().unwrap().contains("'family:contains' is costly"), "{issue}");
    }
    assert_eq!(limited.count("Patient").await, 3000);
    for entry in &costly {
        let batch = limited.post("", &bundle("batch", &[entry.clone(), entry_of(&patient)])).await.expect(200);
        assert_eq!(statuses(&batch.entries()), ["503", "201"], "{}", entry["request"]["method"]);
        let text =
            batch.entries()[0]["response"]["outcome"]["issue"][0]["details"]["text"].as_str().unwrap().to_owned();
        assert!(text.contains("'family:contains' is costly") && !text.contains("smithereens"), "{text}");
    }
    // Each of these is a request of its own, whose address holds no more.
    let few: String = needles().chars().take(15_000).collect();
    for method in [Method::PUT, Method::DELETE] {
        let begun = Instant::now();
        let answer = limited.request(method.clone(), &format!("Patient?{few}")).json(&patient).send().await;
        let text = answer.refused(503)["details"]["text"].as_str().unwrap().to_owned();
        assert!(text.contains("'family:contains' is costly"), "{method}: {text}");
        assert!(begun.elapsed() < LIMIT + BEYOND, "{method}: {:?}", begun.elapsed());
    }
    let create =
        limited.request(Method::POST, "Patient").header("If-None-Exist", &needles()).json(&patient).send().await;
    assert_eq!(create.refused(503)["code"], "timeout");
    // All of a batch together have the time of six.
    let begun = Instant::now();
    let batch = limited.post("", &bundle("batch", &vec![costly[0].clone(); 40])).await.expect(200);
    assert!(begun.elapsed() < 6 * LIMIT + 2 * BEYOND, "{:?}", begun.elapsed());
    let last = batch.entries()[39]["response"].clone();
    assert_eq!(
        (last["status"].as_str().unwrap(), &last["outcome"]["issue"][0]["code"]),
        ("503 Service Unavailable", &json!("timeout"))
    );
    assert!(last["outcome"]["issue"][0]["details"]["text"].as_str().unwrap().contains("600ms"), "{last}");
    limited.stop().await;
}

fn entry_of(resource: &Value) -> Value {
    json!({ "request": { "method": "POST", "url": "Patient" }, "resource": resource })
}

async fn a_history_has_the_same_time(server: &TestServer) {
    server.create(&patient_called("Oak")).await;
    let limited = server.beside(|settings| settings.limits.search_time = Some(Duration::from_nanos(1))).await;

    for path in ["_history", "Patient/_history", "_history?_since=2020-01-01T00:00:00Z"] {
        let issue = limited.get(path).await.refused(503);
        assert_eq!(issue["code"], "timeout", "{issue}");
    }
    server.get("_history").await.expect(200);
    limited.stop().await;
}

async fn a_search_gives_no_more_than_maxresults_on_all_its_pages(server: &TestServer) {
    for _ in 0..12 {
        server.create(&patient_called("Oak")).await;
    }
    for (most, sizes) in
        [(1, vec![1]), (4, vec![4]), (7, vec![4, 3]), (8, vec![4, 4]), (12, vec![4, 4, 4]), (99, vec![4, 4, 4])]
    {
        for sort in ["", "&_sort=_id", "&_sort=-_lastUpdated"] {
            let search = format!("Patient?family=oak&_count=4&_maxresults={most}{sort}");
            let mut page = server.get(&search).await.expect(200);
            let mut pages = vec![page.matches()];
            while let Some(next) = page.link("next") {
                page = server.get(&next).await.expect(200);
                for relation in ["self", "first", "previous"] {
                    let link = page.link(relation).unwrap();
                    assert!(link.contains(&format!("_maxresults={most}")), "{link}");
                }
                pages.push(page.matches());
            }
            assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{search}");
            let mut seen = pages.concat();
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), sizes.iter().sum::<usize>(), "no match twice");
            // Back to the first page and forth again, the pages are the same.
            for place in (0..pages.len() - 1).rev() {
                page = server.get(&page.link("previous").unwrap()).await.expect(200);
                assert_eq!(page.matches(), pages[place], "{search}");
            }
            assert_eq!(page.link("previous"), None);
            for expected in &pages[1..] {
                page = server.get(&page.link("next").unwrap()).await.expect(200);
                assert_eq!(page.matches(), *expected, "{search}");
            }
            assert_eq!(page.link("next"), None, "{search}");
        }
    }
    // A cursor belongs to the search that it was made for.
    let page = server.get("Patient?family=oak&_count=4&_maxresults=7").await.expect(200);
    let more = page.link("next").unwrap().replace("_maxresults=7", "_maxresults=9");
    server.get(&more).await.refused(400);
}

async fn the_total_of_a_search_is_that_of_all_its_pages(server: &TestServer) {
    for _ in 0..12 {
        server.create(&patient_called("Oak")).await;
    }
    for (search, total) in [
        ("_maxresults=5&_total=accurate", Some(5)),
        ("_maxresults=5&_count=2&_total=accurate", Some(5)),
        ("_maxresults=5&_summary=count", Some(5)),
        ("_maxresults=5&_count=0", Some(5)),
        ("_maxresults=99&_summary=count", Some(12)),
        ("_maxresults=5", Some(5)),
        ("_maxresults=5&_count=2", None),
    ] {
        let answer = server.get(&format!("Patient?{search}")).await.expect(200);
        assert_eq!(answer.json()["total"].as_u64(), total, "{search}");
    }
}

async fn a_control_parameter_with_a_bad_value_is_refused_by_name(server: &TestServer) {
    server.create(&patient_called("Oak")).await;
    let cases = [
        ("_count", vec!["", "x", "-1", "1.5", "+1", "1e3", " 1", "1,2"]),
        ("_maxresults", vec!["", "x", "0", "00", "-1", "1.5", " 1", "1,2"]),
        ("_cursor", vec!["", "x", "1~2", "1_2_3", "99999999999999999999"]),
        ("_total", vec!["", "some", "Accurate", "true", "none,accurate"]),
        ("_summary", vec!["", "some", "TRUE", "count,text"]),
        ("_elements", vec!["", ",", "name,,id", "$x", "nmae", "Patient.nmae", "valueQuantity"]),
        ("_sort", vec!["", "-", "colour", "--_id"]),
        ("_include", vec!["", "x", "Patient", "Patient:nothing", "Nothing:subject"]),
        ("_revinclude", vec!["", "x", "Observation", "Observation:nothing"]),
        ("_contained", vec!["", "x", "TRUE"]),
        ("_containedType", vec!["", "x", "containers"]),
        ("_type", vec!["", "Nothing", "Patient"]),
        ("_pretty", vec!["", "x", "1"]),
        ("_explain", vec!["", "x", "1"]),
    ];
    for (name, values) in cases {
        for value in values {
            for search in [
                format!("{name}={}", value.replace(' ', "%20")),
                format!("{name}={}&_count=1", value.replace(' ', "%20")),
            ] {
                let got = server.get(&format!("Patient?{search}")).await;
                let posted = server.request(Method::POST, "Patient/_search");
                let posted = posted.body("application/x-www-form-urlencoded", search.clone()).send().await;
                for answer in [got, posted] {
                    let issue = answer.refused(400);
                    let text = issue["details"]["text"].as_str().unwrap();
                    assert!(text.contains(name), "{search}: {text}");
                }
            }
        }
    }
    for name in ["_count", "_maxresults", "_total", "_summary", "_elements", "_sort"] {
        server.get(&format!("Patient?{name}:exact=1")).await.refused(400);
    }
    for twice in
        ["_count=1&_count=2", "_total=none&_total=none", "_maxresults=1&_maxresults=2", "_explain=false&_explain=false"]
    {
        server.get(&format!("Patient?{twice}")).await.refused(400);
    }
    for (format, status) in [("xml", 406), ("nonsense", 406), ("", 406)] {
        server.get(&format!("Patient?_format={format}")).await.refused(status);
    }
    for good in [
        "_count=99999999999999999999",
        "_maxresults=99999999999999999999",
        "_pretty=false",
        "_contained=false",
        "_contained=both",
    ] {
        assert_eq!(server.found(&format!("Patient?{good}")).await.len(), 1, "{good}");
    }
}
