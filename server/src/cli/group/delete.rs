//! `partita group delete`: groups with all that they have committed, or a group's offsets of some topics.

use clap::Args;
use loadgen::client::{Client, TopicPartition};
use wire::ErrorCode;

use super::scope::{TopicScope, by_topic, ranges};
use super::{active_error, find};
use crate::cli::CliError;
use crate::cli::connect::ConnectArgs;

/// What cannot be done while members are active.
const WHAT_GROUP: &str = "a group cannot be deleted while members are active";
/// What cannot be done while members read a topic.
const WHAT_OFFSETS: &str = "a topic's offsets cannot be deleted while members read it";

#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteArgs {
    /// The groups
    #[arg(value_name = "GROUP", required_unless_present = "group")]
    names: Vec<String>,
    /// A group, as Kafka's tools take it; may be repeated
    #[arg(long, value_name = "GROUP", conflicts_with = "names")]
    group: Vec<String>,
    /// Delete only committed offsets, those of --topic, and keep the group
    #[arg(long, requires = "topic")]
    offsets: bool,
    /// A topic whose offsets to delete, or some of its partitions as in orders:0,2-4; may be repeated
    #[arg(long, value_name = "TOPIC[:PARTITIONS]", requires = "offsets")]
    topic: Vec<TopicScope>,
    /// Be content when there is no such group
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

pub(super) fn run(args: &DeleteArgs) -> Result<(), CliError> {
    let mut client = args.connect.connect()?;
    let mut failed = Vec::new();
    for group in args.names.iter().chain(&args.group) {
        let outcome = match args.offsets {
            true => delete_offsets(&mut client, group, &args.topic),
            false => delete_group(&mut client, group),
        };
        match outcome {
            Ok(()) => {}
            Err(CliError::Client { error }) if args.if_exists && error.code() == Some(ErrorCode::GroupIdNotFound) => {
                eprintln!("There is no group {group}.");
            }
            Err(error) => failed.push(error),
        }
    }
    // The last one is told by whoever called us.
    let last = failed.pop();
    for error in failed.iter().filter_map(CliError::message) {
        eprintln!("partita: {error}");
    }
    last.map_or(Ok(()), Err)
}

fn delete_group(client: &mut Client, group: &str) -> Result<(), CliError> {
    match client.delete_group(group) {
        Ok(()) => {
            eprintln!("Deleted group {group} and its committed offsets.");
            Ok(())
        }
        Err(error) if error.code() == Some(ErrorCode::NonEmptyGroup) => {
            Err(active_error(find(client, group)?.as_ref(), WHAT_GROUP).unwrap_or_else(|| error.into()))
        }
        Err(error) => Err(error.into()),
    }
}

fn delete_offsets(client: &mut Client, group: &str, topics: &[TopicScope]) -> Result<(), CliError> {
    let committed = client.group_offsets(group)?;
    let mut chosen: Vec<TopicPartition> = Vec::new();
    for scope in topics {
        scope.resolve(client)?;
        chosen.extend(committed.keys().filter(|partition| scope.contains(partition)).cloned());
    }
    if chosen.is_empty() {
        // Asked for all the same, so that a group that is not there is told.
        client.delete_group_offsets(group, &[])?;
        eprintln!("Group {group} has committed nothing there: there is nothing to delete.");
        return Ok(());
    }
    match client.delete_group_offsets(group, &chosen) {
        Ok(()) => {
            for (topic, partitions) in by_topic(&chosen) {
                eprintln!("Deleted the offsets of {topic}:{} of group {group}.", ranges(&partitions));
            }
            Ok(())
        }
        Err(error) if error.code() == Some(ErrorCode::GroupSubscribedToTopic) => {
            Err(active_error(find(client, group)?.as_ref(), WHAT_OFFSETS).unwrap_or_else(|| error.into()))
        }
        Err(error) => Err(error.into()),
    }
}
