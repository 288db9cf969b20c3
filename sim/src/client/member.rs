//! A member of a group: joins, reads what it is given, commits, and follows rebalances, in its own words those of a real
//! client.
//!
//! One task does everything in turn, over one connection to the coordinator and another one for data. Where it stands still
//! or loses its network, it does so before a request or between an answer and what follows from it, and goes on with what it
//! knew. What it is told goes into the history as it is told.

pub mod assignor;
mod classic;
mod committing;
mod consumer;
mod reading;
pub mod script;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use checkers::history::ProcessId;
use checkers::history::groups::GroupAction;
use wire::api::FindCoordinatorRequest;
use wire::message::Api;
use wire::{ErrorCode, TopicPartitionId, Uuid};

use super::group::{Group, Held, Protocol, Seat};
use super::link::{Link, Lost};
use super::{RETRY, Shared, admin};
use crate::coverage::Reached;
use assignor::Named;
use script::Interruption;

const FIND_COORDINATOR_VERSION: i16 = 3;
/// Between two looks at the topics.
const REFRESH: Duration = Duration::from_millis(400);
/// Before the first JoinGroup, and after the coordinator has forgotten its members.
const NO_GENERATION: i32 = -1;

/// A member's life is over by its own account: the run has stopped it, or its instance id is another's.
pub(super) struct Ended;

/// What keeps a member from going on.
enum Trouble {
    /// A connection is of no use any more.
    Lost(Lost),
    /// Its instance id belongs to another member.
    Replaced,
}

impl From<Lost> for Trouble {
    fn from(lost: Lost) -> Trouble {
        Trouble::Lost(lost)
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Coordinator,
    Data,
}

struct Member {
    shared: Rc<Shared>,
    group: Rc<Group>,
    name: String,
    instance: Option<String>,
    interruptions: VecDeque<(u64, Interruption)>,
    /// To the coordinator, and for data.
    links: [Option<Link>; 2],
    /// No connection before this time, in ns.
    offline_until_ns: u64,
    /// The member as the history knows it: one for each member id.
    process: ProcessId,
    /// Whose instance id it has taken over.
    former: Option<ProcessId>,
    /// Empty while the coordinator has given none.
    member_id: String,
    generation: i32,
    /// It has its assignment and knows of no rebalance.
    is_settled: bool,
    /// What it has told the coordinator that it has (KIP-848); `None` where the next heartbeat says everything.
    told: Option<Vec<TopicPartitionId>>,
    /// It has been given an assignment, and has not said yet what it has of it (KIP-848).
    owes_word: bool,
    /// It was given nothing last time.
    is_idle: bool,
    /// It has assigned, with so many partitions of each topic.
    assigned_from: Option<BTreeMap<String, i32>>,
    /// Topics as it last saw them: id and number of partitions.
    topics: BTreeMap<String, (Uuid, i32)>,
    held: BTreeMap<TopicPartitionId, Held>,
    /// What it is to commit too late, and the generation or epoch that this says.
    late: Option<(i32, committing::Offsets)>,
    next_heartbeat_ns: u64,
    next_commit_ns: u64,
    next_refresh_ns: u64,
}

impl Member {
    fn new(
        shared: Rc<Shared>,
        group: Rc<Group>,
        name: String,
        instance: Option<String>,
        interruptions: VecDeque<(u64, Interruption)>,
    ) -> Member {
        Member {
            process: shared.new_process(),
            shared,
            group,
            name,
            instance,
            interruptions,
            links: [None, None],
            offline_until_ns: 0,
            former: None,
            member_id: String::new(),
            generation: NO_GENERATION,
            is_settled: false,
            told: None,
            owes_word: false,
            is_idle: false,
            assigned_from: None,
            topics: BTreeMap::new(),
            held: BTreeMap::new(),
            late: None,
            next_heartbeat_ns: 0,
            next_commit_ns: 0,
            next_refresh_ns: 0,
        }
    }

    /// The next life, which knows nothing of this one.
    fn reborn(self) -> Member {
        self.bury_seat();
        let Member { shared, group, name, instance, interruptions, offline_until_ns, .. } = self;
        Member { offline_until_ns, ..Member::new(shared, group, name, instance, interruptions) }
    }

    /// It has left the group, and knows that it has.
    fn left(&mut self) {
        self.shared.reached(Reached::Left);
        self.record(GroupAction::Fenced { as_unknown: false });
        self.held.clear();
        self.is_settled = false;
        self.generation = NO_GENERATION;
    }

    fn take_links(&mut self) -> Vec<Link> {
        self.links.iter_mut().filter_map(Option::take).collect()
    }

    fn bury(self) {
        self.bury_seat();
    }

    fn bury_seat(&self) {
        self.group.seats.borrow_mut().remove(&self.process);
    }

    /// Lives until consumers are stopped, or until another member has its instance id.
    async fn live(&mut self) -> Ended {
        loop {
            let stopping = self.shared.stopping.get();
            let done = if stopping { self.leave().await } else { self.step().await };
            self.show();
            match done {
                Ok(()) if stopping => return Ended,
                Ok(()) => {}
                Err(Trouble::Lost(lost)) => {
                    self.shared.trace.event(format_args!("{}: {lost}", self.name));
                    if let Lost::Malformed(what) = lost {
                        self.shared.violation(format!("{}: {what}", self.name));
                    }
                }
                Err(Trouble::Replaced) => {
                    self.shared.reached(Reached::InstanceFenced);
                    self.fenced(false);
                    return Ended;
                }
            }
        }
    }

    async fn step(&mut self) -> Result<(), Trouble> {
        match self.group.plan.protocol {
            Protocol::Classic => self.classic_step().await,
            Protocol::Consumer { .. } => self.consumer_step().await,
        }
    }

    async fn leave(&mut self) -> Result<(), Trouble> {
        match self.group.plan.protocol {
            Protocol::Classic => self.classic_leave().await,
            Protocol::Consumer { .. } => self.consumer_leave().await,
        }
    }

    /// What follows when the coordinator refuses a member.
    async fn refused(&mut self, error: ErrorCode, what: &str) -> Result<(), Trouble> {
        self.shared.trace.event(format_args!("{}: {what} is refused: {error:?}", self.name));
        match error {
            ErrorCode::RebalanceInProgress => self.is_settled = false,
            ErrorCode::IllegalGeneration | ErrorCode::FencedMemberEpoch => {
                self.commit_stubbornly().await?;
                self.lose_everything();
            }
            ErrorCode::UnknownMemberId | ErrorCode::GroupIdNotFound => {
                self.commit_stubbornly().await?;
                self.fenced(true);
            }
            ErrorCode::FencedInstanceId => {
                self.commit_stubbornly().await?;
                return Err(Trouble::Replaced);
            }
            // The next heartbeat says which epoch is its own.
            ErrorCode::StaleMemberEpoch => self.next_heartbeat_ns = self.shared.clock.now_ns(),
            // Its former self has not left and is not dead yet.
            ErrorCode::UnreleasedInstanceId => self.shared.clock.sleep(RETRY).await,
            error if error.is_retriable() => self.shared.clock.sleep(RETRY).await,
            _ => self.unexpected(what, error.code()),
        }
        Ok(())
    }

    /// Shows on the board what it has now.
    fn show(&self) {
        let seat = Seat { member_id: self.member_id.clone(), is_settled: self.is_settled, held: self.held.clone() };
        self.group.seats.borrow_mut().insert(self.process, seat);
    }

    fn record(&self, action: GroupAction<TopicPartitionId>) {
        self.record_of(self.process, action);
    }

    fn record_of(&self, process: ProcessId, action: GroupAction<TopicPartitionId>) {
        let at_ns = self.shared.clock.now_ns();
        self.shared.history.borrow_mut().group(self.group.plan.number).record(at_ns, process, action);
    }

    /// Stands still, loses its network or waits for it, as it is told to; then there is a connection.
    async fn ready(&mut self, place: Place) -> Result<(), Lost> {
        self.endure().await;
        if self.links[place as usize].is_none() {
            self.shared.clock.sleep_until(self.offline_until_ns).await;
            let mut link = self.shared.link(&self.name).await;
            if place == Place::Coordinator {
                self.find_coordinator(&mut link).await?;
            }
            self.links[place as usize] = Some(link);
        }
        Ok(())
    }

    async fn find_coordinator(&self, link: &mut Link) -> Result<(), Lost> {
        loop {
            let find = FindCoordinatorRequest { key: self.group.plan.id(), key_type: 0, ..Default::default() };
            if link.ask(FIND_COORDINATOR_VERSION, &find).await?.error_code == 0 {
                return Ok(());
            }
            self.shared.clock.sleep(RETRY).await;
        }
    }

    async fn endure(&mut self) {
        while let Some(&(at_ns, what)) = self.interruptions.front() {
            let now_ns = self.shared.clock.now_ns();
            if at_ns > now_ns {
                return;
            }
            self.interruptions.pop_front();
            self.shared.trace.event(format_args!("{} endures {what:?}", self.name));
            match what {
                Interruption::Freeze(lasts) => {
                    if lasts > self.group.plan.session {
                        self.shared.reached(Reached::FrozeTooLong);
                    }
                    self.shared.clock.sleep_until(self.shared.fault_ends_ns(lasts)).await;
                }
                Interruption::Offline(lasts) => {
                    self.shared.reached(Reached::Offline);
                    self.links = [None, None];
                    self.offline_until_ns = self.shared.fault_ends_ns(lasts);
                }
                Interruption::Stall(lasts) => {
                    let until_ns = self.shared.fault_ends_ns(lasts);
                    let stalled = self.shared.broker.machine().net.stall(&self.name, until_ns);
                    if stalled > 0 {
                        self.shared.reached(Reached::Stalled);
                    }
                }
            }
        }
    }

    /// Sends a request and awaits its answer. A connection that fails is given up.
    async fn ask<A: Api>(&mut self, place: Place, version: i16, request: &A) -> Result<A::Response, Lost> {
        self.ready(place).await?;
        let link = self.links[place as usize].as_mut().expect("it is ready");
        let answer = link.ask(version, request).await;
        if answer.is_err() {
            self.links[place as usize] = None;
        }
        self.endure().await;
        answer
    }

    /// Looks at the topics that its group reads.
    async fn refresh_topics(&mut self) -> Result<(), Lost> {
        self.ready(Place::Data).await?;
        let link = self.links[Place::Data as usize].as_mut().expect("it is ready");
        let found = admin::metadata(link, None).await;
        if found.is_err() {
            self.links[Place::Data as usize] = None;
        }
        let wanted = &self.group.plan.topics;
        let found = found?.into_iter().filter(|(name, _, _)| wanted.contains(name));
        self.topics = found.map(|(name, id, count)| (name, (id, count as i32))).collect();
        self.next_refresh_ns = self.shared.clock.now_ns() + REFRESH.as_nanos() as u64;
        Ok(())
    }

    fn counts(&self) -> BTreeMap<String, i32> {
        self.topics.iter().map(|(name, (_, count))| (name.clone(), *count)).collect()
    }

    /// The partitions by their topics' ids, of the topics that it knows.
    fn resolve(&self, partitions: &BTreeSet<Named>) -> BTreeMap<TopicPartitionId, String> {
        let key = |(name, partition): &Named| {
            let (id, _) = self.topics.get(name)?;
            Some((TopicPartitionId { topic: *id, partition: *partition }, name.clone()))
        };
        partitions.iter().filter_map(key).collect()
    }

    /// It is about to take the place of whoever has its instance id.
    fn abandon_former(&self) -> Option<ProcessId> {
        let instance = self.instance.as_ref()?;
        let former = self.group.instances.borrow().get(instance).copied().filter(|former| *former != self.process)?;
        self.record_of(former, GroupAction::Abandoned);
        Some(former)
    }

    /// It has a member id for its instance id. Whoever had one before is fenced, which its first assignment shows: two may
    /// ask at the same time, and are not answered in that order.
    fn take_instance(&mut self) {
        self.former = self.abandon_former().or(self.former);
        if let Some(instance) = &self.instance {
            self.group.instances.borrow_mut().insert(instance.clone(), self.process);
        }
    }

    /// The coordinator has given it these partitions.
    fn granted(&mut self, asked_ns: u64, partitions: &BTreeMap<TopicPartitionId, String>) {
        let (epoch, lease_ns) = (self.generation, asked_ns + self.group.plan.lease().as_nanos() as u64);
        let names: Vec<String> = partitions.iter().map(|(key, topic)| format!("{topic}-{}", key.partition)).collect();
        self.shared.trace.event(format_args!("{} has {names:?} in {epoch}", self.name));
        let keys = partitions.keys().copied().collect();
        if let Some(former) = self.former.take() {
            self.shared.reached(Reached::StaticReturn);
            self.record_of(former, GroupAction::Fenced { as_unknown: false });
        }
        self.record(GroupAction::Granted { epoch, partitions: keys, asked_ns, lease_ns });
        self.shared.reached(Reached::Assigned);
        if self.is_idle && !partitions.is_empty() {
            self.shared.reached(Reached::SteppedUp);
        }
        self.is_idle = partitions.is_empty();
        for (key, topic) in partitions {
            let new = Held { topic: topic.clone(), position: None, committed: -1 };
            self.held.entry(*key).or_insert(new);
        }
    }

    fn renewed(&self, asked_ns: u64) {
        let lease_ns = asked_ns + self.group.plan.lease().as_nanos() as u64;
        self.shared.trace.event(format_args!("{} is alive in {}", self.name, self.generation));
        self.record(GroupAction::Renewed { asked_ns, lease_ns });
    }

    /// It is about to send a request that is parked.
    fn waits(&self) {
        if let (Some(grace), None) = (self.group.plan.grace, &self.instance) {
            let lease_ns = self.shared.clock.now_ns() + grace.as_nanos() as u64;
            self.record(GroupAction::Waits { lease_ns });
        }
    }

    /// Gives partitions up.
    fn release(&mut self, partitions: Vec<TopicPartitionId>) {
        if !partitions.is_empty() {
            partitions.iter().for_each(|partition| drop(self.held.remove(partition)));
            self.record(GroupAction::Released(partitions));
        }
    }

    /// What it holds is not its own any more.
    fn lose_everything(&mut self) {
        self.is_settled = false;
        self.generation = NO_GENERATION;
        self.release(self.held.keys().copied().collect());
    }

    /// The coordinator does not know it any more: whatever it joins as is somebody new.
    fn fenced(&mut self, as_unknown: bool) {
        self.shared.trace.event(format_args!("{} is fenced", self.name));
        if as_unknown {
            self.shared.reached(Reached::Expired);
            self.group.instances.borrow_mut().retain(|_, process| *process != self.process);
        }
        self.record(GroupAction::Fenced { as_unknown });
        self.lose_everything();
        self.is_idle = false;
        self.late = None;
        self.bury_seat();
        self.member_id.clear();
        self.process = self.shared.new_process();
    }

    fn unexpected(&self, what: &str, code: i16) {
        self.shared.violation(format!("{}: {what} answers error {code}", self.name));
    }
}
