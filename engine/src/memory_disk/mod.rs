//! A disk in memory that crashes, tears, fills up and fails on demand, all from one seed.
//!
//! For tests and for the simulator, whose notion of time comes in through [`Latency`]. It is as hostile as the contract
//! of [`crate::disk`] allows: see `content` and `names` for what a crash keeps. Writes that are not aligned, which a
//! real device refuses, panic here.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;

use crate::disk::{BLOCK, DirEntry, Disk, DiskError, Durability, File, OpenMode};
use crate::memory::ChunkSlice;

mod content;
mod names;
mod random;

use content::Content;
use names::{Names, Node};
pub use random::Random;

/// What is asked of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named as in `Disk` and `File`")]
pub enum Operation {
    Open,
    CreateDir,
    List,
    Rename,
    RemoveFile,
    RemoveDir,
    SyncDir,
    Write,
    Read,
    Sync,
    Allocate,
    Truncate,
}

/// How long operations take. They are under way, and can be torn by a crash, while this waits.
#[allow(async_fn_in_trait, reason = "static dispatch, one core")]
pub trait Latency: Clone + 'static {
    /// Waits as long as the operation takes.
    async fn wait(&self, operation: Operation, path: &Path);
}

/// Everything completes at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLatency;

impl Latency for NoLatency {
    async fn wait(&self, _operation: Operation, _path: &Path) {}
}

/// Each operation is under way for one poll: whoever polls decides in which order operations complete, which never do, and
/// where between them a crash comes.
#[derive(Debug, Clone, Copy)]
pub struct OnePoll;

impl Latency for OnePoll {
    async fn wait(&self, _operation: Operation, _path: &Path) {
        let mut waited = false;
        std::future::poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
    }
}

/// An error to be returned in place of an operation's effect.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The operation that fails.
    pub operation: Operation,
    /// Part of the path of what fails.
    pub path_part: String,
    /// What the disk says.
    pub error: DiskError,
    /// Matching operations that still succeed before it.
    pub after: u32,
    /// Matching operations that fail.
    pub times: u32,
}

struct State {
    names: Names,
    files: BTreeMap<u64, Content>,
    next_file: u64,
    /// Counts crashes and kills: what was begun before one does not complete after it.
    life: u64,
    capacity: u64,
    random: Random,
    faults: Vec<Fault>,
    faults_hit: u64,
    full_hits: u64,
    unreadable_percent: u64,
}

impl State {
    fn used(&self) -> u64 {
        let files: std::collections::BTreeSet<u64> = self.names.files().collect();
        files.iter().filter_map(|file| self.files.get(file)).map(|content| content.len()).sum()
    }

    fn room_for(&mut self, file: u64, end: u64) -> Result<(), DiskError> {
        let len = self.content(file).len();
        if end > len && self.capacity < u64::MAX && self.used() + (end - len) > self.capacity {
            self.full_hits += 1;
            return Err(DiskError::Full);
        }
        Ok(())
    }

    fn fault(&mut self, operation: Operation, path: &Path) -> Result<(), DiskError> {
        let path = path.to_string_lossy();
        let matches = |fault: &&mut Fault| {
            fault.operation == operation && fault.times > 0 && path.contains(fault.path_part.as_str())
        };
        let Some(fault) = self.faults.iter_mut().find(matches) else { return Ok(()) };
        if fault.after > 0 {
            fault.after -= 1;
            return Ok(());
        }
        fault.times -= 1;
        self.faults_hit += 1;
        Err(fault.error.clone())
    }

    fn content(&self, file: u64) -> &Content {
        self.files.get(&file).expect("files are never forgotten")
    }

    fn content_mut(&mut self, file: u64) -> &mut Content {
        self.files.get_mut(&file).expect("files are never forgotten")
    }
}

/// The disk.
pub struct MemoryDisk<L = NoLatency> {
    state: Rc<RefCell<State>>,
    latency: L,
}

impl<L: Clone> Clone for MemoryDisk<L> {
    fn clone(&self) -> Self {
        MemoryDisk { state: Rc::clone(&self.state), latency: self.latency.clone() }
    }
}

impl<L: Latency> MemoryDisk<L> {
    /// An empty disk without limits. `seed` decides what crashes keep.
    pub fn new(seed: u64, latency: L) -> Self {
        let state = State {
            names: Names::new(),
            files: BTreeMap::new(),
            next_file: 1,
            life: 0,
            capacity: u64::MAX,
            random: Random::new(seed),
            faults: Vec::new(),
            faults_hit: 0,
            full_hits: 0,
            unreadable_percent: 0,
        };
        MemoryDisk { state: Rc::new(RefCell::new(state)), latency }
    }

    /// The same disk behind another latency.
    pub fn with_latency<M: Latency>(&self, latency: M) -> MemoryDisk<M> {
        MemoryDisk { state: Rc::clone(&self.state), latency }
    }

    /// Bytes that fit, counting the files' lengths.
    pub fn set_capacity(&self, capacity: u64) {
        self.state.borrow_mut().capacity = capacity;
    }

    /// Bytes in use, counting the files' lengths.
    pub fn used(&self) -> u64 {
        self.state.borrow().used()
    }

    /// Of 100 sectors that a crash left neither old nor new nor garbage, how many cannot be read.
    pub fn set_unreadable_percent(&self, percent: u64) {
        self.state.borrow_mut().unreadable_percent = percent;
    }

    /// Arms a fault.
    pub fn inject(&self, fault: Fault) {
        self.state.borrow_mut().faults.push(fault);
    }

    /// Disarms all faults.
    pub fn clear_faults(&self) {
        self.state.borrow_mut().faults.clear();
    }

    /// How many operations a fault has made fail: a test of faults that sees none is no test.
    pub fn faults_hit(&self) -> u64 {
        self.state.borrow().faults_hit
    }

    /// How many operations found the disk full.
    pub fn full_hits(&self) -> u64 {
        self.state.borrow().full_hits
    }

    /// The power goes and comes back: what is not stable may be lost, and what is under way never completes.
    pub fn crash(&self) {
        let state = &mut *self.state.borrow_mut();
        state.life += 1;
        state.names.crash(&mut state.random);
        for content in state.files.values_mut() {
            content.crash(&mut state.random, state.unreadable_percent);
        }
        let reachable: std::collections::BTreeSet<u64> = state.names.files().collect();
        state.files.retain(|file, _| reachable.contains(file));
    }

    /// The process is killed and the machine lives on: all that was completed stays readable, and what is under way never
    /// reports back.
    pub fn kill(&self) {
        let state = &mut *self.state.borrow_mut();
        state.life += 1;
        for content in state.files.values_mut() {
            content.abandon(&mut state.random);
        }
    }

    /// What a file holds; `None` when it does not exist.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state.borrow();
        match state.names.get(path)? {
            Node::File(file) => state.content(file).read(0, state.content(file).len() as usize),
            Node::Dir => None,
        }
    }

    /// Changes stored bytes behind everybody's back.
    pub fn damage(&self, path: &Path, position: u64, bytes: &[u8]) {
        let state = &mut *self.state.borrow_mut();
        match state.names.get(path) {
            Some(Node::File(file)) => state.content_mut(file).overwrite(position, bytes),
            _ => panic!("{} is no file to damage", path.display()),
        }
    }

    async fn begin(&self, operation: Operation, path: &Path) -> Result<(), DiskError> {
        let life = self.state.borrow().life;
        self.latency.wait(operation, path).await;
        let mut state = self.state.borrow_mut();
        alive(state.life, life)?;
        state.fault(operation, path)
    }
}

fn alive(life: u64, begun: u64) -> Result<(), DiskError> {
    if life == begun { Ok(()) } else { Err(DiskError::Io("the machine crashed meanwhile".into())) }
}

impl<L: Latency> Disk for MemoryDisk<L> {
    type File = MemoryFile<L>;

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<MemoryFile<L>, DiskError> {
        self.begin(Operation::Open, path).await?;
        let state = &mut *self.state.borrow_mut();
        let file = match state.names.get(path) {
            Some(Node::File(file)) => file,
            Some(Node::Dir) => return Err(DiskError::Io("it is a folder".into())),
            None if mode == OpenMode::Create => {
                let file = state.next_file;
                state.names.create(path, Node::File(file))?;
                state.next_file += 1;
                state.files.insert(file, Content::default());
                file
            }
            None => return Err(DiskError::NotFound),
        };
        Ok(MemoryFile { disk: self.clone(), file, path: path.into(), life: state.life, mode })
    }

    async fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.begin(Operation::CreateDir, path).await?;
        let names = &mut self.state.borrow_mut().names;
        let mut missing: Vec<&Path> = path.ancestors().take_while(|dir| names.get(dir).is_none()).collect();
        while let Some(dir) = missing.pop() {
            names.create(dir, Node::Dir)?;
        }
        if names.get(path) == Some(Node::Dir) { Ok(()) } else { Err(DiskError::Io("it is a file".into())) }
    }

    async fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, DiskError> {
        self.begin(Operation::List, dir).await?;
        let state = self.state.borrow();
        if state.names.get(dir) != Some(Node::Dir) {
            return Err(DiskError::NotFound);
        }
        let entry = |(name, node)| match node {
            Node::Dir => DirEntry { name, is_dir: true, len: 0 },
            Node::File(file) => DirEntry { name, is_dir: false, len: state.content(file).len() },
        };
        let mut entries: Vec<DirEntry> = state.names.children(dir).map(entry).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.begin(Operation::Rename, to).await?;
        self.state.borrow_mut().names.rename(from, to)
    }

    async fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        self.begin(Operation::RemoveFile, path).await?;
        self.state.borrow_mut().names.remove(path)
    }

    async fn remove_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.begin(Operation::RemoveDir, path).await?;
        self.state.borrow_mut().names.remove(path)
    }

    async fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        let covered = self.state.borrow().names.covered();
        self.begin(Operation::SyncDir, dir).await?;
        let names = &mut self.state.borrow_mut().names;
        names.get(dir).ok_or(DiskError::NotFound)?;
        names.sync(dir, covered);
        Ok(())
    }

    async fn free_bytes(&self, _path: &Path) -> Result<u64, DiskError> {
        let state = self.state.borrow();
        Ok(state.capacity.saturating_sub(state.used()))
    }
}

/// A file of a [`MemoryDisk`].
pub struct MemoryFile<L> {
    disk: MemoryDisk<L>,
    file: u64,
    path: PathBuf,
    life: u64,
    mode: OpenMode,
}

impl<L: Clone> Clone for MemoryFile<L> {
    fn clone(&self) -> Self {
        let (file, life, mode) = (self.file, self.life, self.mode);
        MemoryFile { disk: self.disk.clone(), file, path: self.path.clone(), life, mode }
    }
}

impl<L: Latency> MemoryFile<L> {
    async fn begin(&self, operation: Operation) -> Result<(), DiskError> {
        alive(self.disk.state.borrow().life, self.life)?;
        if matches!(operation, Operation::Write | Operation::Allocate | Operation::Truncate) {
            assert_ne!(self.mode, OpenMode::Read, "{} is open for reading only", self.path.display());
        }
        self.disk.begin(operation, &self.path).await
    }
}

impl<L: Latency> File for MemoryFile<L> {
    async fn write(&self, position: u64, slices: Vec<ChunkSlice>, durability: Durability) -> Result<(), DiskError> {
        let whole = |len: usize| len.is_multiple_of(BLOCK);
        let aligned = whole(position as usize) && slices.iter().all(|s| whole(s.len()) && whole(s.as_ptr().addr()));
        assert!(aligned, "a direct write to {} at {position} is not aligned", self.path.display());
        let bytes = slices.iter().map(|slice| &slice[..]).collect::<Vec<_>>().concat();
        let ticket = {
            let state = &mut *self.disk.state.borrow_mut();
            alive(state.life, self.life)?;
            state.room_for(self.file, position + bytes.len() as u64)?;
            state.content_mut(self.file).submit(position, bytes)
        };
        let outcome = self.begin(Operation::Write).await;
        let state = &mut *self.disk.state.borrow_mut();
        alive(state.life, self.life)?;
        let content = state.files.get_mut(&self.file).expect("files are never forgotten");
        match &outcome {
            Ok(()) => content.complete(ticket, durability == Durability::Durable),
            Err(_) => content.fail(ticket, &mut state.random),
        }
        outcome
    }

    async fn read(&self, position: u64, len: usize) -> Result<Bytes, DiskError> {
        self.begin(Operation::Read).await?;
        let state = self.disk.state.borrow();
        let bytes = state.content(self.file).read(position, len);
        bytes.map(Bytes::from).ok_or_else(|| DiskError::Io("unreadable sector".into()))
    }

    async fn sync(&self) -> Result<(), DiskError> {
        alive(self.disk.state.borrow().life, self.life)?;
        let covered = self.disk.state.borrow().content(self.file).covered();
        self.begin(Operation::Sync).await?;
        self.disk.state.borrow_mut().content_mut(self.file).sync(covered);
        Ok(())
    }

    async fn allocate(&self, position: u64, len: u64) -> Result<(), DiskError> {
        self.begin(Operation::Allocate).await?;
        let state = &mut *self.disk.state.borrow_mut();
        state.room_for(self.file, position + len)?;
        state.content_mut(self.file).extend(position + len);
        Ok(())
    }

    async fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.begin(Operation::Truncate).await?;
        let state = &mut *self.disk.state.borrow_mut();
        state.room_for(self.file, len)?;
        state.content_mut(self.file).set_len(len);
        Ok(())
    }

    async fn len(&self) -> Result<u64, DiskError> {
        let state = self.disk.state.borrow();
        alive(state.life, self.life)?;
        Ok(state.content(self.file).len())
    }
}

#[cfg(test)]
mod tests;
