//! Writing the zigzag variable-length integers of records, whose lengths stand before what they measure and so
//! must be known ahead. [`crate::codec::Reader`] reads them.

/// Appends an i32.
pub(super) fn put_i32(value: i32, out: &mut Vec<u8>) {
    put_i64(i64::from(value), out);
}

/// Appends an i64.
pub(super) fn put_i64(value: i64, out: &mut Vec<u8>) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

/// How many bytes [`put_i64`] appends.
pub(super) const fn len_i64(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (70 - (zigzag | 1).leading_zeros() as usize) / 7
}
