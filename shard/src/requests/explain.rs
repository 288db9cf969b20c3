//! Why groups do or do not move, for those who ask for it with DescribeGroups: the coordinator's facts, the ends of the
//! partitions from the cores that own them, and what the broker makes of both.

use broker::groups::explain::{GroupFacts, PartitionEnd, PartitionEnds, UNREAD_MS_MAX, explain};
use broker::groups::{GroupRequest, GroupResponse};
use wire::ErrorCode;
use wire::api::k02_list_offsets::ListOffsetsPartitionResponse;
use wire::api::k15_describe_groups::GroupFinding;

use super::Context;
use super::spread::Spread;
use crate::mesh::{Call, OffsetQuery, Reply};
use crate::world::World;

/// ListOffsets' names for the ends of a log.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// Not asked, or not answered by the partition's owner.
const UNANSWERED: i16 = ErrorCode::NotLeaderOrFollower as i16;

impl<W: World> Context<W> {
    /// What explains a group; nothing when its coordinator cannot be asked, which DescribeGroups tells already.
    pub(super) async fn explain_group(&self, group_id: String) -> Vec<GroupFinding> {
        let request = GroupRequest::Explain { group_id: group_id.clone() };
        let GroupResponse::Explain(facts) = self.ask_group(&group_id, request).await else {
            unreachable!("a request is answered by the response of its kind")
        };
        match facts {
            Ok(facts) => explain(&facts, &self.ends(&facts).await),
            Err(_) => Vec::new(),
        }
    }

    async fn ends(&self, facts: &GroupFacts) -> PartitionEnds {
        let timestamps = [EARLIEST, LATEST, facts.now_ms - UNREAD_MS_MAX];
        let mut ends = PartitionEnds::new();
        let (mut asked, mut spread) = (Vec::new(), Spread::new());
        for partition in facts.partitions() {
            let name = (partition.topic.clone(), partition.partition);
            let Some((core, key)) = self.place(&partition.topic, partition.partition) else {
                ends.insert(name, None);
                continue;
            };
            for (index, timestamp) in timestamps.into_iter().enumerate() {
                let slot = asked.len() * timestamps.len() + index;
                spread.add(core, slot, OffsetQuery { key, current_leader_epoch: -1, timestamp });
            }
            asked.push(name);
        }
        let unanswered = ListOffsetsPartitionResponse { error_code: UNANSWERED, ..Default::default() };
        let answers =
            spread.begin(&self.core, vec![unanswered; asked.len() * timestamps.len()], Call::ListOffsets, |reply| {
                match reply {
                    Reply::ListOffsets(answers) => Some(answers),
                    _ => None,
                }
            });
        for (name, answers) in asked.into_iter().zip(answers.await.chunks(timestamps.len())) {
            // Of a partition that could not be asked nothing is said.
            if let [log_start, end, young] = answers
                && answers.iter().all(|answer| answer.error_code == 0)
            {
                let young_from = if young.offset < 0 { end.offset } else { young.offset };
                ends.insert(name, Some(PartitionEnd { log_start: log_start.offset, end: end.offset, young_from }));
            }
        }
        ends
    }
}
