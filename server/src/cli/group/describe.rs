//! `partita group describe`: a group's state, its coordinator, and its members with their partitions.

use loadgen::client::{GroupDescription, MemberDescription, TopicPartition};
use serde::Serialize;

use super::OneGroupArgs;
use super::scope::{by_topic, ranges};
use crate::cli::CliError;
use crate::cli::output::{Format, Table, or_dash, write_all, write_json};

#[derive(Debug, Serialize)]
struct Description {
    group: String,
    state: String,
    r#type: &'static str,
    protocol_type: Option<String>,
    assignor: Option<String>,
    /// Of a consumer group: grows with each change of members, subscriptions or topics.
    group_epoch: Option<i32>,
    /// Of a consumer group: the group epoch that the target assignment was made for.
    assignment_epoch: Option<i32>,
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
    rack_id: Option<String>,
    client_id: String,
    host: String,
    topics: Vec<String>,
    topic_regex: Option<String>,
    /// In a consumer group: the group epoch that it has caught up with.
    epoch: Option<i32>,
    assignment: Vec<Assigned>,
    /// In a consumer group: what it is to have.
    target_assignment: Option<Vec<Assigned>>,
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
            target_assignment: member.target.as_deref().map(assigned),
            member_id: member.member_id,
            instance_id: member.instance_id,
            rack_id: member.rack_id,
            client_id: member.client_id,
            host: member.host,
            topics: member.topics,
            topic_regex: member.topic_regex,
            epoch: member.epoch,
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
            group_epoch: group.epochs.map(|epochs| epochs.group),
            assignment_epoch: group.epochs.map(|epochs| epochs.assignment),
            coordinator,
            members: group.members.into_iter().map(Member::from).collect(),
        }
    }
}

pub(super) fn run(args: &OneGroupArgs) -> Result<(), CliError> {
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
        "Group: {}\nState: {}\nType: {}\nProtocol: {}\nAssignor: {}\n",
        group.group,
        group.state,
        group.r#type,
        or_dash(group.protocol_type.as_ref()),
        or_dash(group.assignor.as_ref()),
    );
    if let (Some(epoch), Some(assigned)) = (group.group_epoch, group.assignment_epoch) {
        text.push_str(&format!("Epoch: {epoch} (assigned: {assigned})\n"));
    }
    let (address, id) = (&coordinator.address, coordinator.id);
    text.push_str(&format!("Coordinator: {address} (id {id})\nMembers: {}\n", group.members.len()));
    if !group.members.is_empty() {
        text.push('\n');
        text.push_str(&members_table(group).render());
    }
    text
}

/// What a classic group does not have is no column there.
fn members_table(group: &Description) -> Table {
    let has_epochs = group.group_epoch.is_some();
    let epochs: &[&str] = if has_epochs { &["EPOCH", "TARGET"] } else { &[] };
    let mut table =
        Table::new(&[&["CLIENT", "HOST", "INSTANCE", "PARTITIONS", "ASSIGNMENT"], epochs, &["MEMBER"]].concat());
    for member in &group.members {
        let count: usize = member.assignment.iter().map(|assigned| assigned.partitions.len()).sum();
        let mut cells = vec![
            member.client_id.clone(),
            member.host.clone(),
            or_dash(member.instance_id.as_ref()),
            count.to_string(),
            shares(&member.assignment),
        ];
        if has_epochs {
            cells.extend([or_dash(member.epoch), or_dash(member.target_assignment.as_deref().map(shares))]);
        }
        cells.push(member.member_id.clone());
        table.row(cells);
    }
    table
}

fn shares(assignment: &[Assigned]) -> String {
    let shares = assignment.iter().map(|own| format!("{}:{}", own.topic, ranges(&own.partitions)));
    or_dash(told(shares.collect::<Vec<_>>().join(" ")))
}
