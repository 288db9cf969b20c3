//! Looks through a stopped broker's data folder and says in words what it found, what that means and what to do.
//!
//! What a start would do is tried on an overlay, so that the answer is the start's own, and nothing on the disk changes.

use std::path::{Path, PathBuf};

use broker::catalog::{CLUSTER_METADATA_TOPIC, Image, OFFSETS_TOPIC};
use broker::config::BrokerConfig;
use broker::groups::{GroupConfig, Groups};
use engine::disk::Disk;
use engine::error::EngineError;
use engine::inspect::{Found, Problem, Seen, inspect_partition};
use engine::leader_epochs::LEADER_EPOCH_FILE;
use engine::log::{Log, LogConfig};
use engine::overlay_disk::OverlayDisk;
use engine::recovery::{RecoveredLog, Recovery, RecoveryError, Report, recover};
use engine::segment::names::parse_folder_name;
use wire::TopicPartitionId;

use crate::identity::{self, Identity};
use crate::start::{Damage, StartError, read_log, read_metadata};

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The next start sees to it, and nothing is lost.
    Notice,
    /// Something is lost, or the broker does not start.
    Damage,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The code of an error that a start, or a reader, would meet.
    pub code: Option<&'static str>,
    /// The file or folder.
    pub path: PathBuf,
    /// Where in it, in bytes.
    pub position: Option<u64>,
    /// What was found.
    pub what: String,
    /// What that means.
    pub meaning: String,
    /// What to do.
    pub advice: String,
}

/// What an inspection has come to.
#[derive(Debug, Default)]
pub struct Inspection {
    /// Whose folder it is.
    pub identity: Option<Identity>,
    /// What the next start would do; `None` if it would refuse.
    pub report: Option<Report>,
    /// How many topics the metadata log knows; `None` if it cannot be read.
    pub topics: Option<usize>,
    /// Folders of partitions.
    pub partitions: usize,
    /// What was looked at in them.
    pub seen: Seen,
    /// What is not as it should be, in the order in which it was found.
    pub findings: Vec<Finding>,
}

impl Inspection {
    /// Whether anything is damaged.
    pub fn is_damaged(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Damage)
    }

    fn add(&mut self, level: Level, path: &Path, what: impl Into<String>, meaning: &str, advice: &str) {
        let (what, meaning, advice) = (what.into(), meaning.to_owned(), advice.to_owned());
        let (code, path, position) = (None, path.to_path_buf(), None);
        self.findings.push(Finding { level, code, path, position, what, meaning, advice });
    }
}

/// Inspects `data_dir`, whose journals are in `journal_dir`. No broker may be using it.
///
/// # Errors
/// The disk's, where a folder cannot be listed or a file not opened.
pub async fn inspect<D: Disk>(disk: &D, data_dir: &Path, journal_dir: &Path) -> Result<Inspection, EngineError> {
    let mut inspection = Inspection::default();
    inspect_identity(disk, data_dir, &mut inspection).await?;
    let overlay = OverlayDisk::new(disk.clone());
    match recover(&overlay, data_dir, journal_dir).await {
        Ok(recovery) => {
            note_recovery(&recovery.report, &mut inspection);
            inspection.report = Some(recovery.report.clone());
            for log in &recovery.logs {
                inspect_folder(&overlay, &log.dir, true, &mut inspection).await?;
            }
            if let Some(image) = inspect_catalog(&overlay, data_dir, &recovery, &mut inspection).await {
                compare_with_catalog(data_dir, &image, &recovery, &mut inspection);
                inspect_groups(&overlay, data_dir, &image, &recovery, &mut inspection).await;
            }
        }
        Err(refusal) => {
            note_refusal(refusal, &mut inspection);
            for entry in disk.list(data_dir).await.map_err(EngineError::disk(data_dir))? {
                if entry.is_dir && parse_folder_name(&entry.name).is_some() {
                    inspect_folder(disk, &data_dir.join(&entry.name), false, &mut inspection).await?;
                }
            }
        }
    }
    Ok(inspection)
}

async fn inspect_identity<D: Disk>(disk: &D, data_dir: &Path, inspection: &mut Inspection) -> Result<(), EngineError> {
    match identity::read(disk, data_dir).await {
        Ok(Some(identity)) => inspection.identity = Some(identity),
        Ok(None) => {
            let is_empty = disk.list(data_dir).await.map_err(EngineError::disk(data_dir))?.is_empty();
            let meaning = "The next start gives the folder a new cluster id and a new directory id.";
            let advice = if is_empty {
                "Nothing, if the folder is to be a new broker's."
            } else {
                "Restore the file from a backup, so that clients and other brokers know this one again."
            };
            inspection.add(Level::Notice, &data_dir.join("meta.properties"), "it is not there", meaning, advice);
        }
        Err(error) => {
            let (path, what) = match error {
                StartError::Identity { path, reason } => (path, reason),
                other => (data_dir.join("meta.properties"), other.to_string()),
            };
            let advice = "Start the release that wrote the folder, or restore the file from a backup.";
            inspection.add(Level::Damage, &path, what, "The broker does not start.", advice);
            if let Some(finding) = inspection.findings.last_mut() {
                finding.code = Some("P0301");
            }
        }
    }
    Ok(())
}

fn note_recovery(report: &Report, inspection: &mut Inspection) {
    for (path, position) in &report.torn {
        let meaning = "A crash came in the middle of a write, which nobody was told of: nothing that was acknowledged is lost. A \
                       last group that the device has damaged since looks the same; then its records are lost.";
        inspection.add(
            Level::Notice,
            path,
            "the last group is cut short",
            meaning,
            "Nothing: the next start drops it.",
        );
        if let Some(finding) = inspection.findings.last_mut() {
            finding.position = Some(*position);
        }
    }
}

fn note_refusal(refusal: RecoveryError, inspection: &mut Inspection) {
    let RecoveryError { code, path, position, what } = refusal;
    let advice = format!("{} `partita log repair` copies what can still be read.", code.advice());
    inspection.findings.push(Finding {
        level: Level::Damage,
        code: Some(code.as_str()),
        path,
        position: Some(position),
        what,
        meaning: "The broker does not start, so that nothing is lost without a word.".to_owned(),
        advice,
    });
}

async fn inspect_folder<D: Disk>(
    disk: &D,
    dir: &Path,
    is_exact: bool,
    inspection: &mut Inspection,
) -> Result<(), EngineError> {
    inspection.partitions += 1;
    let mut seen = inspection.seen;
    let mut note = |found| inspection.findings.push(in_words(dir, found));
    inspect_partition(disk, dir, is_exact, &mut seen, &mut note).await?;
    inspection.seen = seen;
    Ok(())
}

fn in_words(dir: &Path, Found { path, problem }: Found) -> Finding {
    let topic =
        dir.file_name().and_then(|name| name.to_str()).and_then(parse_folder_name).map_or("", |(topic, _)| topic);
    let finding = |level, code, position, what: String, meaning: &str, advice: &str| {
        let (meaning, advice, path) = (meaning.to_owned(), advice.to_owned(), path.clone());
        Finding { level, code, path, position, what, meaning, advice }
    };
    match problem {
        Problem::Rotten(rotten) => {
            let last = rotten.offsets.end.saturating_sub(1);
            let what = format!("{}; offsets {} to {last} cannot be read", rotten.what, rotten.offsets.start);
            let meaning = match topic {
                CLUSTER_METADATA_TOPIC => "The broker does not start: it cannot know which topics there are.",
                OFFSETS_TOPIC => "The broker does not start: it cannot know what groups have committed.",
                _ => "Consumers of these offsets are told CORRUPT_MESSAGE; all other records are served.",
            };
            let advice = "Check the device. Restore the file from a replica or a backup, or let consumers seek past the last of \
                          these offsets. `partita log repair` makes a copy without them.";
            finding(Level::Damage, Some("P0401"), Some(rotten.position), what, meaning, advice)
        }
        Problem::Index(what) => finding(
            Level::Damage,
            None,
            None,
            what,
            "Readers may be shown the wrong place in the segment, and miss records.",
            "Remove the .index and .timeindex files of this segment: they are made anew from it.",
        ),
        Problem::Derived(what) if path.ends_with(LEADER_EPOCH_FILE) => finding(
            Level::Damage,
            Some("P0306"),
            None,
            what,
            "The broker does not start.",
            "Remove the file: what is needed of it comes from the log.",
        ),
        Problem::Derived(what) => finding(
            Level::Notice,
            None,
            None,
            what,
            "The next start takes the producers' state from an older snapshot and from the log.",
            "Nothing. Check the device if it comes again.",
        ),
    }
}

async fn inspect_catalog<D: Disk>(
    disk: &D,
    data_dir: &Path,
    recovery: &Recovery,
    inspection: &mut Inspection,
) -> Option<Image> {
    let dir = data_dir.join(format!("{CLUSTER_METADATA_TOPIC}-0"));
    let mut image = Image::default();
    let loaded = match read_metadata(disk, data_dir, recovery).await {
        Ok(metadata) if metadata.is_empty() && recovery.logs.iter().any(is_of_a_topic) => {
            let meaning = "The broker does not start: it would take all partitions for those of deleted topics.";
            let advice = "Restore the folder from where it was moved to, or from a backup.";
            inspection.add(Level::Damage, &dir, "the metadata log is missing or empty", meaning, advice);
            if let Some(finding) = inspection.findings.last_mut() {
                finding.code = Some("P0307");
            }
            return None;
        }
        Ok(metadata) => {
            let mut replayed = metadata.iter().map(|batches| image.replay(batches));
            replayed.try_for_each(|one| one.map_err(|error| StartError::Metadata(error.to_string())))
        }
        Err(error) => Err(error),
    };
    if let Err(error) = loaded {
        let advice = "Start the release that wrote it, or a newer one. If it is damaged, restore it from a backup.";
        inspection.add(Level::Damage, &dir, error.to_string(), "The broker does not start.", advice);
        return None;
    }
    inspection.topics = Some(image.topics().len());
    Some(image)
}

fn is_of_a_topic(log: &RecoveredLog) -> bool {
    log.key != TopicPartitionId::CLUSTER_METADATA
}

fn compare_with_catalog(data_dir: &Path, image: &Image, recovery: &Recovery, inspection: &mut Inspection) {
    let is_known = |key: TopicPartitionId| key == TopicPartitionId::CLUSTER_METADATA || image.partition(key).is_some();
    for log in recovery.logs.iter().filter(|log| !is_known(log.key)) {
        let (meaning, advice) = ("Its topic was deleted.", "Nothing: the next start removes it.");
        inspection.add(Level::Notice, &log.dir, "a partition that no topic has", meaning, advice);
    }
    for key in recovery.missing.iter().filter(|&&key| is_known(key)) {
        let name = image.topic(key.topic).map_or("?", |topic| &topic.name);
        let path = data_dir.join(format!("{name}-{}", key.partition));
        let meaning =
            "The broker does not start: the journal has acknowledged records of this partition, which would be lost.";
        inspection.add(Level::Damage, &path, "the folder is missing", meaning, "Restore the folder.");
        if let Some(finding) = inspection.findings.last_mut() {
            finding.code = Some("P0303");
        }
    }
}

/// Loads what groups have committed, as a start does.
async fn inspect_groups<D: Disk>(
    disk: &D,
    data_dir: &Path,
    image: &Image,
    recovery: &Recovery,
    inspection: &mut Inspection,
) {
    let Some(topic) = image.topic_named(OFFSETS_TOPIC) else { return };
    let mut groups = Groups::new(GroupConfig::from(&BrokerConfig::default()));
    for found in recovery.logs.iter().filter(|found| found.key.topic == topic.id) {
        let loaded = async {
            let config = LogConfig::default();
            let log = Log::open(disk, data_dir, &found.topic, found.key, config, found.trusted).await?;
            read_log(&log, log.log_start(), Damage::Refused, |bytes| {
                let loaded = groups.load(found.key.partition, bytes);
                loaded.map_err(|error| StartError::Groups(error.to_string()))
            })
            .await
        };
        if let Err(error) = loaded.await {
            let advice = "Start the release that wrote it, or a newer one. If it is damaged, restore it from a backup.";
            inspection.add(Level::Damage, &found.dir, error.to_string(), "The broker does not start.", advice);
        }
    }
}
