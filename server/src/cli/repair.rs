//! `partita log repair`: all that can be read of a stopped broker's data folder, copied to a new one.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use engine::repair::{Repaired, repair};
use serde_json::{Value, json};

use super::CliError;
use super::output::{Format, write_all, write_json};
use crate::offline::{PlainDisk, run as run_here};
use crate::serve::lock;

#[derive(Debug, Args)]
pub(super) struct RepairArgs {
    /// The data folder of a stopped broker; it is only read
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where the copy goes: a folder that is empty, or not there yet, with as much space as the old one takes
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Where the journals are, if journal.dir was set
    #[arg(long, value_name = "DIR")]
    journal_dir: Option<PathBuf>,
    /// How to list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: RepairArgs) -> Result<(), CliError> {
    let absolute = |path: &Path| {
        let found = std::path::absolute(path).map_err(|error| CliError::File { path: path.to_owned(), error })?;
        // A link into the old folder leads there too. A folder that is not there yet cannot be one.
        Ok::<_, CliError>(found.canonicalize().unwrap_or(found))
    };
    let (data, to) = (absolute(&args.data)?, absolute(&args.to)?);
    if to.starts_with(&data) || data.starts_with(&to) {
        return Err(CliError::Usage("the copy needs a folder of its own, outside of the old one".to_owned()));
    }
    let _lock = lock::hold(&args.data)?;
    let journal_dir = args.journal_dir.unwrap_or_else(|| args.data.join("journal"));
    let repaired = run_here(repair(&PlainDisk, (&args.data, &journal_dir), &PlainDisk, &args.to))?;
    match args.format {
        Format::Json => write_json(&in_json(&repaired)),
        Format::Text => write_all(in_text(&args.to, &repaired).as_bytes()),
    }
}

fn in_text(to: &Path, repaired: &Repaired) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    if let Some(refusal) = &repaired.refusal {
        let _ = writeln!(text, "A start from the old folder is refused: {}: {}", refusal.code.as_str(), refusal.what);
    }
    for partition in &repaired.partitions {
        let name = partition.dir.file_name().unwrap_or_default().to_string_lossy();
        let (batches, bytes) = (partition.batches, partition.bytes);
        let (start, end) = (partition.log_start, partition.end_offset);
        let _ = writeln!(text, "{name}: offsets {start} to {end}, {batches} batches of {bytes} bytes");
        for (path, rotten) in &partition.left_out {
            let (first, last) = (rotten.offsets.start, rotten.offsets.end.saturating_sub(1));
            let place = format!("{} at byte {}", path.display(), rotten.position);
            let _ = writeln!(text, "  left out: offsets {first} to {last}, {place}: {}", rotten.what);
        }
    }
    for (path, reason) in &repaired.unclear {
        let _ = writeln!(text, "not copied: {}: {reason}", path.display());
    }
    let to = to.display();
    let _ = writeln!(text, "\nThe copy is {to}. `partita check --data {to}` looks through it; a broker starts on it.");
    text
}

fn in_json(repaired: &Repaired) -> Value {
    let partitions = repaired.partitions.iter().map(|partition| {
        let left_out = partition.left_out.iter().map(|(path, rotten)| {
            json!({
                "path": path,
                "position": rotten.position,
                "bytes": rotten.len,
                "first_offset": rotten.offsets.start,
                "last_offset": rotten.offsets.end.saturating_sub(1),
                "reason": rotten.what,
            })
        });
        json!({
            "dir": partition.dir,
            "log_start": partition.log_start,
            "end_offset": partition.end_offset,
            "batches": partition.batches,
            "bytes": partition.bytes,
            "left_out": left_out.collect::<Vec<_>>(),
        })
    });
    let unclear = repaired.unclear.iter().map(|(path, reason)| json!({ "path": path, "reason": reason }));
    json!({
        "refusal": repaired.refusal.as_ref().map(ToString::to_string),
        "partitions": partitions.collect::<Vec<_>>(),
        "not_copied": unclear.collect::<Vec<_>>(),
    })
}
