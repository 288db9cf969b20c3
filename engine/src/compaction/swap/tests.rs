//! A swap is crashed after each of its steps, many times each, because what a crash keeps is drawn.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::files::write_file;
use crate::memory_disk::{MemoryDisk, OnePoll};

const CRASHES: u64 = 100;
const DIR: &str = "/topic-0";
const SWAP: Swap = Swap { base_offset: 10, end_offset: 30 };

fn drive<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

fn finish<T>(future: impl Future<Output = Result<T, EngineError>>) -> T {
    drive(future, usize::MAX).expect("there are polls enough").expect("the disk is fine")
}

/// Three segments, of which the last two have been cleaned into one.
fn folder(seed: u64) -> MemoryDisk<OnePoll> {
    let (disk, dir) = (MemoryDisk::new(seed, OnePoll), Path::new(DIR));
    finish(async {
        disk.create_dir(dir).await.map_err(EngineError::disk(dir))?;
        disk.sync_dir(Path::new("/")).await.map_err(EngineError::disk(dir))?;
        for base_offset in [0, 10, 20, 30] {
            for kind in [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex] {
                write_file(&disk, &dir.join(file_name(base_offset, kind)), b"old").await?;
            }
        }
        write_file(&disk, &dir.join(cleaned_file_name(SWAP.base_offset)), b"new").await
    });
    disk
}

fn files(disk: &MemoryDisk<OnePoll>) -> BTreeMap<String, Vec<u8>> {
    let entries = finish(async { disk.list(Path::new(DIR)).await.map_err(EngineError::disk(Path::new(DIR))) });
    let contents = |name: &str| disk.contents(&Path::new(DIR).join(name)).expect("it is there");
    entries.into_iter().map(|entry| (entry.name.clone(), contents(&entry.name))).collect()
}

/// Neither old indexes beside the new segment, nor a part of the old ones beside it, nor the other way round.
fn check(files: &BTreeMap<String, Vec<u8>>, when: &str) -> bool {
    let content = |base_offset, kind| files.get(&file_name(base_offset, kind)).map(Vec::as_slice);
    let is_new = content(10, FileKind::Log) == Some(b"new");
    for base_offset in [0, 10, 20, 30] {
        let goes = is_new && (10..30).contains(&base_offset);
        for kind in [FileKind::OffsetIndex, FileKind::TimeIndex] {
            assert_eq!(content(base_offset, kind).is_none(), goes, "{when}: {files:?}");
        }
        assert_eq!(content(base_offset, FileKind::Log).is_none(), goes && base_offset != 10, "{when}: {files:?}");
    }
    is_new
}

#[test]
fn after_a_crash_at_any_step_the_new_segment_is_there_or_all_of_the_old_ones() {
    let (mut old, mut new, mut completed) = (0, 0, 0);
    for crash in 0..CRASHES {
        for polls in 0.. {
            let disk = folder(crash);
            let dir = Path::new(DIR);
            let swap = async {
                SWAP.decide(&disk, dir).await?;
                SWAP.complete(&disk, dir, [10, 20]).await
            };
            let is_done = drive(swap, polls).is_some();
            disk.crash();
            let entries = || finish(async { disk.list(dir).await.map_err(EngineError::disk(dir)) });
            // Recovery may be cut short too.
            let cut_short = drive(complete_swaps(&disk, dir, &entries()), (crash % 16) as usize).is_none();
            if cut_short {
                disk.crash();
            }
            completed += finish(complete_swaps(&disk, dir, &entries()));
            let is_new = check(&files(&disk), &format!("crash {crash} after {polls} steps"));
            *(if is_new { &mut new } else { &mut old }) += 1;
            if is_done {
                assert!(is_new);
                break;
            }
        }
    }
    assert!(old > 0 && new > 0 && completed > 0, "{old} as before, {new} as after, {completed} completed");
}
