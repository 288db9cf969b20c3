//! The words that a page cannot do without, for who has never met them.

use maud::{Markup, html};

const WORDS: [(&str, &str); 9] = [
    (
        "Record, topic, partition",
        "A record is one message. A topic is a named log of records, cut into partitions; each partition keeps its records in order.",
    ),
    (
        "acks",
        "What a producer waits for before a record counts as written. acks=0: nothing. acks=1: the partition's leading broker has it. acks=all: every replica in sync has it.",
    ),
    (
        "Consumer group",
        "Readers that share a topic's partitions among them: each partition is read by exactly one member. Members beyond the number of partitions stand by.",
    ),
    (
        "Response time",
        "From the moment when a record was due by the schedule to its acknowledgement. It includes the wait when the broker is too slow to take it, so it is what an application feels.",
    ),
    (
        "Service time",
        "From the moment when a record was really sent to its acknowledgement. Under overload it stays low while the response time grows, which is why it alone would flatter.",
    ),
    ("End-to-end time", "From the moment when a record was due until a reader had it."),
    (
        "p50, p99, p99.9",
        "Percentiles: half, 99 of 100, and 999 of 1000 records took at most so long. They are shown only when there are enough records for them, and come from whole histograms; they are never averaged.",
    ),
    (
        "Valid, suspect, invalid",
        "A run is suspect when something besides the broker had a hand in its figures: the host took CPU away, other programs ran, timers were late, or the load generator itself was too busy. It is invalid when it failed or records were lost, doubled or reordered.",
    ),
    (
        "CPU per GB",
        "CPU seconds that the broker used for a gigabyte (10⁹ bytes) of records. It hardly depends on how busy the machine was.",
    ),
];

/// Folded away: who knows the words needs none of it.
pub fn draw() -> Markup {
    html! {
        section {
            h2 { "What the words mean" }
            details {
                summary { "Records, acks, response time, percentiles, validity" }
                dl class="words" { @for (word, meaning) in WORDS { dt { (word) } dd { (meaning) } } }
            }
        }
    }
}
