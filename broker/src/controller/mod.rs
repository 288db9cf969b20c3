//! The controller: decides every change of the catalog, one after the other, and has it written before it is true.
//!
//! Driving it: [`Controller::load`] the metadata log, place the partitions by [`Controller::catalog`], then
//! [`Controller::start`]. Requests go in by [`Controller::handle`]; after each input [`Controller::poll_effect`] until it is
//! empty. An [`ControllerEffect::Append`] is answered by [`Controller::appended`] once its batch is durable (or has failed), a
//! [`ControllerEffect::Publish`] by [`Controller::published`] once every core has the catalog and the partitions' logs.
//!
//! Invariants: at most one append is in flight, so that what a request is checked against is what it will change. A failed
//! append changes nothing. A response leaves when everything that it says, and all that was answered before it, is so on every
//! core: a topic is shown when it takes writes.
//!
//! Deviations: requests' timeouts are not kept, because nothing here waits for another node.

mod alter_configs;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod producer_ids;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use wire::api::{
    AlterConfigsRequest, AlterConfigsResponse, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use wire::batch::{BatchBuilder, BatchOptions};
use wire::records::metadata::{
    BrokerEndpoint, BrokerFeature, FeatureLevelRecord, MetadataRecord, RegisterBrokerRecord,
};
use wire::{ErrorCode, TopicPartitionId, Uuid};

use crate::Token;
use crate::catalog::{Catalog, Endpoint, Image, Placement, ReplayError, ResourceType};
use crate::config::BrokerConfig;

pub use producer_ids::{PRODUCER_ID_BLOCK, ProducerIdBlock};

/// The feature that says which records the metadata log may hold.
pub const METADATA_VERSION: &str = "metadata.version";
/// Its level: that of Kafka 4.3.
pub const METADATA_VERSION_LEVEL: i16 = 30;

/// Who this node is, by its data folder and its listeners.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The cluster's id, as in `meta.properties`.
    pub cluster_id: Arc<str>,
    /// The data folder's id, as in `meta.properties`.
    pub directory_id: Uuid,
    /// What clients are told to connect to, by listener, with the ports that were bound.
    pub endpoints: Vec<Endpoint>,
}

/// What the controller is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum ControllerRequest {
    /// A client's CreateTopics.
    CreateTopics(CreateTopicsRequest),
    /// A client's DeleteTopics.
    DeleteTopics(DeleteTopicsRequest),
    /// A client's CreatePartitions.
    CreatePartitions(CreatePartitionsRequest),
    /// A client's AlterConfigs.
    AlterConfigs(AlterConfigsRequest),
    /// A client's IncrementalAlterConfigs.
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    /// Create these topics with the broker's defaults, because a client has asked for their metadata.
    AutoCreateTopics(Vec<String>),
    /// Create `__consumer_offsets`, because a client has asked for a group's coordinator.
    CreateOffsetsTopic,
    /// Reserve a block of producer ids for one core.
    AllocateProducerIds,
}

/// What the controller answers.
#[derive(Debug, Clone, PartialEq)]
pub enum ControllerResponse {
    /// To [`ControllerRequest::CreateTopics`].
    CreateTopics(CreateTopicsResponse),
    /// To [`ControllerRequest::DeleteTopics`].
    DeleteTopics(DeleteTopicsResponse),
    /// To [`ControllerRequest::CreatePartitions`].
    CreatePartitions(CreatePartitionsResponse),
    /// To [`ControllerRequest::AlterConfigs`].
    AlterConfigs(AlterConfigsResponse),
    /// To [`ControllerRequest::IncrementalAlterConfigs`].
    IncrementalAlterConfigs(IncrementalAlterConfigsResponse),
    /// To [`ControllerRequest::AutoCreateTopics`]: each name, and why it could not be created. A topic that was there already
    /// is no error.
    AutoCreateTopics(Vec<(String, ErrorCode)>),
    /// To [`ControllerRequest::CreateOffsetsTopic`]; that it was there already is no error.
    CreateOffsetsTopic(ErrorCode),
    /// To [`ControllerRequest::AllocateProducerIds`].
    ProducerIds(Result<ProducerIdBlock, ErrorCode>),
}

/// A partition, and the core that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedPartition {
    /// The partition.
    pub key: TopicPartitionId,
    /// Its topic's name.
    pub topic: Arc<str>,
    /// Its core.
    pub core: u16,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum ControllerEffect {
    /// Append this batch to the metadata log; then [`Controller::appended`].
    Append {
        /// Names the write.
        write_id: u64,
        /// One whole batch whose offsets and leader epoch are set.
        batch: Vec<u8>,
    },
    /// Give every core the catalog, open and close partitions; then [`Controller::published`].
    Publish {
        /// The write that it comes from.
        write_id: u64,
        /// The new catalog.
        catalog: Arc<Catalog>,
        /// Partitions whose logs are to be created.
        created: Vec<PlacedPartition>,
        /// Partitions whose logs are to be deleted.
        deleted: Vec<PlacedPartition>,
        /// Topics, there before and after, whose configuration has changed.
        reconfigured: Vec<Uuid>,
    },
    /// This node's registration is durable and published: clients may be let in.
    Started,
    /// This node could not register, which its catalog needs it to be.
    StartFailed {
        /// Why.
        error: ErrorCode,
    },
    /// Answer a request.
    Respond {
        /// The request.
        token: Token,
        /// The answer.
        response: ControllerResponse,
    },
}

/// What a request comes to, before it is written.
struct Decision {
    records: Vec<MetadataRecord>,
    response: ControllerResponse,
}

/// Why one item of a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    code: ErrorCode,
    message: Option<String>,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { code, message: Some(message.into()) }
    }

    /// With the words that Kafka has for the code.
    fn plain(code: ErrorCode) -> Refusal {
        Refusal::new(code, code.message())
    }
}

/// What a decision is made with.
struct Context<'a> {
    catalog: &'a Catalog,
    identity: &'a Identity,
    random: u128,
}

struct Waiting {
    now_ms: i64,
    token: Token,
    request: ControllerRequest,
    random: u128,
}

struct Write {
    id: u64,
    base_offset: i64,
    records: Vec<MetadataRecord>,
}

enum Reply {
    Request { token: Token, response: ControllerResponse },
    Start,
}

/// A reply in its turn; it may leave when `pending` is none.
struct Answer {
    pending: Option<u64>,
    reply: Reply,
}

/// See the module's page.
pub struct Controller {
    identity: Identity,
    catalog: Arc<Catalog>,
    epoch: i32,
    next_write_id: u64,
    waiting: VecDeque<Waiting>,
    write: Option<Write>,
    answers: VecDeque<Answer>,
    effects: VecDeque<ControllerEffect>,
}

impl Controller {
    /// A controller of an empty cluster, this broker having a number of cores.
    pub fn new(identity: Identity, config: Arc<BrokerConfig>, cores: u16) -> Controller {
        assert!(!identity.endpoints.is_empty(), "a broker is reached somewhere");
        let cluster_id = Arc::clone(&identity.cluster_id);
        let catalog = Catalog::new(Arc::new(Image::default()), Placement::new(cores), cluster_id, config);
        Controller {
            identity,
            catalog: Arc::new(catalog),
            epoch: 0,
            next_write_id: 1,
            waiting: VecDeque::new(),
            write: None,
            answers: VecDeque::new(),
            effects: VecDeque::new(),
        }
    }

    /// Takes in a stretch of the metadata log: whole batches, in order from offset 0. All of it comes before the start.
    ///
    /// # Errors
    /// See [`ReplayError`]; the broker must not start then.
    pub fn load(&mut self, log: &[u8]) -> Result<(), ReplayError> {
        assert_eq!(self.epoch, 0, "the log is loaded before the start");
        let mut image = Image::clone(&self.catalog.image);
        image.replay(log)?;
        let placement = Placement::of_image(self.catalog.placement.cores(), &image);
        let (cluster_id, config) = (Arc::clone(&self.catalog.cluster_id), Arc::clone(&self.catalog.config));
        self.catalog = Arc::new(Catalog::new(Arc::new(image), placement, cluster_id, config));
        Ok(())
    }

    /// The catalog as of the last durable change.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Registers this node under a new controller epoch, and on a first start lays down the cluster's features.
    /// [`ControllerEffect::Started`] follows. `random` names the process.
    pub fn start(&mut self, now_ms: i64, random: u128) {
        assert_eq!(self.epoch, 0, "a controller starts once");
        let image = &self.catalog.image;
        self.epoch = image.leader_epoch() + 1;
        let mut records: Vec<MetadataRecord> = Vec::new();
        if image.features().next().is_none() {
            let level = FeatureLevelRecord { name: METADATA_VERSION.into(), feature_level: METADATA_VERSION_LEVEL };
            records.push(level.into());
        }
        let offset = image.last_offset() + 1 + records.len() as i64;
        records.push(self.registration(offset, Uuid::from_u128(random)).into());
        let write_id = self.append(now_ms, records);
        self.answers.push_back(Answer { pending: Some(write_id), reply: Reply::Start });
    }

    fn registration(&self, broker_epoch: i64, incarnation_id: Uuid) -> RegisterBrokerRecord {
        let end_points = self.identity.endpoints.iter().map(|endpoint| BrokerEndpoint {
            name: endpoint.listener.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: 0,
        });
        RegisterBrokerRecord {
            broker_id: self.catalog.node_id(),
            incarnation_id,
            broker_epoch,
            end_points: end_points.collect(),
            features: vec![BrokerFeature {
                name: METADATA_VERSION.into(),
                min_supported_version: METADATA_VERSION_LEVEL,
                max_supported_version: METADATA_VERSION_LEVEL,
            }],
            rack: self.catalog.config.broker_rack.clone(),
            // Nobody but this process could fence it, so it enters unfenced.
            fenced: false,
            log_dirs: vec![self.identity.directory_id],
            ..RegisterBrokerRecord::default()
        }
    }

    /// Takes a request. `random` makes the ids of what it creates; `token` comes back with the response.
    pub fn handle(&mut self, now_ms: i64, token: Token, request: ControllerRequest, random: u128) {
        assert!(self.epoch > 0, "requests come after the start");
        self.waiting.push_back(Waiting { now_ms, token, request, random });
        self.proceed();
    }

    /// The batch of a write is durable, or could not be appended.
    pub fn appended(&mut self, write_id: u64, result: Result<(), ErrorCode>) {
        let write = self.write.take().expect("an append is in flight");
        assert_eq!(write.id, write_id, "appends are answered in order");
        match result {
            Ok(()) => self.publish(write),
            Err(error) => self.fail(write_id, error),
        }
        self.proceed();
    }

    /// Every core has the catalog that came out of a write.
    pub fn published(&mut self, write_id: u64) {
        let answer = self.answers.iter_mut().find(|answer| answer.pending == Some(write_id));
        answer.expect("the write is being published").pending = None;
        self.release_answers();
    }

    /// What is to be done next.
    pub fn poll_effect(&mut self) -> Option<ControllerEffect> {
        self.effects.pop_front()
    }

    /// Decides what waits, up to the next write.
    fn proceed(&mut self) {
        while self.write.is_none() {
            let Some(Waiting { now_ms, token, request, random }) = self.waiting.pop_front() else { break };
            let context = Context { catalog: &self.catalog, identity: &self.identity, random };
            let Decision { records, response } = context.decide(request);
            let pending = if records.is_empty() { None } else { Some(self.append(now_ms, records)) };
            self.answers.push_back(Answer { pending, reply: Reply::Request { token, response } });
        }
        self.release_answers();
    }

    fn append(&mut self, now_ms: i64, records: Vec<MetadataRecord>) -> u64 {
        assert!(self.write.is_none(), "one append at a time");
        let id = self.next_write_id;
        self.next_write_id += 1;
        let base_offset = self.catalog.image.last_offset() + 1;
        let mut builder = BatchBuilder::new();
        for record in &records {
            // The newest version of each record is what metadata.version 30 stands for.
            let value = record.to_bytes(*record.versions().end());
            builder.append(now_ms, None, Some(&value), &[]).expect("a request's records fit in a batch");
        }
        let options = BatchOptions { base_offset, partition_leader_epoch: self.epoch, ..BatchOptions::default() };
        let mut batch = Vec::with_capacity(builder.size());
        builder.build(&options, &mut batch).expect("a write has records, uncompressed");
        self.write = Some(Write { id, base_offset, records });
        self.effects.push_back(ControllerEffect::Append { write_id: id, batch });
        id
    }

    fn publish(&mut self, write: Write) {
        let old = Arc::clone(&self.catalog);
        let mut image = Image::clone(&old.image);
        image
            .apply_all(write.base_offset, self.epoch, &write.records)
            .expect("the records were made for this very image");
        let changes = Changes::of(&write.records, &old.image, &image);
        let mut placement = old.placement.clone();
        for &topic in &changes.removed {
            placement.remove(topic);
        }
        for &topic in &changes.grown {
            placement.extend(topic, image.topic(topic).map_or(0, |topic| topic.partitions.len()));
        }
        let new = Arc::new(old.next(Arc::new(image), placement, &changes.affected));
        let changed = |id: &Uuid| match (old.topic_config(*id), new.topic_config(*id)) {
            (Some(before), Some(after)) => before != after,
            _ => false,
        };
        let effect = ControllerEffect::Publish {
            write_id: write.id,
            created: partitions_beyond(&new, &old, &changes.grown),
            deleted: partitions_beyond(&old, &new, &changes.removed),
            reconfigured: changes.affected.iter().copied().filter(changed).collect(),
            catalog: Arc::clone(&new),
        };
        self.catalog = new;
        self.effects.push_back(effect);
    }

    fn fail(&mut self, write_id: u64, error: ErrorCode) {
        assert!(error.is_error(), "a failed append has an error");
        let answer = self.answers.iter_mut().find(|answer| answer.pending == Some(write_id));
        let answer = answer.expect("each write has an answer");
        answer.pending = None;
        match &mut answer.reply {
            Reply::Request { response, .. } => response.fail(error),
            Reply::Start => {
                let effect = if self.is_registered() {
                    ControllerEffect::Started
                } else {
                    ControllerEffect::StartFailed { error }
                };
                self.effects.push_back(effect);
                self.answers.retain(|answer| !matches!(answer.reply, Reply::Start));
            }
        }
    }

    /// Whether the image has this node as it is, by an earlier process of it.
    fn is_registered(&self) -> bool {
        self.catalog.image.broker(self.catalog.node_id()).is_some_and(|broker| {
            broker.endpoints == self.identity.endpoints && broker.rack == self.catalog.config.broker_rack
        })
    }

    fn release_answers(&mut self) {
        while let Some(answer) = self.answers.pop_front_if(|answer| answer.pending.is_none()) {
            self.effects.push_back(match answer.reply {
                Reply::Request { token, response } => ControllerEffect::Respond { token, response },
                Reply::Start => ControllerEffect::Started,
            });
        }
    }
}

/// Which topics a write touches.
#[derive(Default)]
struct Changes {
    grown: Vec<Uuid>,
    removed: Vec<Uuid>,
    affected: Vec<Uuid>,
}

impl Changes {
    fn of(records: &[MetadataRecord], before: &Image, after: &Image) -> Changes {
        let mut changes = Changes::default();
        for record in records {
            match record {
                MetadataRecord::Partition(record) => changes.grown.push(record.topic_id),
                MetadataRecord::RemoveTopic(record) => changes.removed.push(record.topic_id),
                MetadataRecord::Config(record) => match ResourceType::from_code(record.resource_type) {
                    Some(ResourceType::Topic) => {
                        let topic = after.topic_named(&record.resource_name);
                        changes.affected.extend(topic.map(|topic| topic.id));
                    }
                    Some(ResourceType::Broker) => changes.affected.extend(before.topics().map(|topic| topic.id)),
                    None => {}
                },
                _ => {}
            }
        }
        changes.grown.dedup();
        changes.affected.extend(changes.grown.iter().chain(&changes.removed));
        changes.affected.sort_unstable();
        changes.affected.dedup();
        changes
    }
}

/// The partitions of some topics that one catalog has and the other has not.
fn partitions_beyond(catalog: &Catalog, other: &Catalog, topics: &[Uuid]) -> Vec<PlacedPartition> {
    let mut partitions = Vec::new();
    for topic in topics.iter().filter_map(|&id| catalog.image.topic(id)) {
        let known = other.image.topic(topic.id).map_or(0, |topic| topic.partitions.len());
        for index in known..topic.partitions.len() {
            let key = TopicPartitionId { topic: topic.id, partition: index as i32 };
            let core = catalog.core_of(key).expect("every partition is placed");
            partitions.push(PlacedPartition { key, topic: Arc::clone(&topic.name), core });
        }
    }
    partitions
}

impl Context<'_> {
    fn decide(&self, request: ControllerRequest) -> Decision {
        match request {
            ControllerRequest::CreateTopics(request) => self.create_topics(&request),
            ControllerRequest::DeleteTopics(request) => self.delete_topics(&request),
            ControllerRequest::CreatePartitions(request) => self.create_partitions(&request),
            ControllerRequest::AlterConfigs(request) => self.alter_configs(&request),
            ControllerRequest::IncrementalAlterConfigs(request) => self.incremental_alter_configs(&request),
            ControllerRequest::AutoCreateTopics(names) => self.auto_create_topics(names),
            ControllerRequest::CreateOffsetsTopic => self.create_offsets_topic(),
            ControllerRequest::AllocateProducerIds => self.allocate_producer_ids(),
        }
    }

    fn broker_epoch(&self) -> i64 {
        self.catalog.image.broker(self.catalog.node_id()).map_or(-1, |broker| broker.epoch)
    }
}

impl ControllerResponse {
    /// Turns what was to succeed into an error, because it could not be written.
    fn fail(&mut self, error: ErrorCode) {
        let failed = |code: &mut i16, message: &mut Option<String>| {
            if *code == ErrorCode::None.code() {
                *code = error.code();
                *message = Some(error.message().into());
            }
        };
        match self {
            ControllerResponse::CreateTopics(response) => response.topics.iter_mut().for_each(|topic| {
                if topic.error_code == ErrorCode::None.code() {
                    *topic = create_topics::refused(&topic.name, Refusal::plain(error));
                }
            }),
            ControllerResponse::DeleteTopics(response) => {
                response.responses.iter_mut().for_each(|topic| failed(&mut topic.error_code, &mut topic.error_message));
            }
            ControllerResponse::CreatePartitions(response) => {
                response.results.iter_mut().for_each(|topic| failed(&mut topic.error_code, &mut topic.error_message));
            }
            ControllerResponse::AlterConfigs(response) => {
                response.responses.iter_mut().for_each(|item| failed(&mut item.error_code, &mut item.error_message));
            }
            ControllerResponse::IncrementalAlterConfigs(response) => {
                response.responses.iter_mut().for_each(|item| failed(&mut item.error_code, &mut item.error_message));
            }
            ControllerResponse::AutoCreateTopics(topics) => {
                topics.iter_mut().filter(|(_, code)| !code.is_error()).for_each(|(_, code)| *code = error);
            }
            ControllerResponse::CreateOffsetsTopic(code) => *code = error,
            ControllerResponse::ProducerIds(block) => *block = Err(error),
        }
    }
}
