//! From what was asked for to an offset for each partition.

use std::collections::BTreeMap;

use loadgen::client::{Client, OffsetSpec, TopicPartition};

use crate::cli::CliError;

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The first record that is there.
    Earliest,
    /// Behind the last record.
    Latest,
    /// The committed offset; the end where there is none.
    Current,
    /// This offset.
    Offset(i64),
    /// So many records on from the committed offset.
    Shift(i64),
    /// The first record whose timestamp, in ms since the epoch, is this one or later; the end where there is none.
    Timestamp(i64),
    /// An offset of its own for each.
    Offsets(BTreeMap<TopicPartition, i64>),
}

/// What a reset does to a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) at: TopicPartition,
    pub(super) committed: Option<i64>,
    pub(super) new_offset: i64,
    /// What was asked for, where the log does not have that.
    pub(super) wanted: Option<i64>,
    pub(super) earliest: i64,
    pub(super) latest: i64,
}

/// Finds each partition's new offset.
pub(super) fn plan(
    client: &mut Client,
    target: &Target,
    partitions: &[TopicPartition],
    committed: &BTreeMap<TopicPartition, i64>,
) -> Result<Vec<Change>, CliError> {
    let earliest = client.offsets(partitions, OffsetSpec::Earliest)?;
    let latest = client.offsets(partitions, OffsetSpec::Latest)?;
    let by_time = match target {
        Target::Timestamp(timestamp) => client.offsets(partitions, OffsetSpec::Timestamp((*timestamp).max(0)))?,
        _ => BTreeMap::new(),
    };
    let known = partitions.iter().filter_map(|at| Some((at, *earliest.get(at)?, *latest.get(at)?)));
    known
        .map(|(at, earliest, latest)| {
            let committed = committed.get(at).copied();
            let wanted = match target {
                Target::Earliest => earliest,
                Target::Latest => latest,
                Target::Current => committed.unwrap_or(latest),
                Target::Offset(offset) => *offset,
                Target::Shift(by) => committed.ok_or_else(|| nothing_to_shift(at))?.saturating_add(*by),
                Target::Timestamp(_) => by_time.get(at).copied().filter(|offset| *offset >= 0).unwrap_or(latest),
                Target::Offsets(offsets) => offsets.get(at).copied().unwrap_or(latest),
            };
            let new_offset = wanted.clamp(earliest, latest.max(earliest));
            let wanted = Some(wanted).filter(|wanted| *wanted != new_offset);
            Ok(Change { at: at.clone(), committed, new_offset, wanted, earliest, latest })
        })
        .collect()
}

fn nothing_to_shift(at: &TopicPartition) -> CliError {
    CliError::Usage(format!(
        "--shift-by: nothing is committed for {at}, so there is nothing to shift: choose where to begin, for example with \
         --to-earliest"
    ))
}
