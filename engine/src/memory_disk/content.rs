//! The bytes of one file, as they are now and as they would be after a crash.
//!
//! `now` is what reads see. `stable` is what is certain to survive. `pending` are the changes between the two, in the
//! order in which they completed; `in_flight` are writes that the device has not reported back. A crash keeps any subset
//! of the pending changes, sector by sector, and leaves each sector of a write in flight old, new or garbage.

use std::collections::{BTreeMap, BTreeSet};

use super::random::Random;
use crate::disk::BLOCK;

/// What a device writes as one: a crash tears writes between these.
pub const SECTOR: usize = 512;

/// Bytes in pages; a page that is missing reads as zeros.
#[derive(Clone, Default)]
pub struct Pages {
    len: u64,
    pages: BTreeMap<u64, Box<[u8; BLOCK]>>,
}

impl Pages {
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn set_len(&mut self, len: u64) {
        if len < self.len {
            let first_gone = len.div_ceil(BLOCK as u64);
            self.pages.split_off(&first_gone);
            let kept = (len % BLOCK as u64) as usize;
            if kept > 0
                && let Some(page) = self.pages.get_mut(&(len / BLOCK as u64))
            {
                page[kept..].fill(0);
            }
        }
        self.len = len;
    }

    /// Writes, extending the length as needed.
    pub fn write(&mut self, position: u64, bytes: &[u8]) {
        let mut position = position;
        let mut rest = bytes;
        while !rest.is_empty() {
            let within = (position % BLOCK as u64) as usize;
            let (part, others) = rest.split_at(rest.len().min(BLOCK - within));
            let number = position / BLOCK as u64;
            // Files filled with zeros ahead of their use would else take most of a simulation's time.
            if part.len() == BLOCK && part == [0; BLOCK] {
                self.pages.remove(&number);
            } else {
                let page = self.pages.entry(number).or_insert_with(|| Box::new([0; BLOCK]));
                page[within..within + part.len()].copy_from_slice(part);
            }
            position += part.len() as u64;
            rest = others;
        }
        self.len = self.len.max(position);
    }

    /// Reads up to the end of the file.
    pub fn read(&self, position: u64, len: usize) -> Vec<u8> {
        let end = position.saturating_add(len as u64).min(self.len);
        let mut bytes = vec![0; end.saturating_sub(position) as usize];
        let mut done = 0;
        while done < bytes.len() {
            let at = position + done as u64;
            let within = (at % BLOCK as u64) as usize;
            let part = (bytes.len() - done).min(BLOCK - within);
            if let Some(page) = self.pages.get(&(at / BLOCK as u64)) {
                bytes[done..done + part].copy_from_slice(&page[within..within + part]);
            }
            done += part;
        }
        bytes
    }
}

enum Change {
    Write { position: u64, bytes: Vec<u8> },
    SetLen(u64),
    Extend(u64),
}

impl Change {
    fn apply(&self, pages: &mut Pages) {
        match self {
            Change::Write { position, bytes } => pages.write(*position, bytes),
            Change::SetLen(len) => pages.set_len(*len),
            Change::Extend(len) => pages.set_len(pages.len().max(*len)),
        }
    }
}

/// One file's content.
#[derive(Default)]
pub struct Content {
    now: Pages,
    stable: Pages,
    pending: Vec<(u64, Change)>,
    in_flight: BTreeMap<u64, (u64, Vec<u8>)>,
    /// Sectors that a crash left unreadable, until they are written again.
    unreadable: BTreeSet<u64>,
    ticket: u64,
}

impl Content {
    pub fn len(&self) -> u64 {
        self.now.len()
    }

    /// The bytes as reads see them; `None` when the range touches an unreadable sector.
    pub fn read(&self, position: u64, len: usize) -> Option<Vec<u8>> {
        let bytes = self.now.read(position, len);
        let first = position / SECTOR as u64;
        let end = (position + bytes.len() as u64).div_ceil(SECTOR as u64);
        self.unreadable.range(first..end.max(first)).next().is_none().then_some(bytes)
    }

    /// Hands a write to the device; [`Content::complete`] with the ticket reports it back.
    pub fn submit(&mut self, position: u64, bytes: Vec<u8>) -> u64 {
        self.ticket += 1;
        self.in_flight.insert(self.ticket, (position, bytes));
        self.ticket
    }

    /// The device reports a write back.
    pub fn complete(&mut self, ticket: u64, durable: bool) {
        let (position, bytes) = self.in_flight.remove(&ticket).expect("a write is reported back once");
        let first = position / SECTOR as u64;
        let end = (position + bytes.len() as u64).div_ceil(SECTOR as u64);
        for sector in first..end {
            self.unreadable.remove(&sector);
        }
        self.now.write(position, &bytes);
        self.change(Change::Write { position, bytes });
        if durable {
            self.settle(position, end * SECTOR as u64);
        }
    }

    /// A write that failed: as after a crash, each sector may be old or new.
    pub fn fail(&mut self, ticket: u64, random: &mut Random) {
        let (position, bytes) = self.in_flight.remove(&ticket).expect("a write is reported back once");
        for (index, sector) in bytes.chunks(SECTOR).enumerate() {
            if random.chance(50) {
                let position = position + (index * SECTOR) as u64;
                self.now.write(position, sector);
                self.change(Change::Write { position, bytes: sector.to_vec() });
            }
        }
    }

    pub fn set_len(&mut self, len: u64) {
        self.now.set_len(len);
        self.change(Change::SetLen(len));
    }

    pub fn extend(&mut self, len: u64) {
        let change = Change::Extend(len);
        change.apply(&mut self.now);
        self.change(change);
    }

    fn change(&mut self, change: Change) {
        self.ticket += 1;
        self.pending.push((self.ticket, change));
    }

    /// What a sync that starts now will cover.
    pub fn covered(&self) -> u64 {
        self.ticket
    }

    /// Makes the changes up to `covered` stable.
    pub fn sync(&mut self, covered: u64) {
        let kept = self.pending.split_off(self.pending.partition_point(|(ticket, _)| *ticket <= covered));
        for (_, change) in std::mem::replace(&mut self.pending, kept) {
            change.apply(&mut self.stable);
        }
    }

    /// A durable write settles the range that it covers, and with it the file's length.
    fn settle(&mut self, start: u64, end: u64) {
        for (_, change) in &mut self.pending {
            match change {
                Change::Write { position, bytes } => {
                    let from = start.clamp(*position, *position + bytes.len() as u64);
                    let to = end.clamp(*position, *position + bytes.len() as u64);
                    self.stable.write(from, &bytes[(from - *position) as usize..(to - *position) as usize]);
                }
                other => other.apply(&mut self.stable),
            }
        }
        let mut kept = Vec::with_capacity(self.pending.len());
        for (ticket, change) in self.pending.drain(..) {
            if let Change::Write { position, mut bytes } = change {
                let write_end = position + bytes.len() as u64;
                if end < write_end {
                    let tail = bytes.split_off((end.max(position) - position) as usize);
                    kept.push((ticket, Change::Write { position: end.max(position), bytes: tail }));
                }
                bytes.truncate((start.clamp(position, write_end) - position) as usize);
                if !bytes.is_empty() {
                    kept.push((ticket, Change::Write { position, bytes }));
                }
            }
        }
        self.pending = kept;
    }

    /// The power goes and comes back.
    pub fn crash(&mut self, random: &mut Random, unreadable_percent: u64) {
        let mut after = std::mem::take(&mut self.stable);
        for (_, change) in self.pending.drain(..) {
            match change {
                Change::Write { position, bytes } if random.chance(70) => {
                    let torn = random.chance(30);
                    for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                        if !torn || random.chance(50) {
                            after.write(position + (index * SECTOR) as u64, sector);
                        }
                    }
                }
                Change::Write { .. } => {}
                change if random.chance(50) => change.apply(&mut after),
                _ => {}
            }
        }
        for (_, (position, bytes)) in std::mem::take(&mut self.in_flight) {
            let outcome = random.below(4);
            for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                let position = position + (index * SECTOR) as u64;
                match outcome {
                    0 => {}
                    1 => after.write(position, sector),
                    _ if random.chance(45) => after.write(position, sector),
                    _ if random.chance(20) => after.write(position, &random.bytes(sector.len())),
                    _ if random.chance(unreadable_percent) && position < after.len() => {
                        self.unreadable.insert(position / SECTOR as u64);
                    }
                    _ => {}
                }
            }
        }
        self.now = after.clone();
        self.stable = after;
    }

    /// The process goes and the machine lives on: a write in flight still happens, or does not.
    pub fn abandon(&mut self, random: &mut Random) {
        for (_, (position, bytes)) in std::mem::take(&mut self.in_flight) {
            if random.chance(50) {
                self.now.write(position, &bytes);
                self.change(Change::Write { position, bytes });
            }
        }
    }

    /// Changes stored bytes behind everybody's back: damage that no crash does.
    pub fn overwrite(&mut self, position: u64, bytes: &[u8]) {
        assert!(position + bytes.len() as u64 <= self.now.len(), "damage lies within the file");
        self.now.write(position, bytes);
        self.stable.write(position, bytes);
    }
}
