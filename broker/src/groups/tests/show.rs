//! Answers in one line each.

use wire::ErrorCode;
use wire::api::k15_describe_groups::GroupFinding;

use super::super::GroupResponse;
use super::embedded::{show_assignment, show_metadata};

fn error(code: i16) -> &'static str {
    ErrorCode::from_code(code).map_or("?", ErrorCode::name)
}

pub fn show(response: &GroupResponse) -> String {
    match response {
        GroupResponse::JoinGroup(join) if join.error_code != 0 => {
            format!("{} member {}", error(join.error_code), quoted(&join.member_id))
        }
        GroupResponse::JoinGroup(join) => {
            let members: Vec<String> = join
                .members
                .iter()
                .map(|member| match &member.group_instance_id {
                    Some(instance_id) => {
                        format!("{}/{instance_id}:{}", member.member_id, show_metadata(&member.metadata))
                    }
                    None => format!("{}:{}", member.member_id, show_metadata(&member.metadata)),
                })
                .collect();
            format!(
                "joined generation {} as {}, leader {}, {}{}{}",
                join.generation_id,
                join.member_id,
                join.leader,
                join.protocol_name.as_deref().unwrap_or("no protocol"),
                if members.is_empty() { String::new() } else { format!(" [{}]", members.join(" ")) },
                if join.skip_assignment { ", skip the assignment" } else { "" },
            )
        }
        GroupResponse::ConsumerGroupHeartbeat(_) | GroupResponse::ConsumerGroupDescribe(_) => {
            panic!("topics have names only where they are known: {response:?}")
        }
        GroupResponse::SyncGroup(sync) if sync.error_code != 0 => error(sync.error_code).to_owned(),
        GroupResponse::SyncGroup(sync) => format!("assigned {}", quoted(&show_assignment(&sync.assignment))),
        GroupResponse::Heartbeat(heartbeat) => error(heartbeat.error_code).to_owned(),
        GroupResponse::LeaveGroup(leave) => {
            let mut words = vec![error(leave.error_code).to_owned()];
            words.extend(leave.members.iter().map(|member| {
                let instance_id = member.group_instance_id.as_ref().map(|id| format!("/{id}")).unwrap_or_default();
                format!("{}{instance_id}:{}", member.member_id, error(member.error_code))
            }));
            words.join(" ")
        }
        GroupResponse::OffsetCommit(commit) => {
            let partitions = commit.topics.iter().flat_map(|topic| {
                let name = &topic.name;
                let one = move |partition: &wire::api::k08_offset_commit::OffsetCommitResponsePartition| {
                    format!("{name}-{}:{}", partition.partition_index, error(partition.error_code))
                };
                topic.partitions.iter().map(one)
            });
            format!("commit {}", partitions.collect::<Vec<_>>().join(" "))
        }
        GroupResponse::OffsetFetch(fetch) => {
            let partitions = fetch.topics.iter().flat_map(|topic| {
                let name = &topic.name;
                topic.partitions.iter().map(move |partition| {
                    let metadata = partition.metadata.as_deref().filter(|metadata| !metadata.is_empty());
                    let metadata = metadata.map(|metadata| format!("/{metadata}")).unwrap_or_default();
                    let failed = (partition.error_code != 0).then(|| format!("/{}", error(partition.error_code)));
                    let failed = failed.unwrap_or_default();
                    format!("{name}-{}:{}{metadata}{failed}", partition.partition_index, partition.committed_offset)
                })
            });
            let offsets = partitions.collect::<Vec<_>>().join(" ");
            format!("offsets {} [{offsets}]", error(fetch.error_code))
        }
        GroupResponse::DescribeGroups(group) => {
            let members: Vec<String> = group
                .members
                .iter()
                .map(|member| {
                    let metadata = show_metadata(&member.member_metadata);
                    let assignment = show_assignment(&member.member_assignment);
                    format!("{}({}):{metadata}:{assignment}", member.member_id, member.client_id)
                })
                .collect();
            format!(
                "group {} {} {} type {} protocol {} [{}]",
                group.group_id,
                error(group.error_code),
                group.group_state,
                quoted(&group.protocol_type),
                quoted(&group.protocol_data),
                members.join(" ")
            )
        }
        GroupResponse::Explain(facts) => format!("explained {facts:?}"),
        GroupResponse::ListGroups(list) => {
            let groups = list
                .groups
                .iter()
                .map(|group| format!("{}:{}:{}", group.group_id, group.group_type, group.group_state));
            format!("groups {} [{}]", error(list.error_code), groups.collect::<Vec<_>>().join(" "))
        }
        GroupResponse::DeleteGroups(result) => format!("delete {}:{}", result.group_id, error(result.error_code)),
        GroupResponse::OffsetDelete(delete) => {
            let partitions = delete.topics.iter().flat_map(|topic| {
                let name = &topic.name;
                let one = move |partition: &wire::api::k47_offset_delete::OffsetDeleteResponsePartition| {
                    format!("{name}-{}:{}", partition.partition_index, error(partition.error_code))
                };
                topic.partitions.iter().map(one)
            });
            let partitions = partitions.collect::<Vec<_>>().join(" ");
            format!("offset-delete {} [{partitions}]", error(delete.error_code))
        }
    }
}

/// Each finding on lines of its own; one that keeps something from moving is marked.
pub fn show_findings(findings: &[GroupFinding]) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        lines.push(format!("{}{}", finding.kind, if finding.blocks { "!" } else { "" }));
        let sentences = [&finding.what, &finding.meaning, &finding.advice];
        lines.extend(sentences.into_iter().filter(|text| !text.is_empty()).map(|text| format!("      {text}")));
    }
    lines.join("\n    ")
}

fn quoted(value: &str) -> String {
    format!("\"{value}\"")
}
