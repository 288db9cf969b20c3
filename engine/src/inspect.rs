//! Looks through a partition's folder, batch by batch, and says what is wrong with it. Changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use wire::batch::BatchHeader;

use crate::disk::Disk;
use crate::error::EngineError;
use crate::files::read_file;
use crate::leader_epochs::{LEADER_EPOCH_BYTES_MAX, LEADER_EPOCH_FILE, LeaderEpochs};
use crate::producer_snapshot::{self, SNAPSHOT_BYTES_MAX};
use crate::segment::names::{FileKind, file_name, parse_file_name};
use crate::segment::{Indexes, Rotten, SegmentFiles, SegmentView, Stretch, Survey};

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Segments with anything in them.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whole batches.
    pub batches: u64,
    /// Records in those.
    pub records: u64,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A stretch of a segment is no whole batch: its records cannot be read.
    Rotten(Rotten),
    /// An index does not fit its segment: readers may miss records until it is made anew.
    Index(String),
    /// Leader epochs or producer state cannot be read.
    Derived(String),
}

/// A file with a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

/// A partition's segments, by base offset, with the length and the end offset of each: that of the last is open.
pub async fn segments<D: Disk>(disk: &D, dir: &Path) -> Result<Vec<(i64, u64, i64)>, EngineError> {
    let entries = disk.list(dir).await.map_err(EngineError::disk(dir))?;
    let lens: BTreeMap<i64, u64> = entries
        .iter()
        .filter_map(|entry| Some((parse_file_name(&entry.name)?, entry.len)))
        .filter(|((_, kind), _)| *kind == FileKind::Log)
        .map(|((base_offset, _), len)| (base_offset, len))
        .collect();
    let ends = lens.keys().copied().skip(1).chain([i64::MAX]);
    Ok(lens.iter().zip(ends).map(|((base_offset, len), end)| (*base_offset, *len, end)).collect())
}

/// The view of a whole segment in a partition's folder.
pub fn view<D: Disk>(disk: &D, dir: &Rc<Path>, (base_offset, len, end_offset): (i64, u64, i64)) -> SegmentView<D> {
    let files = SegmentFiles::new(disk, dir, base_offset);
    SegmentView::new(&files, end_offset, len, (len, Vec::new()), Some(0))
}

/// Looks through the folder `dir`. Unless the lengths of its files are exact, as recovery leaves them, the last segment
/// may end in what was never acknowledged.
///
/// # Errors
/// The disk's, where a folder cannot be listed or a file not opened.
pub async fn inspect_partition<D: Disk>(
    disk: &D,
    dir: &Path,
    is_exact: bool,
    seen: &mut Seen,
    found: &mut impl FnMut(Found),
) -> Result<(), EngineError> {
    let shared: Rc<Path> = dir.into();
    let segments = segments(disk, dir).await?;
    for (index, segment) in segments.iter().copied().enumerate() {
        if segment.1 == 0 {
            continue;
        }
        let may_end_torn = !is_exact && index + 1 == segments.len();
        let view = view(disk, &shared, segment);
        inspect_segment(disk, dir, &view, may_end_torn, seen, found).await?;
    }
    inspect_derived(disk, dir, found).await
}

async fn inspect_segment<D: Disk>(
    disk: &D,
    dir: &Path,
    view: &SegmentView<D>,
    may_end_torn: bool,
    seen: &mut Seen,
    found: &mut impl FnMut(Found),
) -> Result<(), EngineError> {
    let base_offset = view.base_offset();
    let files = SegmentFiles::new(disk, &dir.into(), base_offset);
    let stored = files.load_indexes(view.size(), view.end_offset()).await?;
    let mut indexes = stored.map(Checked::new);
    let mut survey = Survey::new(view, 0, base_offset);
    let mut rotten = Vec::new();
    seen.segments += 1;
    seen.bytes += view.size();
    while let Some(stretch) = survey.next().await? {
        match stretch {
            Stretch::Whole { position, header } => {
                seen.batches += 1;
                seen.records += u64::try_from(header.record_count).unwrap_or(0);
                if let Some(indexes) = &mut indexes {
                    indexes.pass(position, &header);
                }
            }
            Stretch::Rotten(stretch) => rotten.push(stretch),
        }
    }
    if may_end_torn {
        rotten.pop_if(|last| last.position + last.len == view.size());
    }
    let is_whole = rotten.is_empty();
    for stretch in rotten {
        found(Found { path: view.path(), problem: Problem::Rotten(stretch) });
    }
    // Of a damaged segment the index rightly names what is no longer there.
    if is_whole && let Some(what) = indexes.and_then(Checked::into_problem) {
        let path = dir.join(file_name(base_offset, FileKind::OffsetIndex));
        found(Found { path, problem: Problem::Index(what) });
    }
    Ok(())
}

/// Stored indexes, compared with the batches that pass.
struct Checked {
    indexes: Indexes,
    next: usize,
    wrong: Option<String>,
    largest: i64,
}

impl Checked {
    fn new(indexes: Indexes) -> Self {
        Self { indexes, next: 0, wrong: None, largest: -1 }
    }

    fn pass(&mut self, position: u64, header: &BatchHeader) {
        self.largest = self.largest.max(header.max_timestamp);
        while let Some((offset, at)) = self.indexes.offsets.get(self.next)
            && at <= position
        {
            if (offset, at) != (header.last_offset(), position) {
                self.wrong.get_or_insert(format!("it says that the batch ending at offset {offset} is at byte {at}"));
            }
            self.next += 1;
        }
    }

    fn into_problem(self) -> Option<String> {
        if self.next < self.indexes.offsets.len() {
            return Some("it names batches beyond the end of the segment".to_owned());
        }
        let largest = self.indexes.times.last().map_or(-1, |entry| entry.timestamp);
        let is_beyond = largest > self.largest;
        self.wrong.or_else(|| is_beyond.then(|| format!("the time index names time {largest}, which no record has")))
    }
}

async fn inspect_derived<D: Disk>(disk: &D, dir: &Path, found: &mut impl FnMut(Found)) -> Result<(), EngineError> {
    let path = dir.join(LEADER_EPOCH_FILE);
    match read_file(disk, &path, LEADER_EPOCH_BYTES_MAX).await {
        Ok(bytes) => {
            if let Err(error) = LeaderEpochs::decode(&bytes) {
                found(Found { path, problem: Problem::Derived(error.to_string()) });
            }
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => found(Found { path, problem: Problem::Derived(error.to_string()) }),
    }
    for entry in disk.list(dir).await.map_err(EngineError::disk(dir))? {
        let Some((_, FileKind::ProducerSnapshot)) = parse_file_name(&entry.name) else { continue };
        let path = dir.join(&entry.name);
        let decoded = match read_file(disk, &path, SNAPSHOT_BYTES_MAX).await {
            Ok(bytes) => producer_snapshot::decode(&bytes).map(drop).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(what) = decoded {
            found(Found { path, problem: Problem::Derived(what) });
        }
    }
    Ok(())
}
