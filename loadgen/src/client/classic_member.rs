//! A member of the classic protocol: JoinGroup, SyncGroup, Heartbeat; the leader assigns by range.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;
use wire::ErrorCode;
use wire::api::k11_join_group::{JoinGroupRequestProtocol, JoinGroupResponse};
use wire::api::k13_leave_group::MemberIdentity;
use wire::api::k14_sync_group::SyncGroupRequestAssignment;
use wire::api::{HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest};
use wire::records::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition as ProtocolTopic,
};

use super::group::{Rebalance, Seat, milliseconds};
use super::{Client, ClientError, TopicPartition, check};

const PROTOCOL_TYPE: &str = "consumer";
const ASSIGNOR: &str = "range";

/// Static members first and by their names, then the others by their ids, as Kafka has it: so a member that is back gets its ranges
/// again.
type RangeOrder<'a> = (bool, Option<&'a str>, &'a str);

#[derive(Debug, Default)]
pub(super) struct ClassicMember {
    /// When the coordinator heard of the member last; none before the first join.
    heard_at: Option<Instant>,
}

impl ClassicMember {
    /// Joins once, and waits for as long as the rebalance takes.
    pub fn join(&mut self, seat: &mut Seat, client: &mut Client) -> Result<Vec<TopicPartition>, ClientError> {
        let joined = Self::join_group(seat, client)?;
        let is_to_assign = joined.leader == joined.member_id && !joined.skip_assignment;
        let assignments = if is_to_assign { assign(client, &joined)? } else { Vec::new() };
        let request = SyncGroupRequest {
            group_id: seat.options.group.clone(),
            generation_id: seat.epoch,
            member_id: seat.member_id.clone(),
            group_instance_id: seat.options.instance_id.clone(),
            protocol_type: Some(PROTOCOL_TYPE.into()),
            protocol_name: Some(ASSIGNOR.into()),
            assignments,
        };
        let answer = seat.call(client, &request)?;
        check(answer.error_code, None, || seat.what("synchronising with"))?;
        self.heard_at = Some(Instant::now());
        if answer.assignment.is_empty() {
            return Ok(Vec::new());
        }
        let own = ConsumerProtocolAssignment::from_bytes(&answer.assignment).map_err(ClientError::Protocol)?;
        Ok(TopicPartition::from_protocol(own))
    }

    fn join_group(seat: &mut Seat, client: &mut Client) -> Result<JoinGroupResponse, ClientError> {
        let subscription = ConsumerProtocolSubscription { topics: seat.options.topics.clone(), ..Default::default() };
        let metadata = Bytes::from(subscription.to_bytes());
        let request = JoinGroupRequest {
            group_id: seat.options.group.clone(),
            session_timeout_ms: milliseconds(seat.options.session_timeout),
            rebalance_timeout_ms: milliseconds(seat.options.rebalance_timeout),
            member_id: seat.member_id.clone(),
            group_instance_id: seat.options.instance_id.clone(),
            protocol_type: PROTOCOL_TYPE.into(),
            protocols: vec![JoinGroupRequestProtocol { name: ASSIGNOR.into(), metadata }],
            reason: None,
        };
        let joined = seat.call(client, &request)?;
        if joined.error_code == ErrorCode::MemberIdRequired.code() {
            seat.member_id.clone_from(&joined.member_id);
        }
        check(joined.error_code, None, || seat.what("joining"))?;
        seat.member_id.clone_from(&joined.member_id);
        seat.epoch = joined.generation_id;
        Ok(joined)
    }

    pub fn heartbeat(&mut self, seat: &mut Seat, client: &mut Client) -> Result<Rebalance, ClientError> {
        if self.heard_at.is_some_and(|heard_at| heard_at.elapsed() < seat.options.heartbeat_interval) {
            return Ok(Rebalance::No);
        }
        self.heard_at = Some(Instant::now());
        let request = HeartbeatRequest {
            group_id: seat.options.group.clone(),
            generation_id: seat.epoch,
            member_id: seat.member_id.clone(),
            group_instance_id: seat.options.instance_id.clone(),
        };
        let answer = seat.call(client, &request)?;
        check(answer.error_code, None, || seat.what("staying in"))?;
        Ok(Rebalance::No)
    }

    pub fn leave(self, seat: &mut Seat, client: &mut Client) -> Result<(), ClientError> {
        if seat.options.instance_id.is_some() {
            // Kafka's consumers say nothing either; the session keeps the place.
            return Ok(());
        }
        let member = MemberIdentity { member_id: seat.member_id.clone(), group_instance_id: None, reason: None };
        let request = LeaveGroupRequest {
            group_id: seat.options.group.clone(),
            member_id: seat.member_id.clone(),
            members: vec![member],
        };
        let answer = seat.call(client, &request)?;
        check(answer.error_code, None, || seat.what("leaving"))
    }
}

/// As the leader: who reads what.
fn assign(client: &mut Client, joined: &JoinGroupResponse) -> Result<Vec<SyncGroupRequestAssignment>, ClientError> {
    let mut subscribers: BTreeMap<String, BTreeSet<RangeOrder<'_>>> = BTreeMap::new();
    for member in &joined.members {
        let wanted = ConsumerProtocolSubscription::from_bytes(&member.metadata).map_err(ClientError::Protocol)?;
        let instance_id = member.group_instance_id.as_deref();
        for topic in wanted.topics {
            let order = (instance_id.is_none(), instance_id, member.member_id.as_str());
            subscribers.entry(topic).or_default().insert(order);
        }
    }
    let mut shares: BTreeMap<&str, Vec<ProtocolTopic>> =
        joined.members.iter().map(|member| (member.member_id.as_str(), Vec::new())).collect();
    for (topic, members) in &subscribers {
        let partitions = match client.topic(topic, false) {
            Ok(info) => info.partitions.iter().map(|partition| partition.index).collect(),
            Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => Vec::new(),
            Err(error) => return Err(error),
        };
        for (&(_, _, member), share) in members.iter().zip(ranges(&partitions, members.len())) {
            if !share.is_empty() {
                let share = ProtocolTopic { topic: topic.clone(), partitions: share.to_vec() };
                shares.entry(member).or_default().push(share);
            }
        }
    }
    let assignment = |(member, assigned_partitions): (&str, _)| SyncGroupRequestAssignment {
        member_id: member.to_owned(),
        assignment: ConsumerProtocolAssignment { assigned_partitions, user_data: None }.to_bytes().into(),
    };
    Ok(shares.into_iter().map(assignment).collect())
}

/// Kafka's range assignor for one topic: each of `members` a run of partitions, the first ones one more if it does not come
/// out even.
pub(crate) fn ranges<T>(partitions: &[T], members: usize) -> Vec<&[T]> {
    let (each, more) = (partitions.len() / members, partitions.len() % members);
    let start = |member: usize| each * member + member.min(more);
    (0..members).map(|member| &partitions[start(member)..start(member + 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn a_topics_partitions_are_dealt_in_runs() {
        assert_eq!(ranges(&[0, 1, 2, 3, 4], 2), [&[0, 1, 2][..], &[3, 4]]);
        assert_eq!(ranges(&[0, 1], 3), [&[0][..], &[1], &[]]);
        assert_eq!(ranges(&[0; 0], 2), [&[0i32; 0][..], &[]]);
    }
}
