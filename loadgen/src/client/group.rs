//! Membership in a consumer group, in either protocol.
//!
//! Driving contract: [`GroupMember::join`] returns the member's partitions. While it reads them, the owner calls
//! [`GroupMember::heartbeat`] at least every [`GroupMember::heartbeat_interval`]; when that says [`Rebalance::Due`], it commits
//! what it has processed and joins again. [`GroupMember::leave`] gives the partitions to the others at once, but for a static
//! member, whose place is kept for its next life.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use wire::api::OffsetCommitRequest;
use wire::message::Api;

use super::classic_member::ClassicMember;
use super::consumer_member::ConsumerMember;
use super::{Client, ClientError, TopicPartition, group_offsets};

/// Pause between attempts while a coordinator or a rebalance is not ready.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Of who is no member, or no more.
pub(super) const NO_EPOCH: i32 = -1;
/// How much longer than the coordinator's own deadline an answer is waited for.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// Which protocol a member speaks (`group.protocol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The members assign; the assignor is Kafka's `range`, so that Java's consumers may be in the same group.
    Classic,
    /// The broker assigns (KIP-848), and says how often it wants to hear of the member and how long it may be silent.
    Consumer,
}

/// What a member asks of its group.
#[derive(Debug, Clone)]
pub struct GroupOptions {
    /// The group.
    pub group: String,
    /// The topics.
    pub topics: Vec<String>,
    /// Which protocol to speak.
    pub protocol: GroupProtocol,
    /// The name of a static member, whose place in the group outlives its process.
    pub instance_id: Option<String>,
    /// How long the member may stay silent; classic protocol only.
    pub session_timeout: Duration,
    /// How long a rebalance waits for the member.
    pub rebalance_timeout: Duration,
    /// How often the coordinator hears of the member; classic protocol only.
    pub heartbeat_interval: Duration,
}

impl GroupOptions {
    /// A group's member of the classic protocol with the timeouts that Kafka's consumers have: sessions of 45 s, rebalances of
    /// 5 min, a heartbeat every 3 s.
    pub fn new(group: &str, topics: &[&str]) -> GroupOptions {
        GroupOptions {
            group: group.to_owned(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            protocol: GroupProtocol::Classic,
            instance_id: None,
            session_timeout: Duration::from_secs(45),
            rebalance_timeout: Duration::from_secs(300),
            heartbeat_interval: Duration::from_secs(3),
        }
    }
}

/// What a heartbeat says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebalance {
    /// The partitions stay the member's.
    No,
    /// The group forms anew, or the partitions are others: join again.
    Due,
}

/// A member of a group.
#[derive(Debug)]
pub struct GroupMember {
    seat: Seat,
    member: Member,
}

#[derive(Debug)]
enum Member {
    Classic(ClassicMember),
    Consumer(ConsumerMember),
}

impl GroupMember {
    /// A member that has not joined yet.
    ///
    /// # Errors
    /// No coordinator within the client's timeout.
    pub fn new(client: &mut Client, options: GroupOptions) -> Result<GroupMember, ClientError> {
        let coordinator = find_coordinator(client, &options.group)?;
        let seat = Seat { options, coordinator, member_id: String::new(), epoch: NO_EPOCH };
        let member = match seat.options.protocol {
            GroupProtocol::Classic => Member::Classic(ClassicMember::default()),
            GroupProtocol::Consumer => Member::Consumer(ConsumerMember::default()),
        };
        Ok(GroupMember { seat, member })
    }

    /// Joins, or goes on after a rebalance, and returns the member's partitions. A classic member waits for as long as the
    /// rebalance takes; the other one gets at once what there is for it, and the rest with a later rebalance.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with what cannot be helped by trying again.
    pub fn join(&mut self, client: &mut Client) -> Result<Vec<TopicPartition>, ClientError> {
        let deadline = Instant::now() + self.seat.options.rebalance_timeout + client.timeout();
        loop {
            let joined = match &mut self.member {
                Member::Classic(member) => member.join(&mut self.seat, client),
                Member::Consumer(member) => member.join(&mut self.seat, client),
            };
            match joined {
                Err(error) if Instant::now() < deadline && self.seat.recover(client, &error)? => {}
                joined => return joined,
            }
        }
    }

    /// How often [`GroupMember::heartbeat`] has something to do at most; the broker may change its mind with each heartbeat.
    pub fn heartbeat_interval(&self) -> Duration {
        match &self.member {
            Member::Classic(_) => self.seat.options.heartbeat_interval,
            Member::Consumer(member) => member.heartbeat_interval(),
        }
    }

    /// Lets the coordinator know that the member lives, if that is due.
    ///
    /// # Errors
    /// What cannot be helped by joining again.
    pub fn heartbeat(&mut self, client: &mut Client) -> Result<Rebalance, ClientError> {
        let said = match &mut self.member {
            Member::Classic(member) => member.heartbeat(&mut self.seat, client),
            Member::Consumer(member) => member.heartbeat(&mut self.seat, client),
        };
        match said {
            Err(error) if self.seat.recover(client, &error)? => Ok(Rebalance::Due),
            said => said,
        }
    }

    /// The offsets that the group has committed for some partitions; one without is absent.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the coordinator's word.
    pub fn committed(
        &mut self,
        client: &mut Client,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
        let request = group_offsets::fetch_request(client, &self.seat.options.group, Some(partitions));
        let answer = self.seat.call(client, &request)?;
        group_offsets::fetched(client, &self.seat.options.group, &answer)
    }

    /// Commits offsets: those of the next records to process.
    ///
    /// # Errors
    /// [`ClientError::Refused`]: where [`ClientError::is_overtaken`], the partitions are somebody else's by now.
    pub fn commit(&mut self, client: &mut Client, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), ClientError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let request = OffsetCommitRequest {
            generation_id_or_member_epoch: self.seat.epoch,
            member_id: self.seat.member_id.clone(),
            group_instance_id: self.seat.options.instance_id.clone(),
            ..group_offsets::commit_request(client, &self.seat.options.group, offsets)
        };
        let answer = self.seat.call(client, &request)?;
        group_offsets::committed(&self.seat.options.group, &answer)
    }

    /// Leaves, so that the others need not wait for the session to time out. A static member only goes away: its place is kept
    /// for its next life.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the coordinator's word.
    pub fn leave(mut self, client: &mut Client) -> Result<(), ClientError> {
        if self.seat.member_id.is_empty() {
            return Ok(());
        }
        match self.member {
            Member::Classic(member) => member.leave(&mut self.seat, client),
            Member::Consumer(member) => member.leave(&mut self.seat, client),
        }
    }
}

/// A member's place in its group, and how its coordinator is asked.
#[derive(Debug)]
pub(super) struct Seat {
    pub options: GroupOptions,
    coordinator: i32,
    /// Empty before the first join.
    pub member_id: String,
    /// Generation, or member epoch; [`NO_EPOCH`] while the member is none.
    pub epoch: i32,
}

impl Seat {
    pub fn call<A: Api>(&mut self, client: &mut Client, request: &A) -> Result<A::Response, ClientError> {
        let patience = client.timeout().max(self.options.rebalance_timeout + ANSWER_MARGIN);
        client.call_node_within(self.coordinator, request, patience)
    }

    /// What was asked for, as errors tell it.
    pub fn what(&self, doing: &str) -> String {
        group_offsets::what(doing, &self.options.group)
    }

    /// Prepares another attempt, if the error allows one.
    fn recover(&mut self, client: &mut Client, error: &ClientError) -> Result<bool, ClientError> {
        use wire::ErrorCode::*;
        match error.code() {
            Some(MemberIdRequired) => {}
            Some(UnknownMemberId | IllegalGeneration | FencedMemberEpoch) => {
                if self.options.protocol == GroupProtocol::Classic {
                    self.member_id.clear();
                }
                self.epoch = NO_EPOCH;
            }
            Some(RebalanceInProgress) => sleep(RETRY_PAUSE),
            Some(NotCoordinator | CoordinatorNotAvailable | CoordinatorLoadInProgress) => {
                sleep(RETRY_PAUSE);
                self.coordinator = find_coordinator(client, &self.options.group)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn find_coordinator(client: &mut Client, group: &str) -> Result<i32, ClientError> {
    let deadline = Instant::now() + client.timeout();
    loop {
        match client.coordinator(group) {
            Err(error) if error.is_retriable() && Instant::now() < deadline => sleep(RETRY_PAUSE),
            found => return found,
        }
    }
}

pub(super) fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
