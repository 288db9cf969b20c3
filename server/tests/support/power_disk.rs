//! A disk that loses what was not flushed when its power is cut: one file, served through FUSE, for a loop device.
//!
//! The kernel's file system above it, its journal, its page cache and its flushes are the real ones. Of the writes that no
//! flush has covered when the power goes, a random subset reaches the disk, each whole or in part, in sectors of 512 bytes.
//! Only what a loop device asks of its file is answered; anything else is refused as unknown.
//! Source of the layouts: `include/uapi/linux/fuse.h`, protocol 7.31.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

const NAME: &str = "disk.img";
const ROOT: u64 = 1;
const IMAGE: u64 = 2;
const SECTOR: usize = 512;
/// Writes that are under way at most when the power goes.
const WRITES_UNDER_WAY_MAX: u64 = 32;
/// The largest request: a write of this many bytes with its headers.
const WRITE_MAX: usize = 128 << 10;
const BUFFER_BYTES: usize = WRITE_MAX + 4096;
const IN_HEADER: usize = 40;

/// What the disk holds, and what of it no flush has covered: position, and the bytes before and after.
struct State {
    image: File,
    size: u64,
    unflushed: Vec<(u64, Vec<u8>, Vec<u8>)>,
    has_power: bool,
    /// Without power: so many more writes are taken, as those that were under way when it went.
    writes_under_way: u64,
    flushes: u64,
    random: u64,
}

/// See the module. Unmounted when it goes.
pub struct PowerDisk {
    state: Arc<Mutex<State>>,
    mount: PathBuf,
    server: Option<JoinHandle<()>>,
}

impl PowerDisk {
    /// Serves a disk of `size` bytes in the folder `mount`; what it holds is kept in the file `image`.
    ///
    /// # Errors
    /// FUSE is not there, or may not be used.
    pub fn start(image: &Path, mount: &Path, size: u64, seed: u64) -> io::Result<PowerDisk> {
        let image = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(image)?;
        image.set_len(size)?;
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse")?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let [source, target, kind, options] = [
            CString::new("partita-power")?,
            CString::new(mount.to_str().ok_or(io::ErrorKind::InvalidInput)?)?,
            CString::new("fuse")?,
            CString::new(options)?,
        ];
        // SAFETY: all four are strings that end in a zero byte and outlive the call.
        let mounted =
            unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
        if mounted != 0 {
            return Err(io::Error::last_os_error());
        }
        let (unflushed, random) = (Vec::new(), seed | 1);
        let state = State { image, size, unflushed, has_power: true, writes_under_way: 0, flushes: 0, random };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let server = std::thread::spawn(move || serve(device, &shared));
        Ok(PowerDisk { state, mount: mount.to_path_buf(), server: Some(server) })
    }

    /// The file for the loop device.
    pub fn file(&self) -> PathBuf {
        self.mount.join(NAME)
    }

    /// Cuts the power: from now on no flush comes to its end, and after the writes that are under way every write fails.
    pub fn cut(&self) {
        let state = &mut *self.state.lock().expect("no holder panics");
        state.has_power = false;
        state.writes_under_way = 1 + state.next_random() % WRITES_UNDER_WAY_MAX;
    }

    /// Brings the power back; returns how many unflushed writes did not survive as they were written.
    pub fn restore(&self) -> u64 {
        let state = &mut *self.state.lock().expect("no holder panics");
        let unflushed = std::mem::take(&mut state.unflushed);
        for (position, before, _) in unflushed.iter().rev() {
            state.image.write_all_at(before, *position).expect("the image takes it");
        }
        let mut lost = 0;
        for (position, _, after) in &unflushed {
            let fate = state.next_random() % 4;
            lost += u64::from(fate != 0);
            for (index, sector) in after.chunks(SECTOR).enumerate() {
                // All of it, some of it, none of it.
                if fate == 0 || fate == 1 && state.next_random().is_multiple_of(2) {
                    let at = position + (index * SECTOR) as u64;
                    state.image.write_all_at(sector, at).expect("the image takes it");
                }
            }
        }
        state.has_power = true;
        lost
    }

    /// Flushes so far.
    pub fn flushes(&self) -> u64 {
        self.state.lock().expect("no holder panics").flushes
    }
}

impl Drop for PowerDisk {
    fn drop(&mut self) {
        let target = CString::new(self.mount.to_str().unwrap_or_default()).unwrap_or_default();
        // SAFETY: the string ends in a zero byte and outlives the call.
        unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
        if let Some(server) = self.server.take() {
            // It ends with the mount; a panic of its own has been printed.
            let _ = server.join();
        }
    }
}

impl State {
    fn next_random(&mut self) -> u64 {
        // xorshift64.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random >> 8
    }

    fn write(&mut self, position: u64, bytes: &[u8]) -> io::Result<()> {
        if !self.has_power {
            let left = self.writes_under_way.checked_sub(1).ok_or(io::Error::from_raw_os_error(libc::EIO))?;
            self.writes_under_way = left;
        }
        let mut before = vec![0; bytes.len()];
        self.image.read_exact_at(&mut before, position)?;
        self.image.write_all_at(bytes, position)?;
        self.unflushed.push((position, before, bytes.to_vec()));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.has_power {
            // What is written from here on is written because the flush has failed, and that no real power cut tells.
            self.writes_under_way = 0;
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        self.flushes += 1;
        self.unflushed.clear();
        Ok(())
    }

    fn attributes(&self, node: u64) -> Vec<u8> {
        let (mode, size) = if node == ROOT { (libc::S_IFDIR | 0o700, 0) } else { (libc::S_IFREG | 0o600, self.size) };
        let mut bytes = Vec::new();
        // ino, size, blocks; three times and their nanoseconds; mode, nlink, uid, gid, rdev, blksize, flags.
        [node, size, size / SECTOR as u64, 0, 0, 0].iter().for_each(|field| bytes.extend(field.to_ne_bytes()));
        [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0].iter().for_each(|field: &u32| bytes.extend(field.to_ne_bytes()));
        bytes
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Answers requests until the mount goes.
fn serve(mut device: File, state: &Mutex<State>) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let len = match device.read(&mut buffer) {
            Ok(len) => len,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::ENOENT)) => continue,
            Err(_) => return,
        };
        let request = &buffer[..len];
        let (opcode, unique, node) = (u32_at(request, 4), u64_at(request, 8), u64_at(request, 16));
        let Some(answer) = answer(opcode, node, &request[IN_HEADER..], &mut state.lock().expect("no holder panics"))
        else {
            continue;
        };
        let (error, body) = match answer {
            Ok(body) => (0, body),
            Err(error) => (-error.raw_os_error().unwrap_or(libc::EIO), Vec::new()),
        };
        let mut reply = Vec::with_capacity(16 + body.len());
        reply.extend((16 + body.len() as u32).to_ne_bytes());
        reply.extend(error.to_ne_bytes());
        reply.extend(unique.to_ne_bytes());
        reply.extend(body);
        // A request that was interrupted has nobody left to answer to.
        let _ = device.write(&reply);
    }
}

/// The answer to one request; `None` for those that get none.
fn answer(opcode: u32, node: u64, body: &[u8], state: &mut State) -> Option<io::Result<Vec<u8>>> {
    const VALID_SECONDS: u64 = 3600;
    let refuse = |errno| Err(io::Error::from_raw_os_error(errno));
    Some(match opcode {
        // Forget, interrupt, batch forget.
        2 | 36 | 42 => return None,
        // Lookup.
        1 if node == ROOT && body.strip_suffix(b"\0") == Some(NAME.as_bytes()) => {
            let mut entry = Vec::new();
            [IMAGE, 0, VALID_SECONDS, VALID_SECONDS, 0].iter().for_each(|field| entry.extend(field.to_ne_bytes()));
            entry.extend(state.attributes(IMAGE));
            Ok(entry)
        }
        1 => refuse(libc::ENOENT),
        // Getattr, setattr: nothing changes.
        3 | 4 => {
            let mut attributes = Vec::new();
            [VALID_SECONDS, 0].iter().for_each(|field| attributes.extend(field.to_ne_bytes()));
            attributes.extend(state.attributes(node));
            Ok(attributes)
        }
        // Open, opendir: no handle, no flags.
        14 | 27 => Ok(vec![0; 16]),
        15 => {
            let (position, size) = (u64_at(body, 8), u32_at(body, 16) as usize);
            let mut bytes = vec![0; size.min(state.size.saturating_sub(position) as usize)];
            state.image.read_exact_at(&mut bytes, position).map(|()| bytes)
        }
        16 => {
            let (position, size) = (u64_at(body, 8), u32_at(body, 16));
            let written = state.write(position, &body[40..40 + size as usize]);
            written.map(|()| [size.to_ne_bytes(), [0; 4]].concat())
        }
        // Statfs: of no meaning, but asked for.
        17 => Ok(vec![0; 80]),
        // Fsync.
        20 => state.flush().map(|()| Vec::new()),
        // Release, flush of a handle, readdir of nothing, releasedir, access.
        18 | 25 | 28 | 29 | 34 => Ok(Vec::new()),
        26 => {
            let mut init = Vec::new();
            // Version 7.31, readahead, no flags but big writes, background requests, largest write, granularity.
            [7u32, 31, 0, 1 << 5].iter().for_each(|field| init.extend(field.to_ne_bytes()));
            [16u16, 12].iter().for_each(|field| init.extend(field.to_ne_bytes()));
            [WRITE_MAX as u32, 1].iter().for_each(|field| init.extend(field.to_ne_bytes()));
            init.resize(64, 0);
            Ok(init)
        }
        _ => refuse(libc::ENOSYS),
    })
}
