//! Small cases by hand.

use super::*;

const ORDERS: Uuid = Uuid::from_u128(1);
const PAYMENTS: Uuid = Uuid::from_u128(2);

/// A member that owns what its spec borrows.
struct Owned {
    id: &'static str,
    instance_id: Option<&'static str>,
    subscribed: BTreeSet<Uuid>,
    assigned: Assignment,
}

fn member(id: &'static str, topics: &[Uuid]) -> Owned {
    Owned { id, instance_id: None, subscribed: topics.iter().copied().collect(), assigned: Assignment::new() }
}

fn spec<'a>(members: &'a [Owned], partitions: &[(Uuid, i32)]) -> GroupSpec<'a> {
    let member = |member: &'a Owned| {
        let Owned { instance_id, subscribed, assigned, .. } = member;
        (member.id, MemberSpec { instance_id: *instance_id, subscribed, assigned })
    };
    GroupSpec { members: members.iter().map(member).collect(), partitions: partitions.iter().copied().collect() }
}

#[test]
fn a_group_without_members_is_assigned_nothing() {
    for assignor in Assignor::ALL {
        assert!(assignor.assign(&spec(&[], &[(ORDERS, 3)])).is_empty(), "{assignor:?}");
    }
}

#[test]
fn range_splits_topics_alike_and_puts_static_members_first() {
    let mut members = [member("a", &[ORDERS, PAYMENTS]), member("b", &[ORDERS, PAYMENTS])];
    members[1].instance_id = Some("static");
    let assignment = Assignor::Range.assign(&spec(&members, &[(ORDERS, 3), (PAYMENTS, 3)]));
    assert_eq!(
        assignment["b"],
        Assignment::from([(ORDERS, BTreeSet::from([0, 1])), (PAYMENTS, BTreeSet::from([0, 1]))])
    );
    assert_eq!(assignment["a"], Assignment::from([(ORDERS, BTreeSet::from([2])), (PAYMENTS, BTreeSet::from([2]))]));
}

#[test]
fn uniform_leaves_the_one_partition_more_with_whom_it_is() {
    let mut members = [member("a", &[ORDERS]), member("b", &[ORDERS]), member("c", &[ORDERS])];
    members[1].assigned = Assignment::from([(ORDERS, BTreeSet::from([0, 1, 2]))]);
    members[2].assigned = Assignment::from([(ORDERS, BTreeSet::from([3, 4]))]);
    let assignment = Assignor::Uniform.assign(&spec(&members, &[(ORDERS, 5)]));
    assert_eq!(assignment["a"], Assignment::from([(ORDERS, BTreeSet::from([2]))]));
    assert_eq!(assignment["b"], Assignment::from([(ORDERS, BTreeSet::from([0, 1]))]));
    assert_eq!(assignment["c"], Assignment::from([(ORDERS, BTreeSet::from([3, 4]))]));
}

#[test]
fn topics_that_do_not_exist_give_nothing() {
    let members = [member("a", &[ORDERS, PAYMENTS]), member("b", &[PAYMENTS])];
    for assignor in Assignor::ALL {
        let assignment = assignor.assign(&spec(&members, &[(ORDERS, 1)]));
        assert_eq!(assignment["a"], Assignment::from([(ORDERS, BTreeSet::from([0]))]), "{assignor:?}");
        assert!(assignment["b"].is_empty(), "{assignor:?}");
    }
}
