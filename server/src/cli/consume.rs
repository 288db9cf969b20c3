//! `partita consume`: records go to stdout, one a line.
//!
//! With `--group` the partitions are shared with the group's other members, and what was printed is committed: at intervals,
//! before a rebalance and at the end. A record may be printed twice after a crash, never lost.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use loadgen::client::{
    Client, ClientError, Consumer, GroupMember, GroupOptions, GroupProtocol, OffsetSpec, Rebalance, TopicPartition,
};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::CliError;
use super::connect::{CLIENT_ID, ConnectArgs};
use super::output::Format;
use print::{Fields, print};

mod print;

/// The most that a fetch waits for news: the pace at which signals, timeouts and rebalances are noticed.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// The pace at which a member without partitions looks around.
const IDLE_PAUSE: Duration = Duration::from_millis(100);
/// How long a rebalance waits for us: printing a fetch's records takes no longer.
const REBALANCE_TIMEOUT: Duration = Duration::from_secs(60);
const RETRY_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct ConsumeArgs {
    /// The topic
    #[arg(value_name = "TOPIC", required_unless_present = "topic")]
    name: Option<String>,
    /// The topic, as Kafka's tools take it
    #[arg(long, value_name = "TOPIC", conflicts_with = "name")]
    topic: Option<String>,
    /// Begin with the first record where the group has committed nothing, instead of with the next one to come
    #[arg(long)]
    from_beginning: bool,
    /// Share the partitions with the other members of this group, and commit what was printed
    #[arg(long, value_name = "GROUP", conflicts_with = "partition")]
    group: Option<String>,
    #[command(flatten)]
    member: MemberArgs,
    /// Read only this partition
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// End after so many records
    #[arg(long, value_name = "N")]
    max_messages: Option<u64>,
    /// End when nothing has come for so long, in ms [default: never]
    #[arg(long, value_name = "MS")]
    timeout_ms: Option<u64>,
    #[command(flatten)]
    fields: Fields,
    /// One line of text a record, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// How to be a member of a group.
#[derive(Debug, Args)]
struct MemberArgs {
    /// What this client calls itself, as `partita group describe` shows
    #[arg(long, value_name = "NAME", default_value = CLIENT_ID)]
    client_id: String,
    /// How often to commit what was printed, in ms
    #[arg(long, value_name = "MS", default_value_t = 5000, requires = "group")]
    commit_interval_ms: u64,
    /// Who decides which member reads what: the members, or the broker (KIP-848)
    #[arg(long, value_enum, value_name = "PROTOCOL", default_value_t = ProtocolArg::Classic, requires = "group")]
    group_protocol: ProtocolArg,
    /// The name of a static member: it keeps its place, and its partitions, while it is away for no longer than its session
    #[arg(long, value_name = "NAME", requires = "group")]
    group_instance_id: Option<String>,
    /// How long this member may be silent before the group goes on without it, in ms [classic protocol, default: 45000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..), requires = "group")]
    session_timeout_ms: Option<u64>,
    /// How often to tell the group that this member lives, in ms; how soon it learns of a rebalance [classic protocol,
    /// default: 3000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..), requires = "group")]
    heartbeat_interval_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProtocolArg {
    Classic,
    Consumer,
}

impl MemberArgs {
    fn options(&self, group: &str, topic: &str) -> Result<GroupOptions, CliError> {
        let protocol = match self.group_protocol {
            ProtocolArg::Classic => GroupProtocol::Classic,
            ProtocolArg::Consumer => GroupProtocol::Consumer,
        };
        let timing =
            [("session-timeout-ms", self.session_timeout_ms), ("heartbeat-interval-ms", self.heartbeat_interval_ms)];
        if let Some((flag, _)) = timing.iter().find(|(_, given)| protocol == GroupProtocol::Consumer && given.is_some())
        {
            return Err(CliError::Usage(format!(
                "--{flag} is the broker's to say with --group-protocol consumer: see group.consumer.* in `partita config`, or set it for \
                 the group with kafka-configs --entity-type groups"
            )));
        }
        let mut options = GroupOptions::new(group, &[topic]);
        options.protocol = protocol;
        options.instance_id.clone_from(&self.group_instance_id);
        options.rebalance_timeout = REBALANCE_TIMEOUT;
        options.session_timeout = self.session_timeout_ms.map_or(options.session_timeout, Duration::from_millis);
        options.heartbeat_interval =
            self.heartbeat_interval_ms.map_or(options.heartbeat_interval, Duration::from_millis);
        Ok(options)
    }

    /// How long a fetch may wait, in ms.
    fn max_wait_ms(&self) -> i32 {
        let wait =
            self.heartbeat_interval_ms.map_or(MAX_WAIT, |interval_ms| MAX_WAIT.min(Duration::from_millis(interval_ms)));
        wait.as_millis() as i32
    }
}

pub(super) fn run(args: ConsumeArgs) -> Result<(), CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second signal ends the process at once, the first one asks to end in order.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, stop.clone())
            .and_then(|_| signal_hook::flag::register(signal, stop.clone()))
            .map_err(CliError::Input)?;
    }
    let client = args.connect.connect_as(&args.member.client_id)?;
    let session = Session {
        client,
        topic: args.name.as_deref().or(args.topic.as_deref()).unwrap_or_default(),
        args: &args,
        stop,
        out: BufWriter::new(io::stdout()),
        printed: 0,
        last_record_at: Instant::now(),
    };
    session.run()
}

struct Session<'a> {
    client: Client,
    topic: &'a str,
    args: &'a ConsumeArgs,
    stop: Arc<AtomicBool>,
    out: BufWriter<io::Stdout>,
    printed: u64,
    last_record_at: Instant,
}

impl Session<'_> {
    fn run(mut self) -> Result<(), CliError> {
        let ended = match &self.args.group {
            Some(group) => self.run_member(group),
            None => self.run_alone(),
        };
        self.out.flush().map_err(CliError::Output)?;
        eprintln!("Printed {} record(s).", self.printed);
        ended
    }

    fn reset(&self) -> OffsetSpec {
        if self.args.from_beginning { OffsetSpec::Earliest } else { OffsetSpec::Latest }
    }

    fn is_over(&self) -> bool {
        let idle = self.last_record_at.elapsed();
        self.stop.load(Ordering::Relaxed)
            || self.args.max_messages.is_some_and(|most| self.printed >= most)
            || self.args.timeout_ms.is_some_and(|most| idle >= Duration::from_millis(most))
    }

    fn run_alone(&mut self) -> Result<(), CliError> {
        let topic = self.client.topic(self.topic, false)?;
        let chosen = topic.partitions.iter().filter(|info| self.args.partition.is_none_or(|only| only == info.index));
        let partitions: Vec<TopicPartition> =
            chosen.map(|info| TopicPartition { topic: topic.name.clone(), partition: info.index }).collect();
        if partitions.is_empty() {
            let last = topic.partitions.len().saturating_sub(1);
            return Err(CliError::Usage(format!("--partition: {} has only the partitions 0 to {last}", topic.name)));
        }
        let positions = self.client.offsets(&partitions, self.reset())?;
        let mut consumer = Consumer::new(positions, self.reset(), self.args.member.max_wait_ms());
        while !self.is_over() {
            self.poll(&mut consumer)?;
        }
        Ok(())
    }

    /// Fetches once and prints what came. A leader that cannot be found is looked for until the request timeout is over.
    fn poll(&mut self, consumer: &mut Consumer) -> Result<(), CliError> {
        let most = self.args.max_messages.unwrap_or(u64::MAX);
        if self.printed >= most {
            return Ok(());
        }
        let deadline = Instant::now() + self.client.timeout();
        let before = self.printed;
        loop {
            let (out, printed, args) = (&mut self.out, &mut self.printed, self.args);
            let polled = consumer.poll(&mut self.client, |fetched| {
                print(out, &fetched, &args.fields, args.format).map_err(CliError::Output)?;
                *printed += 1;
                Ok::<bool, CliError>(*printed < most)
            });
            match polled {
                Ok(_) => break,
                Err(CliError::Client { error }) if error.is_retriable() && Instant::now() < deadline => {
                    self.client.forget(self.topic);
                    std::thread::sleep(RETRY_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
        if self.printed > before {
            self.last_record_at = Instant::now();
        }
        self.out.flush().map_err(CliError::Output)
    }

    fn run_member(&mut self, group: &str) -> Result<(), CliError> {
        let options = self.args.member.options(group, self.topic)?;
        self.client.topic(self.topic, false)?;
        let mut member = GroupMember::new(&mut self.client, options)?;
        let ended = self.consume_as(&mut member);
        let left = member.leave(&mut self.client);
        ended?;
        Ok(left?)
    }

    fn consume_as(&mut self, member: &mut GroupMember) -> Result<(), CliError> {
        while !self.is_over() {
            let partitions = member.join(&mut self.client)?;
            self.last_record_at = Instant::now();
            let names: Vec<String> = partitions.iter().map(TopicPartition::to_string).collect();
            eprintln!("Assigned: {}.", if names.is_empty() { "nothing".to_owned() } else { names.join(", ") });
            let positions = self.start_positions(member, &partitions)?;
            let mut consumer = Consumer::new(positions.clone(), self.reset(), self.args.member.max_wait_ms());
            let mut committed = positions;
            let mut committed_at = Instant::now();
            let mut rebalance = Rebalance::No;
            while rebalance == Rebalance::No && !self.is_over() {
                if consumer.positions().is_empty() {
                    std::thread::sleep(IDLE_PAUSE);
                } else {
                    self.poll(&mut consumer)?;
                }
                rebalance = member.heartbeat(&mut self.client)?;
                if committed_at.elapsed() >= Duration::from_millis(self.args.member.commit_interval_ms) {
                    self.commit(member, &consumer, &mut committed)?;
                    committed_at = Instant::now();
                }
            }
            self.commit(member, &consumer, &mut committed)?;
        }
        Ok(())
    }

    /// Where the group has got to, and elsewhere the beginning or the end. That is committed too, so that a group that began
    /// at the end does not begin there again.
    fn start_positions(
        &mut self,
        member: &mut GroupMember,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>, CliError> {
        self.client.refresh(Some(&[self.topic]), false)?;
        let mut positions = member.committed(&mut self.client, partitions)?;
        let fresh: Vec<TopicPartition> =
            partitions.iter().filter(|partition| !positions.contains_key(*partition)).cloned().collect();
        let found = self.client.offsets(&fresh, self.reset())?;
        tolerate_rebalance(member.commit(&mut self.client, &found))?;
        positions.extend(found);
        Ok(positions)
    }

    fn commit(
        &mut self,
        member: &mut GroupMember,
        consumer: &Consumer,
        committed: &mut BTreeMap<TopicPartition, i64>,
    ) -> Result<(), CliError> {
        let moved: BTreeMap<TopicPartition, i64> = consumer
            .positions()
            .iter()
            .filter(|(partition, offset)| committed.get(*partition) != Some(*offset))
            .map(|(partition, offset)| (partition.clone(), *offset))
            .collect();
        tolerate_rebalance(member.commit(&mut self.client, &moved))?;
        committed.extend(moved);
        Ok(())
    }
}

/// A commit that a rebalance has overtaken is not ours to make any more: the next owner prints those records again.
fn tolerate_rebalance(result: Result<(), ClientError>) -> Result<(), CliError> {
    match result {
        Err(error) if error.is_overtaken() => {
            eprintln!("{error}");
            Ok(())
        }
        other => Ok(other?),
    }
}
