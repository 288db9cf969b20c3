//! How a broker comes up: the first core recovers the disk and learns what there is; then every core opens its share.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use broker::catalog::{CLUSTER_METADATA_TOPIC, Catalog, Endpoint, OFFSETS_TOPIC};
use broker::config::{BrokerConfig, ConfigMap, TopicConfig};
use broker::controller::{Controller, Identity};
use broker::partition::PartitionStart;
use bytes::Bytes;
use engine::disk::{Disk, block_floor};
use engine::error::EngineError;
use engine::log::{CompactionConfig, Log, LogConfig, Read};
use engine::recovery::{RecoveredLog, Recovery, RecoveryError};
use engine::scrub::ScrubConfig;
use engine::store::{Store, StoreConfig};
use thiserror::Error;
use wire::TopicPartitionId;
use wire::batch::batches;
use wire::codec::Records;

use crate::config::Limits;
use crate::core::{Core, State};
use crate::world::{CoreId, World};
use crate::{identity, tasks};

/// Bytes of a log that are read at a time while a core opens.
const LOAD_BYTES: usize = 16 << 20;

/// Why a broker does not come up. Each code has a page, `docs/errors/<code>.md`.
#[derive(Clone, Debug, Error)]
pub enum StartError {
    /// The folder is not this node's, or not this release's.
    #[error("P0301: {path}: {reason}", path = path.display())]
    Identity {
        /// `meta.properties`.
        path: PathBuf,
        /// What does not fit, and what to do.
        reason: String,
    },
    /// What is on disk cannot be trusted.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The disk refused.
    #[error("P0306: {0}")]
    Engine(#[from] EngineError),
    /// The metadata log holds what this release does not understand.
    #[error("P0302: the metadata log cannot be replayed: {0}")]
    Metadata(String),
    /// A partition's folder has gone, and its records with it.
    #[error(
        "P0303: partition {partition} of the topic with id {topic} has no folder in {data_dir}, but its journal has records of it: they \
         would be lost. Restore the folder, or move the journal away after copying the data folder",
        data_dir = data_dir.display()
    )]
    FolderMissing {
        /// The topic's id.
        topic: wire::Uuid,
        /// The partition.
        partition: i32,
        /// Where its folder is looked for.
        data_dir: PathBuf,
    },
    /// There are partitions, but nothing that says which topics there are: all would pass for deleted ones.
    #[error(
        "P0307: {data_dir} has partitions ({orphan}), but no metadata log that knows them: they would be removed. Restore the \
         folder __cluster_metadata-0, or give the broker another data folder",
        data_dir = data_dir.display(), orphan = orphan.display()
    )]
    MetadataMissing {
        /// The data folder.
        data_dir: PathBuf,
        /// A partition's folder.
        orphan: PathBuf,
    },
    /// A log of groups holds what this release does not understand.
    #[error("P0304: the groups cannot be loaded: {0}")]
    Groups(String),
    /// The broker could not register in its own catalog.
    #[error("P0305: the broker could not register: {0}. Is there space left on the device of the data folder?")]
    Register(wire::ErrorCode),
}

/// What every core begins with.
#[derive(Clone)]
pub struct Boot {
    /// The broker's settings.
    pub config: Arc<BrokerConfig>,
    /// Who this node is.
    pub identity: Identity,
    /// All topics, and where their partitions are placed.
    pub catalog: Arc<Catalog>,
    /// What recovery has found.
    pub recovery: Arc<Recovery>,
    /// The bounds of each core's store. The salt is made anew for every core.
    pub store: StoreConfig,
    /// The metadata log.
    metadata: Arc<[Bytes]>,
}

/// Recovers the disk, whatever the number of cores was, and reads the catalog. To be done once, before any core is opened.
pub async fn boot<W: World>(
    world: &W,
    cores: u16,
    config: Arc<BrokerConfig>,
    endpoints: Vec<Endpoint>,
) -> Result<Boot, StartError> {
    let data_dir = PathBuf::from(&config.data_dir);
    let disk = world.disk();
    disk.create_dir(&data_dir).await.map_err(EngineError::disk(&data_dir))?;
    let owner = identity::establish(disk, &data_dir, config.node_id, || world.random()).await?;
    let identity = Identity { cluster_id: owner.cluster_id.into(), directory_id: owner.directory_id, endpoints };
    let recovery = engine::recovery::recover(disk, &data_dir, &journal_dir(&config)).await?;
    tracing::info!(data_dir = %data_dir.display(), "recovered: {}", recovery.report);
    let metadata: Arc<[Bytes]> = read_metadata(disk, &data_dir, &recovery).await?.into();
    let mut others = recovery.logs.iter().filter(|log| log.key != TopicPartitionId::CLUSTER_METADATA);
    if let Some(orphan) = others.next().filter(|_| metadata.is_empty()) {
        return Err(StartError::MetadataMissing { data_dir, orphan: orphan.dir.clone() });
    }
    let mut controller = Controller::new(identity.clone(), config.clone(), cores);
    load_metadata(&mut controller, &metadata)?;
    let catalog = controller.catalog().clone();
    if let Some(key) = recovery.missing.iter().find(|&&key| catalog.image.partition(key).is_some()) {
        return Err(StartError::FolderMissing { topic: key.topic, partition: key.partition, data_dir });
    }
    let store = store_config(&config, cores);
    Ok(Boot { config, identity, catalog, recovery: Arc::new(recovery), store, metadata })
}

/// Opens a core's share of the logs and starts its tasks. [`Core::register`] is to follow on the first core.
pub async fn open<W: World>(world: W, id: CoreId, cores: u16, boot: Boot) -> Result<Rc<Core<W>>, StartError> {
    let config = boot.config.clone();
    let data_dir = PathBuf::from(&config.data_dir);
    let store_config = StoreConfig { salt: world.random() as u64, ..boot.store.clone() };
    let store = Store::open(world.disk().clone(), store_config, id.0, Vec::new()).await?;
    let mut state = State::new(store, &boot.catalog);
    let mut opening = Opening { world: &world, boot: &boot, state: &mut state, data_dir: &data_dir };
    if id == CoreId::FIRST {
        opening.open_metadata(cores).await?;
        opening.delete_strays().await;
    }
    opening.open_partitions(id).await?;
    let core = Core::new(world, (id, cores), data_dir, boot.catalog, Limits::new(&config, cores), state);
    tasks::spawn(&core);
    core.pump();
    Ok(core)
}

/// One core, coming up.
struct Opening<'a, W: World> {
    world: &'a W,
    boot: &'a Boot,
    state: &'a mut State<W>,
    data_dir: &'a Path,
}

impl<W: World> Opening<'_, W> {
    /// The metadata log and its controller.
    async fn open_metadata(&mut self, cores: u16) -> Result<(), StartError> {
        let key = TopicPartitionId::CLUSTER_METADATA;
        let log = match self.recovered(key) {
            Some(found) => open_metadata_log(self.world.disk(), self.data_dir, found).await?,
            None => {
                let (disk, config) = (self.world.disk(), metadata_log_config());
                Log::create(disk, self.data_dir, CLUSTER_METADATA_TOPIC, key, config).await?
            }
        };
        let mut controller = Controller::new(self.boot.identity.clone(), self.boot.config.clone(), cores);
        load_metadata(&mut controller, &self.boot.metadata)?;
        let start = PartitionStart {
            // The epoch that the controller begins when it starts.
            leader_epoch: controller.catalog().image.leader_epoch() + 1,
            log_start: log.log_start(),
            log_end: log.log_end(),
            replication_factor: 1,
            config: Arc::new(self.boot.catalog.with_layers(&ConfigMap::new(), TopicConfig::resolve)),
        };
        self.state.partitions.open(key, start);
        self.state.store.insert(log);
        self.state.controller = Some(controller);
        Ok(())
    }

    /// The partitions that are placed on this core. One whose log was not made before a crash is made now.
    async fn open_partitions(&mut self, id: CoreId) -> Result<(), StartError> {
        let catalog = self.boot.catalog.clone();
        for topic in catalog.image.topics() {
            let config = catalog.topic_config(topic.id).expect("a topic has a configuration");
            for partition in 0..topic.partitions.len() as i32 {
                let key = TopicPartitionId { topic: topic.id, partition };
                if catalog.core_of(key) != Some(id.0) {
                    continue;
                }
                let (disk, log_config) = (self.world.disk(), log_config(config));
                let mut log = match self.recovered(key) {
                    Some(found) => Log::open(disk, self.data_dir, &topic.name, key, log_config, found.trusted).await?,
                    None => Log::create(disk, self.data_dir, &topic.name, key, log_config).await?,
                };
                self.state.partitions.open(key, partition_start(&log, &catalog, key));
                self.load_producers(&mut log).await?;
                if &*topic.name == OFFSETS_TOPIC {
                    self.load_groups(&log).await?;
                }
                self.state.store.insert(log);
            }
        }
        Ok(())
    }

    /// What the producers of a partition have written, by the newest snapshot and the batches since: those too that are
    /// deleted and still there, for a producer may send them again.
    async fn load_producers(&mut self, log: &mut Log<W::Disk>) -> Result<(), StartError> {
        let (key, now_ms) = (log.key(), self.world.now_ms());
        let partitions = &mut self.state.partitions;
        if let Some((_, entries)) = log.producer_snapshot() {
            partitions.load_producers(now_ms, key, entries);
        }
        let from = log.producers_from();
        read_log(log, from, Damage::Skipped, |bytes| {
            for batch in batches(bytes).flatten() {
                partitions.replay_batch(now_ms, key, &batch.header);
            }
            Ok(())
        })
        .await?;
        if log.wants_producer_snapshot() {
            let (offset, producers) = partitions.producer_snapshot(key);
            log.set_producer_snapshot(offset, producers);
        }
        Ok(())
    }

    /// The groups whose records are in a partition of the offsets topic.
    async fn load_groups(&mut self, log: &Log<W::Disk>) -> Result<(), StartError> {
        let (partition, now_ms) = (log.key().partition, self.world.now_ms());
        let groups = &mut self.state.groups;
        read_log(log, log.log_start(), Damage::Refused, |bytes| {
            groups.load(partition, bytes).map_err(|error| StartError::Groups(error.to_string()))
        })
        .await?;
        groups.loaded(partition, now_ms);
        Ok(())
    }

    /// Folders of partitions that the catalog no longer has: a crash came between a topic's deletion and its files'.
    async fn delete_strays(&mut self) {
        let image = &self.boot.catalog.image;
        for found in &self.boot.recovery.logs {
            if found.key == TopicPartitionId::CLUSTER_METADATA || image.partition(found.key).is_some() {
                continue;
            }
            let (disk, config) = (self.world.disk(), LogConfig::default());
            let opened = Log::open(disk, self.data_dir, &found.topic, found.key, config, found.trusted).await;
            let deleted = match opened {
                Ok(log) => log.delete(self.world.random()).await,
                Err(error) => Err(error),
            };
            match deleted {
                Ok(()) => tracing::info!(dir = %found.dir.display(), "removed a deleted topic's partition"),
                Err(error) => tracing::warn!(%error, "a deleted topic's partition is left over"),
            }
        }
    }

    fn recovered(&self, key: TopicPartitionId) -> Option<&RecoveredLog> {
        self.boot.recovery.logs.iter().find(|found| found.key == key)
    }
}

pub(crate) async fn read_metadata<D: Disk>(
    disk: &D,
    data_dir: &Path,
    recovery: &Recovery,
) -> Result<Vec<Bytes>, StartError> {
    let Some(found) = recovery.logs.iter().find(|found| found.key == TopicPartitionId::CLUSTER_METADATA) else {
        return Ok(Vec::new());
    };
    let log = open_metadata_log(disk, data_dir, found).await?;
    let mut metadata = Vec::new();
    read_log(&log, log.log_start(), Damage::Refused, |bytes| {
        metadata.push(Bytes::copy_from_slice(bytes));
        Ok(())
    })
    .await?;
    Ok(metadata)
}

async fn open_metadata_log<D: Disk>(disk: &D, data_dir: &Path, found: &RecoveredLog) -> Result<Log<D>, EngineError> {
    Log::open(disk, data_dir, CLUSTER_METADATA_TOPIC, found.key, metadata_log_config(), found.trusted).await
}

fn load_metadata(controller: &mut Controller, metadata: &[Bytes]) -> Result<(), StartError> {
    for batches in metadata {
        controller.load(batches).map_err(|error| StartError::Metadata(error.to_string()))?;
    }
    Ok(())
}

/// What a start makes of a closed segment that the device has damaged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// It cannot do without what is damaged.
    Refused,
    /// It goes on behind it: readers are refused what is damaged, and nothing else is.
    Skipped,
}

/// Hands a log's batches from an offset on to `take`, whole batches at a time.
pub(crate) async fn read_log<D: Disk>(
    log: &Log<D>,
    from: i64,
    damage: Damage,
    mut take: impl FnMut(&[u8]) -> Result<(), StartError>,
) -> Result<(), StartError> {
    let mut offset = from;
    while offset < log.log_end() {
        let read = log.read_left(offset, LOAD_BYTES);
        let chunks = match read.expect("the offset lies in the log") {
            Read::Ready(chunks) => chunks,
            Read::Job(job) => match job.perform().await {
                Err(EngineError::Rotten { path, rotten }) if damage == Damage::Skipped => {
                    tracing::warn!(path = %path.display(), offsets = ?rotten.offsets, "skipped what is damaged");
                    offset = rotten.offsets.end;
                    continue;
                }
                read => read?,
            },
        };
        let bytes = Records::new(chunks).into_bytes();
        // Compaction may have left nothing up to the log's end.
        let Some(last) = batches(&bytes).flatten().last() else { break };
        offset = last.header.last_offset() + 1;
        take(&bytes)?;
    }
    Ok(())
}

/// Records of the metadata log stay: the catalog is built from all of them.
fn metadata_log_config() -> LogConfig {
    LogConfig { retention_bytes: None, retention_ms: None, cleanup_delete: false, ..LogConfig::default() }
}

/// A topic's settings, as far as its logs care.
pub(crate) fn log_config(config: &TopicConfig) -> LogConfig {
    LogConfig {
        segment_bytes: config.segment_bytes,
        segment_ms: config.segment_ms,
        segment_index_bytes: config.segment_index_bytes,
        index_interval_bytes: config.index_interval_bytes,
        retention_bytes: config.retention_bytes,
        retention_ms: config.retention_ms,
        cleanup_delete: config.cleanup_policy.delete,
        compaction: config.cleanup_policy.compact.then_some(CompactionConfig {
            delete_retention_ms: config.delete_retention_ms,
            min_lag_ms: config.min_compaction_lag_ms,
            max_lag_ms: config.max_compaction_lag_ms,
            min_dirty_ratio: config.min_cleanable_dirty_ratio,
        }),
    }
}

/// What is known of a partition whose log is open.
pub(crate) fn partition_start<D: Disk>(log: &Log<D>, catalog: &Catalog, key: TopicPartitionId) -> PartitionStart {
    let partition = catalog.image.partition(key).expect("the catalog has the partition");
    PartitionStart {
        leader_epoch: partition.leader_epoch,
        log_start: log.log_start(),
        log_end: log.log_end(),
        replication_factor: partition.replicas.len() as i32,
        config: catalog.topic_config(key.topic).expect("a topic has a configuration").clone(),
    }
}

/// What the store of each core is made with.
fn store_config(config: &BrokerConfig, cores: u16) -> StoreConfig {
    let mut store = StoreConfig::new(PathBuf::from(&config.data_dir), 0);
    store.journal_dir = journal_dir(config);
    store.memory_bytes_max = config.tail_bytes_max;
    store.scrub = ScrubConfig {
        bytes_per_second: config.log_scrub_bytes_per_second.div_ceil(u64::from(cores)),
        interval_ms: config.log_scrub_interval_ms,
    };
    let journal = &mut store.journal;
    journal.total_bytes_max = config.journal_bytes_max;
    // There has to be room for the first file and two of full size.
    let file_bytes_max = (journal.total_bytes_max - journal.first_file_bytes) / 2;
    journal.file_bytes_max = journal.file_bytes_max.min(block_floor(file_bytes_max));
    // One batch is filed while the next one comes in.
    store.batch_bytes_max =
        store.batch_bytes_max.min(journal.file_bytes_max as usize / 2).min(store.memory_bytes_max / 2);
    store
}

/// Where the journals are: `journal.dir`, or within the data folder.
fn journal_dir(config: &BrokerConfig) -> PathBuf {
    match &config.journal_dir {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(&config.data_dir).join("journal"),
    }
}
