//! `loadgen report`: pages from kept runs, one for some of them or the index and all reports of a results folder.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use loadgen::report::{index, input, page};

/// Which runs, and where to.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folders of runs, or folders above them
    #[arg(value_name = "FOLDER", default_value = "results")]
    folders: Vec<PathBuf>,
    /// One page over all these runs; without it the folder's index.html and its reports are made anew
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("the runs cannot be read: {0}; name a folder that holds runs, as `loadgen report results`")]
    Read(io::Error),
    #[error("there is no run in {0}; `loadgen` without arguments makes some")]
    Nothing(String),
    #[error("{0} cannot be written: {1}")]
    Write(PathBuf, io::Error),
    #[error("an index is made of one folder: name a FILE with --output for a page over several")]
    Several,
}

/// Makes the pages and says where they are.
pub fn run(args: &ReportArgs) -> Result<(), ReportError> {
    let Some(output) = &args.output else { return whole(args) };
    let found = input::read(&args.folders).map_err(ReportError::Read)?;
    for one in &found.left_out {
        eprintln!("loadgen: left out {}: {}", one.folder.display(), one.reason);
    }
    if found.runs.is_empty() {
        let folders: Vec<String> = args.folders.iter().map(|folder| folder.display().to_string()).collect();
        return Err(ReportError::Nothing(folders.join(", ")));
    }
    fs::write(output, page::report(&found)).map_err(|error| ReportError::Write(output.clone(), error))?;
    println!("{}", output.display());
    Ok(())
}

fn whole(args: &ReportArgs) -> Result<(), ReportError> {
    let [results] = args.folders.as_slice() else { return Err(ReportError::Several) };
    let written = index::write(results).map_err(ReportError::Read)?;
    eprintln!(
        "loadgen: {} runs in {} reports, {} folders left out",
        written.runs,
        written.reports.len(),
        written.left_out
    );
    println!("{}", written.index.display());
    Ok(())
}
