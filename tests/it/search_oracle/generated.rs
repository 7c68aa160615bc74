//! Random queries over random resources find what the oracle finds.
//!
//! `EMBERWELL_TEST_SEED` sets the seed, which a failure prints.

use std::io::Write as _;

use serde_json::Value;

use crate::search_oracle::compared::difference;
use crate::search_oracle::fill;
use crate::search_oracle::oracle::{World, key};
use crate::search_oracle::queries::{Query, query};
use crate::search_oracle::random::Random;
use crate::search_oracle::resources::resources;
use crate::search_oracle::shrink::smaller;
use crate::support::{TestServer, on_both};

on_both!(random_queries_find_what_the_oracle_finds);

/// On each database.
const QUERIES: usize = 10_000;
/// After so many different failures the rest would say little more.
const MOST_FAILURES: usize = 20;

async fn random_queries_find_what_the_oracle_finds(server: &TestServer) {
    let seed = seed();
    let _ = writeln!(std::io::stderr(), "EMBERWELL_TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let made = resources(&mut random, &server.base);
    fill(server, &made).await;
    let world = World::new(stored(server, &made).await, server.base.clone(), emberwell::clock::now_us());
    let mut failures = Vec::new();
    let mut finding = 0;

    for _ in 0..QUERIES {
        let asked = query(&mut random, &world);
        finding += usize::from(!world.found(&asked).is_empty());
        if difference(server, &world, &asked).await.is_some() {
            let least = shrunk(server, &world, asked).await;
            let told = difference(server, &world, &least).await.unwrap_or_default();
            failures.push(told);
            failures.sort();
            failures.dedup();
        }
        if failures.len() >= MOST_FAILURES {
            break;
        }
    }
    let _ = writeln!(std::io::stderr(), "{finding} of {QUERIES} queries find something");
    assert!(finding * 3 > QUERIES || !failures.is_empty(), "most queries find nothing");
    assert!(failures.is_empty(), "EMBERWELL_TEST_SEED={seed}, {} differ:\n{}", failures.len(), failures.join("\n"));
}

fn seed() -> u64 {
    match std::env::var("EMBERWELL_TEST_SEED") {
        Ok(seed) => seed.parse().expect("EMBERWELL_TEST_SEED is a whole number"),
        Err(_) => emberwell::clock::now_us().unsigned_abs(),
    }
}

/// What was sent, with the `lastUpdated` that the server gave.
async fn stored(server: &TestServer, made: &[Value]) -> Vec<Value> {
    let mut all = Vec::new();
    for resource in made {
        let answer = server.get(&format!("{}?_elements=id", key(resource))).await.expect(200).json();
        let mut resource = resource.clone();
        resource["meta"]["lastUpdated"] = answer["meta"]["lastUpdated"].clone();
        all.push(resource);
    }
    all
}

/// Takes things off while it still fails.
async fn shrunk(server: &TestServer, world: &World, mut query: Query) -> Query {
    'smaller: loop {
        for less in smaller(&query) {
            if difference(server, world, &less).await.is_some() {
                query = less;
                continue 'smaller;
            }
        }
        return query;
    }
}
