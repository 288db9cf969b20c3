//! `partita group reset`: sets a group's committed offsets, after showing what they would be.
//!
//! The ways to say where to are those of `kafka-consumer-groups --reset-offsets`. An offset that the partition does not have
//! becomes the nearest one that it has. While members are active nothing is set: they go on from where they are, and the next
//! commit of theirs would undo it.

mod file;
mod plan;
mod time;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use loadgen::client::{Client, GroupDescription, TopicPartition};
use serde::Serialize;
use wire::ErrorCode;

use super::scope::TopicScope;
use super::{NameArgs, active_error, find, who};
use crate::cli::CliError;
use crate::cli::connect::ConnectArgs;
use crate::cli::now_ms;
use crate::cli::output::{Format, Table, or_dash, write_all, write_json};
use plan::{Change, Target, plan};

#[derive(Debug, Args)]
pub(in crate::cli) struct ResetArgs {
    #[command(flatten)]
    group: NameArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// A topic, or some of its partitions as in orders:0,2-4; may be repeated
    #[arg(
        long,
        value_name = "TOPIC[:PARTITIONS]",
        required_unless_present_any = ["all_topics", "from_file"],
        conflicts_with_all = ["all_topics", "from_file"]
    )]
    topic: Vec<TopicScope>,
    /// All topics that the group has committed offsets of
    #[arg(long, conflicts_with = "from_file")]
    all_topics: bool,
    /// Set the offsets; without it, they are only shown
    #[arg(long)]
    execute: bool,
    /// Only show what the offsets would be; so it is without --execute
    #[arg(long, conflicts_with = "execute")]
    dry_run: bool,
    /// Print lines of TOPIC,PARTITION,OFFSET, as --from-file takes them
    #[arg(long, conflicts_with = "format")]
    export: bool,
    /// How to list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Where to.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// To the first record that is there: read everything again
    #[arg(long)]
    to_earliest: bool,
    /// Behind the last record: skip what is there
    #[arg(long)]
    to_latest: bool,
    /// To where the group is, and to the end where it has committed nothing
    #[arg(long)]
    to_current: bool,
    /// To this offset
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,
    /// On by so many records, or back if negative
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    shift_by: Option<i64>,
    /// To the first record that is no older than this: P7D, PT1H30M
    #[arg(long, value_name = "DURATION", value_parser = time::duration_ms)]
    by_duration: Option<i64>,
    /// To the first record since then: 2025-01-31T12:00:00.000+01:00; UTC where no zone is given
    #[arg(long, value_name = "TIME", value_parser = time::timestamp_ms)]
    to_datetime: Option<i64>,
    /// To what a file says, line by line: TOPIC,PARTITION,OFFSET; - is stdin
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
}

impl TargetArgs {
    fn target(&self, group: &str) -> Result<Target, CliError> {
        let timestamp = || self.by_duration.map(|ago| now_ms().saturating_sub(ago)).or(self.to_datetime);
        Ok(match (self.to_offset, self.shift_by, timestamp(), &self.from_file) {
            (Some(offset), ..) => Target::Offset(offset),
            (_, Some(by), ..) => Target::Shift(by),
            (_, _, Some(timestamp), _) => Target::Timestamp(timestamp),
            (_, _, _, Some(path)) => Target::Offsets(file::read(path, group)?),
            _ if self.to_earliest => Target::Earliest,
            _ if self.to_latest => Target::Latest,
            _ => Target::Current,
        })
    }
}

/// What cannot be done while members are active.
const WHAT: &str = "offsets cannot be reset while members are active, as they would go on from where they are";

pub(super) fn run(args: &ResetArgs) -> Result<(), CliError> {
    let group = args.group.name();
    let target = args.target.target(group)?;
    let mut client = args.connect.connect()?;
    let found = find(&mut client, group)?;
    if let (true, Some(error)) = (args.execute, active_error(found.as_ref(), WHAT)) {
        return Err(error);
    }
    let committed = client.group_offsets(group)?;
    let partitions = chosen(&mut client, args, &target, &committed)?;
    let changes = plan(&mut client, &target, &partitions, &committed)?;
    if args.execute {
        set(&mut client, group, &changes)?;
    }
    print(args, group, &changes)?;
    for change in &changes {
        if let Some(wanted) = change.wanted {
            eprintln!("{}: {wanted} is outside of the log: {} is the nearest offset.", change.at, change.new_offset);
        }
    }
    if args.execute {
        eprintln!("Set the offsets of {} partition(s) of group {group}.", changes.len());
    } else {
        remark_on_dry_run(group, found.as_ref());
    }
    Ok(())
}

/// The partitions that are to be reset, at least one.
fn chosen(
    client: &mut Client,
    args: &ResetArgs,
    target: &Target,
    committed: &BTreeMap<TopicPartition, i64>,
) -> Result<Vec<TopicPartition>, CliError> {
    if let Target::Offsets(offsets) = target {
        return Ok(offsets.keys().cloned().collect());
    }
    if args.all_topics {
        if committed.is_empty() {
            let group = args.group.name();
            return Err(CliError::Usage(format!(
                "--all-topics: group {group} has committed nothing, so there is no topic to reset: name one with --topic"
            )));
        }
        let topics: BTreeSet<&str> = committed.keys().map(|at| at.topic.as_str()).collect();
        let whole = topics.into_iter().map(|topic| TopicScope::whole(topic).resolve(client));
        return Ok(whole.collect::<Result<Vec<_>, _>>()?.concat());
    }
    let named = args.topic.iter().map(|scope| scope.resolve(client)).collect::<Result<Vec<_>, _>>()?;
    Ok(named.concat())
}

fn set(client: &mut Client, group: &str, changes: &[Change]) -> Result<(), CliError> {
    let offsets = changes.iter().map(|change| (change.at.clone(), change.new_offset)).collect();
    match client.set_group_offsets(group, &offsets) {
        // Somebody has joined since we looked.
        Err(error) if error.code() == Some(ErrorCode::UnknownMemberId) => {
            Err(active_error(find(client, group)?.as_ref(), WHAT).unwrap_or_else(|| error.into()))
        }
        other => Ok(other?),
    }
}

#[derive(Debug, Serialize)]
struct Outcome<'a> {
    group: &'a str,
    /// Whether the offsets have been set.
    executed: bool,
    partitions: Vec<Line<'a>>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    topic: &'a str,
    partition: i32,
    committed_offset: Option<i64>,
    new_offset: i64,
    earliest_offset: i64,
    latest_offset: i64,
    /// What lies between the new offset and the end.
    lag: i64,
}

impl<'a> From<&'a Change> for Line<'a> {
    fn from(change: &'a Change) -> Line<'a> {
        Line {
            topic: &change.at.topic,
            partition: change.at.partition,
            committed_offset: change.committed,
            new_offset: change.new_offset,
            earliest_offset: change.earliest,
            latest_offset: change.latest,
            lag: change.latest - change.new_offset,
        }
    }
}

fn print(args: &ResetArgs, group: &str, changes: &[Change]) -> Result<(), CliError> {
    let partitions: Vec<Line<'_>> = changes.iter().map(Line::from).collect();
    if args.export {
        let line = |line: &Line<'_>| format!("{},{},{}\n", line.topic, line.partition, line.new_offset);
        return write_all(partitions.iter().map(line).collect::<String>().as_bytes());
    }
    match args.format {
        Format::Json => write_json(&Outcome { group, executed: args.execute, partitions }),
        Format::Text => {
            let mut table = Table::new(&["TOPIC", "PARTITION", "COMMITTED", "NEW", "LAG"]);
            for line in partitions {
                table.row([
                    line.topic.to_owned(),
                    line.partition.to_string(),
                    or_dash(line.committed_offset),
                    line.new_offset.to_string(),
                    line.lag.to_string(),
                ]);
            }
            write_all(table.render().as_bytes())
        }
    }
}

fn remark_on_dry_run(group: &str, found: Option<&GroupDescription>) {
    eprintln!("Nothing was changed. Add --execute to set these offsets.");
    match found {
        None => eprintln!("There is no group {group}: setting offsets creates it. Is the name right?"),
        Some(found) if !found.members.is_empty() => {
            eprintln!("That works when no member is active; now there are {}.", who(&found.members));
        }
        Some(_) => {}
    }
}
