//! Faults, and the operator who brings them about, restarts what fell, and heals everything in the end.
//!
//! Counts which faults took effect: a run of many seeds in which a kind of fault never did proves nothing about it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use engine::disk::DiskError;
use engine::memory_disk::{Fault as DiskFault, Operation};
use shard::world::CoreId;

use crate::broker::{Broker, End};
use crate::client::Shared;
use crate::clock::Clock;
use crate::coverage::Reached;
use crate::dice::Dice;
use crate::scenario::Scenario;

/// A start or a stop that takes longer never ends.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two attempts to start on a broken disk.
const START_AGAIN: Duration = Duration::from_millis(100);
/// So many attempts to start on a full disk, then it gets space.
const STARTS_ON_A_FULL_DISK: u32 = 3;

/// An operation that is to fail once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub operation: Operation,
    /// Part of the path of what fails.
    pub path_part: &'static str,
    /// So many go well before.
    pub after: u32,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The broker ends at once and is started with so many cores; perhaps it ends again while it comes up.
    Crash {
        /// In which way.
        how: End,
        /// Afterwards.
        cores: u16,
        /// Power is lost again so long after the start has begun.
        again_after: Option<Duration>,
    },
    /// The broker is stopped and started with so many cores; perhaps power is lost while it stops.
    Stop {
        /// Afterwards.
        cores: u16,
        /// Power is lost so long after the stop has begun.
        crash_after: Option<Duration>,
    },
    /// Connections are cut.
    Cut {
        /// How many.
        count: u32,
    },
    /// The disk has no space but a little, for a while.
    Full {
        /// Bytes left.
        room: u64,
        /// For how long.
        lasts: Duration,
    },
    /// An operation on the disk fails once.
    Break(Broken),
    /// The disk is slow in one part, for a while; perhaps the broker ends while something there is under way.
    Stall {
        /// Part of the path of what is slow.
        path_part: &'static str,
        /// How much longer everything there takes.
        by: Duration,
        /// For how long.
        lasts: Duration,
        /// In which way the broker ends, after that.
        end: Option<End>,
    },
    /// One core stands still for a while.
    StallCore {
        /// Which, of those that there are.
        core: u16,
        /// For how long.
        lasts: Duration,
    },
}

/// What has taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named as the faults are")]
pub enum Effect {
    PowerLoss,
    Kill,
    PowerLossDuringStart,
    CleanStop,
    PowerLossDuringStop,
    OtherCores,
    Cut,
    Full,
    Broken(Operation),
    Stalled,
    CoreStalled,
}

impl Effect {
    /// Those that only a storm has.
    pub const STORM: &[Effect] = &[Effect::Stalled, Effect::CoreStalled];

    /// All kinds: in a run of many seeds none may be missing.
    pub const ALL: &[Effect] = &[
        Effect::PowerLoss,
        Effect::Kill,
        Effect::PowerLossDuringStart,
        Effect::CleanStop,
        Effect::PowerLossDuringStop,
        Effect::OtherCores,
        Effect::Cut,
        Effect::Full,
        Effect::Broken(Operation::Write),
        Effect::Broken(Operation::Sync),
        Effect::Broken(Operation::Read),
        Effect::Broken(Operation::SyncDir),
        Effect::Broken(Operation::Allocate),
    ];
}

/// Counts effects.
pub type Effects = BTreeMap<Effect, u64>;

/// Who starts, breaks and heals the broker.
pub struct Operator {
    shared: Rc<Shared>,
    broker: Rc<Broker>,
    clock: Clock,
    dice: Dice,
    cores: u16,
    /// The operation that is to fail, with the disk's count of failures before.
    armed: Option<(Operation, u64)>,
    /// The disk is full until then, in ns of the run, with the disk's count of refusals before.
    full_until: Option<(u64, u64)>,
    effects: Effects,
}

impl Operator {
    /// An operator of a broker that does not run.
    pub fn new(shared: Rc<Shared>, scenario: &Scenario, dice: Dice) -> Operator {
        let (broker, clock) = (shared.broker.clone(), shared.clock.clone());
        let cores = scenario.cores;
        Operator { shared, broker, clock, dice, cores, armed: None, full_until: None, effects: Effects::new() }
    }

    /// Starts the broker, however often it takes.
    pub async fn start(&mut self) {
        let mut attempts = 0;
        loop {
            let hits = self.disk_hits();
            match self.clock.timeout(PATIENCE, self.broker.start(self.cores)).await {
                Some(Ok(())) => return,
                Some(Err(None)) => panic!("only the operator ends the broker, and it is starting it"),
                Some(Err(Some(_))) if self.disk_hits() > hits => {}
                Some(Err(Some(reason))) => {
                    self.shared.violation(format!("the broker does not start: {reason}"));
                    return;
                }
                None => {
                    self.shared.violation("the broker's start never ends".into());
                    return;
                }
            }
            attempts += 1;
            self.clock.sleep(START_AGAIN).await;
            if attempts >= STARTS_ON_A_FULL_DISK {
                self.give_space();
            }
        }
    }

    /// Brings the faults about, each at its time after now.
    pub async fn bring(&mut self, faults: Vec<(Duration, Fault)>) {
        let begin_ns = self.clock.now_ns();
        for (at, fault) in faults {
            self.wait_until(begin_ns + at.as_nanos() as u64).await;
            self.shared.trace.event(format_args!("fault {fault:?}"));
            self.bring_one(fault).await;
        }
    }

    /// Watches over the broker until then, and starts it again when it ends itself.
    pub async fn wait_until(&mut self, at_ns: u64) {
        while self.clock.now_ns() < at_ns {
            if let Some((until_ns, _)) = self.full_until
                && self.clock.now_ns() >= until_ns
            {
                self.give_space();
            }
            let Some(process) = self.broker.process() else { return };
            if process.failed().is_some() {
                self.end(*self.dice.pick(&[End::Kill, End::PowerLoss]));
                self.start().await;
                continue;
            }
            let next_ns = self.full_until.map_or(at_ns, |(until_ns, _)| at_ns.min(until_ns));
            let left = Duration::from_nanos(next_ns.saturating_sub(self.clock.now_ns()));
            // Whichever comes first: both are looked at above.
            self.clock.timeout(left, process.changed.changed()).await;
        }
    }

    /// Takes all faults away and makes sure that the broker runs.
    pub async fn heal(&mut self) {
        self.give_space();
        self.disarm();
        if self.broker.process().is_none_or(|process| process.failed().is_some()) {
            self.end(End::Kill);
            self.start().await;
        }
    }

    /// Restarts the healed broker in any way, with any number of cores.
    pub async fn restart(&mut self, cores: u16) {
        match self.dice.below(3) {
            0 => self.stop(None).await,
            1 => self.end(End::Kill),
            _ => self.end(End::PowerLoss),
        }
        self.start_with(cores).await;
    }

    /// What took effect.
    pub fn into_effects(self) -> Effects {
        self.effects
    }

    async fn bring_one(&mut self, fault: Fault) {
        match fault {
            Fault::Crash { how, cores, again_after } => {
                self.end(how);
                if let Some(after) = again_after
                    && self.clock.timeout(after, self.broker.start(cores)).await.is_none()
                {
                    self.count(Effect::PowerLossDuringStart, 1);
                }
                self.end(End::PowerLoss);
                self.start_with(cores).await;
            }
            Fault::Stop { cores, crash_after } => {
                self.stop(crash_after).await;
                self.start_with(cores).await;
            }
            Fault::Cut { count } => {
                for _ in 0..count {
                    let cut = self.broker.machine().net.cut_one();
                    self.count(Effect::Cut, cut.into());
                }
            }
            Fault::Full { room, lasts } => {
                self.give_space();
                let disk = &self.broker.machine().disk;
                disk.set_capacity(disk.used() + room);
                self.full_until = Some((self.clock.now_ns() + lasts.as_nanos() as u64, disk.full_hits()));
            }
            Fault::Stall { path_part, by, lasts, end } => Box::pin(self.stall((path_part, by), lasts, end)).await,
            Fault::StallCore { core, lasts } => Box::pin(self.stall_core(core, lasts)).await,
            Fault::Break(Broken { operation, path_part, after }) => {
                self.disarm();
                let disk = &self.broker.machine().disk;
                self.armed = Some((operation, disk.faults_hit()));
                let error = DiskError::Io("injected".into());
                disk.inject(DiskFault { operation, path_part: path_part.into(), error, after, times: 1 });
            }
        }
    }

    async fn stall(&mut self, (path_part, by): (&'static str, Duration), lasts: Duration, end: Option<End>) {
        let latency = self.broker.machine().latency.clone();
        latency.stall(path_part, by);
        self.wait_until(self.clock.now_ns() + lasts.as_nanos() as u64).await;
        let held_up = latency.go_on();
        self.count(Effect::Stalled, held_up);
        if let Some(how) = end {
            self.end(how);
            self.start_with(self.cores).await;
        }
    }

    async fn stall_core(&mut self, core: u16, lasts: Duration) {
        let Some(process) = self.broker.process() else { return };
        let core = CoreId(core % process.count());
        process.stall(core, true);
        self.wait_until(self.clock.now_ns() + lasts.as_nanos() as u64).await;
        process.stall(core, false);
        self.count(Effect::CoreStalled, (!process.has_ended()).into());
    }

    fn end(&mut self, how: End) {
        if self.broker.process().is_some() {
            let rebalancing = self.shared.groups.borrow().iter().filter(|group| group.is_rebalancing()).count();
            (0..rebalancing).for_each(|_| self.shared.reached(Reached::CrashDuringRebalance));
            self.count(if how == End::PowerLoss { Effect::PowerLoss } else { Effect::Kill }, 1);
        }
        self.broker.end(how);
    }

    async fn start_with(&mut self, cores: u16) {
        self.count(Effect::OtherCores, (cores != self.cores).into());
        self.cores = cores;
        self.start().await;
    }

    async fn stop(&mut self, crash_after: Option<Duration>) {
        let hits = self.disk_hits();
        let was_well = self.broker.process().is_some_and(|process| process.failed().is_none());
        match self.clock.timeout(crash_after.unwrap_or(PATIENCE), self.broker.stop()).await {
            Some(Ok(())) => self.count(Effect::CleanStop, 1),
            Some(Err(Some(reason))) if was_well && self.disk_hits() == hits => {
                self.shared.violation(format!("the broker does not stop: {reason}"));
            }
            Some(Err(_)) => {}
            None if crash_after.is_some() => {
                self.count(Effect::PowerLossDuringStop, 1);
                self.end(End::PowerLoss);
            }
            None => self.shared.violation("the broker's stop never ends".into()),
        }
        self.broker.end(End::Kill);
    }

    fn count(&mut self, effect: Effect, times: u64) {
        *self.effects.entry(effect).or_insert(0) += times;
    }

    fn disk_hits(&self) -> u64 {
        let disk = &self.broker.machine().disk;
        disk.faults_hit() + disk.full_hits()
    }

    fn give_space(&mut self) {
        let disk = &self.broker.machine().disk;
        disk.set_capacity(u64::MAX);
        if let Some((_, before)) = self.full_until.take() {
            let refused = disk.full_hits() - before;
            self.count(Effect::Full, refused);
        }
    }

    fn disarm(&mut self) {
        let disk = &self.broker.machine().disk;
        disk.clear_faults();
        if let Some((operation, before)) = self.armed.take() {
            let hit = disk.faults_hit() - before;
            self.count(Effect::Broken(operation), hit);
        }
    }
}
