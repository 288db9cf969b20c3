//! A member reads what it holds: from what is committed on, or from the log's beginning where nothing is.

use std::collections::BTreeMap;

use checkers::history::Event;
use checkers::history::groups::GroupAction;
use wire::api::k01_fetch::PartitionData;
use wire::api::k09_offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics};
use wire::api::{OffsetFetchRequest, OffsetFetchResponse};
use wire::{ErrorCode, TopicPartitionId};

use super::assignor::Named;
use super::{Member, NO_GENERATION, Place, Trouble};
use crate::client::consumer::{EARLIEST, FETCH_VERSION, fetch_request, list_offset};
use crate::client::group::Protocol;
use crate::client::link::Lost;
use crate::client::{RETRY, records};

/// From here on a request names several groups, and who asks.
const GROUPS_VERSION: i16 = 8;

/// The first error, and the offsets by topic and partition, of an answer of any version for one group.
fn flatten(response: OffsetFetchResponse) -> (i16, Vec<(Named, i64)>) {
    let mut codes = vec![response.error_code];
    let mut offsets = Vec::new();
    for topic in response.topics {
        for answer in topic.partitions {
            codes.push(answer.error_code);
            offsets.push(((topic.name.clone(), answer.partition_index), answer.committed_offset));
        }
    }
    for group in response.groups {
        codes.push(group.error_code);
        for topic in group.topics {
            for answer in topic.partitions {
                codes.push(answer.error_code);
                offsets.push(((topic.name.clone(), answer.partition_index), answer.committed_offset));
            }
        }
    }
    (codes.into_iter().find(|code| *code != 0).unwrap_or_default(), offsets)
}

impl Member {
    /// Begins with what is new, and reads some of the rest.
    pub(super) async fn work(&mut self) -> Result<(), Trouble> {
        if self.held.values().any(|held| held.position.is_none()) {
            self.start().await?;
        }
        let positions: BTreeMap<_, _> =
            self.held.iter().filter_map(|(key, held)| Some((*key, held.position?))).collect();
        if positions.is_empty() {
            self.shared.clock.sleep(self.group.plan.heartbeat / 2).await;
            return Ok(());
        }
        let fetch = fetch_request(&positions, self.group.plan.fetch_bytes, self.group.plan.wait_ms);
        let response = self.ask(Place::Data, FETCH_VERSION, &fetch).await?;
        for topic in response.responses {
            for data in topic.partitions {
                let key = TopicPartitionId { topic: topic.topic_id, partition: data.partition_index };
                if let Some(&position) = positions.get(&key) {
                    self.take(key, position, data).await?;
                }
            }
        }
        Ok(())
    }

    /// Asks where to begin.
    async fn start(&mut self) -> Result<(), Trouble> {
        let mut topics: Vec<OffsetFetchRequestTopic> = Vec::new();
        let mut new: BTreeMap<(String, i32), TopicPartitionId> = BTreeMap::new();
        for (key, held) in self.held.iter().filter(|(_, held)| held.position.is_none()) {
            new.insert((held.topic.clone(), key.partition), *key);
            match topics.last_mut().filter(|topic| topic.name == held.topic) {
                Some(topic) => topic.partition_indexes.push(key.partition),
                None => topics
                    .push(OffsetFetchRequestTopic { name: held.topic.clone(), partition_indexes: vec![key.partition] }),
            }
        }
        self.ready(Place::Coordinator).await?;
        let asked_ns = self.shared.clock.now_ns();
        let version = self.group.plan.versions.fetch;
        let request = self.offset_fetch(topics, version);
        let response = self.ask(Place::Coordinator, version, &request).await?;
        let (code, offsets) = flatten(response);
        match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => {}
            Some(error @ (ErrorCode::StaleMemberEpoch | ErrorCode::UnknownMemberId)) => {
                return self.refused(error, "OffsetFetch").await;
            }
            Some(error) if error.is_retriable() => {
                self.shared.clock.sleep(RETRY).await;
                return Ok(());
            }
            _ => {
                self.unexpected("OffsetFetch", code);
                self.shared.clock.sleep(RETRY).await;
                return Ok(());
            }
        }
        for (named, offset) in offsets {
            let Some(&key) = new.get(&named) else { continue };
            self.start_at(key, asked_ns, offset).await?;
        }
        Ok(())
    }

    fn offset_fetch(&self, topics: Vec<OffsetFetchRequestTopic>, version: i16) -> OffsetFetchRequest {
        let group_id = self.group.plan.id();
        if version < GROUPS_VERSION {
            return OffsetFetchRequest { group_id, topics: Some(topics), ..Default::default() };
        }
        let topic = |topic: OffsetFetchRequestTopic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..Default::default()
        };
        let is_member = matches!(self.group.plan.protocol, Protocol::Consumer { .. });
        let group = OffsetFetchRequestGroup {
            group_id,
            member_id: is_member.then(|| self.member_id.clone()),
            member_epoch: if is_member { self.generation } else { NO_GENERATION },
            topics: Some(topics.into_iter().map(topic).collect()),
        };
        OffsetFetchRequest { groups: vec![group], ..Default::default() }
    }

    async fn start_at(&mut self, partition: TopicPartitionId, asked_ns: u64, offset: i64) -> Result<(), Trouble> {
        self.record(GroupAction::Fetched { partition, asked_ns, offset });
        let (position, at_log_start) = match offset {
            ..0 => match self.log_start(partition).await? {
                Some(start) => (start, true),
                // Unless the topic is gone, it is asked again.
                None => return Ok(()),
            },
            _ => (offset, false),
        };
        self.begin(partition, position, at_log_start);
        if let Some(held) = self.held.get_mut(&partition) {
            held.committed = offset;
        }
        Ok(())
    }

    fn begin(&mut self, partition: TopicPartitionId, position: i64, at_log_start: bool) {
        let Some(held) = self.held.get_mut(&partition) else { return };
        held.position = Some(position);
        let topic = &held.topic;
        self.shared.trace.event(format_args!("{} begins {topic}-{} at {position}", self.name, partition.partition));
        self.record(GroupAction::Started { partition, position, at_log_start });
        self.shared.history.borrow_mut().record(partition, Event::Assign { process: self.process });
    }

    /// Where the log begins; `None` when the broker does not say, and without the partition if its topic is gone.
    async fn log_start(&mut self, key: TopicPartitionId) -> Result<Option<i64>, Lost> {
        self.ready(Place::Data).await?;
        let Some(held) = self.held.get(&key) else { return Ok(None) };
        let link = self.links[Place::Data as usize].as_mut().expect("it is ready");
        let found = list_offset(link, &held.topic, key.partition, EARLIEST).await;
        match &found {
            Ok(Some(_)) => {}
            Ok(None) if self.shared.may_be_gone(key.topic) => self.release(vec![key]),
            Ok(None) => self.shared.clock.sleep(RETRY).await,
            Err(_) => self.links[Place::Data as usize] = None,
        }
        found
    }

    async fn take(&mut self, key: TopicPartitionId, position: i64, data: PartitionData) -> Result<(), Trouble> {
        match ErrorCode::from_code(data.error_code) {
            Some(ErrorCode::None) => self.process(key, position, data),
            Some(ErrorCode::OffsetOutOfRange) => match self.log_start(key).await? {
                Some(start) if start > position => self.begin(key, start, true),
                // The log does not reach as far as it was read: the checkers see it at the end.
                _ => self.shared.clock.sleep(RETRY).await,
            },
            Some(ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition)
                if self.shared.may_be_gone(key.topic) =>
            {
                self.release(vec![key]);
            }
            Some(error) if error.is_retriable() => self.shared.clock.sleep(RETRY).await,
            _ => {
                self.unexpected("Fetch", data.error_code);
                self.shared.clock.sleep(RETRY).await;
            }
        }
        Ok(())
    }

    fn process(&mut self, key: TopicPartitionId, position: i64, data: PartitionData) {
        let taken = match records::read(data.records.unwrap_or_default(), position) {
            Ok(taken) => taken,
            Err(what) => {
                return self.shared.violation(format!("{}: {}-{}: {what}", self.name, key.topic, key.partition));
            }
        };
        let records::Taken { records, next } = taken;
        if next == position {
            return;
        }
        let Some(held) = self.held.get_mut(&key) else { return };
        held.position = Some(next);
        self.shared
            .trace
            .event(format_args!("{} processes {}-{} from {position} to {next}", self.name, held.topic, key.partition));
        self.record(GroupAction::Processed { partition: key, from: position, to: next });
        if !records.is_empty() {
            self.shared.history.borrow_mut().record(key, Event::Poll { process: self.process, records });
        }
    }
}
