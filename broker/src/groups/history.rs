//! What has happened to a group lately: for those who ask why it does not move, and for its metrics.
//!
//! Invariants: bounded, whatever clients do: a few entries each, with texts cut short. Nothing is decided by it, and it does
//! not survive a restart.

use std::collections::VecDeque;

use wire::ErrorCode;

use super::member::Member;

/// How many events, and how many refusals, a group remembers.
const REMEMBERED_MAX: usize = 8;
/// The longest text of a client that is remembered, in bytes.
const TEXT_BYTES_MAX: usize = 255;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// What makes a group rebalance.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// All of them, in their order.
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// A name for metrics and machines.
            pub fn name(self) -> &'static str {
                match self {
                    $(Reason::$name => $label,)*
                }
            }
        }
    };
}

reasons! {
    /// A new member.
    MemberJoined = "member_joined",
    /// A member has joined again: it has other metadata, or leads and wants everything assigned anew.
    MemberRejoined = "member_rejoined",
    /// A static member has come back with something else to say, or while an assignment was under way.
    StaticMemberReturned = "static_member_returned",
    /// A member has left, or was removed by an administrator.
    MemberLeft = "member_left",
    /// A member was silent for its session timeout.
    SessionExpired = "session_expired",
    /// A member's connection was lost, and it has not come back in time.
    ConnectionLost = "connection_lost",
    /// A member has not rejoined within the rebalance timeout.
    RejoinMissed = "rejoin_missed",
    /// A member has joined and not sent SyncGroup within the rebalance timeout.
    SyncMissed = "sync_missed",
    /// A member has not given up in time what it was to give up.
    RevocationMissed = "revocation_missed",
    /// A member subscribes to something else.
    SubscriptionChanged = "subscription_changed",
    /// The subscribed topics look different: they were created or deleted, or have more partitions.
    TopicsChanged = "topics_changed",
    /// The assignment could not be written.
    AssignmentFailed = "assignment_failed",
    /// The last member of the new protocol is gone, and the group goes on as a classic one.
    GroupDowngraded = "group_downgraded",
    /// The group has more members than it may have.
    GroupTooLarge = "group_too_large",
}

/// A member, as people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Its member id.
    pub member_id: String,
    /// The id that a static member keeps.
    pub instance_id: Option<String>,
    /// The name that its client gives itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
}

impl From<&Member> for Who {
    fn from(member: &Member) -> Who {
        Who::new(&member.id, member.instance_id.as_deref(), &member.client_id, &member.client_host)
    }
}

impl Who {
    pub(super) fn new(member_id: &str, instance_id: Option<&str>, client_id: &str, client_host: &str) -> Who {
        Who {
            member_id: shortened(member_id),
            instance_id: instance_id.map(shortened),
            client_id: shortened(client_id),
            client_host: client_host.to_owned(),
        }
    }
}

fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, in ms since the epoch.
    pub at_ms: i64,
    /// What.
    pub reason: Reason,
    /// The member that did it, or that it was done to.
    pub who: Option<Who>,
}

/// A rebalance that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebalance {
    /// When it began, in ms since the epoch.
    pub since_ms: i64,
    /// What it began with.
    pub cause: Option<Event>,
}

/// A request that was refused because whoever sent it is not, or no longer, who it says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// When, in ms since the epoch.
    pub at_ms: i64,
    /// The API's name.
    pub api: &'static str,
    /// The member id that it gave.
    pub member_id: String,
    /// The generation or member epoch that it gave.
    pub given: i32,
    /// The group's generation, or the member's epoch, at that time.
    pub current: i32,
    /// What it was told.
    pub error: ErrorCode,
    /// How often this member was told so by this API.
    pub times: u64,
}

/// What is counted of a group, since its coordinator knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rebalances that have begun, by [`Reason`] in the order of [`Reason::ALL`].
    pub rebalances: [u64; Reason::ALL.len()],
    /// Ms that rebalances took which are over.
    pub rebalance_ms: u64,
    /// Ms that members waited, in all, for others to join.
    pub join_wait_ms: u64,
    /// Members whose session was over.
    pub sessions_expired: u64,
    /// Members that were out because their connection was lost.
    pub connections_lost: u64,
    /// Commits that were refused because of who sent them.
    pub commits_fenced: u64,
    /// Commits taken.
    pub commits: u64,
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        for (count, more) in self.rebalances.iter_mut().zip(other.rebalances) {
            *count += more;
        }
        self.rebalance_ms += other.rebalance_ms;
        self.join_wait_ms += other.join_wait_ms;
        self.sessions_expired += other.sessions_expired;
        self.connections_lost += other.connections_lost;
        self.commits_fenced += other.commits_fenced;
        self.commits += other.commits;
    }
}

/// The memory of a group.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The newest last.
    pub events: VecDeque<Event>,
    /// The newest last.
    pub refused: VecDeque<Refused>,
    /// The rebalance under way.
    pub rebalance: Option<Rebalance>,
    /// When the last one ended, in ms since the epoch.
    pub rested_ms: Option<i64>,
    pub counts: Counts,
}

impl History {
    /// Something that may, or may not, make the group rebalance.
    pub fn happened(&mut self, at_ms: i64, reason: Reason, who: Option<Who>) {
        match reason {
            Reason::SessionExpired => self.counts.sessions_expired += 1,
            Reason::ConnectionLost => self.counts.connections_lost += 1,
            _ => {}
        }
        push(&mut self.events, Event { at_ms, reason, who });
    }

    /// A rebalance begins because of what has happened last; one that did not come to its end goes on.
    pub fn rebalance_began(&mut self, now_ms: i64) {
        let cause = self.events.back();
        if let Some(cause) = cause {
            self.counts.rebalances[cause.reason as usize] += 1;
        }
        self.rebalance.get_or_insert_with(|| Rebalance { since_ms: now_ms, cause: cause.cloned() });
    }

    /// A member has waited for others to join.
    pub fn join_waited(&mut self, ms: i64) {
        self.counts.join_wait_ms += u64::try_from(ms).unwrap_or(0);
    }

    /// Everybody has an assignment, or nobody is left.
    pub fn rebalance_ended(&mut self, now_ms: i64) {
        self.rested_ms = Some(now_ms);
        if let Some(began) = self.rebalance.take() {
            self.counts.rebalance_ms += u64::try_from(now_ms - began.since_ms).unwrap_or(0);
        }
    }

    /// Goes on after what is remembered of the same group in its other type.
    pub fn follow(&mut self, former: History) {
        let History { events, refused, rebalance, rested_ms, counts } = former;
        let events = events.into_iter().chain(std::mem::take(&mut self.events));
        let refused = refused.into_iter().chain(std::mem::take(&mut self.refused));
        events.for_each(|event| push(&mut self.events, event));
        refused.for_each(|refused| push(&mut self.refused, refused));
        self.rebalance = rebalance.or(self.rebalance.take());
        self.rested_ms = self.rested_ms.or(rested_ms);
        self.counts.add(&counts);
    }

    /// A request was refused; only those count whose sender is not who it says it is.
    pub fn refused(&mut self, refused: Refused) {
        let fenced = [
            ErrorCode::UnknownMemberId,
            ErrorCode::IllegalGeneration,
            ErrorCode::FencedInstanceId,
            ErrorCode::FencedMemberEpoch,
            ErrorCode::StaleMemberEpoch,
        ];
        if !fenced.contains(&refused.error) {
            return;
        }
        if refused.api == "OffsetCommit" {
            self.counts.commits_fenced += 1;
        }
        let mut refused = Refused { member_id: shortened(&refused.member_id), ..refused };
        let is_same = |known: &Refused| {
            (known.api, known.error, &known.member_id) == (refused.api, refused.error, &refused.member_id)
        };
        if let Some(known) = self.refused.iter().position(is_same).and_then(|index| self.refused.remove(index)) {
            refused.times += known.times;
        }
        push(&mut self.refused, refused);
    }
}

fn push<T>(entries: &mut VecDeque<T>, entry: T) {
    if entries.len() == REMEMBERED_MAX {
        entries.pop_front();
    }
    entries.push_back(entry);
}
