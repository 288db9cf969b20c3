//! `--shrink`: takes out of a failing seed whatever it fails without, and shows what is left.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::process::ExitCode;

use sim::cuts::{Cuts, Part};

/// A scenario has no more parts of one kind.
const PARTS_MAX: usize = 8;

/// How a run failed.
struct Failure {
    what: String,
    parts: Vec<(Part, String)>,
    events: u64,
}

/// Reduces a seed as far as it goes on failing in the same way.
pub fn shrink(seed: u64, whole: Cuts) -> ExitCode {
    let Some(mut failure) = fails(seed, &whole) else {
        println!("seed {seed} does not fail");
        return ExitCode::FAILURE;
    };
    let wanted = kind(&failure.what);
    println!("seed {seed}: {} ({} parts, {} events)", failure.what, failure.parts.len(), failure.events);
    let usual = take_hook();
    set_hook(Box::new(|_| {}));
    let again = |cuts: &Cuts| fails(seed, cuts).filter(|failure| kind(&failure.what) == wanted);
    let mut cuts = whole;
    loop {
        let before = cuts.clone();
        for (part, _) in failure.parts.clone() {
            let mut less = cuts.clone();
            less.without.insert(part);
            if let Some(reduced) = again(&less) {
                (cuts, failure) = (less, reduced);
            }
        }
        let mut fewer = Cuts { batches_max: Some(cuts.batches_max.unwrap_or(128) / 2), ..cuts.clone() };
        while let Some(reduced) = again(&fewer) {
            cuts = fewer.clone();
            failure = reduced;
            fewer.batches_max = fewer.batches_max.map(|batches| batches / 2).filter(|batches| *batches > 0);
            if fewer.batches_max.is_none() {
                break;
            }
        }
        if cuts == before {
            break;
        }
    }
    set_hook(usual);
    println!("reduced: {} ({} events)", failure.what, failure.events);
    for (part, what) in &failure.parts {
        println!("  {part}: {what}");
    }
    println!("  again: cargo run --release -p sim -- --seed {seed}{cuts} --trace");
    ExitCode::SUCCESS
}

fn fails(seed: u64, cuts: &Cuts) -> Option<Failure> {
    match catch_unwind(AssertUnwindSafe(|| sim::run_cut(seed, cuts, false))) {
        Ok(outcome) => {
            let what = outcome.failures().into_iter().next()?;
            Some(Failure { what, parts: outcome.parts, events: outcome.events })
        }
        Err(_) => Some(Failure { what: "it panicked".to_owned(), parts: possible_parts(cuts), events: 0 }),
    }
}

/// The parts that a run may have had that did not come to its end.
fn possible_parts(cuts: &Cuts) -> Vec<(Part, String)> {
    let kinds = [Part::Fault, Part::Group, Part::Producer, Part::Consumer, Part::Committer, Part::Step];
    let all = kinds.into_iter().flat_map(|kind: fn(usize) -> Part| (0..PARTS_MAX).map(kind));
    all.filter(|part| !cuts.without.contains(part)).map(|part| (part, String::new())).collect()
}

/// A failure without the numbers and names that differ from run to run.
fn kind(what: &str) -> String {
    let is_word = |word: &&str| word.len() < 20 && word.chars().all(|letter| letter.is_alphabetic());
    what.split([' ', ':', ',', '{']).filter(is_word).collect::<Vec<_>>().join(" ")
}
