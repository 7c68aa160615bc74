//! The table of ways to what is hidden, each asked with each kind of token.

use http::Method;

use crate::leak::judge::{Judge, Sent};
use crate::leak::reads::{IN_BUNDLES, QUERIES, RESOURCES};
use crate::leak::world::{Kind, Worlds};
use crate::leak::writes::writes;
use crate::leak::{finish, seed};
use crate::support::{Database, on_both};

on_both!(by crate::leak::run:
    nothing_hidden_comes_to_light_for_the_app_of_a_person,
    nothing_hidden_comes_to_light_for_observations_alone,
    nothing_hidden_comes_to_light_for_the_laboratory_alone,
    nothing_hidden_comes_to_light_for_a_relative,
    nothing_hidden_comes_to_light_for_a_client_for_patients,
);

async fn nothing_hidden_comes_to_light_for_the_app_of_a_person(database: Database) {
    check(database, Kind::Whole).await;
}

async fn nothing_hidden_comes_to_light_for_observations_alone(database: Database) {
    check(database, Kind::Observations).await;
}

async fn nothing_hidden_comes_to_light_for_the_laboratory_alone(database: Database) {
    check(database, Kind::Laboratory).await;
}

async fn nothing_hidden_comes_to_light_for_a_relative(database: Database) {
    check(database, Kind::Family).await;
}

async fn nothing_hidden_comes_to_light_for_a_client_for_patients(database: Database) {
    check(database, Kind::Patients).await;
}

/// All that is asked: first what changes nothing.
fn cases() -> Vec<Sent> {
    let mut all = Vec::new();
    for path in RESOURCES {
        all.push(Sent::get(path));
        all.push(Sent::of(Method::HEAD, path));
        all.push(Sent::get(&format!("{path}/_history")));
        all.push(Sent::get(&format!("{path}/_history/1")));
        all.push(Sent::of(Method::HEAD, &format!("{path}/_history/2")));
        all.push(Sent::get(path).header("If-None-Match", "W/\"1\""));
    }
    all.extend(QUERIES.iter().map(|path| Sent::get(path)));
    all.extend(writes());
    all
}

async fn check(database: Database, kind: Kind) {
    let Some(worlds) = Worlds::make(database, kind, seed()).await else { return };
    let before = worlds.hidden_rows();
    let mut judge = Judge::new(&worlds);
    for sent in cases() {
        judge.ask(&sent).await;
    }
    judge.check_told().await;
    finish(judge);
    assert_eq!(worlds.hidden_rows(), before, "what is hidden was changed");
    worlds.stop().await;
}

#[test]
fn the_table_is_as_long_as_it_is_to_be() {
    assert!(QUERIES.len() + IN_BUNDLES.len() + writes().len() >= 140);
    let mut all: Vec<&str> = RESOURCES.iter().chain(QUERIES).copied().collect();
    all.sort_unstable();
    let twice: Vec<&[&str]> = all.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
