//! What all runs together come to: the first thing on a page.

use maud::{Markup, html};

use crate::result::Verdict;

use super::chart::quantity::grouped;
use super::input::Run;
use super::words;

/// Counts over all runs of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs whose figures mean something.
    pub valid: usize,
    /// Runs that something disturbed.
    pub suspect: usize,
    /// Runs that were ended before their time.
    pub cut_short: usize,
    /// Runs that failed.
    pub invalid: usize,
    /// Runs of which all was read that there was to read.
    pub verified: usize,
    /// Records handed to a connection.
    pub sent: u64,
    /// Records acknowledged.
    pub acked: u64,
    /// Of the runs that were verified: records that had to be there.
    pub checked: u64,
    /// Missing, followed by a later one.
    pub lost: u64,
    /// More than once in the log.
    pub doubled: u64,
    /// Behind a later one of their producer.
    pub reordered: u64,
    /// Missing at the end of the log.
    pub unseen: u64,
    /// Records that failed.
    pub errors: u64,
}

impl Tally {
    /// Adds up.
    pub fn of(runs: &[Run]) -> Tally {
        let mut tally = Tally::default();
        for run in runs {
            match run.result.validity.verdict {
                Verdict::Valid => tally.valid += 1,
                Verdict::Suspect => tally.suspect += 1,
                Verdict::CutShort => tally.cut_short += 1,
                Verdict::Invalid => tally.invalid += 1,
            }
            let load = &run.result.load;
            tally.sent += load.sent;
            tally.acked += load.acked;
            if load.verified {
                tally.verified += 1;
                // Without acknowledgements all that was sent is looked for.
                tally.checked += if load.acked > 0 { load.acked } else { load.sent };
            }
            tally.lost += load.lost;
            tally.doubled += load.doubled;
            tally.reordered += load.reordered;
            tally.unseen += load.unseen;
            tally.errors += load.errors.values().sum::<u64>();
        }
        tally
    }

    /// Runs in all.
    pub fn runs(&self) -> usize {
        self.valid + self.suspect + self.cut_short + self.invalid
    }

    /// Lost at the end of a log is lost too.
    pub fn missing(&self) -> u64 {
        self.lost + self.unseen
    }

    /// What became of the records, in a few words.
    pub fn in_short(&self) -> String {
        let proved = format!("{} records checked", grouped(self.checked));
        if self.faults() == 0 {
            return format!("{proved}, none lost, doubled or out of order");
        }
        let Tally { doubled, reordered, .. } = self;
        format!(
            "{proved}: {} missing, {} doubled, {} out of order",
            grouped(self.missing()),
            grouped(*doubled),
            grouped(*reordered)
        )
    }

    fn faults(&self) -> u64 {
        self.missing() + self.doubled + self.reordered
    }

    /// The verdict in words, in a coloured frame.
    pub fn draw(&self) -> Markup {
        let class = match self {
            _ if self.invalid > 0 || self.faults() > 0 => "verdict bad",
            _ if self.suspect + self.cut_short > 0 || self.verified < self.runs() => "verdict warn",
            _ => "verdict good",
        };
        html! {
            div class=(class) {
                p { strong { (self.on_records()) } }
                p class="plain" { (self.on_figures()) }
            }
        }
    }

    /// What became of the records.
    fn on_records(&self) -> String {
        let runs = self.runs();
        if self.verified == 0 {
            return "Nothing is proved about the records: in no run were they all read back.".to_owned();
        }
        let scope = if self.verified == runs {
            String::new()
        } else {
            format!(
                " In {} the records were not all read back, so that nothing is proved there.",
                words::count(runs - self.verified, "run")
            )
        };
        if self.faults() == 0 {
            let records = grouped(self.checked);
            return format!(
                "All {records} records that had to be there were read back: none lost, none doubled, none out of order.{scope}"
            );
        }
        format!(
            "Of {} records that had to be there {} were missing, {} were there more than once, and {} were out of order.{scope}",
            grouped(self.checked),
            grouped(self.missing()),
            grouped(self.doubled),
            grouped(self.reordered)
        )
    }

    /// Whether the figures mean something.
    fn on_figures(&self) -> String {
        let runs = self.runs();
        if self.valid == runs {
            let all = if runs == 1 { "The run is valid".to_owned() } else { format!("All {runs} runs are valid") };
            return format!("{all}: neither the machine nor the load generator disturbed the measurement.");
        }
        let mut parts = vec![format!("{} of {} valid.", self.valid, words::count(runs, "run"))];
        if self.suspect > 0 {
            parts.push(format!(
                "{} suspect: something disturbed the measurement, so that its times and rates may be off.",
                self.suspect
            ));
        }
        if self.cut_short > 0 {
            parts.push(format!(
                "{} cut short: ended before time, and shows what was measured until then.",
                self.cut_short
            ));
        }
        if self.invalid > 0 {
            parts.push(format!(
                "{} invalid: failed, or records were lost, doubled or out of order; the figures must not be used.",
                self.invalid
            ));
        }
        parts.push("The reasons stand under “Every run”.".to_owned());
        parts.join(" ")
    }
}
