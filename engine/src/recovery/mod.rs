//! Recovery: brings a data folder from whatever a crash left to one in which every file is exact, synced and trusted,
//! and no journal is needed.
//!
//! It runs before anything is placed, over the journals of all cores that there were. Until every verdict is in
//! (`journal::reader`, `verdict`), it changes nothing but to finish the removal of deleted partitions, and the replacement
//! of cleaned segments, which lie below every checkpoint. Then it writes each
//! entry that is needed at its place, scans what the last checkpoint does not vouch for, cuts files to their exact size,
//! syncs, and last of all replaces the checkpoint that voids the journals. So a crash, or a refusal, at any point leaves it
//! to be done again.
//!
//! # The cases
//! Each has a test of its own, `case_<letter>_…` in `engine/tests/recovery_table.rs`. `journal::reader` and `verdict` decide them
//! purely, and have tables of their own that go into more detail.
//!
//! | case | found | what becomes of it |
//! |---|---|---|
//! | A | a clean stop | nothing to do |
//! | B | whole groups, each following the one before | carried out |
//! | C | behind them the remains of one more group | it is cut, and its place told |
//! | D | a group is missing or bad, and a later one of the same start is whole | refused, P0104: acknowledged records are lost |
//! | E | the next group is whole, but does not follow the one before | refused, P0104 |
//! | F | a group of a newer format, or with an unknown kind of entry | refused, P0102 |
//! | G | the journal file that the checkpoint needs is missing | refused, P0103 |
//! | H | a checkpoint is damaged, or of another start than those beside it | refused, P0101; P0102 if it is newer |
//! | I | an entry goes elsewhere than where the log ends | refused, P0105 |
//! | J | a segment that the checkpoint vouches for is missing | refused, P0105 |
//! | K | such a segment is shorter than the checkpoint says | refused, P0105 |
//! | L | what the checkpoint or the journal vouches for is no whole batch, or out of order | refused, P0106 |
//! | M | segments of a partition that neither checkpoint nor journal knows | adopted up to the first fault, and what is behind it goes |
//! | N | a segment goes on behind the log's end: extents ahead, or filed and never acknowledged | cut to its exact size |
//! | O | a whole segment behind the log's end | removed |
//! | P | a segment wholly below the log's start | left to the log, which removes it once a producer snapshot at its end is durable |
//! | Q | a partition's folder with neither metadata nor segments | removed: it never took a record |
//! | R | a folder whose metadata is missing or unreadable, or two folders of one partition | refused, P0107 |
//! | S | the folder of a deleted partition | removed |
//! | T | a cleaned segment whose replacement of others was decided | put into their place |
//! | U | a cleaned segment that was not decided on | left to `Log::open`, which removes it |
//! | V | records in the journal of a partition without a folder | named: only the catalog can say whether it was deleted (P0303) |
//! | W | journals of cores that there are no more | carried out like all others |
//! | X | the disk fails | refused, P0108; the next attempt begins anew |
//!
//! C is a write that a crash cut short, and that nobody was told of: one group is in flight at a time, and the next is written
//! only when it is whole. A last group that was acknowledged and that the device has damaged since looks the same, and is cut
//! too: nothing behind it tells the two apart, and to refuse would stop every start after a power cut. Its place is in the
//! log, and in what `partita check` says before the start.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use wire::TopicPartitionId;

use crate::append::Mark;
use crate::checkpoint::{self, Checkpoint, PartitionState, RECOVERED_CORE};
use crate::disk::Disk;
use crate::error::EngineError;
use crate::journal::growth::make_dir;
use crate::journal::ring::Head;
use crate::journal::writer::Identity;
use crate::log::Trusted;

mod error;
mod folders;
mod journals;
mod partition;
mod replay;
mod scan;
pub mod verdict;

pub use error::{Code, RecoveryError};
use folders::Folder;
use journals::Journals;
pub(crate) use replay::write_pieces;

/// A partition's log, fit to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredLog {
    /// Which partition it is.
    pub key: TopicPartitionId,
    /// The topic's name.
    pub topic: String,
    /// Its folder.
    pub dir: PathBuf,
    /// What `Log::open` may rely on.
    pub trusted: Trusted,
    /// Where it ends.
    pub end: Mark,
}

/// What recovery did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Journals that were needed.
    pub journals: usize,
    /// Groups in them that were carried out.
    pub groups: usize,
    /// Bytes that had to be written into segments.
    pub bytes_written: u64,
    /// Journal files and positions of groups whose write a crash cut short.
    pub torn: Vec<(PathBuf, u64)>,
    /// Segments that were cut to their exact size, or removed.
    pub segments_cut: usize,
    /// Cleaned segments that were put into the place of those they stand for.
    pub swaps_completed: usize,
    /// Folders that were removed because their partition was deleted, or never completely made.
    pub folders_removed: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} journals needed, {} groups carried out, {} bytes written, {} segments cut, {} replaced by cleaned ones, \
             {} folders removed",
            self.journals,
            self.groups,
            self.bytes_written,
            self.segments_cut,
            self.swaps_completed,
            self.folders_removed
        )?;
        for (path, position) in &self.torn {
            write!(f, "; a group cut short at byte {position} of {} dropped", path.display())?;
        }
        Ok(())
    }
}

/// A recovered data folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// All partitions' logs, by key.
    pub logs: Vec<RecoveredLog>,
    /// Partitions that the journals have records of, but that have no folder. Those that the catalog has deleted are
    /// well; any other is a loss.
    pub missing: Vec<TopicPartitionId>,
    /// What was done.
    pub report: Report,
}

/// Recovers `data_dir`, whose journals are under `journal_dir`.
///
/// # Errors
/// A refusal, with its code and what to do. It changes nothing that was acknowledged, and can be tried again.
pub async fn recover<D: Disk>(disk: &D, data_dir: &Path, journal_dir: &Path) -> Result<Recovery, RecoveryError> {
    let checkpoint_dir = checkpoint::dir(data_dir);
    make_dir(disk, &checkpoint_dir).await.map_err(RecoveryError::of(Code::Disk))?;
    let known = load_checkpoints(disk, data_dir).await?;
    let mut report = Report::default();
    let folders = folders::find(disk, data_dir, &mut report).await?;
    let journals = Journals::judge(disk, journal_dir, &known.unclean, &mut report).await?;
    let plans = plan(&folders, &known.states, &journals)?;
    report.bytes_written = journals.replay(disk, &folders, &plans).await?;
    let mut logs = Vec::with_capacity(folders.len());
    for (key, folder) in &folders {
        let plan = &plans[key];
        let end = partition::settle(disk, folder, plan, journals.has_entries(key), &mut report).await?;
        let trusted = Trusted { log_start: plan.log_start.min(end.offset), unclosed_from: plan.from.segment_base };
        logs.push(RecoveredLog { key: *key, topic: folder.topic.clone(), dir: folder.dir.clone(), trusted, end });
    }
    let missing = journals.keys().filter(|key| !folders.contains_key(key)).collect();
    let state = |log: &RecoveredLog| PartitionState { key: log.key, log_start: log.trusted.log_start, mark: log.end };
    let recovered = Checkpoint {
        identity: Identity { core: RECOVERED_CORE, boot_epoch: known.boot_epoch + 1, salt: 0 },
        clean: true,
        head: Head { file: 0, sequence: 0, previous_crc: 0 },
        partitions: logs.iter().map(state).collect(),
    };
    recovered.store(disk, data_dir).await.map_err(RecoveryError::of(Code::Disk))?;
    for core in known.cores {
        let path = checkpoint::path(data_dir, core);
        disk.remove_file(&path)
            .await
            .map_err(|error| RecoveryError::of(Code::Disk)(EngineError::disk(&path)(error)))?;
    }
    Ok(Recovery { logs, missing, report })
}

/// What the checkpoints say together.
struct Known {
    /// The newest boot epoch that any of them names.
    boot_epoch: u64,
    states: BTreeMap<TopicPartitionId, PartitionState>,
    /// Those of cores whose journal is needed.
    unclean: Vec<Checkpoint>,
    /// All cores that have one.
    cores: Vec<u16>,
}

async fn load_checkpoints<D: Disk>(disk: &D, data_dir: &Path) -> Result<Known, RecoveryError> {
    let load = async |core| {
        let loaded = Checkpoint::load(disk, data_dir, core).await;
        loaded.map_err(RecoveryError::of(Code::CheckpointDamaged))
    };
    let recovered = load(RECOVERED_CORE).await?;
    let voided = recovered.as_ref().map_or(0, |recovered| recovered.identity.boot_epoch);
    let partitions = recovered.map(|recovered| recovered.partitions).unwrap_or_default();
    let states = partitions.into_iter().map(|state| (state.key, state)).collect();
    let mut known = Known { boot_epoch: voided, states, unclean: Vec::new(), cores: Vec::new() };
    let dir = checkpoint::dir(data_dir);
    let entries = disk.list(&dir).await.map_err(EngineError::disk(&dir)).map_err(RecoveryError::of(Code::Disk))?;
    for core in entries.iter().filter_map(|entry| checkpoint::core_of_name(&entry.name)) {
        let Some(checkpoint) = load(core).await? else { continue };
        known.cores.push(core);
        let Identity { boot_epoch, core: named, .. } = checkpoint.identity;
        if boot_epoch <= voided {
            continue;
        }
        if named != core || known.boot_epoch > voided && known.boot_epoch != boot_epoch {
            let what = "it is of another start, or of another core, than its place says";
            return Err(RecoveryError::new(Code::CheckpointDamaged, &checkpoint::path(data_dir, core), 0, what));
        }
        known.boot_epoch = boot_epoch;
        known.states.extend(checkpoint.partitions.iter().map(|state| (state.key, *state)));
        if !checkpoint.clean {
            known.unclean.push(checkpoint);
        }
    }
    Ok(known)
}

fn plan(
    folders: &BTreeMap<TopicPartitionId, Folder>,
    states: &BTreeMap<TopicPartitionId, PartitionState>,
    journals: &Journals,
) -> Result<BTreeMap<TopicPartitionId, verdict::Plan>, RecoveryError> {
    let mut plans = BTreeMap::new();
    for (key, folder) in folders {
        let plan = verdict::judge(&folder.segments, states.get(key), journals.entries(key))
            .map_err(|refusal| RecoveryError::refused(&folder.segment_path(refusal.segment_base()), refusal))?;
        plans.insert(*key, plan);
    }
    Ok(plans)
}
