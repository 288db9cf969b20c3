//! The control thread of a run: sets up, starts workers, takes the run through its phases, and watches that it goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use checkers::Verdict;

use super::failures::Failures;
use super::setup::{Site, group_id};
use super::tally::Tally;
use super::{Observer, Options, Outcome, Phase, Progress, RunError, Target, proof, verdict};
use crate::client::{Acks, Client, ranges};
use crate::engine::board::{Board, Counters, GroupBoard, MemberView, get};
use crate::engine::clock::{Clock, Nanos, nanos, seconds};
use crate::engine::context::Notice;
use crate::engine::fetcher::{FetcherPlan, Ledger};
use crate::engine::producer::{Pace, ProducerPlan};
use crate::engine::reader::ReaderPlan;
use crate::engine::recorder::Window;
use crate::engine::schedule::Schedule;
use crate::engine::topology::SharedTopology;
use crate::engine::worker::{Accounts, Command, Fate, Handle, Shared};
use crate::measure::{Jitter, Latencies};
use crate::result::RunEvent;
use crate::scenario::{EventAction, OnError, Protocol, Rate, Scenario};

/// How long one question to the cluster may take.
pub(super) const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long groups may take until each partition has a member.
const SETTLE_WITHIN: Nanos = 120_000_000_000;
/// Between two looks at the run.
const TICK: Duration = Duration::from_millis(20);
const PROGRESS_EVERY: Nanos = 200_000_000;
const TOPOLOGY_EVERY: Nanos = 200_000_000;
/// Between the command to begin and the first record.
const LEAD: Nanos = 100_000_000;
/// How long a run that is cut short may drain.
const CUT_SHORT_DRAIN: Nanos = 3_000_000_000;
/// Trouble that is told; beyond it only counted.
const TROUBLE_MAX: usize = 200;
pub(super) const CLIENT_ID: &str = "loadgen";

/// What names a run.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) id: String,
    pub(super) started: String,
    pub(super) random: u64,
}

/// What is known of a group when a run ends.
#[derive(Debug)]
pub(super) struct GroupFacts {
    pub(super) name: String,
    pub(super) protocol: Protocol,
    pub(super) views: Vec<MemberView>,
    pub(super) lag_end: u64,
    pub(super) lag_max: u64,
    pub(super) redelivered: u64,
    pub(super) drained_s: Option<f64>,
    /// Records that it had been given when it had caught up.
    pub(super) drained_records: u64,
}

/// Everything that a verdict is made of.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) identity: Identity,
    pub(super) window: Option<Window>,
    /// When the run stopped producing.
    pub(super) produced_until: Nanos,
    pub(super) groups: Vec<GroupFacts>,
    /// Records that were promised to be in the log, by topic and partition.
    pub(super) promised: Vec<Vec<u64>>,
    pub(super) deliveries: Option<Verdict>,
    pub(super) failures: Vec<crate::result::Failure>,
    pub(super) jitter: Option<Latencies>,
    pub(super) fault: Option<RunError>,
    pub(super) is_cut_short: bool,
    pub(super) board: Arc<Board>,
}

/// See the module's page.
pub(super) struct Control<'a> {
    scenario: &'a Scenario,
    target: &'a Target,
    options: &'a Options,
    observer: &'a mut dyn Observer,
    stop: &'a AtomicBool,
    identity: Identity,
    clock: Clock,
    shared: Shared,
    site: Site,
    workers: Vec<Handle>,
    notices: Receiver<Notice>,
    tally: Tally,
    ledgers: Vec<Ledger>,
    lag_max: Vec<u64>,
    drained: Vec<Option<(Nanos, u64)>>,
    /// When groups began to read a backlog.
    reading_since: Option<Nanos>,
    failures: Failures,
    events: Vec<RunEvent>,
    troubles: usize,
    phase: Phase,
    window: Option<Window>,
    next_event: usize,
    events_in_order: Vec<crate::scenario::Event>,
    fatal: Option<String>,
    progress_at: Nanos,
    topology_at: Nanos,
}

impl<'a> Control<'a> {
    /// One run from its beginning to its verdict.
    pub(super) fn run(
        scenario: &'a Scenario,
        target: &'a Target,
        options: &'a Options,
        observer: &'a mut dyn Observer,
        stop: &'a AtomicBool,
        identity: Identity,
    ) -> Outcome {
        observer.phase(Phase::Setup);
        match Control::set_up(scenario, target, options, observer, stop, identity.clone()) {
            Ok(control) => control.go(),
            Err(error) => verdict::stillborn(scenario, target, options, identity, &error),
        }
    }

    fn set_up(
        scenario: &'a Scenario,
        target: &'a Target,
        options: &'a Options,
        observer: &'a mut dyn Observer,
        stop: &'a AtomicBool,
        identity: Identity,
    ) -> Result<Control<'a>, RunError> {
        let clock = Clock::start();
        let mut client = Client::connect(&target.bootstrap, CLIENT_ID, ASK_TIMEOUT)?;
        let versions = client.versions()?;
        let mut site = Site::make(client, scenario, &identity.id.to_lowercase())?;
        let topology = site.wait_until_ready(scenario)?;
        let worker_count = worker_count(scenario);
        let topics = scenario.topic.count as usize;
        let partitions = scenario.topic.partitions as usize;
        let group_count = topics * scenario.groups.len();
        let zeroes = |count| (0..count).map(|_| AtomicI64::new(0)).collect::<Vec<_>>();
        let members = |group: usize| scenario.groups[group % scenario.groups.len()].members as usize;
        let board = Arc::new(Board {
            workers: (0..worker_count).map(|_| Counters::default()).collect(),
            ends: (0..topics).map(|_| zeroes(partitions)).collect(),
            groups: (0..group_count).map(|group| GroupBoard::new(partitions, members(group))).collect(),
        });
        let shared = Shared {
            clock,
            run: identity.random as u32,
            board,
            topology: Arc::new(SharedTopology::new(topology)),
            versions: Arc::new(versions),
            client_id: CLIENT_ID.into(),
        };
        let (notices_in, notices) = channel();
        let mut plans: Vec<Vec<ProducerPlan>> = vec![Vec::new(); worker_count];
        for plan in producer_plans(scenario, &mut site)? {
            plans[plan.number as usize % worker_count].push(plan);
        }
        let start = |(index, plans)| Handle::start(index, shared.clone(), plans, notices_in.clone());
        let workers = plans.into_iter().enumerate().map(start).collect::<Result<_, _>>()?;
        let mut events_in_order = scenario.events.clone();
        events_in_order.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        Ok(Control {
            tally: Tally::new(worker_count, clock)?,
            ledgers: (0..group_count).map(|_| new_ledger(partitions)).collect(),
            lag_max: vec![0; group_count],
            drained: vec![None; group_count],
            reading_since: None,
            failures: Failures::default(),
            events: Vec::new(),
            troubles: 0,
            phase: Phase::Setup,
            window: None,
            next_event: 0,
            events_in_order,
            fatal: None,
            progress_at: 0,
            topology_at: 0,
            scenario,
            target,
            options,
            observer,
            stop,
            identity,
            clock,
            shared,
            site,
            workers,
            notices,
        })
    }

    fn go(mut self) -> Outcome {
        let jitter = Jitter::start().ok();
        let fault = self.phases().err();
        let is_cut_short = self.is_stopped();
        let produced_until = self.clock.now();
        if fault.is_none() && !is_cut_short {
            self.learn_ends();
        }
        self.take_lag();
        let lag_end: Vec<u64> = self.lags();
        let views: Vec<Vec<MemberView>> = self.shared.board.groups.iter().map(GroupBoard::views).collect();
        for worker in &self.workers {
            worker.tell(Command::End);
        }
        let accounts: Accounts = std::mem::take(&mut self.workers).into_iter().flat_map(Handle::join).collect();
        let promised = self.promised(&accounts);
        self.take_what_is_there();
        let lags = self.lags();
        self.note_result(|tally| tally.flush(&lags));
        let groups = self.group_facts(views, &lag_end);
        let mut fault = fault;
        let deliveries = if is_cut_short || fault.is_some() { None } else { self.prove(&groups, accounts, &mut fault) };
        let facts = Facts {
            window: self.window,
            produced_until,
            groups,
            promised,
            deliveries,
            failures: self.failures.results(|at| self.tally.seconds(at)),
            jitter: jitter.map(Jitter::stop),
            fault,
            is_cut_short,
            board: self.shared.board.clone(),
            identity: self.identity.clone(),
        };
        self.observer.phase(Phase::Done);
        let result = verdict::result(self.scenario, self.target, self.options, &self.tally, facts);
        let latency_log = self.tally.log_bytes();
        if !self.options.keeps_topics {
            self.site.clear();
        }
        let response = self.tally.total.response.clone();
        Outcome { result, response, series: self.tally.series, events: self.events, latency_log }
    }

    fn prove(&mut self, groups: &[GroupFacts], accounts: Accounts, fault: &mut Option<RunError>) -> Option<Verdict> {
        let deliveries = accounts.into_iter().map(|account| account.deliveries);
        match self.scenario.verify {
            crate::scenario::Verify::Live => {
                let read = groups.iter().filter(|group| group.protocol == Protocol::Assigned);
                let first = &self.scenario.groups.iter().position(|group| group.protocol == Protocol::Assigned)?;
                let by_topic: Vec<Ledger> = (0..self.scenario.topic.count as usize)
                    .map(|topic| self.ledgers[topic * self.scenario.groups.len() + first].clone())
                    .collect();
                (read.map(|group| group.lag_end).sum::<u64>() == 0).then(|| proof::judge(&by_topic, deliveries))
            }
            crate::scenario::Verify::None => None,
            crate::scenario::Verify::ReadBack => {
                self.begin(Phase::ReadBack);
                let (workers, silence_s) = (worker_count(self.scenario), self.scenario.limits.silence_s);
                match proof::read_back(workers, silence_s, &mut self.site, &self.shared, self.stop) {
                    Ok(ledgers) => ledgers.map(|ledgers| proof::judge(&ledgers, deliveries)),
                    Err(error) => {
                        *fault = Some(error);
                        None
                    }
                }
            }
        }
    }

    fn promised(&self, accounts: &Accounts) -> Vec<Vec<u64>> {
        let partitions = self.scenario.topic.partitions as usize;
        let mut promised = vec![vec![0; partitions]; self.scenario.topic.count as usize];
        for account in accounts {
            for (sum, records) in promised[account.topic].iter_mut().zip(&account.records) {
                *sum += records;
            }
        }
        promised
    }

    /// The phases that need workers.
    fn phases(&mut self) -> Result<(), RunError> {
        let has_backlog = self.scenario.backlog.is_some();
        if has_backlog {
            self.fill_backlog()?;
        } else {
            self.start_readers(self.clock.now());
            self.settle_groups()?;
        }
        if self.is_stopped() {
            return Ok(());
        }
        let from = self.clock.now() + LEAD + seconds(self.scenario.timing.warm_up_s);
        let window = Window { from, to: from + seconds(self.scenario.timing.window_s) };
        self.begin(Phase::WarmUp);
        let lags = self.lags();
        self.note_result(|tally| tally.set_window(window, &lags));
        self.window = Some(window);
        self.set_paces(|control, number, producers| control.pace(number, producers, window), window);
        self.watch_until(window.from)?;
        self.begin(Phase::Window);
        if has_backlog {
            self.reading_since = Some(self.clock.now());
            self.start_readers(self.clock.now());
        }
        self.watch_until(window.to)?;
        self.begin(Phase::Drain);
        self.workers.iter().for_each(|worker| worker.tell(Command::StopProducing));
        self.drain()
    }

    fn pace(&self, number: u32, producers: u32, window: Window) -> Pace {
        match self.scenario.producers.rate {
            Rate::Max => Pace::Max { until: window.to },
            Rate::PerSecond(rate) => {
                let phase = f64::from(number) / f64::from(producers);
                let start = window.from - seconds(self.scenario.timing.warm_up_s);
                let schedule = Schedule::new(start, rate / f64::from(producers), phase);
                Pace::Scheduled { schedule, until: window.to }
            }
        }
    }

    fn set_paces(&self, pace: impl Fn(&Self, u32, u32) -> Pace, window: Window) {
        let producers = self.scenario.producers.count * self.scenario.topic.count;
        for (index, worker) in self.workers.iter().enumerate() {
            let own = (0..producers).filter(|number| *number as usize % self.workers.len() == index);
            let paces = own.map(|number| (number, pace(self, number, producers))).collect();
            worker.tell(Command::Pace { paces, window });
        }
    }

    fn fill_backlog(&mut self) -> Result<(), RunError> {
        let Some(backlog) = self.scenario.backlog.clone() else { return Ok(()) };
        self.begin(Phase::Backlog);
        let record_bytes = u64::from(self.scenario.producers.record_bytes);
        let producers = u64::from(self.scenario.producers.count * self.scenario.topic.count);
        let records = (backlog.megabytes * 1_000_000).div_ceil(record_bytes * producers);
        self.set_paces(|_, _, _| Pace::Fill { records }, Window::NEVER);
        let deadline = self.clock.now() + seconds(backlog.fill_s);
        let total = records * producers;
        while self.settled() < total && !self.is_stopped() {
            self.step()?;
            if self.clock.now() >= deadline {
                let what = format!("{} of {total} records of the backlog were taken", self.settled());
                let advice = "Give backlog.fill_s more, or ask for fewer megabytes.";
                return Err(RunError::NotReady { what, seconds: backlog.fill_s, advice });
            }
        }
        Ok(())
    }

    /// Records that are acknowledged or failed; with acks = 0 sent.
    fn settled(&self) -> u64 {
        let board = &self.shared.board;
        let done = match self.scenario.producers.acks {
            Acks::None => board.sum(|worker| &worker.sent),
            _ => board.sum(|worker| &worker.acked),
        };
        done + board.sum(|worker| &worker.failed)
    }

    fn start_readers(&mut self, due: Nanos) {
        let groups = self.scenario.groups.len();
        for group in 0..self.shared.board.groups.len() {
            for member in 0..self.scenario.groups[group % groups].members as usize {
                self.start_reader(group, member, due);
            }
        }
    }

    fn start_reader(&self, group: usize, member: usize, due: Nanos) {
        let groups = self.scenario.groups.len();
        let (topic, settings) = (group / groups, &self.scenario.groups[group % groups]);
        let partitions: Vec<usize> = (0..self.scenario.topic.partitions as usize).collect();
        let assigned = match settings.protocol {
            Protocol::Assigned => ranges(&partitions, settings.members as usize)[member].to_vec(),
            _ => Vec::new(),
        };
        let plan = ReaderPlan {
            fetcher: FetcherPlan {
                topic,
                group,
                member,
                settings: Arc::new(settings.clone()),
                ledger: self.ledgers[group].clone(),
                measures: true,
            },
            group_id: group_id(&self.identity.id.to_lowercase(), &settings.name, topic),
            assigned: assigned.into_iter().map(|partition| (partition, 0)).collect(),
            random: u128::from(self.identity.random) << 64 | (group as u128) << 32 | (member as u128 + 1),
            due,
        };
        self.worker_of(group, member).tell(Command::Read(vec![plan]));
    }

    fn worker_of(&self, group: usize, member: usize) -> &Handle {
        &self.workers[(group + member) % self.workers.len()]
    }

    /// Waits until each partition of each group has a member and all members agree on the generation.
    fn settle_groups(&mut self) -> Result<(), RunError> {
        let deadline = self.clock.now() + SETTLE_WITHIN;
        while let Some(group) = (0..self.shared.board.groups.len()).find(|group| !self.is_settled(*group)) {
            if self.is_stopped() {
                return Ok(());
            }
            self.step()?;
            if self.clock.now() >= deadline {
                let name = &self.scenario.groups[group % self.scenario.groups.len()].name;
                let held: usize =
                    self.shared.board.groups[group].views().iter().map(|view| view.partitions.len()).sum();
                let what = format!("group {name} did not settle ({held} partitions are held)");
                let advice = "Does the broker's log say why its members do not agree?";
                return Err(RunError::NotReady { what, seconds: SETTLE_WITHIN as f64 / 1e9, advice });
            }
        }
        Ok(())
    }

    fn is_settled(&self, group: usize) -> bool {
        let settings = &self.scenario.groups[group % self.scenario.groups.len()];
        let views = self.shared.board.groups[group].views();
        let held: usize = views.iter().map(|view| view.partitions.len()).sum();
        let generation = views.first().and_then(|view| view.generation);
        let agree = settings.protocol == Protocol::Assigned
            || generation.is_some() && views.iter().all(|view| view.generation == generation);
        held == self.scenario.topic.partitions as usize && agree
    }

    /// Watches the run until a moment, or until it is stopped.
    fn watch_until(&mut self, end: Nanos) -> Result<(), RunError> {
        while self.clock.now() < end && !self.is_stopped() {
            self.step()?;
            self.act_on_events();
            self.check_load()?;
        }
        Ok(())
    }

    /// Takes what workers tell, for a tick; looks after topology and view.
    fn step(&mut self) -> Result<(), RunError> {
        let end = self.clock.now() + nanos(TICK);
        loop {
            let left = Duration::from_nanos(end.saturating_sub(self.clock.now()));
            match self.notices.recv_timeout(left) {
                Ok(notice) => self.take(notice),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
            if left.is_zero() {
                break;
            }
        }
        self.take_lag();
        self.show();
        if let Some(text) = &self.fatal
            && self.scenario.on_error == OnError::End
        {
            return Err(RunError::Failed(text.clone()));
        }
        self.refresh_topology()
    }

    fn take_what_is_there(&mut self) {
        while let Ok(notice) = self.notices.try_recv() {
            self.take(notice);
        }
    }

    fn take(&mut self, notice: Notice) {
        match notice {
            Notice::Interval { from, to, recorded, .. } => {
                let lags = self.lags();
                self.note_result(|tally| tally.add(from, to, *recorded, &lags));
            }
            Notice::Assigned { group, member, partitions, at } => {
                self.failures.assigned(group, member, &partitions, at);
                self.note(at, "assigned", Some((group, member)), format!("partitions {partitions:?}"));
            }
            Notice::FirstRecord { group, member, partition, at } => {
                self.failures.first_record(group, member, partition, at);
                self.note(at, "first-record", Some((group, member)), format!("partition {partition}"));
            }
            Notice::Trouble { is_fatal, text, at } => {
                if is_fatal {
                    self.fatal.get_or_insert_with(|| text.clone());
                }
                self.troubles += 1;
                if self.troubles <= TROUBLE_MAX {
                    self.note(at, if is_fatal { "error" } else { "trouble" }, None, text);
                }
            }
        }
    }

    fn note(&mut self, at: Nanos, kind: &str, who: Option<(usize, usize)>, detail: String) {
        let name = |group: usize| self.group_name(group);
        let event = RunEvent {
            at_s: self.tally.seconds(at),
            kind: kind.to_owned(),
            group: who.map(|(group, _)| name(group)),
            member: who.map(|(group, member)| format!("{}-{member}", name(group))),
            detail,
        };
        self.events.push(event);
    }

    fn note_result(&mut self, act: impl FnOnce(&mut Tally) -> std::io::Result<()>) {
        if let Err(error) = act(&mut self.tally) {
            self.fatal.get_or_insert_with(|| format!("the latency log cannot be written: {error}"));
        }
    }

    fn group_name(&self, group: usize) -> String {
        let settings = &self.scenario.groups[group % self.scenario.groups.len()];
        match self.scenario.topic.count {
            1 => settings.name.clone(),
            _ => format!("{}-{}", settings.name, group / self.scenario.groups.len()),
        }
    }

    fn lags(&self) -> Vec<u64> {
        let groups = self.scenario.groups.len();
        (0..self.shared.board.groups.len()).map(|group| self.shared.board.lag(group / groups, group)).collect()
    }

    /// Keeps the most that each group was behind in the window, and when it had caught up.
    fn take_lag(&mut self) {
        let now = self.clock.now();
        // Caught up is who is no further behind than a second of what is written.
        let near = self.scenario.producers.rate.per_second().map_or(1000, |rate| rate as u64 + 1);
        for (group, lag) in self.lags().into_iter().enumerate() {
            if self.phase == Phase::Window {
                self.lag_max[group] = self.lag_max[group].max(lag);
            }
            if self.reading_since.is_some() && lag <= near && self.drained[group].is_none() {
                let records = self.shared.board.groups[group].views().iter().map(|view| view.records).sum();
                if records > 0 {
                    self.drained[group] = Some((now, records));
                    self.note(now, "note", Some((group, 0)), "the backlog is read".into());
                }
            }
        }
    }

    fn act_on_events(&mut self) {
        let Some(window) = self.window else { return };
        while let Some(event) = self.events_in_order.get(self.next_event).cloned() {
            let now = self.clock.now();
            if now < window.from.saturating_add(seconds(event.at_s)) || now < window.from {
                return;
            }
            self.next_event += 1;
            for group in 0..self.shared.board.groups.len() {
                if self.scenario.groups[group % self.scenario.groups.len()].name == event.group {
                    self.act_on(group, &event, now);
                }
            }
        }
    }

    fn act_on(&mut self, group: usize, event: &crate::scenario::Event, now: Nanos) {
        let views = self.shared.board.groups[group].views();
        let fate = match event.action {
            EventAction::Join => {
                let member = views.len();
                self.note(now, "join", Some((group, member)), "one more member".into());
                self.shared.board.groups[group].update(member, |_| {});
                self.start_reader(group, member, now);
                return;
            }
            EventAction::Leave => Fate::Leave,
            EventAction::Kill => Fate::Kill,
            EventAction::Freeze => Fate::Freeze,
        };
        let order = (0..views.len()).map(|offset| (event.member as usize + offset) % views.len());
        let holds = |member: &usize| views[*member].is_active && !views[*member].partitions.is_empty();
        let Some(member) = order.into_iter().find(holds) else {
            self.note(now, "note", Some((group, 0)), format!("no member to {}", event.action.name()));
            return;
        };
        let name = self.group_name(group);
        let partitions = &views[member].partitions;
        self.failures.happened(now, event.action, (group, &name), member, partitions);
        self.note(now, event.action.name(), Some((group, member)), format!("it held {partitions:?}"));
        self.worker_of(group, member).tell(Command::Member { group, member, fate });
    }

    /// Whether the run goes as it must.
    fn check_load(&mut self) -> Result<(), RunError> {
        let board = &self.shared.board;
        let (offered, sent) = (board.sum(|worker| &worker.offered), board.sum(|worker| &worker.sent));
        let failed = board.sum(|worker| &worker.failed);
        if failed > 0 && self.scenario.on_error == OnError::End {
            self.take_what_is_there();
            let last = self.events.iter().rev().find(|event| event.kind == "trouble" || event.kind == "error");
            let detail = last.map_or(String::new(), |event| format!(": {}", event.detail));
            return Err(RunError::Failed(format!("{failed} records failed{detail}")));
        }
        if let Rate::PerSecond(rate) = self.scenario.producers.rate {
            let behind = offered.saturating_sub(sent + failed);
            if behind as f64 > self.scenario.limits.backlog_s * rate {
                return Err(RunError::Overloaded { behind, limit_s: self.scenario.limits.backlog_s });
            }
        }
        self.check_silence()
    }

    fn check_silence(&self) -> Result<(), RunError> {
        let board = &self.shared.board;
        let owed = board.sum(|worker| &worker.offered).saturating_sub(self.settled());
        let begun = self.window.map_or(0, |window| window.from - seconds(self.scenario.timing.warm_up_s));
        let heard = board.workers.iter().map(|worker| get(&worker.last_answer)).max().unwrap_or(0).max(begun);
        let silence = self.clock.now().saturating_sub(heard);
        if owed > 0 && silence > seconds(self.scenario.limits.silence_s) {
            return Err(RunError::Silent { seconds: silence as f64 / 1e9, owed });
        }
        Ok(())
    }

    /// Waits until all is answered and all groups have all.
    fn drain(&mut self) -> Result<(), RunError> {
        let limit = if self.is_stopped() { CUT_SHORT_DRAIN } else { seconds(self.scenario.timing.drain_s) };
        let deadline = self.clock.now() + limit;
        let mut has_learnt_ends = false;
        loop {
            self.step()?;
            let offered = self.shared.board.sum(|worker| &worker.offered);
            let is_answered = self.settled() >= offered;
            if is_answered && !has_learnt_ends && !self.is_stopped() {
                self.learn_ends();
                has_learnt_ends = true;
            }
            if is_answered && (self.lags().iter().all(|lag| *lag == 0) || self.is_stopped()) {
                return Ok(());
            }
            if self.clock.now() >= deadline {
                return Ok(());
            }
            if !self.is_stopped() {
                self.check_load()?;
            }
        }
    }

    /// Asks the brokers where the logs end: without acknowledgements nobody has said.
    fn learn_ends(&mut self) {
        match self.site.ends() {
            Ok(ends) => {
                for (topic, ends) in ends.iter().enumerate() {
                    for (partition, end) in ends.iter().enumerate() {
                        self.shared.board.heard_end(topic, partition, *end);
                    }
                }
            }
            Err(error) => self.note(self.clock.now(), "trouble", None, format!("asking where the logs end: {error}")),
        }
    }

    fn refresh_topology(&mut self) -> Result<(), RunError> {
        let now = self.clock.now();
        if now < self.topology_at + TOPOLOGY_EVERY || !self.shared.topology.take_asked() {
            return Ok(());
        }
        self.topology_at = now;
        match self.site.topology().and_then(|topology| self.site.coordinators(topology)) {
            Ok(topology) => {
                if topology != *self.shared.topology.current() {
                    self.note(now, "note", None, "leaders or coordinators have changed".into());
                    self.shared.topology.publish(topology);
                }
                Ok(())
            }
            Err(RunError::Client(error)) if is_gone(&error) => Err(RunError::Failed(format!(
                "a topic of the run has disappeared ({error}). Who else deletes topics of this cluster?"
            ))),
            Err(error) => {
                self.shared.topology.ask();
                self.note(now, "trouble", None, format!("asking where everything is: {error}"));
                Ok(())
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn begin(&mut self, phase: Phase) {
        self.phase = phase;
        self.observer.phase(phase);
        self.note(self.clock.now(), "phase", None, phase.name().to_owned());
    }

    fn show(&mut self) {
        let now = self.clock.now();
        if now < self.progress_at {
            return;
        }
        self.progress_at = now + PROGRESS_EVERY;
        let progress = self.look(now);
        self.observer.progress(progress);
    }

    fn look(&self, now: Nanos) -> Progress {
        let timing = &self.scenario.timing;
        let last = self.tally.series.last();
        let per_s = |of: fn(&crate::result::Interval) -> u64| {
            last.map_or(0.0, |interval| of(interval) as f64 / interval.seconds.max(1e-3))
        };
        let percentiles = |of: fn(&crate::engine::recorder::Recorded) -> &Latencies| {
            let latencies = of(self.tally.latest.as_ref()?);
            let at = |percentile| latencies.percentile_us(percentile);
            (latencies.samples() > 0).then(|| [at(50.0), at(99.0), at(99.9)])
        };
        let end = self.window.map_or(timing.warm_up_s + timing.window_s, |window| window.to as f64 / 1e9);
        let bytes = f64::from(self.scenario.producers.record_bytes) / 1e6;
        let acked_per_s = per_s(|interval| interval.acked);
        let sent_per_s = per_s(|interval| interval.sent);
        let counted = if self.scenario.producers.acks == Acks::None { sent_per_s } else { acked_per_s };
        Progress {
            system: self.target.system.name.clone(),
            scenario: self.scenario.id.clone(),
            run: self.options.run,
            runs: self.options.runs,
            phase: self.phase,
            elapsed: Duration::from_nanos(now),
            total: Duration::from_secs_f64(end.max(now as f64 / 1e9)),
            offered_per_s: per_s(|interval| interval.offered),
            sent_per_s,
            acked_per_s,
            delivered_per_s: per_s(|interval| interval.delivered),
            mb_per_s: counted * bytes,
            response_us: percentiles(|recorded| &recorded.response),
            e2e_us: percentiles(|recorded| &recorded.e2e),
            lag: self.lags().into_iter().enumerate().map(|(group, lag)| (self.group_name(group), lag)).collect(),
            errors: self.shared.board.sum(|worker| &worker.failed),
        }
    }

    fn group_facts(&self, views: Vec<Vec<MemberView>>, lag_end: &[u64]) -> Vec<GroupFacts> {
        let facts = |(group, views): (usize, Vec<MemberView>)| GroupFacts {
            name: self.group_name(group),
            protocol: self.scenario.groups[group % self.scenario.groups.len()].protocol,
            views,
            lag_end: lag_end[group],
            lag_max: self.lag_max[group],
            redelivered: proof::redelivered(&self.ledgers[group]),
            drained_s: self.drained[group].zip(self.reading_since).map(|((at, _), from)| (at - from) as f64 / 1e9),
            drained_records: self.drained[group].map_or(0, |(_, records)| records),
        };
        views.into_iter().enumerate().map(facts).collect()
    }
}

fn is_gone(error: &crate::client::ClientError) -> bool {
    use wire::ErrorCode::{UnknownTopicId, UnknownTopicOrPartition};
    matches!(error.code(), Some(UnknownTopicOrPartition | UnknownTopicId))
}

/// A ledger of a topic that nobody has read.
pub(super) fn new_ledger(partitions: usize) -> Ledger {
    Arc::new((0..partitions).map(|_| Default::default()).collect())
}

/// As many workers as the scenario says, or as processors that this process may use.
pub(super) fn worker_count(scenario: &Scenario) -> usize {
    match scenario.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers as usize,
    }
}

fn producer_plans(scenario: &Scenario, site: &mut Site) -> Result<Vec<ProducerPlan>, RunError> {
    let settings = Arc::new(scenario.producers.clone());
    let mut plans = Vec::new();
    for number in 0..scenario.producers.count * scenario.topic.count {
        let identity = if settings.idempotent { Some(site.producer_id()?) } else { None };
        plans.push(ProducerPlan {
            number,
            topic: (number % scenario.topic.count) as usize,
            partitions: scenario.topic.partitions as usize,
            settings: settings.clone(),
            identity,
        });
    }
    Ok(plans)
}
