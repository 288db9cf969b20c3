//! The cluster as its metadata log tells it: an image that each record changes.
//!
//! Invariants: a topic's partitions are numbered from 0 without gaps; names and ids are one to one; the settings of a topic go
//! with it. A record that would break them is refused, and with it the log that holds it. Two images made from the same log are
//! equal.
//!
//! Clones share what they have in common, so that each change may have an image of its own.
//!
//! Deviation: a change is one batch here, so that there are no transactions of several batches (KIP-868); their frame is
//! ignored, and an aborted one is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wire::batch::{BatchError, batches, records};
use wire::codec::DecodeError;
use wire::records::metadata::{
    BrokerRegistrationChangeRecord, ConfigRecord, MetadataRecord, PartitionChangeRecord, PartitionRecord,
    RegisterBrokerRecord, TopicRecord,
};
use wire::{TopicPartitionId, Uuid};

use super::names::collision_key;
use crate::config::{ConfigError, ConfigMap, check_broker_value, check_group_value, check_topic_value};

/// The most that the records of one metadata batch may decompress to, in bytes.
const BATCH_OPENED_BYTES_MAX: usize = 64 << 20;

/// What a set of configuration belongs to, as the protocol numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum ResourceType {
    /// A topic, by name.
    Topic = 2,
    /// A broker, by id; all of them by the empty name.
    Broker = 4,
    /// A group, by id.
    Group = 32,
}

impl ResourceType {
    /// The kind with that number, if Partita has settings for it.
    pub fn from_code(code: i8) -> Option<ResourceType> {
        match code {
            2 => Some(ResourceType::Topic),
            4 => Some(ResourceType::Broker),
            32 => Some(ResourceType::Group),
            _ => None,
        }
    }
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its id, never to be used again.
    pub id: Uuid,
    /// Its name.
    pub name: Arc<str>,
    /// Offset of its record in the metadata log, which orders topics by creation.
    pub created_at: i64,
    /// Its partitions, by index.
    pub partitions: Vec<Partition>,
}

/// A partition's replicas and leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Nodes that hold it, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Nodes in sync with the leader.
    pub isr: Vec<i32>,
    /// Its leader, or −1.
    pub leader: i32,
    /// Grows with each leader.
    pub leader_epoch: i32,
    /// Grows with each change.
    pub partition_epoch: i32,
}

/// A registered broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its node id.
    pub id: i32,
    /// Offset of its registration.
    pub epoch: i64,
    /// Which process registered.
    pub incarnation: Uuid,
    /// What clients connect to, by listener.
    pub endpoints: Vec<Endpoint>,
    /// Its rack, if any.
    pub rack: Option<String>,
    /// Whether it may not lead.
    pub fenced: bool,
}

/// Where a broker's listener is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name.
    pub listener: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Broker {
    /// The endpoint of a listener, else the first there is.
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.listener == listener).or_else(|| self.endpoints.first())
    }
}

/// Why a metadata log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The batch is damaged.
    #[error("metadata log, batch after offset {after}: {error}")]
    Batch {
        /// The last good offset.
        after: i64,
        /// What is wrong.
        error: BatchError,
    },
    /// Offsets are missing or out of order.
    #[error("metadata log: offset {found} follows {after}")]
    Gap {
        /// The last offset.
        after: i64,
        /// What follows.
        found: i64,
    },
    /// A record cannot be read.
    #[error("metadata log, offset {offset}: {error}")]
    Record {
        /// Its offset.
        offset: i64,
        /// What is wrong.
        error: DecodeError,
    },
    /// A record contradicts those before it.
    #[error("metadata log, offset {offset}: {reason}")]
    Contradiction {
        /// Its offset.
        offset: i64,
        /// What is wrong.
        reason: String,
    },
}

/// The cluster at one offset of its metadata log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    last_offset: i64,
    leader_epoch: i32,
    topics: BTreeMap<Uuid, Arc<Topic>>,
    names: BTreeMap<Arc<str>, Uuid>,
    /// Collision key and name of each topic that has one.
    collision_keys: BTreeSet<(Arc<str>, Arc<str>)>,
    /// By kind and name; no resource without settings.
    configs: BTreeMap<ResourceType, BTreeMap<Arc<str>, Arc<ConfigMap>>>,
    brokers: BTreeMap<i32, Broker>,
    features: BTreeMap<String, i16>,
    next_producer_id: i64,
}

impl Default for Image {
    fn default() -> Self {
        Image {
            last_offset: -1,
            leader_epoch: 0,
            topics: BTreeMap::new(),
            names: BTreeMap::new(),
            collision_keys: BTreeSet::new(),
            configs: BTreeMap::new(),
            brokers: BTreeMap::new(),
            features: BTreeMap::new(),
            next_producer_id: 0,
        }
    }
}

impl Image {
    /// Offset of the last record that is in it; −1 for none.
    pub fn last_offset(&self) -> i64 {
        self.last_offset
    }

    /// Leader epoch of the last batch that is in it.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// All topics, by id.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<Topic>> {
        self.topics.values()
    }

    /// All topics, by name, from a name on.
    pub fn topics_from(&self, name: &str) -> impl Iterator<Item = &Arc<Topic>> {
        let from = (std::ops::Bound::Included(name), std::ops::Bound::Unbounded);
        self.names.range::<str, _>(from).map(|(_, id)| &self.topics[id])
    }

    /// The topic of that id.
    pub fn topic(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    /// The topic of that name.
    pub fn topic_named(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(self.names.get(name)?)
    }

    /// A topic whose name differs from this one only in `.` and `_`.
    pub fn topic_colliding_with(&self, name: &str) -> Option<&str> {
        let key: Arc<str> = collision_key(name)?.into();
        let similar = self.collision_keys.range((Arc::clone(&key), Arc::from(""))..);
        let mut similar = similar.take_while(|(other_key, _)| *other_key == key).map(|(_, other)| &**other);
        similar.find(|&other| other != name)
    }

    /// A partition.
    pub fn partition(&self, key: TopicPartitionId) -> Option<&Partition> {
        self.topic(key.topic)?.partitions.get(usize::try_from(key.partition).ok()?)
    }

    /// What is set on a resource; all brokers' settings have the empty name.
    pub fn configs(&self, resource: ResourceType, name: &str) -> Arc<ConfigMap> {
        self.own_configs(resource, name).cloned().unwrap_or_default()
    }

    /// What is set on a resource, if anything is.
    pub fn own_configs(&self, resource: ResourceType, name: &str) -> Option<&Arc<ConfigMap>> {
        self.configs.get(&resource)?.get(name)
    }

    /// The names of the resources of a kind on which something is set.
    pub fn configured(&self, resource: ResourceType) -> impl Iterator<Item = &str> {
        self.configs.get(&resource).into_iter().flatten().map(|(name, _)| &**name)
    }

    /// The registered brokers, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.values()
    }

    /// A registered broker.
    pub fn broker(&self, id: i32) -> Option<&Broker> {
        self.brokers.get(&id)
    }

    /// The finalized features and their levels, by name.
    pub fn features(&self) -> impl Iterator<Item = (&str, i16)> {
        self.features.iter().map(|(name, &level)| (name.as_str(), level))
    }

    /// The first producer id that no broker has been given.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// Applies a stretch of the metadata log: whole batches, the first one following on this image.
    ///
    /// # Errors
    /// See [`ReplayError`]; the image is then to be thrown away.
    pub fn replay(&mut self, log: &[u8]) -> Result<(), ReplayError> {
        let mut scratch = Vec::new();
        let mut batches = batches(log);
        for batch in batches.by_ref() {
            let after = self.last_offset;
            let damaged = |error| ReplayError::Batch { after, error };
            let batch = batch.map_err(damaged)?;
            batch.check_crc().map_err(damaged)?;
            if batch.header.base_offset != after + 1 {
                return Err(ReplayError::Gap { after, found: batch.header.base_offset });
            }
            self.leader_epoch = batch.header.partition_leader_epoch;
            if !batch.header.is_control() {
                let records = records(&batch, BATCH_OPENED_BYTES_MAX, &mut scratch).map_err(damaged)?;
                for (offset, record) in (batch.header.base_offset..).zip(records) {
                    let value = record.map_err(damaged)?.value.unwrap_or_default();
                    let record =
                        MetadataRecord::from_bytes(value).map_err(|error| ReplayError::Record { offset, error })?;
                    self.apply(offset, &record)?;
                }
            }
            self.last_offset = batch.header.last_offset();
        }
        if batches.position() < log.len() {
            return Err(ReplayError::Batch { after: self.last_offset, error: BatchError::NoBatch });
        }
        Ok(())
    }

    /// Applies what was appended as one batch, its first record at `base_offset`.
    pub(crate) fn apply_all(
        &mut self,
        base_offset: i64,
        leader_epoch: i32,
        records: &[MetadataRecord],
    ) -> Result<(), ReplayError> {
        for (offset, record) in (base_offset..).zip(records) {
            self.apply(offset, record)?;
        }
        self.leader_epoch = leader_epoch;
        Ok(())
    }

    /// Applies one record.
    ///
    /// # Errors
    /// [`ReplayError::Contradiction`] when the record does not fit the image.
    pub fn apply(&mut self, offset: i64, record: &MetadataRecord) -> Result<(), ReplayError> {
        assert!(offset > self.last_offset, "record {offset} is already in the image of {}", self.last_offset);
        self.change(offset, record).map_err(|reason| ReplayError::Contradiction { offset, reason })?;
        self.last_offset = offset;
        Ok(())
    }

    fn change(&mut self, offset: i64, record: &MetadataRecord) -> Result<(), String> {
        match record {
            MetadataRecord::RegisterBroker(record) => self.register_broker(record),
            MetadataRecord::UnregisterBroker(record) => {
                self.brokers.remove(&record.broker_id);
            }
            MetadataRecord::BrokerRegistrationChange(record) => self.change_registration(record)?,
            MetadataRecord::FenceBroker(record) => self.registered(record.id)?.fenced = true,
            MetadataRecord::UnfenceBroker(record) => self.registered(record.id)?.fenced = false,
            MetadataRecord::Topic(record) => self.create_topic(offset, record)?,
            MetadataRecord::Partition(record) => self.create_partition(record)?,
            MetadataRecord::PartitionChange(record) => self.change_partition(record)?,
            MetadataRecord::RemoveTopic(record) => self.remove_topic(record.topic_id)?,
            MetadataRecord::Config(record) => self.set_config(record)?,
            MetadataRecord::FeatureLevel(record) => {
                if record.feature_level == 0 {
                    self.features.remove(&record.name);
                } else {
                    self.features.insert(record.name.clone(), record.feature_level);
                }
            }
            MetadataRecord::ProducerIds(record) => self.next_producer_id = record.next_producer_id,
            MetadataRecord::AbortTransaction(_) => return Err("an aborted transaction is not supported".into()),
            MetadataRecord::NoOp(_)
            | MetadataRecord::BeginTransaction(_)
            | MetadataRecord::EndTransaction(_)
            | MetadataRecord::RegisterController(_) => {}
        }
        Ok(())
    }

    fn register_broker(&mut self, record: &RegisterBrokerRecord) {
        let endpoints = record.end_points.iter().map(|endpoint| Endpoint {
            listener: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
        });
        let broker = Broker {
            id: record.broker_id,
            epoch: record.broker_epoch,
            incarnation: record.incarnation_id,
            endpoints: endpoints.collect(),
            rack: record.rack.clone(),
            fenced: record.fenced,
        };
        self.brokers.insert(broker.id, broker);
    }

    fn registered(&mut self, id: i32) -> Result<&mut Broker, String> {
        self.brokers.get_mut(&id).ok_or_else(|| format!("broker {id} is not registered"))
    }

    fn change_registration(&mut self, record: &BrokerRegistrationChangeRecord) -> Result<(), String> {
        let broker = self.registered(record.broker_id)?;
        match record.fenced {
            1 => broker.fenced = true,
            -1 => broker.fenced = false,
            _ => {}
        }
        Ok(())
    }

    fn create_topic(&mut self, offset: i64, record: &TopicRecord) -> Result<(), String> {
        if self.topics.contains_key(&record.topic_id) || self.names.contains_key(record.name.as_str()) {
            return Err(format!("topic {} ({}) exists already", record.name, record.topic_id));
        }
        let name: Arc<str> = record.name.as_str().into();
        self.names.insert(Arc::clone(&name), record.topic_id);
        if let Some(key) = collision_key(&name) {
            self.collision_keys.insert((key.into(), Arc::clone(&name)));
        }
        let topic = Topic { id: record.topic_id, name, created_at: offset, partitions: Vec::new() };
        self.topics.insert(topic.id, Arc::new(topic));
        Ok(())
    }

    fn known_topic(&mut self, id: Uuid) -> Result<&mut Topic, String> {
        self.topics.get_mut(&id).map(Arc::make_mut).ok_or_else(|| format!("there is no topic {id}"))
    }

    fn create_partition(&mut self, record: &PartitionRecord) -> Result<(), String> {
        let topic = self.known_topic(record.topic_id)?;
        if usize::try_from(record.partition_id) != Ok(topic.partitions.len()) {
            let expected = topic.partitions.len();
            return Err(format!("partition {} of {} stands where {expected} is due", record.partition_id, topic.name));
        }
        topic.partitions.push(Partition {
            replicas: record.replicas.clone(),
            isr: record.isr.clone(),
            leader: record.leader,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
        });
        Ok(())
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord) -> Result<(), String> {
        const LEADER_UNCHANGED: i32 = -2;
        let topic = self.known_topic(record.topic_id)?;
        let partition = usize::try_from(record.partition_id).ok().and_then(|index| topic.partitions.get_mut(index));
        let partition =
            partition.ok_or_else(|| format!("there is no partition {} of {}", record.partition_id, record.topic_id))?;
        if let Some(isr) = &record.isr {
            partition.isr.clone_from(isr);
        }
        if let Some(replicas) = &record.replicas {
            partition.replicas.clone_from(replicas);
        }
        if record.leader != LEADER_UNCHANGED {
            partition.leader = record.leader;
            partition.leader_epoch += 1;
        }
        partition.partition_epoch += 1;
        Ok(())
    }

    fn remove_topic(&mut self, id: Uuid) -> Result<(), String> {
        let topic = self.topics.remove(&id).ok_or_else(|| format!("there is no topic {id}"))?;
        self.names.remove(&topic.name);
        if let Some(key) = collision_key(&topic.name) {
            self.collision_keys.remove(&(key.into(), Arc::clone(&topic.name)));
        }
        if let Some(configs) = self.configs.get_mut(&ResourceType::Topic) {
            configs.remove(&topic.name);
        }
        Ok(())
    }

    fn set_config(&mut self, record: &ConfigRecord) -> Result<(), String> {
        // Settings of other kinds of resources have nothing here that they could act on.
        let Some(resource) = ResourceType::from_code(record.resource_type) else { return Ok(()) };
        if let Some(value) = &record.value {
            check_config(resource, record, value).map_err(|error| error.to_string())?;
        }
        let of_kind = self.configs.entry(resource).or_default();
        let configs = Arc::make_mut(of_kind.entry(record.resource_name.as_str().into()).or_default());
        match &record.value {
            Some(value) => configs.insert(record.name.clone(), value.clone()),
            None => configs.remove(&record.name),
        };
        if configs.is_empty() {
            of_kind.remove(record.resource_name.as_str());
        }
        Ok(())
    }
}

/// What a log holds has been checked when it was written, but perhaps by another version with other ranges.
fn check_config(resource: ResourceType, record: &ConfigRecord, value: &str) -> Result<(), ConfigError> {
    match resource {
        ResourceType::Topic => check_topic_value(&record.name, value).map(|_| ()),
        ResourceType::Broker => check_broker_value(&record.name, value).map(|_| ()),
        ResourceType::Group => check_group_value(&record.name, value).map(|_| ()),
    }
}
