//! A core's standing tasks: the journal's writer, background work, the publisher of changes, and the clock.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::select;

use crate::core::Core;
use crate::world::{CoreId, World};
use crate::{calls, cleaning};

/// How often idle connections and expired producers are looked at.
const HOUSEKEEPING_MS: i64 = 1_000;
/// The least time between two looks for logs that are due to be cleaned.
const CLEANER_BACKOFF_MS_MIN: i64 = 100;

/// Knows the jobs under way, so that a clean stop and a deletion can wait for those that may still touch their files.
#[derive(Default)]
pub(crate) struct Jobs {
    /// The number of the next job.
    next: Cell<u64>,
    running: RefCell<BTreeSet<u64>>,
    waiting: RefCell<Vec<(u64, oneshot::Sender<()>)>>,
}

impl Jobs {
    fn begin(&self) -> u64 {
        let job = self.next.replace(self.next.get() + 1);
        self.running.borrow_mut().insert(job);
        job
    }

    fn end(&self, job: u64) {
        let mut running = self.running.borrow_mut();
        running.remove(&job);
        let oldest = running.first().copied().unwrap_or(u64::MAX);
        for (_, sender) in self.waiting.borrow_mut().extract_if(.., |(before, _)| *before <= oldest) {
            // Whoever has gone does not mind.
            let _ = sender.send(());
        }
    }

    /// Waits until the jobs that are under way now have ended; more may have begun since.
    pub(crate) async fn ended(&self) {
        if self.running.borrow().is_empty() {
            return;
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().push((self.next.get(), sender));
        receiver.await.expect("the sender goes when the jobs have ended");
    }

    /// Waits until no job is under way.
    pub(crate) async fn all_ended(&self) {
        while !self.running.borrow().is_empty() {
            self.ended().await;
        }
    }
}

/// Spawns them all.
pub(crate) fn spawn<W: World>(core: &Rc<Core<W>>) {
    core.world().spawn(write_journal(core.clone()));
    core.world().spawn_background(work_behind(core.clone()));
    core.world().spawn(keep_time(core.clone()));
    if core.id() == CoreId::FIRST {
        core.world().spawn(publish_changes(core.clone()));
    }
}

/// Writes the journal, one group at a time; what is appended meanwhile goes into the next one.
async fn write_journal<W: World>(core: Rc<Core<W>>) {
    while core.is_open() {
        let job = core.state().store.poll_journal();
        let Some(job) = job else {
            core.signals.journal.wait().await;
            continue;
        };
        let number = core.jobs.begin();
        let begun_ns = core.world().monotonic_ns();
        let done = job.perform().await;
        core.counters().journal_group(core.world().monotonic_ns() - begun_ns);
        let handled = core.state().store.handle_journal(done);
        core.jobs.end(number);
        if let Err(fatal) = handled {
            // A failed flush may have dropped the pages: nobody can know what is on disk, but a restart finds out.
            core.world().fail(&fatal.to_string());
            return;
        }
        calls::proceed(&core);
    }
}

/// Files, checkpoints and deletes, as many jobs at a time as the store gives out.
async fn work_behind<W: World>(core: Rc<Core<W>>) {
    while !core.is_stopping() {
        let job = core.state().store.poll_background();
        let Some(job) = job else {
            core.signals.background.wait().await;
            continue;
        };
        let number = core.jobs.begin();
        let worker = core.clone();
        core.world().spawn_background(async move {
            let done = job.perform().await;
            let handled = worker.state().store.handle_background(done);
            worker.jobs.end(number);
            match handled {
                Ok(()) => calls::proceed(&worker),
                Err(fatal) => worker.world().fail(&fatal.to_string()),
            }
        });
    }
}

/// Carries changes of the catalog to all cores, one after the other.
async fn publish_changes<W: World>(core: Rc<Core<W>>) {
    while core.is_open() {
        let change = core.state().changes.pop_front();
        match change {
            Some(change) => calls::publish(&core, Arc::new(change)).await,
            None => core.signals.publish.wait().await,
        }
    }
}

/// When to do what is done again and again, in ms since the epoch.
struct Agenda {
    housekeeping_ms: i64,
    retention_ms: i64,
    cleaning_ms: i64,
}

/// Tells the deciders the time when they want to know it, and keeps house.
async fn keep_time<W: World>(core: Rc<Core<W>>) {
    let mut agenda = Agenda { housekeeping_ms: 0, retention_ms: 0, cleaning_ms: 0 };
    while !core.is_stopping() {
        let deadline_ms = tend(&core, &mut agenda);
        core.pump();
        let wait_ms = u64::try_from(deadline_ms - core.world().now_ms()).unwrap_or(0);
        let sleep = core.world().sleep(Duration::from_millis(wait_ms));
        select(std::pin::pin!(core.signals.timers.wait()), std::pin::pin!(sleep)).await;
    }
}

/// Does what is due; returns when to come back.
fn tend<W: World>(core: &Core<W>, agenda: &mut Agenda) -> i64 {
    let now_ms = core.world().now_ms();
    let mut state = core.state();
    if state.groups.deadline().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
        state.groups.tick(now_ms);
    }
    if now_ms >= agenda.housekeeping_ms {
        agenda.housekeeping_ms = now_ms + HOUSEKEEPING_MS;
        core.close_idle(now_ms);
        state.partitions.expire_producers(now_ms);
    }
    if now_ms >= agenda.retention_ms {
        agenda.retention_ms = now_ms + core.limits().retention_check_interval_ms;
        state.store.retain(now_ms);
    }
    if now_ms >= agenda.cleaning_ms {
        agenda.cleaning_ms = now_ms + core.limits().cleaner_backoff_ms.max(CLEANER_BACKOFF_MS_MIN);
        cleaning::clean_dirtiest(core, &mut state);
    }
    let scrub_ms = state.store.scrub(now_ms);
    state
        .groups
        .deadline()
        .unwrap_or(i64::MAX)
        .min(agenda.housekeeping_ms)
        .min(agenda.retention_ms)
        .min(agenda.cleaning_ms)
        .min(scrub_ms)
}
