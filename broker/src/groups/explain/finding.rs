//! What can explain that a group does or does not move, for programs; `words` has it for people.

use std::collections::BTreeMap;

use wire::api::k15_describe_groups::{GroupFact, GroupFinding};

use super::super::history::{Event, Reason, Rebalance, Refused, Who};
use super::facts::{MemberFacts, PartitionFacts, PartitionName};

/// Something that explains why a group does or does not move.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Finding {
    /// There is no such group.
    NoSuchGroup { group_id: String },
    /// It has no members.
    Empty { since_ms: Option<i64>, is_simple: bool, offsets: usize, unread: i64, expire_ms: Option<i64> },
    /// It waits for more members than the first.
    InitialDelay { members: usize, until_ms: i64 },
    /// It waits for its members to join again.
    Joining { rebalance: Option<Rebalance>, members: usize, joined: usize, until_ms: Option<i64> },
    /// It waits for the leader's assignment.
    Assigning { rebalance: Option<Rebalance>, generation: i32, leader: Option<MemberFacts>, until_ms: Option<i64> },
    /// Everybody has an assignment.
    Stable { since_ms: Option<i64>, generation: i32, generation_name: &'static str, members: usize },
    /// Of the new protocol: its members are on their way to what they are to have.
    Reconciling { rebalance: Option<Rebalance>, epoch: i32, members: usize, done: usize },
    /// A member has been told to give partitions up and has not said that it has.
    NotRevoked { member: MemberFacts, partitions: Vec<PartitionName>, awaited_by: Vec<Who>, until_ms: Option<i64> },
    /// A member waits for partitions that others still have.
    WaitsForPartitions { member: MemberFacts, partitions: Vec<(PartitionName, Who)> },
    /// A member does not know yet that the group has moved on.
    Behind { member: MemberFacts, epoch: i32, current: i32 },
    /// A member has not joined the rebalance.
    NotRejoined { member: MemberFacts, until_ms: Option<i64> },
    /// A member has joined and not asked for its assignment.
    NotSynced { member: MemberFacts, until_ms: Option<i64> },
    /// A member has not been heard for long, or its connection is lost.
    Silent { member: MemberFacts },
    /// A partition's records are not read, or its reader does not commit.
    NotProgressing { partition: PartitionFacts, owner: MemberFacts, unread: i64 },
    /// Members have no partitions.
    WithoutPartitions { idle: Vec<Who>, partitions: usize, members: usize },
    /// No member has a partition of what they subscribe to.
    NothingToRead { subscribed: Vec<String> },
    /// Clients were given a member id and have not come back with it.
    MemberIdsUnused { count: usize, until_ms: i64 },
    /// It rebalances again and again.
    Restless { since_ms: i64, reasons: BTreeMap<Reason, usize> },
    /// A member was removed.
    Removed { event: Event },
    /// A request was refused because of who sent it.
    Refused { refused: Refused, generation_name: &'static str },
    /// Offsets are kept of partitions that do not exist.
    PartitionsGone { partitions: Vec<PartitionName> },
}

impl Finding {
    /// Its name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Finding::NoSuchGroup { .. } => "NO_SUCH_GROUP",
            Finding::Empty { .. } => "EMPTY",
            Finding::InitialDelay { .. } => "INITIAL_DELAY",
            Finding::Joining { .. } => "WAITING_FOR_MEMBERS",
            Finding::Assigning { .. } => "WAITING_FOR_ASSIGNMENT",
            Finding::Stable { .. } => "STABLE",
            Finding::Reconciling { .. } => "RECONCILING",
            Finding::NotRevoked { .. } => "PARTITIONS_NOT_REVOKED",
            Finding::WaitsForPartitions { .. } => "MEMBER_WAITS_FOR_PARTITIONS",
            Finding::Behind { .. } => "MEMBER_BEHIND",
            Finding::NotRejoined { .. } => "MEMBER_NOT_REJOINED",
            Finding::NotSynced { .. } => "MEMBER_NOT_SYNCED",
            Finding::Silent { .. } => "MEMBER_SILENT",
            Finding::NotProgressing { .. } => "PARTITION_NOT_PROGRESSING",
            Finding::WithoutPartitions { .. } => "MEMBERS_WITHOUT_PARTITIONS",
            Finding::NothingToRead { .. } => "NOTHING_TO_READ",
            Finding::MemberIdsUnused { .. } => "MEMBER_IDS_UNUSED",
            Finding::Restless { .. } => "REBALANCES_OFTEN",
            Finding::Removed { .. } => "MEMBER_REMOVED",
            Finding::Refused { .. } => "REQUEST_REFUSED",
            Finding::PartitionsGone { .. } => "PARTITIONS_GONE",
        }
    }

    /// Whether it keeps the group, or a part of it, from moving.
    pub fn blocks(&self) -> bool {
        match self {
            Finding::NoSuchGroup { .. }
            | Finding::InitialDelay { .. }
            | Finding::Joining { .. }
            | Finding::Assigning { .. }
            | Finding::Reconciling { .. }
            | Finding::NotRevoked { .. }
            | Finding::WaitsForPartitions { .. }
            | Finding::Behind { .. }
            | Finding::NotRejoined { .. }
            | Finding::NotSynced { .. }
            | Finding::Silent { .. }
            | Finding::NothingToRead { .. }
            | Finding::NotProgressing { .. } => true,
            Finding::Empty { unread, .. } => *unread > 0,
            Finding::Stable { .. }
            | Finding::WithoutPartitions { .. }
            | Finding::MemberIdsUnused { .. }
            | Finding::Restless { .. }
            | Finding::Removed { .. }
            | Finding::Refused { .. }
            | Finding::PartitionsGone { .. } => false,
        }
    }

    /// As it is sent.
    pub fn to_wire(&self, now_ms: i64) -> GroupFinding {
        let words = self.words(now_ms);
        let fact = |(name, value): (&'static str, String)| GroupFact { name: name.to_owned(), value };
        GroupFinding {
            kind: self.kind().to_owned(),
            blocks: self.blocks(),
            what: words.what,
            meaning: words.meaning,
            advice: words.advice,
            facts: self.facts().list.into_iter().map(fact).collect(),
        }
    }

    fn facts(&self) -> Facts {
        let facts = Facts::default();
        match self {
            Finding::NoSuchGroup { group_id } => facts.with("group_id", group_id),
            Finding::Empty { since_ms, offsets, unread, expire_ms, .. } => facts
                .maybe("since_ms", *since_ms)
                .with("offsets", offsets)
                .with("unread", unread)
                .maybe("offsets_expire_ms", *expire_ms),
            Finding::InitialDelay { members, until_ms } => facts.with("members", members).with("until_ms", until_ms),
            Finding::Joining { rebalance, members, joined, until_ms } => facts
                .rebalance(rebalance.as_ref())
                .with("members", members)
                .with("joined", joined)
                .maybe("until_ms", *until_ms),
            Finding::Assigning { rebalance, generation, leader, until_ms } => facts
                .rebalance(rebalance.as_ref())
                .with("generation", generation)
                .maybe("leader", leader.as_ref().map(|leader| &leader.who.member_id))
                .maybe("until_ms", *until_ms),
            Finding::Stable { since_ms, generation, generation_name, members } => {
                facts.maybe("since_ms", *since_ms).with(generation_name, generation).with("members", members)
            }
            Finding::Reconciling { rebalance, epoch, members, done } => facts
                .rebalance(rebalance.as_ref())
                .with("epoch", epoch)
                .with("members", members)
                .with("reconciled", done),
            Finding::NotRevoked { member, partitions, awaited_by, until_ms } => {
                let facts = facts.member(member).maybe("until_ms", *until_ms);
                let facts = partitions.iter().fold(facts, Facts::partition);
                awaited_by.iter().fold(facts, |facts, who| facts.with("awaited_by", &who.member_id))
            }
            Finding::WaitsForPartitions { member, partitions } => {
                let waits = |facts: Facts, (name, owner): &(PartitionName, Who)| {
                    facts.partition(name).with("owner", &owner.member_id)
                };
                partitions.iter().fold(facts.member(member), waits)
            }
            Finding::Behind { member, epoch, current } => {
                facts.member(member).with("epoch", epoch).with("current", current)
            }
            Finding::NotRejoined { member, until_ms } | Finding::NotSynced { member, until_ms } => {
                facts.member(member).maybe("until_ms", *until_ms)
            }
            Finding::Silent { member } => facts.member(member),
            Finding::NotProgressing { partition, owner, unread } => facts
                .partition(&(partition.topic.clone(), partition.partition))
                .maybe("committed_offset", partition.committed.map(|(offset, _)| offset))
                .maybe("committed_ms", partition.committed.map(|(_, at_ms)| at_ms))
                .with("unread", unread)
                .member(owner),
            Finding::WithoutPartitions { idle, partitions, members } => {
                let idle = idle.iter().fold(facts, |facts, who| facts.with("member_id", &who.member_id));
                idle.with("partitions", partitions).with("members", members)
            }
            Finding::NothingToRead { subscribed } => {
                subscribed.iter().fold(facts, |facts, topic| facts.with("subscribed", topic))
            }
            Finding::MemberIdsUnused { count, until_ms } => facts.with("count", count).with("until_ms", until_ms),
            Finding::Restless { since_ms, reasons } => {
                let counted = |facts: Facts, (reason, count): (&Reason, &usize)| facts.with(reason.name(), count);
                reasons.iter().fold(facts.with("since_ms", since_ms), counted)
            }
            Finding::Removed { event } => facts.event(event),
            Finding::Refused { refused, .. } => facts
                .with("at_ms", refused.at_ms)
                .with("api", refused.api)
                .with("member_id", &refused.member_id)
                .with("given", refused.given)
                .with("current", refused.current)
                .with("error", refused.error.name())
                .with("times", refused.times),
            Finding::PartitionsGone { partitions } => partitions.iter().fold(facts, Facts::partition),
        }
    }
}

#[derive(Default)]
struct Facts {
    list: Vec<(&'static str, String)>,
}

impl Facts {
    fn with(mut self, name: &'static str, value: impl ToString) -> Facts {
        self.list.push((name, value.to_string()));
        self
    }

    fn maybe(self, name: &'static str, value: Option<impl ToString>) -> Facts {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn partition(self, (topic, partition): &PartitionName) -> Facts {
        self.with("partition", format!("{topic}-{partition}"))
    }

    fn who(self, who: &Who) -> Facts {
        self.with("member_id", &who.member_id)
            .maybe("group_instance_id", who.instance_id.as_ref())
            .with("client_id", &who.client_id)
            .with("client_host", &who.client_host)
    }

    fn member(self, member: &MemberFacts) -> Facts {
        self.who(&member.who)
            .maybe("last_heard_ms", member.last_heard_ms)
            .maybe("connection_lost_ms", member.lost.map(|(since_ms, _)| since_ms))
            .maybe("session_ends_ms", member.session_ends_ms)
    }

    fn event(self, event: &Event) -> Facts {
        let facts = self.with("at_ms", event.at_ms).with("reason", event.reason.name());
        event.who.iter().fold(facts, Facts::who)
    }

    fn rebalance(self, rebalance: Option<&Rebalance>) -> Facts {
        let Some(rebalance) = rebalance else { return self };
        let facts = self.with("rebalance_since_ms", rebalance.since_ms);
        facts.maybe("reason", rebalance.cause.as_ref().map(|cause| cause.reason.name()))
    }
}
