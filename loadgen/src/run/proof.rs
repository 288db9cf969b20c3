//! The proof: all of the run's logs are read from their beginning, and compared with what was acknowledged.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use checkers::{Deliveries, Verdict};

use super::RunError;
use super::control::new_ledger;
use super::setup::Site;
use crate::engine::board::{Board, Counters, GroupBoard, get};
use crate::engine::clock::seconds;
use crate::engine::context::Notice;
use crate::engine::fetcher::{FetcherPlan, Ledger};
use crate::engine::reader::ReaderPlan;
use crate::engine::worker::{Command, Handle, Shared};
use crate::measure::Place;
use crate::scenario::{Group, Protocol};

const POLL: Duration = Duration::from_millis(20);
/// Bytes of one partition in a fetch: reading back is in a hurry.
const PARTITION_FETCH_BYTES: u32 = 4 << 20;

/// Compares what was read, by topic, with what producers were told.
pub(super) fn judge(ledgers: &[Ledger], accounts: impl IntoIterator<Item = Deliveries<Place>>) -> Verdict {
    let mut all = Deliveries::default();
    for account in accounts {
        all.merge(account);
    }
    for ledger in ledgers.iter().flat_map(|ledger| ledger.iter()) {
        all.merge(std::mem::take(&mut *ledger.lock().unwrap_or_else(PoisonError::into_inner)));
    }
    all.verdict()
}

/// Records that a group was given again.
pub(super) fn redelivered(ledger: &Ledger) -> u64 {
    let again = |verdict: Verdict| verdict.repeated + verdict.went_back + verdict.doubled;
    ledger.iter().map(|one| again(one.lock().unwrap_or_else(PoisonError::into_inner).verdict())).sum()
}

/// Reads everything; none when it was stopped or could not be read to its end.
pub(super) fn read_back(
    workers: usize,
    silence_s: f64,
    site: &mut Site,
    shared: &Shared,
    stop: &AtomicBool,
) -> Result<Option<Vec<Ledger>>, RunError> {
    let ends = site.ends()?;
    let starts = site.starts()?;
    let positions = |starts: &Vec<i64>| starts.iter().map(|start| AtomicI64::new(*start)).collect();
    let group = |starts: &Vec<i64>| GroupBoard { positions: positions(starts), ..GroupBoard::new(0, 1) };
    let board = Arc::new(Board {
        workers: (0..workers).map(|_| Counters::default()).collect(),
        ends: ends.iter().map(positions).collect(),
        groups: starts.iter().map(group).collect(),
    });
    let shared = Shared { board: board.clone(), ..shared.clone() };
    let settings =
        Group { partition_fetch_bytes: PARTITION_FETCH_BYTES, ..Group::named("read-back", Protocol::Assigned, 1) };
    let settings = Arc::new(settings);
    let (notices_in, notices) = channel();
    let handles: Vec<Handle> = (0..workers)
        .map(|index| Handle::start(index, shared.clone(), Vec::new(), notices_in.clone()))
        .collect::<Result<_, _>>()?;
    let mut ledgers = Vec::new();
    for (topic, starts) in starts.iter().enumerate() {
        let ledger = new_ledger(starts.len());
        ledgers.push(ledger.clone());
        let fetcher =
            FetcherPlan { topic, group: topic, member: 0, settings: settings.clone(), ledger, measures: false };
        let assigned = starts.iter().copied().enumerate().collect();
        let plan = ReaderPlan { fetcher, group_id: String::new(), assigned, random: 0, due: 0 };
        handles[topic % workers].tell(Command::Read(vec![plan]));
    }
    let begun = shared.clock.now();
    let ended = loop {
        let behind: u64 = (0..ends.len()).map(|topic| board.lag(topic, topic)).sum();
        let fatal = notices.try_iter().find_map(|notice| match notice {
            Notice::Trouble { is_fatal: true, text, .. } => Some(text),
            _ => None,
        });
        let heard = board.workers.iter().map(|worker| get(&worker.last_answer)).max().unwrap_or(0).max(begun);
        let silence = shared.clock.now().saturating_sub(heard);
        if let Some(text) = fatal {
            break Err(RunError::Failed(format!("reading back: {text}")));
        } else if behind == 0 {
            break Ok(true);
        } else if stop.load(Ordering::Relaxed) {
            break Ok(false);
        } else if silence > seconds(silence_s) {
            break Err(RunError::Silent { seconds: silence as f64 / 1e9, owed: behind });
        }
        std::thread::sleep(POLL);
    };
    handles.iter().for_each(|handle| handle.tell(Command::End));
    handles.into_iter().for_each(|handle| drop(handle.join()));
    Ok(ended?.then_some(ledgers))
}
