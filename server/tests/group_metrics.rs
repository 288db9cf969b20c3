//! Groups on `/metrics`: lag, members, rebalances and why, what was refused.

mod support;

use support::{Broker, Client, Member, batch, metric_lines, two_members, wait_until};
use wire::api::OffsetCommitRequest;
use wire::api::k08_offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};

/// Out as soon as the next heartbeat is due.
const NO_GRACE: (&str, &str) = ("group.disconnect.grace.ms", "0");

/// Commits an offset of partition 0, as a member, or for a group without members.
fn commit(client: &mut Client, group: &str, member: Option<&Member>, committed_offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition { committed_offset, ..Default::default() };
    let topic = OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: member.map_or(-1, |member| member.generation),
        member_id: member.map_or_else(String::new, |member| member.id.clone()),
        topics: vec![topic],
        ..Default::default()
    };
    client.call(7, &request).topics[0].partitions[0].error_code
}

/// The value of the one series of that name with these labels.
fn metric(broker: &Broker, name: &str, labels: &[&str]) -> Option<i64> {
    let page = broker.metrics();
    let found: Vec<i64> = metric_lines(&page, name, labels).map(|(_, value)| value).collect();
    assert!(found.len() <= 1, "{name} {labels:?}: {found:?}");
    found.first().copied()
}

const G: &str = "consumergroup=\"g\"";

#[test]
fn lag_and_what_has_happened_to_a_group_are_on_the_metrics_page() {
    let broker = Broker::start(&[NO_GRACE]);
    let mut admin = broker.client();
    admin.create_topic("t", 2, &[]);
    admin.append("t", 0, &batch(&[b"one", b"two", b"three"]));
    admin.find_coordinator("g");
    let (mut leader, mut leader_client) = (Member::new("g", "t"), broker.client());
    let (mut follower, mut follower_client) = (Member::new("g", "t"), broker.client());
    two_members((&mut leader, &mut leader_client), (&mut follower, &mut follower_client));
    assert_eq!(commit(&mut leader_client, "g", Some(&leader), 1), 0);
    let former = Member { generation: leader.generation - 1, ..leader.clone() };
    assert_ne!(commit(&mut leader_client, "g", Some(&former), 2), 0);

    let page = broker.metrics();
    assert!(page.contains("# HELP partita_consumergroup_lag Records between the committed offset"), "{page}");
    assert_eq!(metric(&broker, "partita_consumergroup_lag", &[G, "topic=\"t\"", "partition=\"0\""]), Some(2));
    assert_eq!(metric(&broker, "partita_consumergroup_lag", &[G, "partition=\"1\""]), None, "nothing is committed");
    assert_eq!(metric(&broker, "partita_consumergroup_lag_sum", &[G]), Some(2));
    assert_eq!(metric(&broker, "partita_consumergroup_current_offset", &[G]), Some(1));
    assert_eq!(metric(&broker, "partita_consumergroup_members", &[G]), Some(2));
    assert_eq!(metric(&broker, "partita_consumergroup_generation", &[G]), Some(2));
    assert_eq!(metric(&broker, "partita_consumergroup_state", &[G, "state=\"Stable\""]), Some(1));
    assert_eq!(metric(&broker, "partita_consumergroups", &["state=\"Stable\""]), Some(1));
    assert_eq!(metric(&broker, "partita_consumergroup_commits_total", &[G]), Some(1));
    assert_eq!(metric(&broker, "partita_consumergroup_commits_fenced_total", &[G]), Some(1));
    let joined = "reason=\"member_joined\"";
    assert_eq!(metric(&broker, "partita_consumergroup_rebalances_total", &[G, joined]), Some(2));

    drop(follower_client);
    let lost = "reason=\"connection_lost\"";
    wait_until("a rebalance goes on without the lost member", || {
        metric(&broker, "partita_consumergroup_rebalances_total", &[G, lost]) == Some(1)
    });
    assert_eq!(metric(&broker, "partita_consumergroup_connections_lost_total", &[G]), Some(1));
    assert_eq!(metric(&broker, "partita_consumergroup_state", &[G, "state=\"PreparingRebalance\""]), Some(1));
}

#[test]
fn groups_beyond_the_setting_are_only_counted() {
    let broker = Broker::start(&[("metrics.groups.max", "3")]);
    let mut client = broker.client();
    client.create_topic("t", 1, &[]);
    client.find_coordinator("g");
    for number in 0..10 {
        assert_eq!(commit(&mut client, &format!("g{number}"), None, 0), 0);
    }
    let page = broker.metrics();
    assert_eq!(metric_lines(&page, "partita_consumergroup_members", &[]).count(), 3);
    assert_eq!(
        metric_lines(&page, "partita_consumergroups", &["state=\"Empty\""]).next(),
        Some(("state=\"Empty\"", 10))
    );
    assert!(page.lines().any(|line| line == "partita_consumergroups_omitted 7"), "{page}");
}
