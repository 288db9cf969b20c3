//! A topic that runs have written, read back and judged without knowing what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use checkers::Verdict;

use super::RunError;
use super::control::{ASK_TIMEOUT, CLIENT_ID};
use super::proof;
use super::setup::Site;
use crate::client::{Client, ClientError, Consumer, OffsetSpec, TopicPartition};
use crate::engine::board::Board;
use crate::engine::clock::Clock;
use crate::engine::topology::SharedTopology;
use crate::engine::worker::Shared;
use crate::payload::Stamp;

/// How long a fetch for the first record waits, in ms.
const MAX_WAIT_MS: i32 = 500;
/// How long a first record is looked for.
const FIRST_WITHIN: Duration = Duration::from_secs(10);

/// Reads a topic from its beginning and judges the records of one run: `run`, or that of the first record found. Without a run's own
/// account a loss shows as a gap, and one at the very end not at all. None when the topic holds no record of a run.
///
/// # Errors
/// The cluster does not do what is asked, or stays silent for `silence_s`.
pub fn verify(
    bootstrap: &str,
    topic: &str,
    run: Option<u32>,
    silence_s: f64,
    stop: &AtomicBool,
) -> Result<Option<(u32, Verdict)>, RunError> {
    let mut client = Client::connect(bootstrap, CLIENT_ID, ASK_TIMEOUT)?;
    let Some(run) = run.map_or_else(|| first_run(&mut client, topic), |run| Ok(Some(run)))? else { return Ok(None) };
    let versions = client.versions()?;
    let mut site = Site::existing(client, topic);
    let topology = site.topology()?;
    let shared = Shared {
        clock: Clock::start(),
        run,
        board: Arc::new(Board { workers: Vec::new(), ends: Vec::new(), groups: Vec::new() }),
        topology: Arc::new(SharedTopology::new(topology)),
        versions: Arc::new(versions),
        client_id: CLIENT_ID.into(),
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let ledgers = proof::read_back(workers, silence_s, &mut site, &shared, stop)?;
    Ok(ledgers.map(|ledgers| (run, proof::judge(&ledgers, []))))
}

/// The run of the first record that is of any.
fn first_run(client: &mut Client, topic: &str) -> Result<Option<u32>, ClientError> {
    let info = client.topic(topic, false)?;
    let place = |partition| TopicPartition { topic: topic.to_owned(), partition };
    let places: Vec<TopicPartition> = info.partitions.iter().map(|info| place(info.index)).collect();
    let starts = client.offsets(&places, OffsetSpec::Earliest)?;
    let mut consumer = Consumer::new(starts, OffsetSpec::Earliest, MAX_WAIT_MS);
    let deadline = Instant::now() + FIRST_WITHIN;
    let mut found = None;
    while found.is_none() && Instant::now() < deadline {
        consumer.poll(client, |fetched| {
            found = fetched.record.value.and_then(Stamp::read).map(|stamp| stamp.run);
            Ok::<bool, ClientError>(found.is_none())
        })?;
    }
    Ok(found)
}
