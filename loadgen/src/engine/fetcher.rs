//! Reading some partitions of one topic on: one fetch at a time to each leader, and what every record proves.
//!
//! Invariants: a record is handed on once for each assignment, in the order of offsets; every batch's checksum is checked.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use checkers::Deliveries;
use wire::ErrorCode;
use wire::api::k01_fetch::{FetchPartition, FetchTopic, PartitionData};
use wire::api::{ApiKey, FetchRequest};
use wire::batch::{batches, records};

use super::EngineError;
use super::board::add;
use super::clock::Nanos;
use super::connection::Answer;
use super::context::{Context, Link, Notice, Owner};
use super::error::{error_name, is_retriable};
use crate::measure::{Place, place};
use crate::payload::Stamp;
use crate::scenario::Group;

/// Before a refused fetch is sent again, or a broken connection is opened again.
const RETRY_PAUSE: Nanos = 100_000_000;
/// The most that one batch may decompress to.
const BATCH_BYTES_MAX: usize = 256 << 20;

/// What the members of a group have been given so far, by partition; shared, because partitions move between members.
pub type Ledger = Arc<Vec<Mutex<Deliveries<Place>>>>;

/// The one reader of a ledger: a group, whose members follow one another.
const READER: u32 = 0;

/// Records of one producer that came in a row.
#[derive(Debug, Clone, Copy)]
struct InRow {
    producer: u32,
    offset: i64,
    first: u64,
    next: u64,
}

impl InRow {
    fn is_followed_by(&self, stamp: &Stamp, offset: i64) -> bool {
        stamp.producer == self.producer
            && stamp.sequence == self.next
            && offset - self.offset == (self.next - self.first) as i64
    }

    fn tell(row: Option<InRow>, place: Place, ledger: &mut Deliveries<Place>) {
        if let Some(InRow { producer, offset, first, next }) = row {
            ledger.received(READER, place, offset, (producer, first..next));
        }
    }
}

/// Counts what comes of one partition at one moment, and how old it is.
struct Meter {
    /// Where others of the group have been already: what is below comes again, and its age says nothing.
    known: i64,
    measures: bool,
    now: Nanos,
    origin: i64,
    records: u64,
    value_bytes: u64,
}

impl Meter {
    fn new(group: usize, partition: usize, measures: bool, now: Nanos, context: &Context<'_>) -> Meter {
        let known = context.board.groups.get(group).and_then(|group| group.positions.get(partition));
        Meter {
            known: known.map_or(0, |position| position.load(Ordering::Relaxed)),
            measures,
            now,
            origin: context.clock.wall(0),
            records: 0,
            value_bytes: 0,
        }
    }

    #[inline]
    fn take(&mut self, offset: i64, value_bytes: usize, stamp: Option<&Stamp>, context: &mut Context<'_>) {
        self.records += 1;
        self.value_bytes += value_bytes as u64;
        if let Some(stamp) = stamp.filter(|_| self.measures && offset >= self.known)
            && let Ok(intended) = u64::try_from(stamp.intended_ns.saturating_sub(self.origin))
            && context.window.takes(intended, self.now)
        {
            context.recorded.e2e.record_us(self.now.saturating_sub(intended) / 1000, 1);
        }
    }

    fn finish(self, context: &mut Context<'_>) -> u64 {
        context.recorded.delivered += self.records;
        context.recorded.delivered_bytes += self.value_bytes;
        add(&context.counters.delivered, self.records);
        self.records
    }
}

/// A fetch on its way.
#[derive(Debug)]
pub struct Fetch {
    /// The assignment for which it was sent.
    epoch: u64,
}

/// A partition that is read.
#[derive(Debug)]
struct Reading {
    partition: usize,
    position: i64,
    /// Whether its first record is still to come.
    is_fresh: bool,
    not_before: Nanos,
}

#[derive(Debug)]
struct Leader {
    node: i32,
    link: Option<Link<Fetch>>,
    not_before: Nanos,
}

/// Reads partitions.
#[derive(Debug)]
pub struct Fetcher {
    topic: usize,
    group: usize,
    member: usize,
    place: usize,
    settings: Arc<Group>,
    ledger: Ledger,
    measures: bool,
    readings: Vec<Reading>,
    leaders: Vec<Leader>,
    epoch: u64,
    scratch: Vec<u8>,
    has_read: bool,
    /// Records since the board was told.
    records: u64,
}

/// What a fetcher is to be.
#[derive(Debug, Clone)]
pub struct FetcherPlan {
    /// Its topic.
    pub topic: usize,
    /// Its group on the board.
    pub group: usize,
    /// Its number within the group.
    pub member: usize,
    /// How it reads.
    pub settings: Arc<Group>,
    /// Where it proves.
    pub ledger: Ledger,
    /// Whether end-to-end latencies mean something.
    pub measures: bool,
}

impl Fetcher {
    /// A fetcher of a reader at a place on its worker.
    pub fn new(plan: FetcherPlan, place: usize) -> Fetcher {
        Fetcher {
            topic: plan.topic,
            group: plan.group,
            member: plan.member,
            place,
            settings: plan.settings,
            ledger: plan.ledger,
            measures: plan.measures,
            readings: Vec::new(),
            leaders: Vec::new(),
            epoch: 0,
            scratch: Vec::new(),
            has_read: false,
            records: 0,
        }
    }

    /// Reads these partitions from these offsets from now on, and no others.
    pub fn assign(&mut self, positions: &[(usize, i64)]) {
        self.epoch += 1;
        let reading = |(partition, position): &(usize, i64)| Reading {
            partition: *partition,
            position: *position,
            is_fresh: true,
            not_before: 0,
        };
        self.readings = positions.iter().map(reading).collect();
        for (partition, _) in positions {
            if let Some(ledger) = self.ledger.get(*partition) {
                let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
                ledger.assigned(READER, place(self.topic, *partition));
            }
        }
    }

    /// Goes on with those of its partitions that `keep` names.
    pub fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        self.epoch += 1;
        self.readings.retain(|reading| keep(reading.partition));
    }

    /// Reads more partitions.
    pub fn extend(&mut self, positions: &[(usize, i64)]) {
        let before = std::mem::take(&mut self.readings);
        self.assign(positions);
        self.readings.splice(0..0, before);
    }

    /// Its partitions and the offsets of their next records.
    pub fn positions(&self) -> impl Iterator<Item = (usize, i64)> {
        self.readings.iter().map(|reading| (reading.partition, reading.position))
    }

    /// Sends fetches where none is out.
    ///
    /// # Errors
    /// What the reader can't go on from.
    pub fn turn(&mut self, context: &mut Context<'_>) -> Result<(), EngineError> {
        let topology = context.topology.clone();
        for place in 0..self.readings.len() {
            if let Some(node) = topology.leader(self.topic, self.readings[place].partition)
                && !self.leaders.iter().any(|leader| leader.node == node)
            {
                self.leaders.push(Leader { node, link: None, not_before: 0 });
            }
        }
        for leader in 0..self.leaders.len() {
            let is_out = self.leaders[leader].link.as_ref().is_some_and(|link| link.connection.in_flight() > 0);
            if !is_out && context.now >= self.leaders[leader].not_before {
                self.fetch(leader, context)?;
            }
        }
        Ok(())
    }

    fn fetch(&mut self, leader: usize, context: &mut Context<'_>) -> Result<(), EngineError> {
        let node = self.leaders[leader].node;
        let topology = context.topology.clone();
        let Some(topic) = topology.topics.get(self.topic) else { return Ok(()) };
        let is_asked = |reading: &&Reading| {
            reading.not_before <= context.now && topology.leader(self.topic, reading.partition) == Some(node)
        };
        let partitions: Vec<FetchPartition> = self
            .readings
            .iter()
            .filter(is_asked)
            .map(|reading| FetchPartition {
                partition: reading.partition as i32,
                fetch_offset: reading.position,
                partition_max_bytes: self.settings.partition_fetch_bytes as i32,
                ..FetchPartition::default()
            })
            .collect();
        if partitions.is_empty() {
            return Ok(());
        }
        // What was read first now is last the next time, so that all get their share of a fetch that is full.
        self.readings.rotate_left(1);
        let request = FetchRequest {
            max_wait_ms: self.settings.fetch_wait_ms as i32,
            min_bytes: self.settings.fetch_min_bytes as i32,
            max_bytes: self.settings.fetch_bytes as i32,
            topics: vec![FetchTopic { topic: topic.name.clone(), topic_id: topic.id, partitions }],
            ..FetchRequest::default()
        };
        if self.leaders[leader].link.is_none() {
            match context.open(node, Owner::Reader(self.place, leader)) {
                Ok(link) => self.leaders[leader].link = Some(link),
                Err(error) => {
                    self.lost(leader, &error.into(), context);
                    return Ok(());
                }
            }
        }
        let link = self.leaders[leader].link.as_mut().expect("it was opened above");
        link.connection.send(&request, Fetch { epoch: self.epoch })?;
        if let Err(error) = link.connection.flush() {
            self.lost(leader, &error.into(), context);
        }
        Ok(())
    }

    /// A socket is readable or writable.
    ///
    /// # Errors
    /// What the reader can't go on from.
    pub fn ready(&mut self, leader: usize, context: &mut Context<'_>) -> Result<(), EngineError> {
        match self.exchange(leader, context) {
            Err(error @ EngineError::Io(_)) => {
                self.lost(leader, &error, context);
                Ok(())
            }
            other => other,
        }
    }

    fn exchange(&mut self, leader: usize, context: &mut Context<'_>) -> Result<(), EngineError> {
        loop {
            let Some(link) = &mut self.leaders[leader].link else { return Ok(()) };
            link.connection.flush()?;
            let is_full = link.connection.read()?;
            loop {
                let Some(link) = &mut self.leaders[leader].link else { return Ok(()) };
                let Some(answer) = link.connection.next_answer()? else { break };
                self.take_answer(&answer, leader, context)?;
                drop(answer);
                self.fetch(leader, context)?;
            }
            if !is_full {
                return Ok(());
            }
        }
    }

    fn take_answer(
        &mut self,
        answer: &Answer<Fetch>,
        leader: usize,
        context: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        let response = answer.decode::<FetchRequest>()?;
        let now = context.clock.now();
        if response.error_code != 0 {
            return self.refused(leader, response.error_code, context);
        }
        let is_current = answer.token.epoch == self.epoch;
        for data in response.responses.into_iter().flat_map(|topic| topic.partitions) {
            let Ok(partition) = usize::try_from(data.partition_index) else {
                return Err(EngineError::nonsense(ApiKey::Fetch, &"a negative partition"));
            };
            let Some(place) = self.readings.iter().position(|reading| reading.partition == partition) else { continue };
            // After a rebalance a partition may be here again from another offset: an old answer is not for it.
            if is_current || !self.readings[place].is_fresh {
                self.take_partition(place, data, now, context)?;
            }
        }
        self.tell_board(now, context);
        Ok(())
    }

    fn refused(&mut self, leader: usize, code: i16, context: &mut Context<'_>) -> Result<(), EngineError> {
        if !is_retriable(code) {
            return Err(EngineError::refused("fetching", code));
        }
        self.leaders[leader].not_before = context.now + RETRY_PAUSE;
        context.shared_topology.ask();
        Ok(())
    }

    fn take_partition(
        &mut self,
        place: usize,
        data: PartitionData,
        now: Nanos,
        context: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        let reading = &mut self.readings[place];
        let partition = reading.partition;
        if data.error_code != 0 {
            if data.error_code == ErrorCode::OffsetOutOfRange.code() && data.log_start_offset > reading.position {
                let (from, to) = (reading.position, data.log_start_offset);
                reading.position = to;
                context.trouble(false, format!("partition {partition}: the log begins at {to}, {from} is gone"));
                return Ok(());
            }
            if !is_retriable(data.error_code) {
                let name = error_name(data.error_code);
                return Err(EngineError::Refused { what: format!("fetching partition {partition}"), code: name });
            }
            reading.not_before = now + RETRY_PAUSE;
            context.shared_topology.ask();
            return Ok(());
        }
        context.board.heard_end(self.topic, partition, data.high_watermark);
        let Some(bytes) = data.records.map(wire::codec::Records::into_bytes).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        let before = reading.position;
        let taken = self.take_records(place, &bytes, now, context)?;
        let reading = &mut self.readings[place];
        if taken > 0 && std::mem::take(&mut reading.is_fresh) {
            let partition = partition as i32;
            context.tell(Notice::FirstRecord { group: self.group, member: self.member, partition, at: now });
        }
        if reading.position == before && taken == 0 {
            let detail = format!("records of partition {partition} that do not reach offset {before}");
            return Err(EngineError::nonsense(ApiKey::Fetch, &detail));
        }
        if let Some(position) = context.board.groups.get(self.group).and_then(|group| group.positions.get(partition)) {
            position.fetch_max(reading.position, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Takes the records at and above the position; returns how many.
    fn take_records(
        &mut self,
        reading: usize,
        bytes: &[u8],
        now: Nanos,
        context: &mut Context<'_>,
    ) -> Result<u64, EngineError> {
        let reading = &mut self.readings[reading];
        let partition = reading.partition;
        let nonsense = |error: &dyn std::fmt::Display| EngineError::nonsense(ApiKey::Fetch, error);
        let Some(ledger) = self.ledger.get(partition) else {
            return Err(nonsense(&format_args!("partition {partition}")));
        };
        let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let place = place(self.topic, partition);
        let mut meter = Meter::new(self.group, partition, self.measures, now, context);
        let mut row: Option<InRow> = None;
        for batch in batches(bytes) {
            let batch = batch.map_err(|error| nonsense(&error))?;
            batch.check_crc().map_err(|error| nonsense(&error))?;
            let header = batch.header;
            if header.last_offset() < reading.position {
                continue;
            }
            if !header.is_control() {
                for record in records(&batch, BATCH_BYTES_MAX, &mut self.scratch).map_err(|error| nonsense(&error))? {
                    let record = record.map_err(|error| nonsense(&error))?;
                    let offset = header.base_offset.wrapping_add(i64::from(record.offset_delta));
                    if offset < reading.position {
                        continue;
                    }
                    let value = record.value.unwrap_or_default();
                    let stamp = Stamp::read(value).filter(|stamp| stamp.run == context.run);
                    meter.take(offset, value.len(), stamp.as_ref(), context);
                    match (&mut row, stamp) {
                        (Some(row), Some(stamp)) if row.is_followed_by(&stamp, offset) => row.next += 1,
                        (_, stamp) => {
                            InRow::tell(row.take(), place, &mut ledger);
                            match stamp {
                                Some(Stamp { producer, sequence, .. }) if sequence < u64::MAX => {
                                    row = Some(InRow { producer, offset, first: sequence, next: sequence + 1 });
                                }
                                _ => ledger.foreign(READER, place, offset),
                            }
                        }
                    }
                }
            }
            reading.position = header.last_offset() + 1;
        }
        InRow::tell(row, place, &mut ledger);
        let taken = meter.finish(context);
        self.records += taken;
        Ok(taken)
    }

    fn tell_board(&mut self, now: Nanos, context: &mut Context<'_>) {
        if self.records == 0 {
            return;
        }
        context.counters.last_answer.store(now, Ordering::Relaxed);
        let records = std::mem::take(&mut self.records);
        let is_first = !std::mem::replace(&mut self.has_read, true);
        if let Some(group) = context.board.groups.get(self.group) {
            group.update(self.member, |view| {
                view.records += records;
                if is_first {
                    view.first_record_at = Some(now);
                }
            });
        }
    }

    /// A connection is gone; it is opened again later.
    fn lost(&mut self, leader: usize, error: &EngineError, context: &mut Context<'_>) {
        let node = self.leaders[leader].node;
        self.leaders[leader].not_before = context.now + RETRY_PAUSE;
        if let Some(link) = self.leaders[leader].link.take() {
            drop(context.close(link));
        }
        context.shared_topology.ask();
        context.trouble(false, format!("reader {} of group {}, broker {node}: {error}", self.member, self.group));
    }

    /// Closes all connections and reads nothing more.
    pub fn close(&mut self, context: &mut Context<'_>) {
        self.epoch += 1;
        self.readings.clear();
        for leader in self.leaders.drain(..) {
            if let Some(link) = leader.link {
                drop(context.close(link));
            }
        }
    }

    /// When the next turn is due, if nothing else happens.
    pub fn deadline(&self, now: Nanos) -> Option<Nanos> {
        if self.readings.is_empty() {
            return None;
        }
        let idle = self
            .leaders
            .iter()
            .filter(|leader| leader.link.as_ref().is_none_or(|link| link.connection.in_flight() == 0));
        let pause = self.readings.iter().map(|reading| reading.not_before).filter(|at| *at > now).min();
        let retry = idle.map(|leader| leader.not_before.max(now + RETRY_PAUSE)).min();
        // Without any leader there is nobody to ask: the topology will change.
        [pause, retry].into_iter().flatten().min().or_else(|| self.leaders.is_empty().then_some(now + RETRY_PAUSE))
    }
}
