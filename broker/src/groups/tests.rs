//! Golden transcripts in `testdata`, and what is checked without one.

mod consumer;
mod consumer_random;
mod embedded;
mod kafka_log;
mod load;
mod mixed;
mod random;
mod show;
mod transcript;

use super::*;

const TESTDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/groups/testdata");

/// Lets the next deadline come, if it comes before `end_ms` or then.
fn tick_next(groups: &mut Groups, now_ms: &mut i64, end_ms: i64) -> bool {
    let Some(deadline) = groups.deadline().filter(|&deadline| deadline <= end_ms) else { return false };
    *now_ms = deadline.max(*now_ms);
    groups.tick(*now_ms);
    true
}

macro_rules! transcripts {
    ($($name:ident,)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_transcript_is_run() {
            let mut files: Vec<String> = std::fs::read_dir(TESTDATA)
                .expect("the folder is there")
                .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
                .collect();
            files.retain(|file| file.ends_with(".txt"));
            files.sort();
            let mut run = vec![$(format!("{}.txt", stringify!($name)),)*];
            run.sort();
            assert_eq!(files, run);
        }
    };
}

fn check(name: &str) {
    let expected = std::fs::read_to_string(format!("{TESTDATA}/{name}.txt")).expect("the transcript is there");
    let actual = transcript::run(&expected);
    if actual != expected {
        let differ = |(expected, actual): &(&str, &str)| expected != actual;
        let line = expected.lines().zip(actual.lines()).position(|pair| differ(&pair)).unwrap_or(0) + 1;
        panic!("{name}.txt, line {line}: this is what happened\n{actual}");
    }
    assert!(expected.lines().any(|line| line.starts_with("  ")), "a transcript that expects nothing shows nothing");
}

transcripts! {
    join_sync_heartbeat,
    initial_delay,
    rebalance,
    dead_members,
    disconnects,
    explain_consumer_groups,
    explain_rebalances,
    explain_stable_groups,
    explain_empty_groups,
    explain_refusals,
    explain_mixed_groups,
    disconnects_off,
    static_members,
    leave,
    refused_joins,
    commits,
    failed_writes,
    deletion,
    retention,
    restart,
    loading,
    consumer_expressions,
    consumer_joins,
    consumer_heartbeat_intervals,
    consumer_group_configs,
    upgrade_eager,
    upgrade_cooperative,
    upgrade_untold,
    downgrade,
    downgrade_behind,
    migration_refusals,
    consumer_failed_deletion,
    consumer_failed_joins,
    consumer_failed_writes,
    consumer_untold,
    consumer_lost_answers,
    consumer_offsets,
    consumer_refusals,
    consumer_restart,
    consumer_static_members,
    consumer_timeouts,
    consumer_topics,
}

#[test]
fn groups_live_where_kafka_puts_them() {
    // Group ids and the partitions in which Kafka 4.3.1 kept them; three of the hashes are negative.
    for (group_id, partition) in [("g808424", 35), ("g808424n", 15), ("s2ca32d", 28), ("s2ca32dp", 4), ("", 0)] {
        assert_eq!(partition_for(group_id, 50), partition, "{group_id}");
    }
    // This one's hash is i32::MIN.
    assert_eq!(partition_for("polygenelubricants", 50), 0);
}
