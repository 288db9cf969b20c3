//! `partita group describe`: a group's state, its coordinator, and its members with their partitions.

use clap::Args;
use loadgen::client::{GroupDescription, MemberDescription, TopicPartition};
use serde::Serialize;

use super::NameArgs;
use super::scope::{by_topic, ranges};
use crate::cli::CliError;
use crate::cli::connect::ConnectArgs;
use crate::cli::output::{Format, Table, or_dash, write_all, write_json};

#[derive(Debug, Args)]
pub(in crate::cli) struct DescribeArgs {
    #[command(flatten)]
    group: NameArgs,
    /// How to list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Description {
    group: String,
    state: String,
    r#type: &'static str,
    protocol_type: Option<String>,
    assignor: Option<String>,
    coordinator: Coordinator,
    members: Vec<Member>,
}

#[derive(Debug, Serialize)]
struct Coordinator {
    id: i32,
    address: String,
}

#[derive(Debug, Serialize)]
struct Member {
    member_id: String,
    instance_id: Option<String>,
    client_id: String,
    host: String,
    topics: Vec<String>,
    assignment: Vec<Assigned>,
}

#[derive(Debug, Serialize)]
struct Assigned {
    topic: String,
    partitions: Vec<i32>,
}

fn told(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn assigned(partitions: &[TopicPartition]) -> Vec<Assigned> {
    let topics = by_topic(partitions).into_iter();
    topics.map(|(topic, partitions)| Assigned { topic: topic.to_owned(), partitions }).collect()
}

impl From<MemberDescription> for Member {
    fn from(member: MemberDescription) -> Member {
        Member {
            assignment: assigned(&member.assignment),
            member_id: member.member_id,
            instance_id: member.instance_id,
            client_id: member.client_id,
            host: member.host,
            topics: member.topics,
        }
    }
}

impl From<GroupDescription> for Description {
    fn from(group: GroupDescription) -> Description {
        let coordinator = Coordinator { id: group.coordinator.id, address: group.coordinator.address.to_string() };
        Description {
            group: group.group,
            state: group.state,
            r#type: group.kind,
            protocol_type: told(group.protocol_type),
            assignor: told(group.assignor),
            coordinator,
            members: group.members.into_iter().map(Member::from).collect(),
        }
    }
}

pub(super) fn run(args: &DescribeArgs) -> Result<(), CliError> {
    let group = args.connect.connect()?.group(args.group.name())?;
    let description = Description::from(group);
    match args.format {
        Format::Json => write_json(&description),
        Format::Text => {
            write_all(text(&description).as_bytes())?;
            if description.members.is_empty() {
                let group = &description.group;
                eprintln!("Nobody is in the group. `partita group lag {group}` shows how far it has got.");
            }
            Ok(())
        }
    }
}

fn text(group: &Description) -> String {
    let coordinator = &group.coordinator;
    let mut text = format!(
        "Group: {}\nState: {}\nType: {}\nProtocol: {}\nAssignor: {}\nCoordinator: {} (id {})\nMembers: {}\n",
        group.group,
        group.state,
        group.r#type,
        or_dash(group.protocol_type.as_ref()),
        or_dash(group.assignor.as_ref()),
        coordinator.address,
        coordinator.id,
        group.members.len(),
    );
    if group.members.is_empty() {
        return text;
    }
    let mut table = Table::new(&["CLIENT", "HOST", "INSTANCE", "PARTITIONS", "ASSIGNMENT", "MEMBER"]);
    for member in &group.members {
        let count: usize = member.assignment.iter().map(|assigned| assigned.partitions.len()).sum();
        let shares = member.assignment.iter().map(|own| format!("{}:{}", own.topic, ranges(&own.partitions)));
        table.row([
            member.client_id.clone(),
            member.host.clone(),
            or_dash(member.instance_id.as_ref()),
            count.to_string(),
            or_dash(told(shares.collect::<Vec<_>>().join(" "))),
            member.member_id.clone(),
        ]);
    }
    text.push('\n');
    text.push_str(&table.render());
    text
}
