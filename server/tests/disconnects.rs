//! A group member's connection is lost: its partitions move on after the grace, unless it comes back.

mod support;

use std::time::{Duration, Instant};

use support::{Broker, Client, Member, two_members, wait_until};
use wire::api::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, DescribeGroupsRequest};

const GRACE: (&str, &str) = ("group.disconnect.grace.ms", "300");
/// Two thirds of the members' session timeout; a lost connection's grace is a tenth of it, but machines that run tests are busy.
const LONG_BEFORE_THE_SESSION_ENDS: Duration = Duration::from_secs(30);

fn group_of_two(broker: &Broker) -> ((Member, Client), (Member, Client)) {
    broker.client().create_topic("t", 2, &[]);
    broker.client().find_coordinator("g");
    let connect = || (Member::new("g", "t"), broker.client());
    let ((mut leader, mut leader_client), (mut follower, mut follower_client)) = (connect(), connect());
    two_members((&mut leader, &mut leader_client), (&mut follower, &mut follower_client));
    ((leader, leader_client), (follower, follower_client))
}

#[test]
fn the_partitions_of_a_member_whose_connection_is_lost_move_long_before_its_session_ends() {
    let broker = Broker::start(&[GRACE]);
    let ((mut leader, mut client), (_, follower_client)) = group_of_two(&broker);
    let lost = Instant::now();
    drop(follower_client);
    wait_until("the leader is to join again", || leader.heartbeat(&mut client) != 0);
    leader.join_alone(&mut client, &[0, 1]);
    assert!(lost.elapsed() < LONG_BEFORE_THE_SESSION_ENDS, "it took {:?}", lost.elapsed());
}

#[test]
fn a_member_that_reconnects_in_time_keeps_its_partitions() {
    /// When it would be out: a heartbeat's interval and the grace after its connection was lost.
    const OUT_AFTER: Duration = Duration::from_secs(3 + 5);
    let broker = Broker::start(&[("group.disconnect.grace.ms", "5000")]);
    let ((leader, mut client), (follower, follower_client)) = group_of_two(&broker);
    let lost = Instant::now();
    drop(follower_client);
    let mut follower_client = broker.client();
    assert_eq!(follower.heartbeat(&mut follower_client), 0, "the member is known on its new connection");
    let mut heartbeats = 0;
    while lost.elapsed() < OUT_AFTER * 3 / 2 {
        assert_eq!(leader.heartbeat(&mut client), 0, "nobody is asked to join again");
        assert_eq!(follower.heartbeat(&mut follower_client), 0, "nobody is asked to join again");
        heartbeats += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(heartbeats > 2, "the test is not valid unless heartbeats went on");
}

#[test]
fn a_client_that_dies_while_it_waits_to_join_holds_nobody_up() {
    let broker = Broker::start(&[GRACE]);
    let ((mut leader, mut client), (mut follower, mut follower_client)) = group_of_two(&broker);
    let (mut dying, mut dying_client) = (Member::new("g", "t"), broker.client());
    let _never_answered = dying.begin_join(&mut dying_client);
    wait_until("the leader is to join again", || leader.heartbeat(&mut client) != 0);
    let begun = Instant::now();
    drop(dying_client);
    let describe = DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() };
    wait_until("the dead member is out", || client.call(5, &describe).groups[0].members.len() == 2);
    let (one, other) = (leader.begin_join(&mut client), follower.begin_join(&mut follower_client));
    assert_eq!(leader.end_join(&mut client, one).members.len(), 2, "the rebalance is complete without it");
    follower.end_join(&mut follower_client, other);
    assert!(begun.elapsed() < LONG_BEFORE_THE_SESSION_ENDS, "it took {:?}", begun.elapsed());
}

/// A heartbeat of the new protocol; epoch 0 joins.
fn beat(client: &mut Client, member_id: &str, member_epoch: i32) -> ConsumerGroupHeartbeatResponse {
    let is_joining = member_epoch == 0;
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "new".into(),
        member_id: member_id.into(),
        member_epoch,
        rebalance_timeout_ms: if is_joining { 60_000 } else { -1 },
        subscribed_topic_names: is_joining.then(|| vec!["t".into()]),
        topic_partitions: is_joining.then(Vec::new),
        ..Default::default()
    };
    let response = client.call(1, &request);
    assert_eq!(response.error_code, 0, "{member_id}: {:?}", response.error_message);
    response
}

#[test]
fn a_lost_member_of_the_new_protocol_is_out_long_before_its_session_ends() {
    let broker = Broker::start(&[GRACE]);
    let (mut client, mut lost_client) = (broker.client(), broker.client());
    client.create_topic("t", 2, &[]);
    client.find_coordinator("new");
    // It has all partitions, and the other one waits for its own.
    beat(&mut lost_client, "lost", 0);
    let mut epoch = beat(&mut client, "left", 0).member_epoch;
    let lost = Instant::now();
    drop(lost_client);
    let mut assigned = Vec::new();
    wait_until("the member that is left has all partitions", || {
        let response = beat(&mut client, "left", epoch);
        epoch = response.member_epoch;
        if let Some(assignment) = response.assignment {
            assigned = assignment.topic_partitions.into_iter().flat_map(|topic| topic.partitions).collect();
        }
        assigned == [0, 1]
    });
    assert!(lost.elapsed() < LONG_BEFORE_THE_SESSION_ENDS, "it took {:?}", lost.elapsed());
}
