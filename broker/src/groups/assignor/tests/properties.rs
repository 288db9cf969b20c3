//! What holds for any group, shown on random ones; a failure prints its seed.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const SEEDS: u64 = 300;
const STEPS: usize = 8;

fn random_group(rng: &mut impl Rng, is_homogeneous: bool) -> OwnedGroup {
    let topics = rng.random_range(1..=6);
    let partitions: Vec<i32> = (0..topics).map(|_| rng.random_range(0..=12)).collect();
    let mut group = OwnedGroup::with_topics(&partitions);
    for number in 0..rng.random_range(1..=10) {
        join(&mut group, rng, number, is_homogeneous);
    }
    group
}

fn join(group: &mut OwnedGroup, rng: &mut impl Rng, number: u32, is_homogeneous: bool) {
    let topics: Vec<u128> = (1..=group.partitions.len() as u128).collect();
    let subscribed: Vec<u128> = topics.into_iter().filter(|_| is_homogeneous || rng.random_ratio(2, 3)).collect();
    group.join(&format!("member-{number}"), &subscribed);
}

fn for_random_groups(mut check: impl FnMut(&mut ChaCha8Rng, OwnedGroup, bool)) {
    for seed in 0..SEEDS {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let is_homogeneous = rng.random();
            let group = random_group(&mut rng, is_homogeneous);
            check(&mut rng, group, is_homogeneous);
        }));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}

#[test]
fn members_with_the_same_subscription_differ_by_one_partition_at_most() {
    for_random_groups(|rng, mut group, is_homogeneous| {
        for step in 0..STEPS {
            let assignment = group.assign(Assignor::Uniform);
            let loads: BTreeSet<usize> = assignment.values().map(load).collect();
            if is_homogeneous {
                assert!(loads.last().unwrap() - loads.first().unwrap() <= 1, "{loads:?}");
            }
            join(&mut group, rng, 100 + step as u32, is_homogeneous);
        }
    });
}

#[test]
fn no_partition_could_move_to_somebody_with_two_less() {
    for_random_groups(|_, mut group, _| {
        let assignment = group.assign(Assignor::Uniform);
        for (owner, assigned) in &assignment {
            for topic in assigned.keys() {
                let subscribes = |member_id: &str| group.members[member_id].subscribed.contains(topic);
                for (other, others) in assignment.iter().filter(|(other, _)| subscribes(other)) {
                    assert!(load(assigned) <= load(others) + 1, "{topic} of {owner} could go to {other}");
                }
            }
        }
    });
}

#[test]
fn the_same_group_gets_the_same_assignment_and_keeps_it() {
    for_random_groups(|_, mut group, _| {
        for assignor in Assignor::ALL {
            let first = assignor.assign(&group.spec());
            assert_eq!(assignor.assign(&group.spec()), first);
            let again = (group.assign(assignor), group.assign(assignor));
            assert_eq!(again.0, again.1, "{assignor:?}: nothing has changed, so nothing moves");
        }
    });
}

#[test]
fn a_member_that_leaves_moves_only_what_it_had() {
    let mut moved = 0;
    for_random_groups(|rng, mut group, is_homogeneous| {
        group.assign(Assignor::Uniform);
        if !is_homogeneous || group.members.len() == 1 {
            return;
        }
        let nth = rng.random_range(0..group.members.len());
        let leaver = group.members.keys().nth(nth).cloned().unwrap();
        let left = group.members.remove(&leaver).unwrap();
        let assignment = Assignor::Uniform.assign(&group.spec());
        group.check(&assignment);
        assert_eq!(group.gained(&assignment), load(&left.assigned));
        moved += load(&left.assigned);
    });
    assert!(moved > 100, "something was moved");
}

#[test]
fn a_member_that_joins_takes_its_share_and_nothing_else_moves() {
    let mut moved = 0;
    for_random_groups(|rng, mut group, is_homogeneous| {
        group.assign(Assignor::Uniform);
        if !is_homogeneous {
            return;
        }
        join(&mut group, rng, 100, true);
        let assignment = Assignor::Uniform.assign(&group.spec());
        group.check(&assignment);
        assert_eq!(group.gained(&assignment), load(&assignment["member-100"]));
        moved += load(&assignment["member-100"]);
    });
    assert!(moved > 100, "something was moved");
}
