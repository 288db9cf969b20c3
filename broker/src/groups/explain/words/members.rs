//! What is said of members: who is in the way, who is gone, who was refused.

use std::collections::BTreeMap;

use wire::ErrorCode;

use super::super::super::history::{Event, Reason, Refused, Who};
use super::super::facts::{MemberFacts, PartitionFacts, PartitionName};
use super::text::*;
use super::{Words, words};

pub(super) fn not_rejoined(now: Now, member: &MemberFacts, until_ms: Option<i64>) -> Words {
    let name = named(&member.who);
    let out = left_of(now, member, until_ms).map_or_else(String::new, |left| format!(" It is out in {left}."));
    let what = format!("{} has not joined again. {}", capital(&name), heard(now, member));
    if member.lost.is_some() {
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

/// How long a member may stay as it is: until the wait is over, its connection is given up, or, if it is silent, its session
/// ends.
fn left_of(now: Now, member: &MemberFacts, until_ms: Option<i64>) -> Option<String> {
    let silent_until_ms = member.session_ends_ms.filter(|_| !is_heard(now, member));
    let lost_until_ms = member.lost.and_then(|(_, deadline)| deadline);
    let ends = [until_ms, silent_until_ms, lost_until_ms].into_iter().flatten();
    ends.min().map(|until_ms| now.left(until_ms))
}

pub(super) fn not_synced(now: Now, member: &MemberFacts, until_ms: Option<i64>) -> Words {
    let out =
        until_ms.map_or_else(String::new, |until_ms| format!(" It is out in {} if it does not.", now.left(until_ms)));
    words(
        format!("{} has joined and not asked for its assignment. {}", capital(&named(&member.who)), heard(now, member)),
        format!("Its partitions are not read until it does.{out}"),
        "Look at that client: it should send SyncGroup right after it has joined.",
    )
}

pub(super) fn not_revoked(
    now: Now,
    member: &MemberFacts,
    partitions: &[PartitionName],
    awaited_by: &[Who],
    until_ms: Option<i64>,
) -> Words {
    let waiting = match awaited_by {
        [] => String::new(),
        _ => format!(" {} for them.", verb(awaited_by, "waits", "wait")),
    };
    let out = left_of(now, member, until_ms).map_or_else(String::new, |left| {
        format!(" If it still has not in {left}, it is taken out and they go to others.")
    });
    let advice = match is_heard(now, member) {
        true => {
            "Its process lives: look at what it does between two calls of poll(), where partitions are given up, and in its rebalance listener."
        }
        false => "Look at that client, and at the network between it and the broker.",
    };
    words(
        format!(
            "{} is to give up {} and has not said that it has. {}",
            capital(&named(&member.who)),
            list(partitions),
            heard(now, member)
        ),
        format!("Nobody reads them until it has.{out}{waiting}"),
        advice,
    )
}

pub(super) fn waits_for_partitions(member: &MemberFacts, partitions: &[(PartitionName, Who)]) -> Words {
    let mut by_owner: BTreeMap<&str, (&Who, Vec<PartitionName>)> = BTreeMap::new();
    for (name, owner) in partitions {
        by_owner.entry(&owner.member_id).or_insert_with(|| (owner, Vec::new())).1.push(name.clone());
    }
    let held = by_owner
        .values()
        .take(LISTED_MAX)
        .map(|(owner, held)| format!("{}, which {} still has", list(held), named(owner)));
    words(
        format!(
            "{} waits for {}{}.",
            capital(&named(&member.who)),
            held.collect::<Vec<_>>().join("; for "),
            and_more(by_owner.len())
        ),
        "It gets each of them as soon as nobody else has it; what it has it reads already.",
        "",
    )
}

pub(super) fn behind(now: Now, member: &MemberFacts, epoch: i32, current: i32) -> Words {
    let name = capital(&named(&member.who));
    if member.is_away {
        return words(
            format!("{name} has left for a moment, as a static member may. {}", heard(now, member)),
            "Its partitions are kept for it, and nobody reads them, until it is back or its session is over.",
            "Start it again, if it does not come back by itself.",
        );
    }
    let advice =
        if is_heard(now, member) { "" } else { "Look at that client, and at the network between it and the broker." };
    if epoch == current {
        return words(
            format!("{name} can have all that it is to have, and has not come for it yet. {}", heard(now, member)),
            "It gets it with its next heartbeat; what it has it reads already.",
            advice,
        );
    }
    words(
        format!("{name} is in epoch {epoch} and has not heard of epoch {current} yet. {}", heard(now, member)),
        "It hears of it with its next heartbeat; until then it keeps what it has.",
        advice,
    )
}

pub(super) fn silent(now: Now, member: &MemberFacts) -> Words {
    let name = capital(&named(&member.who));
    let session_out = member.session_ends_ms.map(|ends_ms| now.left(ends_ms));
    if member.is_away {
        let out = session_out.map_or_else(String::new, |left| format!(", in {left}"));
        return words(
            format!("{name} has left for a moment, as a static member may. {}", heard(now, member)),
            format!(
                "Its partitions are kept for it, and nobody reads them, until it is back or its session is over{out}."
            ),
            "Start it again, if it does not come back by itself.",
        );
    }
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

pub(super) fn not_progressing(now: Now, partition: &PartitionFacts, owner: &MemberFacts, unread: i64) -> Words {
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

pub(super) fn without_partitions(idle: &[Who], partitions: usize, members: usize) -> Words {
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

pub(super) fn removed(now: Now, event: &Event) -> Words {
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
        Reason::RevocationMissed => (
            "because it did not give up in time what it was to give up",
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

pub(super) fn refusal(now: Now, refused: &Refused, generation_name: &str) -> Words {
    let Refused { api, member_id, given, current, error, times, .. } = refused;
    let sender =
        if member_id.is_empty() { "a client without a member id".to_owned() } else { format!("member {member_id}") };
    let what_it_said = match error {
        ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId => String::new(),
        _ => format!(": it said {generation_name} {given} when {current} was current"),
    };
    let what = format!(
        "{api} of {sender} was refused {} ago with {}{what_it_said}.{}",
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
        ErrorCode::FencedMemberEpoch => words(
            what,
            format!(
                "It is not where the group takes it to be: it was removed and did not notice, or it has lost an answer.{lost}"
            ),
            "Clients give up their partitions then and join again by themselves.",
        ),
        ErrorCode::StaleMemberEpoch => words(
            what,
            format!(
                "The group has moved on, and it has not heard of that; it commits again after its next heartbeat.{lost}"
            ),
            "Clients do that by themselves.",
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
