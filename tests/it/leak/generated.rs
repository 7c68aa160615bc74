//! Random requests with each kind of token. `EMBERWELL_TEST_LEAKS` sets how many.

use std::io::Write;

use crate::leak::grammar::Grammar;
use crate::leak::judge::Judge;
use crate::leak::people::items;
use crate::leak::world::{Kind, Worlds};
use crate::leak::{finish, seed};
use crate::search_oracle::random::Random;
use crate::support::{Database, on_both};

/// So many requests go to one pair of servers, as what they write piles up.
const AT_ONCE: usize = 1_000;

on_both!(by crate::leak::run:
    nothing_random_is_told_to_the_app_of_a_person,
    nothing_random_is_told_of_observations_alone,
    nothing_random_is_told_of_the_laboratory_alone,
    nothing_random_is_told_to_a_relative,
    nothing_random_is_told_to_a_client_for_patients,
);

async fn nothing_random_is_told_to_the_app_of_a_person(database: Database) {
    check(database, Kind::Whole).await;
}

async fn nothing_random_is_told_of_observations_alone(database: Database) {
    check(database, Kind::Observations).await;
}

async fn nothing_random_is_told_of_the_laboratory_alone(database: Database) {
    check(database, Kind::Laboratory).await;
}

async fn nothing_random_is_told_to_a_relative(database: Database) {
    check(database, Kind::Family).await;
}

async fn nothing_random_is_told_to_a_client_for_patients(database: Database) {
    check(database, Kind::Patients).await;
}

async fn check(database: Database, kind: Kind) {
    let number = match std::env::var("EMBERWELL_TEST_LEAKS") {
        Ok(number) => number.parse().expect("EMBERWELL_TEST_LEAKS is a whole number"),
        Err(_) => 200,
    };
    let (first, cast) = (seed(), items());
    let (mut asked, mut answered, mut done) = (0, 0, 0);
    while done < number {
        let seed = first.wrapping_add((done / AT_ONCE) as u64);
        let Some(worlds) = Worlds::make(database, kind, seed).await else { return };
        let before = worlds.hidden_rows();
        let mut grammar = Grammar { random: Random::new(seed), cast: &cast };
        let mut judge = Judge::new(&worlds);
        for _ in 0..AT_ONCE.min(number - done) {
            judge.ask(&grammar.request()).await;
        }
        asked += judge.asked;
        answered += judge.answered;
        judge.check_told().await;
        finish(judge);
        assert_eq!(worlds.hidden_rows(), before, "EMBERWELL_TEST_SEED={seed}: what is hidden was changed");
        worlds.stop().await;
        done += AT_ONCE;
    }
    // Past the test harness, which would keep what a passing test prints.
    let _ = writeln!(
        std::io::stderr(),
        "{kind:?} on {database:?}: {number} requests, {asked} answers with their pages, {answered} of them no refusal, from \
         EMBERWELL_TEST_SEED={first}"
    );
}
