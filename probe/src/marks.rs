//! The rare paths that are marked.

/// A path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A group found no room in the journal.
    JournalFull,
    /// The journal got another file.
    JournalGrown,
    /// A checkpoint freed a journal file.
    JournalFileFreed,
    /// Recovery met a part of the journal that cannot be read.
    JournalUnreadable,
    /// Recovery cut a torn group.
    GroupTorn,
    /// The beginning of a block that will be rewritten went into the journal.
    BlockJournaled,
    /// An append waited for memory.
    MemoryFull,
    /// A tail was let go of because memory was short.
    TailEvicted,
    /// Bytes were filed because memory was short.
    FilingForced,
    /// A full disk had space again.
    SpaceReturned,
    /// A segment was rolled.
    SegmentRolled,
    /// A segment was removed.
    SegmentRemoved,
    /// Recovery cut or synced a segment.
    SegmentSettled,
    /// Recovery met blocks of a segment that cannot be read.
    SegmentUnreadable,
    /// Recovery wrote what the journal holds into a segment.
    Redone,
    /// Recovery found what the journal holds in the segment already.
    RedoneOverFiled,
    /// A start rebuilt a segment's indexes.
    IndexRebuilt,
    /// A start removed the folder of a deleted or unfinished partition.
    FolderRemovedAtStart,
    /// A start completed a compaction.
    SwapCompletedAtStart,
    /// A read had to ask the disk.
    ReadFromFile,
    /// An append was taken back because the store had no room.
    AppendTakenBack,
    /// A batch came again and was recognized.
    DuplicateRecognized,
    /// A batch out of order was refused.
    OutOfOrderRefused,
    /// A fetch waited for more.
    FetchParked,
}

impl Mark {
    /// All of them: a run of many seeds reaches each.
    pub const ALL: &[Mark] = &[
        Mark::JournalFull,
        Mark::JournalGrown,
        Mark::JournalFileFreed,
        Mark::JournalUnreadable,
        Mark::GroupTorn,
        Mark::BlockJournaled,
        Mark::MemoryFull,
        Mark::TailEvicted,
        Mark::FilingForced,
        Mark::SpaceReturned,
        Mark::SegmentRolled,
        Mark::SegmentRemoved,
        Mark::SegmentSettled,
        Mark::SegmentUnreadable,
        Mark::Redone,
        Mark::RedoneOverFiled,
        Mark::IndexRebuilt,
        Mark::FolderRemovedAtStart,
        Mark::SwapCompletedAtStart,
        Mark::ReadFromFile,
        Mark::AppendTakenBack,
        Mark::DuplicateRecognized,
        Mark::OutOfOrderRefused,
        Mark::FetchParked,
    ];
}
