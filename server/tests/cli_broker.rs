//! The commands against a broker of this build: what a user's first minutes look like.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker in a folder of its own; both go with it.
struct Broker {
    child: Child,
    address: SocketAddr,
    dir: tempfile::TempDir,
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

impl Broker {
    fn start() -> Broker {
        let dir = tempfile::tempdir().expect("a folder");
        let (address, metrics) = (free_address(), free_address());
        // Plain `partita`, one setting by each way there is.
        let config = dir.path().join("partita.toml");
        std::fs::write(&config, "group.initial.rebalance.delay.ms = 0\noffsets.topic.num.partitions = 2\n")
            .expect("written");
        let child = Command::new(env!("CARGO_BIN_EXE_partita"))
            .args(["--cores", "2", "--listen", &address.to_string()])
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .arg("--config")
            .arg(&config)
            .env("PARTITA_METRICS_LISTEN", metrics.to_string())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let mut broker = Broker { child, address, dir };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() || TcpStream::connect(metrics).is_err() {
            let ended = broker.child.try_wait().expect("a child");
            assert!(ended.is_none() && Instant::now() < deadline, "the broker does not listen: {ended:?}");
            thread::sleep(Duration::from_millis(20));
        }
        broker
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
        command.args(args).env("PARTITA_BOOTSTRAP_SERVER", self.address.to_string());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary runs")
    }

    /// Runs a command that must succeed, and returns its stdout.
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn produce(&self, args: &[&str], lines: &str) {
        let mut command = self.command(&[&["produce"], args].concat());
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

#[test]
fn a_topic_is_created_described_altered_and_deleted() {
    let broker = Broker::start();
    broker.ok(&["topic", "create", "--topic", "demo_1", "--partitions", "2", "--config", "retention.ms=1000"]);
    let again = broker.run(&["topic", "create", "demo_1"]);
    assert_eq!(again.status.code(), Some(1));
    broker.ok(&["topic", "create", "demo_1", "--if-not-exists"]);
    broker.produce(&["demo_1", "--partition", "1"], "one\ntwo\n");
    let described: Value =
        serde_json::from_str(&broker.ok(&["topic", "describe", "demo_1", "--format", "json"])).expect("JSON");
    assert_eq!(described["configs"]["retention.ms"], "1000");
    let partitions = described["partitions"].as_array().expect("a list");
    let cores: BTreeSet<u64> = partitions.iter().filter_map(|partition| partition["core"].as_u64()).collect();
    assert_eq!(cores, BTreeSet::from([0, 1]), "a partition on each core: {described}");
    assert_eq!((&partitions[1]["latest_offset"], &partitions[0]["latest_offset"]), (&2.into(), &0.into()));
    assert!(partitions[1]["size_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{described}");

    broker.ok(&["topic", "alter", "demo_1", "--partitions", "3", "--delete-config", "retention.ms"]);
    let listed: Value = serde_json::from_str(&broker.ok(&["topic", "list", "--format", "json"])).expect("JSON");
    assert_eq!((&listed[0]["name"], &listed[0]["partitions"]), (&"demo_1".into(), &3.into()));
    broker.ok(&["topic", "delete", "demo_1"]);
    assert_eq!(broker.run(&["topic", "describe", "demo_1"]).status.code(), Some(1));
}

#[test]
fn records_come_back_as_they_were_sent_through_every_codec() {
    let broker = Broker::start();
    broker.ok(&["topic", "create", "t", "--partitions", "2"]);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let args = ["t", "--partition", "1", "--compression", codec, "--key-separator", ":", "--header", "h=v"];
        broker.produce(&args, &format!("{codec}:value of {codec}\n"));
    }
    let text = broker.ok(&["consume", "t", "--from-beginning", "--max-messages", "5", "--format", "json"]);
    let lines = json_lines(&text);
    for (offset, (line, codec)) in lines.iter().zip(["none", "gzip", "snappy", "lz4", "zstd"]).enumerate() {
        assert_eq!((&line["offset"], &line["key"]), (&offset.into(), &codec.into()));
        assert_eq!(line["value"], format!("value of {codec}"));
        assert_eq!(line["headers"][0]["value"], "v");
    }
    assert_eq!(lines.len(), 5);
}

#[test]
fn a_group_goes_on_where_it_was() {
    let broker = Broker::start();
    broker.ok(&["topic", "create", "t", "--partitions", "1"]);
    broker.produce(&["t"], "1\n2\n3\n");
    let consume = ["consume", "t", "--group", "g", "--from-beginning", "--max-messages"];
    assert_eq!(broker.ok(&[&consume[..], &["2"]].concat()), "1\n2\n");
    assert_eq!(broker.ok(&[&consume[..], &["1"]].concat()), "3\n");
}

#[test]
fn a_clean_stop_leaves_segments_that_dump_reads() {
    let mut broker = Broker::start();
    broker.ok(&["topic", "create", "t", "--partitions", "1"]);
    broker.produce(&["t", "--key-separator", ":"], "k:v\n");
    let stopped = Command::new("kill").args(["-TERM", &broker.child.id().to_string()]).status().expect("kill runs");
    assert!(stopped.success());
    assert!(broker.child.wait().expect("it ends").success(), "a clean stop ends with status 0");
    let data = broker.dir.path().join("data");
    let dump = |folder: &str| {
        let path = data.join(folder).join("00000000000000000000.log");
        broker.ok(&["log", "dump", path.to_str().expect("text"), "--format", "json"])
    };
    let lines = json_lines(&dump("t-0"));
    assert_eq!((&lines[0]["valid"], &lines[1]["key"], &lines[1]["value"]), (&true.into(), &"k".into(), &"v".into()));
    assert!(dump("__cluster_metadata-0").contains("TopicRecord { name: \\\"t\\\""));
}
