//! Reads, from memory and from files, by offset and by time.

use super::*;

/// Any state a log can be in: partly filed, partly evicted, some segments closed, maybe opened again.
fn random_log(random: &mut Random) -> Tested {
    let mut tested = Tested::new(small_config());
    let batches = 60 + random.below(120) as usize;
    while tested.stored.len() < batches || tested.log.segment_count() < 2 {
        tested.append_random(random);
        if random.chance(15) {
            let urgencies = [Urgency::Relaxed, Urgency::WholeBlocks, Urgency::Everything];
            tested.file_all(urgencies[random.below(3) as usize]);
        }
        if random.chance(10) {
            let bytes = random.below(100_000) as usize;
            tested.log.evict(bytes);
        }
        if random.chance(2) {
            let trusted = if random.chance(50) { ALL_CLOSED } else { NONE_CLOSED };
            tested = tested.reopen(trusted);
        }
    }
    tested
}

#[test]
fn any_read_gives_what_a_naive_reader_gives() {
    let mut random = Random::new(seed());
    let mut from_memory = 0;
    let mut from_files = 0;
    for _ in 0..12 {
        let tested = random_log(&mut random);
        let end = tested.log.log_end();
        for offset in 0..end {
            let max_bytes = [0, 1, 200, 3000, 50_000, usize::MAX / 2][random.below(6) as usize];
            let boundary = tested.stored[random.below(tested.stored.len() as u64) as usize].base_offset;
            let end_offset = if random.chance(50) { end } else { boundary };
            let at_least_one = random.chance(50);
            let read = tested.read(offset, max_bytes, end_offset, at_least_one);
            let model = tested.model_read(offset, max_bytes, end_offset, at_least_one);
            assert!(read == model, "offset {offset}, {max_bytes} bytes, end {end_offset}, at least one {at_least_one}");
            match tested.log.read(offset, 1, end, true).expect("in range") {
                Read::Ready(_) => from_memory += 1,
                Read::Job(_) => from_files += 1,
            }
        }
        let all: Vec<u8> = tested.stored.iter().flat_map(|batch| batch.bytes.iter().copied()).collect();
        assert!(tested.read_all() == all);
    }
    assert!(from_memory > 0 && from_files > 0, "both ways must be tried: {from_memory}, {from_files}");
}

#[test]
fn any_time_finds_the_first_record_that_a_naive_search_finds() {
    let mut random = Random::new(seed());
    for _ in 0..6 {
        let mut tested = random_log(&mut random);
        let end_offset = tested.stored[tested.stored.len() - 1 - random.below(9) as usize].base_offset;
        let log_start = random.below(end_offset as u64 / 2) as i64;
        tested.log.set_log_start(log_start);
        let records = |tested: &Tested| -> Vec<FoundTimestamp> {
            let found = |batch: &Stored, (offset, timestamp)| FoundTimestamp {
                offset,
                timestamp,
                leader_epoch: batch.leader_epoch,
            };
            let batches = tested.stored.iter();
            batches.flat_map(|batch| batch.records.iter().map(move |record| found(batch, *record))).collect()
        };
        let records = records(&tested);
        for timestamp in (NOW - 5..NOW + 3000).step_by(17) {
            let naive = records.iter().find(|at| at.offset >= log_start && at.timestamp >= timestamp).copied();
            let naive = naive.filter(|at| at.offset < end_offset);
            let found = run(tested.log.find_timestamp(timestamp, end_offset).perform()).expect("the disk reads");
            assert_eq!(found, naive, "timestamp {timestamp}");
        }
    }
}

#[test]
fn the_largest_timestamp_is_found_in_whatever_segment_it_is() {
    let mut random = Random::new(seed());
    for _ in 0..6 {
        let tested = random_log(&mut random);
        let records = tested.stored.iter().flat_map(|batch| batch.records.iter().copied());
        let (offset, timestamp) = records.reduce(|a, b| if b.1 > a.1 { b } else { a }).expect("there are records");
        let found = run(tested.log.find_max_timestamp(i64::MAX).perform()).expect("the disk reads");
        assert_eq!(found.map(|at| (at.offset, at.timestamp)), Some((offset, timestamp)));
        let below = run(tested.log.find_max_timestamp(offset).perform()).expect("the disk reads");
        assert_eq!(below, None, "it is not below the end offset");
    }
}

#[test]
fn offsets_outside_of_the_log_are_refused_and_its_end_has_nothing() {
    let mut tested = Tested::new(small_config());
    tested.append(&[NOW, NOW], 10, 0, NOW);
    tested.append(&[NOW, NOW], 10, 0, NOW);
    tested.log.set_log_start(2);
    for offset in [-1, 0, 1, 5] {
        assert!(matches!(tested.log.read(offset, 100, 4, true), Err(ReadError::OutOfRange { .. })), "{offset}");
    }
    assert_eq!(tested.read(4, 100, 4, true), b"");
    assert_eq!(tested.read(3, 1000, 4, true), tested.stored[1].bytes, "from within a batch");
}

#[test]
fn who_follows_the_end_of_an_idle_log_reads_from_memory() {
    let mut tested = Tested::new(LogConfig::default());
    for _ in 0..20 {
        tested.append(&[NOW; 5], 20_000, 0, NOW);
        tested.file_all(Urgency::WholeBlocks);
        tested.log.evict(usize::MAX);
        let end = tested.log.log_end();
        tested.append(&[NOW; 7], 50, 0, NOW);
        assert!(matches!(tested.log.read(end, 1000, i64::MAX, true), Ok(Read::Ready(parts)) if !parts.is_empty()));
    }
}

#[test]
fn an_empty_log_finds_no_time() {
    let tested = Tested::new(small_config());
    assert_eq!(run(tested.log.find_timestamp(0, i64::MAX).perform()).expect("nothing to read"), None);
    assert_eq!(run(tested.log.find_max_timestamp(i64::MAX).perform()).expect("nothing to read"), None);
}

#[test]
fn a_damaged_batch_is_refused_and_those_around_it_are_read() {
    let mut tested = Tested::new(small_config());
    while tested.log.segment_count() < 2 {
        tested.append(&[NOW], 700, 0, NOW);
    }
    tested.file_all(Urgency::Everything);
    tested.log.evict(usize::MAX);
    let damaged = header_of(&tested.stored[5].bytes);
    let position: usize = tested.stored[..5].iter().map(|batch| batch.bytes.len()).sum();
    tested.disk.damage(&tested.path(0, FileKind::Log), position as u64, &[0xff; 61]);
    let read = |offset| match tested.log.read(offset, 100_000, i64::MAX, true) {
        Ok(Read::Job(job)) => run(job.perform()).map(|parts| parts.concat()),
        _ => panic!("an evicted batch is read from the file"),
    };
    let stored = |range: std::ops::Range<usize>| -> Vec<u8> {
        tested.stored[range].iter().flat_map(|batch| batch.bytes.clone()).collect()
    };
    let Err(crate::error::EngineError::Rotten { path, rotten }) = read(damaged.base_offset) else {
        panic!("it is refused")
    };
    assert_eq!((path, rotten.position, rotten.segment_base), (tested.path(0, FileKind::Log), position as u64, 0));
    assert_eq!(rotten.offsets, damaged.base_offset..damaged.last_offset() + 1);
    assert!(read(0).expect("what is before it is whole") == stored(0..5));
    let segment_end = tested.stored.iter().filter(|batch| batch.segment_base == 0).count();
    assert!(read(damaged.last_offset() + 1).expect("what is behind it is whole") == stored(6..segment_end));

    // The index is made anew from what is whole.
    for kind in [FileKind::OffsetIndex, FileKind::TimeIndex] {
        run(tested.disk.remove_file(&tested.path(0, kind))).expect("it is there");
    }
    let tested = tested.reopen(ALL_CLOSED);
    let offset = tested.stored[6].base_offset;
    assert!(tested.read(offset, 100_000, i64::MAX, true).starts_with(&tested.stored[6].bytes));
}
