//! Which segments retention lets go, as Kafka's `UnifiedLog.deleteOldSegments` decides it: oldest first, by time and by
//! size, never what consumers cannot see yet. Pure: the log carries it out.

/// What retention needs to know of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainedSegment {
    /// Its size in bytes.
    pub size: u64,
    /// One past its last offset; the base offset of the next one, if any.
    pub end_offset: i64,
    /// Its largest timestamp, in ms since the epoch; `None` when it has none: time does not let it go then.
    pub largest_timestamp: Option<i64>,
}

/// What a topic keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// `retention.bytes`; `None` keeps any size.
    pub bytes: Option<u64>,
    /// `retention.ms`; `None` keeps for ever.
    pub ms: Option<i64>,
}

/// How many segments, from the oldest on, go at `now_ms`. `segments` are all of a log in order, the active one last; an
/// empty active one stays. `visible_end` is the high watermark: no segment that reaches beyond it goes.
pub fn expired(segments: &[RetainedSegment], limits: Limits, visible_end: i64, now_ms: i64) -> usize {
    let may_go = segments.iter().take_while(|segment| segment.size > 0 && segment.end_offset <= visible_end).count();
    let by_time = limits.ms.map_or(0, |retention_ms| {
        let old = |segment: &&RetainedSegment| {
            segment.largest_timestamp.is_some_and(|timestamp| now_ms.saturating_sub(timestamp) > retention_ms)
        };
        segments[..may_go].iter().take_while(old).count()
    });
    let by_size = limits.bytes.map_or(0, |retention_bytes| {
        let total: u64 = segments[by_time..].iter().map(|segment| segment.size).sum();
        let mut excess = total.saturating_sub(retention_bytes);
        let fits = |segment: &&RetainedSegment| {
            let goes = segment.size <= excess;
            excess = excess.saturating_sub(segment.size);
            goes
        };
        segments[by_time..may_go].iter().take_while(fits).count()
    });
    by_time + by_size
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three segments of 100 bytes and 10 offsets, of times 1000, 2000 and 3000.
    fn sample() -> Vec<RetainedSegment> {
        (1..=3)
            .map(|step| RetainedSegment { size: 100, end_offset: step * 10, largest_timestamp: Some(step * 1000) })
            .collect()
    }

    fn by_size(bytes: u64) -> usize {
        expired(&sample(), Limits { bytes: Some(bytes), ms: None }, 30, 0)
    }

    fn by_time(now_ms: i64) -> usize {
        expired(&sample(), Limits { bytes: None, ms: Some(500) }, 30, now_ms)
    }

    #[test]
    fn size_lets_a_segment_go_only_when_the_rest_still_has_that_size() {
        assert_eq!([by_size(301), by_size(300), by_size(201), by_size(200), by_size(0)], [0, 0, 0, 1, 3]);
    }

    #[test]
    fn time_lets_go_what_is_older_and_the_active_segment_too() {
        assert_eq!([by_time(1500), by_time(1501), by_time(2501), by_time(3501)], [0, 1, 2, 3]);
    }

    #[test]
    fn an_old_segment_behind_a_younger_one_stays() {
        let mut segments = sample();
        segments[0].largest_timestamp = Some(9000);
        assert_eq!(expired(&segments, Limits { bytes: None, ms: Some(500) }, 30, 9400), 0);
        segments[0].largest_timestamp = None;
        assert_eq!(expired(&segments, Limits { bytes: None, ms: Some(500) }, 30, i64::MAX), 0);
    }

    #[test]
    fn nothing_beyond_the_high_watermark_goes_and_no_empty_active_segment() {
        assert_eq!(expired(&sample(), Limits { bytes: Some(0), ms: Some(0) }, 29, i64::MAX), 2);
        let mut segments = sample();
        segments[2].size = 0;
        assert_eq!(expired(&segments, Limits { bytes: Some(0), ms: Some(0) }, 30, i64::MAX), 2);
    }

    #[test]
    fn without_limits_everything_stays() {
        assert_eq!(expired(&sample(), Limits::default(), 30, i64::MAX), 0);
    }
}
