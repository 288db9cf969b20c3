//! Requests' frames off a connection, each in memory that it shares with few others.
//!
//! Small frames are cut out of one read. A frame that is not there whole gets memory of its own, of its own size, and what is
//! read next ends with it: so nothing of a large frame is copied but its first bytes, and none of its neighbours pins it.
//! How much is read ahead follows the client: an idle connection holds half a kilobyte.

use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use wire::header::FRAME_LENGTH_BYTES;

use crate::budget::Reservation;
use crate::connection::Client;
use crate::core::Core;
use crate::world::{Stream, World};

/// While there is plenty of memory, so much of a frame is reserved and allocated at once; the rest, or with less memory
/// all of it, as its bytes arrive.
const FRAME_EAGER_BYTES: usize = 1 << 20;
/// The most that is reserved in one step after that.
const FRAME_STEP_BYTES_MAX: usize = 1 << 20;
/// Every connection may hold so much of an unfinished frame without reserving it.
const UNRESERVED_BYTES_MAX: usize = 16 << 10;
/// What is read ahead at least, and at most.
const READ_AHEAD_BYTES_MIN: usize = 512;
const READ_AHEAD_BYTES_MAX: usize = 64 << 10;

/// The frames of one connection.
pub(crate) struct Frames<'a, W: World> {
    core: &'a Rc<Core<W>>,
    stream: &'a W::Stream,
    client: &'a Client,
    /// What has been read and not been cut out yet: never more than the beginning of a frame, after [`Frames::next`] has
    /// looked at it.
    buffer: BytesMut,
    read_ahead: usize,
}

impl<'a, W: World> Frames<'a, W> {
    pub(crate) fn new(core: &'a Rc<Core<W>>, stream: &'a W::Stream, client: &'a Client) -> Self {
        Frames { core, stream, client, buffer: BytesMut::new(), read_ahead: READ_AHEAD_BYTES_MIN }
    }

    /// The next frame without its length, and the memory reserved for it; `None` when the client has ended between two
    /// frames. The error says why the connection has to end.
    pub(crate) async fn next(&mut self) -> Result<Option<(Bytes, Reservation)>, String> {
        while self.buffer.len() < FRAME_LENGTH_BYTES {
            if !self.read_ahead().await? {
                return if self.buffer.is_empty() { Ok(None) } else { Err("it ended within a frame's length".into()) };
            }
        }
        let length = frame_length(self.buffer.get_i32(), self.core.limits().request_bytes_max)?;
        let (frame, mut reservation) = if length <= self.buffer.len() {
            (self.buffer.split_to(length), self.core.budget().nothing())
        } else {
            self.read_rest(length).await?
        };
        reservation.grow(length.saturating_sub(reservation.bytes())).await;
        Ok(Some((frame.freeze(), reservation)))
    }

    /// Reads what is missing of a frame, into memory of its own.
    async fn read_rest(&mut self, length: usize) -> Result<(BytesMut, Reservation), String> {
        let eager = self.core.budget().try_reserve(length.min(FRAME_EAGER_BYTES));
        let mut reservation = eager.unwrap_or_else(|| self.core.budget().nothing());
        let mut allowed = reservation.bytes().max(UNRESERVED_BYTES_MAX).min(length);
        let mut frame = BytesMut::with_capacity(allowed);
        frame.extend_from_slice(&self.buffer);
        self.buffer = BytesMut::new();
        while frame.len() < length {
            if frame.len() >= allowed {
                self.client.ends_step();
                // As much again as has arrived: the client pays in bytes for what it announces.
                allowed = (allowed + allowed.min(FRAME_STEP_BYTES_MAX)).min(length);
                reservation.grow(allowed - reservation.bytes()).await;
                frame.reserve(allowed.saturating_sub(frame.len()));
                continue;
            }
            if reservation.bytes() > 0 {
                self.client.begins_step(self.core.world().now_ms());
            }
            if self.read(&mut frame).await? == 0 {
                return Err("it ended within a frame".into());
            }
        }
        self.client.ends_step();
        if length > self.read_ahead {
            // More of the kind may follow, and what is read ahead of them is copied.
            self.read_ahead = READ_AHEAD_BYTES_MIN;
        }
        // The last read may have gone beyond the frame, if its memory is a little larger than asked for.
        self.buffer = frame.split_off(length);
        Ok((frame, reservation))
    }

    /// Reads whatever has come; false when the client has ended.
    async fn read_ahead(&mut self) -> Result<bool, String> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.reserve(self.read_ahead);
        let spare = buffer.capacity() - buffer.len();
        let count = self.read(&mut buffer).await?;
        self.buffer = buffer;
        if count == spare {
            self.read_ahead = (2 * self.read_ahead).min(READ_AHEAD_BYTES_MAX);
        } else if count < self.read_ahead / 4 {
            self.read_ahead = (self.read_ahead / 2).max(READ_AHEAD_BYTES_MIN);
        }
        Ok(count > 0)
    }

    async fn read(&self, buffer: &mut BytesMut) -> Result<usize, String> {
        let (result, returned) = self.stream.read(std::mem::take(buffer)).await;
        *buffer = returned;
        self.client.is_active(self.core.world().now_ms());
        let count = result.map_err(|error| error.to_string())?;
        self.core.counters().received_bytes(count);
        Ok(count)
    }
}

fn frame_length(announced: i32, max: usize) -> Result<usize, String> {
    match usize::try_from(announced) {
        Ok(length) if length <= max => Ok(length),
        _ => Err(format!(
            "it announced a request of {announced} bytes; the limit is {max} (socket.request.max.bytes). \
             Is it a Kafka client, without TLS?"
        )),
    }
}
