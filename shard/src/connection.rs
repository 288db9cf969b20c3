//! One client's connection: frames in, answers out in the order of the requests.
//!
//! A request has two stages. *Queued*: what must happen in order happens while the request is dispatched (a batch has its
//! offset), and the next request is read. *Done*: the answer is ready. Only the oldest request's second stage is polled,
//! so requests that have no first stage run one after the other, as in Kafka.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use broker::groups::ConnectionId;
use bytes::Bytes;
use futures_util::future::{Either, LocalBoxFuture, select};

use crate::budget::Reservation;
use crate::core::Core;
use crate::frames::Frames;
use crate::requests;
use crate::signal::Signal;
use crate::world::{CoreId, Stream, World};

/// Requests of one connection that wait for their answers; more are not read.
const IN_FLIGHT_MAX: usize = 256;
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
    /// Names the connection to the groups.
    pub(crate) connection: ConnectionId,
    /// Cores whose groups were asked on it.
    coordinators: RefCell<BTreeSet<CoreId>>,
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
    pub(crate) fn new(connection: ConnectionId, host: String, listener: Rc<str>, now_ms: i64) -> Client {
        Client {
            host,
            connection,
            coordinators: RefCell::default(),
            listener,
            active_ms: Cell::new(now_ms),
            sending_since_ms: Cell::default(),
            receiving_since_ms: Cell::default(),
            ended: Cell::default(),
            end: Signal::default(),
        }
    }

    /// A core's groups are asked, and have to hear of the connection's end.
    pub(crate) fn asks(&self, coordinator: CoreId) {
        self.coordinators.borrow_mut().insert(coordinator);
    }

    /// The cores that have to hear of the connection's end.
    pub(crate) fn take_coordinators(&self) -> BTreeSet<CoreId> {
        self.coordinators.take()
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

    /// Something has passed.
    pub(crate) fn is_active(&self, now_ms: i64) {
        self.active_ms.set(now_ms);
    }

    /// The client is left to send the next step of a request that has reserved memory, unless it is already.
    pub(crate) fn begins_step(&self, now_ms: i64) {
        self.sending_since_ms.set(self.sending_since_ms.get().or(Some(now_ms)));
    }

    /// The client has sent the step, and does not hold anybody up.
    pub(crate) fn ends_step(&self) {
        self.sending_since_ms.set(None);
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
    let mut frames = Frames::new(core, stream, client);
    loop {
        let Some((frame, reservation)) = frames.next().await? else { return Ok(()) };
        let answer = requests::dispatch(core, client, frame);
        pipeline.queue.borrow_mut().push_back(Queued { answer, reservation });
        while pipeline.queue.borrow().len() >= IN_FLIGHT_MAX {
            pipeline.room.wait().await;
        }
    }
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
                client.is_active(core.world().now_ms());
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
                probe::mutation!(AnswerOutOfOrder => {
                    pipeline.queue.borrow_mut().push_back(oldest);
                    break;
                });
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
