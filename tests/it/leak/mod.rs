//! That no way leads around the one filter.
//!
//! The same requests go to two servers: one full of what the holder of the token may not see, one without. Both must answer
//! alike, whatever is asked; nothing that is hidden may stand in an answer; and what is hidden must be the same afterwards, byte
//! for byte. `EMBERWELL_TEST_SEED` sets the seed, which a failure prints.

mod fixed;
mod generated;
mod grammar;
mod granular;
mod judge;
mod people;
mod reads;
mod routes;
mod store_calls;
mod strangers;
mod timing;
mod world;
mod writes;

use crate::leak::judge::Judge;
use crate::support::Database;

/// Runs one behaviour that starts its servers itself.
fn run(database: Database, behaviour: impl AsyncFn(Database)) {
    actix_web::rt::System::new().block_on(behaviour(database));
}

fn seed() -> u64 {
    match std::env::var("EMBERWELL_TEST_SEED") {
        Ok(seed) => seed.parse().expect("EMBERWELL_TEST_SEED is a whole number"),
        Err(_) => emberwell::clock::now_us().unsigned_abs(),
    }
}

/// Fails with what was wrong, if anything was.
fn finish(judge: Judge<'_>) {
    let seed = judge.seed();
    assert!(judge.answered * 20 > judge.asked, "{} of {} answers tell anything", judge.answered, judge.asked);
    let (number, wrong) = (judge.wrong.len(), judge.wrong.into_iter().take(40).collect::<Vec<_>>());
    assert!(
        wrong.is_empty(),
        "EMBERWELL_TEST_SEED={seed}: {number} of {} are wrong:\n{}",
        judge.asked,
        wrong.join("\n")
    );
}
