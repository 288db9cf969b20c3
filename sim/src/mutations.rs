//! `--mutations`: how many seeds it takes to find each planted bug. One that none finds asks for another checker, fault or load.
//!
//! Each bug is tried in a process of its own, so that one that makes the broker go round in circles is found too.

use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use probe::Mutation;
use sim::cuts::Cuts;

/// The seeds that are tried, unless others are asked for.
pub const SEEDS: (u64, u64) = (0, 1_000);
/// A seed that takes longer never ends; most take a few hundredths of a second.
const SEED_PATIENCE: Duration = Duration::from_secs(60);
/// Says that the seeds of a process have found the bug.
const FOUND: &str = "found: ";

/// The bug of that name.
pub fn parse(name: &str) -> Result<Mutation, String> {
    let known = Mutation::ALL.iter().find(|mutation| format!("{mutation:?}") == name);
    known.copied().ok_or_else(|| format!("there is no such bug; there are {:?}", Mutation::ALL))
}

/// Runs the seeds with each bug until one fails, and prints bug, number of seeds, and what was found.
pub fn run_all(seeds: (u64, u64)) -> ExitCode {
    let mut missed = 0;
    for &mutation in Mutation::ALL {
        let name = format!("{mutation:?}");
        let (count, what) = match find(&name, seeds) {
            Ok((count, what)) => (count.to_string(), what),
            Err(what) => {
                missed += 1;
                ("-".to_owned(), what)
            }
        };
        println!("{name:<26} {count:>5}  {what}");
    }
    println!("{} bugs, {missed} not found by {} seeds", Mutation::ALL.len(), seeds.1 - seeds.0);
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many seeds it takes in a process of its own, and the first failure; why none was found.
fn find(name: &str, (from, to): (u64, u64)) -> Result<(u64, String), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["--mutation", name, "--seeds", &format!("{from}..{to}")]);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let (sender, lines) = channel();
    let reader = std::thread::spawn(move || {
        // Whoever has heard enough does not mind.
        output.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
    });
    let mut tried = 0;
    let found = loop {
        match lines.recv_timeout(SEED_PATIENCE) {
            Ok(line) => match line.strip_prefix(FOUND) {
                Some(what) => break Ok((tried, what.to_owned())),
                None => tried += 1,
            },
            Err(RecvTimeoutError::Timeout) => break Ok((tried, "it never ends".to_owned())),
            Err(RecvTimeoutError::Disconnected) => break Err(format!("not found by {tried} seeds")),
        }
    };
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
    let _ = reader.join();
    found
}

/// Runs seeds with one bug until one fails: a line before each seed, and one that begins with [`FOUND`] if one does.
pub fn run_one(mutation: Mutation, (from, to): (u64, u64)) -> ExitCode {
    if !probe::ON {
        eprintln!(
            "no bug can be planted in this build: cargo run --release -p sim --features mutations -- --mutations"
        );
        return ExitCode::FAILURE;
    }
    // A bug may well run into an assertion; that it did is all that is of interest.
    set_hook(Box::new(|_| {}));
    probe::plant(Some(mutation));
    let storm = Cuts { storm: true, ..Cuts::default() };
    for seed in from..to {
        println!("seed {seed}");
        let failure = match catch_unwind(AssertUnwindSafe(|| sim::run_cut(seed, &storm, false))) {
            Ok(outcome) => outcome.failures().into_iter().next(),
            Err(payload) => Some(format!("panic: {}", message(payload.as_ref()))),
        };
        if let Some(what) = failure {
            println!("{FOUND}{}", what.replace('\n', " "));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without words")
}
