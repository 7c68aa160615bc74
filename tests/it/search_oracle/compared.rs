//! One query asked of a server, and its answer compared with the oracle's, page by page.

use crate::search_oracle::oracle::{World, key};
use crate::search_oracle::queries::Query;
use crate::support::{Answer, TestServer};
use http::Method;

/// What is wrong with the answer to a query; `None` when nothing is.
pub async fn difference(server: &TestServer, world: &World, query: &Query) -> Option<String> {
    let wanted = world.found(query);
    let address = format!("{}?{}", query.path(), query.parameters());
    let told = |problem: String| Some(format!("{}{address}: {problem}", if query.is_posted { "POST " } else { "" }));
    let mut found = Vec::new();
    let mut next = Some(address.clone());
    while let Some(page) = next {
        let is_first = page == address;
        let answer = if query.is_posted && is_first { posted(server, query).await } else { server.get(&page).await };
        if answer.status != 200 {
            return told(format!("{} {}", answer.status, answer.text()));
        }
        let matches = keys(&answer, "match");
        if matches.len() > query.page {
            return told(format!("a page of {}", matches.len()));
        }
        if answer.json()["total"] != wanted.len() {
            return told(format!("{} wanted, the total is {}", wanted.len(), answer.json()["total"]));
        }
        if let Some(problem) = included_wrongly(world, query, &answer, &matches) {
            return told(problem);
        }
        found.extend(matches);
        if found.len() > wanted.len() + query.page {
            return told("the pages do not end".to_owned());
        }
        next = answer.link("next");
    }
    let mut wanted: Vec<String> = wanted.iter().map(|place| world.key(*place)).collect();
    wanted.sort();
    let in_order: Vec<usize> = found.iter().filter_map(|key| world.place(key)).collect();
    found.sort();
    if wanted != found {
        return told(unlike(&wanted, &found));
    }
    world.disorder_of(query, &in_order).and_then(told)
}

async fn posted(server: &TestServer, query: &Query) -> Answer {
    let path = query.path();
    let path = if path.is_empty() { "_search".to_owned() } else { format!("{path}/_search") };
    let request = server.request(Method::POST, &path);
    request.body("application/x-www-form-urlencoded", query.parameters()).send().await
}

fn keys(answer: &Answer, mode: &str) -> Vec<String> {
    let entries = answer.entries().into_iter().filter(|entry| entry["search"]["mode"] == mode);
    entries.map(|entry| key(&entry["resource"])).collect()
}

fn unlike(wanted: &[String], found: &[String]) -> String {
    let without = |all: &[String], other: &[String]| -> Vec<String> {
        all.iter().filter(|one| !other.contains(one)).take(5).cloned().collect()
    };
    let (little, much) = (without(wanted, found), without(found, wanted));
    let twice = found.windows(2).find(|pair| pair[0] == pair[1]);
    format!("{} wanted, {} found; not found {little:?}, too much {much:?}, twice {twice:?}", wanted.len(), found.len())
}

/// Compares what comes along with one page.
fn included_wrongly(world: &World, query: &Query, answer: &Answer, matches: &[String]) -> Option<String> {
    let places: Vec<usize> = matches.iter().filter_map(|key| world.place(key)).collect();
    let (wanted, is_cut) = world.included(&query.includes, &places);
    let mut wanted: Vec<String> = wanted.iter().map(|place| world.key(*place)).collect();
    wanted.sort();
    let mut found = keys(answer, "include");
    found.sort();
    if wanted != found {
        return Some(format!("included: {}", unlike(&wanted, &found)));
    }
    let is_told = answer.entries().iter().any(|entry| entry["search"]["mode"] == "outcome");
    (is_told != is_cut).then(|| format!("cut: {is_cut}, and the answer says {is_told}"))
}
