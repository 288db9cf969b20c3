//! Which time is whose, on made counters and on those of this process.

use super::*;

fn counters(at: Instant, cpu_ms: u64, kernel: &[(u32, u64)]) -> Counters {
    let ms = Duration::from_millis;
    Counters {
        at,
        server: Some(Process { cpu: ms(cpu_ms), written_bytes: 10 * cpu_ms }),
        client: ms(cpu_ms / 2),
        machine: Machine { busy: ms(3 * cpu_ms), disk_busy: ms(cpu_ms), ..Machine::default() },
        kernel: kernel.iter().map(|&(id, time)| (id, ms(time))).collect(),
        cpu_pressure: Some(ms(cpu_ms)),
        io_pressure: None,
    }
}

#[test]
fn foreign_time_is_what_neither_server_nor_client_nor_kernel_used() {
    let start = Instant::now();
    let before = counters(start, 100, &[(2, 50), (3, 900), (4, 10)]);
    let after = counters(start + Duration::from_secs(1), 500, &[(2, 150), (4, 5), (5, 20)]);
    let used = after.since(&before);
    // 3 has ended, 4 is another thread of the same id, 5 is new.
    assert_eq!(used.kernel_cpu, Duration::from_millis(100 + 5 + 20));
    assert_eq!(used.server.map(|server| server.written_bytes), Some(4000));
    assert!((used.foreign_cpu_share() - (1.2 - 0.4 - 0.2 - 0.125)).abs() < 1e-9, "{used:?}");
    assert!((used.disk_busy_share() - 0.4).abs() < 1e-9);
    assert_eq!((used.cpu_pressure, used.io_pressure), (Some(Duration::from_millis(400)), None));
}

#[test]
fn counters_of_this_process_can_be_read_and_those_of_no_process_cannot() {
    let own = std::process::id();
    let before = Counters::read(&[own]).unwrap();
    let used = Counters::read(&[own]).unwrap().since(&before);
    assert!(used.server.is_some() && used.steal_share() >= 0.0);
    assert!(Counters::read(&[]).unwrap().since(&before).server.is_none());
    // The largest process id is 2^22.
    assert!(Counters::read(&[1 << 30]).is_err());
}
