//! One core: what it owns, and what reaches it.
//!
//! How it is driven. [`crate::start::open`] brings up its share of the logs; from then on the world calls [`Core::connect`] for
//! each accepted connection and [`Core::handle`] for each message of another core. Everything else happens in tasks that
//! the core spawns: connections, the journal's writer, background work, the clock. [`crate::Call::Drain`] and
//! [`crate::Call::Close`] end it.
//!
//! Invariants: all state that is decided on is in one cell, borrowed only between awaits. Every change of it is followed by
//! [`Core::pump`]. A response leaves only when the store has said that what it acknowledges is flushed.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use broker::catalog::{Catalog, OFFSETS_TOPIC};
use broker::controller::{Controller, ControllerResponse, ProducerIdBlock};
use broker::groups::{ConnectionId, GroupConfig, GroupResponse, Groups};
use broker::partition::Partitions;
use engine::store::Store;
use futures_channel::oneshot;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use slab::Slab;
use wire::{ErrorCode, TopicPartitionId};

use crate::budget::Budget;
use crate::calls::{self, Appending};
use crate::config::Limits;
use crate::connection::{self, Client};
use crate::mesh::{Call, Change, Message, Reply};
use crate::metrics::Counters;
use crate::signal::Signal;
use crate::tasks::Jobs;
use crate::waiters::{LogStartWaiter, Waiters};
use crate::watches::{self, Watch, Watchers};
use crate::world::{CoreId, Stream, World};

/// One core of a broker.
pub struct Core<W: World> {
    world: W,
    id: CoreId,
    cores: u16,
    data_dir: PathBuf,
    limits: Limits,
    /// Memory of requests.
    budget: Rc<Budget>,
    /// Memory of what is fetched, until it has been sent.
    fetch_budget: Rc<Budget>,
    counters: Counters,
    catalog: RefCell<Arc<Catalog>>,
    /// `None` once the core is closed.
    state: RefCell<Option<State<W>>>,
    /// Calls to other cores that wait for their replies, by id.
    calls: RefCell<Slab<oneshot::Sender<Reply>>>,
    watchers: Watchers,
    /// How many connections there have been.
    connected: Cell<u64>,
    /// Who is connected.
    clients: RefCell<Slab<Rc<Client>>>,
    /// Hears how the broker's registration went.
    registered: RefCell<Option<oneshot::Sender<Result<(), ErrorCode>>>>,
    stopping: Cell<bool>,
    pub(crate) signals: Signals,
    /// Jobs of the store that are being performed.
    pub(crate) jobs: Jobs,
}

/// What wakes a core's standing tasks.
#[derive(Default)]
pub(crate) struct Signals {
    /// The store has something for the journal.
    pub(crate) journal: Signal,
    /// The store may have background work.
    pub(crate) background: Signal,
    /// The next deadline may have come closer.
    pub(crate) timers: Signal,
    /// A change of the catalog is to be published.
    pub(crate) publish: Signal,
}

/// What changes: the logs and the decisions about them.
pub(crate) struct State<W: World> {
    pub(crate) store: Store<W::Disk>,
    pub(crate) partitions: Partitions,
    pub(crate) groups: Groups,
    /// On [`CoreId::FIRST`] only.
    pub(crate) controller: Option<Controller>,
    /// Changes of the catalog that are durable and not yet published, oldest first.
    pub(crate) changes: VecDeque<Change>,
    pub(crate) waiters: Waiters,
    pub(crate) log_starts: Vec<LogStartWaiter>,
    /// Requests to the groups that wait for their response, by token.
    pub(crate) group_calls: Slab<oneshot::Sender<GroupResponse>>,
    /// Requests to the controller that wait for their response, by token.
    pub(crate) controller_calls: Slab<oneshot::Sender<ControllerResponse>>,
    /// Produce calls that are not wholly appended, oldest first; more than one only while the store has no room.
    pub(crate) appending: VecDeque<Appending>,
    /// Ids that this core may give to idempotent producers.
    pub(crate) producer_ids: Option<ProducerIdBlock>,
}

impl<W: World> State<W> {
    /// Around an empty store.
    pub(crate) fn new(store: Store<W::Disk>, catalog: &Catalog) -> State<W> {
        let mut group_config = GroupConfig::from(&*catalog.config);
        if let Some(topic) = catalog.image.topic_named(OFFSETS_TOPIC) {
            // The setting counts when the topic is created; from then on the topic does.
            group_config.offsets_partitions = topic.partitions.len() as i32;
        }
        let mut groups = Groups::new(group_config);
        groups.set_image(catalog.image.clone());
        State {
            store,
            partitions: Partitions::new(catalog.config.producer_id_expiration_ms),
            groups,
            controller: None,
            changes: VecDeque::new(),
            waiters: Waiters::default(),
            log_starts: Vec::new(),
            group_calls: Slab::new(),
            controller_calls: Slab::new(),
            appending: VecDeque::new(),
            producer_ids: None,
        }
    }
}

impl<W: World> Core<W> {
    /// A core around what [`crate::start`] has opened.
    pub(crate) fn new(
        world: W,
        (id, cores): (CoreId, u16),
        data_dir: PathBuf,
        catalog: Arc<Catalog>,
        limits: Limits,
        state: State<W>,
    ) -> Rc<Core<W>> {
        Rc::new(Core {
            world,
            id,
            cores,
            data_dir,
            budget: Budget::new(limits.request_memory_bytes),
            fetch_budget: Budget::new(limits.fetch_memory_bytes),
            limits,
            counters: Counters::default(),
            catalog: RefCell::new(catalog),
            state: RefCell::new(Some(state)),
            calls: RefCell::default(),
            watchers: Watchers::default(),
            connected: Cell::default(),
            clients: RefCell::default(),
            registered: RefCell::default(),
            stopping: Cell::new(false),
            signals: Signals::default(),
            jobs: Jobs::default(),
        })
    }

    /// On the first core, once all cores take messages: registers the broker in its own catalog, durably and everywhere.
    ///
    /// # Errors
    /// What kept the registration from being written.
    pub async fn register(self: &Rc<Self>) -> Result<(), ErrorCode> {
        let (sender, receiver) = oneshot::channel();
        *self.registered.borrow_mut() = Some(sender);
        if let Some(controller) = &mut self.state().controller {
            controller.start(self.world.now_ms(), self.world.random());
        }
        self.pump();
        receiver.await.unwrap_or(Err(ErrorCode::BrokerNotAvailable))
    }

    /// How the registration went.
    pub(crate) fn registered(&self, result: Result<(), ErrorCode>) {
        if let Some(sender) = self.registered.borrow_mut().take() {
            // Whoever starts the broker waits for it, or has given up.
            let _ = sender.send(result);
        }
    }

    /// Serves a connection to the listener of that name in a task of its own; over the limit it is closed at once.
    pub fn connect(self: &Rc<Self>, stream: W::Stream, listener: Rc<str>) {
        if self.stopping.get() || self.counters.connections() >= self.limits.connections_max {
            stream.shutdown();
            return;
        }
        self.counters.connected();
        let client = Rc::new(Client::new(self.next_connection(), stream.peer_host(), listener, self.world.now_ms()));
        let index = self.clients.borrow_mut().insert(client.clone());
        let core = self.clone();
        self.world.spawn(async move {
            connection::serve(core.clone(), stream, client.clone()).await;
            core.tell_coordinators(&client);
            core.clients.borrow_mut().remove(index);
            core.counters.disconnected();
        });
    }

    /// Names a connection, differently on each core.
    fn next_connection(&self) -> ConnectionId {
        const CORE_SHIFT: u32 = u64::BITS - u16::BITS;
        let number = self.connected.replace(self.connected.get() + 1);
        ConnectionId(u64::from(self.id.0) << CORE_SHIFT | number)
    }

    /// The groups' members on a connection may be dead now that it has ended. When the broker stops they are not: they find
    /// their groups again after the start.
    fn tell_coordinators(self: &Rc<Self>, client: &Client) {
        for coordinator in client.take_coordinators() {
            if !self.stopping.get() {
                self.tell(coordinator, Message::Disconnected { connection: client.connection });
            }
        }
    }

    /// Takes a message of another core. A closed core lets its callers wait until the process ends.
    pub fn handle(self: &Rc<Self>, message: Message) {
        match message {
            Message::Reply { id, reply } => {
                let sender = self.calls.borrow_mut().remove(id as usize);
                // A caller whose connection has ended does not mind.
                drop(sender.send(reply));
            }
            Message::Wake { id } => self.watchers.wake(id),
            _ if !self.is_open() => {}
            Message::Call { from, id, call } => {
                let pending = calls::begin(self, call);
                let core = self.clone();
                self.world.spawn(async move {
                    let reply = pending.await;
                    core.tell(from, Message::Reply { id, reply });
                });
            }
            Message::Watch { from, id, partitions } => {
                for (key, end_offset) in partitions {
                    self.state().partitions.watch(watches::token(from, id), key, end_offset);
                }
                self.pump();
            }
            Message::Disconnected { connection } => {
                self.state().groups.disconnected(self.world.now_ms(), connection);
                self.pump();
                self.signals.timers.notify();
            }
            Message::Unwatch { from, id } => self.state().partitions.unwatch(watches::token(from, id)),
        }
    }

    /// Asks a core, perhaps this one. What has to happen in order is begun on return.
    pub fn call(self: &Rc<Self>, to: CoreId, call: Call) -> LocalBoxFuture<'static, Reply> {
        if to == self.id {
            return if self.is_open() { calls::begin(self, call) } else { std::future::pending().boxed_local() };
        }
        let (sender, receiver) = oneshot::channel();
        let id = self.calls.borrow_mut().insert(sender) as u64;
        self.world.send(to, Message::Call { from: self.id, id, call });
        calls::answered(receiver).boxed_local()
    }

    /// Sends a message to a core, perhaps this one.
    pub(crate) fn tell(self: &Rc<Self>, to: CoreId, message: Message) {
        if to == self.id { self.handle(message) } else { self.world.send(to, message) }
    }

    /// Long-polls partitions, each with the end offset that was seen.
    pub(crate) fn watch(self: &Rc<Self>, seen: impl Iterator<Item = (CoreId, TopicPartitionId, i64)>) -> Watch<W> {
        Watch::start(self, seen)
    }

    /// Ends connections on which nothing has passed for too long, and while memory is short those whose clients are too
    /// slow to give theirs back.
    pub(crate) fn close_idle(&self, now_ms: i64) {
        let is_short = self.budget.is_short() || self.fetch_budget.is_short();
        for (_, client) in self.clients.borrow().iter() {
            if client.idle_ms(now_ms) > self.limits.connection_idle_ms_max {
                client.end("it was idle for longer than connections.max.idle.ms");
            } else if is_short && client.holds_others_up(now_ms) {
                client.end(
                    "it kept memory that others waited for, and was too slow to take its answer or to send its request",
                );
            }
        }
    }

    /// Ends all connections and lets the standing tasks end; no more connections are taken.
    pub(crate) fn drain(&self) {
        self.stopping.set(true);
        for (_, client) in self.clients.borrow().iter() {
            client.end("the broker stops");
        }
    }

    /// Takes the state out for good.
    pub(crate) fn take_state(&self) -> State<W> {
        self.state.borrow_mut().take().expect("a core is closed once")
    }

    /// Whether the state is there.
    pub(crate) fn is_open(&self) -> bool {
        self.state.borrow().is_some()
    }

    /// Whether the core is on its way down.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// The state of an open core, until the next await.
    pub(crate) fn state(&self) -> RefMut<'_, State<W>> {
        RefMut::map(self.state.borrow_mut(), |state| state.as_mut().expect("the core is open"))
    }

    /// The state, until the next await, for what goes on after one: the core may have been closed meanwhile.
    pub(crate) fn state_if_open(&self) -> Option<RefMut<'_, State<W>>> {
        RefMut::filter_map(self.state.borrow_mut(), Option::as_mut).ok()
    }

    /// Which core this is.
    pub fn id(&self) -> CoreId {
        self.id
    }

    /// All cores of the broker.
    pub fn all(&self) -> impl Iterator<Item = CoreId> + use<W> {
        (0..self.cores).map(CoreId)
    }

    /// What clients are shown now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.borrow().clone()
    }

    /// Shows clients another catalog.
    pub(crate) fn set_catalog(&self, catalog: Arc<Catalog>) {
        *self.catalog.borrow_mut() = catalog;
    }

    pub(crate) fn world(&self) -> &W {
        &self.world
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Memory of what is fetched.
    pub(crate) fn fetch_budget(&self) -> &Rc<Budget> {
        &self.fetch_budget
    }

    pub(crate) fn budget(&self) -> &Rc<Budget> {
        &self.budget
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn watchers(&self) -> &Watchers {
        &self.watchers
    }
}
