//! All cores' journals: read and judged first, carried out later.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wire::TopicPartitionId;

use super::folders::Folder;
use super::verdict::{EntryInfo, Plan};
use super::{Code, RecoveryError, Report, replay};
use crate::checkpoint::Checkpoint;
use crate::disk::Disk;
use crate::journal::format::{BadGroup, Entry, Place, decode_group};
use crate::journal::growth::{core_dir_name, file_path, list_files};
use crate::journal::reader::{Verdict, find_groups, judge, read_whole};
use crate::journal::ring::Slot;

/// What the journals hold that may be needed.
pub struct Journals {
    /// Each with its folder and its groups in order.
    chains: Vec<(PathBuf, Vec<Slot>)>,
    entries: BTreeMap<TopicPartitionId, Vec<EntryInfo>>,
}

impl Journals {
    /// Reads the journals that these checkpoints' cores have left.
    pub async fn judge<D: Disk>(
        disk: &D,
        journal_dir: &Path,
        checkpoints: &[Checkpoint],
        report: &mut Report,
    ) -> Result<Journals, RecoveryError> {
        let mut journals = Journals { chains: Vec::new(), entries: BTreeMap::new() };
        for checkpoint in checkpoints {
            let dir = journal_dir.join(core_dir_name(checkpoint.identity.core));
            let chain = find_chain(disk, &dir, checkpoint, report).await?;
            report.journals += 1;
            report.groups += chain.len();
            let entries = &mut journals.entries;
            for_each_file(disk, &dir, &chain, async |groups| {
                for entry in groups {
                    entries.entry(entry.key).or_default().push(info(entry));
                }
                Ok(())
            })
            .await?;
            journals.chains.push((dir, chain));
        }
        Ok(journals)
    }

    /// The partitions that have entries.
    pub fn keys(&self) -> impl Iterator<Item = TopicPartitionId> {
        self.entries.keys().copied()
    }

    /// A partition's entries, in order.
    pub fn entries(&self, key: &TopicPartitionId) -> &[EntryInfo] {
        self.entries.get(key).map_or(&[], Vec::as_slice)
    }

    /// Whether a partition has entries.
    pub fn has_entries(&self, key: &TopicPartitionId) -> bool {
        self.entries.contains_key(key)
    }

    /// Writes what the plans need into the segments. Returns the bytes that had to be written.
    pub async fn replay<D: Disk>(
        &self,
        disk: &D,
        folders: &BTreeMap<TopicPartitionId, Folder>,
        plans: &BTreeMap<TopicPartitionId, Plan>,
    ) -> Result<u64, RecoveryError> {
        let mut written = 0;
        for (dir, chain) in &self.chains {
            for_each_file(disk, dir, chain, async |groups| {
                let mut pieces: BTreeMap<TopicPartitionId, Vec<(Place, &[u8])>> = BTreeMap::new();
                for entry in groups {
                    if plans.get(&entry.key).is_some_and(|plan| plan.needs(&info(entry))) {
                        pieces.entry(entry.key).or_default().push((entry.place, entry.bytes));
                    }
                }
                for (key, pieces) in &pieces {
                    let writing = replay::write_pieces(disk, &folders[key].dir, pieces).await;
                    written += writing.map_err(RecoveryError::of(Code::LogDamaged))?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(written)
    }
}

fn info(entry: &Entry<'_>) -> EntryInfo {
    EntryInfo { kind: entry.kind, base_offset: entry.base_offset, place: entry.place, len: entry.bytes.len() as u64 }
}

/// Calls `each` with the entries of each file's groups, file by file in the order of the chain: one file is in memory at
/// a time.
async fn for_each_file<D: Disk>(
    disk: &D,
    dir: &Path,
    chain: &[Slot],
    mut each: impl AsyncFnMut(&[Entry<'_>]) -> Result<(), RecoveryError>,
) -> Result<(), RecoveryError> {
    for slots in chain.chunk_by(|a, b| a.file == b.file) {
        let path = file_path(dir, slots[0].file);
        let bytes = read_whole(disk, &path).await.map_err(RecoveryError::of(Code::JournalDamaged))?;
        let mut entries = Vec::new();
        for slot in slots {
            let group = bytes.get(slot.position as usize..).ok_or(BadGroup::Invalid).and_then(decode_group);
            let group = group.map_err(|bad| {
                RecoveryError::new(Code::JournalDamaged, &path, slot.position, format!("it was whole before: {bad}"))
            })?;
            entries.extend(group.entries);
        }
        each(&entries).await?;
    }
    Ok(())
}

/// The groups to carry out, in order.
async fn find_chain<D: Disk>(
    disk: &D,
    dir: &Path,
    checkpoint: &Checkpoint,
    report: &mut Report,
) -> Result<Vec<Slot>, RecoveryError> {
    let files = list_files(disk, dir).await.map_err(RecoveryError::of(Code::Disk))?;
    let head = checkpoint.head;
    if !files.iter().any(|(number, _)| *number == head.file) {
        let what = "it is missing, and the last checkpoint needs it";
        return Err(RecoveryError::new(Code::JournalMissing, &file_path(dir, head.file), 0, what));
    }
    let mut found = Vec::new();
    for (number, _) in &files {
        let bytes = read_whole(disk, &file_path(dir, *number)).await.map_err(RecoveryError::of(Code::Disk))?;
        found.extend(find_groups(*number, &bytes));
    }
    let refuse =
        |code, slot: Slot, what: String| Err(RecoveryError::new(code, &file_path(dir, slot.file), slot.position, what));
    match judge(checkpoint.identity, head, &found) {
        Verdict::Empty => Ok(Vec::new()),
        Verdict::Whole(chain) => Ok(chain),
        Verdict::Torn(chain, torn) => {
            probe::reached!(GroupTorn);
            report.torn.push((file_path(dir, torn.file), torn.position));
            Ok(chain)
        }
        Verdict::Corrupt { expected, sequence, later } => refuse(
            Code::JournalDamaged,
            expected,
            format!(
                "group {sequence} is missing or damaged, but a later one is whole at byte {} of {}",
                later.position,
                file_path(dir, later.file).display()
            ),
        ),
        Verdict::Unchained(slot) => {
            refuse(Code::JournalDamaged, slot, "the group does not follow the one before it".to_owned())
        }
        Verdict::Unusable(slot, bad @ (BadGroup::TooNew(_) | BadGroup::UnknownKind(_))) => {
            refuse(Code::TooNew, slot, bad.to_string())
        }
        Verdict::Unusable(slot, bad) => refuse(Code::JournalDamaged, slot, bad.to_string()),
    }
}
