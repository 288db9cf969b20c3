//! Groups that only commit: offsets at a fixed rate, whatever the broker does.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::api::OffsetCommitRequest;
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};

use super::GroupsError;
use super::figures::{GroupLoad, GroupMeasurement, NamedLatency, Tally};
use super::fleet::{Event, Fleet, Token};
use crate::driver::Counters;

/// The newest version that names topics.
const VERSION: i16 = 9;
const NO_GENERATION: i32 = -1;
/// A backlog of this much ends the run as overloaded.
const BACKLOG: Duration = Duration::from_secs(5);
/// How long the last answers may take.
const DRAIN: Duration = Duration::from_secs(10);

/// The load: commit `i` is due at `t0 + i / rate`, one partition each.
#[derive(Clone, Debug)]
pub struct Commits {
    /// Commits a second.
    pub rate: f64,
    /// Groups, in turn; each stays on one connection when it is a multiple of the connections.
    pub groups: u64,
    /// Connections, in turn. Kafka serves one request of a connection at a time.
    pub connections: u64,
    /// An existing topic.
    pub topic: String,
    /// Its partitions.
    pub partitions: u64,
    /// Committed before the clock starts.
    pub warm_up: Duration,
    /// The measured window.
    pub window: Duration,
}

impl Commits {
    /// Every parameter, as `scenario.toml`.
    pub fn scenario_toml(&self) -> String {
        format!(
            "kind = \"commits\"\nrate_per_second = {}\ngroups = {}\nconnections = {}\npartitions = {}\nwarm_up_seconds = {}\n\
             window_seconds = {}\n",
            self.rate,
            self.groups,
            self.connections,
            self.partitions,
            self.warm_up.as_secs_f64(),
            self.window.as_secs_f64(),
        )
    }

    pub(super) fn run(&self, address: SocketAddr, server: u32) -> Result<(GroupMeasurement, Tally), GroupsError> {
        let mut fleet = Fleet::new()?;
        for _ in 0..self.connections {
            fleet.open(address)?;
        }
        let mut sender = Sender { load: self, t0: Instant::now(), sent: 0, errors: 0 };
        let mut tally = Tally::new(sender.t0, self.warm_up)?;
        let warm = sender.t0 + self.warm_up;
        sender.send_until(&mut fleet, warm, &mut tally)?;

        let before = Counters::read(Some(server))?;
        tally = Tally::new(before.at, self.window)?;
        let end = before.at + self.window;
        let whole = sender.send_until(&mut fleet, end, &mut tally)?;
        let after = Counters::read(Some(server))?;
        sender.drain(&mut fleet, &mut tally)?;

        let load = GroupLoad {
            groups: self.groups as u32,
            members_per_group: 0,
            connections: self.connections as u32,
            rate_per_second: self.rate,
            window_seconds: (after.at - before.at).as_secs_f64(),
            offered: tally.offered,
            answered: tally.answered,
            errors: sender.errors,
        };
        let latencies = vec![
            NamedLatency::new("commit response".into(), &tally.response),
            NamedLatency::new("commit service".into(), &tally.service),
        ];
        let mut measurement = GroupMeasurement::new(load, latencies, server, &before, &after)?;
        if !whole {
            measurement.validity.overloaded(format!("{} s of commits were without answer", BACKLOG.as_secs()));
        }
        Ok((measurement, tally))
    }

    fn due(&self, t0: Instant, index: u64) -> Instant {
        t0 + Duration::from_secs_f64(index as f64 / self.rate)
    }

    fn request(&self, index: u64) -> OffsetCommitRequest {
        let partition = OffsetCommitRequestPartition {
            partition_index: (index / self.groups % self.partitions) as i32,
            committed_offset: (index / self.groups / self.partitions) as i64,
            committed_leader_epoch: -1,
            committed_metadata: Some(String::new()),
        };
        let topic =
            OffsetCommitRequestTopic { name: self.topic.clone(), partitions: vec![partition], ..Default::default() };
        OffsetCommitRequest {
            group_id: format!("{}-{}", self.topic, index % self.groups),
            generation_id_or_member_epoch: NO_GENERATION,
            topics: vec![topic],
            ..Default::default()
        }
    }
}

struct Sender<'a> {
    load: &'a Commits,
    t0: Instant,
    sent: u64,
    errors: u64,
}

impl Sender<'_> {
    /// Sends what is due before `end`, and takes answers; false when the backlog has passed its bound.
    fn send_until(&mut self, fleet: &mut Fleet, end: Instant, tally: &mut Tally) -> Result<bool, GroupsError> {
        let backlog_max = (self.load.rate * BACKLOG.as_secs_f64()) as usize;
        loop {
            let now = Instant::now();
            let mut due = self.load.due(self.t0, self.sent);
            while due <= now && due < end {
                let connection = (self.sent % self.load.connections) as usize;
                fleet.send(connection, &self.load.request(self.sent), VERSION, Token::Guest(self.sent), due)?;
                tally.offer(due);
                self.sent += 1;
                due = self.load.due(self.t0, self.sent);
            }
            if now >= end {
                return Ok(true);
            }
            if fleet.unanswered() > backlog_max {
                return Ok(false);
            }
            self.turn(fleet, due.min(end), tally)?;
        }
    }

    fn drain(&mut self, fleet: &mut Fleet, tally: &mut Tally) -> Result<(), GroupsError> {
        let deadline = Instant::now() + DRAIN;
        while fleet.unanswered() > 0 && Instant::now() < deadline {
            self.turn(fleet, deadline, tally)?;
        }
        Ok(())
    }

    fn turn(&mut self, fleet: &mut Fleet, until: Instant, tally: &mut Tally) -> Result<(), GroupsError> {
        let mut events = Vec::new();
        fleet.turn(until, &mut events)?;
        for event in events {
            let Event::Guest { answer, .. } = event else { continue };
            let response = answer.decode::<OffsetCommitRequest>(VERSION)?;
            let refused =
                response.topics.iter().flat_map(|topic| &topic.partitions).any(|answer| answer.error_code != 0);
            self.errors += u64::from(refused);
            tally.record(answer.sent.due, answer.sent.at, answer.received);
        }
        Ok(())
    }
}
