//! OMB's driver files for Kafka: how its Java client is set up.

use std::collections::BTreeMap;

use serde::Deserialize;
use wire::compression::Compression;

use crate::client::Acks;
use crate::scenario::{Group, Producers, Protocol, ScenarioError};

/// Kafka's own defaults, where a driver says nothing.
const BATCH_BYTES: u32 = 16 << 10;
const LINGER_MS: f64 = 5.0;
const IN_FLIGHT: u32 = 5;
const BUFFER_BYTES: u32 = 32 << 20;
const DELIVERY_TIMEOUT_MS: u64 = 120_000;
/// Between commits, in ms: OMB's consumers commit after each poll, which is as often.
const COMMIT_MS: u32 = 100;

/// A client's set-up.
#[derive(Debug, Clone, PartialEq)]
pub struct Driver {
    /// The file's name without its ending.
    pub name: String,
    pub(super) replication: i16,
    pub(super) topic_settings: BTreeMap<String, String>,
    pub(super) acks: Acks,
    pub(super) linger_ms: f64,
    pub(super) batch_bytes: u32,
    pub(super) in_flight: u32,
    pub(super) buffer_bytes: u32,
    pub(super) compression: Compression,
    /// None: as Kafka's Java client has it, with acks=all.
    pub(super) idempotent: Option<bool>,
    pub(super) request_bytes: Option<u32>,
    pub(super) delivery_timeout_ms: u64,
    pub(super) partition_fetch_bytes: Option<u32>,
    pub(super) fetch_bytes: Option<u32>,
    pub(super) fetch_min_bytes: Option<u32>,
    pub(super) fetch_wait_ms: Option<u32>,
    pub(super) commit_ms: Option<u32>,
    /// What is not as the file says.
    pub(super) notes: Vec<String>,
}

impl Default for Driver {
    /// Kafka's own defaults, `acks=all` among them.
    fn default() -> Self {
        Self {
            name: "kafka-defaults".to_owned(),
            replication: 1,
            topic_settings: BTreeMap::new(),
            acks: Acks::All,
            linger_ms: LINGER_MS,
            batch_bytes: BATCH_BYTES,
            in_flight: IN_FLIGHT,
            buffer_bytes: BUFFER_BYTES,
            compression: Compression::None,
            idempotent: None,
            request_bytes: None,
            delivery_timeout_ms: DELIVERY_TIMEOUT_MS,
            partition_fetch_bytes: None,
            fetch_bytes: None,
            fetch_min_bytes: None,
            fetch_wait_ms: None,
            commit_ms: None,
            notes: Vec::new(),
        }
    }
}

/// The file; the blocks are Java properties.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    #[serde(default, rename = "name")]
    _name: String,
    /// Which client: one is as good as another here.
    #[serde(default, rename = "driverClass")]
    _driver_class: String,
    #[serde(default = "one_replica")]
    replication_factor: i16,
    /// Whether old topics are deleted first; a run here always has new ones.
    #[serde(default, rename = "reset")]
    _reset: bool,
    #[serde(default)]
    topic_config: Option<String>,
    #[serde(default)]
    common_config: Option<String>,
    #[serde(default)]
    producer_config: Option<String>,
    #[serde(default)]
    consumer_config: Option<String>,
}

fn one_replica() -> i16 {
    1
}

/// Settings that say where, who or how long to wait for an answer, not what the load is.
const COMMON_WITHOUT_EFFECT: [&str; 4] =
    ["bootstrap.servers", "request.timeout.ms", "default.api.timeout.ms", "client.id"];
const CONSUMER_WITHOUT_EFFECT: [&str; 3] = ["group.id", "auto.offset.reset", "enable.auto.commit"];

impl Driver {
    /// Reads OMB's YAML; `name` is the file's.
    ///
    /// # Errors
    /// Text that is no driver, and settings that cannot be followed, by their names.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let syntax = |detail: String| ScenarioError::Syntax { name: name.to_owned(), detail };
        let file: File = serde_saphyr::from_str(text).map_err(|error| syntax(error.to_string()))?;
        let stem = std::path::Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut driver = Driver { name: stem, replication: file.replication_factor, ..Driver::default() };
        let block = |text: &Option<String>| properties(text.as_deref().unwrap_or_default());
        driver.topic_settings = block(&file.topic_config).map_err(&syntax)?;
        for (key, value) in block(&file.common_config).map_err(&syntax)? {
            if !COMMON_WITHOUT_EFFECT.contains(&key.as_str()) {
                return Err(syntax(format!("commonConfig: {key}={value} has no counterpart here: remove it")));
            }
        }
        for (key, value) in block(&file.producer_config).map_err(&syntax)? {
            driver
                .producer(&key, &value)
                .map_err(|reason| syntax(format!("producerConfig: {key}={value} {reason}")))?;
        }
        for (key, value) in block(&file.consumer_config).map_err(&syntax)? {
            driver
                .consumer(&key, &value)
                .map_err(|reason| syntax(format!("consumerConfig: {key}={value} {reason}")))?;
        }
        Ok(driver)
    }

    fn producer(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "acks" => {
                self.acks = match value {
                    "0" => Acks::None,
                    "1" => Acks::Leader,
                    "all" | "-1" => Acks::All,
                    _ => return Err("is not 0, 1 or all".to_owned()),
                }
            }
            "linger.ms" => self.linger_ms = number(value)?,
            "batch.size" => self.batch_bytes = number(value)?,
            "buffer.memory" => self.buffer_bytes = number(value)?,
            "delivery.timeout.ms" => self.delivery_timeout_ms = number(value)?,
            "max.in.flight.requests.per.connection" => self.in_flight = number(value)?,
            "enable.idempotence" => self.idempotent = Some(number(value)?),
            "max.request.size" => self.request_bytes = Some(number(value)?),
            "compression.type" => {
                self.compression = match value {
                    "none" => Compression::None,
                    "gzip" => Compression::Gzip,
                    "snappy" => Compression::Snappy,
                    "lz4" => Compression::Lz4,
                    "zstd" => Compression::Zstd,
                    _ => return Err("is no compression that Kafka has".to_owned()),
                }
            }
            // A batch is tried until its delivery timeout.
            "retries" => {}
            key if COMMON_WITHOUT_EFFECT.contains(&key) => {}
            _ => return Err("has no counterpart here: remove it".to_owned()),
        }
        Ok(())
    }

    fn consumer(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "max.partition.fetch.bytes" => self.partition_fetch_bytes = Some(number(value)?),
            "fetch.max.bytes" => self.fetch_bytes = Some(number(value)?),
            "fetch.min.bytes" => self.fetch_min_bytes = Some(number(value)?),
            // Of Vanlightly's fork.
            "offsetCommitLingerMs" => self.commit_ms = Some(number(value)?),
            "fetch.max.wait.ms" => self.fetch_wait_ms = Some(number(value)?),
            key if CONSUMER_WITHOUT_EFFECT.contains(&key) || COMMON_WITHOUT_EFFECT.contains(&key) => {}
            _ => return Err("has no counterpart here: remove it".to_owned()),
        }
        Ok(())
    }

    /// Producers with this set-up and nothing else settled.
    pub(super) fn producers(&self) -> Producers {
        let producers = Producers::default();
        Producers {
            acks: self.acks,
            batch_bytes: self.batch_bytes,
            linger_ms: self.linger_ms,
            in_flight: self.in_flight,
            buffer_bytes: self.buffer_bytes,
            compression: self.compression,
            idempotent: self.idempotent.unwrap_or(matches!(self.acks, Acks::All)),
            delivery_timeout_ms: self.delivery_timeout_ms,
            request_bytes: self.request_bytes.unwrap_or(producers.request_bytes),
            ..producers
        }
    }

    /// A group with this set-up.
    pub(super) fn group(&self, name: &str, protocol: Protocol, members: u32) -> Group {
        let group = Group::named(name, protocol, members);
        Group {
            partition_fetch_bytes: self.partition_fetch_bytes.unwrap_or(group.partition_fetch_bytes),
            fetch_bytes: self.fetch_bytes.unwrap_or(group.fetch_bytes),
            fetch_min_bytes: self.fetch_min_bytes.unwrap_or(group.fetch_min_bytes),
            fetch_wait_ms: self.fetch_wait_ms.unwrap_or(group.fetch_wait_ms),
            commit_ms: self.commit_ms.unwrap_or(COMMIT_MS),
            ..group
        }
    }
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| "is not of the right kind, or too large".to_owned())
}

/// Java properties, without escapes and continued lines.
fn properties(text: &str) -> Result<BTreeMap<String, String>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '!']));
    lines
        .map(|line| match line.split_once('=') {
            Some((key, value)) => Ok((key.trim().to_owned(), value.trim().to_owned())),
            None => Err(format!("{line:?} is not key=value")),
        })
        .collect()
}
