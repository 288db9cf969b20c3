//! What happened to groups in a run, counted: a run of many seeds in which something never did proves nothing about it.

use std::collections::BTreeMap;

/// Something that a group went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// A member got an assignment.
    Assigned,
    /// A member that had nothing to do got something.
    SteppedUp,
    /// A member gave something up and kept the rest.
    RevokedIncrementally,
    /// A member died and its connections were closed.
    Died,
    /// A member died and its connections stayed.
    Vanished,
    /// A member left with a goodbye.
    Left,
    /// A member stood still for longer than its session.
    FrozeTooLong,
    /// A member was offline.
    Offline,
    /// Nothing arrived at a member for a time.
    Stalled,
    /// A member learnt that it was taken for dead.
    Expired,
    /// A static member took its former self's place.
    StaticReturn,
    /// A member learnt that another one has its instance id.
    InstanceFenced,
    /// A commit was refused because its member is not known or its generation is over.
    CommitFenced,
    /// A classic member's commit was refused because its generation is over.
    StaleGenerationRefused,
    /// A commit was refused because its member epoch is over (KIP-848).
    StaleMemberEpochRefused,
    /// The broker began to put a compacted segment in the place of others.
    Compacted,
    /// Closed segments were scrubbed.
    Scrubbed,
    /// The broker ended while a group was rebalancing.
    CrashDuringRebalance,
    /// A group's topic got more partitions.
    TopicGrew,
    /// A group's topic was deleted.
    TopicDeleted,
}

impl Reached {
    /// All of it: in a run of many seeds none may be missing.
    pub const ALL: &[Reached] = &[
        Reached::Assigned,
        Reached::SteppedUp,
        Reached::RevokedIncrementally,
        Reached::Died,
        Reached::Vanished,
        Reached::Left,
        Reached::FrozeTooLong,
        Reached::Offline,
        Reached::Stalled,
        Reached::Expired,
        Reached::StaticReturn,
        Reached::InstanceFenced,
        Reached::CommitFenced,
        Reached::StaleGenerationRefused,
        Reached::StaleMemberEpochRefused,
        Reached::Compacted,
        Reached::Scrubbed,
        Reached::CrashDuringRebalance,
        Reached::TopicGrew,
        Reached::TopicDeleted,
    ];
}

/// How often.
pub type Coverage = BTreeMap<Reached, u64>;
