//! One life of a broker's process, and the [`World`] that each of its cores sees.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use shard::Core;
use shard::mesh::Message;
use shard::world::{CoreId, World};

use crate::clock::Clock;
use crate::dice::Dice;
use crate::disk::SimDisk;
use crate::executor::{Executor, Notify, Owner};
use crate::net::BrokerStream;
use crate::trace::Trace;

/// A process from its start to its end.
pub struct Process {
    executor: Executor,
    /// Of what belongs to no core: starting and stopping.
    owner: Owner,
    /// Each core's.
    owners: Vec<Owner>,
    dice: Dice,
    trace: Trace,
    disk: SimDisk,
    /// From a message's sending to its arrival at another core.
    mesh_delay: RangeInclusive<Duration>,
    /// Under way between two cores, by sender and receiver: what has been sent first arrives first.
    links: RefCell<Vec<VecDeque<Message>>>,
    /// Empty until all of them are open, and again once the process has ended.
    cores: RefCell<Vec<Rc<Core<SimWorld>>>>,
    count: u16,
    failed: RefCell<Option<String>>,
    ended: Cell<bool>,
    /// Tells that the process has opened its cores, failed or ended.
    pub changed: Notify,
}

impl Process {
    /// A process of `count` cores that has not begun to open them.
    pub fn new(
        executor: Executor,
        dice: Dice,
        trace: Trace,
        disk: SimDisk,
        (count, mesh_delay): (u16, RangeInclusive<Duration>),
    ) -> Rc<Process> {
        Rc::new(Process {
            owner: executor.new_owner(),
            owners: (0..count).map(|_| executor.new_owner()).collect(),
            executor,
            dice,
            trace,
            disk,
            mesh_delay,
            links: RefCell::new((0..usize::from(count).pow(2)).map(|_| VecDeque::new()).collect()),
            cores: RefCell::default(),
            count,
            failed: RefCell::default(),
            ended: Cell::new(false),
            changed: Notify::default(),
        })
    }

    /// How a core of this process sees it.
    pub fn world(self: &Rc<Self>, core: CoreId) -> SimWorld {
        SimWorld { process: self.clone(), core }
    }

    /// Adds a task that goes with the process.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        if !self.ended.get() {
            self.executor.spawn(self.owner, task);
        }
    }

    fn spawn_on(&self, core: CoreId, task: impl Future<Output = ()> + 'static) {
        if !self.ended.get() {
            self.executor.spawn(self.owners[usize::from(core.0)], task);
        }
    }

    /// Lets a core stand still, as one that the operating system does not run; `false` takes it up again.
    pub fn stall(&self, core: CoreId, stands_still: bool) {
        let owner = self.owners[usize::from(core.0)];
        // One that has failed goes nowhere any more.
        match stands_still {
            true => self.executor.freeze(owner),
            false if self.failed().is_none() => self.executor.thaw(owner),
            false => {}
        }
    }

    /// Its cores are open and take messages.
    pub fn set_cores(&self, cores: Vec<Rc<Core<SimWorld>>>) {
        *self.cores.borrow_mut() = cores;
        self.changed.notify();
    }

    /// A core, once all are open.
    pub fn core(&self, id: CoreId) -> Option<Rc<Core<SimWorld>>> {
        self.cores.borrow().get(usize::from(id.0)).cloned()
    }

    /// How many cores it has.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// Why it wants to end, if it does.
    pub fn failed(&self) -> Option<String> {
        self.failed.borrow().clone()
    }

    /// Whether [`Process::end`] was called.
    pub fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Drops all its tasks, wherever they are.
    pub fn end(&self) {
        self.ended.set(true);
        self.owners.iter().chain([&self.owner]).for_each(|owner| self.executor.kill(*owner));
        drop(self.cores.take());
        self.links.borrow_mut().iter_mut().for_each(VecDeque::clear);
        self.changed.notify();
    }

    async fn deliver(self: Rc<Self>, link: usize, to: CoreId, delay: Duration) {
        self.executor.clock().sleep(delay).await;
        let core = loop {
            match self.core(to) {
                Some(core) => break core,
                // A message may not overtake the opening of its receiver.
                None => self.changed.changed().await,
            }
        };
        let message = self.links.borrow_mut()[link].pop_front().expect("each delivery has its message");
        core.handle(message);
    }
}

/// What one core of a process sees.
#[derive(Clone)]
pub struct SimWorld {
    process: Rc<Process>,
    core: CoreId,
}

impl SimWorld {
    fn clock(&self) -> &Clock {
        self.process.executor.clock()
    }
}

impl World for SimWorld {
    type Disk = SimDisk;
    type Stream = BrokerStream;

    fn disk(&self) -> &SimDisk {
        &self.process.disk
    }

    fn now_ms(&self) -> i64 {
        self.clock().now_ms()
    }

    fn monotonic_ns(&self) -> u64 {
        self.clock().now_ns()
    }

    async fn sleep(&self, duration: Duration) {
        self.clock().sleep(duration).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.process.spawn_on(self.core, task);
    }

    fn spawn_background(&self, task: impl Future<Output = ()> + 'static) {
        self.process.spawn_on(self.core, task);
    }

    fn random(&self) -> u128 {
        (u128::from(self.process.dice.bits()) << 64) | u128::from(self.process.dice.bits())
    }

    fn send(&self, to: CoreId, message: Message) {
        let process = &self.process;
        if process.ended.get() {
            return;
        }
        process.trace.event(format_args!("mesh {} -> {}: {}", self.core.0, to.0, name(&message)));
        let link = usize::from(self.core.0) * usize::from(process.count) + usize::from(to.0);
        process.links.borrow_mut()[link].push_back(message);
        let delay = process.dice.delay(&process.mesh_delay);
        process.spawn_on(to, process.clone().deliver(link, to, delay));
    }

    fn fail(&self, reason: &str) {
        let process = &self.process;
        process.trace.event(format_args!("core {} fails: {reason}", self.core.0));
        process.failed.borrow_mut().get_or_insert_with(|| reason.to_owned());
        process.owners.iter().chain([&process.owner]).for_each(|owner| process.executor.freeze(*owner));
        process.changed.notify();
    }
}

fn name(message: &Message) -> &'static str {
    match message {
        Message::Call { .. } => "call",
        Message::Reply { .. } => "reply",
        Message::Watch { .. } => "watch",
        Message::Unwatch { .. } => "unwatch",
        Message::Disconnected { .. } => "disconnected",
        Message::Wake { .. } => "wake",
    }
}
