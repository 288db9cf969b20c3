//! `partita consume` as a member of groups, and `partita produce` through connections that break.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use support::{Broker, binary, wait_until};

mod support;

fn partita(bootstrap: &str, args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(args).env("PARTITA_BOOTSTRAP_SERVER", bootstrap);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(broker: &Broker, args: &[&str]) -> Output {
    partita(broker.address(), args).output().expect("the binary runs")
}

/// stdout of a command that must succeed.
fn ok(broker: &Broker, args: &[&str]) -> String {
    let output = run(broker, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn produce(bootstrap: &str, args: &[&str], lines: &str) -> Output {
    let mut command = partita(bootstrap, &[&["produce"], args].concat());
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary runs");
    child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("written");
    child.wait_with_output().expect("it ends")
}

fn describe(broker: &Broker, group: &str) -> Value {
    serde_json::from_str(&ok(broker, &["group", "describe", group, "--format", "json"])).expect("JSON")
}

#[test]
fn members_of_both_protocols_go_on_where_their_group_was() {
    let broker = Broker::start(&[]);
    broker.client().create_topic("t", 1, &[]);
    assert!(produce(broker.address(), &["t"], "1\n2\n3\n").status.success());
    for protocol in ["classic", "consumer"] {
        let consume = ["consume", "t", "--group", protocol, "--group-protocol", protocol, "--from-beginning"];
        assert_eq!(ok(&broker, &[&consume[..], &["--max-messages", "2"]].concat()), "1\n2\n");
        assert_eq!(ok(&broker, &[&consume[..], &["--max-messages", "1"]].concat()), "3\n");
        let described = describe(&broker, protocol);
        assert_eq!((&described["type"], &described["state"]), (&protocol.into(), &"Empty".into()), "{described}");
    }
    let refused =
        run(&broker, &["consume", "t", "--group", "g", "--group-protocol", "consumer", "--session-timeout-ms", "9000"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--session-timeout-ms is the broker's to say"));
}

#[test]
fn members_of_both_protocols_share_a_topic_and_take_over_from_one_that_leaves() {
    let broker = Broker::start(&[]);
    for protocol in ["classic", "consumer"] {
        broker.client().create_topic(protocol, 2, &[]);
        let args = ["consume", protocol, "--group", protocol, "--group-protocol", protocol, "--from-beginning"];
        let brisk: &[&str] = if protocol == "classic" { &["--heartbeat-interval-ms", "100"] } else { &[] };
        let mut members: Vec<_> =
            (0..2).map(|_| partita(broker.address(), &[&args, brisk].concat()).spawn().expect("it runs")).collect();
        let shares = || -> Vec<usize> {
            let described = run(&broker, &["group", "describe", protocol, "--format", "json"]);
            if !described.status.success() {
                // Nobody has joined yet.
                return Vec::new();
            }
            let described: Value = serde_json::from_slice(&described.stdout).expect("JSON");
            let members = described["members"].as_array().expect("a list").iter();
            let count = |member: &Value| {
                let topics = member["assignment"].as_array().map_or(&[][..], Vec::as_slice).iter();
                topics.map(|topic| topic["partitions"].as_array().map_or(0, Vec::len)).sum()
            };
            members.map(count).collect()
        };
        wait_until("each member has one partition", || shares() == [1, 1]);
        let leaver = members.pop().expect("two members");
        let told = Command::new("kill").args(["-TERM", &leaver.id().to_string()]).status().expect("kill runs");
        assert!(told.success());
        assert!(leaver.wait_with_output().expect("it ends").status.success());
        wait_until("the other one has both", || shares() == [2]);
        let mut last = members.pop().expect("one member");
        last.kill().expect("our child");
        last.wait().expect("it ends");
    }
}

#[test]
fn a_static_member_keeps_its_place_while_it_is_away() {
    let broker = Broker::start(&[]);
    broker.client().create_topic("t", 1, &[]);
    assert!(produce(broker.address(), &["t"], "1\n2\n").status.success());
    for protocol in ["classic", "consumer"] {
        let consume = ["consume", "t", "--group", protocol, "--group-protocol", protocol, "--from-beginning"];
        let args = [&consume[..], &["--group-instance-id", "inst", "--max-messages", "1"]].concat();
        for printed in ["1\n", "2\n"] {
            assert_eq!(ok(&broker, &args), printed, "{protocol}");
            let described = describe(&broker, protocol);
            assert_eq!(described["members"].as_array().map(Vec::len), Some(1), "{described}");
            assert_eq!(described["members"][0]["instance_id"], "inst", "{described}");
        }
    }
}

/// Frames of one connection.
fn frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame)?;
    Ok([length.to_vec(), frame].concat())
}

/// Passes requests on to a broker and answers back, but breaks the connection instead of giving the first `losses` answers to
/// Produce. Counts the Produce requests.
fn pass_on(listener: TcpListener, broker: String, losses: usize, produced: Arc<AtomicUsize>) {
    for client in listener.incoming() {
        let (mut client, produced) = (client.expect("a connection"), produced.clone());
        let broker = broker.clone();
        thread::spawn(move || -> io::Result<()> {
            let mut broker = TcpStream::connect(broker)?;
            loop {
                let request = frame(&mut client)?;
                broker.write_all(&request)?;
                let answer = frame(&mut broker)?;
                let is_produce = request[4..6] == [0, 0];
                if is_produce && produced.fetch_add(1, Ordering::SeqCst) < losses {
                    return Ok(());
                }
                client.write_all(&answer)?;
            }
        });
    }
}

#[test]
fn a_record_whose_acknowledgement_was_lost_is_sent_again_and_appended_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let advertised = listener.local_addr().expect("bound").to_string();
    let broker = Broker::start(&[("advertised.listeners", &advertised)]);
    broker.client().create_topic("t", 1, &[]);
    let produced = Arc::new(AtomicUsize::new(0));
    let (address, count) = (broker.address().to_owned(), produced.clone());
    thread::spawn(move || pass_on(listener, address, 2, count));

    let sent = produce(&advertised, &["t"], "one\n");
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    assert_eq!(produced.load(Ordering::SeqCst), 3, "two acknowledgements were lost");
    assert!(produce(&advertised, &["t"], "two\n").status.success());
    let records = broker.client().read_all("t", 0, 0);
    assert_eq!(records, [(0, b"one".to_vec()), (1, b"two".to_vec())]);
}
