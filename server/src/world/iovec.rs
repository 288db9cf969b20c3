//! Pieces of memory as the kernel's vectored operations take them.

/// The vector of a piece.
pub(super) fn of(piece: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() }
}

/// Takes `done` bytes off the front, which are at most what the vectors hold.
pub(super) fn advance(vectors: &mut Vec<libc::iovec>, mut done: usize) {
    let whole = vectors
        .iter()
        .take_while(|vector| {
            let is_done = vector.iov_len <= done;
            done -= if is_done { vector.iov_len } else { 0 };
            is_done
        })
        .count();
    vectors.drain(..whole);
    if let Some(first) = vectors.first_mut() {
        first.iov_base = first.iov_base.cast::<u8>().wrapping_add(done).cast();
        first.iov_len -= done;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_leaves_exactly_what_is_not_done() {
        let bytes: Vec<u8> = (0..30).collect();
        for done in 0..=30 {
            let mut vectors: Vec<_> = bytes.chunks(10).map(of).collect();
            advance(&mut vectors, done);
            // SAFETY: the vectors are parts of `bytes`.
            let left = vectors.iter().flat_map(|vector| unsafe {
                std::slice::from_raw_parts(vector.iov_base.cast::<u8>(), vector.iov_len).to_vec()
            });
            assert!(left.eq(done as u8..30), "after {done}");
        }
    }
}
