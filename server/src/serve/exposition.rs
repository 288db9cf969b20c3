//! The cores' counts under Prometheus' names and labels.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use shard::metrics::CoreMetrics;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Core {
    core: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Api {
    core: usize,
    api: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Partition {
    core: usize,
    topic: String,
    partition: i32,
}

/// Registers what the cores have counted.
pub(super) fn register(registry: &mut Registry, cores: &[CoreMetrics]) {
    register_cores(registry, cores);
    register_apis(registry, cores);
    register_partitions(registry, cores);
}

fn register_cores(registry: &mut Registry, cores: &[CoreMetrics]) {
    let mut counter = |name: &str, help: &str, unit: Option<Unit>, value: fn(&CoreMetrics) -> u64| {
        let family = Family::<Core, Counter>::default();
        for (core, metrics) in cores.iter().enumerate() {
            family.get_or_create(&Core { core }).inc_by(value(metrics));
        }
        match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, family),
            None => registry.register(name, help, family),
        }
    };
    counter("received", "Received from clients", Some(Unit::Bytes), |core| core.bytes_received);
    counter("sent", "Sent to clients", Some(Unit::Bytes), |core| core.bytes_sent);
    counter("appended_batches", "Record batches appended", None, |core| core.batches_appended);
    counter("appended_records", "Records appended", None, |core| core.records_appended);
    counter("appended", "Appended to logs", Some(Unit::Bytes), |core| core.bytes_appended);
    counter("journal_groups", "Durable journal writes, each one flush", None, |core| core.journal_groups);
    counter("log_cleanings", "Logs compacted", None, |core| core.cleanings);
    counter("log_cleanings_failed", "Compactions that failed", None, |core| core.cleanings_failed);
    let read = "In segments that compaction has rewritten";
    counter("log_cleaner_read", read, Some(Unit::Bytes), |core| core.cleaned_bytes_before);
    let written = "In the segments that have replaced them";
    counter("log_cleaner_written", written, Some(Unit::Bytes), |core| core.cleaned_bytes_after);
    let scrubbed = "Read of closed segments, to find damage";
    counter("log_scrubbed", scrubbed, Some(Unit::Bytes), |core| core.scrub.bytes);
    counter("log_scrub_passes", "Passes over all closed segments completed", None, |core| core.scrub.passes);
    let found = "Damaged batches found by scrubbing or met by readers; each pass counts them again";
    counter("log_rotten_batches_found", found, None, |core| core.scrub.found);
    let seconds = Family::<Core, Counter<f64, std::sync::atomic::AtomicU64>>::default();
    let connections = Family::<Core, Gauge>::default();
    let memory = Family::<Core, Gauge>::default();
    for (core, metrics) in cores.iter().enumerate() {
        seconds.get_or_create(&Core { core }).inc_by(metrics.journal_ns as f64 / 1e9);
        connections.get_or_create(&Core { core }).set(metrics.connections as i64);
        memory.get_or_create(&Core { core }).set(metrics.request_bytes as i64);
    }
    registry.register_with_unit("journal_write", "Time in durable journal writes", Unit::Seconds, seconds);
    registry.register("connections", "Connections open", connections);
    registry.register_with_unit("request_memory", "Reserved by requests", Unit::Bytes, memory);
}

fn register_apis(registry: &mut Registry, cores: &[CoreMetrics]) {
    let requests = Family::<Api, Counter>::default();
    for (core, metrics) in cores.iter().enumerate() {
        for (api, count) in &metrics.requests {
            requests.get_or_create(&Api { core, api: api.name() }).inc_by(*count);
        }
    }
    registry.register("requests", "Requests received, by API", requests);
}

fn register_partitions(registry: &mut Registry, cores: &[CoreMetrics]) {
    let mut gauge = |name: &str, help: &str, value: fn(&shard::metrics::PartitionMetrics) -> i64| {
        let family = Family::<Partition, Gauge>::default();
        for (core, metrics) in cores.iter().enumerate() {
            for partition in &metrics.partitions {
                let labels = Partition { core, topic: partition.topic.clone(), partition: partition.partition };
                family.get_or_create(&labels).set(value(partition));
            }
        }
        registry.register(name, help, family);
    };
    gauge("partition_log_start_offset", "First offset", |partition| partition.log_start);
    let rotten = "Damaged batches in its segments that are known";
    gauge("partition_rotten_batches", rotten, |partition| partition.rotten_batches as i64);
    gauge("partition_log_end_offset", "Next offset to be written", |partition| partition.log_end);
    gauge("partition_high_watermark", "Offset below which consumers read", |partition| partition.high_watermark);
    gauge("partition_size_bytes", "Bytes in the partition's segments", |partition| partition.size_bytes as i64);
    gauge("partition_segments", "Segments of the partition", |partition| partition.segments as i64);
    register_cleaning(registry, cores);
}

/// How compacted partitions stand.
fn register_cleaning(registry: &mut Registry, cores: &[CoreMetrics]) {
    let dirty_ratio = Family::<Partition, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
    let uncleanable = Family::<Partition, Gauge>::default();
    for (core, metrics) in cores.iter().enumerate() {
        for partition in &metrics.partitions {
            let Some(ratio) = partition.dirty_ratio else { continue };
            let labels = Partition { core, topic: partition.topic.clone(), partition: partition.partition };
            dirty_ratio.get_or_create(&labels).set(ratio);
            uncleanable.get_or_create(&labels).set(i64::from(partition.is_uncleanable));
        }
    }
    let help = "Of the closed segments' bytes, the share that no cleaning has been over, 0 to 1";
    registry.register("partition_dirty_ratio", help, dirty_ratio);
    let help = "1 when compaction has given the partition up until the next start";
    registry.register("partition_uncleanable", help, uncleanable);
}
