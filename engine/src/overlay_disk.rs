//! A disk on top of another that is only ever read: what is written, renamed or removed stays in memory.
//!
//! With it a stopped broker's folder is looked at as the next start would leave it, while nothing on it changes. Memory
//! holds the blocks that were written and the names that changed, so that what recovery does fits well. Only files are
//! renamed: recovery renames no folders.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;

use crate::disk::{BLOCK, DirEntry, Disk, DiskError, Durability, File, OpenMode, block_floor};
use crate::memory::ChunkSlice;

/// See the module.
pub struct OverlayDisk<D: Disk> {
    base: D,
    names: Rc<RefCell<BTreeMap<PathBuf, Node<D::File>>>>,
}

impl<D: Disk> Clone for OverlayDisk<D> {
    fn clone(&self) -> Self {
        Self { base: self.base.clone(), names: Rc::clone(&self.names) }
    }
}

/// What a path is, where that is not what the base says.
#[derive(Clone)]
enum Node<F: File> {
    File(OverlayFile<F>),
    /// A folder that shows nothing of the base.
    Dir,
    Gone,
}

/// An open file.
#[derive(Clone)]
pub struct OverlayFile<F: File> {
    base: Option<F>,
    content: Rc<RefCell<Content>>,
}

#[derive(Default)]
struct Content {
    len: u64,
    /// Bytes of the base file that still show.
    base_len: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl<D: Disk> OverlayDisk<D> {
    /// Shows what `base` holds.
    pub fn new(base: D) -> Self {
        Self { base, names: Rc::default() }
    }

    /// What is said of a path here; `None` when the base counts.
    fn node(&self, path: &Path) -> Option<Node<D::File>> {
        let names = self.names.borrow();
        if let Some(node) = names.get(path) {
            return Some(node.clone());
        }
        // Of a folder that was removed, or made anew, the base's entries do not show.
        let hidden = path.ancestors().skip(1).any(|dir| matches!(names.get(dir), Some(Node::Dir | Node::Gone)));
        hidden.then_some(Node::Gone)
    }

    fn set(&self, path: &Path, node: Node<D::File>) {
        self.names.borrow_mut().insert(path.to_path_buf(), node);
    }

    async fn has_dir(&self, path: &Path) -> bool {
        match self.node(path) {
            Some(node) => matches!(node, Node::Dir),
            None => path.as_os_str().is_empty() || self.base.list(path).await.is_ok(),
        }
    }

    async fn has_parent(&self, path: &Path) -> bool {
        match path.parent() {
            Some(dir) => self.has_dir(dir).await,
            None => true,
        }
    }
}

impl<D: Disk> Disk for OverlayDisk<D> {
    type File = OverlayFile<D::File>;

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<Self::File, DiskError> {
        let opened = match self.node(path) {
            Some(Node::File(file)) => return Ok(file),
            Some(Node::Dir) => return Err(DiskError::Io("it is a folder".into())),
            Some(Node::Gone) => Err(DiskError::NotFound),
            None => self.base.open(path, OpenMode::Read).await,
        };
        let file = match opened {
            Ok(base) => {
                let len = base.len().await?;
                let content = Content { len, base_len: len, blocks: BTreeMap::new() };
                OverlayFile { base: Some(base), content: Rc::new(RefCell::new(content)) }
            }
            Err(DiskError::NotFound) if mode == OpenMode::Create && self.has_parent(path).await => {
                OverlayFile { base: None, content: Rc::default() }
            }
            Err(error) => return Err(error),
        };
        if mode != OpenMode::Read {
            self.set(path, Node::File(file.clone()));
        }
        Ok(file)
    }

    async fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        let dirs: Vec<&Path> = path.ancestors().filter(|dir| !dir.as_os_str().is_empty()).collect();
        for dir in dirs.into_iter().rev() {
            if !self.has_dir(dir).await {
                self.set(dir, Node::Dir);
            }
        }
        Ok(())
    }

    async fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, DiskError> {
        let mut entries: BTreeMap<String, DirEntry> = match self.node(dir) {
            Some(Node::Gone) => return Err(DiskError::NotFound),
            Some(Node::File(_)) => return Err(DiskError::Io("it is a file".into())),
            Some(Node::Dir) => BTreeMap::new(),
            None => self.base.list(dir).await?.into_iter().map(|entry| (entry.name.clone(), entry)).collect(),
        };
        for (path, node) in self.names.borrow().iter().filter(|(path, _)| path.parent() == Some(dir)) {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let (is_dir, len) = match node {
                Node::Gone => {
                    entries.remove(name);
                    continue;
                }
                Node::Dir => (true, 0),
                Node::File(file) => (false, file.content.borrow().len),
            };
            entries.insert(name.to_owned(), DirEntry { name: name.to_owned(), is_dir, len });
        }
        Ok(entries.into_values().collect())
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let file = self.open(from, OpenMode::ReadWrite).await?;
        if !self.has_parent(to).await {
            return Err(DiskError::NotFound);
        }
        self.set(to, Node::File(file));
        self.set(from, Node::Gone);
        Ok(())
    }

    async fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        self.open(path, OpenMode::Read).await?;
        self.set(path, Node::Gone);
        Ok(())
    }

    async fn remove_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.list(path).await?;
        self.names.borrow_mut().retain(|inner, _| !inner.starts_with(path));
        self.set(path, Node::Gone);
        Ok(())
    }

    async fn sync_dir(&self, _dir: &Path) -> Result<(), DiskError> {
        Ok(())
    }

    async fn free_bytes(&self, path: &Path) -> Result<u64, DiskError> {
        self.base.free_bytes(path).await
    }
}

impl<F: File> File for OverlayFile<F> {
    async fn write(&self, position: u64, slices: Vec<ChunkSlice>, _durability: Durability) -> Result<(), DiskError> {
        assert!(position.is_multiple_of(BLOCK as u64), "a write begins on a block: {position}");
        let content = &mut *self.content.borrow_mut();
        let mut at = position;
        for block in slices.iter().flat_map(|slice| slice.chunks(BLOCK)) {
            assert_eq!(block.len(), BLOCK, "a write is of whole blocks");
            content.blocks.insert(at, block.to_vec());
            at += BLOCK as u64;
        }
        content.len = content.len.max(at);
        Ok(())
    }

    async fn read(&self, position: u64, len: usize) -> Result<Bytes, DiskError> {
        let (end, base_len, is_changed) = {
            let content = self.content.borrow();
            let end = position.saturating_add(len as u64).min(content.len);
            (end, content.base_len, content.len != content.base_len || !content.blocks.is_empty())
        };
        if position >= end {
            return Ok(Bytes::new());
        }
        let from_base = match &self.base {
            Some(base) if position < base_len => base.read(position, (end.min(base_len) - position) as usize).await?,
            _ => Bytes::new(),
        };
        if !is_changed {
            return Ok(from_base);
        }
        let mut bytes = from_base.to_vec();
        bytes.resize((end - position) as usize, 0);
        for (at, block) in self.content.borrow().blocks.range(block_floor(position)..end) {
            let (from, to) = (position.max(*at), end.min(at + BLOCK as u64));
            bytes[(from - position) as usize..(to - position) as usize]
                .copy_from_slice(&block[(from - at) as usize..(to - at) as usize]);
        }
        Ok(bytes.into())
    }

    async fn sync(&self) -> Result<(), DiskError> {
        Ok(())
    }

    async fn allocate(&self, position: u64, len: u64) -> Result<(), DiskError> {
        let content = &mut *self.content.borrow_mut();
        content.len = content.len.max(position.saturating_add(len));
        Ok(())
    }

    async fn truncate(&self, len: u64) -> Result<(), DiskError> {
        let content = &mut *self.content.borrow_mut();
        content.len = len;
        content.base_len = content.base_len.min(len);
        content.blocks.retain(|at, _| *at < len);
        if let Some((at, block)) = content.blocks.last_key_value()
            && at + BLOCK as u64 > len
        {
            let (at, mut block) = (*at, block.clone());
            block[(len - at) as usize..].fill(0);
            content.blocks.insert(at, block);
        }
        Ok(())
    }

    async fn len(&self) -> Result<u64, DiskError> {
        Ok(self.content.borrow().len)
    }
}

#[cfg(test)]
mod tests;
