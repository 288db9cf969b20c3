//! A broker that is started, stopped, killed and started again, on one disk.

use std::cell::{Cell, RefCell};
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ::broker::catalog::Endpoint;
use ::broker::config::BrokerConfig;
use engine::journal::writer::JournalConfig;
use engine::scrub::ScrubStats;
use engine::store::StoreConfig;
use shard::start::{self, StartError};
use shard::world::CoreId;
use shard::{Call, Reply};

use crate::dice::Dice;
use crate::disk::{DiskLatency, SimDisk};
use crate::executor::Executor;
use crate::net::{ClientStream, Net};
use crate::trace::Trace;
use crate::world::Process;

/// The only listener.
const LISTENER: &str = "PLAINTEXT";

/// How the broker comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The machine loses its power: what is not on stable storage may be lost.
    PowerLoss,
    /// The process is killed; the operating system lives on and keeps what was written.
    Kill,
}

/// What the broker runs on.
pub struct Machine {
    /// Runs everything.
    pub executor: Executor,
    /// Where it keeps its data.
    pub disk: SimDisk,
    /// How long that takes.
    pub latency: DiskLatency,
    /// How clients reach it.
    pub net: Net,
    /// Its randomness.
    pub dice: Dice,
    /// Where events go.
    pub trace: Trace,
    /// Between its cores.
    pub mesh_delay: RangeInclusive<Duration>,
    /// Its settings.
    pub config: Arc<BrokerConfig>,
    /// The bounds of its cores' stores.
    pub store: StoreProfile,
}

/// Bounds far below a real broker's, so that little data meets them.
#[derive(Clone, Debug)]
pub struct StoreProfile {
    /// The journal's.
    pub journal: JournalConfig,
    /// Bytes of a batch at most.
    pub batch_bytes_max: usize,
    /// Bytes of all tails.
    pub memory_bytes_max: usize,
    /// Bytes kept to delete in.
    pub reserve_bytes: u64,
}

/// The broker.
pub struct Broker {
    machine: Machine,
    process: RefCell<Option<Rc<Process>>>,
    /// It has registered and takes connections.
    serving: Cell<bool>,
}

impl Broker {
    /// A broker that does not run.
    pub fn new(machine: Machine) -> Rc<Broker> {
        Rc::new(Broker { machine, process: RefCell::default(), serving: Cell::new(false) })
    }

    /// What it runs on.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The process that runs now.
    pub fn process(&self) -> Option<Rc<Process>> {
        self.process.borrow().clone()
    }

    /// Whether it takes connections.
    pub fn is_serving(&self) -> bool {
        self.serving.get()
    }

    /// Starts a process of so many cores; returns when it serves, or when it has not come up or was ended meanwhile. It must
    /// not run.
    ///
    /// # Errors
    /// What the broker says about why it does not come up; `None` when it was ended.
    pub async fn start(self: &Rc<Self>, cores: u16) -> Result<(), Option<String>> {
        let machine = &self.machine;
        let process = Process::new(
            machine.executor.clone(),
            machine.dice.fork(),
            machine.trace.clone(),
            machine.disk.clone(),
            (cores, machine.mesh_delay.clone()),
        );
        assert!(self.process.replace(Some(process.clone())).is_none(), "one process at a time");
        machine.trace.event(format_args!("broker starts with {cores} cores"));
        let outcome: Rc<RefCell<Option<Result<(), String>>>> = Rc::default();
        let (slot, starting) = (outcome.clone(), process.clone());
        let (config, store) = (machine.config.clone(), machine.store.clone());
        process.spawn(async move {
            let result = open(&starting, config, store).await;
            *slot.borrow_mut() = Some(result);
            starting.changed.notify();
        });
        loop {
            if process.has_ended() {
                return Err(None);
            }
            let result = outcome.borrow_mut().take();
            match (result, process.failed()) {
                (Some(Ok(())), None) => break,
                (Some(Err(reason)), _) | (_, Some(reason)) => {
                    machine.trace.event(format_args!("broker does not start: {reason}"));
                    self.end(End::Kill);
                    return Err(Some(reason));
                }
                (None, None) => process.changed.changed().await,
            }
        }
        machine.trace.event(format_args!("broker serves"));
        self.serving.set(true);
        Ok(())
    }

    /// Ends the process at once, if there is one.
    pub fn end(&self, how: End) {
        let Some(process) = self.process.take() else { return };
        self.machine.trace.event(format_args!("broker ends: {how:?}"));
        self.serving.set(false);
        process.end();
        self.machine.net.cut_all();
        match how {
            End::PowerLoss => self.machine.disk.crash(),
            End::Kill => self.machine.disk.kill(),
        }
    }

    /// Stops it as SIGTERM does.
    ///
    /// # Errors
    /// A core that could not close; `None` when it was ended meanwhile. It does not run any more in any case.
    pub async fn stop(&self) -> Result<(), Option<String>> {
        let Some(process) = self.process() else { return Err(None) };
        self.machine.trace.event(format_args!("broker stops"));
        self.serving.set(false);
        let outcome: Rc<RefCell<Option<Result<(), String>>>> = Rc::default();
        let (slot, stopping) = (outcome.clone(), process.clone());
        process.spawn(async move {
            let result = close(&stopping).await;
            *slot.borrow_mut() = Some(result);
            stopping.changed.notify();
        });
        let result = loop {
            if process.has_ended() {
                return Err(None);
            }
            let result = outcome.borrow_mut().take();
            match (result, process.failed()) {
                (Some(result), None) => break result.map_err(Some),
                (_, Some(reason)) => break Err(Some(reason)),
                (None, None) => process.changed.changed().await,
            }
        };
        self.end(End::Kill);
        result
    }

    /// What scrubbing has done on all cores, with the fewest passes of any; `None` while the broker does not run.
    pub async fn scrub_stats(&self) -> Option<ScrubStats> {
        let first = self.process()?.core(CoreId::FIRST)?;
        let mut all = ScrubStats { passes: u64::MAX, ..ScrubStats::default() };
        for id in first.all() {
            let Reply::Metrics(metrics) = first.call(id, Call::Metrics).await else { return None };
            all.bytes += metrics.scrub.bytes;
            all.passes = all.passes.min(metrics.scrub.passes);
            all.found += metrics.scrub.found;
        }
        Some(all)
    }

    /// A connection to one of the cores, if the broker takes any now.
    pub fn connect(&self, client: &str) -> Option<ClientStream> {
        let process = self.process().filter(|process| self.is_serving() && process.failed().is_none())?;
        let core = process.core(CoreId(self.machine.dice.below(u64::from(process.count())) as u16))?;
        let (near, far) = self.machine.net.connect(client);
        core.connect(far, LISTENER.into());
        Some(near)
    }
}

async fn open(process: &Rc<Process>, config: Arc<BrokerConfig>, profile: StoreProfile) -> Result<(), String> {
    let text = |error: StartError| error.to_string();
    let endpoint = Endpoint { listener: LISTENER.into(), host: "broker".into(), port: 9092 };
    let first = process.world(CoreId::FIRST);
    let mut boot = start::boot(&first, process.count(), config, vec![endpoint]).await.map_err(text)?;
    let StoreProfile { journal, batch_bytes_max, memory_bytes_max, reserve_bytes } = profile;
    boot.store = StoreConfig { journal, batch_bytes_max, memory_bytes_max, reserve_bytes, ..boot.store };
    let mut cores = Vec::new();
    for id in (0..process.count()).map(CoreId) {
        cores.push(start::open(process.world(id), id, process.count(), boot.clone()).await.map_err(text)?);
    }
    process.set_cores(cores);
    let first = process.core(CoreId::FIRST).expect("it has just been set");
    first.register().await.map_err(|error| format!("the registration failed: {error}"))
}

async fn close(process: &Rc<Process>) -> Result<(), String> {
    let first = process.core(CoreId::FIRST).ok_or("the broker has not come up")?;
    // As the server does on SIGTERM.
    for step in [|| Call::Drain, || Call::Close] {
        for id in first.all() {
            match first.call(id, step()).await {
                Reply::Done(result) => result.map_err(|reason| format!("core {} did not close: {reason}", id.0))?,
                other => return Err(format!("an answer of another kind: {other:?}")),
            }
        }
    }
    Ok(())
}
