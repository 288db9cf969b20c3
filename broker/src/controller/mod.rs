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
mod changes;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod messages;
mod producer_ids;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use wire::batch::{BatchBuilder, BatchOptions};
use wire::records::metadata::{
    BrokerEndpoint, BrokerFeature, FeatureLevelRecord, MetadataRecord, RegisterBrokerRecord,
};
use wire::{ErrorCode, Uuid};

use crate::Token;
use crate::catalog::{Catalog, Endpoint, Image, Placement, ReplayError};
use crate::config::BrokerConfig;

use changes::publication;

pub use messages::{ControllerEffect, ControllerRequest, ControllerResponse, PlacedPartition};
pub use producer_ids::{PRODUCER_ID_BLOCK, ProducerIdBlock};

/// The feature that says which records the metadata log may hold.
pub const METADATA_VERSION: &str = "metadata.version";
/// Its level: that of Kafka 4.3.
pub const METADATA_VERSION_LEVEL: i16 = 30;
/// The feature by whose level 1 clients know that there are groups of the new protocol (KIP-848).
pub const GROUP_VERSION: &str = "group.version";
/// Its level.
pub const GROUP_VERSION_LEVEL: i16 = 1;

/// A feature, and the levels that this node can act by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// The lowest level.
    pub min_level: i16,
    /// The highest level, which the controller finalizes where there is none yet.
    pub max_level: i16,
}

/// The features that this node knows, the first one first on disk.
pub const FEATURES: &[Feature] = &[
    Feature { name: METADATA_VERSION, min_level: METADATA_VERSION_LEVEL, max_level: METADATA_VERSION_LEVEL },
    Feature { name: GROUP_VERSION, min_level: 0, max_level: GROUP_VERSION_LEVEL },
];

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

    /// Registers this node under a new controller epoch, and lays down the levels of the features that have none yet.
    /// [`ControllerEffect::Started`] follows. `random` names the process.
    pub fn start(&mut self, now_ms: i64, random: u128) {
        assert_eq!(self.epoch, 0, "a controller starts once");
        let image = &self.catalog.image;
        self.epoch = image.leader_epoch() + 1;
        let is_missing = |feature: &&Feature| image.features().all(|(name, _)| name != feature.name);
        let level =
            |feature: &Feature| FeatureLevelRecord { name: feature.name.into(), feature_level: feature.max_level };
        let missing = FEATURES.iter().filter(is_missing);
        let mut records: Vec<MetadataRecord> = missing.map(|feature| level(feature).into()).collect();
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
        let features = FEATURES.iter().map(|feature| BrokerFeature {
            name: feature.name.into(),
            min_supported_version: feature.min_level,
            max_supported_version: feature.max_level,
        });
        RegisterBrokerRecord {
            broker_id: self.catalog.node_id(),
            incarnation_id,
            broker_epoch,
            end_points: end_points.collect(),
            features: features.collect(),
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
        let written = probe::mutated!(records.len(), CatalogTruncated => (records.len() - 1).max(1));
        for record in &records[..written] {
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
        let (catalog, effect) = publication(&self.catalog, write.id, write.base_offset, self.epoch, &write.records);
        self.catalog = catalog;
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
