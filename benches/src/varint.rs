//! The two variable-length integers of Kafka's protocol: unsigned (compact lengths) and zigzag (record fields).

/// Appends `value` in seven-bit groups, least significant first.
pub fn put_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value` zigzag-coded.
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a compact string: its length plus one, then its bytes.
pub fn put_compact_string(out: &mut Vec<u8>, text: &str) {
    put_unsigned(out, text.len() as u64 + 1);
    out.extend_from_slice(text.as_bytes());
}

/// Reads Kafka's primitive types off the front of a frame; every method answers `None` when the bytes don't suffice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(length)?;
        self.rest = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    /// A big-endian 16-bit integer.
    pub fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    /// A big-endian 32-bit integer.
    pub fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// A big-endian 64-bit integer.
    pub fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// An unsigned varint of at most 32 bits.
    pub fn unsigned(&mut self) -> Option<u32> {
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).ok();
            }
        }
        None
    }

    /// A compact length: `None` inside for null.
    pub fn compact_length(&mut self) -> Option<Option<usize>> {
        Some(self.unsigned()?.checked_sub(1).map(|length| length as usize))
    }

    /// Compact bytes or string; null reads as empty.
    pub fn compact_bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.compact_length()?.unwrap_or(0);
        self.bytes(length)
    }

    /// Skips a tagged-field section.
    pub fn skip_tags(&mut self) -> Option<()> {
        for _ in 0..self.unsigned()? {
            self.unsigned()?;
            let length = self.unsigned()?;
            self.bytes(length as usize)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_reads_back_what_was_put_at_each_length() {
        for value in [0, 1, 127, 128, 16_383, 16_384, 1 << 21, u64::from(u32::MAX)] {
            let mut bytes = Vec::new();
            put_unsigned(&mut bytes, value);
            assert_eq!(Reader::new(&bytes).unsigned().map(u64::from), Some(value));
        }
    }

    #[test]
    fn signed_follows_the_zigzag_order() {
        for (value, byte) in [(0, 0), (-1, 1), (1, 2), (-2, 3), (63, 126)] {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, value);
            assert_eq!(bytes, [byte]);
        }
    }

    #[test]
    fn a_varint_without_end_is_refused() {
        assert_eq!(Reader::new(&[0xff; 8]).unsigned(), None);
        assert_eq!(Reader::new(&[0x80]).unsigned(), None);
    }
}
