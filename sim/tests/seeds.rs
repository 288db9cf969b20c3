//! A fixed set of seeds and a few new ones in every run of the tests; `sim` itself runs as many as one likes.

use std::time::{SystemTime, UNIX_EPOCH};

use sim::coverage::{Coverage, Reached};
use sim::faults::{Effect, Effects};

/// Run every time; fewer where nothing is optimized, but enough for every kind of fault.
const FIXED: std::ops::Range<u64> = 0..if cfg!(debug_assertions) { 150 } else { 200 };
/// Of the clock's choice, printed when one fails.
const RANDOM: u64 = 8;

fn judge(seed: u64) -> sim::Outcome {
    let outcome = sim::run(seed, false);
    let failures = outcome.failures();
    assert!(failures.is_empty(), "cargo run --release -p sim -- --seed {seed} --trace shows: {failures:#?}");
    outcome
}

#[test]
fn acknowledged_records_and_groups_survive_the_fixed_seeds_whose_faults_all_take_effect() {
    let (mut effects, mut coverage) = (Effects::new(), Coverage::new());
    let (mut acked, mut read) = (0, 0);
    for seed in FIXED {
        let outcome = judge(seed);
        acked += outcome.acked;
        read += outcome.read;
        for (effect, times) in outcome.effects {
            *effects.entry(effect).or_insert(0) += times;
        }
        for (reached, times) in outcome.coverage {
            *coverage.entry(reached).or_insert(0) += times;
        }
    }
    assert!(acked > 10_000 && read > 10_000, "{acked} acknowledged, {read} read: too little for a verdict");
    let missing: Vec<_> =
        Effect::ALL.iter().filter(|effect| effects.get(effect).is_none_or(|&times| times == 0)).collect();
    assert!(missing.is_empty(), "faults that never took effect prove nothing: {missing:?}");
    let missing: Vec<_> = Reached::ALL.iter().filter(|reached| !coverage.contains_key(reached)).collect();
    assert!(missing.is_empty(), "what groups never went through is not shown: {missing:?}");
}

#[test]
fn acknowledged_records_survive_new_seeds() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_micros() as u64;
    println!("seeds from {now}");
    for seed in now..now + RANDOM {
        judge(seed);
    }
}

#[test]
fn a_seed_replays_event_for_event() {
    for seed in FIXED.step_by(40) {
        let (first, second) = (sim::run(seed, false), sim::run(seed, false));
        assert_eq!((first.events, first.hash), (second.events, second.hash), "seed {seed}");
        assert!(first.events > 100, "seed {seed} is a run of {} events", first.events);
    }
    assert_ne!(sim::run(1, false).hash, sim::run(2, false).hash);
}
