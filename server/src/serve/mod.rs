//! The broker's process: threads, listeners, signals, and the order in which they come and go.

mod banner;
mod core;
mod descriptors;
mod exposition;
pub(crate) mod flush;
mod group_exposition;
mod http;
mod listeners;
pub(crate) mod lock;

use std::io;
use std::path::Path;
use std::sync::{Arc, mpsc};

use broker::config::BrokerConfig;
use shard::start::StartError;
use shard::world::CoreId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use thiserror::Error;

use self::core::{Role, Shared};
use self::flush::FlushClass;
use self::lock::LockError;
use crate::world::{Inbox, Incoming, Thread, start};

/// Why the broker does not run. Each code has a page, `docs/errors/<code>.md`.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    /// A listener's address cannot be had.
    #[error("P0203: cannot listen on {address}: {error}. {advice}")]
    Listen { address: String, error: io::Error, advice: &'static str },
    /// A thread could not be started or did not live.
    #[error(
        "P0204: core {core} cannot run: {error}. Partita needs io_uring (Linux 5.19 or newer, not blocked by seccomp); see `partita check`"
    )]
    Core { core: u16, error: String },
    /// The data folder is not ours to use.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The process's own plumbing failed.
    #[error("P0205: the process cannot be set up: {0}")]
    Process(#[from] io::Error),
}

/// Runs a broker until SIGTERM or SIGINT, then stops it cleanly. A second signal ends it at once; nothing that was
/// acknowledged is lost by that.
pub(crate) fn serve(config: BrokerConfig) -> Result<(), ServeError> {
    end_with_any_thread();
    keep_freed_memory();
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    // Before anything else touches the folder, and until the process ends.
    let _lock = lock::take(Path::new(&config.data_dir))?;
    let bound = config.listeners.iter().map(listeners::bind).collect::<Result<Vec<_>, _>>()?;
    let metrics = config.metrics_listen.as_deref().map(listeners::bind_address).transpose()?;
    let config = match &metrics {
        Some(listener) => config.with_metrics_address(listener.local_addr()?.to_string()),
        None => config,
    };
    let endpoints = listeners::endpoints(&config, &bound);
    let addresses = bound.iter().map(|bound| bound.describe()).collect::<Vec<_>>();
    let cores = core_count(&config);
    let inboxes: Arc<[Inbox]> = (0..cores).map(|_| Inbox::new()).collect::<io::Result<_>>()?;
    let (ready, is_ready) = mpsc::channel();
    let connections_max = descriptors::connections_max()?;
    let shared = Shared { config: Arc::new(config), inboxes: inboxes.clone(), connections_max, ready };
    let (booted, boot) = mpsc::channel();
    let mut threads = vec![spawn(CoreId::FIRST, &shared, Role::First { listeners: bound, endpoints, booted })?];
    // When the first core cannot boot, its sender is gone and the reason comes as its readiness.
    if let Ok(boot) = boot.recv() {
        for id in 1..cores {
            threads.push(spawn(CoreId(id), &shared, Role::Other(boot.clone()))?);
        }
        for _ in 1..cores {
            hear(&is_ready)?;
        }
    }
    hear(&is_ready)?;
    inboxes[0].push(Incoming::Accept);
    if let Some(listener) = metrics {
        http::spawn(listener, inboxes.clone(), shared.config.metrics_groups_max)?;
    }
    let journal_dir = shared.config.journal_dir.as_ref().unwrap_or(&shared.config.data_dir);
    banner::print(&shared.config, &addresses, cores, FlushClass::of(Path::new(journal_dir)));
    signals.forever().next();
    tracing::info!("stopping: connections are ended and the logs closed");
    inboxes[0].push(Incoming::Stop);
    std::thread::spawn(move || {
        signals.forever().next();
        std::process::exit(EXIT_INTERRUPTED);
    });
    for (id, thread) in (0..cores).zip(threads) {
        let ended = thread.join().map_err(|error| error.to_string());
        if let Err(error) = ended.and_then(|result| result.map_err(|error| error.to_string())) {
            return Err(ServeError::Core { core: id, error });
        }
    }
    Ok(())
}

/// Makes a panic of any thread the end of the process: a broker with a dead core would let its clients wait for ever, while
/// a restart recovers.
fn end_with_any_thread() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// Exit status after a second signal (128 + SIGINT).
const EXIT_INTERRUPTED: i32 = 130;

fn spawn(id: CoreId, shared: &Shared, role: Role) -> Result<Thread<io::Result<()>>, ServeError> {
    let shared = shared.clone();
    start(&format!("core-{}", id.0), pinned_cpu(id), move || core::run(id, shared, role))
        .map_err(|error| ServeError::Core { core: id.0, error: error.to_string() })
}

/// Waits for a core to be up.
fn hear(is_ready: &mpsc::Receiver<Result<(), StartError>>) -> Result<(), ServeError> {
    match is_ready.recv() {
        Ok(result) => Ok(result?),
        Err(mpsc::RecvError) => Err(ServeError::Core { core: 0, error: "its thread ended".into() }),
    }
}

fn core_count(config: &BrokerConfig) -> u16 {
    let all = || std::thread::available_parallelism().map_or(1, |count| count.get());
    config.cores.unwrap_or_else(|| u16::try_from(all()).unwrap_or(u16::MAX))
}

/// The CPU for a core: the process's allowed CPUs in turn, so that `taskset` and cpusets are kept.
fn pinned_cpu(id: CoreId) -> Option<usize> {
    // SAFETY: an all-zero set is valid, and the call only fills it.
    let (result, allowed) = unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        (libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut allowed), allowed)
    };
    if result != 0 {
        return None;
    }
    // SAFETY: the index is below the set's size.
    let cpus: Vec<_> =
        (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &allowed) }).collect();
    cpus.get(usize::from(id.0) % cpus.len().max(1)).copied()
}

/// Has the allocator keep what requests free, up to its bounds: their memory would otherwise go back to the kernel and be
/// faulted in anew for each large request, at up to 2.7 s of CPU a gigabyte on a virtual machine.
fn keep_freed_memory() {
    for (parameter, bytes) in [(libc::M_MMAP_THRESHOLD, 32 << 20), (libc::M_TRIM_THRESHOLD, 64 << 20)] {
        // SAFETY: mallopt has no memory arguments. A refusal leaves the default, which is slower and as correct.
        let _ = unsafe { libc::mallopt(parameter, bytes) };
    }
}
