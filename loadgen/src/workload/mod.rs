//! Workloads of the OpenMessaging Benchmark (OMB): its YAML as it is, and the published ones by their names.
//!
//! A workload says what is sent, a driver how the client is set up; both make a [`Scenario`]. Wherever a scenario is named, a workload can
//! be: `NAME[+DRIVER][@SCALE]`, where name and driver are published ones or files that end in `.yaml`, and rates, sizes and times are
//! divided by the scale.
//!
//! Invariant: each key is mapped, or has no effect on a load and is said to have none in the scenario's `shows`, or is refused by its name.
//!
//! Deviations, each told in `shows` where it applies:
//! - 0 as producerRate asks OMB to look for a rate: here producers go as fast as they can, and `find-max` looks for the rate. So do rates
//!   from 10 million records a second up, which the published max-rate workloads use for the same.
//! - A backlog is written as fast as the broker takes it, OMB writes it at the producers' rate.
//! - Payload files are not read: the filler compresses to about a half, as the digits in OMB's own files do.
//! - Keys are drawn at random from OMB's 10 000, also where it takes them in turn.
//! - Consumers commit ten times a second, OMB's after each poll.

mod driver;
mod published;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::scenario::{
    Backlog, Group, KeyDistribution, Keys, Limits, OnError, Protocol, Rate, Scenario, ScenarioError, Sweep, Timing,
    Topic, Verify,
};

pub use driver::Driver;
pub use published::{CONFLUENT_DRIVERS, OMB_DRIVERS, WORKLOADS};

/// From this rate on a workload means "as fast as it goes", in records a second.
const RATE_UNBOUNDED: u64 = 10_000_000;
/// Different keys of OMB's key distributors.
const OMB_KEYS: u32 = 10_000;
/// How much of a payload file's bytes is random: its digits carry four bits each.
const PAYLOAD_FILE_RANDOM: f64 = 0.5;
/// What is left of times that are scaled, at least, in seconds.
const SCALED_WINDOW_S_MIN: f64 = 10.0;
const SCALED_WARM_UP_S_MIN: f64 = 3.0;
const SECONDS_PER_MINUTE: f64 = 60.0;

/// A workload as OMB's class `Workload` reads it; keys that it has not are refused.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workload {
    name: String,
    topics: u32,
    partitions_per_topic: u32,
    #[serde(default)]
    key_distributor: KeyDistributor,
    message_size: u32,
    #[serde(default)]
    use_randomized_payloads: bool,
    #[serde(default)]
    random_bytes_ratio: f64,
    #[serde(default)]
    randomized_payload_pool_size: u32,
    #[serde(default)]
    payload_file: Option<String>,
    subscriptions_per_topic: u32,
    consumer_per_subscription: u32,
    producers_per_topic: u32,
    producer_rate: u64,
    #[serde(default, rename = "consumerBacklogSizeGB")]
    consumer_backlog_size_gb: u64,
    #[serde(default = "whole")]
    backlog_drain_ratio: f64,
    test_duration_minutes: u32,
    #[serde(default = "one")]
    warmup_duration_minutes: u32,
    /// Of Redpanda's fork: between two lines of its log. Has no effect on the load.
    #[serde(default)]
    sample_rate_millis: Option<u32>,
}

fn whole() -> f64 {
    1.0
}

fn one() -> u32 {
    1
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum KeyDistributor {
    #[default]
    NoKey,
    KeyRoundRobin,
    RandomNano,
}

/// A workload, who published it, and how its client is set up.
#[derive(Debug, Clone, PartialEq)]
struct Reference {
    id: String,
    source: String,
    workload: Workload,
    driver: Driver,
    scale: Option<f64>,
}

/// Whether `name` is a workload's: of a published one, or of a file.
pub fn is_workload(name: &str) -> bool {
    let (name, ..) = parts(name);
    is_file(name) || published::workload(name).is_some()
}

/// The scenario that a workload's name or file makes; see this module for the form of `name`.
///
/// # Errors
/// No such workload or driver, a file that can't be read, a key that is refused, or a scenario that is impossible.
pub fn find(name: &str) -> Result<Sweep, ScenarioError> {
    let scenario = reference(name)?.scenario()?;
    scenario.validate()?;
    Ok(Sweep { id: scenario.id.clone(), shows: scenario.shows.clone(), scenarios: vec![scenario] })
}

fn is_file(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

/// Name, driver and scale; a file whose own name has the signs is taken whole.
fn parts(text: &str) -> (&str, Option<&str>, Option<&str>) {
    if Path::new(text).is_file() {
        return (text, None, None);
    }
    let (text, scale) = text.rsplit_once('@').map_or((text, None), |(text, scale)| (text, Some(scale)));
    text.split_once('+').map_or((text, None, scale), |(name, driver)| (name, Some(driver), scale))
}

fn reference(text: &str) -> Result<Reference, ScenarioError> {
    let (name, driver_name, scale) = parts(text);
    let syntax = |detail: String| ScenarioError::Syntax { name: text.to_owned(), detail };
    let scale = match scale.map(|scale| (scale, scale.parse::<f64>())) {
        None => None,
        Some((_, Ok(scale))) if scale.is_finite() && scale >= 1.0 => Some(scale),
        Some((scale, _)) => {
            return Err(syntax(format!("@{scale}: rates, sizes and times are divided by a number from 1 up")));
        }
    };
    let (id, source, workload, mut driver) = if is_file(name) {
        let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
        (id_of(&stem), name.to_owned(), Workload::parse(name, &read(name)?)?, Driver::default())
    } else {
        let found = published::workload(name).ok_or_else(|| published::unknown(name))?;
        (name.to_owned(), found.source, found.workload, found.driver)
    };
    let mut id = id;
    if let Some(name) = driver_name {
        driver = if is_file(name) {
            Driver::parse(name, &read(name)?)?
        } else {
            published::driver(name).ok_or_else(|| {
                syntax(format!(
                    "no driver {name:?}. There are: {}",
                    [OMB_DRIVERS.join(", "), CONFLUENT_DRIVERS.join(", ")].join(", ")
                ))
            })?
        };
        id = format!("{id}-{}", id_of(&driver.name));
    }
    Ok(Reference { id, source, workload, driver, scale })
}

fn read(path: &str) -> Result<String, ScenarioError> {
    fs::read_to_string(path).map_err(|error| ScenarioError::File { path: path.to_owned(), error })
}

/// A name as a scenario's id.
fn id_of(name: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    name.trim_start_matches('.').chars().map(fit).collect()
}

impl Workload {
    /// Reads OMB's YAML; `name` is for messages.
    ///
    /// # Errors
    /// Text that is no workload, or a key that OMB's class has not.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        serde_saphyr::from_str(text)
            .map_err(|error| ScenarioError::Syntax { name: name.to_owned(), detail: error.to_string() })
    }
}

impl Reference {
    fn refuse<T>(&self, key: &str, value: impl ToString, reason: &str) -> Result<T, ScenarioError> {
        let (id, key) = (self.id.clone(), key.to_owned());
        Err(ScenarioError::Impossible { id, key, value: value.to_string(), reason: reason.to_owned() })
    }

    fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let Self { workload, driver, .. } = self;
        if workload.backlog_drain_ratio != 1.0 {
            return self.refuse(
                "backlogDrainRatio",
                workload.backlog_drain_ratio,
                "a backlog is drained whole: only 1.0 is possible",
            );
        }
        let mut notes = Vec::new();
        let divisor = self.scale.unwrap_or(1.0);
        let mut producers = driver.producers();
        producers.count = workload.producers_per_topic;
        producers.record_bytes = workload.message_size;
        producers.rate = match workload.producer_rate {
            0 | RATE_UNBOUNDED.. => {
                notes.push(
                    "producers go as fast as they can, find-max looks for the rate that can be sustained".to_owned(),
                );
                Rate::Max
            }
            rate => Rate::PerSecond(rate as f64 / divisor),
        };
        producers.keys = self.keys(&mut notes);
        producers.random_share = self.random_share(&mut notes);
        let times = |minutes: u32, least: f64| {
            let seconds = f64::from(minutes) * SECONDS_PER_MINUTE / divisor;
            if self.scale.is_some() { seconds.max(least) } else { seconds }
        };
        let timing = Timing {
            warm_up_s: times(workload.warmup_duration_minutes, SCALED_WARM_UP_S_MIN),
            window_s: times(workload.test_duration_minutes, SCALED_WINDOW_S_MIN),
            ..Timing::default()
        };
        let backlog = self.backlog(divisor, &mut notes)?;
        notes.extend(driver.notes.iter().cloned());
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
        Ok(Scenario {
            id: self.scale.map_or(self.id.clone(), |scale| format!("{}-scale{scale}", self.id)),
            family: self.id.clone(),
            shows: format!("{}{notes}", workload.name),
            source: Some(format!("{}; client as in {}", self.source, driver.name)),
            scale: self.scale,
            on_error: OnError::default(),
            verify: Verify::default(),
            workers: 0,
            topic: Topic {
                count: workload.topics,
                partitions: workload.partitions_per_topic,
                replication: driver.replication,
                settings: driver.topic_settings.clone(),
            },
            producers,
            timing,
            limits: Limits::default(),
            backlog,
            groups: self.groups(),
            events: Vec::new(),
        })
    }

    fn keys(&self, notes: &mut Vec<String>) -> Option<Keys> {
        match self.workload.key_distributor {
            KeyDistributor::NoKey => return None,
            KeyDistributor::KeyRoundRobin => notes.push("keys are drawn at random, not in turn".to_owned()),
            KeyDistributor::RandomNano => {}
        }
        Some(Keys { distribution: KeyDistribution::Uniform, count: OMB_KEYS, exponent: None })
    }

    fn random_share(&self, notes: &mut Vec<String>) -> f64 {
        let Workload { use_randomized_payloads, random_bytes_ratio, payload_file, .. } = &self.workload;
        if *use_randomized_payloads {
            return random_bytes_ratio.clamp(0.0, 1.0);
        }
        if payload_file.is_some() {
            notes.push("the payload file is not read, its filler is as compressible".to_owned());
        }
        PAYLOAD_FILE_RANDOM
    }

    fn backlog(&self, divisor: f64, notes: &mut Vec<String>) -> Result<Option<Backlog>, ScenarioError> {
        const BYTES_PER_GIB: f64 = (1u64 << 30) as f64;
        let Workload { consumer_backlog_size_gb: size, subscriptions_per_topic: subscriptions, .. } = self.workload;
        if size == 0 {
            return Ok(None);
        }
        if subscriptions == 0 {
            return self.refuse("consumerBacklogSizeGB", size, "nobody reads it: subscriptionsPerTopic is 0");
        }
        notes.push("the backlog is written as fast as the broker takes it".to_owned());
        // OMB counts what all subscriptions together have to read.
        let megabytes = size as f64 * BYTES_PER_GIB / 1e6 / f64::from(subscriptions) / divisor;
        let fill_s = SECONDS_PER_MINUTE * SECONDS_PER_MINUTE;
        Ok(Some(Backlog { megabytes: (megabytes.ceil() as u64).max(1), fill_s }))
    }

    /// OMB's consumers subscribe, each subscription with a group id of its own.
    fn groups(&self) -> Vec<Group> {
        let Workload { subscriptions_per_topic, consumer_per_subscription, .. } = self.workload;
        if consumer_per_subscription == 0 {
            return Vec::new();
        }
        (1..=subscriptions_per_topic)
            .map(|number| {
                self.driver.group(&format!("subscription-{number}"), Protocol::Classic, consumer_per_subscription)
            })
            .collect()
    }
}
