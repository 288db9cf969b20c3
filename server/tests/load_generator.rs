//! The load generator starts this broker, stops it where it is, lets it go on, and leaves nothing behind; and when something between it
//! and the broker loses, doubles or turns round what was acknowledged, each of its runs says so.

mod support;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use loadgen::client::Client;
use loadgen::proxy::{Fault, LossyProxy, Plan};
use loadgen::result::{Load, RunResult, Verdict};
use loadgen::run::{self, Target};
use loadgen::scenario::{Scenario, Sweep};
use loadgen::systems::{Options, Running, System};

fn options(folder: &Path) -> Options {
    Options { data: folder.to_owned(), partita: Some(support::binary().into()), ..Options::new() }
}

fn create_topic(running: &Running, name: &str) {
    let mut client = Client::connect(running.bootstrap(), "test", Duration::from_secs(60)).unwrap();
    client.create_topic(name, Some(2), None, &[]).unwrap();
}

#[test]
fn a_broker_is_started_frozen_and_ended_by_the_load_generator() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(&System::Partita, &options(folder.path())).unwrap();
    let info = running.info();
    assert_eq!((info.name.as_str(), info.version.as_str()), ("partita", env!("CARGO_PKG_VERSION")));
    let folder_name = folder.path().to_str().unwrap();
    assert!(running.conf().contains("group.initial.rebalance.delay.ms=0") && !running.conf().contains(folder_name));
    create_topic(&running, "before");
    running.freeze().unwrap();
    running.thaw().unwrap();
    create_topic(&running, "after");
    assert!(running.is_alive());
    let pid = running.pids()[0];
    running.stop().unwrap();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "its data is gone");
}

/// One partition and small batches: what follows a request on its connection is for the same partition.
fn scenario() -> Scenario {
    let text = r#"
        id = "lossy"
        [topic]
        partitions = 1
        [producers]
        rate = 2000
        record_bytes = 100
        batch_bytes = 1000
        [timing]
        warm_up_s = 0.2
        window_s = 0.8
        drain_s = 60.0
        [limits]
        backlog_s = 60.0
        silence_s = 60.0
    "#;
    Sweep::parse("lossy", text).unwrap().scenarios.remove(0)
}

/// A run through a proxy with `plan`, which has taken effect.
fn run_through(running: &Running, plan: Option<Plan>) -> RunResult {
    let proxy = LossyProxy::start(running.bootstrap().parse().unwrap(), plan).unwrap();
    let target = Target { bootstrap: proxy.address().to_string(), system: running.info().clone() };
    let outcome = run::run(&scenario(), &target, &run::Options::default(), &mut (), &AtomicBool::new(false));
    let faults = proxy.faults();
    assert_eq!(faults, u64::from(plan.is_some()), "the test is not valid: {plan:?}, {:?}", outcome.result.validity);
    outcome.result
}

#[test]
fn what_a_lossy_proxy_does_to_acknowledged_records_is_caught_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&System::Partita, &options(folder.path())).unwrap();
    let clean = run_through(&running, None);
    assert!(clean.validity.verdict <= Verdict::Suspect && clean.load.verified, "{:?}", clean.validity);
    assert!(clean.load.acked > 0);
    for request in [1, 6] {
        for (fault, found) in [
            (Fault::Drop, (|load| load.lost + load.unseen) as fn(&Load) -> u64),
            (Fault::Duplicate, |load| load.doubled),
            (Fault::Reorder, |load| load.reordered),
        ] {
            let plan = Plan { fault, request };
            let RunResult { load, validity, .. } = run_through(&running, Some(plan));
            assert!(found(&load) > 0, "{plan:?}: {load:?}");
            assert_eq!(validity.verdict, Verdict::Invalid, "{plan:?}: {:?}", validity.reasons);
        }
    }
    running.stop().unwrap();
}
