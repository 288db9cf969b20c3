//! A store that tells appends to wait: something always comes after which they get through.

mod support;

use engine::store::{AppendError, Store, StoreConfig};
use support::{Core, config, disk, recovered, run};

/// A core whose memory is as little as its largest batches allow.
fn core_with_little_memory(seed: u64) -> Core {
    let disk = disk(seed);
    recovered(&disk).expect("the disk is empty");
    let config = StoreConfig { memory_bytes_max: 2 * config().batch_bytes_max, ..config() };
    let store = run(Store::open(disk.clone(), config, 0, Vec::new())).expect("the disk is fine");
    Core { disk, store, events: Vec::new(), now_ms: 0 }
}

/// As a core does it: what waits is tried again when a group is written and when a background job ends, never else.
fn append_in_turn(core: &mut Core, number: u128, len: usize) -> bool {
    if core.append(number, len).is_ok() {
        return false;
    }
    core.flush().expect("the disk is fine");
    loop {
        match core.append(number, len) {
            Ok(_) => return true,
            Err(error) => assert_eq!(error, AppendError::Busy),
        }
        let job = core.store.poll_background().expect("nothing under way would make room");
        core.store.handle_background(run(job.perform())).expect("the disk is fine");
    }
}

#[test]
fn an_append_that_waits_gets_through_when_a_group_or_a_job_ends() {
    for seed in 0..10 {
        let mut core = core_with_little_memory(seed);
        (1..=3).for_each(|number| core.create(number));
        let mut waited = 0;
        for round in 0..2000u64 {
            let number = u128::from(1 + (round * (seed + 7)) % 3);
            let len = 200 + (round * 977 * (seed + 1)) as usize % 9000;
            waited += usize::from(append_in_turn(&mut core, number, len));
            if round % 5 == 0 {
                core.flush().expect("the disk is fine");
            }
        }
        assert!(waited > 10, "seed {seed}: {waited} appends had to wait");
    }
}
