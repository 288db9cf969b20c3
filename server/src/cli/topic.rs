//! `partita topic`: create, list, describe, alter, delete.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use loadgen::client::{Client, OffsetSpec, TopicConfigChange, TopicInfo, TopicPartition};
use serde::Serialize;
use wire::ErrorCode;

use super::CliError;
use super::connect::{ConnectArgs, key_value};
use super::output::{Format, Table, or_dash, write_all, write_json};
use super::partition_metrics::{Place, places};

#[derive(Debug, Subcommand)]
pub(super) enum TopicCommand {
    /// Create a topic
    Create(CreateArgs),
    /// List the topics
    List(ListArgs),
    /// Show a topic's settings, and each partition's core, leader, size and offsets
    Describe(DescribeArgs),
    /// Change a topic's settings, or add partitions
    Alter(AlterArgs),
    /// Delete a topic and all that is in it
    Delete(DeleteArgs),
}

/// A topic's name, either way.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct NameArgs {
    /// The topic
    #[arg(value_name = "TOPIC")]
    name: Option<String>,
    /// The topic, as Kafka's tools take it
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
}

impl NameArgs {
    fn name(&self) -> &str {
        self.name.as_deref().or(self.topic.as_deref()).unwrap_or_default()
    }
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    topic: NameArgs,
    /// How many partitions [default: the broker's num.partitions]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many replicas of each [default: the broker's default.replication.factor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A setting of the topic; may be repeated. `partita config --topic` lists them
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    config: Vec<(String, String)>,
    /// Be content when the topic is there already
    #[arg(long)]
    if_not_exists: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Leave out the brokers' own topics
    #[arg(long)]
    exclude_internal: bool,
    /// How to list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Args)]
pub(super) struct DescribeArgs {
    #[command(flatten)]
    topic: NameArgs,
    /// Show every setting, not only the topic's own
    #[arg(long)]
    all_configs: bool,
    /// How to list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Args)]
pub(super) struct AlterArgs {
    #[command(flatten)]
    topic: NameArgs,
    /// How many partitions the topic is to have; never fewer than now
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// A setting to change; may be repeated. `partita config --topic` lists them
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    config: Vec<(String, String)>,
    /// A setting to leave to the broker's default again; may be repeated
    #[arg(long, value_name = "KEY")]
    delete_config: Vec<String>,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    topic: NameArgs,
    /// Be content when there is no such topic
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

pub(super) fn run(command: TopicCommand) -> Result<(), CliError> {
    match command {
        TopicCommand::Create(args) => create(&args),
        TopicCommand::List(args) => list(&args),
        TopicCommand::Describe(args) => describe(&args),
        TopicCommand::Alter(args) => alter(&args),
        TopicCommand::Delete(args) => delete(&args),
    }
}

fn create(args: &CreateArgs) -> Result<(), CliError> {
    let name = args.topic.name();
    let created = args.connect.connect()?.create_topic(name, args.partitions, args.replication_factor, &args.config);
    match created {
        Ok((_, Some(partitions))) => eprintln!("Created topic {name} with {partitions} partition(s)."),
        Ok((_, None)) => eprintln!("Created topic {name}."),
        Err(error) if args.if_not_exists && error.code() == Some(ErrorCode::TopicAlreadyExists) => {
            eprintln!("Topic {name} exists already.");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn delete(args: &DeleteArgs) -> Result<(), CliError> {
    let name = args.topic.name();
    match args.connect.connect()?.delete_topic(name) {
        Ok(()) => eprintln!("Deleted topic {name}."),
        Err(error) if args.if_exists && error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
            eprintln!("There is no topic {name}.");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn alter(args: &AlterArgs) -> Result<(), CliError> {
    let name = args.topic.name();
    let set = args.config.iter().cloned().map(|(key, value)| TopicConfigChange::Set(key, value));
    let unset = args.delete_config.iter().cloned().map(TopicConfigChange::Delete);
    let changes: Vec<TopicConfigChange> = set.chain(unset).collect();
    if changes.is_empty() && args.partitions.is_none() {
        return Err(CliError::Usage("nothing to change: give --partitions, --config or --delete-config".into()));
    }
    let mut client = args.connect.connect()?;
    if !changes.is_empty() {
        client.alter_topic(name, &changes)?;
        eprintln!("Changed {} setting(s) of topic {name}.", changes.len());
    }
    if let Some(count) = args.partitions {
        client.create_partitions(name, count)?;
        eprintln!("Topic {name} has {count} partitions now; keys may go to other partitions than before.");
    }
    Ok(())
}

#[derive(Debug, Serialize)]
struct TopicLine {
    name: String,
    id: Option<String>,
    internal: bool,
    partitions: usize,
    replication_factor: usize,
}

fn topic_id(topic: &TopicInfo) -> Option<String> {
    (!topic.id.is_zero()).then(|| topic.id.to_string())
}

fn replication_factor(topic: &TopicInfo) -> usize {
    topic.partitions.first().map_or(0, |partition| partition.replicas.len())
}

fn list(args: &ListArgs) -> Result<(), CliError> {
    let topics = args.connect.connect()?.topics()?;
    let shown = topics.iter().filter(|topic| !(args.exclude_internal && topic.is_internal));
    let lines = shown.map(|topic| TopicLine {
        name: topic.name.clone(),
        id: topic_id(topic),
        internal: topic.is_internal,
        partitions: topic.partitions.len(),
        replication_factor: replication_factor(topic),
    });
    match args.format {
        Format::Json => write_json(&lines.collect::<Vec<_>>()),
        Format::Text => {
            let mut table = Table::new(&["TOPIC", "PARTITIONS", "REPLICAS", "ID"]);
            for line in lines {
                let id = line.id.unwrap_or_else(|| "-".into());
                table.row([line.name, line.partitions.to_string(), line.replication_factor.to_string(), id]);
            }
            write_all(table.render().as_bytes())
        }
    }
}

#[derive(Debug, Serialize)]
struct Description {
    name: String,
    id: Option<String>,
    internal: bool,
    replication_factor: usize,
    configs: BTreeMap<String, Option<String>>,
    partitions: Vec<PartitionLine>,
}

#[derive(Debug, Serialize)]
struct PartitionLine {
    partition: i32,
    leader: Option<i32>,
    leader_epoch: i32,
    replicas: Vec<i32>,
    isr: Vec<i32>,
    /// Offset of the first record.
    earliest_offset: Option<i64>,
    /// Offset after the last record.
    latest_offset: Option<i64>,
    core: Option<u16>,
    size_bytes: Option<u64>,
}

fn describe(args: &DescribeArgs) -> Result<(), CliError> {
    let mut client = args.connect.connect()?;
    let topic = client.topic(args.topic.name(), false)?;
    let settings = client.topic_settings(&topic.name)?;
    let shown = settings.into_iter().filter(|setting| args.all_configs || setting.is_own);
    let description = Description {
        name: topic.name.clone(),
        id: topic_id(&topic),
        internal: topic.is_internal,
        replication_factor: replication_factor(&topic),
        configs: shown.map(|setting| (setting.name, setting.value)).collect(),
        partitions: partition_lines(&mut client, &topic)?,
    };
    match args.format {
        Format::Json => write_json(&description),
        Format::Text => {
            write_all(description_text(&description).as_bytes())?;
            if description.partitions.iter().any(|line| line.leader.is_some() && line.core.is_none()) {
                eprintln!("Core and size are shown when the brokers' metrics.listen is set.");
            }
            Ok(())
        }
    }
}

fn partition_lines(client: &mut Client, topic: &TopicInfo) -> Result<Vec<PartitionLine>, CliError> {
    let key = |index| TopicPartition { topic: topic.name.clone(), partition: index };
    let led: Vec<TopicPartition> =
        topic.partitions.iter().filter(|info| info.leader.is_some()).map(|info| key(info.index)).collect();
    let earliest = client.offsets(&led, OffsetSpec::Earliest)?;
    let latest = client.offsets(&led, OffsetSpec::Latest)?;
    let mut by_leader: BTreeMap<i32, BTreeMap<TopicPartition, Place>> = BTreeMap::new();
    for leader in topic.partitions.iter().filter_map(|info| info.leader) {
        if let (None, Some(broker)) = (by_leader.get(&leader), client.broker(leader).cloned()) {
            by_leader.insert(leader, places(client, &broker));
        }
    }
    let line = |info: &loadgen::client::PartitionInfo| {
        let key = key(info.index);
        let place = info.leader.and_then(|leader| by_leader.get(&leader)).and_then(|places| places.get(&key));
        PartitionLine {
            partition: info.index,
            leader: info.leader,
            leader_epoch: info.leader_epoch,
            replicas: info.replicas.clone(),
            isr: info.isr.clone(),
            earliest_offset: earliest.get(&key).copied(),
            latest_offset: latest.get(&key).copied(),
            core: place.map(|place| place.core),
            size_bytes: place.map(|place| place.size_bytes),
        }
    };
    Ok(topic.partitions.iter().map(line).collect())
}

fn description_text(description: &Description) -> String {
    let configs: Vec<String> = description
        .configs
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_deref().unwrap_or_default()))
        .collect();
    let mut text = format!(
        "Topic: {}\nId: {}\nPartitions: {}\nReplication factor: {}\nConfigs: {}\n\n",
        description.name,
        description.id.as_deref().unwrap_or("-"),
        description.partitions.len(),
        description.replication_factor,
        if configs.is_empty() { "-".to_owned() } else { configs.join(", ") },
    );
    let mut table =
        Table::new(&["PARTITION", "CORE", "LEADER", "EPOCH", "REPLICAS", "ISR", "EARLIEST", "LATEST", "SIZE"]);
    let ids = |ids: &[i32]| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    for line in &description.partitions {
        table.row([
            line.partition.to_string(),
            or_dash(line.core),
            or_dash(line.leader),
            line.leader_epoch.to_string(),
            ids(&line.replicas),
            ids(&line.isr),
            or_dash(line.earliest_offset),
            or_dash(line.latest_offset),
            or_dash(line.size_bytes),
        ]);
    }
    text.push_str(&table.render());
    text
}
