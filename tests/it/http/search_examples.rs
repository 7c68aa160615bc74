//! Each row of docs/api/search-examples.json finds what it says, and the tables of docs/api/search.md say the same.
//!
//! `EMBERWELL_TEST_REWRITE=1` writes the tables anew.
//!
//! Spec: R4 search.html

use std::collections::BTreeSet;
use std::path::PathBuf;

use emberwell::config::PlanSettings;
use http::Method;
use serde_json::Value;

use crate::search_oracle::{encoded, fill};
use crate::support::{Answer, TestServer, on_both};

on_both!(each_example_finds_what_it_says);

/// What a row says of its answer.
const MEMBERS: &[&str] = &["request", "say", "finds", "pages", "with", "total", "refused"];

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/api").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

fn examples() -> Value {
    serde_json::from_str(&read("search-examples.json")).unwrap()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn names(value: &Value) -> Vec<String> {
    list(value).iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

async fn each_example_finds_what_it_says(server: &TestServer) {
    let examples = examples();
    let world: Vec<Value> = list(&examples["world"]).iter().map(|one| one["resource"].clone()).collect();
    fill(server, &world).await;
    // The page speaks of a server as it is by default. One to which four rows are many finds the same, in any order.
    let by_default = server.beside(|settings| settings.limits.plan = PlanSettings::default()).await;
    let mut differences = Vec::new();

    for row in list(&examples["sections"]).iter().flat_map(|section| list(&section["rows"])) {
        let unknown = row.as_object().unwrap().keys().find(|name| !MEMBERS.contains(&name.as_str()));
        assert_eq!(unknown, None, "{row}");
        for method in [Method::GET, Method::POST] {
            differences.extend(difference(&by_default, &method, &row, true).await);
            differences.extend(difference(server, &method, &row, false).await);
        }
    }
    by_default.stop().await;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What is wrong with the answer to the request of a row; `None` when nothing is.
async fn difference(server: &TestServer, method: &Method, row: &Value, is_in_order: bool) -> Option<String> {
    let request = row["request"].as_str().unwrap();
    let is_in_order = is_in_order || request.contains("_sort=");
    let told = |what: String| Some(format!("{method} {request}: {what}"));
    let mut answer = sent(server, method, request).await;
    if let Some(status) = row["refused"].as_u64() {
        let is_told = answer.json()["resourceType"] == "OperationOutcome";
        return if u64::from(answer.status) == status && is_told { None } else { told(answer.text()) };
    }
    if answer.status != 200 {
        return told(answer.text());
    }
    if row.get("total").is_some_and(|total| *total != answer.json()["total"]) {
        return told(format!("the total is {}", answer.json()["total"]));
    }
    let included: BTreeSet<String> = ids(&answer, "include").into_iter().collect();
    if included != names(&row["with"]).into_iter().collect() {
        return told(format!("with {included:?}"));
    }
    let mut pages = vec![ids(&answer, "match")];
    while let Some(next) = answer.link("next") {
        answer = server.get(&next).await.expect(200);
        pages.push(ids(&answer, "match"));
    }
    let wanted = match &row["pages"] {
        Value::Null => vec![names(&row["finds"])],
        pages => list(pages).iter().map(names).collect(),
    };
    let all = |pages: &[Vec<String>]| -> BTreeSet<String> { pages.iter().flatten().cloned().collect() };
    let sizes = |pages: &[Vec<String>]| -> Vec<usize> { pages.iter().map(Vec::len).collect() };
    let are_alike = match is_in_order {
        true => pages == wanted,
        false => all(&pages) == all(&wanted) && sizes(&pages) == sizes(&wanted),
    };
    if are_alike { None } else { told(format!("finds {pages:?}")) }
}

/// Asks in an address or by a form; a request is written without percent signs.
async fn sent(server: &TestServer, method: &Method, request: &str) -> Answer {
    let (path, query) = request.split_once('?').unwrap_or((request, ""));
    let parameters: Vec<String> = query
        .split('&')
        .filter_map(|parameter| parameter.split_once('='))
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let parameters = parameters.join("&");
    if method == Method::GET {
        return server.get(&format!("{path}?{parameters}")).await;
    }
    let path = if path.is_empty() { "_search".to_owned() } else { format!("{path}/_search") };
    server.request(Method::POST, &path).body("application/x-www-form-urlencoded", parameters).send().await
}

fn ids(answer: &Answer, mode: &str) -> Vec<String> {
    let entries = answer.entries().into_iter().filter(|entry| entry["search"]["mode"] == mode);
    entries.map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_page_says_what_the_examples_say() {
    let page = read("search.md");

    let anew = with_tables(&page, &examples());

    if std::env::var("EMBERWELL_TEST_REWRITE").is_ok_and(|rewrite| rewrite == "1") {
        std::fs::write(file("search.md"), anew).unwrap();
    } else {
        let line = page.lines().zip(anew.lines()).find(|(is, should)| is != should);
        assert!(page == anew, "write the tables anew with EMBERWELL_TEST_REWRITE=1: {line:?}");
    }
}

/// Modifiers, prefixes and operators by the section that is to show them.
const WAYS: &[(&str, &[&str])] = &[
    ("string", &[":exact=", ":contains=", ":missing="]),
    ("token", &[":not=", ":text=", ":of-type=", ":missing=", "_id=", "_id:not=", "_tag=", "_security="]),
    ("codes", &[":in=", ":not-in=", ":above=", ":below="]),
    ("reference", &[":Patient=", ":identifier=", ":missing="]),
    ("hierarchies", &[":above=", ":below="]),
    ("date", &["=eq", "=ne", "=gt", "=lt", "=ge", "=le", "=sa", "=eb", "=ap", ":missing=", "_lastUpdated="]),
    ("number", &["=eq", "=ne", "=gt", "=lt", "=ge", "=le", "=sa", "=eb", "=ap", ":missing="]),
    (
        "quantity",
        &["=eq", "=ne", "=gt", "=lt", "=ge", "=le", "=sa", "=eb", "=ap", ":missing=", "||", "[lb_av]", "mm[Hg]"],
    ),
    ("uri", &[":above=", ":below=", ":contains=", ":missing=", "_source=", "_profile="]),
    ("composite", &["$", ":missing="]),
    ("near", &["near=", ":missing="]),
    ("chains", &["patient.", "subject:Patient.", "_has:", ":_has:", "._has:"]),
    ("list", &["_list="]),
    ("several types", &["_type="]),
    ("compartments", &["Device/", "Encounter/", "Patient/", "Practitioner/", "RelatedPerson/", "/*"]),
    (
        "filter",
        &[
            " eq ", " ne ", " co ", " sw ", " ew ", " gt ", " lt ", " ge ", " le ", " sa ", " eb ", " ap ", " po ",
            " pr ", " re ", " in ", " ni ", " ss ", " sb ", " and ", " or ", "not (", "_has:", "[gender",
        ],
    ),
    ("words", &["_text=", "_content=", "_text:missing=", " OR ", " AND ", "NOT ", "*", "\"", "("]),
    ("sort", &["_sort=", "_sort=-", ",", "patient."]),
    ("pages", &["_count=", "_count=0", "_maxresults=", "_total=", "_summary=count"]),
    ("includes", &["_include=", "_include=*", ":*", "_include:iterate=", "_revinclude=", ":performer:Practitioner"]),
];

#[test]
fn each_way_to_search_has_an_example() {
    let examples = examples();
    let sections = list(&examples["sections"]);

    for (name, ways) in WAYS {
        let section = sections.iter().find(|section| section["section"] == *name).unwrap();
        let requests: Vec<String> =
            list(&section["rows"]).iter().map(|row| row["request"].as_str().unwrap().to_owned()).collect();
        for way in *ways {
            assert!(requests.iter().any(|request| request.contains(way)), "{name} has no row with '{way}'");
        }
    }
}

/// The page with each table, which stands after a mark and ends with an empty line, as the examples have it.
fn with_tables(page: &str, examples: &Value) -> String {
    let mut tables = vec![("world".to_owned(), world_table(examples))];
    for section in list(&examples["sections"]) {
        tables.push((section["section"].as_str().unwrap().to_owned(), table(&section)));
    }
    let mut page = page.to_owned();
    for (name, table) in tables {
        let mark = format!("<!-- by example: {name} -->\n");
        let at = page.find(&mark).unwrap_or_else(|| panic!("the page has no {mark}")) + mark.len();
        let end = at + page[at..].find("\n\n").expect("a table ends with an empty line");
        page.replace_range(at..end, table.trim_end());
    }
    page
}

fn world_table(examples: &Value) -> String {
    let mut text = "| id | type | what it is |\n|---|---|---|\n".to_owned();
    for one in list(&examples["world"]) {
        let part = |name: &str| one["resource"][name].as_str().unwrap().to_owned();
        text.push_str(&format!("| {} | {} | {} |\n", part("id"), part("resourceType"), one["say"].as_str().unwrap()));
    }
    text
}

fn table(section: &Value) -> String {
    let mut text = "| request | finds | |\n|---|---|---|\n".to_owned();
    for row in list(&section["rows"]) {
        let request = row["request"].as_str().unwrap().replace('|', "\\|");
        let say = row["say"].as_str().unwrap_or_default();
        text.push_str(&format!("| `{request}` | {} | {say} |\n", outcome(&row)).replace("|  |\n", "| |\n"));
    }
    text
}

/// What a row finds, in words.
fn outcome(row: &Value) -> String {
    if let Some(status) = row["refused"].as_u64() {
        return format!("refused: {status}");
    }
    let pages = list(&row["pages"]).iter().map(|page| names(page).join(", ")).collect::<Vec<_>>();
    let mut text = if pages.is_empty() { names(&row["finds"]).join(", ") } else { pages.join("; then ") };
    let included = names(&row["with"]);
    if !included.is_empty() {
        text.push_str(&format!(", with {}", included.join(", ")));
    }
    if let Some(total) = row["total"].as_u64() {
        let comma = if text.is_empty() { "" } else { ", " };
        text.push_str(&format!("{comma}a total of {total}"));
    }
    if text.is_empty() { "nothing".to_owned() } else { text }
}
