//! `partita group`: what groups there are, who is in them, how far they have got, and how to change that.
//!
//! One file a verb. Whatever lists something has `--format json`.

mod list;

use clap::Subcommand;

use super::CliError;

#[derive(Debug, Subcommand)]
pub(super) enum GroupCommand {
    /// List the groups
    List(list::ListArgs),
}

pub(super) fn run(command: GroupCommand) -> Result<(), CliError> {
    match command {
        GroupCommand::List(args) => list::run(&args),
    }
}
