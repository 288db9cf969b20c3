//! Which partitions a connection visits.

use std::time::Duration;

use super::*;

fn load(partitions: u32, connections: u32) -> Load {
    Load {
        address: ([127, 0, 0, 1], 1).into(),
        topic: "t".to_owned(),
        partitions,
        connections,
        depth: 1,
        batch_bytes: 1000,
        record_bytes: 100,
        acks: -1,
        warm_up: Duration::ZERO,
        window: Duration::ZERO,
        rate: None,
        server: None,
    }
}

#[test]
fn the_connections_together_visit_every_partition_when_there_are_enough() {
    for (partitions, connections) in [(1, 1), (4, 4), (1000, 4), (1000, 7), (5, 3), (12, 12), (3, 8)] {
        let load = load(partitions, connections);
        let mut seen: Vec<i32> = (0..connections).flat_map(|index| partitions_of(&load, index)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, (0..partitions as i32).collect::<Vec<_>>(), "{partitions} over {connections}");
    }
}

#[test]
fn connections_that_divide_the_partitions_share_none() {
    let load = load(1000, 4);
    let visits: usize = (0..4).map(|index| partitions_of(&load, index).count()).sum();
    assert_eq!(visits, 1000);
}
