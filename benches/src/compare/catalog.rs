//! The comparisons there are, by name. Sizes, depths and partitions are part of the name's meaning: change one, change the name.

use std::net::SocketAddr;

use crate::driver::Load;
use crate::results::Durability;

use super::Settings;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// This project's broker.
    Partita,
    /// The floor program, with filing.
    Floor,
    /// Apache Kafka, started by the user.
    Kafka,
}

impl System {
    /// As in `results/`.
    pub fn name(self) -> &'static str {
        match self {
            System::Partita => "partita",
            System::Floor => "floor",
            System::Kafka => "kafka",
        }
    }

    /// The floor takes any topic without being told.
    pub(super) fn has_topics(self) -> bool {
        self != System::Floor
    }
}

/// A broker and its load.
#[derive(Clone, Debug)]
pub struct Side {
    /// Which broker.
    pub system: System,
    /// As it is set up here.
    pub durability: Durability,
    /// Partitions of the topic.
    pub partitions: u32,
    /// Bytes of a batch.
    pub batch_bytes: usize,
    /// Requests in flight a connection.
    pub depth: u32,
    /// Open loop, in bytes a second.
    pub rate: Option<f64>,
}

const CONNECTIONS: u32 = 4;
const RECORD_BYTES: usize = 1000;
const PARTITIONS: u32 = 4;

impl Side {
    pub(super) fn topic_settings(&self) -> Vec<(String, String)> {
        let flush_each = self.system == System::Kafka && self.durability == Durability::FlushedBeforeAck;
        // The largest batch is a megabyte, which Kafka's default limit for a batch does not quite allow.
        let mut settings = vec![("max.message.bytes".to_owned(), (2 << 20).to_string())];
        if flush_each {
            settings.push(("flush.messages".to_owned(), "1".to_owned()));
        }
        settings
    }

    pub(super) fn load(&self, settings: &Settings, address: SocketAddr, pid: u32, topic: String) -> Load {
        Load {
            address,
            topic,
            partitions: self.partitions,
            connections: CONNECTIONS,
            depth: self.depth,
            batch_bytes: self.batch_bytes,
            record_bytes: RECORD_BYTES,
            acks: -1,
            warm_up: settings.warm_up,
            window: settings.window,
            rate: self.rate,
            server: Some(pid),
        }
    }

    /// Every parameter of the load, as `scenario.toml`.
    pub(super) fn scenario_toml(&self, settings: &Settings) -> String {
        let rate = self.rate.map_or(String::new(), |rate| format!("rate_bytes_per_second = {rate:.1}\n"));
        format!(
            "partitions = {}\nconnections = {CONNECTIONS}\ndepth = {}\nbatch_bytes = {}\nrecord_bytes = {RECORD_BYTES}\n\
             acks = -1\nwarm_up_seconds = {:.3}\nwindow_seconds = {:.3}\n{rate}",
            self.partitions,
            self.depth,
            self.batch_bytes,
            settings.warm_up.as_secs_f64(),
            settings.window.as_secs_f64(),
        )
    }
}

/// A comparison: ratios are of `a` to `b`.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Names the scenario.
    pub name: &'static str,
    /// What it asks.
    pub about: &'static str,
    /// Numerator.
    pub a: Side,
    /// Denominator.
    pub b: Side,
}

impl Trial {
    /// Both sides.
    pub fn sides(&self) -> [&Side; 2] {
        [&self.a, &self.b]
    }
}

fn side(system: System, durability: Durability, batch_bytes: usize) -> Side {
    // Enough in flight to keep a disk and a core busy, and no more memory than four connections' socket buffers.
    let depth = match batch_bytes {
        0..=16_384 => 16,
        16_385..=65_536 => 8,
        _ => 4,
    };
    Side { system, durability, partitions: PARTITIONS, batch_bytes, depth, rate: None }
}

/// All comparisons; `rate` in bytes a second is that of the one that has an open loop.
pub fn all(rate: f64) -> Vec<Trial> {
    use Durability::{FlushedBeforeAck, PageCacheOnly};
    use System::{Floor, Kafka, Partita};
    const SMALL: usize = 16 << 10;
    const MIDDLE: usize = 64 << 10;
    const LARGE: usize = 1 << 20;
    let partita = |batch_bytes| side(Partita, FlushedBeforeAck, batch_bytes);
    let trial = |name, about, a, b| Trial { name, about, a, b };
    let to_floor = |name, bytes| {
        trial(name, "durable produce, beside the floor", partita(bytes), side(Floor, FlushedBeforeAck, bytes))
    };
    let to_kafka = |name, about, durability, bytes| trial(name, about, partita(bytes), side(Kafka, durability, bytes));
    let shipped = "flushed before the ack, beside Kafka as shipped (page cache only)";
    let flushed = "both flushed before the ack, Kafka by flush.messages=1";
    let spread = |partitions, rate| Side { partitions, rate, ..partita(SMALL) };
    vec![
        to_floor("floor-16k", SMALL),
        to_floor("floor-64k", MIDDLE),
        to_floor("floor-1m", LARGE),
        to_kafka("kafka-16k", shipped, PageCacheOnly, SMALL),
        to_kafka("kafka-1m", shipped, PageCacheOnly, LARGE),
        to_kafka("kafka-flushed-16k", flushed, FlushedBeforeAck, SMALL),
        to_kafka("kafka-flushed-1m", flushed, FlushedBeforeAck, LARGE),
        trial("partitions-max", "1000 partitions beside 1, as fast as it goes", spread(1000, None), spread(1, None)),
        trial(
            "partitions-rate",
            "1000 partitions beside 1, at one rate",
            spread(1000, Some(rate)),
            spread(1, Some(rate)),
        ),
        trial("same-64k", "twice the same: the smallest difference worth a claim", partita(MIDDLE), partita(MIDDLE)),
    ]
}
