//! Members whose connection is lost: they are out after a grace, not only when their session is over.
//!
//! A process that dies has its connections closed by its kernel at once, while Kafka waits for the session timeout, 45 s by
//! default. Here the coordinator knows which connection each member was last heard on. When that one closes, the member
//! gets until its next heartbeat is due, and `group.disconnect.grace.ms` more to reconnect; whatever it sends, on any
//! connection, gives it its whole session again.
//!
//! Invariants: a member that has parked a request is seen by that request's connection, whatever it sends elsewhere (some
//! clients keep a connection of its own for JoinGroup and SyncGroup, and close it when it is idle). Static members
//! keep their whole session, as they are meant to survive a restart. The index holds exactly the pairs of a connection
//! and a group some member of which was heard on it, until the connection is lost or the group is gone.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Groups;
use super::classic_group::ClassicGroup;
use super::group::Group;
use super::outbox::Turn;

/// How often members send heartbeats unless told otherwise, in ms: `heartbeat.interval.ms` of the Java client, librdkafka,
/// franz-go and KafkaJS. A member that does so more rarely needs a longer grace.
const HEARTBEAT_INTERVAL_MS: i64 = 3_000;

/// Names a client's connection. The caller gives each a number of its own, and never the same twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A member's connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost {
    /// Ms since the epoch.
    pub since_ms: i64,
    /// When to take the member for dead; `None` where only its session counts.
    pub deadline: Option<i64>,
}

impl Lost {
    /// Now. The member has until its heartbeat is due, and the grace more; one with an instance id has its session.
    pub fn new(turn: &Turn<'_>, next_heartbeat_ms: i64, instance_id: Option<&str>) -> Lost {
        let grace_ms = turn.config.disconnect_grace_ms.filter(|_| instance_id.is_none());
        let deadline = grace_ms.map(|grace_ms| turn.now_ms.max(next_heartbeat_ms) + grace_ms);
        Lost { since_ms: turn.now_ms, deadline }
    }
}

/// Which groups are to hear of a connection's end.
#[derive(Debug, Default)]
pub(super) struct Connections {
    groups: BTreeSet<(ConnectionId, Arc<str>)>,
}

impl Connections {
    pub fn insert(&mut self, connection: ConnectionId, group_id: &Arc<str>) {
        if !self.groups.contains(&(connection, group_id.clone())) {
            self.groups.insert((connection, group_id.clone()));
        }
    }

    pub fn remove_group(&mut self, group: &Group) {
        for &connection in group.connections() {
            self.groups.remove(&(connection, group.id().clone()));
        }
    }

    /// All pairs, in order.
    #[cfg(test)]
    pub fn pairs(&self) -> Vec<(ConnectionId, Arc<str>)> {
        self.groups.iter().cloned().collect()
    }

    /// Forgets the connection and returns its groups.
    fn take(&mut self, connection: ConnectionId) -> Vec<Arc<str>> {
        let first = (connection, Arc::from(""));
        let ours = self.groups.range(first..).take_while(|(known, _)| *known == connection);
        let ours: Vec<_> = ours.map(|(_, group_id)| group_id.clone()).collect();
        for group_id in &ours {
            self.groups.remove(&(connection, group_id.clone()));
        }
        ours
    }
}

impl Groups {
    /// A client's connection has ended, and not because the broker stops.
    pub fn disconnected(&mut self, now_ms: i64, connection: ConnectionId) {
        for group_id in self.connections.take(connection) {
            self.with_group(now_ms, &group_id, |group, turn| group.disconnected(turn, connection));
        }
        self.fail_unwritable(now_ms);
    }
}

impl ClassicGroup {
    /// A member has sent something that counts as a sign of life.
    pub fn heard(&mut self, turn: &Turn<'_>, member_id: &str) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.heard(turn.now_ms, turn.from);
        self.connections.extend(turn.from);
    }

    pub fn disconnected(&mut self, turn: &Turn<'_>, connection: ConnectionId) {
        self.connections.remove(&connection);
        for member in self.members.values_mut().filter(|member| member.connection == Some(connection)) {
            let is_silent_by_right = member.awaiting_join.is_some() || member.awaiting_sync.is_some();
            let next_heartbeat_ms = match member.last_heard_ms {
                Some(heard_ms) if !is_silent_by_right => heard_ms + HEARTBEAT_INTERVAL_MS,
                _ => turn.now_ms,
            };
            member.connection = None;
            member.lost = Some(Lost::new(turn, next_heartbeat_ms, member.instance_id.as_deref()));
        }
    }
}
