//! Bounded reading: every length is checked against the bytes left before anything is allocated or sliced.

use bytes::Bytes;

use super::{DecodeError, ELEMENTS_MAX, STRING_BYTES_MAX, TAGS_MAX, Uuid};

/// A cursor over one message. Reads never go beyond its end, and a failed read says why.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// The frame that `rest` lies in, when record bytes may be shared with it instead of copied.
    frame: Option<&'a Bytes>,
}

impl<'a> Reader<'a> {
    /// Reads from `bytes`; whatever a message keeps is copied out.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes, frame: None }
    }

    /// Reads from `frame`; [`super::Records`] become slices of it and keep it alive. All else is copied out.
    pub fn shared(frame: &'a Bytes) -> Self {
        Reader { rest: frame, frame: Some(frame) }
    }

    /// Bytes not read yet.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The bytes not read yet, without reading them.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes the next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::Truncated { needed: length, left: self.rest.len() })?;
        self.rest = tail;
        Ok(head)
    }

    /// Takes the next `length` bytes as a slice of the frame where this reader shares one, else as a copy.
    pub fn take_shared(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        let taken = self.take(length)?;
        Ok(match self.frame {
            Some(frame) => frame.slice_ref(taken),
            None => Bytes::copy_from_slice(taken),
        })
    }

    /// A reader of the next `length` bytes only, which are thereby read.
    pub fn split(&mut self, length: usize) -> Result<Reader<'a>, DecodeError> {
        Ok(Reader { rest: self.take(length)?, frame: self.frame })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) =
            self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated { needed: N, left: self.rest.len() })?;
        self.rest = tail;
        Ok(*head)
    }

    /// Any non-zero byte is true, as in Kafka.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    /// One signed byte.
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    /// Two bytes, big-endian.
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    /// Two bytes, big-endian, unsigned.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Four bytes, big-endian.
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// Four bytes, big-endian, unsigned.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Eight bytes, big-endian.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// IEEE 754 double, big-endian.
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        Ok(f64::from_be_bytes(self.array()?))
    }

    /// Sixteen bytes.
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        Ok(Uuid(self.array()?))
    }

    /// Unsigned base-128 integer of at most 32 bits.
    #[inline]
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.base128(32)?).map_err(|_| DecodeError::InvalidVarint)
    }

    /// Zigzag base-128 integer of at most 32 bits.
    #[inline]
    pub fn varint(&mut self) -> Result<i32, DecodeError> {
        let raw = self.unsigned_varint()?;
        Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    /// Zigzag base-128 integer of at most 64 bits.
    #[inline]
    pub fn varlong(&mut self) -> Result<i64, DecodeError> {
        let raw = self.base128(64)?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// Most integers are small and take one byte: walking over records depends on that being quick.
    #[inline]
    fn base128(&mut self, bits: u32) -> Result<u64, DecodeError> {
        if let [byte @ ..=0x7f, tail @ ..] = self.rest {
            self.rest = tail;
            return Ok(u64::from(*byte));
        }
        self.base128_of_any_length(bits)
    }

    fn base128_of_any_length(&mut self, bits: u32) -> Result<u64, DecodeError> {
        let mut value: u64 = 0;
        let mut shift = 0;
        while shift < bits {
            let [byte] = self.array()?;
            let digit = u64::from(byte & 0x7f);
            if digit << shift >> shift != digit {
                return Err(DecodeError::InvalidVarint);
            }
            value |= digit << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift += 7;
        }
        Err(DecodeError::InvalidVarint)
    }

    /// The length of a string: two bytes, or a varint that is one more; `None` is null.
    /// Compact strings are no longer than others, or they could not be answered in an older version.
    pub fn string_length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        let length = if flexible { self.compact_length()? } else { non_negative(i64::from(self.i16()?))? };
        match length {
            Some(length) if length > STRING_BYTES_MAX => Err(DecodeError::InvalidLength(length as i64)),
            _ => Ok(length),
        }
    }

    /// The length of bytes or the count of an array: four bytes, or a varint that is one more; `None` is null.
    pub fn length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible {
            return self.compact_length();
        }
        non_negative(i64::from(self.i32()?))
    }

    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        non_negative(i64::from(self.unsigned_varint()?) - 1)
    }

    /// The count of an array whose elements take at least `element_bytes_min` bytes each, checked against the bytes left.
    pub fn count(&mut self, flexible: bool, element_bytes_min: usize) -> Result<Option<usize>, DecodeError> {
        assert!(element_bytes_min > 0, "elements of no size cannot be bounded");
        let Some(count) = self.length(flexible)? else { return Ok(None) };
        if count > ELEMENTS_MAX {
            return Err(DecodeError::TooManyElements(count));
        }
        let needed = count * element_bytes_min;
        if needed > self.left() {
            return Err(DecodeError::Truncated { needed, left: self.left() });
        }
        Ok(Some(count))
    }

    /// A string borrowed from the message; `None` is null.
    pub fn nullable_str(&mut self, flexible: bool) -> Result<Option<&'a str>, DecodeError> {
        let Some(length) = self.string_length(flexible)? else { return Ok(None) };
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::InvalidUtf8)?;
        Ok(Some(text))
    }

    /// A string borrowed from the message.
    pub fn str(&mut self, flexible: bool) -> Result<&'a str, DecodeError> {
        self.nullable_str(flexible)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// The count of a tagged section.
    pub fn tag_count(&mut self) -> Result<usize, DecodeError> {
        let count = self.unsigned_varint()? as usize;
        if count > TAGS_MAX {
            return Err(DecodeError::TooManyTags(count));
        }
        Ok(count)
    }

    /// One tagged field: its tag and a reader of its value.
    pub fn tagged_field(&mut self) -> Result<(u32, Reader<'a>), DecodeError> {
        let tag = self.unsigned_varint()?;
        let size = self.unsigned_varint()? as usize;
        Ok((tag, self.split(size)?))
    }

    /// Reads a tagged section none of whose fields is known.
    pub fn skip_tagged_fields(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.tag_count()? {
            self.tagged_field()?;
        }
        Ok(())
    }
}

fn non_negative(length: i64) -> Result<Option<usize>, DecodeError> {
    match length {
        -1 => Ok(None),
        _ => usize::try_from(length).map(Some).map_err(|_| DecodeError::InvalidLength(length)),
    }
}
