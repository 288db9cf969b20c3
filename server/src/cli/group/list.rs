//! `partita group list`: every group of the cluster, with its state and type.

use clap::{Args, ValueEnum};
use loadgen::client::ListedGroup;
use serde::Serialize;

use crate::cli::CliError;
use crate::cli::connect::ConnectArgs;
use crate::cli::output::{Format, Table, or_dash, write_all, write_json};

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Only groups in one of these states, separated by commas
    #[arg(long, value_enum, ignore_case = true, value_delimiter = ',', value_name = "STATE")]
    state: Vec<State>,
    /// Only groups of one of these types, separated by commas: classic (members assign) or consumer (the broker does)
    #[arg(long = "type", value_enum, ignore_case = true, value_delimiter = ',', value_name = "TYPE")]
    kind: Vec<Kind>,
    /// How to list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// The states of both kinds of groups, as Kafka spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum State {
    /// No members; offsets may be there
    Empty,
    /// Everybody has an assignment
    Stable,
    /// classic: waiting for the members to join
    PreparingRebalance,
    /// classic: waiting for the leader's assignment
    CompletingRebalance,
    /// consumer: a new assignment is being computed
    Assigning,
    /// consumer: members are on their way to the new assignment
    Reconciling,
    /// About to be gone
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Classic,
    Consumer,
}

fn names<V: ValueEnum>(values: &[V]) -> Vec<String> {
    values.iter().filter_map(|value| value.to_possible_value()).map(|value| value.get_name().to_owned()).collect()
}

#[derive(Debug, Serialize)]
struct GroupLine {
    group: String,
    state: Option<String>,
    r#type: Option<String>,
    protocol_type: Option<String>,
}

impl From<ListedGroup> for GroupLine {
    fn from(listed: ListedGroup) -> GroupLine {
        GroupLine {
            group: listed.group,
            state: listed.state,
            r#type: listed.kind,
            protocol_type: Some(listed.protocol_type).filter(|text| !text.is_empty()),
        }
    }
}

pub(super) fn run(args: &ListArgs) -> Result<(), CliError> {
    let groups = args.connect.connect()?.groups(&names(&args.state), &names(&args.kind))?;
    let lines: Vec<GroupLine> = groups.into_iter().map(GroupLine::from).collect();
    match args.format {
        Format::Json => write_json(&lines),
        Format::Text => {
            let mut table = Table::new(&["GROUP", "STATE", "TYPE", "PROTOCOL"]);
            for line in lines {
                table.row([line.group, or_dash(line.state), or_dash(line.r#type), or_dash(line.protocol_type)]);
            }
            write_all(table.render().as_bytes())
        }
    }
}
