//! Writing in one pass: values are appended to one buffer, and record bytes are referred to, never copied.

use std::ops::RangeBounds;

use bytes::Bytes;

use super::{Field, Form, STRING_BYTES_MAX, Uuid};

/// Collects one message. Everything but shared bytes lands in one buffer; shared bytes are remembered with the place
/// where they belong, so that [`Writer::into_chunks`] can hand them to a vectored write as they are.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: Vec<u8>,
    /// Shared bytes and the buffer position before which each belongs; positions never decrease.
    shared: Vec<(usize, Bytes)>,
    shared_bytes: usize,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Writer::default()
    }

    /// An empty writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Writer { buffer: Vec::with_capacity(capacity), ..Writer::default() }
    }

    /// Bytes written so far, shared ones included.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.shared_bytes
    }

    /// True when nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message in one piece; shared bytes, if any, are copied.
    pub fn into_vec(self) -> Vec<u8> {
        if self.shared.is_empty() {
            return self.buffer;
        }
        let mut whole = Vec::with_capacity(self.len());
        let mut start = 0;
        for (position, bytes) in &self.shared {
            whole.extend_from_slice(&self.buffer[start..*position]);
            whole.extend_from_slice(bytes);
            start = *position;
        }
        whole.extend_from_slice(&self.buffer[start..]);
        whole
    }

    /// The message as a list of non-empty chunks; nothing is copied.
    pub fn into_chunks(self) -> Vec<Bytes> {
        let mut chunks = Vec::with_capacity(2 * self.shared.len() + 1);
        let mut own = Bytes::from(self.buffer);
        let mut taken = 0;
        for (position, bytes) in self.shared {
            if position > taken {
                chunks.push(own.split_to(position - taken));
                taken = position;
            }
            chunks.push(bytes);
        }
        if !own.is_empty() {
            chunks.push(own);
        }
        chunks
    }

    /// Overwrites the four bytes at `position`, which must have been written before any shared bytes.
    pub fn patch_i32(&mut self, position: usize, value: i32) {
        if let Some((first_shared, _)) = self.shared.first() {
            assert!(position + 4 <= *first_shared, "only what precedes all shared bytes can be patched");
        }
        self.buffer[position..position + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// Appends raw bytes.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Appends bytes by reference.
    pub fn shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.shared_bytes += bytes.len();
            self.shared.push((self.buffer.len(), bytes));
        }
    }

    /// One byte, 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.buffer.push(u8::from(value));
    }

    /// One signed byte.
    pub fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    /// Two bytes, big-endian.
    pub fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// Two bytes, big-endian, unsigned.
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// Four bytes, big-endian.
    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// Four bytes, big-endian, unsigned.
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    /// Eight bytes, big-endian.
    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// IEEE 754 double, big-endian.
    pub fn f64(&mut self, value: f64) {
        self.raw(&value.to_be_bytes());
    }

    /// Sixteen bytes.
    pub fn uuid(&mut self, value: Uuid) {
        self.raw(&value.0);
    }

    /// Unsigned base-128 integer.
    pub fn unsigned_varint(&mut self, value: u32) {
        self.base128(u64::from(value));
    }

    /// Zigzag base-128 integer of 32 bits.
    pub fn varint(&mut self, value: i32) {
        self.unsigned_varint(((value << 1) ^ (value >> 31)) as u32);
    }

    /// Zigzag base-128 integer of 64 bits.
    pub fn varlong(&mut self, value: i64) {
        self.base128(((value << 1) ^ (value >> 63)) as u64);
    }

    fn base128(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.buffer.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.push(value as u8);
    }

    /// The length of bytes or the count of an array: four bytes, or a varint that is one more; `None` is null.
    pub fn length(&mut self, length: Option<usize>, flexible: bool) {
        if flexible {
            self.compact_length(length);
        } else {
            self.i32(length.map_or(-1, |length| i32::try_from(length).expect("lengths fit 31 bits")));
        }
    }

    fn compact_length(&mut self, length: Option<usize>) {
        let raw = length.map_or(0, |length| length + 1);
        self.unsigned_varint(u32::try_from(raw).expect("lengths fit 31 bits"));
    }

    /// A string or null. What is beyond [`STRING_BYTES_MAX`] is cut off, which only befalls messages for people that quote
    /// a long name: names themselves come from messages and are no longer than that.
    pub fn nullable_str(&mut self, value: Option<&str>, flexible: bool) {
        let value = value.map(|text| &text[..text.floor_char_boundary(STRING_BYTES_MAX)]);
        if flexible {
            self.compact_length(value.map(str::len));
        } else {
            self.i16(value.map_or(-1, |text| text.len() as i16));
        }
        self.raw(value.unwrap_or_default().as_bytes());
    }

    /// Begins the tagged section that ends each flexible struct.
    pub fn tagged_section(&mut self) -> TaggedSection<'_> {
        let count_position = self.buffer.len();
        self.buffer.push(0);
        TaggedSection { writer: self, count_position, count: 0, tag_min: 0 }
    }
}

/// A tagged section being written. Its count goes first but is known last; no struct has as many tagged fields as need a
/// second byte for it.
#[derive(Debug)]
pub struct TaggedSection<'w> {
    writer: &'w mut Writer,
    count_position: usize,
    count: u8,
    tag_min: u32,
}

impl TaggedSection<'_> {
    /// Appends a field, unless its version lacks it or its value is the default. Tags come in ascending order.
    pub fn field<T: Field + PartialEq>(
        mut self,
        tag: u32,
        versions: impl RangeBounds<i16>,
        value: &T,
        default: &T,
        form: Form,
    ) -> Self {
        assert!(tag >= self.tag_min, "tags ascend");
        self.tag_min = tag + 1;
        if versions.contains(&form.version) && value != default {
            self.count += 1;
            self.append(tag, value, form);
        }
        self
    }

    /// The size goes before the value but is known after it, so it is put in place by rotating these few bytes. Shared
    /// bytes could not move along, and do not occur here.
    fn append(&mut self, tag: u32, value: &impl Field, form: Form) {
        let writer = &mut *self.writer;
        writer.unsigned_varint(tag);
        let start = writer.buffer.len();
        let shared = writer.shared.len();
        value.encode(writer, form);
        assert_eq!(shared, writer.shared.len(), "record bytes never travel in tagged fields");
        let end = writer.buffer.len();
        writer.unsigned_varint(u32::try_from(end - start).expect("lengths fit 31 bits"));
        let size_bytes = writer.buffer.len() - end;
        writer.buffer[start..].rotate_right(size_bytes);
    }

    /// Ends the section.
    pub fn close(self) {
        assert!(self.count < 0x80, "the count is one byte");
        self.writer.buffer[self.count_position] = self.count;
    }
}
