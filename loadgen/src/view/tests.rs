//! What the screen shows, and that it is drawn no more often than it may be.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::terminal::{News, run};
use super::*;
use crate::run::{Phase, Progress};

fn progress() -> Progress {
    Progress {
        system: "partita".to_owned(),
        scenario: "quick-acks1-members4".to_owned(),
        run: 7,
        runs: 12,
        phase: Phase::Window,
        elapsed: Duration::from_secs(6),
        total: Duration::from_secs(12),
        offered_per_s: 20_000.0,
        sent_per_s: 20_000.0,
        acked_per_s: 19_950.0,
        delivered_per_s: 19_940.0,
        mb_per_s: 19.95,
        response_us: Some([1_200, 4_300, 9_100]),
        e2e_us: None,
        lag: vec![("group".to_owned(), 1_234)],
        errors: 0,
    }
}

fn shown(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("the test's backend");
    terminal.draw(|frame| screen::draw(frame, state)).expect("the test's backend");
    terminal.backend().to_string()
}

#[test]
fn the_screen_tells_rates_latencies_lag_and_the_time_left() {
    let mut state = State::default();
    state.looked(progress());
    state.finished("quick-acks0-members5: valid, 20 k/s".to_owned());
    let screen = shown(&state, 80, 24);
    for words in [
        "quick-acks1-members4 on partita, run 7 of 12: measuring",
        "54 % of 12 runs, about 66 s left",
        "acknowledged   19.9 k/s",
        "p50      p99      p99.9",
        "acknowledged  1.2 ms   4.3 ms   9.1 ms",
        "read          –        –        –",
        "group: 1,234 records behind",
        "quick-acks0-members5: valid, 20 k/s",
        "Ctrl-C ends the run",
    ] {
        assert!(screen.contains(words), "“{words}” is not on\n{screen}");
    }
}

#[test]
fn no_size_and_no_value_breaks_the_screen() {
    let mut odd = progress();
    (odd.total, odd.runs, odd.run) = (Duration::ZERO, 0, 9);
    (odd.offered_per_s, odd.acked_per_s, odd.mb_per_s) = (f64::NAN, f64::INFINITY, -1.0);
    odd.lag = (0..50).map(|group| (format!("g{group}"), u64::MAX)).collect();
    let mut states = vec![State::default(), State::default(), State::default()];
    states[1].looked(progress());
    states[2].looked(odd);
    for state in &states {
        for (width, height) in [(1, 1), (3, 40), (20, 3), (80, 24), (300, 80)] {
            shown(state, width, height);
        }
    }
}

#[test]
fn rates_of_a_run_end_with_it() {
    let mut state = State::default();
    for second in 0..500 {
        let elapsed = Duration::from_secs(second);
        state.looked(Progress { elapsed, ..progress() });
        state.looked(Progress { elapsed: elapsed + Duration::from_millis(200), ..progress() });
    }
    assert_eq!(state.history.len(), 120, "a value a second, of two minutes");
    state.looked(Progress { run: 8, ..progress() });
    assert_eq!(state.history.len(), 1);
}

#[test]
fn a_flood_of_news_makes_few_pictures_and_the_last_one_has_them_all() {
    let (sender, receiver) = channel();
    let started = Instant::now();
    let thread = std::thread::spawn(move || {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("the test's backend");
        run(&mut terminal, &receiver, Instant::now);
        (terminal.get_frame().count(), terminal.backend().to_string())
    });
    for number in 0..100_000u64 {
        sender.send(News::Progress(Box::new(Progress { errors: number, ..progress() }))).expect("the view listens");
    }
    sender.send(News::Over).expect("the view listens");
    let (frames, screen) = thread.join().expect("the view does not panic");
    let seconds = started.elapsed().as_secs_f64();
    let most = seconds * f64::from(REDRAWS_PER_SECOND) + 2.0;
    assert!(frames as f64 <= most, "{frames} pictures in {seconds} s");
    assert!(screen.contains("99,999"), "the last news are on\n{screen}");
}
