//! Broken input at random: nothing panics, nothing is answered 500, nothing takes long.
//!
//! Valid samples are changed byte by byte and by their structure. `EMBERWELL_TEST_FUZZ` sets how many inputs each target gets (150 if not
//! set), `EMBERWELL_TEST_SEED` has the same ones again. What is found is named with its seed.

mod functions;
mod http;
mod mutate;
mod samples;

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::search_oracle::random::Random;

/// Far more than any input may take, for a machine that compiles at the same time.
const LONGEST: Duration = Duration::from_secs(10);

/// How many inputs each target gets.
fn number() -> u64 {
    match std::env::var("EMBERWELL_TEST_FUZZ") {
        Ok(number) => number.parse().expect("EMBERWELL_TEST_FUZZ is a whole number"),
        Err(_) => 150,
    }
}

/// The seed of the first input; each further one has the next. The same unless it is set, so that a change is tested by its
/// own faults.
fn first_seed() -> u64 {
    match std::env::var("EMBERWELL_TEST_SEED") {
        Ok(seed) => seed.parse().expect("EMBERWELL_TEST_SEED is a whole number"),
        Err(_) => 1,
    }
}

/// Gives the target one input after the other, made of `samples`; returns how many it took.
fn run<I: fmt::Debug>(target: &str, make: impl Fn(&mut Random) -> I, mut take: impl FnMut(&I) -> bool) {
    let (first, number) = (first_seed(), number());
    let (begun, mut accepted, mut longest) = (Instant::now(), 0_u64, Duration::ZERO);
    for seed in first..first + number {
        let input = make(&mut Random::new(seed));
        let started = Instant::now();
        let taken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| take(&input)));
        let is_accepted = taken.unwrap_or_else(|_| panic!("{target}: EMBERWELL_TEST_SEED={seed} panics: {input:?}"));
        let took = started.elapsed();
        assert!(took < LONGEST, "{target}: EMBERWELL_TEST_SEED={seed} takes {took:?}: {input:?}");
        accepted += u64::from(is_accepted);
        longest = longest.max(took);
    }
    tell(target, number, accepted, longest, begun.elapsed(), first);
    // Samples that are never changed, or always beyond all sense, would test nothing.
    assert!(accepted < number, "{target}: nothing was broken");
    assert!(number < 100 || accepted > 0, "{target}: everything was broken");
}

fn tell(target: &str, number: u64, accepted: u64, longest: Duration, all: Duration, first: u64) {
    // Past the test harness, which would keep what a passing test prints.
    let _ = writeln!(
        std::io::stderr(),
        "{target}: {number} inputs, {accepted} accepted, the longest {longest:?}, all {all:.1?}, from EMBERWELL_TEST_SEED={first}"
    );
}
