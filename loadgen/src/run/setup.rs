//! What a run needs at its brokers: topics with leaders, coordinators, producer ids; and a look at them again when a worker is told that
//! something has changed.

use std::net::{SocketAddr, ToSocketAddrs};
use std::thread::sleep;
use std::time::{Duration, Instant};

use wire::api::InitProducerIdRequest;

use super::RunError;
use crate::client::{Client, ClientError, OffsetSpec, TopicPartition, check};
use crate::engine::queue::Identity;
use crate::engine::topology::{Topic, Topology};
use crate::scenario::{Protocol, Scenario};

/// How long a cluster may take to have leaders for new topics, or a coordinator for a group.
const READY_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// "No transaction" in InitProducerId.
const NO_TIMEOUT_MS: i32 = i32::MAX;

/// What a run has at its brokers.
#[derive(Debug)]
pub(super) struct Site {
    client: Client,
    topics: Vec<String>,
    groups: Vec<String>,
}

/// A group's id at the broker.
pub(super) fn group_id(run: &str, group: &str, topic: usize) -> String {
    format!("loadgen-{run}-{group}-{topic}")
}

impl Site {
    /// Makes the topics of a run.
    pub(super) fn make(mut client: Client, scenario: &Scenario, run: &str) -> Result<Site, RunError> {
        let settings: Vec<(String, String)> =
            scenario.topic.settings.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut topics = Vec::new();
        for number in 0..scenario.topic.count {
            let topic = format!("loadgen-{run}-{number}");
            let partitions = Some(scenario.topic.partitions as i32);
            client.create_topic(&topic, partitions, Some(scenario.topic.replication), &settings)?;
            topics.push(topic);
        }
        let with_coordinator = |topic| {
            let groups = scenario.groups.iter().filter(|group| group.protocol != Protocol::Assigned);
            groups.map(move |group| group_id(run, &group.name, topic))
        };
        let groups = (0..topics.len()).flat_map(with_coordinator).collect();
        Ok(Site { client, topics, groups })
    }

    /// One topic that is there already.
    pub(super) fn existing(client: Client, topic: &str) -> Site {
        Site { client, topics: vec![topic.to_owned()], groups: Vec::new() }
    }

    /// Waits until each partition has a leader and each group a coordinator.
    pub(super) fn wait_until_ready(&mut self, scenario: &Scenario) -> Result<Topology, RunError> {
        let deadline = Instant::now() + READY_WITHIN;
        let is_whole = |topology: &Topology| {
            let partitions = scenario.topic.partitions as usize;
            topology.topics.iter().all(|topic| topic.leaders.len() == partitions && !topic.leaders.contains(&None))
        };
        loop {
            let missing = match self.topology() {
                Ok(topology) if is_whole(&topology) => match self.coordinators(topology) {
                    Ok(topology) => return Ok(topology),
                    Err(RunError::Client(error)) if error.is_retriable() => format!("no coordinator ({error})"),
                    Err(error) => return Err(error),
                },
                Ok(_) => "partitions without a leader".to_owned(),
                Err(RunError::Client(error)) if error.is_retriable() => error.to_string(),
                Err(error) => return Err(error),
            };
            if Instant::now() >= deadline {
                let what = format!("the cluster was not ready for the run's topics and groups ({missing})");
                let advice = "Are all its brokers up, and as many as the scenario's replication asks for?";
                return Err(RunError::NotReady { what, seconds: READY_WITHIN.as_secs_f64(), advice });
            }
            sleep(POLL);
        }
    }

    /// Brokers and leaders, asked for anew.
    pub(super) fn topology(&mut self) -> Result<Topology, RunError> {
        let mut topology = Topology::default();
        for name in &self.topics {
            let info = self.client.topic(name, false)?;
            let leaders = info.partitions.iter().map(|partition| partition.leader).collect();
            topology.topics.push(Topic { name: info.name, id: info.id, leaders });
        }
        for broker in self.client.brokers() {
            let address = &broker.address;
            let unreachable = |error| RunError::Unreachable { node: broker.id, address: address.to_string(), error };
            let mut found = (address.host.as_str(), address.port).to_socket_addrs().map_err(unreachable)?;
            let first: Option<SocketAddr> = found.next();
            let first = first.ok_or_else(|| unreachable(std::io::ErrorKind::NotFound.into()))?;
            topology.brokers.insert(broker.id, first);
        }
        Ok(topology)
    }

    /// The groups' coordinators, asked for anew.
    pub(super) fn coordinators(&mut self, mut topology: Topology) -> Result<Topology, RunError> {
        for group in &self.groups {
            topology.coordinators.insert(group.clone(), self.client.coordinator(group)?);
        }
        Ok(topology)
    }

    /// An id for an idempotent producer.
    pub(super) fn producer_id(&mut self) -> Result<Identity, RunError> {
        let deadline = Instant::now() + READY_WITHIN;
        let request = InitProducerIdRequest {
            transaction_timeout_ms: NO_TIMEOUT_MS,
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdRequest::default()
        };
        loop {
            let answer = self.client.call_any(&request)?;
            match check(answer.error_code, None, || "asking for a producer id".into()) {
                Ok(()) => return Ok(Identity { id: answer.producer_id, epoch: answer.producer_epoch }),
                Err(error) if error.is_retriable() && Instant::now() < deadline => sleep(POLL),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Where each partition's log ends, by topic and partition.
    pub(super) fn ends(&mut self) -> Result<Vec<Vec<i64>>, ClientError> {
        self.offsets(OffsetSpec::Latest)
    }

    /// Where each partition's log begins.
    pub(super) fn starts(&mut self) -> Result<Vec<Vec<i64>>, ClientError> {
        self.offsets(OffsetSpec::Earliest)
    }

    fn offsets(&mut self, spec: OffsetSpec) -> Result<Vec<Vec<i64>>, ClientError> {
        let mut all = Vec::new();
        for topic in &self.topics {
            let info = self.client.topic(topic, false)?;
            let place = |partition| TopicPartition { topic: topic.clone(), partition };
            let places: Vec<TopicPartition> = info.partitions.iter().map(|info| place(info.index)).collect();
            let offsets = self.client.offsets(&places, spec)?;
            all.push(places.iter().map(|place| offsets.get(place).copied().unwrap_or(0)).collect());
        }
        Ok(all)
    }

    /// Deletes the run's topics; one that can't be is left to the broker.
    pub(super) fn clear(mut self) {
        for topic in &self.topics {
            let _ = self.client.delete_topic(topic);
        }
    }
}
