//! `partita check --data`: what is in a stopped broker's folder, what is wrong with it, what that means and what to do.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};
use shard::inspect::{Inspection, Level, inspect};

use crate::cli::CliError;
use crate::cli::output::{Format, write_all, write_json};
use crate::offline::{PlainDisk, run as run_here};
use crate::serve::lock;

/// Inspects and prints.
///
/// # Errors
/// [`CliError::DataDamaged`]; a broker that uses the folder.
pub(super) fn run(data_dir: &Path, journal_dir: Option<&Path>, format: Format) -> Result<(), CliError> {
    let _lock = lock::hold(data_dir)?;
    let journal_dir = journal_dir.map_or_else(|| data_dir.join("journal"), Path::to_path_buf);
    let inspection = run_here(inspect(&PlainDisk, data_dir, &journal_dir))?;
    match format {
        Format::Json => write_json(&in_json(data_dir, &inspection))?,
        Format::Text => write_all(in_text(data_dir, &inspection).as_bytes())?,
    }
    match inspection.findings.iter().filter(|finding| finding.level == Level::Damage).count() {
        0 => Ok(()),
        damaged => Err(CliError::DataDamaged(damaged)),
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Notice => "note",
        Level::Damage => "DAMAGE",
    }
}

fn in_text(data_dir: &Path, inspection: &Inspection) -> String {
    let Inspection { identity, report, topics, partitions, seen, findings } = inspection;
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{label:12}  {value}");
    };
    line("data folder", data_dir.display().to_string());
    if let Some(identity) = identity {
        line("belongs to", format!("node {} of cluster {}", identity.node_id, identity.cluster_id));
    }
    line("next start", report.as_ref().map_or_else(|| "refused".to_owned(), |report| format!("works: {report}")));
    let topics = topics.map_or_else(String::new, |topics| format!(", topics: {topics}"));
    line("partitions", format!("{partitions}{topics}"));
    let (segments, batches, records, bytes) = (seen.segments, seen.batches, seen.records, seen.bytes);
    line("segments", format!("{segments}, of {bytes} bytes, with {batches} whole batches of {records} records"));
    for finding in findings {
        let code = finding.code.map_or_else(String::new, |code| format!(" {code}:"));
        let at = finding.position.map_or_else(String::new, |position| format!(" at byte {position}"));
        let _ = writeln!(text, "\n{}{code} {}{at}", name(finding.level), finding.path.display());
        let _ = writeln!(text, "  found  {}", finding.what);
        let _ = writeln!(text, "  means  {}", finding.meaning);
        let _ = writeln!(text, "  do     {}", finding.advice);
    }
    let verdict = match (inspection.is_damaged(), findings.is_empty()) {
        (true, _) => "Something is damaged: see above.",
        (false, false) => "Nothing is damaged; the next start sees to what is noted above.",
        (false, true) => "All is well.",
    };
    let _ = writeln!(text, "\n{verdict}");
    text
}

fn in_json(data_dir: &Path, inspection: &Inspection) -> Value {
    let findings = inspection.findings.iter().map(|finding| {
        json!({
            "level": name(finding.level).to_lowercase(),
            "code": finding.code,
            "path": finding.path,
            "position": finding.position,
            "found": finding.what,
            "means": finding.meaning,
            "do": finding.advice,
        })
    });
    let seen = &inspection.seen;
    json!({
        "data_dir": data_dir,
        "damaged": inspection.is_damaged(),
        "cluster_id": inspection.identity.as_ref().map(|identity| &identity.cluster_id),
        "node_id": inspection.identity.as_ref().map(|identity| identity.node_id),
        "next_start": inspection.report.as_ref().map(ToString::to_string),
        "topics": inspection.topics,
        "partitions": inspection.partitions,
        "segments": seen.segments,
        "bytes": seen.bytes,
        "batches": seen.batches,
        "records": seen.records,
        "findings": findings.collect::<Vec<_>>(),
    })
}
