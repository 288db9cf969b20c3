//! One core's thread: brings its world up, opens its share of the broker, and runs until it is told to exit.

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use broker::catalog::Endpoint;
use broker::config::BrokerConfig;
use shard::start::{Boot, StartError};
use shard::world::{CoreId, World};
use shard::{Call, Core, Reply, start};

use super::listeners::Bound;
use crate::world::{Inbox, Incoming, Linux, TcpStream, accept};

/// How long the acceptor waits when the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a thread does at its start.
pub(super) enum Role {
    /// Recovers the disk, tells the others, accepts connections.
    First { listeners: Vec<Bound>, endpoints: Vec<Endpoint>, booted: mpsc::Sender<Boot> },
    /// Begins with what the first core has recovered.
    Other(Boot),
}

/// What every thread is given.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) config: Arc<BrokerConfig>,
    pub(super) inboxes: Arc<[Inbox]>,
    /// Connections of all cores for which there are descriptors.
    pub(super) connections_max: u64,
    /// Hears of each core once, when it is up or cannot come up.
    pub(super) ready: mpsc::Sender<Result<(), StartError>>,
}

/// The thread's main task.
pub(super) async fn run(id: CoreId, shared: Shared, role: Role) -> io::Result<()> {
    let world = Linux::new(id, shared.inboxes.clone())?;
    let desk = Rc::new(Desk {
        world: world.clone(),
        connections_max: shared.connections_max,
        state: RefCell::new(DeskState::Opening(Vec::new())),
    });
    let opening = desk.clone();
    world.spawn(async move {
        let ready = shared.ready.clone();
        let result = open(id, shared, role, &opening).await;
        // The process's main thread waits until it has heard of every core.
        let _ = ready.send(result);
    });
    world.run(|incoming| desk.take(incoming)).await
}

async fn open(id: CoreId, shared: Shared, role: Role, desk: &Rc<Desk>) -> Result<(), StartError> {
    let cores = u16::try_from(shared.inboxes.len()).expect("there are fewer than 2^16 cores");
    let (boot, listeners) = match role {
        Role::First { listeners, endpoints, booted } => {
            let boot = start::boot(&desk.world, cores, shared.config, endpoints).await?;
            // The main thread waits for it, or has given up.
            let _ = booted.send(boot.clone());
            (boot, listeners.into_iter().flat_map(Bound::into_sockets).collect())
        }
        Role::Other(boot) => (boot, Vec::new()),
    };
    let core = start::open(desk.world.clone(), id, cores, boot).await?;
    desk.opened(core.clone(), listeners);
    if id == CoreId::FIRST {
        core.register().await.map_err(StartError::Register)?;
    }
    Ok(())
}

/// Where a core's incoming things are handled; while the core is opening they wait.
struct Desk {
    world: Linux,
    connections_max: u64,
    state: RefCell<DeskState>,
}

enum DeskState {
    Opening(Vec<Incoming>),
    Open { core: Rc<Core<Linux>>, listeners: Vec<(Rc<TcpListener>, Rc<str>)> },
}

impl Desk {
    fn opened(&self, core: Rc<Core<Linux>>, listeners: Vec<(Rc<TcpListener>, Rc<str>)>) {
        let DeskState::Opening(waiting) = self.state.replace(DeskState::Open { core, listeners }) else {
            unreachable!("a core is opened once")
        };
        for incoming in waiting {
            self.take(incoming);
        }
    }

    /// False when the executor is to end.
    fn take(&self, incoming: Incoming) -> bool {
        let (core, listeners) = match &mut *self.state.borrow_mut() {
            DeskState::Opening(waiting) => {
                waiting.push(incoming);
                return true;
            }
            DeskState::Open { core, listeners } if matches!(incoming, Incoming::Accept) => {
                (core.clone(), std::mem::take(listeners))
            }
            DeskState::Open { core, .. } => (core.clone(), Vec::new()),
        };
        match incoming {
            Incoming::Message(message) => core.handle(message),
            Incoming::Connection { socket, listener } => {
                core.connect(TcpStream::new(self.world.clone(), core.id(), socket), listener.as_ref().into());
            }
            Incoming::Accept => {
                for (listener, name) in listeners {
                    self.world.spawn(accept_all(self.world.clone(), listener, name, self.connections_max));
                }
            }
            Incoming::Metrics(sender) => self.world.spawn(collect_metrics(core, sender)),
            Incoming::Stop => self.world.spawn(stop_all(core, self.world.clone())),
            Incoming::Exit => return false,
        }
        true
    }
}

/// Gives each connection to the core that has the fewest. One for which there is no descriptor to spare is closed at once.
async fn accept_all(world: Linux, listener: Rc<TcpListener>, name: Rc<str>, connections_max: u64) {
    let name: Arc<str> = name.as_ref().into();
    let mut refusing = false;
    loop {
        match accept(world.ring(), &listener).await {
            Ok(socket) => {
                let inboxes = world.inboxes();
                let was_refusing = refusing;
                refusing = inboxes.iter().map(Inbox::connections).sum::<u64>() >= connections_max;
                if refusing && !was_refusing {
                    tracing::warn!(
                        connections_max,
                        "more connections are refused: ulimit -n must leave descriptors for files"
                    );
                }
                if refusing {
                    continue;
                }
                let fewest = inboxes.iter().min_by_key(|inbox| inbox.connections());
                let inbox = fewest.expect("a broker has a core");
                inbox.connected();
                inbox.push(Incoming::Connection { socket, listener: name.clone() });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted; ulimit -n limits how many there may be");
                world.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn collect_metrics(core: Rc<Core<Linux>>, sender: mpsc::Sender<Vec<shard::metrics::CoreMetrics>>) {
    let mut all = Vec::new();
    for id in core.all() {
        if let Reply::Metrics(metrics) = core.call(id, Call::Metrics).await {
            all.push(*metrics);
        }
    }
    // Whoever asked may have given up.
    let _ = sender.send(all);
}

/// Closes every core, then lets their executors end.
async fn stop_all(core: Rc<Core<Linux>>, world: Linux) {
    for step in [|| Call::Drain, || Call::Close] {
        for id in core.all() {
            if let Reply::Done(Err(reason)) = core.call(id, step()).await {
                tracing::error!(core = id.0, reason, "a core did not close cleanly; the next start recovers it");
            }
        }
    }
    for inbox in world.inboxes().iter() {
        inbox.push(Incoming::Exit);
    }
}
