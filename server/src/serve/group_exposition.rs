//! Groups under the names and labels that exporters for Kafka have made common (`kafka_consumergroup_lag` and its kin, here
//! with our prefix), so that dashboards and alerts need little change.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;

use broker::groups::metrics::GroupMetrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use shard::metrics::CoreMetrics;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Group {
    consumergroup: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GroupState {
    consumergroup: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GroupReason {
    consumergroup: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GroupPartition {
    consumergroup: String,
    topic: String,
    partition: i32,
}

type Seconds = Counter<f64, AtomicU64>;

/// Registers the groups of all cores, at most `groups_max` of them one by one.
pub(super) fn register(registry: &mut Registry, cores: &[CoreMetrics], groups_max: usize) {
    register_states(registry, cores);
    let all = cores.iter().flat_map(|core| core.groups.states.values()).sum::<u64>();
    let groups: Vec<&GroupMetrics> = cores.iter().flat_map(|core| &core.groups.groups).take(groups_max).collect();
    let omitted = Gauge::<i64>::default();
    omitted.set(all as i64 - groups.len() as i64);
    registry.register("consumergroups_omitted", "Groups beyond metrics.groups.max, not shown one by one", omitted);
    register_groups(registry, &groups);
    register_rebalances(registry, &groups);
    register_lag(registry, &groups, &high_watermarks(cores));
}

fn register_states(registry: &mut Registry, cores: &[CoreMetrics]) {
    let states = Family::<State, Gauge>::default();
    for (&state, &count) in cores.iter().flat_map(|core| &core.groups.states) {
        states.get_or_create(&State { state }).inc_by(count as i64);
    }
    registry.register("consumergroups", "Groups, by state", states);
}

fn label(group: &GroupMetrics) -> Group {
    Group { consumergroup: group.group_id.to_string() }
}

fn register_groups(registry: &mut Registry, groups: &[&GroupMetrics]) {
    let mut gauge = |name: &str, help: &str, value: fn(&GroupMetrics) -> i64| {
        let family = Family::<Group, Gauge>::default();
        for group in groups {
            family.get_or_create(&label(group)).set(value(group));
        }
        registry.register(name, help, family);
    };
    gauge("consumergroup_members", "Members of the group", |group| group.members as i64);
    gauge("consumergroup_generation", "Generation or epoch of the group", |group| group.generation.into());
    let mut counter = |name: &str, help: &str, value: fn(&GroupMetrics) -> u64| {
        let family = Family::<Group, Counter>::default();
        for group in groups {
            family.get_or_create(&label(group)).inc_by(value(group));
        }
        registry.register(name, help, family);
    };
    counter("consumergroup_commits", "Commits of offsets taken", |group| group.counts.commits);
    counter("consumergroup_commits_fenced", "Commits refused because of who sent them", |group| {
        group.counts.commits_fenced
    });
    counter("consumergroup_sessions_expired", "Members removed because they were silent for their session", |group| {
        group.counts.sessions_expired
    });
    counter("consumergroup_connections_lost", "Members removed because their connection was lost", |group| {
        group.counts.connections_lost
    });
    let states = Family::<GroupState, Gauge>::default();
    for group in groups {
        let labels = GroupState { consumergroup: group.group_id.to_string(), state: group.state };
        states.get_or_create(&labels).set(1);
    }
    registry.register("consumergroup_state", "1 for the state that the group is in", states);
}

fn register_rebalances(registry: &mut Registry, groups: &[&GroupMetrics]) {
    let begun = Family::<GroupReason, Counter>::default();
    let (took, waited) = (Family::<Group, Seconds>::default(), Family::<Group, Seconds>::default());
    let under_way = Family::<Group, Gauge<f64, AtomicU64>>::default();
    for group in groups {
        for (reason, count) in group.rebalances() {
            let labels = GroupReason { consumergroup: group.group_id.to_string(), reason: reason.name() };
            begun.get_or_create(&labels).inc_by(count);
        }
        took.get_or_create(&label(group)).inc_by(seconds(group.counts.rebalance_ms));
        waited.get_or_create(&label(group)).inc_by(seconds(group.counts.join_wait_ms));
        under_way.get_or_create(&label(group)).set(seconds(group.rebalancing_ms));
    }
    registry.register("consumergroup_rebalances", "Rebalances begun, by reason", begun);
    let mut register = |name: &str, help: &str, family| {
        registry.register_with_unit(name, help, Unit::Seconds, family);
    };
    register("consumergroup_rebalance", "Time that rebalances took which are over", took);
    register("consumergroup_join_wait", "Time that members waited for others to join", waited);
    registry.register_with_unit(
        "consumergroup_rebalancing",
        "How long the rebalance under way takes already, 0 without one",
        Unit::Seconds,
        under_way,
    );
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

/// Where consumers may read up to, by topic and partition.
fn high_watermarks(cores: &[CoreMetrics]) -> BTreeMap<(&str, i32), i64> {
    let partitions = cores.iter().flat_map(|core| &core.partitions);
    partitions.map(|one| ((one.topic.as_str(), one.partition), one.high_watermark)).collect()
}

fn register_lag(registry: &mut Registry, groups: &[&GroupMetrics], ends: &BTreeMap<(&str, i32), i64>) {
    let (lags, offsets) = (Family::<GroupPartition, Gauge>::default(), Family::<GroupPartition, Gauge>::default());
    let sums = Family::<Group, Gauge>::default();
    for group in groups {
        let mut sum = 0;
        for (topic, partitions) in &group.offsets {
            for &(partition, committed) in partitions {
                let labels =
                    GroupPartition { consumergroup: group.group_id.to_string(), topic: topic.clone(), partition };
                offsets.get_or_create(&labels).set(committed);
                // Of a partition that is gone there is nothing to read.
                if let Some(end) = ends.get(&(topic.as_str(), partition)) {
                    let lag = (end - committed).max(0);
                    lags.get_or_create(&labels).set(lag);
                    sum += lag;
                }
            }
        }
        sums.get_or_create(&label(group)).set(sum);
    }
    registry.register("consumergroup_lag", "Records between the committed offset and the high watermark", lags);
    registry.register("consumergroup_lag_sum", "The group's lag over all partitions", sums);
    registry.register("consumergroup_current_offset", "Committed offset", offsets);
}
