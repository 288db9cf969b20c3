//! What a member does with its partitions: asks where to go on, fetches without a pause, commits every second.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use wire::api::k01_fetch::{FetchPartition, FetchTopic, PartitionData};
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::api::k09_offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use wire::api::{FetchRequest, OffsetCommitRequest, OffsetFetchRequest};

use super::GroupsError;
use super::connection::Answer;
use super::fleet::{Fleet, Token};

/// The newest version that names topics, which is also that of OffsetFetch.
const OFFSETS_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 12;
/// Kafka's clients' defaults.
const MAX_WAIT_MS: i32 = 500;
const PARTITION_BYTES_MAX: i32 = 1 << 20;
const NO_SESSION_EPOCH: i32 = -1;
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);
/// What a reader asks for; its number is `reader * ASKS + ask`.
const ASKS: u64 = 3;
const ASK_OFFSETS: u64 = 0;
const ASK_FETCH: u64 = 1;
const ASK_COMMIT: u64 = 2;

pub(super) struct Reader {
    number: u64,
    group: String,
    topic: String,
    pub(super) member: usize,
    /// To the coordinator, shared with the member.
    pub(super) coordinator: usize,
    /// To the leader of all partitions.
    pub(super) leader: usize,
    /// Where each partition goes on; `None` until the group has said.
    positions: BTreeMap<i32, Option<i64>>,
    fetching: bool,
    pub(super) commit_due: Instant,
    /// Answers with records so far.
    pub(super) reads: u64,
    pub(super) gone: bool,
}

/// The reader that a guest's number belongs to.
pub(super) fn reader_of(guest: u64) -> usize {
    (guest / ASKS) as usize
}

impl Reader {
    pub(super) fn new(
        number: usize,
        group: String,
        topic: String,
        member: usize,
        coordinator: usize,
        leader: usize,
    ) -> Self {
        Self {
            number: number as u64,
            group,
            topic,
            member,
            coordinator,
            leader,
            positions: BTreeMap::new(),
            fetching: false,
            commit_due: Instant::now() + COMMIT_INTERVAL,
            reads: 0,
            gone: false,
        }
    }

    fn token(&self, ask: u64) -> Token {
        Token::Guest(self.number * ASKS + ask)
    }

    /// The member has new partitions; of those that it keeps it knows where it is.
    pub(super) fn assigned(&mut self, fleet: &mut Fleet) -> io::Result<()> {
        let partitions = fleet.member(self.member).partitions().to_vec();
        self.positions.retain(|partition, _| partitions.contains(partition));
        for partition in partitions {
            self.positions.entry(partition).or_insert(None);
        }
        let unknown: Vec<i32> =
            self.positions.iter().filter(|(_, position)| position.is_none()).map(|(partition, _)| *partition).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let topic =
            OffsetFetchRequestTopics { name: self.topic.clone(), partition_indexes: unknown, ..Default::default() };
        let group =
            OffsetFetchRequestGroup { group_id: self.group.clone(), topics: Some(vec![topic]), ..Default::default() };
        let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
        fleet.send(self.coordinator, &request, OFFSETS_VERSION, self.token(ASK_OFFSETS), Instant::now())
    }

    /// The member has lost its partitions and joins again: what was read is committed first.
    pub(super) fn revoked(&mut self, fleet: &mut Fleet) -> io::Result<()> {
        self.commit(fleet, Instant::now())?;
        self.positions.clear();
        Ok(())
    }

    pub(super) fn commit(&mut self, fleet: &mut Fleet, now: Instant) -> io::Result<()> {
        self.commit_due = now + COMMIT_INTERVAL;
        let partitions: Vec<_> = self
            .positions
            .iter()
            .filter_map(|(&partition_index, position)| {
                let committed_offset = (*position)?;
                let committed_metadata = Some(String::new());
                Some(OffsetCommitRequestPartition {
                    partition_index,
                    committed_offset,
                    committed_metadata,
                    ..Default::default()
                })
            })
            .collect();
        if partitions.is_empty() {
            return Ok(());
        }
        let (member_id, epoch) = fleet.member(self.member).identity();
        let topic = OffsetCommitRequestTopic { name: self.topic.clone(), partitions, ..Default::default() };
        let request = OffsetCommitRequest {
            group_id: self.group.clone(),
            generation_id_or_member_epoch: epoch,
            member_id: member_id.to_owned(),
            topics: vec![topic],
            ..Default::default()
        };
        // Refused while the group forms anew, which is no harm: the next one counts.
        fleet.send(self.coordinator, &request, OFFSETS_VERSION, self.token(ASK_COMMIT), now)
    }

    /// Takes an answer; true when it brought records.
    pub(super) fn take(&mut self, fleet: &mut Fleet, guest: u64, answer: &Answer<Token>) -> Result<bool, GroupsError> {
        let brought = match guest % ASKS {
            ASK_OFFSETS => {
                self.take_offsets(answer)?;
                false
            }
            ASK_FETCH => self.take_records(answer)?,
            _ => return Ok(false),
        };
        self.fetch(fleet)?;
        Ok(brought)
    }

    fn take_offsets(&mut self, answer: &Answer<Token>) -> Result<(), GroupsError> {
        let response = answer.decode::<OffsetFetchRequest>(OFFSETS_VERSION)?;
        let partitions = response.groups.into_iter().flat_map(|group| group.topics).flat_map(|topic| topic.partitions);
        for told in partitions {
            if let Some(position @ None) = self.positions.get_mut(&told.partition_index) {
                // A group that has not committed yet begins at the beginning.
                *position = Some(told.committed_offset.max(0));
            }
        }
        Ok(())
    }

    fn take_records(&mut self, answer: &Answer<Token>) -> Result<bool, GroupsError> {
        self.fetching = false;
        let response = answer.decode::<FetchRequest>(FETCH_VERSION)?;
        let mut brought = false;
        for data in response.responses.into_iter().flat_map(|topic| topic.partitions) {
            let partition = data.partition_index;
            if let (Some(next), Some(Some(position))) = (end_of(data)?, self.positions.get_mut(&partition)) {
                *position = next;
                brought = true;
            }
        }
        self.reads += u64::from(brought);
        Ok(brought)
    }

    fn fetch(&mut self, fleet: &mut Fleet) -> io::Result<()> {
        let partitions: Vec<_> = self
            .positions
            .iter()
            .filter_map(|(&partition, position)| {
                let fetch_offset = (*position)?;
                Some(FetchPartition {
                    partition,
                    fetch_offset,
                    partition_max_bytes: PARTITION_BYTES_MAX,
                    ..Default::default()
                })
            })
            .collect();
        if self.fetching || self.gone || partitions.is_empty() {
            return Ok(());
        }
        self.fetching = true;
        let request = FetchRequest {
            max_wait_ms: MAX_WAIT_MS,
            min_bytes: 1,
            session_epoch: NO_SESSION_EPOCH,
            topics: vec![FetchTopic { topic: self.topic.clone(), partitions, ..Default::default() }],
            ..Default::default()
        };
        fleet.send(self.leader, &request, FETCH_VERSION, self.token(ASK_FETCH), Instant::now())
    }
}

/// The offset behind the records of an answer, if there are any.
fn end_of(data: PartitionData) -> Result<Option<i64>, GroupsError> {
    if data.error_code != 0 {
        return Err(GroupsError::Refused { what: "a fetch", code: data.error_code });
    }
    let bytes = data.records.unwrap_or_default().into_bytes();
    let mut end = None;
    for batch in wire::batch::batches(&bytes) {
        end = Some(batch.map_err(|_| GroupsError::Malformed("a record batch"))?.header.last_offset() + 1);
    }
    Ok(end)
}
