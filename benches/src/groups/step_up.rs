//! One member more than partitions: how long after the loss of a member the idle one has its first record.
//!
//! Each group has five members on connections of their own (one to the coordinator, one to the leader) that heartbeat, fetch and commit
//! as Kafka's clients do by default, while a producer writes steadily. At a random moment one that has a partition is lost: its connections
//! close (`killed`: what the kernel does for a dead process), it leaves (`left`), or it falls silent with its connections open (`frozen`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hdrhistogram::Histogram;
use rand::seq::IndexedRandom;
use rand::{RngExt, rngs::SmallRng};
use wire::api::ProduceRequest;
use wire::api::k00_produce::{PartitionProduceData, TopicProduceData};
use wire::codec::Records;

use super::GroupsError;
use super::figures::{GroupLoad, GroupMeasurement, NamedLatency, histogram};
use super::fleet::{Event, Fleet, Token};
use super::member::{Member, News, Profile, Protocol};
use super::reader::{Reader, reader_of};
use crate::batch;
use crate::driver::Counters;

/// Partitions of the topic.
pub(super) const PARTITIONS: i32 = 4;
const MEMBERS: usize = 5;
const RECORD_BYTES: usize = 100;
const PRODUCE_INTERVAL: Duration = Duration::from_millis(50);
const PRODUCE_VERSION: i16 = 9;
const PRODUCE_TIMEOUT_MS: i32 = 30_000;
/// Members of a group start one after another.
const START_PAUSE: Duration = Duration::from_millis(50);
/// A group that has formed is left alone for this long and at most a further [`PHASE`]: the moment of the loss is to fall anywhere
/// between two heartbeats.
const CALM: Duration = Duration::from_secs(2);
const PHASE: Duration = Duration::from_secs(5);
const FORMED_WITHIN: Duration = Duration::from_secs(60);
/// Beyond the session timeout.
const STEPPED_UP_WITHIN: Duration = Duration::from_secs(45);
const TURN: Duration = Duration::from_millis(20);

/// How a member is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    Killed,
    Left,
    Frozen,
}

impl Loss {
    const ALL: [Loss; 3] = [Loss::Killed, Loss::Left, Loss::Frozen];

    fn name(self) -> &'static str {
        match self {
            Loss::Killed => "killed",
            Loss::Left => "left",
            Loss::Frozen => "frozen",
        }
    }
}

/// The load: groups of both protocols, each losing one member in each way.
#[derive(Clone, Debug)]
pub struct StepUp {
    /// An existing topic with [`PARTITIONS`] partitions.
    pub topic: String,
    /// Of all members; the consumer protocol's is the broker's setting and has to be the same.
    pub session_timeout: Duration,
    /// Groups of each protocol and way of losing a member.
    pub repeats: usize,
}

/// A group that loses a member.
struct Trial {
    protocol: Protocol,
    loss: Loss,
    /// Numbers of its readers; a reader has its member's number.
    readers: std::ops::Range<usize>,
    state: State,
}

enum State {
    Forming,
    Calm { until: Instant },
    Lost { at: Instant, idle: usize },
    Done,
}

struct Run<'a> {
    load: &'a StepUp,
    fleet: Fleet,
    readers: Vec<Reader>,
    trials: Vec<Trial>,
    producer: usize,
    batch: Bytes,
    produce_due: Instant,
    produced: u64,
    times: BTreeMap<(Protocol, Loss), Histogram<u64>>,
    overdue: u64,
    /// Members that the broker has put out although they were not lost.
    put_out: u64,
}

impl StepUp {
    /// Every parameter, as `scenario.toml`.
    pub fn scenario_toml(&self) -> String {
        format!(
            "kind = \"step-up\"\npartitions = {PARTITIONS}\nmembers = {MEMBERS}\ngroups_per_protocol_and_loss = {}\n\
             session_timeout_seconds = {}\nheartbeat_interval_seconds_classic = 3\nheartbeat_interval_consumer = \"the broker's\"\n\
             commit_interval_seconds = 1\nproduced_records_per_second_and_partition = {}\n",
            self.repeats,
            self.session_timeout.as_secs_f64(),
            1.0 / PRODUCE_INTERVAL.as_secs_f64(),
        )
    }

    /// Names of the groups that speak the consumer protocol.
    pub(super) fn consumer_groups(&self) -> Vec<String> {
        let trials = self.kinds().into_iter().enumerate();
        trials.filter(|(_, kind)| kind.0 == Protocol::Consumer).map(|(index, _)| self.group(index)).collect()
    }

    fn group(&self, trial: usize) -> String {
        format!("{}-{trial}", self.topic)
    }

    fn kinds(&self) -> Vec<(Protocol, Loss)> {
        let all = Protocol::ALL.into_iter().flat_map(|protocol| Loss::ALL.map(|loss| (protocol, loss)));
        all.flat_map(|kind| std::iter::repeat_n(kind, self.repeats)).collect()
    }

    pub(super) fn run(
        &self,
        address: SocketAddr,
        server: u32,
        random: &mut SmallRng,
    ) -> Result<(GroupMeasurement, Histogram<u64>), GroupsError> {
        let mut run = Run::start(self, address, random)?;
        let before = Counters::read(Some(server))?;
        let deadline = before.at + FORMED_WITHIN + CALM + PHASE + self.session_timeout + STEPPED_UP_WITHIN;
        while run.trials.iter().any(|trial| !matches!(trial.state, State::Done)) {
            if Instant::now() > deadline {
                run.overdue += run.trials.iter().filter(|trial| !matches!(trial.state, State::Done)).count() as u64;
                break;
            }
            run.turn(random)?;
        }
        let after = Counters::read(Some(server))?;

        let mut all = histogram()?;
        let mut latencies = Vec::new();
        for ((protocol, loss), times) in &run.times {
            all.add(times).map_err(|error| GroupsError::Io(std::io::Error::other(error)))?;
            latencies.push(NamedLatency::new(format!("{}, member {}", protocol.name(), loss.name()), times));
        }
        let groups = run.trials.len();
        let load = GroupLoad {
            groups: groups as u32,
            members_per_group: MEMBERS as u32,
            connections: (2 * groups * MEMBERS + 1) as u32,
            rate_per_second: f64::from(PARTITIONS) / PRODUCE_INTERVAL.as_secs_f64(),
            window_seconds: (after.at - before.at).as_secs_f64(),
            offered: groups as u64,
            answered: all.len(),
            errors: run.overdue + run.put_out,
        };
        Ok((GroupMeasurement::new(load, latencies, server, &before, &after)?, all))
    }
}

impl<'a> Run<'a> {
    fn start(load: &'a StepUp, address: SocketAddr, random: &mut SmallRng) -> Result<Self, GroupsError> {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64);
        let mut fleet = Fleet::new()?;
        let producer = fleet.open(address)?;
        let batch = Bytes::from(batch::build(1, RECORD_BYTES, now_ms, 1));
        let (mut readers, mut trials, mut times) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (index, (protocol, loss)) in load.kinds().into_iter().enumerate() {
            let first = readers.len();
            for member in 0..MEMBERS {
                let (coordinator, leader) = (fleet.open(address)?, fleet.open(address)?);
                let profile = Profile {
                    group: load.group(index),
                    topic: load.topic.clone(),
                    partitions: PARTITIONS,
                    session_timeout: load.session_timeout,
                    heartbeat_interval: None,
                };
                let due = Instant::now() + START_PAUSE * member as u32;
                let seat = fleet.seat(Member::new(protocol, profile, random.random(), due), coordinator);
                assert_eq!(seat, readers.len(), "a reader has its member's number");
                readers.push(Reader::new(seat, load.group(index), load.topic.clone(), seat, coordinator, leader));
            }
            times.insert((protocol, loss), histogram()?);
            trials.push(Trial { protocol, loss, readers: first..readers.len(), state: State::Forming });
        }
        let produce_due = Instant::now();
        Ok(Self {
            load,
            fleet,
            readers,
            trials,
            producer,
            batch,
            produce_due,
            produced: 0,
            times,
            overdue: 0,
            put_out: 0,
        })
    }

    fn turn(&mut self, random: &mut SmallRng) -> Result<(), GroupsError> {
        let now = Instant::now();
        self.produce(now)?;
        for reader in self.readers.iter_mut().filter(|reader| reader.commit_due <= now && !reader.gone) {
            reader.commit(&mut self.fleet, now)?;
        }
        for trial in 0..self.trials.len() {
            self.move_on(trial, now, random)?;
        }
        let mut events = Vec::new();
        self.fleet.turn(self.produce_due.min(now + TURN), &mut events)?;
        events.into_iter().try_for_each(|event| self.take(event))
    }

    fn produce(&mut self, now: Instant) -> Result<(), GroupsError> {
        while self.produce_due <= now {
            let partition_data = (0..PARTITIONS)
                .map(|index| PartitionProduceData { index, records: Some(Records::from(self.batch.clone())) })
                .collect();
            let request = ProduceRequest {
                transactional_id: None,
                acks: -1,
                timeout_ms: PRODUCE_TIMEOUT_MS,
                topic_data: vec![TopicProduceData {
                    name: self.load.topic.clone(),
                    partition_data,
                    ..Default::default()
                }],
            };
            self.fleet.send(self.producer, &request, PRODUCE_VERSION, Token::Nobody, self.produce_due)?;
            self.produced += 1;
            self.produce_due += PRODUCE_INTERVAL;
        }
        Ok(())
    }

    fn move_on(&mut self, trial: usize, now: Instant, random: &mut SmallRng) -> Result<(), GroupsError> {
        match self.trials[trial].state {
            State::Forming if self.idle_member(trial).is_some() => {
                let until = now + CALM + PHASE.mul_f64(random.random());
                self.trials[trial].state = State::Calm { until };
            }
            State::Calm { until } if until <= now => match self.idle_member(trial) {
                Some(idle) => self.lose(trial, idle, random)?,
                None => self.trials[trial].state = State::Forming,
            },
            _ => {}
        }
        Ok(())
    }

    /// The member without a partition, once all are settled and all the others have read something.
    fn idle_member(&self, trial: usize) -> Option<usize> {
        let readers = self.trials[trial].readers.clone();
        let generation = self.fleet.member(readers.start).settled()?;
        let mut idle = None;
        for reader in readers {
            let member = self.fleet.member(reader);
            if member.settled() != Some(generation) {
                return None;
            }
            match member.partitions().len() {
                0 => idle = Some(reader),
                1 if self.readers[reader].reads > 0 => {}
                _ => return None,
            }
        }
        idle
    }

    fn lose(&mut self, trial: usize, idle: usize, random: &mut SmallRng) -> Result<(), GroupsError> {
        let busy: Vec<usize> = self.trials[trial].readers.clone().filter(|reader| *reader != idle).collect();
        let Some(&victim) = busy.choose(random) else { return Ok(()) };
        let reader = &mut self.readers[victim];
        reader.gone = true;
        let at = Instant::now();
        match self.trials[trial].loss {
            Loss::Killed => {
                self.fleet.silence(reader.member);
                self.fleet.close(reader.coordinator);
                self.fleet.close(reader.leader);
            }
            Loss::Left => {
                reader.commit(&mut self.fleet, at)?;
                self.fleet.leave(reader.member)?;
                self.fleet.close(reader.leader);
            }
            Loss::Frozen => self.fleet.silence(reader.member),
        }
        self.trials[trial].state = State::Lost { at, idle };
        Ok(())
    }

    fn take(&mut self, event: Event) -> Result<(), GroupsError> {
        match event {
            Event::Member { member, news: News::Assigned, .. } => Ok(self.readers[member].assigned(&mut self.fleet)?),
            Event::Member { member, news: News::Rejoining, .. } => {
                self.put_out += u64::from(self.is_put_out(member));
                Ok(self.readers[member].revoked(&mut self.fleet)?)
            }
            Event::Member { .. } => Ok(()),
            Event::Guest { number, answer } => {
                let reader = reader_of(number);
                if !self.readers[reader].gone && self.readers[reader].take(&mut self.fleet, number, &answer)? {
                    self.has_read(reader, answer.received);
                }
                Ok(())
            }
        }
    }

    /// Whether a member that begins anew was put out, which spoils its group's figure: with the consumer protocol no rebalance asks a
    /// member to begin anew.
    fn is_put_out(&self, member: usize) -> bool {
        let trial = &self.trials[member / MEMBERS];
        trial.protocol == Protocol::Consumer && matches!(trial.state, State::Calm { .. } | State::Lost { .. })
    }

    /// A reader has records: if it is the idle one of a group that has lost a member, this is what was waited for.
    fn has_read(&mut self, reader: usize, received: Instant) {
        let trial = &mut self.trials[reader / MEMBERS];
        let State::Lost { at, idle } = trial.state else { return };
        if reader != idle {
            return;
        }
        if let Some(times) = self.times.get_mut(&(trial.protocol, trial.loss)) {
            times.saturating_record((received - at).as_nanos() as u64);
        }
        trial.state = State::Done;
        // Its members go, so that they cost nothing while the others are waited for.
        for reader in trial.readers.clone() {
            self.fleet.silence(reader);
            self.readers[reader].gone = true;
            self.fleet.close(self.readers[reader].coordinator);
            self.fleet.close(self.readers[reader].leader);
        }
    }
}
