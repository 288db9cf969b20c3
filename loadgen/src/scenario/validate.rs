//! What no scenario may ask for.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::{Group, KeyDistribution, Protocol, Rate, Scenario, ScenarioError, Verify};
use crate::client::Acks;
use crate::payload::HEADER_BYTES;

/// Bounds that keep a typing error from taking all memory or sockets.
const TOPICS_MAX: u32 = 10_000;
const PARTITIONS_MAX: u32 = 10_000;
const PRODUCERS_MAX: u32 = 10_000;
const MEMBERS_MAX: u32 = 10_000;
const RATE_MAX: f64 = 1e9;
const BYTES_MAX: u32 = 64 << 20;
const IN_FLIGHT_MAX: u32 = 1000;
/// Kafka remembers so many batches of an idempotent producer in each partition.
const IDEMPOTENT_IN_FLIGHT_MAX: u32 = 5;
const KEYS_MAX: u32 = 10_000_000;
const WORKERS_MAX: u32 = 256;
/// A day.
const SECONDS_MAX: f64 = 86_400.0;

/// Where a complaint comes from.
struct Checker<'a> {
    id: &'a str,
}

impl Checker<'_> {
    fn refuse<T>(&self, key: &str, value: impl Display, reason: impl Into<String>) -> Result<T, ScenarioError> {
        let (id, key, value) = (self.id.to_owned(), key.to_owned(), value.to_string());
        Err(ScenarioError::Impossible { id, key, value, reason: reason.into() })
    }

    fn within<T: PartialOrd + Display>(
        &self,
        key: &str,
        value: T,
        range: RangeInclusive<T>,
    ) -> Result<(), ScenarioError> {
        if range.contains(&value) {
            return Ok(());
        }
        let reason = format!("it may be {} to {}", range.start(), range.end());
        self.refuse(key, value, reason)
    }
}

impl Scenario {
    /// Whether the scenario can be run.
    ///
    /// # Errors
    /// [`ScenarioError::Impossible`] with the first key that makes it impossible.
    pub fn validate(&self) -> Result<(), ScenarioError> {
        let checker = Checker { id: &self.id };
        let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        if self.id.is_empty() || self.id.starts_with('.') || !self.id.bytes().all(is_fit) {
            return checker.refuse("id", &self.id, "lower-case letters, digits, dashes and dots name a folder");
        }
        checker.within("workers", self.workers, 0..=WORKERS_MAX)?;
        checker.within("topic.count", self.topic.count, 1..=TOPICS_MAX)?;
        checker.within("topic.partitions", self.topic.partitions, 1..=PARTITIONS_MAX)?;
        checker.within("topic.replication", self.topic.replication, 1..=i16::MAX)?;
        self.validate_producers(&checker)?;
        self.validate_timing(&checker)?;
        self.validate_groups(&checker)?;
        self.validate_events(&checker)
    }

    fn validate_producers(&self, checker: &Checker<'_>) -> Result<(), ScenarioError> {
        let producers = &self.producers;
        checker.within("producers.count", producers.count, 1..=PRODUCERS_MAX)?;
        if let Rate::PerSecond(rate) = producers.rate {
            checker.within("producers.rate", rate, f64::MIN_POSITIVE..=RATE_MAX)?;
        }
        checker.within("producers.record_bytes", producers.record_bytes, HEADER_BYTES as u32..=BYTES_MAX)?;
        checker.within("producers.batch_bytes", producers.batch_bytes, 1..=BYTES_MAX)?;
        checker.within("producers.request_bytes", producers.request_bytes, 1..=BYTES_MAX)?;
        checker.within("producers.linger_ms", producers.linger_ms, 0.0..=SECONDS_MAX * 1e3)?;
        checker.within("producers.in_flight", producers.in_flight, 1..=IN_FLIGHT_MAX)?;
        checker.within("producers.random_share", producers.random_share, 0.0..=1.0)?;
        checker.within("producers.buffer_bytes", producers.buffer_bytes, producers.batch_bytes..=u32::MAX)?;
        if producers.idempotent && producers.acks != Acks::All {
            return checker.refuse("producers.idempotent", true, "it needs acks = \"all\"");
        }
        if producers.idempotent && producers.in_flight > IDEMPOTENT_IN_FLIGHT_MAX {
            let reason = format!("with idempotent = true at most {IDEMPOTENT_IN_FLIGHT_MAX}");
            return checker.refuse("producers.in_flight", producers.in_flight, reason);
        }
        if let Some(keys) = &producers.keys {
            checker.within("producers.keys.count", keys.count, 1..=KEYS_MAX)?;
            match (keys.distribution, keys.exponent) {
                (KeyDistribution::Uniform, Some(exponent)) => {
                    return checker.refuse("producers.keys.exponent", exponent, "uniform keys have none");
                }
                (KeyDistribution::Zipf, Some(exponent)) => {
                    checker.within("producers.keys.exponent", exponent, 0.01..=10.0)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn validate_timing(&self, checker: &Checker<'_>) -> Result<(), ScenarioError> {
        checker.within("timing.warm_up_s", self.timing.warm_up_s, 0.0..=SECONDS_MAX)?;
        checker.within("timing.window_s", self.timing.window_s, 0.1..=SECONDS_MAX)?;
        checker.within("timing.drain_s", self.timing.drain_s, 0.1..=SECONDS_MAX)?;
        checker.within("limits.backlog_s", self.limits.backlog_s, 0.1..=SECONDS_MAX)?;
        checker.within("limits.silence_s", self.limits.silence_s, 0.1..=SECONDS_MAX)?;
        if let Some(backlog) = &self.backlog {
            checker.within("backlog.megabytes", backlog.megabytes, 1..=10_000_000)?;
            checker.within("backlog.fill_s", backlog.fill_s, 0.1..=SECONDS_MAX)?;
            if self.groups.is_empty() {
                return checker.refuse("backlog.megabytes", backlog.megabytes, "there is no group to read it");
            }
        }
        Ok(())
    }

    fn validate_groups(&self, checker: &Checker<'_>) -> Result<(), ScenarioError> {
        let mut names = BTreeSet::new();
        for group in &self.groups {
            if group.name.is_empty() || !names.insert(&group.name) {
                return checker.refuse("groups.name", &group.name, "each group has a name of its own");
            }
            checker.within("groups.members", group.members, 1..=MEMBERS_MAX)?;
            checker.within("groups.fetch_bytes", group.fetch_bytes, 1..=i32::MAX as u32)?;
            checker.within("groups.partition_fetch_bytes", group.partition_fetch_bytes, 1..=i32::MAX as u32)?;
            checker.within("groups.fetch_min_bytes", group.fetch_min_bytes, 0..=i32::MAX as u32)?;
            checker.within("groups.fetch_wait_ms", group.fetch_wait_ms, 0..=60_000)?;
            checker.within("groups.session_timeout_ms", group.session_timeout_ms, 1..=1_800_000)?;
            checker.within("groups.heartbeat_ms", group.heartbeat_ms, 1..=group.session_timeout_ms)?;
            checker.within("groups.rebalance_timeout_ms", group.rebalance_timeout_ms, 1..=i32::MAX as u32)?;
        }
        let has_assigned = self.groups.iter().any(|group| group.protocol == Protocol::Assigned);
        if self.verify == Verify::Live && !has_assigned {
            return checker.refuse("verify", "live", "it needs a group of protocol = \"assigned\"");
        }
        Ok(())
    }

    fn validate_events(&self, checker: &Checker<'_>) -> Result<(), ScenarioError> {
        for event in &self.events {
            checker.within("events.at_s", event.at_s, 0.0..=self.timing.window_s)?;
            let Some(group) = self.groups.iter().find(|group| group.name == event.group) else {
                return checker.refuse("events.group", &event.group, "there is no group of that name");
            };
            if group.protocol == Protocol::Assigned {
                return checker.refuse("events.group", &event.group, "members of an assigned group have no successors");
            }
            checker.within("events.member", event.member, 0..=group.members.max(1) - 1)?;
        }
        Ok(())
    }

    /// The group of that name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }
}
