//! The broker's world on Linux: glommio runs the tasks, io_uring does the work.

mod disk;
mod executor;
mod inbox;
mod iovec;
mod net;
mod ring;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::{Either, select};
use shard::mesh::Message;
use shard::world::{CoreId, World};

pub(crate) use disk::{DirectDisk, c_path, disk_error, free_bytes, list};
pub(crate) use executor::{Thread, start};
pub(crate) use inbox::{Inbox, Incoming};
pub(crate) use net::{TcpStream, accept};
pub(crate) use ring::Ring;

/// How long glommio may sleep by mistake: 0.9 can park while tasks are runnable (fixed in its fork, PR 53, unreleased). A
/// timer ends that, so one is kept armed as long as a core is busy.
const HEARTBEAT: Duration = Duration::from_millis(20);
/// That mistake can also be made when the heartbeat's own timer has woken a core, or when an idle core is woken from outside: it
/// takes no more than a thread that the kernel has set aside for as long as the preemption timer. So some more timers are always
/// armed, at moments of their own: for a core to sleep on, the mistake must be made at each of them in a row.
const WATCHES: u32 = 4;
/// How often each of them fires.
const WATCH_PERIOD: Duration = Duration::from_secs(1);

/// Exit status of a process that gave up because of its disk (EX_IOERR).
const EXIT_DISK: i32 = 74;

/// One core's world.
#[derive(Clone)]
pub(crate) struct Linux {
    shared: Rc<Shared>,
}

struct Shared {
    ring: Rc<Ring>,
    disk: DirectDisk,
    queues: executor::Queues,
    inboxes: Arc<[Inbox]>,
    id: CoreId,
    begun: Instant,
}

impl Linux {
    /// The world of the executor that runs this.
    pub(crate) fn new(id: CoreId, inboxes: Arc<[Inbox]>) -> io::Result<Linux> {
        let ring = Ring::new(inboxes[usize::from(id.0)].event_fd())?;
        let queues = executor::Queues::new();
        let disk = DirectDisk::new(ring.clone());
        let submitter = ring.clone();
        queues.spawn(async move {
            let error = submitter.submit_when_asked().await;
            exit(&format!("io_uring refuses operations: {error}"));
        });
        queues.spawn(beat(ring.clone()));
        let begun = Instant::now();
        for index in 0..WATCHES {
            queues.spawn(watch(begun, WATCH_PERIOD * index / WATCHES));
        }
        Ok(Linux { shared: Rc::new(Shared { ring, disk, queues, inboxes, id, begun }) })
    }

    pub(crate) fn ring(&self) -> &Rc<Ring> {
        &self.shared.ring
    }

    pub(crate) fn inboxes(&self) -> &Arc<[Inbox]> {
        &self.shared.inboxes
    }

    /// Waits for completions and for the inbox, until `take` says that it is over. Looks after each turn in which something
    /// was submitted too: a core that always has something to run sees its events late.
    pub(crate) async fn run(&self, mut take: impl FnMut(Incoming) -> bool) -> io::Result<()> {
        let inbox = &self.shared.inboxes[usize::from(self.shared.id.0)];
        let event = executor::Event::new(inbox.event_fd())?;
        let ring = &self.shared.ring;
        let mut announced = pin!(event.wait());
        loop {
            let turn = pin!(ring.turn_after(ring.turns()));
            if let Either::Left((result, _)) = select(announced.as_mut(), turn).await {
                result?;
                announced.set(event.wait());
            }
            ring.reap();
            for incoming in inbox.drain() {
                if !take(incoming) {
                    return Ok(());
                }
            }
        }
    }
}

impl World for Linux {
    type Disk = DirectDisk;
    type Stream = TcpStream;

    fn disk(&self) -> &DirectDisk {
        &self.shared.disk
    }

    fn now_ms(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }

    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.shared.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    async fn sleep(&self, duration: Duration) {
        executor::sleep(duration).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.shared.queues.spawn(task);
    }

    fn spawn_background(&self, task: impl Future<Output = ()> + 'static) {
        self.shared.queues.spawn_background(task);
    }

    fn random(&self) -> u128 {
        uuid::Uuid::new_v4().as_u128()
    }

    fn send(&self, to: CoreId, message: Message) {
        self.shared.inboxes[usize::from(to.0)].push(Incoming::Message(message));
    }

    fn fail(&self, reason: &str) {
        exit(reason);
    }
}

/// Keeps a timer armed until a whole period has passed in which nothing was submitted or under way.
async fn beat(ring: Rc<Ring>) {
    loop {
        let seen = ring.turns();
        executor::sleep(HEARTBEAT).await;
        if ring.turns() == seen && !ring.is_working() {
            ring.turn_after(seen).await;
        }
    }
}

/// Keeps a timer armed that fires at `phase` of each [`WATCH_PERIOD`] since `begun`, also after it was late: timers that had come
/// to fire together would be one.
async fn watch(begun: Instant, phase: Duration) {
    loop {
        let into_period = (begun.elapsed() + WATCH_PERIOD - phase).as_nanos() % WATCH_PERIOD.as_nanos();
        let into_period = Duration::from_nanos(u64::try_from(into_period).expect("less than a period"));
        executor::sleep(WATCH_PERIOD - into_period).await;
    }
}

/// Ends the process without closing anything: what a restart finds is what is on disk.
fn exit(reason: &str) -> ! {
    tracing::error!(reason, "the broker stops at once; a restart recovers everything that was acknowledged");
    std::process::exit(EXIT_DISK);
}
