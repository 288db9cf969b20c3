//! `partita group`: what groups there are, who is in them, how far they have got, and how to change that.
//!
//! One file a verb. Whatever lists something has `--format json`.

mod delete;
mod describe;
mod explain;
mod lag;
mod list;
mod reset;
mod scope;

use clap::{Args, Subcommand};
use loadgen::client::{Client, ClientError, GroupDescription, MemberDescription};
use wire::ErrorCode;

use super::CliError;
use super::connect::ConnectArgs;
use super::output::Format;

#[derive(Debug, Subcommand)]
pub(super) enum GroupCommand {
    /// List the groups
    List(list::ListArgs),
    /// Show a group's state, its coordinator, and its members with their partitions
    Describe(OneGroupArgs),
    /// Say why a group does or does not move: whom it waits for, who is silent, what was refused, what to do
    ///
    /// Asks the group's coordinator; only Partita explains.
    Explain(OneGroupArgs),
    /// Show how far a group is behind: each partition's committed offset, its end, and who holds it
    Lag(OneGroupArgs),
    /// Set a group's committed offsets: a dry run, unless --execute is given
    ///
    /// Works while no member is active: members go on from where they are, and overwrite what was set.
    Reset(reset::ResetArgs),
    /// Delete groups, or a group's committed offsets of some topics
    Delete(delete::DeleteArgs),
}

pub(super) fn run(command: GroupCommand) -> Result<(), CliError> {
    match command {
        GroupCommand::List(args) => list::run(&args),
        GroupCommand::Describe(args) => describe::run(&args),
        GroupCommand::Explain(args) => explain::run(&args),
        GroupCommand::Lag(args) => lag::run(&args),
        GroupCommand::Reset(args) => reset::run(&args),
        GroupCommand::Delete(args) => delete::run(&args),
    }
}

/// A group's name, either way.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct NameArgs {
    /// The group
    #[arg(value_name = "GROUP")]
    name: Option<String>,
    /// The group, as Kafka's tools take it
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
}

impl NameArgs {
    fn name(&self) -> &str {
        self.name.as_deref().or(self.group.as_deref()).unwrap_or_default()
    }
}

/// What the verbs take that show one group.
#[derive(Debug, Args)]
pub(super) struct OneGroupArgs {
    #[command(flatten)]
    group: NameArgs,
    /// How to list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// A group's description; `None` when there is no such group.
fn find(client: &mut Client, group: &str) -> Result<Option<GroupDescription>, ClientError> {
    match client.group(group) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whom a person recognizes a member by: its instance id, or its client id, and where it runs.
fn member_label(member: &MemberDescription) -> String {
    let name = member.instance_id.as_deref().unwrap_or(&member.client_id);
    // Kafka shows an address after the host's name, if it has one, and a slash.
    format!("{name}@{}", member.host.trim_start_matches('/'))
}

/// The members in a sentence, the first few by name.
fn who(members: &[MemberDescription]) -> String {
    const NAMED_MAX: usize = 3;
    let mut named: Vec<String> = members.iter().take(NAMED_MAX).map(member_label).collect();
    if members.len() > NAMED_MAX {
        named.push(format!("{} more", members.len() - NAMED_MAX));
    }
    named.join(", ")
}

/// That members are in the way, if there are any; `what` they are in the way of.
fn active_error(group: Option<&GroupDescription>, what: &'static str) -> Option<CliError> {
    let group = group.filter(|group| !group.members.is_empty())?;
    Some(CliError::GroupActive {
        what,
        group: group.group.clone(),
        members: group.members.len(),
        who: who(&group.members),
    })
}
