//! glommio, as far as the broker uses it: pinned executors, task queues, timers, and a place to wait for an eventfd.

use std::future::Future;
use std::io;
use std::os::fd::{FromRawFd, RawFd};
use std::time::Duration;

use glommio::io::BufferedFile;
use glommio::{ExecutorJoinHandle, Latency, LocalExecutorBuilder, Placement, Shares, TaskQueueHandle};

/// Shares of what clients wait for, and of background work, when both want the core.
const FOREGROUND_SHARES: usize = 1000;
const BACKGROUND_SHARES: usize = 100;
/// How long a task queue may run before it yields to another. Long, because glommio 0.9 goes to sleep with runnable tasks
/// when this timer fires before the first of them is run (`run_task_queues` then says that there was none): with 1 ms, that
/// is a thread that the kernel has set aside at the wrong moment.
const PREEMPT: Duration = Duration::from_millis(100);
/// glommio registers buffers for its own direct I/O, which the broker does not use; the least it takes.
const IO_MEMORY_BYTES: usize = 64 << 10;

/// A thread that runs an executor.
pub(crate) type Thread<T> = ExecutorJoinHandle<T>;

/// Starts a thread, pinned to a CPU if one is given, that runs `main` to its end.
pub(crate) fn start<F, T>(
    name: &str,
    cpu: Option<usize>,
    main: impl FnOnce() -> F + Send + 'static,
) -> io::Result<Thread<T>>
where
    F: Future<Output = T> + 'static,
    T: Send + 'static,
{
    let placement = cpu.map_or(Placement::Unbound, Placement::Fixed);
    LocalExecutorBuilder::new(placement)
        .name(name)
        .preempt_timer(PREEMPT)
        .io_memory(IO_MEMORY_BYTES)
        .spawn(main)
        .map_err(|error| io::Error::other(error.to_string()))
}

/// The queues of one executor.
#[derive(Clone, Copy)]
pub(crate) struct Queues {
    foreground: TaskQueueHandle,
    background: TaskQueueHandle,
}

impl Queues {
    /// Makes the queues of the executor that runs this.
    pub(crate) fn new() -> Queues {
        let executor = glommio::executor();
        Queues {
            foreground: executor.create_task_queue(
                Shares::Static(FOREGROUND_SHARES),
                Latency::NotImportant,
                "foreground",
            ),
            background: executor.create_task_queue(
                Shares::Static(BACKGROUND_SHARES),
                Latency::NotImportant,
                "background",
            ),
        }
    }

    pub(crate) fn spawn(self, task: impl Future<Output = ()> + 'static) {
        spawn_into(task, self.foreground);
    }

    pub(crate) fn spawn_background(self, task: impl Future<Output = ()> + 'static) {
        spawn_into(task, self.background);
    }
}

fn spawn_into(task: impl Future<Output = ()> + 'static, queue: TaskQueueHandle) {
    glommio::spawn_local_into(task, queue).expect("the queue is this executor's").detach();
}

pub(crate) async fn sleep(duration: Duration) {
    glommio::timer::sleep(duration).await;
}

/// Runs what may block on the executor's helper thread.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    glommio::executor().spawn_blocking(work).await
}

/// An eventfd that a task waits for.
pub(crate) struct Event {
    file: BufferedFile,
}

impl Event {
    /// Waits for a duplicate of `event_fd`.
    pub(crate) fn new(event_fd: RawFd) -> io::Result<Event> {
        // SAFETY: dup has no memory arguments.
        let duplicate = unsafe { libc::fcntl(event_fd, libc::F_DUPFD_CLOEXEC, 0) };
        if duplicate < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the duplicate belongs to nobody else.
        Ok(Event { file: unsafe { BufferedFile::from_raw_fd(duplicate) } })
    }

    /// Returns once the event has been signalled since the last time.
    pub(crate) async fn wait(&self) -> io::Result<()> {
        self.file.read_at(0, size_of::<u64>()).await.map(drop).map_err(io::Error::from)
    }
}
