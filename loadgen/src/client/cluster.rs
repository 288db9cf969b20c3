//! A cluster as one client sees it: who is there, who leads what, and a connection to each.
//!
//! The cache is refreshed when somebody asks for what it lacks, or after an answer that says that it is stale.

use std::collections::BTreeMap;
use std::time::Duration;

use wire::api::k03_metadata::{
    MetadataRequestTopic, MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use wire::api::{ApiKey, FindCoordinatorRequest, MetadataRequest};
use wire::message::Api;
use wire::{ErrorCode, Uuid};

use super::{Address, ClientError, Connection, check};

/// A broker of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Node id.
    pub id: i32,
    /// Where it tells clients to connect.
    pub address: Address,
}

/// A topic of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Its id; zero when the broker is too old to tell.
    pub id: Uuid,
    /// Whether it is the brokers' own.
    pub is_internal: bool,
    /// Its partitions, by index.
    pub partitions: Vec<PartitionInfo>,
}

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Its index.
    pub index: i32,
    /// Node id of its leader; none while there is no one.
    pub leader: Option<i32>,
    /// Leader epoch; −1 when unknown.
    pub leader_epoch: i32,
    /// Replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// In-sync replicas.
    pub isr: Vec<i32>,
}

/// A client of one cluster.
#[derive(Debug)]
pub struct Client {
    client_id: String,
    timeout: Duration,
    bootstrap: Vec<Address>,
    seed: Option<Connection>,
    connections: BTreeMap<i32, Connection>,
    brokers: BTreeMap<i32, Broker>,
    topics: BTreeMap<String, TopicInfo>,
    controller: Option<i32>,
    cluster_id: Option<String>,
}

impl Client {
    /// Connects to the first of the bootstrap addresses (`host:port,…`) that answers, and learns who the brokers are.
    ///
    /// # Errors
    /// The list is not one, or no address answers: then the first one's error.
    pub fn connect(bootstrap: &str, client_id: &str, timeout: Duration) -> Result<Client, ClientError> {
        let mut client = Client {
            client_id: client_id.to_owned(),
            timeout,
            bootstrap: Address::parse_list(bootstrap)?,
            seed: None,
            connections: BTreeMap::new(),
            brokers: BTreeMap::new(),
            topics: BTreeMap::new(),
            controller: None,
            cluster_id: None,
        };
        client.refresh(Some(&[]), false)?;
        Ok(client)
    }

    /// The brokers, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.values()
    }

    /// The broker of that id.
    pub fn broker(&self, id: i32) -> Option<&Broker> {
        self.brokers.get(&id)
    }

    /// The cluster's id, if it has told.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// How long an answer may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A topic that the cache holds.
    pub fn cached_topic(&self, name: &str) -> Option<&TopicInfo> {
        self.topics.get(name)
    }

    /// The name of a topic that the cache holds.
    pub(super) fn cached_name(&self, id: Uuid) -> Option<String> {
        self.topics.values().find(|topic| topic.id == id).map(|topic| topic.name.clone())
    }

    /// Drops a topic from the cache, so that its leaders are asked for anew.
    pub fn forget(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    /// A topic, asked for anew.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with UNKNOWN_TOPIC_OR_PARTITION when there is none, and those of [`Client::refresh`].
    pub fn topic(&mut self, name: &str, allow_creation: bool) -> Result<TopicInfo, ClientError> {
        let answer = self.refresh(Some(&[name]), allow_creation)?;
        for topic in &answer {
            check(topic.error_code, None, || format!("topic {name}"))?;
        }
        self.topics.get(name).cloned().ok_or_else(|| ClientError::Refused {
            what: format!("topic {name}"),
            code: ErrorCode::UnknownTopicOrPartition.code(),
            message: None,
        })
    }

    /// All topics, asked for anew.
    ///
    /// # Errors
    /// Those of [`Client::refresh`].
    pub fn topics(&mut self) -> Result<Vec<TopicInfo>, ClientError> {
        self.refresh(None, false)?;
        Ok(self.topics.values().cloned().collect())
    }

    /// Asks for brokers and some topics (`None`: all), and returns what was said of each topic, errors included.
    ///
    /// # Errors
    /// No broker answers.
    pub fn refresh(
        &mut self,
        topics: Option<&[&str]>,
        allow_creation: bool,
    ) -> Result<Vec<MetadataResponseTopic>, ClientError> {
        let request = MetadataRequest {
            topics: topics.map(|names| {
                let named = |name: &&str| MetadataRequestTopic { topic_id: Uuid::ZERO, name: Some((*name).to_owned()) };
                names.iter().map(named).collect()
            }),
            allow_auto_topic_creation: allow_creation,
            ..MetadataRequest::default()
        };
        let answer = self.call_any(&request)?;
        check(answer.error_code, None, || "asking for the cluster's metadata".into())?;
        if topics.is_none() {
            self.topics.clear();
        }
        self.adopt(&answer);
        Ok(answer.topics)
    }

    fn adopt(&mut self, answer: &MetadataResponse) {
        self.brokers.clear();
        for broker in &answer.brokers {
            if let Ok(port) = u16::try_from(broker.port) {
                let address = Address { host: broker.host.clone(), port };
                self.brokers.insert(broker.node_id, Broker { id: broker.node_id, address });
            }
        }
        self.controller = Some(answer.controller_id).filter(|id| self.brokers.contains_key(id));
        self.cluster_id = answer.cluster_id.clone();
        for topic in &answer.topics {
            let Some(name) = topic.name.clone() else { continue };
            if topic.error_code != 0 {
                self.topics.remove(&name);
                continue;
            }
            let mut partitions: Vec<PartitionInfo> = topic.partitions.iter().map(partition_info).collect();
            partitions.sort_by_key(|partition| partition.index);
            let info = TopicInfo { name: name.clone(), id: topic.topic_id, is_internal: topic.is_internal, partitions };
            self.topics.insert(name, info);
        }
    }

    /// The node that leads a partition, by the cache; it is refreshed once when it does not know.
    ///
    /// # Errors
    /// [`ClientError::NoLeader`], and those of [`Client::refresh`].
    pub fn leader(&mut self, topic: &str, partition: i32) -> Result<i32, ClientError> {
        if let Some(leader) = self.cached_leader(topic, partition) {
            return Ok(leader);
        }
        self.refresh(Some(&[topic]), false)?;
        self.cached_leader(topic, partition).ok_or_else(|| ClientError::NoLeader { topic: topic.to_owned(), partition })
    }

    fn cached_leader(&self, topic: &str, partition: i32) -> Option<i32> {
        let partitions = &self.topics.get(topic)?.partitions;
        partitions.iter().find(|info| info.index == partition)?.leader
    }

    /// The node that coordinates a group.
    ///
    /// # Errors
    /// [`ClientError::Refused`]: COORDINATOR_NOT_AVAILABLE is worth another try.
    pub fn coordinator(&mut self, group: &str) -> Result<i32, ClientError> {
        let request = FindCoordinatorRequest { key: group.into(), key_type: 0, coordinator_keys: vec![group.into()] };
        let answer = self.call_any(&request)?;
        let what = || format!("finding the coordinator of group {group}");
        let (code, message, id, host, port) = match answer.coordinators.into_iter().next() {
            Some(found) => (found.error_code, found.error_message, found.node_id, found.host, found.port),
            None => (answer.error_code, answer.error_message, answer.node_id, answer.host, answer.port),
        };
        check(code, message.as_deref(), what)?;
        if let Ok(port) = u16::try_from(port) {
            self.brokers.entry(id).or_insert_with(|| Broker { id, address: Address { host, port } });
        }
        Ok(id)
    }

    /// Asks a broker, whichever answers.
    ///
    /// # Errors
    /// The first bootstrap address's error when none answers, and those of [`Connection::call`].
    pub fn call_any<A: Api>(&mut self, request: &A) -> Result<A::Response, ClientError> {
        let mut seed = match self.seed.take() {
            Some(seed) => seed,
            None => self.open_seed()?,
        };
        let answer = seed.call(request);
        if !answer.as_ref().is_err_and(ClientError::is_broken) {
            self.seed = Some(seed);
        }
        answer
    }

    /// The highest version of each API that a broker of the cluster and we speak.
    ///
    /// # Errors
    /// The first bootstrap address's error when none answers.
    pub fn versions(&mut self) -> Result<BTreeMap<ApiKey, i16>, ClientError> {
        if self.seed.is_none() {
            self.seed = Some(self.open_seed()?);
        }
        Ok(self.seed.as_ref().map(|seed| seed.versions().clone()).unwrap_or_default())
    }

    fn open_seed(&self) -> Result<Connection, ClientError> {
        let mut first = None;
        for address in self.bootstrap.iter().chain(self.brokers.values().map(|broker| &broker.address)) {
            match Connection::open(address, &self.client_id, self.timeout) {
                Ok(connection) => return Ok(connection),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.expect("a bootstrap list has an address"))
    }

    /// Asks the controller, or any broker when no controller is known: brokers forward what is for it.
    ///
    /// # Errors
    /// Those of [`Client::call_node`].
    pub fn call_controller<A: Api>(&mut self, request: &A) -> Result<A::Response, ClientError> {
        match self.controller {
            Some(id) => self.call_node(id, request),
            None => self.call_any(request),
        }
    }

    /// Asks one broker.
    ///
    /// # Errors
    /// Those of [`Connection::open`] and [`Connection::call`]; a broken connection is dropped and opened anew by the next call.
    pub fn call_node<A: Api>(&mut self, id: i32, request: &A) -> Result<A::Response, ClientError> {
        self.call_node_within(id, request, self.timeout)
    }

    /// As [`Client::call_node`], for an answer that may take longer or is needed sooner.
    ///
    /// # Errors
    /// Those of [`Client::call_node`].
    pub fn call_node_within<A: Api>(
        &mut self,
        id: i32,
        request: &A,
        timeout: Duration,
    ) -> Result<A::Response, ClientError> {
        let answer = self.connection(id)?.call_within(request, timeout);
        if answer.as_ref().is_err_and(ClientError::is_broken) {
            self.connections.remove(&id);
        }
        answer
    }

    /// Sends what is not answered to one broker.
    pub(super) fn send_node_unanswered<A: Api>(&mut self, id: i32, request: &A) -> Result<(), ClientError> {
        let sent = self.connection(id)?.send_unanswered(request);
        if sent.as_ref().is_err_and(ClientError::is_broken) {
            self.connections.remove(&id);
        }
        sent
    }

    /// A connection of its own to a broker, for somebody who drives it alone.
    ///
    /// # Errors
    /// Those of [`Connection::open`].
    pub fn open(&self, id: i32) -> Result<Connection, ClientError> {
        let broker = self.brokers.get(&id).ok_or_else(|| ClientError::Refused {
            what: format!("connecting to broker {id}"),
            code: ErrorCode::BrokerNotAvailable.code(),
            message: Some("it is not in the cluster's metadata".into()),
        })?;
        Connection::open(&broker.address, &self.client_id, self.timeout)
    }

    fn connection(&mut self, id: i32) -> Result<&mut Connection, ClientError> {
        if !self.connections.contains_key(&id) {
            let connection = self.open(id)?;
            self.connections.insert(id, connection);
        }
        Ok(self.connections.get_mut(&id).expect("it was inserted above"))
    }
}

fn partition_info(partition: &MetadataResponsePartition) -> PartitionInfo {
    PartitionInfo {
        index: partition.partition_index,
        leader: Some(partition.leader_id).filter(|leader| *leader >= 0),
        leader_epoch: partition.leader_epoch,
        replicas: partition.replica_nodes.clone(),
        isr: partition.isr_nodes.clone(),
    }
}
