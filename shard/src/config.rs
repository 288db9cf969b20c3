//! The limits of one core, out of the broker's configuration.

use broker::config::BrokerConfig;

/// What one core may use and allow.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest request (`socket.request.max.bytes`).
    pub request_bytes_max: usize,
    /// What all requests of this core may hold at a time (`queued.max.request.bytes`, shared among the cores).
    pub request_memory_bytes: usize,
    /// What all fetch responses of this core may hold at a time: as much as requests may.
    pub fetch_memory_bytes: usize,
    /// The largest fetch response (`fetch.max.bytes`).
    pub fetch_bytes_max: usize,
    /// Connections of this core (`max.connections`, shared among the cores).
    pub connections_max: u64,
    /// How long a connection may send nothing, in ms (`connections.max.idle.ms`).
    pub connection_idle_ms_max: i64,
    /// Whether logs are compacted (`log.cleaner.enable`).
    pub cleaner_enabled: bool,
    /// How long compaction sleeps when no log is due, in ms (`log.cleaner.backoff.ms`).
    pub cleaner_backoff_ms: i64,
    /// Memory for the keys of a log that is being cleaned (`log.cleaner.dedupe.buffer.size`, shared among the cores).
    pub cleaner_map_bytes: usize,
    /// How often retention is applied, in ms (`log.retention.check.interval.ms`).
    pub retention_check_interval_ms: i64,
    /// How many groups are described one by one when their counts are asked for (`metrics.groups.max`).
    pub described_groups_max: usize,
}

impl Limits {
    /// One core's share.
    pub(crate) fn new(config: &BrokerConfig, cores: u16) -> Limits {
        let cores = usize::from(cores);
        let share = config.queued_max_request_bytes / cores;
        Limits {
            request_bytes_max: config.socket_request_max_bytes,
            // A core must be able to hold the largest request, however many cores there are.
            request_memory_bytes: share.max(config.socket_request_max_bytes),
            fetch_memory_bytes: share.max(config.fetch_max_bytes),
            fetch_bytes_max: config.fetch_max_bytes,
            connections_max: config.max_connections.div_ceil(cores) as u64,
            connection_idle_ms_max: config.connections_max_idle_ms,
            cleaner_enabled: config.log_cleaner_enable,
            cleaner_backoff_ms: config.log_cleaner_backoff_ms,
            cleaner_map_bytes: config.log_cleaner_dedupe_buffer_size / cores,
            retention_check_interval_ms: config.log_retention_check_interval_ms,
            described_groups_max: config.metrics_groups_max,
        }
    }
}
