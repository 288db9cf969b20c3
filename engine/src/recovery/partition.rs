//! The last step for one partition: scan, cut, sync.

use super::folders::Folder;
use super::scan::{Progress, Rule, scan};
use super::verdict::Plan;
use super::{Code, RecoveryError, Report};
use crate::append::Mark;
use crate::disk::{Disk, DiskError, File, OpenMode};
use crate::error::EngineError;
use crate::segment::names::{FileKind, file_name};

/// Scans what nothing vouches for yet, cuts every segment to its exact size, removes those that are not of the log, and
/// syncs what has changed. Returns where the log ends.
pub async fn settle<D: Disk>(
    disk: &D,
    folder: &Folder,
    plan: &Plan,
    replayed: bool,
    report: &mut Report,
) -> Result<Mark, RecoveryError> {
    let settling = Settling { disk, folder, plan };
    let (end, lengths, removed) = match &plan.ends {
        Some(ends) => {
            let lengths: Vec<(i64, u64)> = ends.iter().map(|(base, end)| (*base, *end)).collect();
            (settling.scan_vouched(&lengths).await?, lengths, plan.remove.clone())
        }
        None => settling.adopt().await?,
    };
    let failed = RecoveryError::of(Code::Disk);
    let mut changed = false;
    for (base, length) in lengths {
        let exact = folder.segments.get(&base) == Some(&length);
        if exact && !replayed && plan.ends.is_some() {
            continue;
        }
        changed = true;
        report.segments_cut += usize::from(!exact);
        probe::reached!(SegmentSettled);
        settling.cut(base, length).await.map_err(&failed)?;
        // They may be of bytes that a crash has taken, from when the segment was closed before. They are derived again.
        settling.remove(base, &[FileKind::OffsetIndex, FileKind::TimeIndex]).await.map_err(&failed)?;
    }
    for base in removed {
        changed = true;
        report.segments_cut += 1;
        let kinds = [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TransactionIndex];
        settling.remove(base, &kinds).await.map_err(&failed)?;
    }
    if changed {
        disk.sync_dir(&folder.dir).await.map_err(EngineError::disk(&folder.dir)).map_err(&failed)?;
    }
    Ok(end)
}

struct Settling<'a, D> {
    disk: &'a D,
    folder: &'a Folder,
    plan: &'a Plan,
}

impl<D: Disk> Settling<'_, D> {
    /// Everything in `lengths` from the mark on must be whole.
    async fn scan_vouched(&self, lengths: &[(i64, u64)]) -> Result<Mark, RecoveryError> {
        let from = self.plan.from;
        let mut end = from;
        let mut progress = Progress { position: from.position, offset: from.offset, leader_epoch: -1 };
        for (base, length) in lengths {
            let base = *base;
            let path = self.folder.segment_path(base);
            if base > from.segment_base {
                progress.position = 0;
                if base != progress.offset {
                    let what = format!("the segment begins where offset {} follows", progress.offset);
                    return Err(RecoveryError::new(Code::LogDamaged, &path, 0, what));
                }
            }
            if progress.position < *length {
                let failed = RecoveryError::of(Code::LogDamaged);
                let file = self.disk.open(&path, OpenMode::Read).await;
                let file = file.map_err(EngineError::disk(&path)).map_err(&failed)?;
                progress = scan(&file, &path, Rule::Vouched, progress, *length).await.map_err(&failed)?;
            }
            end = Mark { segment_base: base, position: progress.position, offset: progress.offset };
        }
        Ok(end)
    }

    /// Takes what is whole, from the first segment on; nothing behind the first fault is of the log.
    async fn adopt(&self) -> Result<(Mark, Vec<(i64, u64)>, Vec<i64>), RecoveryError> {
        let failed = RecoveryError::of(Code::LogDamaged);
        let mut end = self.plan.from;
        let mut lengths: Vec<(i64, u64)> = Vec::new();
        let mut progress = Progress { position: 0, offset: end.offset, leader_epoch: -1 };
        let mut segments = self.folder.segments.iter();
        for (base, length) in segments.by_ref() {
            let path = self.folder.segment_path(*base);
            let file =
                self.disk.open(&path, OpenMode::Read).await.map_err(EngineError::disk(&path)).map_err(&failed)?;
            progress = Progress { position: 0, offset: progress.offset.max(*base), ..progress };
            progress = scan(&file, &path, Rule::Adopted, progress, *length).await.map_err(&failed)?;
            end = Mark { segment_base: *base, position: progress.position, offset: progress.offset };
            lengths.push((*base, progress.position));
            if progress.position < *length {
                break;
            }
        }
        Ok((end, lengths, segments.map(|(base, _)| *base).collect()))
    }

    async fn cut(&self, base: i64, length: u64) -> Result<(), EngineError> {
        let path = self.folder.segment_path(base);
        let file = match self.disk.open(&path, OpenMode::ReadWrite).await {
            Err(DiskError::NotFound) if length == 0 => return Ok(()),
            opened => opened.map_err(EngineError::disk(&path))?,
        };
        let cut = async {
            if file.len().await? != length {
                file.truncate(length).await?;
            }
            probe::mutation!(RecoveryUnsynced => return Ok(()));
            file.sync().await
        };
        cut.await.map_err(EngineError::disk(&path))
    }

    async fn remove(&self, base: i64, kinds: &[FileKind]) -> Result<(), EngineError> {
        for kind in kinds {
            let path = self.folder.dir.join(file_name(base, *kind));
            match self.disk.remove_file(&path).await {
                Ok(()) | Err(DiskError::NotFound) => {}
                Err(error) => return Err(EngineError::Disk { path, error }),
            }
        }
        Ok(())
    }
}
