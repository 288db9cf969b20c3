//! Findings in words: what has happened, what it means, what to do about it.

use wire::ErrorCode;

use super::super::history::{Event, Reason, Rebalance, Refused, Who};
use super::facts::{MemberFacts, PartitionFacts};
use super::{Finding, SILENT_MS};

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
            Finding::Stable { since_ms, generation, members } => words(
                format!(
                    "The group has been stable{}, in generation {generation}, with {}.",
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
                    "Each of these makes all members stop, join and be assigned again.",
                    "Find out why members come and go; group.instance.id lets one restart without a rebalance, and the cooperative-sticky assignor lets the others go on meanwhile.",
                )
            }
            Finding::Removed { event } => removed(now, event),
            Finding::Refused { refused } => refusal(now, refused),
            Finding::PartitionsGone { partitions } => {
                let names = partitions.iter().map(|(topic, partition)| format!("{topic}-{partition}"));
                words(
                    format!("There are no such partitions: {}.", names.collect::<Vec<_>>().join(", ")),
                    "The group holds them, or has offsets for them, and their topic was deleted or has fewer partitions now.",
                    "Nothing needs to be done; such offsets expire.",
                )
            }
        }
    }
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

fn not_rejoined(now: Now, member: &MemberFacts, until_ms: Option<i64>) -> Words {
    let name = named(&member.who);
    let out = until_ms.map_or_else(String::new, |until_ms| format!(" It is out in {}.", now.left(until_ms)));
    let what = format!("{} has not joined again. {}", capital(&name), heard(now, member));
    if let Some((_, deadline)) = member.lost {
        let out = deadline.map_or(out, |deadline| format!(" It is out in {}.", now.left(deadline)));
        return words(
            what,
            format!("Its connection is closed: its process has probably ended, or it is about to reconnect.{out}"),
            "Nothing, unless this member should be running: then look at why it ended.",
        );
    }
    if is_heard(now, member) {
        return words(
            what,
            format!(
                "Its process lives and sends heartbeats, but its poll() is not called: it is busy with records it has read.{out}"
            ),
            "Look at what that client does between two calls of poll(); fewer records at a time (max.poll.records) bring it back sooner.",
        );
    }
    words(
        what,
        format!("Its process hangs or is stopped, or the network has lost it.{out}"),
        "Look at that client, and at the network between it and the broker.",
    )
}

fn not_synced(now: Now, member: &MemberFacts, until_ms: Option<i64>) -> Words {
    let out =
        until_ms.map_or_else(String::new, |until_ms| format!(" It is out in {} if it does not.", now.left(until_ms)));
    words(
        format!("{} has joined and not asked for its assignment. {}", capital(&named(&member.who)), heard(now, member)),
        format!("Its partitions are not read until it does.{out}"),
        "Look at that client: it should send SyncGroup right after it has joined.",
    )
}

fn silent(now: Now, member: &MemberFacts) -> Words {
    let name = capital(&named(&member.who));
    let session_out = member.session_ends_ms.map(|ends_ms| now.left(ends_ms));
    match member.lost {
        Some((_, Some(deadline))) => words(
            format!("{name} has lost its connection. {}", heard(now, member)),
            format!(
                "Its process has probably ended. Its partitions go to others in {}, unless it comes back.",
                now.left(deadline)
            ),
            "Nothing, unless this member should be running: then look at why it ended.",
        ),
        Some((_, None)) => words(
            format!("{name} has lost its connection. {}", heard(now, member)),
            format!(
                "It keeps its partitions, which nobody reads meanwhile, until its session ends{}: a static member may restart, and group.disconnect.grace.ms may be off.",
                session_out.map_or_else(String::new, |left| format!(" in {left}"))
            ),
            "Start it again, or remove it with an admin client (removeMembersFromConsumerGroup).",
        ),
        None => words(
            format!("{name} is silent. {}", heard(now, member)),
            format!(
                "Its process hangs or is stopped, or the network has lost it; its partitions are not read.{}",
                session_out.map_or_else(String::new, |left| format!(" They go to others in {left}."))
            ),
            "Look at that client, and at the network between it and the broker. A shorter session.timeout.ms notices sooner.",
        ),
    }
}

fn not_progressing(now: Now, partition: &PartitionFacts, owner: &MemberFacts, unread: i64) -> Words {
    let name = format!("{}-{}", partition.topic, partition.partition);
    let committed = match partition.committed {
        Some((offset, at_ms)) => format!("committed offset {offset} {} ago and nothing since", now.ago(at_ms)),
        None => "has never committed an offset".to_owned(),
    };
    let meaning = match is_heard(now, owner) {
        true => "Its process lives, but it does not poll, works on one record for long, or reads without committing.",
        false => "Its process hangs or is stopped, or the network has lost it.",
    };
    words(
        format!("{} holds {name} and {committed}, while {}.", capital(&named(&owner.who)), waits(unread)),
        meaning,
        "Look at that client's threads and log. With enable.auto.commit=false it has to commit itself; max.poll.interval.ms bounds how long it may stay away.",
    )
}

fn without_partitions(idle: &[Who], partitions: usize, members: usize) -> Words {
    let names = idle.iter().map(named).collect::<Vec<_>>().join(", ");
    words(
        format!("{} without a partition: {names}.", if idle.len() == 1 { "One member is" } else { "Some members are" }),
        format!(
            "The group has {} and {}: each partition has one reader, so they wait for another one to leave.",
            count(members as i64, "member"),
            count(partitions as i64, "partition")
        ),
        "Nothing, if they are meant as a reserve; else add partitions to the topic, or run fewer members.",
    )
}

fn removed(now: Now, event: &Event) -> Words {
    let who = event.who.as_ref().map_or_else(|| "A member".to_owned(), |who| capital(&named(who)));
    let (why, meaning, advice) = match event.reason {
        Reason::ConnectionLost => (
            "because its connection was lost and it did not come back",
            "Its process has probably ended. Its partitions went to others, from its last commit on.",
            "If it still runs, look at its network; group.disconnect.grace.ms is how long it may take to reconnect.",
        ),
        Reason::RejoinMissed => (
            "because it did not join a rebalance in time",
            "Its poll() was not called for as long as a rebalance may take (max.poll.interval.ms in the Java client).",
            "Have it read fewer records at a time (max.poll.records), or give it more time.",
        ),
        Reason::SyncMissed => (
            "because it did not ask for its assignment in time",
            "It joined a rebalance and then hung or lost its network.",
            "Look at that client's log at that time.",
        ),
        _ => (
            "because it was silent for its session timeout",
            "Its process hung or was stopped, or the network had lost it. Its partitions went to others, from its last commit on.",
            "Look at that client's log at that time: long pauses (garbage collection, a stopped container) look like this.",
        ),
    };
    words(format!("{who} was removed {} ago, {why}.", now.ago(event.at_ms)), meaning, advice)
}

fn refusal(now: Now, refused: &Refused) -> Words {
    let Refused { api, member_id, given, current, error, times, .. } = refused;
    let sender =
        if member_id.is_empty() { "a client without a member id".to_owned() } else { format!("member {member_id}") };
    let what = format!(
        "{api} of {sender} was refused {} ago with {}: it said generation {given}, the group was at {current}.{}",
        now.ago(refused.at_ms),
        error.name(),
        if *times > 1 { format!(" That was the last of {times} times.") } else { String::new() }
    );
    let lost = if *api == "OffsetCommit" {
        " What it has read since its last commit is read again by another one."
    } else {
        ""
    };
    match error {
        ErrorCode::FencedInstanceId => words(
            what,
            format!("Another process has joined with the same group.instance.id, and took its place.{lost}"),
            "Give each process a group.instance.id of its own, and stop the old one before the new one starts.",
        ),
        ErrorCode::UnknownMemberId => words(
            what,
            format!("It is not a member, or no longer: it was removed, or has left, before it sent this.{lost}"),
            "See why it was removed. A consumer that takes long between two polls is out before it commits: have it read fewer records at a time, or raise max.poll.interval.ms.",
        ),
        _ => words(
            what,
            format!("The group has rebalanced since it last joined; it is to join again.{lost}"),
            "Clients do that by themselves. If it happens often, its poll() is called too rarely.",
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
        Reason::AssignmentFailed => "the assignment could not be written",
        Reason::GroupDowngraded => "its last member of the new protocol is gone",
        Reason::GroupTooLarge => "the group had more members than it may have",
    }
}

fn named(who: &Who) -> String {
    let host = who.client_host.trim_start_matches('/');
    let instance = who.instance_id.as_ref().map_or_else(String::new, |id| format!("static {id}, "));
    format!("member {} ({instance}client {} at {host})", who.member_id, who.client_id)
}

fn is_heard(now: Now, member: &MemberFacts) -> bool {
    member.last_heard_ms.is_some_and(|heard_ms| now.0 - heard_ms <= SILENT_MS)
}

fn heard(now: Now, member: &MemberFacts) -> String {
    let heard = match member.last_heard_ms {
        Some(heard_ms) => format!("It was last heard {} ago", now.ago(heard_ms)),
        None => "It has not been heard since the broker's start".to_owned(),
    };
    match member.lost {
        Some((since_ms, _)) => format!("{heard}, and its connection was lost {} ago.", now.ago(since_ms)),
        None => heard + ".",
    }
}

fn lasting(now: Now, since_ms: Option<i64>) -> String {
    since_ms.map_or_else(String::new, |since_ms| format!(" for {}", now.ago(since_ms)))
}

fn count(number: i64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn were(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun} was") } else { format!("{number} {noun}s were") }
}

fn waits(unread: i64) -> String {
    if unread == 1 { "1 record waits".to_owned() } else { format!("{unread} records wait") }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The time, as findings speak of it.
#[derive(Clone, Copy)]
struct Now(i64);

impl Now {
    fn ago(self, at_ms: i64) -> String {
        duration(self.0 - at_ms)
    }

    fn left(self, until_ms: i64) -> String {
        duration(until_ms - self.0)
    }
}

/// A duration in at most two units, such as `2 min 5 s`.
fn duration(ms: i64) -> String {
    const UNITS: [(&str, i64); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let ms = ms.max(0);
    if ms < 1_000 {
        return "less than 1 s".to_owned();
    }
    let seconds = ms / 1_000;
    let largest = UNITS.iter().position(|(_, unit)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let (name, unit) = UNITS[largest];
    let rest = UNITS.get(largest + 1).map(|(name, smaller)| (name, seconds % unit / smaller));
    match rest {
        Some((smaller_name, count)) if count > 0 => format!("{} {name} {count} {smaller_name}", seconds / unit),
        _ => format!("{} {name}", seconds / unit),
    }
}
