//! The engine's disk on Linux files: O_DIRECT through the core's ring.
//!
//! What may block for long (unlink, fallocate, fdatasync) the ring hands to the kernel's worker threads; what it has no
//! operation for (reading a folder, asking for free space, truncating) runs on the executor's blocking thread.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::rc::Rc;

use bytes::Bytes;
use engine::disk::{BLOCK, DirEntry, Disk, DiskError, Durability, File, OpenMode, block_ceil, block_floor};
use engine::memory::ChunkSlice;
use io_uring::{opcode, squeue, types};

use super::ring::Ring;
use super::{executor, iovec};

/// The most slices that one write takes (IOV_MAX).
const SLICES_MAX: usize = 1024;
const FILE_MODE: libc::mode_t = 0o644;
const DIR_MODE: libc::mode_t = 0o755;

/// Files, as one core reaches them.
#[derive(Clone)]
pub(crate) struct DirectDisk {
    ring: Rc<Ring>,
}

/// An open file.
#[derive(Clone)]
pub(crate) struct DirectFile {
    descriptor: Rc<Descriptor>,
}

/// Closed by the ring: the last close of an unlinked file frees its blocks, which takes long.
struct Descriptor {
    ring: Rc<Ring>,
    fd: RawFd,
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.ring.start_detached(opcode::Close::new(types::Fd(self.fd)).build());
    }
}

impl DirectDisk {
    pub(crate) fn new(ring: Rc<Ring>) -> DirectDisk {
        DirectDisk { ring }
    }

    async fn path_operation(
        &self,
        paths: Vec<CString>,
        entry: impl FnOnce(&[CString]) -> squeue::Entry,
    ) -> io::Result<u32> {
        let entry = entry(&paths);
        // SAFETY: the entry points to the paths' heap memory, which `paths` owns.
        let (result, _paths) = unsafe { self.ring.start(entry, paths) }.await;
        result
    }

    async fn unlink(&self, path: &Path, flags: i32) -> Result<(), DiskError> {
        let unlink = |paths: &[CString]| {
            opcode::UnlinkAt::new(types::Fd(libc::AT_FDCWD), paths[0].as_ptr()).flags(flags).build()
        };
        self.path_operation(vec![c_path(path)?], unlink).await.map(drop).map_err(disk_error)
    }
}

impl Disk for DirectDisk {
    type File = DirectFile;

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<DirectFile, DiskError> {
        let flags = match mode {
            OpenMode::Read => libc::O_RDONLY,
            OpenMode::ReadWrite => libc::O_RDWR,
            OpenMode::Create => libc::O_RDWR | libc::O_CREAT,
        };
        let open = |paths: &[CString]| {
            opcode::OpenAt::new(types::Fd(libc::AT_FDCWD), paths[0].as_ptr())
                .flags(flags | libc::O_DIRECT | libc::O_CLOEXEC)
                .mode(FILE_MODE)
                .build()
        };
        let fd = self.path_operation(vec![c_path(path)?], open).await.map_err(disk_error)?;
        let fd = RawFd::try_from(fd).expect("descriptors are small");
        Ok(DirectFile { descriptor: Rc::new(Descriptor { ring: self.ring.clone(), fd }) })
    }

    async fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        let mut missing = vec![path];
        while let Some(&deepest) = missing.last() {
            let make = |paths: &[CString]| {
                opcode::MkDirAt::new(types::Fd(libc::AT_FDCWD), paths[0].as_ptr()).mode(DIR_MODE).build()
            };
            match self.path_operation(vec![c_path(deepest)?], make).await.map_err(|error| error.kind()) {
                Ok(_) | Err(io::ErrorKind::AlreadyExists) => drop(missing.pop()),
                Err(io::ErrorKind::NotFound) => match deepest.parent() {
                    Some(parent) if parent != Path::new("") => missing.push(parent),
                    _ => return Err(DiskError::NotFound),
                },
                Err(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => return Err(DiskError::Full),
                Err(kind) => return Err(DiskError::Io(kind.to_string())),
            }
        }
        Ok(())
    }

    async fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, DiskError> {
        let dir = dir.to_path_buf();
        executor::blocking(move || list(&dir)).await.map_err(disk_error)
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let rename = |paths: &[CString]| {
            let cwd = types::Fd(libc::AT_FDCWD);
            opcode::RenameAt::new(cwd, paths[0].as_ptr(), cwd, paths[1].as_ptr()).build()
        };
        self.path_operation(vec![c_path(from)?, c_path(to)?], rename).await.map(drop).map_err(disk_error)
    }

    async fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        self.unlink(path, 0).await
    }

    async fn remove_dir(&self, path: &Path) -> Result<(), DiskError> {
        for entry in self.list(path).await? {
            let inner = path.join(entry.name);
            if entry.is_dir {
                Box::pin(self.remove_dir(&inner)).await?;
            } else {
                self.unlink(&inner, 0).await?;
            }
        }
        self.unlink(path, libc::AT_REMOVEDIR).await
    }

    async fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        let open = |paths: &[CString]| {
            opcode::OpenAt::new(types::Fd(libc::AT_FDCWD), paths[0].as_ptr())
                .flags(libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC)
                .build()
        };
        let fd = self.path_operation(vec![c_path(dir)?], open).await.map_err(disk_error)?;
        let fd = RawFd::try_from(fd).expect("descriptors are small");
        let folder = DirectFile { descriptor: Rc::new(Descriptor { ring: self.ring.clone(), fd }) };
        folder.operation(opcode::Fsync::new(types::Fd(fd)).build()).await
    }

    async fn free_bytes(&self, path: &Path) -> Result<u64, DiskError> {
        let path = c_path(path)?;
        executor::blocking(move || free_bytes(&path)).await.map_err(disk_error)
    }
}

impl DirectFile {
    fn fd(&self) -> types::Fd {
        types::Fd(self.descriptor.fd)
    }

    /// An operation on this file that points to no memory.
    async fn operation(&self, entry: squeue::Entry) -> Result<(), DiskError> {
        // SAFETY: the entry names the descriptor, which the operation keeps, and no memory.
        let (result, _file) = unsafe { self.descriptor.ring.start(entry, self.clone()) }.await;
        result.map(drop).map_err(disk_error)
    }

    /// Writes at most [`SLICES_MAX`] slices, all of them.
    async fn write_some(
        &self,
        mut position: u64,
        slices: Vec<ChunkSlice>,
        durability: Durability,
    ) -> Result<Vec<ChunkSlice>, DiskError> {
        let flags = match durability {
            Durability::Volatile => 0,
            Durability::Durable => libc::RWF_DSYNC,
        };
        let mut left: usize = slices.iter().map(|slice| slice.len()).sum();
        let mut vectors: Vec<libc::iovec> = slices.iter().map(|slice| iovec::of(slice)).collect();
        let mut slices = slices;
        while left > 0 {
            let entry = opcode::Writev::new(self.fd(), vectors.as_ptr(), vectors.len() as u32)
                .offset(position)
                .rw_flags(flags)
                .build();
            // SAFETY: the vectors and what they point to are owned by what the operation keeps, on the heap.
            let operation = unsafe { self.descriptor.ring.start(entry, (vectors, slices, self.clone())) };
            let (result, (kept_vectors, kept_slices, _)) = operation.await;
            let written = result.map_err(disk_error)? as usize;
            if written == 0 {
                return Err(DiskError::Io("the kernel wrote nothing".into()));
            }
            (vectors, slices) = (kept_vectors, kept_slices);
            left -= written;
            position += written as u64;
            iovec::advance(&mut vectors, written);
        }
        Ok(slices)
    }
}

impl File for DirectFile {
    async fn write(&self, position: u64, slices: Vec<ChunkSlice>, durability: Durability) -> Result<(), DiskError> {
        assert!(position.is_multiple_of(BLOCK as u64), "a direct write begins on a block: {position}");
        let mut position = position;
        let mut rest = slices;
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(SLICES_MAX));
            let bytes: u64 = rest.iter().map(|slice| slice.len() as u64).sum();
            self.write_some(position, rest, durability).await?;
            position += bytes;
            rest = later;
        }
        Ok(())
    }

    async fn read(&self, position: u64, len: usize) -> Result<Bytes, DiskError> {
        let start = block_floor(position);
        let skip = (position - start) as usize;
        let aligned = usize::try_from(block_ceil((skip + len) as u64)).expect("what was asked for fits memory");
        if len == 0 {
            return Ok(Bytes::new());
        }
        let mut buffer = AlignedBuffer::new(aligned);
        while buffer.len < aligned {
            // A short read ends on a block, unless the file ends there.
            let target = buffer.start.as_ptr().wrapping_add(buffer.len);
            let entry = opcode::Read::new(self.fd(), target, (aligned - buffer.len) as u32)
                .offset(start + buffer.len as u64)
                .build();
            // SAFETY: the target lies within the buffer, which the operation keeps together with the file.
            let operation = unsafe { self.descriptor.ring.start(entry, (buffer, self.clone())) };
            let (result, (kept, _)) = operation.await;
            buffer = kept;
            let count = result.map_err(disk_error)? as usize;
            buffer.len += count;
            if count == 0 || !count.is_multiple_of(BLOCK) {
                break;
            }
        }
        let bytes = Bytes::from_owner(buffer);
        let end = bytes.len().min(skip + len);
        Ok(if skip < end { bytes.slice(skip..end) } else { Bytes::new() })
    }

    async fn sync(&self) -> Result<(), DiskError> {
        self.operation(opcode::Fsync::new(self.fd()).flags(types::FsyncFlags::DATASYNC).build()).await
    }

    async fn allocate(&self, position: u64, len: u64) -> Result<(), DiskError> {
        self.operation(opcode::Fallocate::new(self.fd(), len).offset(position).build()).await
    }

    async fn truncate(&self, len: u64) -> Result<(), DiskError> {
        // io_uring can cut files since Linux 6.9 only. The duplicate stays open if nobody waits for the end.
        // SAFETY: the descriptor is open, and dup has no memory arguments.
        let file = unsafe { BorrowedFd::borrow_raw(self.descriptor.fd) }.try_clone_to_owned().map_err(disk_error)?;
        executor::blocking(move || std::fs::File::from(file).set_len(len)).await.map_err(disk_error)
    }

    async fn len(&self) -> Result<u64, DiskError> {
        let fd = self.descriptor.fd;
        // SAFETY: an all-zero stat is valid, and fstat fills it; it answers from memory, without waiting for a device.
        let (result, stat) = unsafe {
            let mut stat: libc::stat = std::mem::zeroed();
            (libc::fstat(fd, &mut stat), stat)
        };
        if result != 0 {
            return Err(disk_error(io::Error::last_os_error()));
        }
        u64::try_from(stat.st_size).map_err(|_| DiskError::Io("a negative file length".into()))
    }
}

/// Memory for direct reads; `len` bytes of it are filled.
struct AlignedBuffer {
    start: NonNull<u8>,
    capacity: usize,
    len: usize,
}

// SAFETY: plain bytes with one owner; nobody writes once it has become `Bytes`.
unsafe impl Send for AlignedBuffer {}

impl AlignedBuffer {
    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity, BLOCK).expect("a read's length is bounded by its caller")
    }

    fn new(capacity: usize) -> AlignedBuffer {
        assert!(capacity > 0, "an empty read needs no memory");
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc(Self::layout(capacity)) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(Self::layout(capacity)) };
        AlignedBuffer { start, capacity, len: 0 }
    }
}

impl AsRef<[u8]> for AlignedBuffer {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the kernel has filled the first `len` bytes.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, freed once.
        unsafe { dealloc(self.start.as_ptr(), Self::layout(self.capacity)) }
    }
}

pub(crate) fn c_path(path: &Path) -> Result<CString, DiskError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| DiskError::Io("a path holds a zero byte".into()))
}

pub(crate) fn disk_error(error: io::Error) -> DiskError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskError::Full,
        io::ErrorKind::NotFound => DiskError::NotFound,
        _ => DiskError::Io(error.to_string()),
    }
}

pub(crate) fn list(dir: &PathBuf) -> io::Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        // A name that is no UTF-8 is none of ours.
        let Ok(name) = entry.file_name().into_string() else { continue };
        entries.push(DirEntry { name, is_dir: metadata.is_dir(), len: metadata.len() });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

pub(crate) fn free_bytes(path: &CString) -> io::Result<u64> {
    // SAFETY: an all-zero statvfs is valid, the path ends in a zero byte, and statvfs only fills the struct.
    let (result, stat) = unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &mut stat), stat)
    };
    if result == 0 { Ok(stat.f_bavail * stat.f_frsize) } else { Err(io::Error::last_os_error()) }
}
