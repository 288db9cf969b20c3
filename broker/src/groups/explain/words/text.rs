//! Pieces of sentences: members, partitions, durations, numbers.

use super::super::super::history::Who;
use super::super::SILENT_MS;
use super::super::facts::{MemberFacts, PartitionName};

/// At most so many partitions or members are named in one sentence.
pub(super) const LISTED_MAX: usize = 10;

/// Partitions in a sentence, the first few.
pub(super) fn list(partitions: &[PartitionName]) -> String {
    let told = partitions.iter().take(LISTED_MAX).map(|(topic, partition)| format!("{topic}-{partition}"));
    told.collect::<Vec<_>>().join(", ") + &and_more(partitions.len())
}

pub(super) fn and_more(count: usize) -> String {
    if count > LISTED_MAX { format!(" and {} more", count - LISTED_MAX) } else { String::new() }
}

/// Who does something.
pub(super) fn verb(who: &[Who], one: &str, many: &str) -> String {
    let names = who.iter().take(LISTED_MAX).map(named).collect::<Vec<_>>().join(", ");
    capital(&format!("{names}{} {}", and_more(who.len()), if who.len() == 1 { one } else { many }))
}

pub(super) fn named(who: &Who) -> String {
    let host = who.client_host.trim_start_matches('/');
    let instance = who.instance_id.as_ref().map_or_else(String::new, |id| format!("static {id}, "));
    format!("member {} ({instance}client {} at {host})", who.member_id, who.client_id)
}

pub(super) fn is_heard(now: Now, member: &MemberFacts) -> bool {
    member.last_heard_ms.is_some_and(|heard_ms| now.0 - heard_ms <= SILENT_MS)
}

pub(super) fn heard(now: Now, member: &MemberFacts) -> String {
    let heard = match member.last_heard_ms {
        Some(heard_ms) => format!("It was last heard {} ago", now.ago(heard_ms)),
        None => "It has not been heard since the broker's start".to_owned(),
    };
    match member.lost {
        Some((since_ms, _)) => format!("{heard}, and its connection was lost {} ago.", now.ago(since_ms)),
        None => heard + ".",
    }
}

pub(super) fn lasting(now: Now, since_ms: Option<i64>) -> String {
    since_ms.map_or_else(String::new, |since_ms| format!(" for {}", now.ago(since_ms)))
}

pub(super) fn count(number: i64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

pub(super) fn were(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun} was") } else { format!("{number} {noun}s were") }
}

pub(super) fn waits(unread: i64) -> String {
    if unread == 1 { "1 record waits".to_owned() } else { format!("{unread} records wait") }
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The time, as findings speak of it.
#[derive(Clone, Copy)]
pub(super) struct Now(pub i64);

impl Now {
    pub(super) fn ago(self, at_ms: i64) -> String {
        duration(self.0 - at_ms)
    }

    pub(super) fn left(self, until_ms: i64) -> String {
        duration(until_ms - self.0)
    }
}

/// A duration in at most two units, such as `2 min 5 s`.
pub(super) fn duration(ms: i64) -> String {
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
