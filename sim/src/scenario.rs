//! What a seed decides before anything runs: cores, topics, loads and faults.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use ::broker::config::BrokerConfig;
use engine::journal::writer::JournalConfig;
use engine::memory_disk::Operation;
use wire::TopicPartitionId;
use wire::compression::Compression;

use crate::broker::{End, StoreProfile};
use crate::client::Topic;
use crate::client::admin::{AdminStep, TopicPlan};
use crate::client::committer::CommitterPlan;
use crate::client::consumer::ConsumerPlan;
use crate::client::group::GroupPlan;
use crate::client::producer::ProducerPlan;
use crate::dice::Dice;
use crate::disk::DiskProfile;
use crate::faults::{Broken, Fault};
use crate::net::NetProfile;

mod groups;

/// Most cores of a simulated broker.
const CORES_MAX: u64 = 4;
/// Within this time all faults happen.
pub const FAULTS_WITHIN: Duration = Duration::from_secs(4);
const MICROSECOND: Duration = Duration::from_micros(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The world of one seed.
pub struct Scenario {
    /// Cores of the first start.
    pub cores: u16,
    /// The broker's settings.
    pub config: Arc<BrokerConfig>,
    /// The bounds of its stores.
    pub store: StoreProfile,
    /// The disk's latencies.
    pub disk: DiskProfile,
    /// Of 100 sectors that a power loss leaves half-written, how many cannot be read afterwards.
    pub unreadable_percent: u64,
    /// The network.
    pub net: NetProfile,
    /// Between cores.
    pub mesh_delay: RangeInclusive<Duration>,
    /// Topics that are there before the load begins.
    pub topics: Vec<TopicPlan>,
    /// What goes wrong when, in order.
    pub faults: Vec<(Duration, Fault)>,
    dice: Dice,
    group_dice: Dice,
    /// Decides what a storm brings beyond that.
    storm: Option<Dice>,
    /// Large records and small segments.
    bulky: bool,
}

/// What clients do.
pub struct Loads {
    /// Writers.
    pub producers: Vec<ProducerPlan>,
    /// Readers.
    pub consumers: Vec<ConsumerPlan>,
    /// Groups without members.
    pub committers: Vec<CommitterPlan>,
    /// Groups with members.
    pub groups: Vec<GroupPlan>,
    /// The administrator's steps.
    pub admin: Vec<AdminStep>,
}

impl Scenario {
    /// That of a seed. A `storm` brings further faults and loads, and leaves all the others as they are.
    pub fn new(seed: u64, storm: bool) -> Scenario {
        let storm = storm.then(|| Dice::new(seed.rotate_left(32)));
        let dice = Dice::new(seed);
        let bulky = dice.chance(10);
        let slow_disk = if dice.chance(20) { 20 } else { 1 };
        Scenario {
            cores: cores(&dice),
            config: Arc::new(config(&dice, storm.as_ref())),
            store: store(&dice, bulky),
            disk: DiskProfile {
                write: 20 * MICROSECOND..=2 * slow_disk * MILLISECOND,
                read: 10 * MICROSECOND..=slow_disk * MILLISECOND,
            },
            unreadable_percent: storm.as_ref().map_or(0, |storm| *storm.pick(&[0, 20, 60])),
            net: NetProfile {
                delay: 10 * MICROSECOND..=*dice.pick(&[1, 5, 30]) * MILLISECOND,
                partial_percent: *dice.pick(&[0, 10, 50]),
            },
            mesh_delay: MICROSECOND..=*dice.pick(&[20, 500, 5_000]) * MICROSECOND,
            topics: topics(&dice, bulky, storm.as_ref()),
            faults: faults(&dice, storm.as_ref()),
            dice: dice.fork(),
            group_dice: dice.fork(),
            storm,
            bulky,
        }
    }

    /// What clients do with the topics that were created.
    pub fn loads(&self, topics: &[Topic]) -> Loads {
        let dice = &self.dice;
        let all: Vec<(TopicPartitionId, String)> = topics
            .iter()
            .flat_map(|topic| {
                let key = |partition| (TopicPartitionId { topic: topic.id, partition }, topic.name.clone());
                (0..topic.partitions).map(key)
            })
            .collect();
        let some = |most: u64| -> Vec<(TopicPartitionId, String)> {
            let mut chosen: Vec<_> = (0..dice.within(1..=most)).map(|_| dice.pick(&all).clone()).collect();
            chosen.sort();
            chosen.dedup();
            chosen
        };
        let producers = (0..dice.within(2..=4)).map(|index| self.producer(index, some(6))).collect();
        let consumers = (0..dice.within(1..=3)).map(|index| ConsumerPlan {
            name: format!("consumer-{index}"),
            partitions: some(8),
            fetch_bytes: *dice.pick(&[500, 20_000, 1 << 20]),
            wait_ms: *dice.pick(&[20, 50, 500]),
            rewinds: dice.below(3),
        });
        let committers = (0..dice.within(0..=2)).map(|group| CommitterPlan {
            group: group as u32,
            partition: dice.pick(&all).clone(),
            commits: dice.within(5..=40) as i64,
            pause: 60 * MILLISECOND,
        });
        let (consumers, committers) = (consumers.collect(), committers.collect());
        let admin = self.admin(topics, &all);
        Loads {
            producers,
            consumers,
            committers,
            groups: groups::groups(&self.group_dice, &self.config, topics),
            admin,
        }
    }

    fn producer(&self, index: u64, partitions: Vec<(TopicPartitionId, String)>) -> ProducerPlan {
        let dice = &self.dice;
        let idempotent = dice.chance(60);
        let codecs = [Compression::None, Compression::None, Compression::Lz4, Compression::Gzip, Compression::Snappy];
        ProducerPlan {
            name: format!("producer-{index}"),
            idempotent,
            acks: if idempotent { -1 } else { *dice.pick(&[-1, 1, 1, 0]) },
            partitions: partitions.into_iter().map(|(key, _)| key).collect(),
            batches: dice.within(10..=if self.bulky { 40 } else { 120 }) as u32,
            records_max: dice.within(1..=8),
            record_bytes: if self.bulky { dice.within(10_000..=90_000) } else { dice.within(8..=2_000) } as usize,
            in_flight_max: dice.within(1..=5) as usize,
            compression: *dice.pick(&codecs),
            pause: *dice.pick(&[0, 5, 60]) * MILLISECOND,
            invalid_percent: *dice.pick(&[0, 3]),
        }
    }

    fn admin(&self, topics: &[Topic], all: &[(TopicPartitionId, String)]) -> Vec<AdminStep> {
        let dice = &self.dice;
        let mut steps = Vec::new();
        for index in 0..dice.within(0..=6) {
            match dice.below(4) {
                0 => {
                    let name = format!("extra-{index}");
                    let partitions = dice.within(1..=3) as i32;
                    steps.push(AdminStep::Create(TopicPlan { name: name.clone(), partitions, configs: Vec::new() }));
                    if dice.chance(60) {
                        steps.push(AdminStep::Delete(name.clone()));
                        if dice.chance(30) {
                            steps.push(AdminStep::Create(TopicPlan { name, partitions, configs: Vec::new() }));
                        }
                    }
                }
                1 => {
                    let (key, name) = dice.pick(all).clone();
                    steps.push(AdminStep::DeleteRecords(key, name, dice.within(1..=100)));
                }
                2 => {
                    let (_, name) = dice.pick(all).clone();
                    steps.push(AdminStep::Grow(name, dice.within(1..=2) as i32));
                }
                _ if topics.len() > 1 && dice.chance(25) => {
                    steps.push(AdminStep::Delete(dice.pick(&topics[1..]).name.clone()));
                }
                _ => {}
            }
        }
        if let Some(storm) = &self.storm {
            steps.extend((0..storm.below(3)).map(|_| configure(storm, storm.pick(all).1.clone())));
        }
        steps
    }
}

fn configure(dice: &Dice, topic: String) -> AdminStep {
    let (setting, value) = *dice.pick(&[
        ("segment.ms", "30"),
        ("segment.ms", "2000"),
        ("index.interval.bytes", "0"),
        ("index.interval.bytes", "9000"),
        ("message.timestamp.type", "LogAppendTime"),
        ("message.timestamp.type", "CreateTime"),
    ]);
    AdminStep::Configure(topic, setting, value)
}

fn cores(dice: &Dice) -> u16 {
    dice.within(1..=CORES_MAX) as u16
}

fn config(dice: &Dice, storm: Option<&Dice>) -> BrokerConfig {
    let mut settings = vec![
        ("data.dir", "/data".to_owned()),
        ("auto.create.topics.enable", "false".to_owned()),
        ("offsets.topic.num.partitions", dice.within(1..=4).to_string()),
        ("group.min.session.timeout.ms", "1".to_owned()),
        ("group.consumer.min.session.timeout.ms", "1".to_owned()),
        ("group.consumer.min.heartbeat.interval.ms", "1".to_owned()),
        ("group.consumer.session.timeout.ms", dice.pick(&[150, 400, 1_000]).to_string()),
        ("group.consumer.heartbeat.interval.ms", dice.pick(&[30, 100]).to_string()),
        ("group.disconnect.grace.ms", dice.pick(&[-1, 30, 3_000]).to_string()),
        ("group.initial.rebalance.delay.ms", dice.pick(&[0, 0, 50, 500]).to_string()),
        ("log.retention.check.interval.ms", dice.pick(&[100, 1000]).to_string()),
        ("log.scrub.bytes.per.second", "16000000".to_owned()),
        ("log.scrub.interval.ms", "250".to_owned()),
        ("batch.validation", dice.pick(&["header", "full"]).to_string()),
    ];
    if dice.chance(40) | storm.is_some() {
        // Compacted topics, of which the offsets topic is one, get short segments and are cleaned all the time.
        settings.extend([
            ("log.cleaner.max.compaction.lag.ms", dice.pick(&[50, 300]).to_string()),
            ("log.cleaner.min.cleanable.ratio", "0.01".to_owned()),
            ("log.cleaner.backoff.ms", "100".to_owned()),
            ("log.cleaner.delete.retention.ms", dice.pick(&[0, 500, 86_400_000]).to_string()),
        ]);
    }
    BrokerConfig::parse(settings).expect("simulated settings are valid")
}

/// Journals of a few files that a few dozen batches fill, and tails that have to be let go of.
fn store(dice: &Dice, bulky: bool) -> StoreProfile {
    let file_bytes_max = if bulky { 24 } else { 1 } * *dice.pick(&[128 << 10, 256 << 10]);
    // As `shard` has it: the largest batch takes no more than half of the largest file.
    let batch_bytes_max = file_bytes_max as usize / 2 - (16 << 10);
    let first_file_bytes = *dice.pick(&[32 << 10, 96 << 10]);
    let total_bytes_max = first_file_bytes + *dice.pick(&[2, 5]) * file_bytes_max;
    let group_bytes = *dice.pick(&[8 << 10, 24 << 10]);
    StoreProfile {
        journal: JournalConfig { first_file_bytes, file_bytes_max, total_bytes_max, group_bytes },
        batch_bytes_max,
        memory_bytes_max: *dice.pick(&[2, 16]) * batch_bytes_max,
        reserve_bytes: 64 << 10,
    }
}

fn topics(dice: &Dice, bulky: bool, storm: Option<&Dice>) -> Vec<TopicPlan> {
    let count = dice.within(1..=3);
    let topic = |index| {
        let mut configs: Vec<(&str, String)> = Vec::new();
        if dice.chance(40) {
            configs.push(("segment.ms", dice.pick(&[20, 200, 1000]).to_string()));
        }
        if bulky {
            configs.push(("segment.bytes", (1 << 20).to_string()));
        }
        if dice.chance(10) {
            configs.push(("retention.ms", dice.pick(&[300, 2000]).to_string()));
        }
        if dice.chance(20) {
            configs.push(("message.timestamp.type", "LogAppendTime".into()));
        }
        if dice.chance(20) {
            configs.push(("index.interval.bytes", dice.pick(&[0, 200]).to_string()));
        }
        if storm.is_some_and(|storm| storm.chance(30)) {
            // A tombstone that has gone would be missed.
            configs = vec![
                ("cleanup.policy", "compact".into()),
                ("segment.ms", "50".into()),
                ("delete.retention.ms", 86_400_000.to_string()),
            ];
        }
        let configs = configs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        TopicPlan { name: format!("topic-{index}"), partitions: dice.within(1..=4) as i32, configs }
    };
    (0..count).map(topic).collect()
}

fn faults(dice: &Dice, storm: Option<&Dice>) -> Vec<(Duration, Fault)> {
    let mut faults: Vec<(Duration, Fault)> = (0..dice.below(6))
        .map(|_| (Duration::from_micros(dice.below(FAULTS_WITHIN.as_micros() as u64)), fault(dice)))
        .collect();
    if let Some(storm) = storm {
        let at = || Duration::from_micros(storm.below(FAULTS_WITHIN.as_micros() as u64));
        faults.extend((0..storm.below(4)).map(|_| (at(), stall(storm))));
    }
    faults.sort_by_key(|(at, _)| *at);
    faults
}

fn stall(dice: &Dice) -> Fault {
    let after = |most_ms: u64| Duration::from_micros(dice.below(most_ms * 1000));
    if dice.chance(30) {
        return Fault::StallCore { core: dice.below(CORES_MAX) as u16, lasts: after(600) };
    }
    Fault::Stall {
        path_part: dice.pick::<&str>(&["journal", "journal", ".log", "checkpoint", ".swap", ""]),
        by: after(200),
        lasts: after(300),
        end: *dice.pick(&[None, Some(End::PowerLoss), Some(End::PowerLoss), Some(End::Kill)]),
    }
}

fn fault(dice: &Dice) -> Fault {
    let after = |most_ms: u64| Duration::from_micros(dice.below(most_ms * 1000));
    match dice.below(12) {
        0..=3 => Fault::Crash {
            how: *dice.pick(&[End::PowerLoss, End::PowerLoss, End::Kill]),
            cores: cores(dice),
            again_after: dice.chance(25).then(|| after(40)),
        },
        4 | 5 => Fault::Stop { cores: cores(dice), crash_after: dice.chance(30).then(|| after(30)) },
        6 | 7 => Fault::Cut { count: dice.within(1..=5) as u32 },
        8 | 9 => Fault::Full { room: dice.below(200 << 10), lasts: after(1500) },
        _ => {
            let (operation, path_part) = *dice.pick(&[
                (Operation::Write, "journal"),
                (Operation::Write, ".log"),
                (Operation::Sync, ".log"),
                (Operation::Read, ".log"),
                (Operation::SyncDir, ""),
                (Operation::Allocate, ""),
            ]);
            Fault::Break(Broken { operation, path_part, after: dice.below(10) as u32 })
        }
    }
}
