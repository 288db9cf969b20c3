//! One client's connection: frames in, answers out in the order of the requests.
//!
//! A request has two stages. *Queued*: what must happen in order happens while the request is dispatched (a batch has its
//! offset), and the next request is read. *Done*: the answer is ready. Only the oldest request's second stage is polled,
//! so requests that have no first stage run one after the other, as in Kafka.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::future::{Either, LocalBoxFuture, select};

use crate::budget::Reservation;
use crate::core::Core;
use crate::requests;
use crate::signal::Signal;
use crate::world::{Stream, World};

/// Requests of one connection that wait for their answers; more are not read.
const IN_FLIGHT_MAX: usize = 256;
/// While there is plenty of memory, so much of a frame is reserved and allocated at once; the rest, or with less memory
/// all of it, as its bytes arrive.
const FRAME_EAGER_BYTES: usize = 1 << 20;
/// The most that is reserved in one step after that.
const FRAME_STEP_BYTES_MAX: usize = 1 << 20;
/// The least that is read at once. Every connection may hold as much of an unfinished frame without reserving it.
const READ_BYTES_MIN: usize = 16 << 10;
/// Answers that are ready are sent together up to this many bytes.
const WRITE_BYTES_MAX: usize = 1 << 20;
/// While others wait for memory, a client that holds some has this long for each step of its request or of its answer:
/// with steps of 1 MiB that is 100 KB/s.
const STEP_MS_MAX: i64 = 10_000;

/// What becomes of a request.
pub(crate) enum Answer {
    /// A response frame, with the memory that it has reserved, if it is large.
    Send(Vec<Bytes>, Option<Reservation>),
    /// Nothing: acks=0.
    Silent,
    /// The connection ends, for this reason.
    Close(String),
}

struct Queued {
    answer: LocalBoxFuture<'static, Answer>,
    /// Goes when the answer has been sent.
    reservation: Reservation,
}

/// Who is at the other end.
pub(crate) struct Client {
    /// Its address without the port.
    host: String,
    /// The name of the listener that it has connected to.
    pub(crate) listener: Rc<str>,
    /// When it last sent or was sent something, ms since the epoch.
    active_ms: Cell<i64>,
    /// When the client was left to send the next step of a request that has reserved memory.
    sending_since_ms: Cell<Option<i64>>,
    /// When the client was left to receive the next step of its answers.
    receiving_since_ms: Cell<Option<i64>>,
    /// Why the broker ends the connection.
    ended: Cell<Option<&'static str>>,
    end: Signal,
}

impl Client {
    pub(crate) fn new(host: String, listener: Rc<str>, now_ms: i64) -> Client {
        Client {
            host,
            listener,
            active_ms: Cell::new(now_ms),
            sending_since_ms: Cell::default(),
            receiving_since_ms: Cell::default(),
            ended: Cell::default(),
            end: Signal::default(),
        }
    }

    /// Ends the connection, whatever it waits for.
    pub(crate) fn end(&self, reason: &'static str) {
        self.ended.set(Some(reason));
        self.end.notify();
    }

    /// Whether the client keeps memory that others wait for longer than it may.
    pub(crate) fn holds_others_up(&self, now_ms: i64) -> bool {
        let late = |since: &Cell<Option<i64>>| since.get().is_some_and(|since_ms| now_ms - since_ms > STEP_MS_MAX);
        late(&self.sending_since_ms) || late(&self.receiving_since_ms)
    }

    /// The address as Java prints one that has not been looked up.
    pub(crate) fn host_as_kafka_shows(&self) -> String {
        format!("/{}", self.host)
    }

    /// How long nothing has passed, in ms.
    pub(crate) fn idle_ms(&self, now_ms: i64) -> i64 {
        now_ms - self.active_ms.get()
    }
}

/// The requests between the reader and the writer. Both are polled by one task, the writer last, so what the reader queues
/// the writer sees without being woken.
#[derive(Default)]
struct Pipeline {
    queue: RefCell<VecDeque<Queued>>,
    room: Signal,
}

/// The oldest answers that are ready.
#[derive(Default)]
struct Ready {
    chunks: Vec<Bytes>,
    bytes: usize,
    reservations: Vec<Reservation>,
    answered: usize,
    close: Option<String>,
}

/// Serves a connection until either side ends it. Dropping the future drops what waits.
pub(crate) async fn serve<W: World>(core: Rc<Core<W>>, stream: W::Stream, client: Rc<Client>) {
    let pipeline = Pipeline::default();
    let ended = {
        let reader = pin!(read_requests(&core, &stream, &client, &pipeline));
        let writer = pin!(write_answers(&core, &stream, &client, &pipeline));
        let served = select(reader, writer);
        match select(served, pin!(client.end.wait())).await {
            Either::Left((Either::Left((ended, _)) | Either::Right((ended, _)), _)) => ended,
            Either::Right(((), _)) => Err(client.ended.get().unwrap_or_default().to_owned()),
        }
    };
    if let Err(reason) = ended {
        tracing::info!(client = client.host, %reason, "connection closed");
    }
    stream.shutdown();
}

async fn read_requests<W: World>(
    core: &Rc<Core<W>>,
    stream: &W::Stream,
    client: &Rc<Client>,
    pipeline: &Pipeline,
) -> Result<(), String> {
    let mut buffer = BytesMut::new();
    loop {
        let Some((frame, reservation)) = read_frame(core, stream, client, &mut buffer).await? else { return Ok(()) };
        let answer = requests::dispatch(core, client, frame);
        pipeline.queue.borrow_mut().push_back(Queued { answer, reservation });
        while pipeline.queue.borrow().len() >= IN_FLIGHT_MAX {
            pipeline.room.wait().await;
        }
    }
}

/// The next frame without its length; `None` when the client has ended between two frames.
async fn read_frame<W: World>(
    core: &Rc<Core<W>>,
    stream: &W::Stream,
    client: &Client,
    buffer: &mut BytesMut,
) -> Result<Option<(Bytes, Reservation)>, String> {
    while buffer.len() < wire::header::FRAME_LENGTH_BYTES {
        buffer.reserve(READ_BYTES_MIN);
        if read_some(core, stream, client, buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err("it ended within a frame's length".into()) };
        }
    }
    let length = frame_length(buffer.get_i32(), core.limits().request_bytes_max)?;
    let eager = core.budget().try_reserve(length.min(FRAME_EAGER_BYTES));
    let mut reservation = eager.unwrap_or_else(|| core.budget().nothing());
    while buffer.len() < length {
        let allowed = reservation.bytes().max(READ_BYTES_MIN).min(length);
        if buffer.len() >= allowed {
            client.sending_since_ms.set(None);
            // As much again as has arrived: the client pays in bytes for what it announces.
            let step = allowed.min(FRAME_STEP_BYTES_MAX);
            let target = (allowed + step).min(length);
            reservation.grow(target - reservation.bytes()).await;
            continue;
        }
        if reservation.bytes() > 0 && client.sending_since_ms.get().is_none() {
            client.sending_since_ms.set(Some(core.world().now_ms()));
        }
        if buffer.capacity() < allowed {
            buffer.reserve(allowed - buffer.len());
        }
        if buffer.capacity() == buffer.len() {
            buffer.reserve(READ_BYTES_MIN);
        }
        if read_some(core, stream, client, buffer).await? == 0 {
            return Err("it ended within a frame".into());
        }
    }
    client.sending_since_ms.set(None);
    reservation.grow(length.saturating_sub(reservation.bytes())).await;
    Ok(Some((buffer.split_to(length).freeze(), reservation)))
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

async fn read_some<W: World>(
    core: &Rc<Core<W>>,
    stream: &W::Stream,
    client: &Client,
    buffer: &mut BytesMut,
) -> Result<usize, String> {
    let (result, returned) = stream.read(std::mem::take(buffer)).await;
    *buffer = returned;
    client.active_ms.set(core.world().now_ms());
    let count = result.map_err(|error| error.to_string())?;
    core.counters().received_bytes(count);
    Ok(count)
}

async fn write_answers<W: World>(
    core: &Rc<Core<W>>,
    stream: &W::Stream,
    client: &Client,
    pipeline: &Pipeline,
) -> Result<(), String> {
    loop {
        let ready = poll_fn(|context| poll_answers(context, pipeline)).await;
        pipeline.room.notify();
        if !ready.chunks.is_empty() {
            core.counters().sent_bytes(ready.bytes);
            let mut rest = ready.chunks;
            while !rest.is_empty() {
                let step = take_step(&mut rest);
                client.receiving_since_ms.set(Some(core.world().now_ms()));
                stream.write(step).await.map_err(|error| error.to_string())?;
                client.receiving_since_ms.set(None);
                client.active_ms.set(core.world().now_ms());
            }
        }
        if let Some(reason) = ready.close {
            return Err(reason);
        }
    }
}

/// Takes the next chunks out, up to [`WRITE_BYTES_MAX`] bytes.
fn take_step(chunks: &mut Vec<Bytes>) -> Vec<Bytes> {
    let mut bytes = 0;
    for (index, chunk) in chunks.iter_mut().enumerate() {
        let room = WRITE_BYTES_MAX - bytes;
        if chunk.len() > room {
            let head = chunk.split_to(room);
            let rest = chunks.split_off(index);
            let mut step = std::mem::replace(chunks, rest);
            step.push(head);
            return step;
        }
        bytes += chunk.len();
    }
    std::mem::take(chunks)
}

fn poll_answers(context: &mut Context<'_>, pipeline: &Pipeline) -> Poll<Ready> {
    let mut ready = Ready::default();
    while ready.bytes < WRITE_BYTES_MAX && ready.close.is_none() {
        // Taken out while it is polled: what it does may reach this connection's queue.
        let Some(mut oldest) = pipeline.queue.borrow_mut().pop_front() else { break };
        match oldest.answer.as_mut().poll(context) {
            Poll::Pending => {
                pipeline.queue.borrow_mut().push_front(oldest);
                break;
            }
            Poll::Ready(Answer::Close(reason)) => ready.close = Some(reason),
            Poll::Ready(Answer::Silent) => {}
            Poll::Ready(Answer::Send(frame, memory)) => {
                ready.bytes += frame.iter().map(Bytes::len).sum::<usize>();
                ready.chunks.extend(frame);
                ready.reservations.extend(memory);
            }
        }
        ready.reservations.push(oldest.reservation);
        ready.answered += 1;
    }
    if ready.answered == 0 { Poll::Pending } else { Poll::Ready(ready) }
}
