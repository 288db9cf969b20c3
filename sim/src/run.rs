//! One seed, from the first start to the verdict.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use checkers::{History, Report};
use probe::Mark;
use wire::TopicPartitionId;

use crate::broker::{Broker, Machine};
use crate::client::group::{Group, Protocol};
use crate::client::member::script;
use crate::client::{Shared, TopicState, admin, committer, consumer, finale, producer, settle};
use crate::clock::Clock;
use crate::coverage::{Coverage, Reached};
use crate::cuts::{Cuts, Part};
use crate::dice::Dice;
use crate::disk::{DiskLatency, SimDisk};
use crate::executor::{Executor, Notify, Owner};
use crate::faults::{Effects, Operator};
use crate::net::Net;
use crate::scenario::{FAULTS_WITHIN, Loads, Scenario};
use crate::trace::Trace;

/// How long clients may take to finish once everything is healed.
const FINISH: Duration = Duration::from_secs(300);
/// Between two looks at how far scrubbing is.
const SCRUB_LOOK: Duration = Duration::from_millis(20);

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The hash of its events: the same in every run.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// What the checkers say.
    pub report: Report<TopicPartitionId>,
    /// Promises that were broken, beyond the history.
    pub violations: Vec<String>,
    /// Faults that took effect.
    pub effects: Effects,
    /// What groups went through.
    pub coverage: Coverage,
    /// Rare paths of the broker's code that were taken, where there are probes in this build.
    pub marks: BTreeMap<Mark, u64>,
    /// What the scenario was made of, for people.
    pub parts: Vec<(Part, String)>,
    /// What clients saw, without topics that are gone.
    pub history: History<TopicPartitionId>,
    /// Values that were acknowledged.
    pub acked: usize,
    /// Values that were there at the end.
    pub read: usize,
}

impl Outcome {
    /// Everything that may not be, one line each.
    pub fn failures(&self) -> Vec<String> {
        let anomalies = self.report.anomalies.iter().map(ToString::to_string);
        let group_anomalies = self.report.group_anomalies.iter().map(ToString::to_string);
        self.violations.iter().cloned().chain(anomalies).chain(group_anomalies).collect()
    }
}

/// Runs a seed; `show` prints its events.
pub fn run(seed: u64, show: bool) -> Outcome {
    run_cut(seed, &Cuts::default(), show)
}

/// Runs a seed without some of its parts.
pub fn run_cut(seed: u64, cuts: &Cuts, show: bool) -> Outcome {
    probe::take_marks();
    let mut scenario = Scenario::new(seed, cuts.storm);
    let mut parts = cuts.cut_faults(&mut scenario.faults);
    let clients: Rc<RefCell<Vec<(Part, String)>>> = Rc::default();
    let dice = Dice::new(!seed);
    let clock = Clock::default();
    let executor = Executor::new(clock.clone(), dice.fork());
    let trace = Trace::new(clock.clone(), show);
    let latency = DiskLatency::new(clock.clone(), dice.fork(), trace.clone(), scenario.disk.clone());
    let compactions = latency.compactions();
    let disk = SimDisk::new(dice.bits(), latency.clone());
    disk.set_unreadable_percent(scenario.unreadable_percent);
    let broker = Broker::new(Machine {
        executor: executor.clone(),
        disk,
        latency,
        net: Net::new(clock.clone(), dice.fork(), scenario.net.clone()),
        dice: dice.fork(),
        trace: trace.clone(),
        mesh_delay: scenario.mesh_delay.clone(),
        config: scenario.config.clone(),
        store: scenario.store.clone(),
    });
    let shared = Shared::new(clock, dice.fork(), trace.clone(), broker.clone());
    let cast = Cast { cuts: cuts.clone(), parts: clients.clone() };
    let story = play(executor.clone(), shared.clone(), (scenario, cast), dice.fork());
    let effects = executor.run(story).unwrap_or_else(|stuck| {
        shared.violation(format!("the run got stuck: {stuck}"));
        Effects::new()
    });
    broker.end(crate::broker::End::Kill);
    (0..compactions.get()).for_each(|_| shared.reached(Reached::Compacted));
    shared.groups.take();
    let mut history = shared.history.take();
    for topic in shared.topics.borrow().iter().filter(|topic| topic.state != TopicState::Alive) {
        history.forget(|key| key.topic == topic.id);
    }
    parts.append(&mut clients.borrow_mut());
    Outcome {
        seed,
        hash: trace.hash(),
        events: trace.events(),
        report: checkers::check(&history),
        violations: shared.violations.take(),
        effects,
        coverage: shared.coverage.take(),
        marks: probe::take_marks(),
        parts,
        acked: history.acked(),
        read: history.read_at_the_end(),
        history,
    }
}

/// Clients that are to finish.
struct Crew {
    executor: Executor,
    owner: Owner,
    working: Rc<Cell<usize>>,
    ended: Rc<Notify>,
}

impl Crew {
    fn new(executor: Executor) -> Crew {
        Crew { owner: executor.new_owner(), executor, working: Rc::default(), ended: Rc::default() }
    }

    fn spawn(&self, client: impl Future<Output = ()> + 'static) {
        let (working, ended) = (self.working.clone(), self.ended.clone());
        working.set(working.get() + 1);
        self.executor.spawn(self.owner, async move {
            client.await;
            working.set(working.get() - 1);
            ended.notify();
        });
    }

    async fn all_ended(&self) {
        while self.working.get() > 0 {
            self.ended.changed().await;
        }
    }
}

/// Who takes part.
struct Cast {
    cuts: Cuts,
    /// Filled in once the topics are there.
    parts: Rc<RefCell<Vec<(Part, String)>>>,
}

async fn play(executor: Executor, shared: Rc<Shared>, (scenario, cast): (Scenario, Cast), dice: Dice) -> Effects {
    let mut operator = Operator::new(shared.clone(), &scenario, dice.clone());
    operator.start().await;
    admin::create_all(&shared, &scenario.topics).await;
    let topics = shared.topics.borrow().clone();
    let mut loads = scenario.loads(&topics);
    cast.parts.replace(cast.cuts.cut_loads(&mut loads));
    let Loads { producers, consumers, committers, groups, admin } = loads;
    let (workers, readers) = (Crew::new(executor.clone()), Crew::new(executor.clone()));
    producers.into_iter().for_each(|plan| workers.spawn(producer::produce(shared.clone(), plan)));
    committers.iter().for_each(|plan| workers.spawn(committer::commit(shared.clone(), plan.clone())));
    workers.spawn(admin::administer(shared.clone(), admin, Duration::from_secs(1)));
    consumers.into_iter().for_each(|plan| readers.spawn(consumer::consume(shared.clone(), plan)));
    let groups: Vec<Rc<Group>> = groups.into_iter().map(|plan| Rc::new(Group::new(plan))).collect();
    shared.groups.replace(groups.clone());
    shared.faults_end_ns.set(shared.clock.now_ns() + FAULTS_WITHIN.as_nanos() as u64);
    for group in &groups {
        let has_generations = group.plan.protocol == Protocol::Classic;
        shared.history.borrow_mut().group(group.plan.number).has_generations = has_generations;
        let members = group.plan.members.iter();
        members.for_each(|plan| readers.spawn(script::inhabit(shared.clone(), group.clone(), plan.clone())));
    }
    operator.bring(scenario.faults.clone()).await;
    operator.heal().await;
    if !groups.is_empty() {
        shared.clock.sleep_until(shared.faults_end_ns.get()).await;
    }
    settle::all_settle(&shared, &groups).await;
    finish(&shared, workers, "writers").await;
    settle::all_settle(&shared, &groups).await;
    settle::all_read(&shared, &groups).await;
    shared.stopping.set(true);
    finish(&shared, readers, "consumers").await;
    operator.restart(dice.within(1..=4) as u16).await;
    if shared.clock.timeout(FINISH, finale::look(shared.clone(), committers)).await.is_none() {
        shared.violation("the final reads never end".into());
    }
    if shared.clock.timeout(FINISH, scrub(&shared)).await.is_none() {
        shared.violation("scrubbing never comes round".into());
    }
    operator.into_effects()
}

/// Waits until everything has been scrubbed since the start: nothing may be damaged that no fault has damaged.
async fn scrub(shared: &Shared) {
    loop {
        // A broker that does not run in spite of all healing is a violation already.
        let Some(stats) = shared.broker.scrub_stats().await else { return };
        if stats.found > 0 {
            shared.violation(format!("scrubbing has found {} damaged batches", stats.found));
            return;
        }
        if stats.passes > 0 {
            (0..u64::from(stats.bytes > 0)).for_each(|_| shared.reached(Reached::Scrubbed));
            return;
        }
        shared.clock.sleep(SCRUB_LOOK).await;
    }
}

async fn finish(shared: &Shared, crew: Crew, who: &str) {
    if shared.clock.timeout(FINISH, crew.all_ended()).await.is_none() {
        shared.violation(format!("{} {who} never finish, though everything is healed", crew.working.get()));
    }
    crew.executor.kill(crew.owner);
}
