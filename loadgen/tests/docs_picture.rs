//! The picture in `docs/loadgen.md`: what response and service latency say of one second without an answer. `GOLDEN=write` draws it
//! anew.

use std::fs;
use std::path::Path;

use loadgen::report::chart::{self, Axis, Line, Mark, Quantity, Scale, XyChart};

/// Records due each second.
const RATE: f64 = 1_000.0;
/// Records that the broker takes each second when it can.
const CAPACITY: f64 = 4_000.0;
/// Seconds from the broker's work to the client.
const WAY: f64 = 0.002;
/// Records that are sent and not acknowledged, at most.
const IN_FLIGHT: usize = 5;
/// When the broker stands still, and when it goes on.
const STALL: (f64, f64) = (2.0, 3.0);
/// Every so manieth record is a point.
const POINT_EVERY: usize = 20;

/// (due, response, service) of each record, in seconds: one queue, a client that holds back what it may not send yet.
fn records() -> Vec<(f64, f64, f64)> {
    let (mut acks, mut free): (Vec<f64>, f64) = (Vec::new(), 0.0);
    (0..(RATE * 5.0) as usize)
        .map(|at| {
            let due = at as f64 / RATE;
            let slot = at.checked_sub(IN_FLIGHT).map_or(0.0, |before| acks[before]);
            let sent = due.max(slot);
            let start = sent.max(free);
            let start = if (STALL.0..STALL.1).contains(&start) { STALL.1 } else { start };
            free = start + 1.0 / CAPACITY;
            let ack = free + WAY;
            acks.push(ack);
            (due, ack - due, ack - sent)
        })
        .collect()
}

#[test]
fn the_docs_show_what_service_latency_alone_would_hide() {
    let records = records();
    let slow = |of: fn(&(f64, f64, f64)) -> f64| records.iter().filter(|record| of(record) > 0.1).count();
    let (response, service) = (slow(|record| record.1), slow(|record| record.2));
    // A thousand were due in the second without an answer; all but those of its last tenth waited longer than that, and so did those behind.
    assert!(response > 900, "{response} records waited for more than 0.1 s");
    assert!(service <= IN_FLIGHT, "{service} records were under way for more than 0.1 s");

    let points = |of: fn(&(f64, f64, f64)) -> f64| {
        records.iter().step_by(POINT_EVERY).map(|record| (record.0, of(record) * 1e6)).collect::<Vec<_>>()
    };
    let axis = |label: &str, quantity, scale| Axis { label: label.to_owned(), quantity, scale };
    let line = |label: &str, look, points| Line { label: label.to_owned(), look, points };
    let mark = |x, label: &str| Mark { x, label: label.to_owned() };
    let chart = XyChart {
        name:
            "Response latency climbs to a second while the broker stands still; service latency stays at milliseconds"
                .to_owned(),
        x: axis("when a record was due", Quantity::Seconds, Scale::Time),
        y: axis("latency", Quantity::Microseconds, Scale::Log),
        lines: vec![line("response", 0, points(|record| record.1)), line("service", 1, points(|record| record.2))],
        marks: vec![mark(STALL.0, "the broker stands still"), mark(STALL.1, "it goes on")],
    };
    let drawn = chart::standalone(&chart.draw());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/response-and-service.svg");
    if std::env::var("GOLDEN").is_ok_and(|wish| wish == "write") {
        fs::write(&path, &drawn).expect("the docs take it");
    }
    assert_eq!(fs::read_to_string(&path).expect("the picture is there"), drawn, "GOLDEN=write draws it anew");
}
