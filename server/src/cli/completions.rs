//! `partita completions`: scripts that let a shell complete our commands.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, CliError};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell; for bash: `source <(partita completions bash)`
    shell: Shell,
}

pub(super) fn run(args: CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "partita", &mut script);
    super::output::write_all(&script)
}
