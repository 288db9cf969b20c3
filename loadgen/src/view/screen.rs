//! The picture of a [`State`] on a terminal of any size: what does not fit is left away from below.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Gauge, Paragraph, Row, Sparkline, Table};

use super::State;
use crate::report::chart::Quantity;
use crate::report::chart::quantity::grouped;
use crate::run::{Phase, Progress};

const QUIET: Style = Style::new().add_modifier(Modifier::DIM);
const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
const ALARM: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
/// Groups whose lag is shown; of more only how many there are.
const GROUPS_MAX: usize = 4;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, state: &State) {
    let Some(progress) = &state.progress else {
        let text = Paragraph::new(vec![Line::styled("loadgen", STRONG), Line::from("Starting…")]);
        frame.render_widget(text, frame.area());
        return;
    };
    let groups = progress.lag.len().clamp(1, GROUPS_MAX + 1) as u16;
    let [title, gauge, figures, history, lag, finished, help] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(7),
        Constraint::Length(5),
        Constraint::Length(groups + 2),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(heading(state, progress), title);
    frame.render_widget(bar(state, progress), gauge);
    let [rates, latencies] =
        Layout::horizontal([Constraint::Percentage(45), Constraint::Percentage(55)]).areas(figures);
    frame.render_widget(rates_table(progress), rates);
    frame.render_widget(latency_table(progress), latencies);
    sparkline(frame, history, state);
    frame.render_widget(lags(progress), lag);
    frame.render_widget(finished_runs(state, finished), finished);
    let help_text = if state.is_stopping {
        Line::styled("Ending: what was measured is written. Ctrl-C again gives up at once.", ALARM)
    } else {
        Line::styled("Ctrl-C ends the run and keeps what was measured.", QUIET)
    };
    frame.render_widget(help_text, help);
}

fn heading<'a>(state: &State, progress: &'a Progress) -> Line<'a> {
    let phase = match state.phase.unwrap_or(progress.phase) {
        Phase::Setup => "making topics, joining groups",
        Phase::Backlog => "writing a backlog",
        Phase::WarmUp => "warming up",
        Phase::Window => "measuring",
        Phase::Drain => "waiting for what is on its way",
        Phase::ReadBack => "reading everything back",
        Phase::Done => "done",
    };
    Line::from(vec![
        Span::styled(progress.scenario.as_str(), STRONG),
        Span::raw(" on "),
        Span::styled(progress.system.as_str(), STRONG),
        Span::raw(format!(", run {} of {}: {phase}", progress.run, progress.runs)),
    ])
}

fn bar(state: &State, progress: &Progress) -> Gauge<'static> {
    let left = state.time_left().map_or_else(String::new, |left| format!(", about {} left", spell(left)));
    let label = format!("{:.0} % of {} runs{left}", state.share_done() * 100.0, progress.runs);
    Gauge::default().ratio(state.share_done()).label(label).use_unicode(true).gauge_style(Style::new().fg(Color::Cyan))
}

/// A time in whole seconds, from two minutes on in minutes.
fn spell(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min {:02} s", seconds / 60, seconds % 60) }
}

fn rates_table(progress: &Progress) -> Table<'static> {
    let rate = |name: &'static str, value: f64| Row::new(vec![name.to_owned(), Quantity::PerSecond.format(value)]);
    let errors = Row::new(vec!["failed".to_owned(), grouped(progress.errors)]);
    let rows = [
        rate("due", progress.offered_per_s),
        rate("sent", progress.sent_per_s),
        rate("acknowledged", progress.acked_per_s),
        rate("delivered", progress.delivered_per_s),
        errors.style(if progress.errors > 0 { ALARM } else { Style::new() }),
    ];
    let title = format!(" records, {} ", Quantity::MegabytesPerSecond.format(progress.mb_per_s));
    Table::new(rows, [Constraint::Length(14), Constraint::Min(8)]).block(Block::bordered().title(title))
}

fn latency_table(progress: &Progress) -> Table<'static> {
    let row = |name: &str, percentiles: Option<[u64; 3]>| {
        let mut cells = vec![name.to_owned()];
        match percentiles {
            Some(percentiles) => cells.extend(percentiles.map(|us| Quantity::Microseconds.format(us as f64))),
            None => cells.extend(["–"; 3].map(str::to_owned)),
        }
        Row::new(cells)
    };
    let rows = [row("acknowledged", progress.response_us), row("read", progress.e2e_us)];
    let widths = [Constraint::Length(13), Constraint::Length(8), Constraint::Length(8), Constraint::Length(8)];
    let heading = Row::new(["", "p50", "p99", "p99.9"]).style(QUIET);
    Table::new(rows, widths).header(heading).block(Block::bordered().title(" from when it was due until "))
}

fn sparkline(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let width = usize::from(area.width.saturating_sub(2));
    let newest = state.history.iter().skip(state.history.len().saturating_sub(width)).copied();
    let line = Sparkline::default()
        .data(newest.collect::<Vec<u64>>())
        .style(Style::new().fg(Color::Cyan))
        .block(Block::bordered().title(" records each second "));
    frame.render_widget(line, area);
}

fn lags(progress: &Progress) -> Paragraph<'_> {
    let mut lines: Vec<Line<'_>> = progress
        .lag
        .iter()
        .take(GROUPS_MAX)
        .map(|(group, lag)| Line::from(format!("{group}: {} records behind", grouped(*lag))))
        .collect();
    if lines.is_empty() {
        lines.push(Line::styled("nobody reads", QUIET));
    }
    if progress.lag.len() > GROUPS_MAX {
        lines.push(Line::styled(format!("and {} more", progress.lag.len() - GROUPS_MAX), QUIET));
    }
    Paragraph::new(lines).block(Block::bordered().title(" consumer groups "))
}

fn finished_runs(state: &State, area: Rect) -> Paragraph<'_> {
    let room = usize::from(area.height.saturating_sub(2));
    let newest = state.finished.iter().skip(state.finished.len().saturating_sub(room));
    Paragraph::new(newest.map(|line| Line::from(line.as_str())).collect::<Vec<_>>())
        .block(Block::bordered().title(" done "))
}
