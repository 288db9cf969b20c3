//! The bugs that can be planted.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// The journal's writes are not flushed.
    SkipFlush,
    /// A produce request is acknowledged before its batch is durable.
    AckBeforeFlush,
    /// The high watermark is the log's end: consumers see what a crash may take.
    ReadBeforeFlush,
    /// The high watermark stays one offset behind what is durable.
    HighWatermarkBehind,
    /// A batch that shares its group with others is left out of the journal.
    DropJournalEntry,
    /// The bytes that a rewritten block begins with do not go into the journal first.
    DropBlockEntry,
    /// A checkpoint frees journal files that are still needed.
    FreeJournalEarly,
    /// A checkpoint takes segments for synced that are not.
    SkipSegmentSync,
    /// A closed segment is not synced.
    SkipClosingSync,
    /// Small files are renamed into their place without syncing the folder.
    LoseRename,
    /// Tails are let go of before they are filed.
    EvictUnfiled,
    /// The offset index points to the batch behind the right one.
    IndexOffByOne,
    /// Segments are removed that a replay still begins in.
    RemoveAboveCheckpoint,
    /// The log start's move is not in the journal.
    LogStartUnjournaled,
    /// Recovery leaves out the journal's last whole group.
    ForgetLastGroup,
    /// Recovery does not check the CRC of groups.
    TornGroupAccepted,
    /// What recovery has put together is not synced.
    RecoveryUnsynced,
    /// An append that the store has refused keeps its offsets.
    UndoNothing,
    /// A restart forgets the producers.
    ForgetProducers,
    /// Of each producer only the last batch is remembered.
    ForgetRecentBatches,
    /// Batches out of order are taken.
    SequenceUnchecked,
    /// A producer snapshot that has what is flushed counts for all that is appended.
    SnapshotAtLogEnd,
    /// Answers leave as they become ready.
    AnswerOutOfOrder,
    /// Two partitions of one request get each other's answers.
    AnswersSwapped,
    /// A read is sent to a core that does not own the partition.
    ForwardToWrongCore,
    /// A read begins one batch too late.
    FetchSkipsBatch,
    /// A deleted topic's folder is renamed without syncing.
    DeletionUnsynced,
    /// A restart hands out producer ids again.
    ProducerIdsRepeat,
    /// Compaction keeps the oldest record of a key.
    CompactionKeepsOldest,
    /// Compaction replaces segments that a replay still begins in.
    CompactionAboveCheckpoint,
    /// The swap of compacted segments is decided without syncing.
    SwapUnsynced,
    /// Compaction drops tombstones as soon as it meets them.
    TombstonesDropped,
    /// A commit of an old generation is taken.
    StaleGeneration,
    /// A commit of an old member epoch is taken.
    StaleMemberEpoch,
    /// A partition is given to its next owner before the last one has given it up.
    GrantBeforeRevoke,
    /// A member's epoch and partitions are not written.
    MemberUnwritten,
    /// Members that are silent stay.
    NobodyExpires,
    /// A commit is answered before it is durable.
    CommitBeforeDurable,
    /// Of a commit of several partitions the last one is forgotten.
    CommitsDropped,
    /// The last record of a change of the catalog is not written.
    CatalogTruncated,
    /// Loading a group takes the oldest of its committed offsets.
    OldestOffsetsLoaded,
    /// A batch that comes again is acknowledged although its original is not durable.
    DuplicateAckedEarly,
    /// Members are taken for dead after half of their session.
    ExpiresEarly,
}

impl Mutation {
    /// All of them.
    pub const ALL: &[Mutation] = &[
        Mutation::SkipFlush,
        Mutation::AckBeforeFlush,
        Mutation::ReadBeforeFlush,
        Mutation::HighWatermarkBehind,
        Mutation::DropJournalEntry,
        Mutation::DropBlockEntry,
        Mutation::FreeJournalEarly,
        Mutation::SkipSegmentSync,
        Mutation::SkipClosingSync,
        Mutation::LoseRename,
        Mutation::EvictUnfiled,
        Mutation::IndexOffByOne,
        Mutation::RemoveAboveCheckpoint,
        Mutation::LogStartUnjournaled,
        Mutation::ForgetLastGroup,
        Mutation::TornGroupAccepted,
        Mutation::RecoveryUnsynced,
        Mutation::UndoNothing,
        Mutation::ForgetProducers,
        Mutation::ForgetRecentBatches,
        Mutation::SequenceUnchecked,
        Mutation::SnapshotAtLogEnd,
        Mutation::AnswerOutOfOrder,
        Mutation::AnswersSwapped,
        Mutation::ForwardToWrongCore,
        Mutation::FetchSkipsBatch,
        Mutation::DeletionUnsynced,
        Mutation::ProducerIdsRepeat,
        Mutation::CompactionKeepsOldest,
        Mutation::CompactionAboveCheckpoint,
        Mutation::SwapUnsynced,
        Mutation::TombstonesDropped,
        Mutation::StaleGeneration,
        Mutation::StaleMemberEpoch,
        Mutation::GrantBeforeRevoke,
        Mutation::MemberUnwritten,
        Mutation::NobodyExpires,
        Mutation::CommitBeforeDurable,
        Mutation::CommitsDropped,
        Mutation::CatalogTruncated,
        Mutation::OldestOffsetsLoaded,
        Mutation::DuplicateAckedEarly,
        Mutation::ExpiresEarly,
    ];
}
