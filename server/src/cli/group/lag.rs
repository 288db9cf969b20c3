//! `partita group lag`: how far a group is behind, partition by partition.
//!
//! Shown are the partitions that the group has committed an offset for, and those that its members hold. Lag is what lies
//! between the committed offset and the log's end; where nothing is committed it is not known, as members begin where their
//! `auto.offset.reset` says.

use std::collections::{BTreeMap, BTreeSet};

use loadgen::client::{Client, GroupDescription, MemberDescription, OffsetSpec, TopicPartition};
use serde::Serialize;

use super::{OneGroupArgs, member_label};
use crate::cli::CliError;
use crate::cli::output::{Format, Table, or_dash, write_all, write_json};

#[derive(Debug, Serialize)]
struct Lag {
    group: String,
    state: String,
    /// What is known of it, summed up.
    total_lag: i64,
    partitions: Vec<LagLine>,
}

#[derive(Debug, Serialize)]
struct LagLine {
    topic: String,
    partition: i32,
    /// Offset of the next record that the group reads.
    committed_offset: Option<i64>,
    /// Offset of the first record that is still there.
    earliest_offset: Option<i64>,
    /// Offset after the last record.
    latest_offset: Option<i64>,
    lag: Option<i64>,
    holder: Option<Holder>,
}

#[derive(Debug, Serialize)]
struct Holder {
    #[serde(skip)]
    label: String,
    member_id: String,
    instance_id: Option<String>,
    client_id: String,
    host: String,
}

impl From<&MemberDescription> for Holder {
    fn from(member: &MemberDescription) -> Holder {
        Holder {
            label: member_label(member),
            member_id: member.member_id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            host: member.host.clone(),
        }
    }
}

pub(super) fn run(args: &OneGroupArgs) -> Result<(), CliError> {
    let mut client = args.connect.connect()?;
    let group = client.group(args.group.name())?;
    let lag = measure(&mut client, &group)?;
    match args.format {
        Format::Json => write_json(&lag),
        Format::Text => {
            write_all(text(&lag).as_bytes())?;
            for remark in remarks(&lag) {
                eprintln!("{remark}");
            }
            Ok(())
        }
    }
}

fn measure(client: &mut Client, group: &GroupDescription) -> Result<Lag, CliError> {
    let committed = client.group_offsets(&group.group)?;
    let held = group.members.iter().flat_map(|member| member.assignment.iter().map(move |held| (held.clone(), member)));
    let holders: BTreeMap<TopicPartition, &MemberDescription> = held.collect();
    let all: BTreeSet<TopicPartition> = committed.keys().chain(holders.keys()).cloned().collect();
    let exists = |at: &&TopicPartition| client.leader(&at.topic, at.partition).is_ok();
    let led: Vec<TopicPartition> = all.iter().filter(exists).cloned().collect();
    let earliest = client.offsets(&led, OffsetSpec::Earliest)?;
    let latest = client.offsets(&led, OffsetSpec::Latest)?;
    let line = |at: TopicPartition| {
        let (committed_offset, latest_offset) = (committed.get(&at).copied(), latest.get(&at).copied());
        LagLine {
            committed_offset,
            earliest_offset: earliest.get(&at).copied(),
            latest_offset,
            lag: committed_offset.zip(latest_offset).map(|(committed, end)| (end - committed).max(0)),
            holder: holders.get(&at).map(|member| Holder::from(*member)),
            topic: at.topic,
            partition: at.partition,
        }
    };
    let partitions: Vec<LagLine> = all.into_iter().map(line).collect();
    Ok(Lag {
        group: group.group.clone(),
        state: group.state.clone(),
        total_lag: partitions.iter().filter_map(|line| line.lag).sum(),
        partitions,
    })
}

fn text(lag: &Lag) -> String {
    let mut table = Table::new(&["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "HOLDER"]);
    for line in &lag.partitions {
        table.row([
            line.topic.clone(),
            line.partition.to_string(),
            or_dash(line.committed_offset),
            or_dash(line.latest_offset),
            or_dash(line.lag),
            or_dash(line.holder.as_ref().map(|holder| &holder.label)),
        ]);
    }
    table.render()
}

/// What the numbers mean, where that is not plain.
fn remarks(lag: &Lag) -> Vec<String> {
    let group = &lag.group;
    if lag.partitions.is_empty() {
        return vec![format!("Group {group} has committed nothing, and nobody holds a partition.")];
    }
    let mut remarks = vec![format!("Group {group} is {}: {} record(s) behind in all.", lag.state, lag.total_lag)];
    if lag.partitions.iter().all(|line| line.holder.is_none()) {
        remarks.push("No member holds a partition: the lag grows with what is produced.".into());
    }
    for line in &lag.partitions {
        let at = format!("{}-{}", line.topic, line.partition);
        match (line.committed_offset, line.earliest_offset, line.latest_offset) {
            (None, ..) => remarks.push(format!(
                "{at}: nothing is committed yet, so the lag is not known; its holder began by its auto.offset.reset."
            )),
            (Some(committed), Some(earliest), _) if committed < earliest => remarks.push(format!(
                "{at}: the records {committed} to {} were deleted before the group read them. Who reads it next \
                 goes on by its auto.offset.reset.",
                earliest - 1
            )),
            (Some(committed), _, Some(end)) if committed > end => remarks.push(format!(
                "{at}: offset {committed} is committed, beyond the end at {end}, as after the topic was created anew. \
                 Who reads it next goes on by its auto.offset.reset; `partita group reset {group} --topic {}:{} \
                 --to-earliest` sets it right.",
                line.topic, line.partition
            )),
            (Some(_), None, _) => {
                remarks.push(format!("{at}: nobody leads it, so its end is not known; see `partita topic describe`."));
            }
            _ => {}
        }
    }
    remarks
}
