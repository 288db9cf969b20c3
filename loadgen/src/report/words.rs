//! What names and values of runs are called on a page that a stranger reads.

use serde_json::Value;

use crate::result::{Durability, SystemInfo, Verdict};

use super::chart::Quantity;
use super::chart::quantity::{grouped, significant};

/// A system with its version.
pub fn system(info: &SystemInfo) -> String {
    let name = system_name(&info.name);
    if info.version.is_empty() { name.to_owned() } else { format!("{name} {}", info.version) }
}

/// A system without its version.
pub fn system_name(name: &str) -> &str {
    match name {
        "partita" => "Partita",
        "kafka" => "Apache Kafka",
        "kafka-flush" => "Apache Kafka, flushing",
        "floor" => "Bare disk and network (floor)",
        "address" => "A broker by its address",
        other => other,
    }
}

/// The class as the style sheet names it.
pub fn durability_class(class: Durability) -> &'static str {
    match class {
        Durability::PageCacheOnly => "class page-cache-only",
        Durability::FlushedAtIntervals => "class flushed-at-intervals",
        Durability::FlushedBeforeAck => "class flushed-before-ack",
        Durability::Unknown => "class unknown",
    }
}

/// What a durability class means for who relies on it.
pub fn durability_meaning(class: Durability) -> &'static str {
    match class {
        Durability::PageCacheOnly => {
            "An acknowledged record may still be only in the operating system's memory: it survives the broker's crash, but is lost \
             when the machine loses power."
        }
        Durability::FlushedAtIntervals => {
            "Acknowledged records reach the disk now and then; those since the last flush are lost when the machine loses power."
        }
        Durability::FlushedBeforeAck => "A record is on the disk before it is acknowledged: it survives a power cut.",
        Durability::Unknown => "Nobody has said when this broker's acknowledged records are on disk.",
    }
}

/// A verdict in a word or two.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::Suspect => "suspect",
        Verdict::CutShort => "cut short",
        Verdict::Invalid => "invalid",
    }
}

/// The class of a verdict's word.
pub fn verdict_class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "good-word",
        Verdict::Suspect | Verdict::CutShort => "warn-word",
        Verdict::Invalid => "bad-word",
    }
}

/// A number of things: 1 run, 2 runs.
pub fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number as u64))
}

/// Words in a row: a, b and c.
pub fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [front @ .., last] => format!("{} and {last}", front.join(", ")),
    }
}

/// A start such as 20261124T143407Z for people.
pub fn moment(started: &str) -> String {
    let part =
        |from: usize, to: usize| started.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    match (part(0, 4), part(4, 6), part(6, 8), part(9, 11), part(11, 13)) {
        (Some(year), Some(month), Some(day), Some(hour), Some(minute)) => {
            format!("{year}-{month}-{day} {hour}:{minute} UTC")
        }
        _ => started.to_owned(),
    }
}

/// Bytes that are a power of two as people set them.
pub fn binary_bytes(bytes: f64) -> String {
    const KIB: f64 = 1024.0;
    for (size, unit) in [(KIB * KIB, "MiB"), (KIB, "KiB")] {
        if bytes >= size && bytes % size == 0.0 {
            return format!("{} {unit}", significant(bytes / size));
        }
    }
    Quantity::Bytes.format(bytes)
}

/// A parameter and its value, as a scenario's flattened key names it.
pub fn setting(key: &str, value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let number = value.as_f64().unwrap_or(f64::NAN);
    let things = |thing: &str| count(number.max(0.0) as usize, thing);
    let last = key.rsplit('.').next().unwrap_or(key);
    match (key, last) {
        ("producers.acks", _) => format!("acks={text}"),
        ("producers.rate", _) if value.is_string() => format!("{text} rate"),
        ("producers.rate", _) => Quantity::PerSecond.format(number),
        ("producers.record_bytes", _) => format!("{} records", Quantity::Bytes.format(number)),
        ("producers.batch_bytes", _) => format!("{} batches", binary_bytes(number)),
        ("producers.linger_ms", _) => format!("linger {} ms", significant(number)),
        ("producers.count", _) => things("producer"),
        ("producers.compression", _) => {
            if text == "none" {
                "uncompressed".to_owned()
            } else {
                text
            }
        }
        ("producers.idempotent", _) => {
            if text == "true" {
                "idempotent".to_owned()
            } else {
                "not idempotent".to_owned()
            }
        }
        ("producers.keys.distribution", _) => format!("{text} keys"),
        ("topic.partitions", _) => things("partition"),
        ("topic.count", _) => things("topic"),
        ("groups.count", _) => things("group"),
        (_, "members") => things("member"),
        (_, "protocol") if text == "consumer" => "consumer protocol".to_owned(),
        (_, "protocol") => format!("{text} protocol"),
        (key, "do") if key.starts_with("events.") => format!("member: {text}"),
        (_, last) => format!("{} {text}", last.replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_read_as_words() {
        for (key, value, expected) in [
            ("producers.acks", json!("all"), "acks=all"),
            ("producers.rate", json!("max"), "max rate"),
            ("producers.rate", json!(20_000.0), "20 k/s"),
            ("producers.batch_bytes", json!(16_384), "16 KiB batches"),
            ("topic.partitions", json!(1), "1 partition"),
            ("groups.0.members", json!(5), "5 members"),
            ("groups.0.protocol", json!("consumer"), "consumer protocol"),
            ("events.0.do", json!("kill"), "member: kill"),
            ("limits.silence_s", json!(30), "silence s 30"),
        ] {
            assert_eq!(setting(key, &value), expected);
        }
    }

    #[test]
    fn moments_lists_and_counts_read_as_words() {
        assert_eq!(moment("20261124T143407Z"), "2026-11-24 14:34 UTC");
        assert_eq!(moment("soon"), "soon");
        assert_eq!(moment("2026é124T143407Z"), "2026é124T143407Z");
        let words = ["a", "b", "c"].map(str::to_owned);
        assert_eq!((list(&words).as_str(), list(&words[..1]).as_str(), list(&[]).as_str()), ("a, b and c", "a", ""));
        assert_eq!((count(1, "run"), count(1200, "run")), ("1 run".to_owned(), "1,200 runs".to_owned()));
    }
}
