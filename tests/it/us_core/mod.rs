//! Every search that US Core asks for, on published and synthetic resources, compared with the search oracle.
//!
//! The searches are those of the metadata by which the US Core test kit of Inferno is generated: combinations,
//! comparators, several values, chains, `_include` and `_revinclude`. The search parameters that US Core defines of its own are
//! put in force by their definitions. All is read from the folder `EMBERWELL_SHARED` (by
//! default `../shared` beside this package); without it the test passes with a line on stderr. A run asks one
//! in five of the queries; `EMBERWELL_TEST_ALL=1` asks all.
//!
//! Spec: US Core 3.1.1 and 6.1.0, CapabilityStatement us-core-server

pub mod data;
mod metadata;
mod searches;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;

use crate::interactions::own_parameters::reindex;
use crate::search_oracle::compared::difference;
use crate::search_oracle::fill;
use crate::search_oracle::oracle::World;
use crate::support::{TestServer, on_both};

on_both!(every_search_of_us_core_finds_what_the_oracle_finds);

/// Synthetic patients with all that belongs to them.
const PATIENTS: usize = 4;
/// The same, when all queries are asked.
const MANY_PATIENTS: usize = 12;
/// Resources from which the values of one combination are taken.
const SOURCES: usize = 1;
/// One in so many queries is asked, when not all are.
const PART: usize = 5;

async fn every_search_of_us_core_finds_what_the_oracle_finds(server: &TestServer) {
    let Some(shared) = shared() else { return };
    let is_all = std::env::var("EMBERWELL_TEST_ALL").is_ok_and(|all| all == "1");
    let part = if is_all { 1 } else { PART };
    let resources = data::resources(&shared, if is_all { MANY_PATIENTS } else { PATIENTS });
    fill(server, &resources).await;
    let own = data::own_parameters(&shared);
    assert_eq!(own.len(), 4, "search parameters of US Core's own");
    for definition in &own {
        server.create(definition).await;
    }
    reindex(server, "$reindex").await;
    let world = World::new(resources, server.base.clone(), emberwell::clock::now_us());
    let groups = metadata::groups(&shared);
    let (mut asked, mut finding, mut without_data) = (0, 0, BTreeSet::new());
    let mut differences = Vec::new();
    let mut known = BTreeSet::new();

    for group in &groups {
        for combination in &group.combinations {
            let mut queries = searches::queries(&world, group, combination, SOURCES);
            if let [only] = combination.as_slice() {
                queries.extend(searches::chains(&world, group, only, SOURCES));
            }
            if queries.is_empty() {
                without_data.insert(format!("{}?{}", group.resource, combination.join("&")));
            }
            for query in queries {
                if !known.insert(format!("{query:?}")) {
                    continue;
                }
                if known.len() % part != 0 {
                    continue;
                }
                asked += 1;
                finding += usize::from(!world.found(&query).is_empty());
                differences.extend(difference(server, &world, &query).await);
            }
        }
    }
    let combinations: usize = groups.iter().map(|group| group.combinations.len()).sum();
    let _ = writeln!(
        std::io::stderr(),
        "US Core: {combinations} combinations of {} groups; {} resources; {asked} searches, {finding} of them find \
         something, {} differ; no data for {without_data:?}",
        groups.len(),
        world.resources.len(),
        differences.len()
    );
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    assert!(asked > 300 && finding * 2 > asked, "{asked} searches, {finding} find something");
    assert!(without_data.len() < 8, "too little data: {without_data:?}");
}

/// `None`, after saying so, when the folder is not there.
fn shared() -> Option<PathBuf> {
    let shared = std::env::var_os("EMBERWELL_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let needed = [metadata::ARCHIVE, data::SYNTHETIC, data::EXAMPLES];
    let missing = needed.iter().map(|name| shared.join(name)).find(|path| !path.exists());
    if let Some(missing) = missing {
        // Past the test harness, which would keep what a passing test prints.
        let _ = writeln!(std::io::stderr(), "SKIPPED: US Core searches: {} is not there", missing.display());
        return None;
    }
    Some(shared)
}
