//! Settings that each group may change for itself, between bounds of the broker's (Kafka's `GroupConfigManager`).

use super::outbox::Turn;
use crate::catalog::ResourceType;

/// A time of groups of the new protocol, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupSetting {
    /// What holds for groups that have not set it.
    pub default_ms: i32,
    /// The least that a group may have.
    pub ms_min: i32,
    /// The most that a group may have; not less than the least.
    pub ms_max: i32,
}

impl GroupSetting {
    /// The same for all groups.
    pub fn fixed(ms: i32) -> GroupSetting {
        GroupSetting { default_ms: ms, ms_min: ms, ms_max: ms }
    }

    /// What holds for a group; its own setting may be from a time when the broker had other bounds.
    fn with_own(self, own_ms: Option<i32>) -> i32 {
        own_ms.map_or(self.default_ms, |own_ms| own_ms.clamp(self.ms_min, self.ms_max))
    }
}

impl Turn<'_> {
    /// How often members of this group are told to send heartbeats, in ms.
    pub fn heartbeat_interval_ms(&self, group_id: &str) -> i32 {
        let own_ms = self.own_ms(group_id, "consumer.heartbeat.interval.ms");
        self.config.consumer.heartbeat_interval.with_own(own_ms)
    }

    /// How long a member of this group may be silent, in ms.
    pub fn session_timeout_ms(&self, group_id: &str) -> i32 {
        let own_ms = self.own_ms(group_id, "consumer.session.timeout.ms");
        self.config.consumer.session_timeout.with_own(own_ms)
    }

    fn own_ms(&self, group_id: &str, name: &str) -> Option<i32> {
        let value = self.image.own_configs(ResourceType::Group, group_id)?.get(name)?;
        Some(value.parse().expect("what is in the catalog is checked"))
    }
}
