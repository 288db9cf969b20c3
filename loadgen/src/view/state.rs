//! What the view knows: the run's last look, the rates of the last minute, and the runs that are over.

use std::collections::VecDeque;
use std::time::Duration;

use crate::run::{Phase, Progress};

/// Seconds of rates that are kept.
const HISTORY: usize = 120;
/// Finished runs that are kept for the screen.
const FINISHED_MAX: usize = 100;

/// What there is to draw.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The last look at the run.
    pub progress: Option<Progress>,
    /// Its phase, which may have begun since.
    pub phase: Option<Phase>,
    /// Records a second that came through, the newest last.
    pub history: VecDeque<u64>,
    /// What the runs that are over found, a line each, the newest last.
    pub finished: VecDeque<String>,
    /// Whether the run was asked to end.
    pub is_stopping: bool,
    /// The whole second of the run that `history` ends with.
    second: Option<(usize, u64)>,
}

impl State {
    /// Takes note of a look at the run.
    pub fn looked(&mut self, progress: Progress) {
        let second = (progress.run, progress.elapsed.as_secs());
        if self.second.is_some_and(|(run, _)| run != progress.run) {
            self.history.clear();
        }
        if self.second != Some(second) {
            self.second = Some(second);
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            let through = if progress.acked_per_s > 0.0 { progress.acked_per_s } else { progress.sent_per_s };
            self.history.push_back(through.max(0.0) as u64);
        }
        self.phase = Some(progress.phase);
        self.progress = Some(progress);
    }

    /// Takes note of a run that is over.
    pub fn finished(&mut self, line: String) {
        if self.finished.len() == FINISHED_MAX {
            self.finished.pop_front();
        }
        self.finished.push_back(line);
    }

    /// How much of all runs is over, from 0 to 1.
    pub fn share_done(&self) -> f64 {
        let Some(progress) = &self.progress else { return 0.0 };
        let this = progress.elapsed.as_secs_f64() / progress.total.as_secs_f64().max(1e-3);
        let before = progress.run.saturating_sub(1) as f64;
        ((before + this.clamp(0.0, 1.0)) / progress.runs.max(1) as f64).clamp(0.0, 1.0)
    }

    /// How long until all runs are over, if those to come take as long as this one.
    pub fn time_left(&self) -> Option<Duration> {
        let progress = self.progress.as_ref()?;
        let others = u32::try_from(progress.runs.saturating_sub(progress.run)).unwrap_or(u32::MAX);
        Some(progress.total.saturating_sub(progress.elapsed).saturating_add(progress.total.saturating_mul(others)))
    }
}
