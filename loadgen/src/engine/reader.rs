//! One member: its place in the group, what it reads, and what it commits.
//!
//! Driving contract: as a producer's: [`Reader::turn`], [`Reader::ready`], [`Reader::coordinator_ready`], [`Reader::deadline`].
//!
//! Invariants: a member reads only what it was assigned; what it gives up it has committed before, on the same connection and so in
//! order. A killed member's connections close without a word; a frozen one's stay open and are not touched.

use std::sync::Arc;

use wire::ErrorCode;
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::api::k09_offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics};
use wire::api::{ApiKey, OffsetCommitRequest, OffsetFetchRequest};

use super::EngineError;
use super::clock::Nanos;
use super::connection::Answer;
use super::context::{Context, Link, Notice, Owner};
use super::error::is_retriable;
use super::fetcher::{Fetcher, FetcherPlan};
use super::member::{Ask, Member, News, RETRY_PAUSE};
use crate::scenario::Group;

/// What a reader is to be.
#[derive(Debug, Clone)]
pub struct ReaderPlan {
    /// How it reads.
    pub fetcher: FetcherPlan,
    /// The group's id at the broker.
    pub group_id: String,
    /// Its partitions where the tool itself assigns, with the offsets of their first records.
    pub assigned: Vec<(usize, i64)>,
    /// Makes a member id where the client has to.
    pub random: u128,
    /// When it joins.
    pub due: Nanos,
}

/// A question to the coordinator.
#[derive(Debug)]
pub(super) enum Asked {
    /// The member's own.
    Member,
    /// Where to go on, for an assignment.
    Offsets {
        epoch: u64,
    },
    Commit,
    Leave,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    /// Waits for the answer to its goodbye.
    Leaving,
    Frozen,
    Gone,
}

/// See the module's page.
#[derive(Debug)]
pub struct Reader {
    plan: ReaderPlan,
    place: usize,
    state: State,
    member: Option<Member>,
    fetcher: Fetcher,
    coordinator: Option<Link<Asked>>,
    not_before: Nanos,
    /// All partitions of the last assignment.
    assignment: Vec<i32>,
    /// Counts assignments, so that an old answer is told from a new one.
    epoch: u64,
    /// Partitions whose committed offsets are to be asked for.
    starting: Vec<i32>,
    offsets_due: Option<Nanos>,
    commit_due: Nanos,
    committed: Vec<(usize, i64)>,
    has_asked: bool,
}

impl Reader {
    /// A reader at a place on its worker.
    pub fn new(plan: ReaderPlan, place: usize, context: &Context<'_>) -> Reader {
        let settings: &Group = &plan.fetcher.settings;
        let topic = &context.topology.topics[plan.fetcher.topic];
        Reader {
            place,
            state: State::Active,
            member: Member::new(settings, &plan.group_id, topic, plan.random, plan.due),
            fetcher: Fetcher::new(plan.fetcher.clone(), place),
            coordinator: None,
            not_before: 0,
            assignment: Vec::new(),
            epoch: 0,
            starting: Vec::new(),
            offsets_due: None,
            commit_due: plan.due,
            committed: Vec::new(),
            has_asked: false,
            plan,
        }
    }

    /// Group and number.
    pub fn who(&self) -> (usize, usize) {
        (self.plan.fetcher.group, self.plan.fetcher.member)
    }

    /// Whether it will never do anything again.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Gone | State::Frozen)
    }

    fn tell_view(&self, context: &Context<'_>, change: impl FnOnce(&mut super::board::MemberView)) {
        let (group, member) = self.who();
        if let Some(board) = context.board.groups.get(group) {
            board.update(member, change);
        }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// What the reader can't go on from.
    pub fn turn(&mut self, context: &mut Context<'_>) -> Result<(), EngineError> {
        if self.state == State::Leaving {
            return self.flush_coordinator(context);
        }
        if self.state != State::Active || context.now < self.plan.due {
            return Ok(());
        }
        if !std::mem::replace(&mut self.has_asked, true) {
            self.tell_view(context, |view| {
                view.asked_at = Some(context.now);
                view.is_active = true;
            });
            if self.member.is_none() {
                let assigned = self.plan.assigned.clone();
                self.fetcher.assign(&assigned);
                self.tell_assigned(assigned.iter().map(|(partition, _)| *partition as i32).collect(), context);
            }
        }
        if self.member.is_some() && self.has_coordinator(context) {
            self.ask_due(context)?;
        }
        self.fetcher.turn(context)
    }

    fn has_coordinator(&mut self, context: &mut Context<'_>) -> bool {
        if self.coordinator.is_none() && context.now >= self.not_before {
            self.not_before = context.now + RETRY_PAUSE;
            let Some(node) = context.topology.coordinators.get(&self.plan.group_id).copied() else {
                context.shared_topology.ask();
                return false;
            };
            match context.open(node, Owner::Coordinator(self.place)) {
                Ok(link) => self.coordinator = Some(link),
                Err(error) => self.lost_coordinator(&error.into(), context),
            }
        }
        self.coordinator.is_some()
    }

    fn ask_due(&mut self, context: &mut Context<'_>) -> Result<(), EngineError> {
        let member = self.member.as_mut().expect("only members ask");
        if member.due().is_some_and(|due| due <= context.now) {
            let ask = member.ask();
            self.send(&ask, Asked::Member)?;
        }
        if self.offsets_due.is_some_and(|due| due <= context.now) {
            self.offsets_due = None;
            self.ask_offsets(context)?;
        }
        let commit_ms = u64::from(self.plan.fetcher.settings.commit_ms);
        if commit_ms > 0 && self.commit_due <= context.now {
            self.commit_due = context.now + commit_ms * 1_000_000;
            self.commit(context, |_| true)?;
        }
        self.flush_coordinator(context)
    }

    fn send(&mut self, ask: &Ask, token: Asked) -> Result<(), EngineError> {
        let connection = &mut self.coordinator.as_mut().expect("the coordinator is connected").connection;
        match ask {
            Ask::Join(request) => connection.send(request, token),
            Ask::Sync(request) => connection.send(request, token),
            Ask::Heartbeat(request) => connection.send(request, token),
            Ask::Leave(request) => connection.send(request, token),
            Ask::Consumer(request) => connection.send(request, token),
        }
    }

    fn flush_coordinator(&mut self, context: &mut Context<'_>) -> Result<(), EngineError> {
        if let Some(link) = &mut self.coordinator
            && let Err(error) = link.connection.flush()
        {
            self.lost_coordinator(&error.into(), context);
        }
        Ok(())
    }

    /// Commits what has been read of the partitions that `of` names and was not committed yet.
    fn commit(&mut self, context: &Context<'_>, of: impl Fn(usize) -> bool) -> Result<(), EngineError> {
        let positions: Vec<(usize, i64)> = self
            .fetcher
            .positions()
            .filter(|position| of(position.0) && position.1 > 0 && !self.committed.contains(position))
            .collect();
        let (Some(member), Some(link), false) = (&self.member, &mut self.coordinator, positions.is_empty()) else {
            return Ok(());
        };
        let topic = &context.topology.topics[self.plan.fetcher.topic];
        let partition = |(partition, offset): &(usize, i64)| OffsetCommitRequestPartition {
            partition_index: *partition as i32,
            committed_offset: *offset,
            ..OffsetCommitRequestPartition::default()
        };
        let (member_id, generation) = member.identity();
        let request = OffsetCommitRequest {
            group_id: self.plan.group_id.clone(),
            generation_id_or_member_epoch: generation,
            member_id: member_id.to_owned(),
            topics: vec![OffsetCommitRequestTopic {
                name: topic.name.clone(),
                topic_id: topic.id,
                partitions: positions.iter().map(partition).collect(),
            }],
            ..OffsetCommitRequest::default()
        };
        link.connection.send(&request, Asked::Commit)?;
        self.committed.retain(|(known, _)| positions.iter().all(|(partition, _)| partition != known));
        self.committed.extend(positions);
        Ok(())
    }

    fn ask_offsets(&mut self, context: &Context<'_>) -> Result<(), EngineError> {
        let topic = &context.topology.topics[self.plan.fetcher.topic];
        let (member_id, generation) = self.member.as_ref().map_or(("", -1), Member::identity);
        let is_consumer = matches!(self.member, Some(Member::Consumer(_)));
        let request = OffsetFetchRequest {
            group_id: self.plan.group_id.clone(),
            topics: Some(vec![OffsetFetchRequestTopic {
                name: topic.name.clone(),
                partition_indexes: self.starting.clone(),
            }]),
            groups: vec![OffsetFetchRequestGroup {
                group_id: self.plan.group_id.clone(),
                member_id: is_consumer.then(|| member_id.to_owned()),
                member_epoch: if is_consumer { generation } else { -1 },
                topics: Some(vec![OffsetFetchRequestTopics {
                    name: topic.name.clone(),
                    topic_id: topic.id,
                    partition_indexes: self.starting.clone(),
                }]),
            }],
            ..OffsetFetchRequest::default()
        };
        let token = Asked::Offsets { epoch: self.epoch };
        self.coordinator.as_mut().expect("the coordinator is connected").connection.send(&request, token)
    }

    /// The coordinator's socket is readable or writable.
    ///
    /// # Errors
    /// What the reader can't go on from.
    pub fn coordinator_ready(&mut self, context: &mut Context<'_>) -> Result<(), EngineError> {
        if matches!(self.state, State::Frozen | State::Gone) {
            return Ok(());
        }
        match self.exchange(context) {
            Err(EngineError::Io(_)) if self.state == State::Leaving => {
                self.close(context);
                Ok(())
            }
            Err(error @ EngineError::Io(_)) => {
                self.lost_coordinator(&error, context);
                Ok(())
            }
            other => other,
        }
    }

    fn exchange(&mut self, context: &mut Context<'_>) -> Result<(), EngineError> {
        loop {
            let Some(link) = &mut self.coordinator else { return Ok(()) };
            link.connection.flush()?;
            let is_full = link.connection.read()?;
            loop {
                let Some(link) = &mut self.coordinator else { return Ok(()) };
                let Some(answer) = link.connection.next_answer()? else { break };
                self.take_answer(&answer, context)?;
            }
            if !is_full {
                return Ok(());
            }
        }
    }

    fn take_answer(&mut self, answer: &Answer<Asked>, context: &mut Context<'_>) -> Result<(), EngineError> {
        match answer.token {
            Asked::Member => {
                let Some(member) = &mut self.member else { return Ok(()) };
                let news = member.take(answer, context.now)?;
                self.adopt(news, context)?;
                let generation = self.member.as_ref().and_then(Member::settled);
                self.tell_view(context, |view| view.generation = generation);
                if self.state == State::Active && self.coordinator.is_some() {
                    self.ask_due(context)?;
                }
                Ok(())
            }
            Asked::Offsets { epoch } => self.take_offsets(answer, epoch, context),
            // A commit that came too late is not the member's fault, and its loss shows as records read again.
            Asked::Commit => Ok(()),
            Asked::Leave => {
                self.close(context);
                Ok(())
            }
        }
    }

    fn adopt(&mut self, news: News, context: &mut Context<'_>) -> Result<(), EngineError> {
        match news {
            News::Nothing => {}
            News::Coordinator => {
                if let Some(link) = self.coordinator.take() {
                    drop(context.close(link));
                }
                self.not_before = context.now + RETRY_PAUSE;
                context.shared_topology.ask();
            }
            News::Revoked(partitions) => {
                self.commit(context, |partition| partitions.contains(&(partition as i32)))?;
                self.fetcher.retain(|partition| !partitions.contains(&(partition as i32)));
                self.assignment.clear();
                self.epoch += 1;
                self.tell_held(context);
            }
            News::Lost => {
                self.fetcher.retain(|_| false);
                self.assignment.clear();
                self.committed.clear();
                self.epoch += 1;
                self.tell_held(context);
            }
            News::Assigned(partitions) => {
                let kept = |partition: usize| partitions.contains(&(partition as i32));
                self.commit(context, |partition| !kept(partition))?;
                self.fetcher.retain(kept);
                let reads = |partition: i32| self.fetcher.positions().any(|(read, _)| read as i32 == partition);
                self.starting = partitions.iter().copied().filter(|partition| !reads(*partition)).collect();
                self.epoch += 1;
                if !self.starting.is_empty() {
                    self.offsets_due = Some(context.now);
                }
                self.tell_assigned(partitions, context);
            }
        }
        Ok(())
    }

    /// The board shows what is held.
    fn tell_held(&self, context: &Context<'_>) {
        let held = self.assignment.clone();
        self.tell_view(context, |view| view.partitions = held);
    }

    fn tell_assigned(&mut self, partitions: Vec<i32>, context: &Context<'_>) {
        self.assignment.clone_from(&partitions);
        self.tell_view(context, |view| {
            view.has_held |= !partitions.is_empty();
            view.rebalances += u32::from(view.assigned_at.is_some());
            view.assigned_at.get_or_insert(context.now);
            view.partitions.clone_from(&partitions);
        });
        let (group, member) = self.who();
        context.tell(Notice::Assigned { group, member, partitions, at: context.now });
    }

    fn take_offsets(&mut self, answer: &Answer<Asked>, epoch: u64, context: &Context<'_>) -> Result<(), EngineError> {
        let response = answer.decode::<OffsetFetchRequest>()?;
        if epoch != self.epoch {
            return Ok(());
        }
        let group_code = response.groups.first().map_or(response.error_code, |group| group.error_code);
        let by_group = response.groups.into_iter().flat_map(|group| group.topics).flat_map(|topic| topic.partitions);
        let by_topic = response.topics.into_iter().flat_map(|topic| topic.partitions);
        let offsets: Vec<(i32, i64, i16)> = by_group
            .map(|part| (part.partition_index, part.committed_offset, part.error_code))
            .chain(by_topic.map(|part| (part.partition_index, part.committed_offset, part.error_code)))
            .collect();
        let codes = offsets.iter().map(|(_, _, code)| *code);
        if let Some(code) = codes.chain([group_code]).find(|code| *code != 0) {
            let moves_on = [ErrorCode::StaleMemberEpoch, ErrorCode::UnknownMemberId, ErrorCode::FencedMemberEpoch];
            if is_retriable(code) || moves_on.iter().any(|error| error.code() == code) {
                self.offsets_due = Some(context.now + RETRY_PAUSE);
                return Ok(());
            }
            return Err(EngineError::refused("asking for committed offsets", code));
        }
        let mut positions = Vec::with_capacity(self.starting.len());
        for wanted in std::mem::take(&mut self.starting) {
            let Some((_, offset, _)) = offsets.iter().find(|(partition, ..)| *partition == wanted) else {
                return Err(EngineError::nonsense(ApiKey::OffsetFetch, &format_args!("no word of partition {wanted}")));
            };
            // Without a commit a group begins where the log does: the topics are the run's own.
            positions.push((wanted as usize, (*offset).max(0)));
        }
        self.fetcher.extend(&positions);
        Ok(())
    }

    fn lost_coordinator(&mut self, error: &EngineError, context: &mut Context<'_>) {
        if let Some(link) = self.coordinator.take() {
            for token in context.close(link) {
                match (token, &mut self.member) {
                    (Asked::Member, Some(member)) => member.lost(context.now),
                    (Asked::Offsets { .. }, _) => self.offsets_due = Some(context.now + RETRY_PAUSE),
                    _ => {}
                }
            }
        }
        self.not_before = context.now + RETRY_PAUSE;
        context.shared_topology.ask();
        let (group, member) = self.who();
        context.trouble(false, format!("reader {member} of group {group}, its coordinator: {error}"));
    }

    /// A socket to a leader is readable or writable.
    ///
    /// # Errors
    /// What the reader can't go on from.
    pub fn ready(&mut self, leader: usize, context: &mut Context<'_>) -> Result<(), EngineError> {
        if self.state == State::Active { self.fetcher.ready(leader, context) } else { Ok(()) }
    }

    /// Commits and says goodbye; without a place in a group it is simply over.
    ///
    /// # Errors
    /// What the reader can't go on from.
    pub fn leave(&mut self, context: &mut Context<'_>) -> Result<(), EngineError> {
        if self.state != State::Active {
            return Ok(());
        }
        let goodbye = self.member.as_ref().and_then(Member::leave);
        let (Some(goodbye), true) = (goodbye, self.coordinator.is_some()) else {
            self.close(context);
            return Ok(());
        };
        self.commit(context, |_| true)?;
        self.send(&goodbye, Asked::Leave)?;
        self.fetcher.close(context);
        self.state = State::Leaving;
        self.not_active(context);
        self.flush_coordinator(context)
    }

    /// Its connections close without a word.
    pub fn kill(&mut self, context: &mut Context<'_>) {
        self.close(context);
    }

    /// It is silent from now on, its connections stay open.
    pub fn freeze(&mut self, context: &mut Context<'_>) {
        self.state = State::Frozen;
        self.not_active(context);
    }

    fn not_active(&mut self, context: &Context<'_>) {
        self.assignment.clear();
        self.tell_view(context, |view| {
            view.is_active = false;
            view.generation = None;
            view.partitions.clear();
        });
    }

    fn close(&mut self, context: &mut Context<'_>) {
        self.fetcher.close(context);
        if let Some(link) = self.coordinator.take() {
            drop(context.close(link));
        }
        self.state = State::Gone;
        self.not_active(context);
    }

    /// When the next turn is due, if nothing else happens.
    pub fn deadline(&self, now: Nanos) -> Option<Nanos> {
        if self.state != State::Active {
            return None;
        }
        if !self.has_asked {
            return Some(self.plan.due);
        }
        let mut deadline = self.fetcher.deadline(now);
        let mut sooner = |at: Nanos| deadline = Some(deadline.map_or(at, |known: Nanos| known.min(at)));
        if let Some(member) = &self.member {
            if self.coordinator.is_none() {
                sooner(self.not_before);
            } else {
                member.due().into_iter().chain(self.offsets_due).for_each(&mut sooner);
                if self.plan.fetcher.settings.commit_ms > 0 {
                    sooner(self.commit_due);
                }
            }
        }
        deadline
    }

    /// How it reads.
    pub fn settings(&self) -> &Arc<Group> {
        &self.plan.fetcher.settings
    }
}
