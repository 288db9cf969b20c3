//! `loadgen self-test`: does the tool measure what it says, on this machine, now?

use std::io::Write;

use loadgen::compare::statistics::spread;
use loadgen::scenario::Rate;
use loadgen::selftest::{ceiling, same, stall};

use super::CliError;

/// Batches of the ceiling, in bytes.
const BATCHES: [u32; 2] = [16 << 10, 1 << 20];
/// Records a second where the floor of latency is looked for.
const FLOOR_RATE: f64 = 1000.0;
const WINDOW_S: f64 = 5.0;
const PAIRS: u32 = 3;

/// Runs the three tests; fails when a stall is not seen.
pub(super) fn self_test() -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "(a) against a broker that answers at once and keeps nothing, one worker, records of 1000 bytes:")?;
    for batch_bytes in BATCHES {
        let found = ceiling(Rate::Max, batch_bytes, WINDOW_S)?;
        writeln!(
            out,
            "    batches of {:>4} KiB: {:.0} records/s ({:.0} MB/s), {:.0} ns of CPU a record, {:.0} % of a core",
            batch_bytes >> 10,
            found.records_per_s,
            found.mb_per_s,
            found.cpu_ns_per_record,
            found.core_share * 100.0
        )?;
    }
    let floor = ceiling(Rate::PerSecond(FLOOR_RATE), BATCHES[0], WINDOW_S)?;
    if let Some(response) = floor.response {
        writeln!(
            out,
            "    at {FLOOR_RATE} records/s the least latency that it sees: p50 {} µs, p99 {} µs, max {} µs",
            response.p50_us, response.p99_us, response.max_us
        )?;
    }
    let stall = stall()?;
    writeln!(
        out,
        "(b) against a broker that stalls for 1 s, {} records due meanwhile; took at least (must be):",
        stall.due
    )?;
    for (tenth, (seen, least)) in (1..).zip(&stall.tenths) {
        writeln!(out, "    0.{tenth} s: {seen:>6} (from {least})")?;
    }
    let pairs = same(PAIRS, WINDOW_S)?;
    writeln!(out, "(c) equal runs, CPU a record, by pair:")?;
    for (a, b) in &pairs {
        writeln!(out, "    {a:.0} and {b:.0} ns: ratio {:.3}", a / b)?;
    }
    let ratios: Vec<f64> = pairs.iter().map(|(a, b)| a / b).collect();
    if let Some(spread) = spread(&ratios, PAIRS as usize) {
        writeln!(out, "    a comparison of {PAIRS} pairs may claim nothing within a factor of {spread:.3}")?;
    }
    if stall.is_seen() { Ok(()) } else { Err(CliError::Blind) }
}
