//! Which journal file the next group goes to, and which files may be used again.
//!
//! Invariant: a file is written from its start to its end once, and again only after it was freed, which needs a durable
//! checkpoint that no longer refers to it. So no block that holds the only durable copy of acknowledged bytes is ever
//! rewritten; `place` asserts it.

use std::collections::VecDeque;

/// Where a group goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The file's number.
    pub file: u32,
    /// Bytes from its start.
    pub position: u64,
}

/// The first group that recovery needs, or would need if there were one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the file that it begins.
    pub file: u32,
    /// Its sequence.
    pub sequence: u64,
    /// The CRC of the group before it.
    pub previous_crc: u32,
}

/// The state of a core's journal files. Knows lengths, not contents.
#[derive(Debug)]
pub struct Ring {
    lengths: Vec<u64>,
    /// Files in use, oldest first; the last is being written.
    live: VecDeque<Head>,
    free: VecDeque<u32>,
    position: u64,
}

impl Ring {
    /// A ring over files of these lengths, at least one, which starts afresh with the longest.
    pub fn new(lengths: Vec<u64>) -> Ring {
        let longest = (0..lengths.len()).max_by_key(|file| lengths[*file]).expect("a journal has a file");
        let free = (0..lengths.len()).filter(|file| *file != longest).map(|file| file as u32).collect();
        let live = VecDeque::from([Head { file: longest as u32, sequence: 1, previous_crc: 0 }]);
        Ring { lengths, live, free, position: 0 }
    }

    /// Adds a file, which gets the next number.
    pub fn add(&mut self, length: u64) -> u32 {
        let file = self.lengths.len() as u32;
        self.lengths.push(length);
        self.free.push_back(file);
        file
    }

    /// Whether a group of `len` bytes has a place.
    pub fn fits(&self, len: u64) -> bool {
        self.fits_current(len) || self.free.iter().any(|file| self.length(*file) >= len)
    }

    /// Takes the place for a group of `len` bytes, which fits.
    pub fn place(&mut self, len: u64, sequence: u64, previous_crc: u32) -> Slot {
        if !self.fits_current(len) {
            let next = self.free.iter().position(|file| self.length(*file) >= len);
            let file = next.and_then(|next| self.free.remove(next)).expect("the caller checked that the group fits");
            assert!(self.live.iter().all(|head| head.file != file), "a live journal file is never rewritten");
            if self.position == 0 {
                self.free.extend(self.live.pop_back().map(|unused| unused.file));
            }
            self.live.push_back(Head { file, sequence, previous_crc });
            self.position = 0;
        }
        let slot = Slot { file: self.current().file, position: self.position };
        self.position += len;
        assert!(self.position <= self.length(slot.file));
        slot
    }

    /// Goes on in any free file, if there is one, so that the current one can be freed although it is not full.
    pub fn move_on(&mut self, sequence: u64, previous_crc: u32) {
        if self.position > 0
            && let Some(file) = self.free.pop_front()
        {
            self.live.push_back(Head { file, sequence, previous_crc });
            self.position = 0;
        }
    }

    /// The oldest file in use, and so where recovery would begin if nothing more were freed.
    pub fn oldest(&self) -> Head {
        *self.live.front().expect("one file is always in use")
    }

    /// The file being written.
    pub fn current(&self) -> Head {
        *self.live.back().expect("one file is always in use")
    }

    /// Where recovery begins once groups below `needed` are of no more use.
    pub fn head_for(&self, needed: u64) -> Head {
        let unneeded = self.live.iter().skip(1).take_while(|head| head.sequence <= needed).count();
        self.live[unneeded]
    }

    /// Frees the files before `head`, which a durable checkpoint now names.
    pub fn free_before(&mut self, head: Head) {
        while self.oldest() != head {
            let freed = self.live.pop_front().expect("the head is one of the files in use");
            assert!(!self.live.is_empty(), "the head is one of the files in use");
            probe::reached!(JournalFileFreed);
            self.free.push_back(freed.file);
        }
    }

    /// Whether older files wait to be freed.
    pub fn has_older(&self) -> bool {
        self.live.len() > 1
    }

    /// Whether the file being written is past its half and no other is free.
    pub fn runs_short(&self) -> bool {
        self.free.is_empty() && self.position > self.length(self.current().file) / 2
    }

    /// Bytes of all files together.
    pub fn total(&self) -> u64 {
        self.lengths.iter().sum()
    }

    /// Bytes of the longest file.
    pub fn longest(&self) -> u64 {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    /// Bytes written since the oldest file in use was begun; the part of a file that a group did not fit into counts.
    pub fn used(&self) -> u64 {
        let older = self.live.iter().rev().skip(1).map(|head| self.length(head.file)).sum::<u64>();
        older + self.position
    }

    fn fits_current(&self, len: u64) -> bool {
        self.position + len <= self.length(self.current().file)
    }

    fn length(&self, file: u32) -> u64 {
        self.lengths[file as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_filled_in_turn_and_reused_only_after_they_are_freed() {
        let mut ring = Ring::new(vec![100, 100]);
        assert_eq!(ring.place(60, 1, 0).position, 0);
        let first = ring.current().file;
        assert_eq!(ring.place(40, 2, 11), Slot { file: first, position: 60 });
        let second = ring.place(90, 3, 12);
        assert_ne!(second.file, first);
        assert!(!ring.fits(20), "both files hold what may still be needed");
        assert!(ring.fits(10));
        assert_eq!(ring.head_for(2), Head { file: first, sequence: 1, previous_crc: 0 });
        let head = ring.head_for(3);
        assert_eq!(head, Head { file: second.file, sequence: 3, previous_crc: 12 });
        ring.free_before(head);
        assert_eq!(ring.place(20, 4, 13), Slot { file: first, position: 0 });
        assert_eq!(ring.used(), 120);
    }

    #[test]
    fn a_group_skips_free_files_that_are_too_short_for_it() {
        let mut ring = Ring::new(vec![50, 100, 200]);
        ring.place(200, 1, 0);
        assert!(!ring.fits(150));
        assert_eq!(ring.place(80, 2, 0).file, 1);
        assert_eq!(ring.place(40, 3, 0).file, 0);
        let added = ring.add(150);
        assert_eq!(ring.place(150, 4, 0).file, added);
    }

    #[test]
    fn moving_on_lets_the_longest_file_be_freed_before_it_is_full() {
        let mut ring = Ring::new(vec![50, 200]);
        ring.place(80, 1, 0);
        assert!(!ring.fits(150) && !ring.has_older(), "nothing would ever make room");
        ring.move_on(2, 11);
        assert!(ring.has_older());
        ring.free_before(ring.head_for(2));
        assert_eq!(ring.place(150, 2, 11), Slot { file: 1, position: 0 });
        assert!(!ring.has_older(), "the file that was moved on to was given back unused");
    }

    #[test]
    #[should_panic(expected = "the caller checked")]
    fn placing_what_does_not_fit_is_a_programming_error() {
        Ring::new(vec![100]).place(101, 1, 0);
    }
}
