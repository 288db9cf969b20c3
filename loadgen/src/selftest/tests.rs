//! Runs against the built-in broker: what must be seen when it stalls, refuses, dies, lies, or forgets; and clean runs of every kind.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wire::ErrorCode;
use wire::compression::Compression;

use super::*;
use crate::proxy;
use crate::result::{Load, RunResult, Verdict};
use crate::run::Phase;
use crate::scenario::{KeyDistribution, Keys, OnError, Partitioner};

fn small(rate: f64) -> Scenario {
    let producers = Producers { rate: Rate::PerSecond(rate), record_bytes: 200, ..Producers::default() };
    let mut scenario = scenario("small", producers, 0.6);
    scenario.timing.warm_up_s = 0.2;
    scenario
}

fn healthy(scenario: &Scenario) -> RunResult {
    scenario.validate().expect("a possible scenario");
    run(scenario, Behaviour { keeps: true, fault: Fault::None }, &mut ()).expect("a broker").result
}

fn faulty(scenario: &Scenario, fault: Fault) -> RunResult {
    run(scenario, Behaviour { keeps: true, fault }, &mut ()).expect("a broker").result
}

fn assert_clean(result: &RunResult, what: &str) {
    let load = &result.load;
    assert!(load.verified, "{what}: {:?}", result.validity);
    let wrong = load.lost + load.unseen + load.doubled + load.reordered + load.foreign;
    assert_eq!(wrong, 0, "{what}: {load:?}");
    assert!(load.errors.is_empty(), "{what}: {load:?}");
    assert!(result.validity.verdict <= Verdict::Suspect, "{what}: {:?}", result.validity);
}

#[test]
fn a_stall_of_a_second_is_seen_by_every_record_that_was_due_in_it() {
    let stall = stall().expect("a run");
    assert!(stall.is_seen(), "coordinated omission: {stall:?}");
    assert_eq!(stall.tenths.len(), 9);
    assert!(stall.tenths[0].1 > 1500 && stall.tenths[8].1 > 100, "the least counts mean something: {stall:?}");
}

/// What makes a variant of a scenario.
type Change = fn(&mut Scenario);

#[test]
fn whatever_is_offered_is_acknowledged_and_proved() {
    let variants: [(&str, Change); 10] = [
        ("acks 1", |scenario| scenario.producers.acks = Acks::Leader),
        ("round robin with linger", |scenario| {
            scenario.producers.partitioner = Partitioner::RoundRobin;
            scenario.producers.linger_ms = 5.0;
        }),
        ("idempotent", |scenario| scenario.producers.idempotent = true),
        ("zipf keys", |scenario| {
            let keys = Keys { distribution: KeyDistribution::Zipf, count: 100, exponent: None };
            scenario.producers.keys = Some(keys);
        }),
        ("gzip", |scenario| scenario.producers.compression = Compression::Gzip),
        ("snappy", |scenario| scenario.producers.compression = Compression::Snappy),
        ("lz4", |scenario| scenario.producers.compression = Compression::Lz4),
        ("zstd", |scenario| scenario.producers.compression = Compression::Zstd),
        ("several topics, producers and workers", |scenario| {
            scenario.topic.count = 3;
            scenario.producers.count = 2;
            scenario.workers = 2;
            scenario.groups[0].members = 2;
        }),
        ("read back", |scenario| {
            scenario.verify = Verify::ReadBack;
            scenario.groups.clear();
        }),
    ];
    for (what, change) in variants {
        let mut scenario = small(2000.0);
        change(&mut scenario);
        let result = healthy(&scenario);
        assert_clean(&result, what);
        assert_eq!(result.load.acked, result.load.offered, "{what}");
        assert!((1500..=1700).contains(&result.load.offered), "0.8 s of the rate: {what}: {:?}", result.load);
        let samples = result.latency.response.as_ref().map_or(0, |latency| latency.samples);
        assert!((1100..=1210).contains(&samples), "each record of the window is a sample: {what}: {samples}");
    }
}

#[test]
fn without_acknowledgements_there_is_no_produce_latency_but_a_proof() {
    let mut scenario = small(2000.0);
    scenario.producers.acks = Acks::None;
    let result = healthy(&scenario);
    assert_clean(&result, "acks 0");
    assert_eq!((result.load.acked, &result.latency.response, &result.latency.service), (0, &None, &None));
    assert_eq!(result.load.delivered, result.load.sent);
    assert!(result.latency.e2e.is_some_and(|latency| latency.samples > 1000));
}

#[test]
fn as_fast_as_the_broker_takes_it_is_acknowledged_too() {
    let mut scenario = small(1.0);
    scenario.producers.rate = Rate::Max;
    let result = healthy(&scenario);
    assert_clean(&result, "max");
    assert!(result.load.acked > 1000 && result.load.acked == result.load.offered, "{:?}", result.load);
    assert!(result.throughput.batch_records > 10.0, "full batches: {:?}", result.throughput);
}

#[test]
fn a_backlog_is_written_before_anybody_reads_and_then_drained() {
    let mut scenario = small(500.0);
    scenario.backlog = Some(crate::scenario::Backlog { megabytes: 2, fill_s: 60.0 });
    let result = healthy(&scenario);
    assert_clean(&result, "backlog");
    assert!(result.load.sent >= 10_000, "2 MB of 200 bytes: {:?}", result.load);
    assert!(result.groups[0].drained_s.is_some(), "{:?}", result.groups);
}

#[test]
fn what_breaks_a_run_is_told() {
    let after = Duration::from_millis(1000);
    let denied = ErrorCode::TopicAuthorizationFailed.code();
    for (fault, word) in [
        (Fault::Silence { after }, "has not answered"),
        (Fault::Death { after }, "DISCONNECTED"),
        (Fault::Nonsense { after }, "nonsense"),
        (Fault::Refusal { after, code: denied }, "TOPIC_AUTHORIZATION_FAILED"),
        (Fault::Forgetting { after }, "disappeared"),
    ] {
        let mut scenario = small(1000.0);
        scenario.timing.window_s = 60.0;
        scenario.timing.drain_s = 1.0;
        scenario.limits.silence_s = 2.0;
        let result = faulty(&scenario, fault);
        assert_eq!(result.validity.verdict, Verdict::Invalid, "{fault:?}");
        let reasons = result.validity.reasons.join("; ");
        assert!(reasons.contains(word), "{fault:?}: {reasons}");
        assert!(result.load.acked > 0, "it had begun: {fault:?}: {:?}", result.load);
    }
}

#[test]
fn errors_that_are_to_be_counted_do_not_end_a_run() {
    let mut scenario = small(1000.0);
    scenario.on_error = OnError::Count;
    scenario.timing.window_s = 4.0;
    let code = ErrorCode::MessageTooLarge.code();
    let result = faulty(&scenario, Fault::Refusal { after: Duration::from_millis(300), code });
    let failed = result.load.errors.get("MESSAGE_TOO_LARGE").copied().unwrap_or(0);
    assert!(failed > 0, "the fault took effect: {:?}", result.load);
    assert_eq!(result.load.acked + failed, result.load.offered);
    assert_eq!(result.validity.verdict, Verdict::Suspect, "{:?}", result.validity);
    assert!(result.load.verified && result.load.lost == 0, "what was refused is not lost: {:?}", result.load);
}

#[test]
fn what_is_refused_for_the_moment_is_sent_again_and_nothing_is_lost_or_doubled() {
    for idempotent in [false, true] {
        let mut scenario = small(1000.0);
        scenario.producers.idempotent = idempotent;
        scenario.timing.window_s = 4.0;
        scenario.producers.in_flight = 1;
        let code = ErrorCode::NotLeaderOrFollower.code();
        let fault = Fault::Refusal { after: Duration::from_millis(200), code };
        let lasts = Duration::from_millis(500);
        let broker = Broker::start(Behaviour { keeps: true, fault }).expect("a broker");
        let healer = broker.heal_after(lasts);
        let target = target_at(broker.bootstrap());
        let outcome = run::run(&scenario, &target, &Options::default(), &mut (), &AtomicBool::new(false));
        healer.join().expect("healed");
        assert!(outcome.result.load.retried > 0, "the fault took effect: {:?}", outcome.result.load);
        assert_clean(&outcome.result, "retries");
        assert_eq!(outcome.result.load.acked, outcome.result.load.offered);
    }
}

#[test]
fn more_than_the_broker_takes_ends_as_overloaded() {
    let mut scenario = small(1000.0);
    scenario.limits.backlog_s = 0.5;
    scenario.timing.window_s = 30.0;
    let fault = Fault::Stall { after: Duration::from_millis(300), length: Duration::from_secs(3) };
    let result = faulty(&scenario, fault);
    assert_eq!(result.validity.verdict, Verdict::Invalid);
    assert!(result.validity.reasons[0].contains("overloaded"), "{:?}", result.validity);
}

#[test]
fn a_broker_that_is_not_there_is_a_result_too() {
    let broker = Broker::start(Behaviour { keeps: true, fault: Fault::None }).expect("a broker");
    let bootstrap = broker.bootstrap();
    drop(broker);
    let outcome =
        run::run(&small(1000.0), &target_at(bootstrap.clone()), &Options::default(), &mut (), &AtomicBool::new(false));
    assert_eq!(outcome.result.validity.verdict, Verdict::Invalid);
    assert!(outcome.result.validity.reasons[0].contains(&bootstrap), "{:?}", outcome.result.validity);
}

fn target_at(bootstrap: String) -> Target {
    let system = SystemInfo {
        name: "null".into(),
        version: String::new(),
        revision: String::new(),
        durability: Durability::Unknown,
    };
    Target { bootstrap, system }
}

/// What a run and a look at its topic must count.
type InRun = fn(&Load) -> u64;
type InTopic = fn(&checkers::Verdict) -> u64;

#[test]
fn a_proxy_that_loses_doubles_or_turns_round_what_it_acknowledges_is_caught() {
    let found: [(proxy::Fault, InRun, InTopic); 3] = [
        (proxy::Fault::Drop, |load| load.lost + load.unseen, |verdict| verdict.gaps),
        (proxy::Fault::Duplicate, |load| load.doubled, |verdict| verdict.doubled),
        (proxy::Fault::Reorder, |load| load.reordered, |verdict| verdict.reordered),
    ];
    for (fault, in_run, in_topic) in found {
        let broker = Broker::start(Behaviour { keeps: true, fault: Fault::None }).expect("a broker");
        let address = broker.bootstrap().parse().expect("an address");
        let plan = proxy::Plan { fault, request: 3 };
        let proxy = proxy::LossyProxy::start(address, Some(plan)).expect("a proxy");
        let mut scenario = small(1000.0);
        scenario.topic.partitions = 1;
        let options = Options { keeps_topics: true, ..Options::default() };
        let stop = AtomicBool::new(false);
        let result = run::run(&scenario, &target_at(proxy.address().to_string()), &options, &mut (), &stop).result;
        assert_eq!(proxy.faults(), 1, "the fault took effect: {fault:?}");
        assert!(in_run(&result.load) > 0, "{fault:?}: {:?}", result.load);
        assert_eq!(result.validity.verdict, Verdict::Invalid, "{fault:?}: {:?}", result.validity);
        let topic = format!("loadgen-{}-0", result.run.to_lowercase());
        let (_, verdict) =
            run::verify(&broker.bootstrap(), &topic, None, 30.0, &stop).expect("read").expect("records of the run");
        assert!(in_topic(&verdict) > 0, "{fault:?}: {verdict:?}");
    }
}

/// Stops the run as soon as its window has begun.
struct Stopper(Arc<AtomicBool>);

impl Observer for Stopper {
    fn phase(&mut self, phase: Phase) {
        if phase == Phase::Window {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_run_that_is_stopped_keeps_what_it_has_and_says_so() {
    let mut scenario = small(1000.0);
    scenario.timing.window_s = 600.0;
    let broker = Broker::start(Behaviour { keeps: true, fault: Fault::None }).expect("a broker");
    let target = target_at(broker.bootstrap());
    let stop = Arc::new(AtomicBool::new(false));
    let outcome = run::run(&scenario, &target, &Options::default(), &mut Stopper(stop.clone()), &stop);
    let result = outcome.result;
    assert_eq!(result.validity.verdict, Verdict::CutShort, "{:?}", result.validity);
    assert!(result.load.acked > 0 && result.window_s < 600.0, "{:?}", result.load);
    assert!(!outcome.series.is_empty());
}

#[test]
fn the_ceiling_is_a_run_like_any_other() {
    let ceiling = ceiling(Rate::PerSecond(500.0), 16 << 10, 0.5).expect("a run");
    assert!(ceiling.records_per_s > 0.0, "{ceiling:?}");
    assert!(ceiling.cpu_ns_per_record > 0.0 && ceiling.response.is_some(), "{ceiling:?}");
}
