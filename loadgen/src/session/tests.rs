//! What a run cost, from made counters, and what it does to the verdict.

use std::time::Instant;

use super::*;
use crate::compare::made_result;
use crate::resources::procfs::{Machine, Process};
use crate::run::{Phase, Progress};
use crate::scenario::catalog;

fn used(foreign_ms: u64, steal_ms: u64) -> Used {
    let ms = Duration::from_millis;
    Used {
        elapsed: ms(10_000),
        server: Some(Process { cpu: ms(4000), written_bytes: 30_000_000 }),
        client_cpu: ms(2000),
        kernel_cpu: ms(500),
        machine: Machine {
            busy: ms(4000 + 2000 + 500 + foreign_ms),
            steal: ms(steal_ms),
            flushes: 50,
            disk_busy: ms(5000),
            ..Machine::default()
        },
        cpu_pressure: None,
        io_pressure: None,
    }
}

fn told(used: Used) -> RunResult {
    let mut scenario = catalog::find("quick").unwrap().scenarios.remove(4);
    scenario.producers.record_bytes = 1000;
    let mut result = made_result(&scenario);
    result.window_s = 10.0;
    result.throughput.acked_per_s = 2000.0;
    result.resources.client_core_share = Some(0.3);
    let seen = Seen { window: Some(used), rss_peak_bytes: Some(7), csv: String::new(), fault: None };
    tell(&mut result, &seen, 2);
    result
}

#[test]
fn what_a_run_cost_is_told_by_what_was_produced() {
    let result = told(used(0, 0));
    let resources = &result.resources;
    let close = |value: Option<f64>, expected: f64| {
        assert!(value.is_some_and(|value| (value - expected).abs() < 1e-9), "{value:?} is not {expected}");
    };
    close(resources.server_cpu_s, 4.0);
    close(resources.server_cpu_s_per_gb, 200.0);
    close(resources.server_cpu_s_per_million, 200.0);
    close(resources.written_per_payload_byte, 1.5);
    close(resources.flushes_per_1000_acks, 2.5);
    close(resources.server_core_share, 0.2);
    close(resources.kernel_cpu_s, 0.5);
    close(resources.disk_busy_share, 0.5);
    close(resources.foreign_cpu_share, 0.0);
    assert_eq!((resources.server_rss_peak_bytes, resources.client_core_share), (Some(7), Some(0.3)));
    assert_eq!(result.validity.verdict, Verdict::Valid);
}

#[test]
fn others_and_the_host_make_a_run_suspect() {
    let reasons = |used: Used| {
        let validity = told(used).validity;
        assert_eq!(validity.verdict, Verdict::Suspect);
        validity.reasons.join("; ")
    };
    assert!(reasons(used(600, 0)).contains("others used of a core 6.0 %"));
    let steal = 300 * procfs::processors() as u64;
    assert!(reasons(used(0, steal)).contains("the host took of the machine's time 3.0 %"));
}

#[test]
fn a_watch_sees_the_window_of_a_process_and_passes_everything_on() {
    #[derive(Default)]
    struct Viewer(Vec<Phase>, usize);
    impl Observer for Viewer {
        fn phase(&mut self, phase: Phase) {
            self.0.push(phase);
        }
        fn progress(&mut self, _progress: Progress) {
            self.1 += 1;
        }
    }
    let mut viewer = Viewer::default();
    let mut watch = Watch::new(&mut viewer, vec![std::process::id()]);
    let phases = [Phase::Setup, Phase::WarmUp, Phase::Window, Phase::Drain, Phase::Done];
    for phase in phases {
        watch.phase(phase);
        if phase == Phase::Window {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(20) {
                std::hint::spin_loop();
            }
        }
    }
    let seen = watch.finish();
    assert!(seen.window.is_some_and(|used| used.elapsed >= Duration::from_millis(20)));
    assert!(seen.fault.is_none() && seen.rss_peak_bytes > Some(0));
    let lines: Vec<&str> = seen.csv.lines().collect();
    assert_eq!(lines.len(), 2, "{}", seen.csv);
    assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
    assert!(lines[1].starts_with("0.000,0.0"), "{}", lines[1]);
    assert_eq!((viewer.0, viewer.1), (phases.to_vec(), 0));
}

#[test]
fn a_process_that_is_gone_is_a_fault_and_no_figure() {
    let mut nobody = ();
    // The largest process id is 2^22.
    let mut watch = Watch::new(&mut nobody, vec![1 << 30]);
    watch.phase(Phase::Window);
    watch.phase(Phase::Done);
    let seen = watch.finish();
    assert!(seen.window.is_none() && seen.fault.is_some() && seen.rss_peak_bytes.is_none());
}
