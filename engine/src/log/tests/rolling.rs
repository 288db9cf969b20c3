//! When a new segment begins.

use super::*;

#[test]
fn sizes_vary_by_five_percent_and_are_the_same_again() {
    let fill = || {
        let mut tested = Tested::new(LogConfig { segment_bytes: 100_000, ..LogConfig::default() });
        while tested.log.segment_count() < 12 {
            tested.append(&[NOW], 200, 0, NOW);
        }
        let sizes: Vec<usize> =
            tested.segment_bases()[..11].iter().map(|base| tested.stored_bytes(*base).len()).collect();
        sizes
    };
    let sizes = fill();
    assert!(sizes.iter().all(|size| (94_700..=105_000).contains(size)), "{sizes:?}");
    assert!(sizes.iter().any(|size| *size > 100_000) && sizes.iter().any(|size| *size < 99_000), "{sizes:?}");
    assert_eq!(sizes, fill());
}

#[test]
fn a_batch_larger_than_a_segment_gets_one_of_its_own() {
    let mut tested = Tested::new(LogConfig { segment_bytes: 1000, ..LogConfig::default() });
    assert!(!tested.append(&[NOW], 5000, 0, NOW).rolled);
    assert!(tested.append(&[NOW], 10, 0, NOW).rolled);
    assert!(tested.append(&[NOW], 5000, 0, NOW).rolled);
    assert_eq!(tested.log.segment_count(), 3);
}

#[test]
fn record_time_rolls_a_segment_and_append_time_where_there_is_none() {
    let config = LogConfig { segment_ms: 1000, ..LogConfig::default() };
    let mut tested = Tested::new(config.clone());
    tested.append(&[NOW], 10, 0, NOW);
    assert!(!tested.append(&[NOW + 1000], 10, 0, NOW + 99_000).rolled, "the wall clock does not count");
    assert!(tested.append(&[NOW + 1001], 10, 0, NOW).rolled);
    let mut tested = Tested::new(config);
    tested.append(&[-1], 10, 0, NOW);
    assert!(!tested.append(&[-1], 10, 0, NOW + 1000).rolled);
    assert!(tested.append(&[-1], 10, 0, NOW + 1001).rolled);
}

#[test]
fn a_full_index_rolls_a_segment() {
    let mut tested =
        Tested::new(LogConfig { segment_index_bytes: 80, index_interval_bytes: 1, ..LogConfig::default() });
    while !tested.append(&[NOW], 10, 0, NOW).rolled {}
    assert_eq!(tested.stored.len(), 12, "ten offset entries, none for the first batch, then the roll");
    let mut tested =
        Tested::new(LogConfig { segment_index_bytes: 60, index_interval_bytes: 1, ..LogConfig::default() });
    while !tested.append(&[NOW + tested.log.log_end()], 10, 0, NOW).rolled {}
    assert_eq!(tested.stored.len(), 6, "four time entries, one place kept for the end");
}

#[test]
fn relative_offsets_stay_within_31_bits() {
    let mut tested = Tested::new(LogConfig::default());
    tested.append(&[NOW], 10, 0, NOW);
    let bytes = tested.stored[0].bytes.clone();
    let mut append = |base_offset| {
        let batch = AppendBatch {
            bytes: &bytes,
            base_offset,
            leader_epoch: 0,
            last_offset: base_offset,
            max_timestamp: NOW,
            max_timestamp_offset: base_offset,
        };
        tested.log.append(&batch, NOW).rolled
    };
    assert!(!append(i64::from(i32::MAX)));
    assert!(append(i64::from(i32::MAX) + 1));
}
