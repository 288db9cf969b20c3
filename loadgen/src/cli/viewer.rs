//! How runs are shown while they go on: as a picture where stdout and stderr are a terminal, else as lines.
//!
//! What the runs found goes to stdout in either case: at once beside lines, and when the terminal is given back beside a picture.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loadgen::report::chart::Quantity;
use loadgen::report::words;
use loadgen::result::RunResult;
use loadgen::run::{Observer, Phase, Progress};
use loadgen::view::{TerminalView, ViewObserver};

use super::plain::{Plain, summary};

/// Shows some runs.
pub(super) struct Viewer {
    how: How,
    stop: Arc<AtomicBool>,
}

enum How {
    Picture { view: TerminalView, observer: ViewObserver, found: Vec<String> },
    Lines(Plain),
}

impl Viewer {
    /// Takes the terminal unless lines are wished for; `stop` is the flag of [`super::signals`].
    pub(super) fn start(wants_lines: bool, stop: Arc<AtomicBool>) -> Viewer {
        let view = if wants_lines { Ok(None) } else { TerminalView::start() };
        let how = match view {
            Ok(Some(view)) => How::Picture { observer: view.observer(), view, found: Vec::new() },
            Ok(None) => How::Lines(Plain::default()),
            Err(error) => {
                eprintln!("loadgen: the terminal cannot be drawn on ({error}), so there are lines instead");
                How::Lines(Plain::default())
            }
        };
        Viewer { how, stop }
    }

    /// A run begins.
    pub(super) fn begin(&self, run: usize, runs: usize, scenario: &str) {
        if let How::Lines(_) = self.how {
            eprintln!("run {run} of {runs}: {scenario}");
        }
    }

    /// A run is over and kept in `folder`, if it is kept.
    pub(super) fn finished(&mut self, result: &RunResult, folder: Option<&Path>) {
        let mut text = summary(result);
        if let Some(folder) = folder {
            text.push_str(&format!("\n  {}", folder.display()));
        }
        match &mut self.how {
            How::Lines(_) => println!("{text}"),
            How::Picture { view, found, .. } => {
                view.finished(line(result));
                found.push(text);
            }
        }
    }

    /// Gives the terminal back and says what was found.
    pub(super) fn end(self) {
        if let How::Picture { view, found, .. } = self.how {
            drop(view);
            for text in found {
                println!("{text}");
            }
        }
    }
}

/// A run in a line.
fn line(result: &RunResult) -> String {
    let verdict = words::verdict(result.validity.verdict);
    let through =
        if result.throughput.acked_per_s > 0.0 { result.throughput.acked_per_s } else { result.throughput.sent_per_s };
    let latency = match (&result.latency.response, &result.latency.e2e) {
        (Some(response), _) => format!(", acknowledged p99 {}", Quantity::Microseconds.format(response.p99_us as f64)),
        (None, Some(e2e)) => format!(", read p99 {}", Quantity::Microseconds.format(e2e.p99_us as f64)),
        (None, None) => String::new(),
    };
    format!("{}: {verdict}, {}{latency}", result.scenario.id, Quantity::PerSecond.format(through))
}

impl Observer for Viewer {
    fn phase(&mut self, phase: Phase) {
        match &mut self.how {
            How::Picture { observer, .. } => observer.phase(phase),
            How::Lines(plain) => plain.phase(phase),
        }
    }

    fn progress(&mut self, progress: Progress) {
        match &mut self.how {
            How::Picture { view, observer, .. } => {
                if self.stop.load(Ordering::Relaxed) {
                    view.stopping();
                }
                observer.progress(progress);
            }
            How::Lines(plain) => plain.progress(progress),
        }
    }
}
