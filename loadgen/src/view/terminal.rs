//! Owns the terminal: the other screen, no echo, no cursor; drawn on a thread of its own, restored whatever happens.
//!
//! Ctrl-C stays the terminal's own: it raises SIGINT, which the command line turns into an early end of the run.

use std::io::{self, IsTerminal, Stderr, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};

use super::{REDRAWS_PER_SECOND, State, screen};
use crate::run::{Observer, Phase, Progress};

/// Without news the time left still goes down.
const IDLE_REDRAW: Duration = Duration::from_secs(1);
/// The other screen, without a cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
/// Back, with the cursor.
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";

/// Whether the terminal is not as it was.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);
/// The terminal's settings before the first view.
static BEFORE: OnceLock<libc::termios> = OnceLock::new();

/// What the drawing thread is told.
#[derive(Debug)]
pub(super) enum News {
    Phase(Phase),
    Progress(Box<Progress>),
    Finished(String),
    Stopping,
    Over,
}

/// A view that draws until it is dropped.
#[derive(Debug)]
pub struct TerminalView {
    news: Sender<News>,
    thread: Option<JoinHandle<()>>,
}

/// What a run tells the view.
#[derive(Debug, Clone)]
pub struct ViewObserver(Sender<News>);

impl Observer for ViewObserver {
    fn phase(&mut self, phase: Phase) {
        // A view that is gone misses nothing but the picture.
        let _ = self.0.send(News::Phase(phase));
    }

    fn progress(&mut self, progress: Progress) {
        let _ = self.0.send(News::Progress(Box::new(progress)));
    }
}

impl TerminalView {
    /// Takes the terminal; none when stdout or stderr is not one, or when it is called "dumb".
    ///
    /// # Errors
    /// When the terminal can't be set up; it is as it was then.
    pub fn start() -> io::Result<Option<TerminalView>> {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if is_dumb || !io::stdout().is_terminal() || !io::stderr().is_terminal() {
            return Ok(None);
        }
        take()?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stderr())).inspect_err(|_| restore())?;
        let (sender, receiver) = channel();
        let drawing =
            std::thread::Builder::new().name("view".to_owned()).spawn(move || draw_until_over(terminal, &receiver));
        let thread = drawing.inspect_err(|_| restore())?;
        Ok(Some(TerminalView { news: sender, thread: Some(thread) }))
    }

    /// What a run tells its news to.
    pub fn observer(&self) -> ViewObserver {
        ViewObserver(self.news.clone())
    }

    /// Shows what a run has found.
    pub fn finished(&self, line: String) {
        let _ = self.news.send(News::Finished(line));
    }

    /// Shows that an early end was asked for.
    pub fn stopping(&self) {
        let _ = self.news.send(News::Stopping);
    }
}

impl Drop for TerminalView {
    fn drop(&mut self) {
        let _ = self.news.send(News::Over);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        restore();
    }
}

fn draw_until_over(mut terminal: Terminal<CrosstermBackend<Stderr>>, news: &Receiver<News>) {
    run(&mut terminal, news, Instant::now);
}

/// Draws what the news make, until they are over; a terminal that cannot be drawn on is left alone.
pub(super) fn run<B: Backend>(terminal: &mut Terminal<B>, news: &Receiver<News>, now: impl Fn() -> Instant) {
    let pause = Duration::from_secs(1) / REDRAWS_PER_SECOND;
    let mut state = State::default();
    let mut is_drawable = true;
    loop {
        if is_drawable {
            is_drawable = terminal.draw(|frame| screen::draw(frame, &state)).is_ok();
        }
        let drawn = now();
        let mut wait = IDLE_REDRAW;
        // All that comes within the pause makes one picture.
        loop {
            match news.recv_timeout(wait) {
                Ok(one) => {
                    if !take_note(&mut state, one) {
                        let _ = terminal.draw(|frame| screen::draw(frame, &state));
                        return;
                    }
                    wait = pause.saturating_sub(now().saturating_duration_since(drawn));
                    if wait.is_zero() {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

/// Whether the view goes on.
fn take_note(state: &mut State, news: News) -> bool {
    match news {
        News::Phase(phase) => state.phase = Some(phase),
        News::Progress(progress) => state.looked(*progress),
        News::Finished(line) => state.finished(line),
        News::Stopping => state.is_stopping = true,
        News::Over => return false,
    }
    true
}

/// Takes the terminal, and sees to it that a panic gives it back before it is told.
fn take() -> io::Result<()> {
    static HOOK: OnceLock<()> = OnceLock::new();
    HOOK.get_or_init(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            tell(panic);
        }));
    });
    let mut settings = MaybeUninit::<libc::termios>::uninit();
    let terminal = io::stderr().as_raw_fd();
    // SAFETY: the pointer is to memory of that type, which tcgetattr fills when it returns 0.
    if unsafe { libc::tcgetattr(terminal, settings.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: tcgetattr has returned 0.
    let before = unsafe { settings.assume_init() };
    let mut quiet = *BEFORE.get_or_init(|| before);
    IS_TAKEN.store(true, Ordering::SeqCst);
    quiet.c_lflag &= !libc::ECHO;
    // SAFETY: the pointer is to a whole termios for the length of the call.
    if unsafe { libc::tcsetattr(terminal, libc::TCSANOW, &raw const quiet) } != 0 {
        let error = io::Error::last_os_error();
        restore();
        return Err(error);
    }
    io::stderr().write_all(ENTER).inspect_err(|_| restore())
}

/// Gives the terminal back as it was; nothing when it is not taken.
///
/// Calls only what a signal handler may call: atomics, `tcsetattr` and `write`.
pub fn restore() {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    if let Some(before) = BEFORE.get() {
        // SAFETY: the pointer is to a whole termios that lives as long as the process.
        unsafe { libc::tcsetattr(libc::STDERR_FILENO, libc::TCSANOW, before) };
    }
    // SAFETY: the pointer is to as many bytes as are named, and they are static.
    unsafe { libc::write(libc::STDERR_FILENO, LEAVE.as_ptr().cast(), LEAVE.len()) };
}
