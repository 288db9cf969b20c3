//! Findings in words: what has happened, what it means, what to do about it.

mod members;
mod text;

use super::super::history::{Reason, Rebalance};
use super::Finding;
use super::facts::MemberFacts;
use members::*;
use text::*;

/// A finding in sentences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub what: String,
    pub meaning: String,
    pub advice: String,
}

fn words(what: String, meaning: impl Into<String>, advice: impl Into<String>) -> Words {
    Words { what, meaning: meaning.into(), advice: advice.into() }
}

impl Finding {
    /// The finding in sentences, with times as they look at `now_ms`.
    pub(super) fn words(&self, now_ms: i64) -> Words {
        let now = Now(now_ms);
        match self {
            Finding::NoSuchGroup { group_id } => no_such_group(group_id),
            Finding::Empty { since_ms, is_simple, offsets, unread, expire_ms } => {
                empty(now, *since_ms, *is_simple, *offsets, *unread, *expire_ms)
            }
            Finding::InitialDelay { members, until_ms } => words(
                format!(
                    "The group is new and waits {} for more members than the {members} it has.",
                    now.left(*until_ms)
                ),
                "Members that start together are assigned together, once.",
                "Wait; group.initial.rebalance.delay.ms is how long this takes.",
            ),
            Finding::Joining { rebalance, members, joined, until_ms } => {
                joining(now, rebalance.as_ref(), *members, *joined, *until_ms)
            }
            Finding::Assigning { rebalance, generation, leader, until_ms } => {
                assigning(now, rebalance.as_ref(), *generation, leader.as_ref(), *until_ms)
            }
            Finding::Reconciling { rebalance, epoch, members, done } => words(
                format!(
                    "{} {done} of {members} members have what they are to have in epoch {epoch}.",
                    began(now, rebalance.as_ref())
                ),
                "Each member is led to its partitions on its own, by its heartbeats; what does not change hands is read meanwhile.",
                "",
            ),
            Finding::NotRevoked { member, partitions, awaited_by, until_ms } => {
                not_revoked(now, member, partitions, awaited_by, *until_ms)
            }
            Finding::WaitsForPartitions { member, partitions } => waits_for_partitions(member, partitions),
            Finding::Behind { member, epoch, current } => behind(now, member, *epoch, *current),
            Finding::Stable { since_ms, generation, generation_name, members } => words(
                format!(
                    "The group has been stable{}, in {generation_name} {generation}, with {}.",
                    lasting(now, *since_ms),
                    count(*members as i64, "member")
                ),
                "Every member has its assignment; the coordinator waits for nobody.",
                "",
            ),
            Finding::NotRejoined { member, until_ms } => not_rejoined(now, member, *until_ms),
            Finding::NotSynced { member, until_ms } => not_synced(now, member, *until_ms),
            Finding::Silent { member } => silent(now, member),
            Finding::NotProgressing { partition, owner, unread } => not_progressing(now, partition, owner, *unread),
            Finding::WithoutPartitions { idle, partitions, members } => without_partitions(idle, *partitions, *members),
            Finding::NothingToRead { subscribed } => nothing_to_read(subscribed),
            Finding::MemberIdsUnused { count: ids, until_ms } => words(
                format!("{} given out and not used yet.", were(*ids, "member id")),
                format!(
                    "Clients that asked to join have not come back with the id they got; a rebalance waits for them, {} at most.",
                    now.left(*until_ms)
                ),
                "Look for clients that end right after they have started.",
            ),
            Finding::Restless { since_ms, reasons } => {
                let told = reasons.iter().map(|(reason, count)| format!("{} ({count}×)", cause_of(*reason)));
                words(
                    format!(
                        "The group does not come to rest: within {} {}.",
                        duration(now_ms - since_ms),
                        told.collect::<Vec<_>>().join(", ")
                    ),
                    "Each of these is a rebalance: members stop, or change what they read.",
                    "Find out why members come and go; group.instance.id lets one restart without a rebalance, and the cooperative-sticky assignor lets the others go on meanwhile.",
                )
            }
            Finding::Removed { event } => removed(now, event),
            Finding::Refused { refused, generation_name } => refusal(now, refused, generation_name),
            Finding::PartitionsGone { partitions } => words(
                format!("There are no such partitions: {}.", list(partitions)),
                "The group holds them, or has offsets for them, and their topic was deleted or has fewer partitions now.",
                "Nothing needs to be done; such offsets expire.",
            ),
        }
    }
}

fn nothing_to_read(subscribed: &[String]) -> Words {
    let topics = subscribed.iter().take(LISTED_MAX).cloned().collect::<Vec<_>>().join(", ");
    words(
        format!("No member holds a partition; they subscribe to {topics}{}.", and_more(subscribed.len())),
        "There are no such topics, or nobody was given their partitions. Members look for new topics every few minutes (metadata.max.age.ms).",
        "Check the names; `partita topic list` shows what there is.",
    )
}

fn no_such_group(group_id: &str) -> Words {
    words(
        format!("There is no group {group_id} here."),
        "No member has joined it and no offset is committed for it; or it had no members and its offsets have expired or were deleted.",
        "Check the name (group.id), and whether the clients reach this cluster; `partita group list` shows what there is.",
    )
}

fn empty(
    now: Now,
    since_ms: Option<i64>,
    is_simple: bool,
    offsets: usize,
    unread: i64,
    expire_ms: Option<i64>,
) -> Words {
    let what = match is_simple {
        true => {
            format!("The group has never had members; it only keeps {}.", count(offsets as i64, "committed offset"))
        }
        false => format!("The group has had no members{}.", lasting(now, since_ms)),
    };
    let waiting = match unread {
        0 => "Nobody reads for it.".to_owned(),
        _ => format!("Nobody reads for it, and {} for it.", waits(unread)),
    };
    let kept = match expire_ms {
        Some(expire_ms) if offsets > 0 => format!(
            " Its {} for a member that comes back; the first of them expires in {}.",
            if offsets == 1 {
                "committed offset is kept".to_owned()
            } else {
                format!("{offsets} committed offsets are kept")
            },
            now.left(expire_ms)
        ),
        _ => String::new(),
    };
    words(what, waiting + &kept, "Start a consumer with this group.id, if there should be one.")
}

fn joining(now: Now, rebalance: Option<&Rebalance>, members: usize, joined: usize, until_ms: Option<i64>) -> Words {
    let left = until_ms.map_or_else(String::new, |until_ms| format!(", at most {} more", now.left(until_ms)));
    words(
        format!("{} It waits for all members to join again{left}: {joined} of {members} have.", began(now, rebalance)),
        "Nobody is given partitions until everybody has joined; whoever has not by then is out. Each member joins when its poll() is called.",
        "",
    )
}

fn assigning(
    now: Now,
    rebalance: Option<&Rebalance>,
    generation: i32,
    leader: Option<&MemberFacts>,
    until_ms: Option<i64>,
) -> Words {
    let began = began(now, rebalance);
    let left = until_ms.map_or_else(String::new, |until_ms| format!(", at most {} more", now.left(until_ms)));
    match leader {
        Some(leader) if !leader.has_synced => words(
            format!(
                "{began} All members have joined generation {generation}; it waits for the assignment of its leader, {}{left}.",
                named(&leader.who)
            ),
            format!("The leader decides who gets which partition, and has not said so yet. {}", heard(now, leader)),
            "Look at that client: its assignor runs in its poll(). It is out when the time is over, and another one leads.",
        ),
        _ => words(
            format!("{began} The assignment of generation {generation} has arrived and is being written to disk."),
            "It is given to the members as soon as it is durable.",
            "If this stays so, look at the broker's log and disk: is it full?",
        ),
    }
}

/// How a rebalance began.
fn began(now: Now, rebalance: Option<&Rebalance>) -> String {
    let Some(rebalance) = rebalance else { return "The group rebalances.".to_owned() };
    let why = rebalance.cause.as_ref().map_or_else(String::new, |cause| {
        let who = cause.who.as_ref().map_or_else(String::new, |who| format!(": {}", named(who)));
        format!(" because {}{who}", cause_of(cause.reason))
    });
    format!("The group has been rebalancing for {}{why}.", now.ago(rebalance.since_ms))
}

fn cause_of(reason: Reason) -> &'static str {
    match reason {
        Reason::MemberJoined => "a new member joined",
        Reason::MemberRejoined => "a member asked for a new assignment",
        Reason::StaticMemberReturned => "a static member came back",
        Reason::MemberLeft => "a member left",
        Reason::SessionExpired => "a member was silent for its session timeout",
        Reason::ConnectionLost => "a member's connection was lost",
        Reason::RejoinMissed => "a member did not join in time",
        Reason::SyncMissed => "a member did not ask for its assignment in time",
        Reason::RevocationMissed => "a member did not give its partitions up in time",
        Reason::SubscriptionChanged => "a member subscribes to something else",
        Reason::TopicsChanged => "the topics look different",
        Reason::AssignmentFailed => "the assignment could not be written",
        Reason::GroupDowngraded => "its last member of the new protocol is gone",
        Reason::GroupTooLarge => "the group had more members than it may have",
    }
}
