//! A data folder that the store wrote, changed anywhere: recovery takes it or refuses it with a code, and what it took
//! can be opened and read.
//!
//! An input is {which folder, which checksums are made right at the end, changes}; see [`Input`] and [`change`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use engine::disk::{BLOCK, Disk, Durability, File, OpenMode};
use engine::log::{Log, Read, Trusted};
use engine::memory::Chunk;
use engine::memory_disk::MemoryDisk;
use engine::recovery::{RecoveredLog, Recovery, RecoveryError, Report};
use wire::batch::batches;

use super::seal;
use super::support::{Core, data_dir, disk, key, log_config, recovered, run};

/// Changes that one input makes at most.
const CHANGES_MAX: usize = 32;
/// Bytes of a file at most.
const FILE_BYTES_MAX: usize = 256 << 10;
/// Bytes that a read of a log asks for.
const READ_BYTES: usize = 16 << 10;

/// Files that may appear, in the data folder.
const NEW_FILES: [&str; 16] = [
    "checkpoint/core-0",
    "checkpoint/core-1",
    "checkpoint/recovered",
    "journal/core-0/000.journal",
    "journal/core-0/007.journal",
    "journal/core-1/000.journal",
    "topic1-0/00000000000000000000.log",
    "topic1-0/00000000000000000003.log",
    "topic1-0/00000000000000000000.timeindex",
    "topic1-0/00000000000000000002.snapshot",
    "topic1-0/09223372036854775807.log",
    "topic1-0/leader-epoch-checkpoint",
    "topic1-1/partition.metadata",
    "topic2-0/partition.metadata",
    "topic2-0.00000000000000000000000000000001-delete/00000000000000000000.log",
    "topic3-0/09223372036854775800.log",
];

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A folder as a core left it, and the logs' starts and ends that recovery must find.
struct Folder {
    files: Files,
    logs: Vec<(i64, i64)>,
}

static FOLDERS: LazyLock<Vec<Folder>> =
    LazyLock::new(|| [empty, in_journal, filed, closed, rolled].into_iter().map(|make| keep(&make())).collect());

fn empty() -> MemoryDisk {
    disk(1)
}

/// Everything is in the journal only.
fn in_journal() -> MemoryDisk {
    let disk = disk(1);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    for len in [100, 5000, 100] {
        core.append_durably(1, len);
    }
    disk
}

/// Two partitions that are filed, one of which has lost its first records; what the other took afterwards is in the
/// journal, behind the beginning of a block that was filed.
fn filed() -> MemoryDisk {
    let disk = disk(1);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    core.create(2);
    for _ in 0..4 {
        core.append_durably(1, 700);
        core.append_durably(2, 50);
    }
    core.store.delete_records(key(2), 2).expect("there is room");
    core.flush().expect("the disk is fine");
    core.settle().expect("the disk is fine");
    core.append_durably(1, 700);
    core.append_durably(1, 700);
    disk
}

/// After a clean stop, with a little more in the journal.
fn closed() -> MemoryDisk {
    let disk = disk(1);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    for _ in 0..12 {
        core.append_durably(1, 3000);
    }
    run(core.store.close()).expect("the disk is fine");
    let mut core = Core::start(&disk, 0);
    core.append_durably(1, 3000);
    core.append_durably(1, 300);
    disk
}

/// Several segments, closed ones with indexes.
fn rolled() -> MemoryDisk {
    let disk = disk(1);
    let mut core = Core::start(&disk, 0);
    core.create(1);
    for _ in 0..12 {
        core.append_durably(1, 9000);
        core.settle().expect("the disk is fine");
    }
    run(core.store.close()).expect("the disk is fine");
    disk
}

fn keep(disk: &MemoryDisk) -> Folder {
    let mut files = Files::new();
    collect(disk, &data_dir(), &mut files);
    let copy = disk_of(&files);
    let recovery = recovered(&copy).expect("the store wrote it");
    Folder { files, logs: recovery.logs.iter().map(|log| (log.trusted.log_start, log.end.offset)).collect() }
}

fn collect(disk: &MemoryDisk, dir: &Path, files: &mut Files) {
    for entry in run(disk.list(dir)).expect("it is a folder") {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            collect(disk, &path, files);
        } else if !entry.name.starts_with("reserve") {
            let mut bytes = disk.contents(&path).expect("it is a file");
            if path.extension().is_some_and(|extension| extension == "journal") {
                // Zeros that wait for groups only take time.
                let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                bytes.truncate(used.next_multiple_of(BLOCK));
            }
            files.insert(path, bytes);
        }
    }
}

fn disk_of(files: &Files) -> MemoryDisk {
    let disk = disk(1);
    for (path, bytes) in files {
        run(disk.create_dir(path.parent().expect("it is in the data folder"))).expect("the disk is fine");
        let file = run(disk.open(path, OpenMode::Create)).expect("the disk is fine");
        let chunk = Chunk::padded(bytes);
        run(file.write(0, vec![chunk.slice(0..chunk.len())], Durability::Volatile)).expect("the disk is fine");
        run(file.truncate(bytes.len() as u64)).expect("the disk is fine");
    }
    disk
}

/// What is left of the input; whatever it has no more bytes for is the end of it.
struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<usize> {
        Some(usize::from(u16::from_be_bytes([self.byte()?, self.byte()?])))
    }

    /// A length, and as many bytes of those that are left.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?.min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(len);
        self.rest = rest;
        Some(bytes)
    }
}

/// Makes one change: {kind, file, what the kind takes}.
fn change(files: &mut Files, input: &mut Input<'_>) -> Option<()> {
    let (kind, which) = (input.byte()? % 7, usize::from(input.byte()?));
    if kind == 0 || files.is_empty() {
        let path = data_dir().join(NEW_FILES[which % NEW_FILES.len()]);
        files.insert(path, input.bytes()?.to_vec());
        return Some(());
    }
    let path = files.keys().nth(which % files.len())?.clone();
    let file = files.get_mut(&path)?;
    match kind {
        1 => {
            let position = input.number()?;
            let room = file.get_mut(position..).unwrap_or_default();
            let bytes = input.bytes()?;
            let len = bytes.len().min(room.len());
            room[..len].copy_from_slice(&bytes[..len]);
        }
        2 => file.truncate(input.number()?),
        3 => *file = input.bytes()?.to_vec(),
        4 => file.extend_from_slice(input.bytes()?),
        5 => {
            let from = files.values().nth(input.number()? % files.len())?.clone();
            files.insert(path, from);
            return Some(());
        }
        _ => {
            files.remove(&path);
            return Some(());
        }
    }
    file.truncate(FILE_BYTES_MAX);
    Some(())
}

fn make_right(files: &mut Files, choice: u8) {
    let mut renewed = BTreeMap::new();
    for (path, bytes) in files {
        let in_checkpoints = path.parent().is_some_and(|dir| dir.ends_with("checkpoint"));
        match path.extension().and_then(|extension| extension.to_str()) {
            None if in_checkpoints && choice & 1 != 0 => seal::checkpoint(bytes),
            Some("journal") if choice & 2 != 0 => seal::journal(bytes, &mut renewed),
            Some("log") if choice & 4 != 0 => seal::segment(bytes),
            Some("snapshot") if choice & 8 != 0 => seal::producer_snapshot(bytes),
            _ => {}
        }
    }
}

/// See the module.
pub fn recovery(data: &[u8]) {
    let mut input = Input { rest: data };
    let (Some(which), Some(sealed)) = (input.byte(), input.byte()) else { return };
    let folder = &FOLDERS[usize::from(which) % FOLDERS.len()];
    let mut files = folder.files.clone();
    let mut changes = 0;
    while changes < CHANGES_MAX && change(&mut files, &mut input).is_some() {
        changes += 1;
    }
    make_right(&mut files, sealed);
    let disk = disk_of(&files);
    let first = recovered(&disk);
    let again = recovered(&disk);
    let recovery = match (first, again) {
        (Ok(first), Ok(again)) => {
            assert_eq!(facts(&again), facts(&first));
            // A log without bytes whose file is missing counts as cut each time.
            let nothing = Report { segments_cut: again.report.segments_cut, ..Report::default() };
            assert_eq!(again.report, nothing, "nothing is left to be done");
            first
        }
        (Err(first), Err(again)) => {
            check_refusals(&first, &again);
            assert!(changes > 0, "{first}");
            return;
        }
        (Ok(_), Err(error)) => panic!("what was recovered is refused: {error}"),
        (Err(error), Ok(_)) => panic!("what was refused is taken: {error}"),
    };
    if changes == 0 {
        let logs: Vec<_> = recovery.logs.iter().map(|log| (log.trusted.log_start, log.end.offset)).collect();
        assert_eq!(logs, folder.logs);
    }
    for log in &recovery.logs {
        read_whole(&disk, log, changes == 0);
    }
}

/// What each recovery must find: all but which segments a crash may have left unclosed.
fn facts(recovery: &Recovery) -> Vec<RecoveredLog> {
    let closed = |log: &RecoveredLog| {
        let trusted = Trusted { unclosed_from: 0, ..log.trusted };
        RecoveredLog { trusted, ..log.clone() }
    };
    recovery.logs.iter().map(closed).collect()
}

fn check_refusals(first: &RecoveryError, again: &RecoveryError) {
    assert!(first.to_string().starts_with(first.code.as_str()), "{first}");
    assert_eq!((first.code, &first.path), (again.code, &again.path), "{first}; then {again}");
}

/// Opens the log and reads it from its start to its end. What recovery trusts without reading may be found damaged
/// here, by an error.
fn read_whole(disk: &MemoryDisk, recovered: &RecoveredLog, must_succeed: bool) {
    let RecoveredLog { key, topic, trusted, end, .. } = recovered;
    let log = match run(Log::open(disk, &data_dir(), topic, *key, log_config(), *trusted)) {
        Ok(log) => log,
        Err(error) => {
            assert!(!must_succeed, "{error}");
            return;
        }
    };
    let mut offset = log.log_start();
    while offset < log.log_end() {
        let pieces = match log.read(offset, READ_BYTES, i64::MAX, true) {
            Ok(Read::Ready(pieces)) => Ok(pieces),
            Ok(Read::Job(job)) => run(job.perform()).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let next = pieces.and_then(|pieces| next_offset(&pieces.concat()).ok_or_else(|| "no batch".to_owned()));
        match next {
            Ok(next) if next > offset => offset = next,
            other => {
                assert!(!must_succeed, "{other:?} at offset {offset}");
                break;
            }
        }
    }
    assert!(!must_succeed || (offset, log.log_end()) == (end.offset, end.offset));
    for timestamp in [0, 1000, i64::MAX] {
        let found = run(log.find_timestamp(timestamp, i64::MAX).perform());
        assert!(!must_succeed || found.is_ok(), "{found:?}");
    }
    let found = run(log.find_max_timestamp(i64::MAX).perform());
    assert!(!must_succeed || found.is_ok(), "{found:?}");
}

fn next_offset(bytes: &[u8]) -> Option<i64> {
    let whole = batches(bytes).map_while(Result::ok);
    whole.map(|batch| batch.header.last_offset().saturating_add(1)).max()
}
