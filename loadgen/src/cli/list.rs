//! `loadgen list`.

use std::io::Write;

use loadgen::scenario::catalog;

use super::CliError;

/// Prints the catalog: id, how many runs, what it shows.
pub(super) fn list() -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    for (id, _) in catalog::FILES {
        let sweep = catalog::find(id)?;
        let runs = sweep.scenarios.len();
        writeln!(out, "{id:<12} {runs:>3} {}  {}", if runs == 1 { "run " } else { "runs" }, sweep.shows)?;
    }
    Ok(())
}
