//! What the load generator did, as sentences.

use maud::{Markup, html};

use crate::client::Acks;
use crate::scenario::{Protocol, Rate, Scenario};

use super::cases::Cases;
use super::chart::Quantity;
use super::chart::quantity::significant;
use super::input::Run;
use super::words;

/// The load in words: what all runs share, and what varies.
pub fn describe(cases: &Cases<'_>, first: &Run) -> Markup {
    let scenario = &first.result.scenario;
    let varied: Vec<String> = cases
        .axes
        .iter()
        .map(|(key, values)| {
            let values: Vec<String> = values.iter().map(|value| words::setting(key, value)).collect();
            words::list(&values)
        })
        .collect();
    let varies = |key: &str| cases.axis(key).is_some();
    html! {
        p { (sentence(scenario, &varies)) }
        @if !varied.is_empty() { p { "From run to run this differs: " (varied.join("; ")) "." } }
    }
}

fn sentence(scenario: &Scenario, varies: &dyn Fn(&str) -> bool) -> String {
    let producers = &scenario.producers;
    let mut words = vec![writers(scenario, varies)];
    words.push(match producers.acks {
        _ if varies("producers.acks") => String::new(),
        Acks::None => "They ask for no acknowledgement (acks=0).".to_owned(),
        Acks::Leader => "A record counts as written when one broker says so (acks=1).".to_owned(),
        Acks::All => "A record counts as written when all replicas in sync have it (acks=all).".to_owned(),
    });
    words.push(readers(scenario, varies));
    if let Some(backlog) = &scenario.backlog {
        words.push(format!("Before anybody reads, {} MB are written.", backlog.megabytes));
    }
    let timing = &scenario.timing;
    words.push(format!(
        "Each run warms up for {} s, is measured for {} s, and afterwards everything is read from the beginning and checked.",
        significant(timing.warm_up_s),
        significant(timing.window_s)
    ));
    words.retain(|sentence| !sentence.is_empty());
    words.join(" ")
}

fn writers(scenario: &Scenario, varies: &dyn Fn(&str) -> bool) -> String {
    let (producers, topic) = (&scenario.producers, &scenario.topic);
    let rate = match producers.rate {
        _ if varies("producers.rate") => "at several rates".to_owned(),
        Rate::Max => "as fast as the broker takes them".to_owned(),
        Rate::PerSecond(rate) => format!("{} records a second", Quantity::Count.format(rate)),
    };
    let size = if varies("producers.record_bytes") {
        "several sizes".to_owned()
    } else {
        Quantity::Bytes.format(f64::from(producers.record_bytes))
    };
    let partitions = if varies("topic.partitions") {
        "a varying number of partitions".to_owned()
    } else {
        words::count(topic.partitions as usize, "partition")
    };
    let topics = if topic.count == 1 {
        "a topic".to_owned()
    } else {
        format!("each of {}", words::count(topic.count as usize, "topic"))
    };
    let verb = if producers.count == 1 { "writes" } else { "write" };
    let who = if producers.count == 1 {
        "One producer".to_owned()
    } else {
        words::count(producers.count as usize, "producer")
    };
    format!(
        "{who} {verb} records of {size} to {topics} of {partitions}, {rate}, each sent when it is due whatever became of those before."
    )
}

fn readers(scenario: &Scenario, varies: &dyn Fn(&str) -> bool) -> String {
    if varies(super::cases::GROUPS) {
        return "A varying number of consumer groups reads all records meanwhile.".to_owned();
    }
    match scenario.groups.as_slice() {
        [] => "Nobody reads meanwhile.".to_owned(),
        [group] if varies("groups.0.members") => {
            format!("A consumer group of a varying number of members reads meanwhile{}.", protocol(group.protocol))
        }
        [group] => format!(
            "A consumer group of {} reads meanwhile{}.",
            words::count(group.members as usize, "member"),
            protocol(group.protocol)
        ),
        groups => format!("{} read all records meanwhile.", words::count(groups.len(), "consumer group")),
    }
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Assigned => ", each member told beforehand which partitions to read",
        Protocol::Classic => ", by Kafka's classic group protocol",
        Protocol::Consumer => ", by Kafka's new group protocol (KIP-848)",
    }
}
