//! `loadgen list`: the scenarios that ship, then the published workloads and client set-ups.

use std::io::Write;

use loadgen::scenario::catalog;
use loadgen::workload::{CONFLUENT_DRIVERS, OMB_DRIVERS, WORKLOADS};

use super::CliError;

/// Prints the catalog: id, how many runs, what it shows; then the published workloads' names.
pub(super) fn list() -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    for (id, _) in catalog::FILES {
        let sweep = catalog::find(id)?;
        let runs = sweep.scenarios.len();
        writeln!(out, "{id:<12} {runs:>3} {}  {}", if runs == 1 { "run " } else { "runs" }, sweep.shows)?;
    }
    writeln!(
        out,
        "\nPublished workloads, as NAME[+CLIENT][@SCALE], where rates, sizes and times are divided by the scale:"
    )?;
    for name in WORKLOADS.iter() {
        writeln!(out, "  {name}")?;
    }
    writeln!(out, "Clients: {}, {}", OMB_DRIVERS.join(", "), CONFLUENT_DRIVERS.join(", "))?;
    Ok(())
}
