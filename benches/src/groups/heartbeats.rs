//! Many groups that do nothing but stay alive: what that costs the broker.
//!
//! Members of a group lie on different connections, and a connection carries members of many groups. A classic broker holds JoinGroup
//! back, and with it all of its connection: groups that form at the same time lie on different connections altogether.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::{RngExt, rngs::SmallRng};

use super::GroupsError;
use super::figures::{GroupLoad, GroupMeasurement, NamedLatency, Tally};
use super::fleet::{Event, Fleet};
use super::member::{HEARTBEAT_INTERVAL, Member, News, Profile, Protocol};
use crate::driver::Counters;

/// Sets of connections, one for each member of a group.
const SETS: usize = 8;
/// Groups that form at the same time. The consumer protocol holds nothing back, and may assign once a second only.
const FORMING_CLASSIC: usize = SETS;
const FORMING_CONSUMER: usize = 200;
/// Between heartbeats while a group forms.
const FORMING_INTERVAL: Duration = Duration::from_millis(100);
const SESSION_TIMEOUT: Duration = Duration::from_secs(45);
const FORMED_WITHIN: Duration = Duration::from_secs(180);
/// How long the last answers may take.
const DRAIN: Duration = Duration::from_secs(5);

/// The load.
#[derive(Clone, Debug)]
pub struct Heartbeats {
    /// Which protocol.
    pub protocol: Protocol,
    /// Groups.
    pub groups: usize,
    /// Members of each.
    pub members: usize,
    /// An existing topic with as many partitions as a group has members.
    pub topic: String,
    /// After the last group has formed.
    pub warm_up: Duration,
    /// The measured window.
    pub window: Duration,
}

impl Heartbeats {
    /// Every parameter, as `scenario.toml`.
    pub fn scenario_toml(&self) -> String {
        format!(
            "kind = \"heartbeats\"\nprotocol = \"{}\"\ngroups = {}\nmembers = {}\npartitions = {}\nconnections = {}\n\
             heartbeat_interval_seconds = {}\nsession_timeout_seconds = {}\nwarm_up_seconds = {}\nwindow_seconds = {}\n",
            self.protocol.name(),
            self.groups,
            self.members,
            self.members,
            SETS * self.members,
            HEARTBEAT_INTERVAL.as_secs_f64(),
            SESSION_TIMEOUT.as_secs_f64(),
            self.warm_up.as_secs_f64(),
            self.window.as_secs_f64(),
        )
    }

    /// Forms the groups, lets them beat, and measures.
    pub(super) fn run(
        &self,
        address: SocketAddr,
        server: u32,
        random: &mut SmallRng,
    ) -> Result<(GroupMeasurement, Tally), GroupsError> {
        let mut fleet = Fleet::new()?;
        for _ in 0..SETS * self.members {
            fleet.open(address)?;
        }
        self.form(&mut fleet, random)?;
        let mut events = Vec::new();
        let warm = Instant::now() + self.warm_up;
        while Instant::now() < warm {
            fleet.turn(warm, &mut events)?;
            events.clear();
        }
        let before = Counters::read(Some(server))?;
        let mut tally = Tally::new(before.at, self.window)?;
        let mut errors = 0;
        let end = before.at + self.window;
        beat_until(&mut fleet, end, &mut tally, &mut errors)?;
        let after = Counters::read(Some(server))?;
        beat_until(&mut fleet, end + DRAIN, &mut tally, &mut errors)?;

        let rate = (self.groups * self.members) as f64 / HEARTBEAT_INTERVAL.as_secs_f64();
        let load = GroupLoad {
            groups: self.groups as u32,
            members_per_group: self.members as u32,
            connections: (SETS * self.members) as u32,
            rate_per_second: rate,
            window_seconds: (after.at - before.at).as_secs_f64(),
            offered: (rate * self.window.as_secs_f64()) as u64,
            answered: tally.answered,
            errors,
        };
        let latencies = vec![
            NamedLatency::new("heartbeat response".into(), &tally.response),
            NamedLatency::new("heartbeat service".into(), &tally.service),
        ];
        Ok((GroupMeasurement::new(load, latencies, server, &before, &after)?, tally))
    }

    fn form(&self, fleet: &mut Fleet, random: &mut SmallRng) -> Result<(), GroupsError> {
        let started = Instant::now();
        let forming_max = match self.protocol {
            Protocol::Classic => FORMING_CLASSIC,
            Protocol::Consumer => FORMING_CONSUMER,
        };
        let (mut next, mut formed) = (0, vec![false; self.groups]);
        let mut done = 0;
        let mut events = Vec::new();
        // A set of connections carries one forming group at a time, and afterwards the next.
        let mut sets: Vec<usize> = (0..forming_max).collect();
        let mut set_of = vec![0; self.groups];
        while done < self.groups {
            while next < self.groups
                && let Some(set) = sets.pop()
            {
                self.start(fleet, next, set % SETS, random);
                set_of[next] = set;
                next += 1;
            }
            if started.elapsed() > FORMED_WITHIN {
                return Err(GroupsError::NotFormed { formed: done, of: self.groups, within: FORMED_WITHIN });
            }
            fleet.turn(Instant::now() + FORMING_INTERVAL, &mut events)?;
            for event in events.drain(..) {
                let Event::Member { member, .. } = event else { continue };
                let group = member / self.members;
                if !formed[group] && self.has_formed(fleet, group) {
                    formed[group] = true;
                    done += 1;
                    sets.push(set_of[group]);
                    self.settle(fleet, group, random);
                }
            }
        }
        Ok(())
    }

    /// Members are numbered through: group by group.
    fn start(&self, fleet: &mut Fleet, group: usize, set: usize, random: &mut SmallRng) {
        for member in 0..self.members {
            let profile = Profile {
                group: format!("{}-{group}", self.topic),
                topic: self.topic.clone(),
                partitions: self.members as i32,
                session_timeout: SESSION_TIMEOUT,
                heartbeat_interval: Some(FORMING_INTERVAL),
            };
            let joining = Member::new(self.protocol, profile, random.random(), Instant::now());
            let number = fleet.seat(joining, set * self.members + member);
            assert_eq!(number, group * self.members + member, "groups start in order");
        }
    }

    /// All members of one generation, with one partition each.
    fn has_formed(&self, fleet: &Fleet, group: usize) -> bool {
        let mut members = (group * self.members..(group + 1) * self.members).map(|member| fleet.member(member));
        let generation = fleet.member(group * self.members).settled();
        generation.is_some() && members.all(|member| member.settled() == generation && member.partitions().len() == 1)
    }

    fn settle(&self, fleet: &mut Fleet, group: usize, random: &mut SmallRng) {
        for member in group * self.members..(group + 1) * self.members {
            let due = Instant::now() + HEARTBEAT_INTERVAL.mul_f64(random.random());
            fleet.pace(member, HEARTBEAT_INTERVAL, due);
        }
    }
}

fn beat_until(fleet: &mut Fleet, end: Instant, tally: &mut Tally, errors: &mut u64) -> Result<(), GroupsError> {
    let mut events = Vec::new();
    while Instant::now() < end {
        fleet.turn(end, &mut events)?;
        for event in events.drain(..) {
            if let Event::Member { news, sent, received, .. } = event {
                tally.record(sent.due, sent.at, received);
                *errors += u64::from(news != News::Alive);
            }
        }
    }
    Ok(())
}
