//! A worker: one thread, one epoll loop, any number of producers and readers.
//!
//! The loop: take commands, give every client its turn, sleep until a socket is ready or the next deadline, hand sockets to their owners.
//! Deadlines are kept by a timerfd, because epoll counts whole milliseconds.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::fd::OwnedFd;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};

use super::EngineError;
use super::board::Board;
use super::clock::{Clock, Nanos};
use super::connection::Versions;
use super::context::{Context, Notice, Owner, Tokens};
use super::producer::{Account, Pace, Producer, ProducerPlan};
use super::reader::{Reader, ReaderPlan};
use super::recorder::{Recorded, Window};
use super::topology::{SharedTopology, Topology};

const WAKER: Token = Token(usize::MAX);
const TIMER: Token = Token(usize::MAX - 1);
/// Events taken at once.
const EVENTS: usize = 1024;
/// The longest sleep: commands wake it, so this only bounds what a lost wake-up costs.
const SLEEP_MAX: Duration = Duration::from_millis(200);
/// How long an interval is.
const INTERVAL: Nanos = 1_000_000_000;
/// How long members may take to say goodbye.
const GOODBYE: Nanos = 2_000_000_000;

/// What a worker is told.
#[derive(Debug)]
pub enum Command {
    /// Readers to add.
    Read(Vec<ReaderPlan>),
    /// Which pace producers have from now on, by the producer's number, and which window counts.
    Pace {
        /// Each producer's pace.
        paces: Vec<(u32, Pace)>,
        /// Which records' latencies count.
        window: Window,
    },
    /// Nothing more is appended.
    StopProducing,
    /// What befalls a member.
    Member {
        /// The group.
        group: usize,
        /// The member's number.
        member: usize,
        /// What.
        fate: Fate,
    },
    /// All is over: readers leave, producers give up what is not settled.
    End,
}

/// What befalls a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It says goodbye.
    Leave,
    /// Its connections close without a word.
    Kill,
    /// It is silent.
    Freeze,
}

/// What a worker shares with the others.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The run's clock.
    pub clock: Clock,
    /// Names the run in each record.
    pub run: u32,
    /// What all see.
    pub board: Arc<Board>,
    /// Where everything is.
    pub topology: Arc<SharedTopology>,
    /// What the brokers speak.
    pub versions: Arc<Versions>,
    /// The client's name.
    pub client_id: Arc<str>,
}

/// What a worker leaves behind.
pub type Accounts = Vec<Account>;

/// The control thread's end of a worker.
#[derive(Debug)]
pub struct Handle {
    commands: Sender<Command>,
    waker: Arc<Waker>,
    thread: thread::JoinHandle<Accounts>,
}

impl Handle {
    /// Starts a worker.
    ///
    /// # Errors
    /// When the kernel has no epoll, timer or thread to give.
    pub fn start(
        index: usize,
        shared: Shared,
        producers: Vec<ProducerPlan>,
        notices: Sender<Notice>,
    ) -> io::Result<Handle> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let (commands, inbox) = std::sync::mpsc::channel();
        let producers = producers.into_iter().enumerate().map(|(place, plan)| Producer::new(plan, place)).collect();
        let topology = shared.topology.current();
        let now = shared.clock.now();
        let mut worker = Worker {
            index,
            poll,
            timer,
            inbox,
            notices,
            tokens: Tokens::default(),
            producers,
            readers: Vec::new(),
            recorded: Box::default(),
            window: Window::NEVER,
            interval_from: now,
            cpu_before: Nanos::MAX,
            topology,
            topology_generation: 0,
            ends_at: None,
            shared,
        };
        let thread = thread::Builder::new().name(format!("loadgen-{index}")).spawn(move || {
            worker.run();
            worker.producers.into_iter().map(Producer::into_account).collect()
        })?;
        Ok(Handle { commands, waker, thread })
    }

    /// Tells the worker something. One that has ended does not hear it.
    pub fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }

    /// Waits for the worker's end, which [`Command::End`] brings.
    ///
    /// # Panics
    /// If the worker did.
    pub fn join(self) -> Accounts {
        self.thread.join().expect("a worker does not panic")
    }
}

struct Worker {
    index: usize,
    shared: Shared,
    poll: Poll,
    timer: OwnedFd,
    inbox: Receiver<Command>,
    notices: Sender<Notice>,
    tokens: Tokens,
    producers: Vec<Producer>,
    readers: Vec<Reader>,
    recorded: Box<Recorded>,
    window: Window,
    interval_from: Nanos,
    cpu_before: Nanos,
    topology: Arc<Topology>,
    topology_generation: u64,
    ends_at: Option<Nanos>,
}

impl Worker {
    /// Until told to end. What a client can't go on from ends the run, by the control thread's decision.
    fn run(&mut self) {
        self.cpu_before = thread_cpu();
        self.adopt_topology();
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let now = self.shared.clock.now();
            self.end_interval_if_due(now);
            while let Ok(command) = self.inbox.try_recv() {
                self.obey(command, now);
            }
            if self.is_done(now) {
                break;
            }
            if self.topology_generation != self.shared.topology.generation() {
                self.adopt_topology();
            }
            for place in 0..self.producers.len() {
                self.with_producer(place, now, Producer::turn);
            }
            for place in 0..self.readers.len() {
                self.with_reader(place, now, Reader::turn);
            }
            self.end_interval_if_due(self.shared.clock.now());
            self.sleep(&mut events);
            for event in &events {
                self.hand_over(event.token());
            }
        }
        let now = self.shared.clock.now();
        for place in 0..self.producers.len() {
            self.with_producer(place, now, |producer, context| {
                producer.give_up(context);
                Ok(())
            });
        }
        self.end_interval(self.shared.clock.now());
    }

    fn is_done(&self, now: Nanos) -> bool {
        self.ends_at.is_some_and(|end| now >= end || self.readers.iter().all(Reader::is_over))
    }

    fn obey(&mut self, command: Command, now: Nanos) {
        match command {
            Command::Read(plans) => {
                for plan in plans {
                    let place = self.readers.len();
                    let (context, _, readers) = self.lend(now);
                    let reader = Reader::new(plan, place, &context);
                    readers.push(reader);
                }
            }
            Command::Pace { paces, window } => {
                self.end_interval(now);
                self.window = window;
                for (number, pace) in paces {
                    if let Some(producer) = self.producers.iter_mut().find(|producer| producer.number() == number) {
                        producer.set_pace(pace);
                    }
                }
            }
            Command::StopProducing => self.producers.iter_mut().for_each(|producer| producer.stop(now)),
            Command::Member { group, member, fate } => {
                let Some(place) = self.readers.iter().position(|reader| reader.who() == (group, member)) else {
                    return;
                };
                self.with_reader(place, now, |reader, context| match fate {
                    Fate::Leave => reader.leave(context),
                    Fate::Kill => {
                        reader.kill(context);
                        Ok(())
                    }
                    Fate::Freeze => {
                        reader.freeze(context);
                        Ok(())
                    }
                });
            }
            Command::End => {
                self.ends_at = Some(now + GOODBYE);
                for place in 0..self.readers.len() {
                    self.with_reader(place, now, Reader::leave);
                }
            }
        }
    }

    fn adopt_topology(&mut self) {
        self.topology_generation = self.shared.topology.generation();
        self.topology = self.shared.topology.current();
        let now = self.shared.clock.now();
        for place in 0..self.producers.len() {
            self.with_producer(place, now, |producer, context| {
                producer.adopt_topology(context);
                Ok(())
            });
        }
    }

    /// Everything that clients borrow, and the clients.
    fn lend(&mut self, now: Nanos) -> (Context<'_>, &mut Vec<Producer>, &mut Vec<Reader>) {
        let context = Context {
            now,
            clock: self.shared.clock,
            window: self.window,
            run: self.shared.run,
            registry: self.poll.registry(),
            tokens: &mut self.tokens,
            recorded: &mut self.recorded,
            counters: &self.shared.board.workers[self.index],
            board: &self.shared.board,
            topology: &self.topology,
            shared_topology: &self.shared.topology,
            versions: &self.shared.versions,
            client_id: &self.shared.client_id,
            notices: &self.notices,
        };
        (context, &mut self.producers, &mut self.readers)
    }

    fn with_producer(
        &mut self,
        place: usize,
        now: Nanos,
        act: impl FnOnce(&mut Producer, &mut Context<'_>) -> Result<(), EngineError>,
    ) {
        let (mut context, producers, _) = self.lend(now);
        if let Err(error) = act(&mut producers[place], &mut context) {
            let number = producers[place].number();
            producers[place].set_pace(Pace::Idle);
            context.trouble(true, format!("producer {number}: {error}"));
        }
    }

    fn with_reader(
        &mut self,
        place: usize,
        now: Nanos,
        act: impl FnOnce(&mut Reader, &mut Context<'_>) -> Result<(), EngineError>,
    ) {
        let (mut context, _, readers) = self.lend(now);
        if let Err(error) = act(&mut readers[place], &mut context) {
            let (_, member) = readers[place].who();
            let name = readers[place].settings().name.clone();
            readers[place].kill(&mut context);
            context.trouble(true, format!("reader {member} of group {name}: {error}"));
        }
    }

    fn hand_over(&mut self, token: Token) {
        let now = self.shared.clock.now();
        // Before anything of the window is recorded, what came before it is closed.
        self.end_interval_if_due(now);
        match self.tokens.owner(token) {
            Some(Owner::Producer(place, leader)) => {
                self.with_producer(place, now, |producer, context| producer.ready(leader, context));
            }
            Some(Owner::Reader(place, leader)) => {
                self.with_reader(place, now, |reader, context| reader.ready(leader, context));
            }
            Some(Owner::Coordinator(place)) => self.with_reader(place, now, Reader::coordinator_ready),
            // The waker, the timer, or a connection that is gone.
            None => {}
        }
    }

    fn sleep(&mut self, events: &mut Events) {
        let now = self.shared.clock.now();
        let producers = self.producers.iter().filter_map(|producer| producer.deadline(now));
        let readers = self.readers.iter().filter_map(|reader| reader.deadline(now));
        let interval = self.interval_end();
        let deadline = producers.chain(readers).chain(self.ends_at).fold(interval, Nanos::min);
        let sleep = Duration::from_nanos(deadline.saturating_sub(now)).min(SLEEP_MAX);
        let timeout = if sleep.is_zero() {
            Some(Duration::ZERO)
        } else {
            self.arm(sleep);
            Some(SLEEP_MAX)
        };
        match self.poll.poll(events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
            Err(error) => panic!("epoll_wait fails only on programmer errors: {error}"),
        }
    }

    fn arm(&self, sleep: Duration) {
        let after = Timespec { tv_sec: sleep.as_secs() as i64, tv_nsec: i64::from(sleep.subsec_nanos()) };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: after };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)
            .expect("the timer is ours and the time is valid");
    }

    /// Intervals end at whole seconds from the window's start, and where the window ends; before there is one after a second.
    fn interval_end(&self) -> Nanos {
        let Window { from, to } = self.window;
        if self.window == Window::NEVER {
            return self.interval_from + INTERVAL;
        }
        // The whole seconds before the window are of the grid too.
        let phase = from % INTERVAL;
        let next = match self.interval_from.checked_sub(phase) {
            Some(since) => (since / INTERVAL + 1) * INTERVAL + phase,
            None => phase,
        };
        if to > self.interval_from { next.min(to) } else { next }
    }

    fn end_interval_if_due(&mut self, now: Nanos) {
        if now >= self.interval_end() {
            self.end_interval(now);
        }
    }

    fn end_interval(&mut self, now: Nanos) {
        let cpu = thread_cpu();
        self.recorded.cpu_ns = cpu.saturating_sub(self.cpu_before);
        self.cpu_before = cpu;
        let recorded = std::mem::take(&mut self.recorded);
        let (worker, from) = (self.index, self.interval_from);
        self.interval_from = now;
        // Nobody listens when the run is over.
        let _ = self.notices.send(Notice::Interval { worker, from, to: now, recorded });
    }
}

/// CPU time of this thread.
fn thread_cpu() -> Nanos {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
