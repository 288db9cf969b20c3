//! Every key that Partita has, once: the broker's, the topics' and the groups'.
//!
//! Only keys that have an effect stand here, and some whose promise Partita keeps whatever they say, such as a bound on
//! what is not flushed yet; their docs tell. A key that Kafka's broker has keeps Kafka's name, type and default; where the
//! default differs, the doc says so. Each topic key names the broker keys that give its default, the first that is set
//! being the one that counts (Kafka's synonyms).

use super::key::{Key, Kind, Range, Unit};

use Kind::{Boolean, Double, Int, List, Long, String};
use Range::{Any, AtLeast, Between, Only};
use Unit::{Bytes, Count, Hours, Milliseconds, Minutes, None as Plain};

/// The least segment that Kafka 4 takes, in bytes.
pub const SEGMENT_BYTES_MIN: i64 = 1 << 20;
/// The most partitions that one topic may have by default, and that one request may create (Kafka's limit a request).
pub const PARTITIONS_MAX: i64 = 10_000;

const CLEANUP_POLICIES: Range = Range::OneOf { valid: &["compact", "delete"], supported: &["compact", "delete"] };
const COMPRESSION_TYPES: Range = Range::OneOf {
    valid: &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
    supported: &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
};
const TIMESTAMP_TYPES: Range =
    Range::OneOf { valid: &["CreateTime", "LogAppendTime"], supported: &["CreateTime", "LogAppendTime"] };
const BATCH_VALIDATIONS: Range = Range::OneOf { valid: &["header", "full"], supported: &["header", "full"] };
const ASSIGNORS: Range = Range::OneOf { valid: &["uniform", "range"], supported: &["uniform", "range"] };
const MIGRATION_POLICIES: Range = Range::OneOf {
    valid: &["disabled", "downgrade", "upgrade", "bidirectional"],
    supported: &["disabled", "downgrade", "upgrade", "bidirectional"],
};
const LONG_MAX: &str = "9223372036854775807";
const INT_MAX: &str = "2147483647";

const fn key(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    unit: Unit,
    range: Range,
    doc: &'static str,
) -> Key {
    Key { name, kind, default, unit, range, doc }
}

/// A broker key that gives a topic key its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synonym {
    /// The broker key.
    pub name: &'static str,
    /// What one of its units is in the topic key's: 3,600,000 for hours in milliseconds.
    pub scale: i64,
}

const fn same(name: &'static str) -> Synonym {
    Synonym { name, scale: 1 }
}

/// A key that each topic may set for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicKey {
    /// The key. Its default is what its last synonym defaults to, in its own unit.
    pub key: Key,
    /// Broker keys that it falls back to; the first that is set counts.
    pub synonyms: &'static [Synonym],
}

const fn topic(key: Key, synonyms: &'static [Synonym]) -> TopicKey {
    TopicKey { key, synonyms }
}

/// A key that each group may set for itself, between two of the broker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupKey {
    /// The key.
    pub key: Key,
    /// The broker key that it falls back to.
    pub synonym: &'static str,
    /// The broker key that says the least value.
    pub min: &'static str,
    /// The broker key that says the greatest value.
    pub max: &'static str,
}

/// The broker's keys, sorted by name.
#[rustfmt::skip]
pub static BROKER_KEYS: &[Key] = &[
    key("advertised.listeners", List, None, Plain, Any,
        "What clients are told to connect to, NAME://host:port for each listener; the listeners themselves when unset."),
    key("auto.create.topics.enable", Boolean, Some("true"), Plain, Any,
        "Create a topic when a client asks for its metadata and allows it."),
    key("batch.validation", String, Some("header"), Plain, BATCH_VALIDATIONS,
        "How far compressed batches are checked: header and CRC, or (full) every record in them too. Uncompressed ones always are."),
    key("broker.rack", String, None, Plain, Any,
        "The rack that the broker stands in, told to clients."),
    key("compression.type", String, Some("producer"), Plain, COMPRESSION_TYPES,
        "The codec that batches are kept in; one that comes in another is compressed again, which costs the broker CPU time."),
    key("connections.max.idle.ms", Long, Some("600000"), Milliseconds, AtLeast(1),
        "A connection on which nothing has been asked for this long is closed."),
    key("cores", Int, None, Count, Between(1, 1024),
        "How many cores work, one pinned thread each; all that the process may use when unset."),
    key("data.dir", String, Some("partita-data"), Plain, Any,
        "The folder that holds everything; Kafka's log.dirs."),
    key("default.replication.factor", Int, Some("1"), Count, Only(1),
        "Replicas of a topic whose creator leaves it to the broker."),
    key("fetch.max.bytes", Int, Some("57671680"), Bytes, AtLeast(1024),
        "The most that one fetch answers with; a single larger batch still goes out whole."),
    key("group.consumer.assignors", List, Some("uniform,range"), Plain, ASSIGNORS,
        "The assignors that members of groups of the new protocol may ask for; the first where they ask for none."),
    key("group.consumer.heartbeat.interval.ms", Int, Some("5000"), Milliseconds, AtLeast(1),
        "Default of consumer.heartbeat.interval.ms: how often members of groups of the new protocol are told to send heartbeats."),
    key("group.consumer.max.heartbeat.interval.ms", Int, Some("15000"), Milliseconds, AtLeast(1),
        "The most that consumer.heartbeat.interval.ms of a group may be."),
    key("group.consumer.max.session.timeout.ms", Int, Some("60000"), Milliseconds, AtLeast(1),
        "The most that consumer.session.timeout.ms of a group may be."),
    key("group.consumer.max.size", Int, Some(INT_MAX), Count, AtLeast(1),
        "Most members of a group of the new protocol."),
    key("group.consumer.migration.policy", String, Some("bidirectional"), Plain, MIGRATION_POLICIES,
        "Which ways a group with members may go: from the classic protocol to the new one, back, both or neither."),
    key("group.consumer.min.heartbeat.interval.ms", Int, Some("5000"), Milliseconds, AtLeast(1),
        "The least that consumer.heartbeat.interval.ms of a group may be."),
    key("group.consumer.min.session.timeout.ms", Int, Some("45000"), Milliseconds, AtLeast(1),
        "The least that consumer.session.timeout.ms of a group may be."),
    key("group.consumer.session.timeout.ms", Int, Some("45000"), Milliseconds, AtLeast(1),
        "Default of consumer.session.timeout.ms: how long a member of a group of the new protocol may be silent."),
    key("group.disconnect.grace.ms", Int, Some("3000"), Milliseconds, AtLeast(-1),
        "How long a group member whose connection is lost may be late with its next heartbeat before it is out; -1 waits for its session timeout, as Kafka does. Not for static members. Partita's own."),
    key("group.initial.rebalance.delay.ms", Int, Some("3000"), Milliseconds, AtLeast(0),
        "How long an empty group waits for more members before its first rebalance."),
    key("group.max.session.timeout.ms", Int, Some("1800000"), Milliseconds, AtLeast(1),
        "The longest session timeout that a group member may ask for."),
    key("group.max.size", Int, Some(INT_MAX), Count, AtLeast(1),
        "The most members that a group may have."),
    key("group.min.session.timeout.ms", Int, Some("6000"), Milliseconds, AtLeast(1),
        "The shortest session timeout that a group member may ask for."),
    key("journal.bytes.max", Long, Some("1073741824"), Bytes, AtLeast(64 << 20),
        "How large each core's journal may grow; producers are held back when it is full."),
    key("journal.dir", String, None, Plain, Any,
        "The folder of the journals, best on a device of its own; <data.dir>/journal when unset."),
    key("listeners", List, Some("PLAINTEXT://localhost:9092"), Plain, Any,
        "Where to listen, [NAME://]host:port each; a host name stands for all of its addresses. Kafka's default is all interfaces."),
    key("log.cleaner.backoff.ms", Long, Some("15000"), Milliseconds, AtLeast(0),
        "How long compaction sleeps when no log is due to be cleaned."),
    key("log.cleaner.dedupe.buffer.size", Long, Some("134217728"), Bytes, AtLeast(1 << 20),
        "Memory of all cores together for the keys of a log that is being cleaned; a log with more keys is cleaned in steps."),
    key("log.cleaner.delete.retention.ms", Long, Some("86400000"), Milliseconds, AtLeast(0),
        "Default of delete.retention.ms."),
    key("log.cleaner.enable", Boolean, Some("true"), Plain, Any,
        "Compact the topics whose cleanup.policy has compact."),
    key("log.cleaner.max.compaction.lag.ms", Long, Some(LONG_MAX), Milliseconds, AtLeast(1),
        "Default of max.compaction.lag.ms."),
    key("log.cleaner.min.cleanable.ratio", Double, Some("0.5"), Plain, Between(0, 1),
        "Default of min.cleanable.dirty.ratio."),
    key("log.cleaner.min.compaction.lag.ms", Long, Some("0"), Milliseconds, AtLeast(0),
        "Default of min.compaction.lag.ms."),
    key("log.cleanup.policy", List, Some("delete"), Plain, CLEANUP_POLICIES,
        "Default of cleanup.policy."),
    key("log.flush.interval.messages", Long, Some("1"), Count, AtLeast(1),
        "Default of flush.messages; Kafka's is never to flush."),
    key("log.flush.interval.ms", Long, Some(LONG_MAX), Milliseconds, AtLeast(0),
        "Default of flush.ms."),
    key("log.index.interval.bytes", Int, Some("4096"), Bytes, AtLeast(0),
        "Default of index.interval.bytes."),
    key("log.index.size.max.bytes", Int, Some("10485760"), Bytes, AtLeast(4),
        "Default of segment.index.bytes."),
    key("log.message.timestamp.after.max.ms", Long, Some("3600000"), Milliseconds, AtLeast(0),
        "Default of message.timestamp.after.max.ms."),
    key("log.message.timestamp.before.max.ms", Long, Some(LONG_MAX), Milliseconds, AtLeast(0),
        "Default of message.timestamp.before.max.ms."),
    key("log.message.timestamp.type", String, Some("CreateTime"), Plain, TIMESTAMP_TYPES,
        "Default of message.timestamp.type."),
    key("log.preallocate", Boolean, Some("false"), Plain, Any,
        "Default of preallocate."),
    key("log.retention.bytes", Long, Some("-1"), Bytes, AtLeast(-1),
        "Default of retention.bytes."),
    key("log.retention.check.interval.ms", Long, Some("300000"), Milliseconds, AtLeast(1),
        "How often segments are checked for deletion."),
    key("log.retention.hours", Int, Some("168"), Hours, AtLeast(-1),
        "Default of retention.ms, when neither log.retention.ms nor log.retention.minutes is set."),
    key("log.retention.minutes", Int, None, Minutes, AtLeast(-1),
        "Default of retention.ms, when log.retention.ms is not set."),
    key("log.retention.ms", Long, None, Milliseconds, AtLeast(-1),
        "Default of retention.ms."),
    key("log.roll.hours", Int, Some("168"), Hours, AtLeast(1),
        "Default of segment.ms, when log.roll.ms is not set."),
    key("log.roll.jitter.hours", Int, Some("0"), Hours, AtLeast(0),
        "Default of segment.jitter.ms, when log.roll.jitter.ms is not set."),
    key("log.roll.jitter.ms", Long, None, Milliseconds, AtLeast(0),
        "Default of segment.jitter.ms."),
    key("log.roll.ms", Long, None, Milliseconds, AtLeast(1),
        "Default of segment.ms."),
    key("log.scrub.bytes.per.second", Long, Some("8388608"), Bytes, AtLeast(0),
        "How much of closed segments all cores together read in a second, at most, to find what the disk has damaged before a reader meets it; 0 turns it off. Partita's own."),
    key("log.scrub.interval.ms", Long, Some("604800000"), Milliseconds, AtLeast(100),
        "Time from the beginning of one pass over all closed segments to that of the next. Partita's own."),
    key("log.segment.bytes", Int, Some("1073741824"), Bytes, AtLeast(SEGMENT_BYTES_MIN),
        "Default of segment.bytes."),
    key("log.segment.delete.delay.ms", Long, Some("60000"), Milliseconds, AtLeast(0),
        "Default of file.delete.delay.ms."),
    key("max.connections", Int, Some(INT_MAX), Count, AtLeast(1),
        "The most connections that the broker holds; further ones are closed at once."),
    key("message.max.bytes", Int, Some("1048588"), Bytes, AtLeast(0),
        "Default of max.message.bytes."),
    key("metrics.groups.max", Int, Some("1000"), Count, AtLeast(0),
        "How many groups /metrics shows one by one, with each partition's lag; of the others only their number. Partita's own."),
    key("metrics.listen", String, Some("127.0.0.1:0"), Plain, Any,
        "host:port of the HTTP listener that answers /metrics and /healthz; with port 0 the kernel chooses one, empty turns it off."),
    key("min.insync.replicas", Int, Some("1"), Count, AtLeast(1),
        "Default of the topics' min.insync.replicas."),
    key("node.id", Int, Some("1"), Plain, AtLeast(0),
        "The broker's id in its cluster; fixed once the data folder is in use."),
    key("num.partitions", Int, Some("1"), Count, Between(1, PARTITIONS_MAX),
        "Partitions of a topic whose creator leaves it to the broker."),
    key("offset.metadata.max.bytes", Int, Some("4096"), Bytes, AtLeast(0),
        "The longest text that may go with a committed offset."),
    key("offsets.retention.check.interval.ms", Long, Some("600000"), Milliseconds, AtLeast(1),
        "How often committed offsets are checked for expiry."),
    key("offsets.retention.minutes", Int, Some("10080"), Minutes, AtLeast(1),
        "How long the committed offsets of an empty group are kept."),
    key("offsets.topic.num.partitions", Int, Some("50"), Count, Between(1, PARTITIONS_MAX),
        "Partitions of __consumer_offsets, when it is created."),
    key("offsets.topic.replication.factor", Int, Some("1"), Count, Only(1),
        "Replicas of __consumer_offsets; Kafka's default is 3."),
    key("offsets.topic.segment.bytes", Int, Some("4194304"), Bytes, AtLeast(SEGMENT_BYTES_MIN),
        "segment.bytes of __consumer_offsets, when it is created. Only closed segments are compacted and a start reads them all, so the default is small; Kafka's is 104857600."),
    key("producer.id.expiration.ms", Int, Some("86400000"), Milliseconds, AtLeast(1),
        "How long a producer's sequence numbers are remembered after its last batch."),
    key("queued.max.request.bytes", Long, Some("134217728"), Bytes, AtLeast(1 << 20),
        "Bytes of requests that the cores together hold at most; connections are not read beyond it. Kafka's default is no limit."),
    key("socket.request.max.bytes", Int, Some("104857600"), Bytes, AtLeast(1024),
        "The largest request; a connection that announces a larger one is closed."),
    key("tail.bytes.max", Long, Some("134217728"), Bytes, AtLeast(16 << 20),
        "Memory of each core for the newest records, which consumers are served from."),
    key("unclean.leader.election.enable", Boolean, Some("false"), Plain, Any,
        "Default of the topics' unclean.leader.election.enable."),
];

/// The topics' keys, sorted by name.
#[rustfmt::skip]
pub static TOPIC_KEYS: &[TopicKey] = &[
    topic(key("cleanup.policy", List, Some("delete"), Plain, CLEANUP_POLICIES,
        "What becomes of old records: deleted by retention.ms and retention.bytes, compacted to the newest of each key, or both; kept \
         for ever when the list is empty."),
        &[same("log.cleanup.policy")]),
    topic(key("compression.type", String, Some("producer"), Plain, COMPRESSION_TYPES,
        "The codec that batches are kept in; one that comes in another is compressed again, which costs the broker CPU time."),
        &[same("compression.type")]),
    topic(key("delete.retention.ms", Long, Some("86400000"), Milliseconds, AtLeast(0),
        "How long the tombstone of a key stays after a cleaning has met it, so that every consumer sees it."),
        &[same("log.cleaner.delete.retention.ms")]),
    topic(key("file.delete.delay.ms", Long, Some("60000"), Milliseconds, AtLeast(0),
        "In Kafka, how long a deleted file stays for those who still read it; here files go at once, and their readers read on."),
        &[same("log.segment.delete.delay.ms")]),
    topic(key("flush.messages", Long, Some("1"), Count, AtLeast(1),
        "A flush at the latest after so many records. Always kept: Partita flushes before each acknowledgement. Kafka's default is \
         never."),
        &[same("log.flush.interval.messages")]),
    topic(key("flush.ms", Long, Some(LONG_MAX), Milliseconds, AtLeast(0),
        "A flush at the latest after so long. Always kept: Partita flushes before each acknowledgement."),
        &[same("log.flush.interval.ms")]),
    topic(key("index.interval.bytes", Int, Some("4096"), Bytes, AtLeast(0),
        "An index entry is made about every so many bytes."),
        &[same("log.index.interval.bytes")]),
    topic(key("max.compaction.lag.ms", Long, Some(LONG_MAX), Milliseconds, AtLeast(1),
        "How long a record waits for compaction at most; segments are closed in time for it."),
        &[same("log.cleaner.max.compaction.lag.ms")]),
    topic(key("max.message.bytes", Int, Some("1048588"), Bytes, AtLeast(0),
        "The largest batch that is accepted, as compressed."),
        &[same("message.max.bytes")]),
    topic(key("message.timestamp.after.max.ms", Long, Some("3600000"), Milliseconds, AtLeast(0),
        "How far a record's timestamp may lie ahead of the broker's clock; not for LogAppendTime."),
        &[same("log.message.timestamp.after.max.ms")]),
    topic(key("message.timestamp.before.max.ms", Long, Some(LONG_MAX), Milliseconds, AtLeast(0),
        "How far a record's timestamp may lie behind the broker's clock; not for LogAppendTime."),
        &[same("log.message.timestamp.before.max.ms")]),
    topic(key("message.timestamp.type", String, Some("CreateTime"), Plain, TIMESTAMP_TYPES,
        "Whether records bear the producer's time or that of their arrival."),
        &[same("log.message.timestamp.type")]),
    topic(key("min.cleanable.dirty.ratio", Double, Some("0.5"), Plain, Between(0, 1),
        "The share of a log that no cleaning has been over, from which on it is compacted."),
        &[same("log.cleaner.min.cleanable.ratio")]),
    topic(key("min.compaction.lag.ms", Long, Some("0"), Milliseconds, AtLeast(0),
        "How long a record stays even when a newer one of its key has come."),
        &[same("log.cleaner.min.compaction.lag.ms")]),
    topic(key("min.insync.replicas", Int, Some("1"), Count, AtLeast(1),
        "How many replicas must hold a record before acks=all is answered; never more than the topic has."),
        &[same("min.insync.replicas")]),
    topic(key("preallocate", Boolean, Some("false"), Plain, Any,
        "In Kafka, whether a segment's space is taken when it begins; here it is taken ahead in growing steps, whatever is set."),
        &[same("log.preallocate")]),
    topic(key("retention.bytes", Long, Some("-1"), Bytes, AtLeast(-1),
        "The oldest segments of a partition are deleted while it is larger than this; −1 for no limit."),
        &[same("log.retention.bytes")]),
    topic(key("retention.ms", Long, Some("604800000"), Milliseconds, AtLeast(-1),
        "A segment is deleted when its newest record is older than this; −1 for no limit."),
        &[
            same("log.retention.ms"),
            Synonym { name: "log.retention.minutes", scale: 60_000 },
            Synonym { name: "log.retention.hours", scale: 3_600_000 },
        ]),
    topic(key("segment.bytes", Int, Some("1073741824"), Bytes, AtLeast(SEGMENT_BYTES_MIN),
        "A new segment begins when the last would be larger than this."),
        &[same("log.segment.bytes")]),
    topic(key("segment.index.bytes", Int, Some("10485760"), Bytes, AtLeast(4),
        "A new segment begins when the last one's offset index would be larger than this."),
        &[same("log.index.size.max.bytes")]),
    topic(key("segment.jitter.ms", Long, Some("0"), Milliseconds, AtLeast(0),
        "The most that a segment may close before segment.ms. Partita never closes one early, which is within any bound."),
        &[same("log.roll.jitter.ms"), Synonym { name: "log.roll.jitter.hours", scale: 3_600_000 }]),
    topic(key("segment.ms", Long, Some("604800000"), Milliseconds, AtLeast(1),
        "A new segment begins when the last is older than this."),
        &[same("log.roll.ms"), Synonym { name: "log.roll.hours", scale: 3_600_000 }]),
    topic(key("unclean.leader.election.enable", Boolean, Some("false"), Plain, Any,
        "Whether a replica out of sync may lead when no other can; a partition's only replica is never out of sync."),
        &[same("unclean.leader.election.enable")]),
];

/// The groups' keys, sorted by name.
#[rustfmt::skip]
pub static GROUP_KEYS: &[GroupKey] = &[
    GroupKey {
        key: key("consumer.heartbeat.interval.ms", Int, Some("5000"), Milliseconds, AtLeast(1),
            "How often members of the group are told to send heartbeats, in the new protocol."),
        synonym: "group.consumer.heartbeat.interval.ms",
        min: "group.consumer.min.heartbeat.interval.ms",
        max: "group.consumer.max.heartbeat.interval.ms",
    },
    GroupKey {
        key: key("consumer.session.timeout.ms", Int, Some("45000"), Milliseconds, AtLeast(1),
            "How long a member of the group may be silent, in the new protocol."),
        synonym: "group.consumer.session.timeout.ms",
        min: "group.consumer.min.session.timeout.ms",
        max: "group.consumer.max.session.timeout.ms",
    },
];

/// Group keys of Kafka's that have no effect here, so that they are refused by name.
pub static UNSUPPORTED_GROUP_KEYS: &[&str] = &[
    "consumer.assignment.interval.ms",
    "consumer.assignor.offload.enable",
    "share.assignment.interval.ms",
    "share.assignor.offload.enable",
    "share.auto.offset.reset",
    "share.delivery.count.limit",
    "share.heartbeat.interval.ms",
    "share.isolation.level",
    "share.partition.max.record.locks",
    "share.record.lock.duration.ms",
    "share.renew.acknowledge.enable",
    "share.session.timeout.ms",
    "streams.assignment.interval.ms",
    "streams.assignor.offload.enable",
    "streams.heartbeat.interval.ms",
    "streams.initial.rebalance.delay.ms",
    "streams.num.standby.replicas",
    "streams.session.timeout.ms",
];

/// Topic keys of Kafka's that have no effect here, so that they are refused by name.
pub static UNSUPPORTED_TOPIC_KEYS: &[&str] = &[
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "follower.replication.throttled.replicas",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "remote.log.copy.disable",
    "remote.log.delete.on.disable",
    "remote.storage.enable",
];

/// What people may write, and what the key is called here.
pub static OTHER_NAMES: &[(&str, &str)] = &[
    ("advertise", "advertised.listeners"),
    ("broker.id", "node.id"),
    ("data-dir", "data.dir"),
    ("listen", "listeners"),
    ("log.dir", "data.dir"),
    ("log.dirs", "data.dir"),
];

/// The broker's key of that name.
pub fn broker_key(name: &str) -> Option<&'static Key> {
    BROKER_KEYS.binary_search_by_key(&name, |key| key.name).ok().map(|index| &BROKER_KEYS[index])
}

/// The topics' key of that name.
pub fn topic_key(name: &str) -> Option<&'static TopicKey> {
    TOPIC_KEYS.binary_search_by_key(&name, |key| key.key.name).ok().map(|index| &TOPIC_KEYS[index])
}

/// The groups' key of that name.
pub fn group_key(name: &str) -> Option<&'static GroupKey> {
    GROUP_KEYS.binary_search_by_key(&name, |key| key.key.name).ok().map(|index| &GROUP_KEYS[index])
}

/// Whether a broker key may be changed while the broker runs: those that topics fall back to in their own unit, as in
/// Kafka (log.retention.hours may not).
pub fn is_dynamic(name: &str) -> bool {
    TOPIC_KEYS.iter().flat_map(|topic| topic.synonyms).any(|synonym| synonym.name == name && synonym.scale == 1)
}

/// The broker key that somebody meant, if one is near enough.
pub fn nearest_broker_key(name: &str) -> Option<&'static str> {
    if let Some((_, here)) = OTHER_NAMES.iter().find(|(other, _)| *other == name) {
        return Some(here);
    }
    if let Some(topic) = topic_key(name) {
        return topic.synonyms.first().map(|synonym| synonym.name);
    }
    nearest(name, BROKER_KEYS.iter().map(|key| key.name))
}

/// A similarity below which a suggestion would be a guess (Jaro–Winkler, 0 to 1).
const SIMILARITY_MIN: f64 = 0.9;

fn nearest(name: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    names
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
