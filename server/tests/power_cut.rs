//! Power cuts under a real broker on a real file system: ext4 on a loop device on a disk that loses what was not flushed.
//!
//! What it proves: that every acknowledged record was flushed through ext4 and the block layer before its acknowledgement,
//! and that broker and file system come back from any mixture of the rest. What it does not: that a device keeps its word.
//! It needs root, FUSE and loop devices; where it lacks one it says so and passes, having shown nothing.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::power_disk::PowerDisk;
use support::{ACKS_ALL, Broker, Client, DataDir, PRODUCE, batch, produce_request, wait_until};
use wire::header::request_frame;

const DISK_BYTES: u64 = 512 << 20;
const ROUNDS: u64 = 4;
const PARTITIONS: i32 = 4;
const TOPIC: &str = "t";

/// Runs a command; what it has printed, or why it could not.
fn run(command: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(command).args(arguments).output().map_err(|error| format!("{command}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(format!("{command}: {}", text(&output.stderr))) }
}

/// A mounted ext4 on a loop device; gone when it goes.
struct Mounted {
    device: String,
    folder: PathBuf,
}

impl Mounted {
    fn new(file: &Path, folder: &Path, format: bool) -> Result<Mounted, String> {
        let text = |path: &Path| path.to_str().expect("a path of text").to_owned();
        let device = run("losetup", &["--find", "--show", &text(file)])?;
        let mounted = Mounted { device, folder: folder.to_path_buf() };
        if format {
            run("mkfs.ext4", &["-q", "-m", "0", "-E", "nodiscard", &mounted.device])?;
        }
        run("mount", &[&mounted.device, &text(folder)])?;
        Ok(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let folder = self.folder.to_str().unwrap_or_default();
        // The kernel lets go of a file system once its last writes have failed.
        let begun = Instant::now();
        while run("umount", &[folder]).is_err_and(|error| error.contains("busy")) && begun.elapsed() < support::PATIENCE
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        // What is left over shows in the next mount.
        let _ = run("losetup", &["--detach", &self.device]);
    }
}

/// Produces to one partition, one record after the other, until the broker is gone; returns how many were acknowledged.
fn produce(mut client: Client, partition: i32, from: usize, is_cut: &AtomicBool) -> usize {
    let mut acked = from;
    while !is_cut.load(Ordering::Relaxed) {
        let records = batch(&[&value(partition, acked)]);
        let request = produce_request(ACKS_ALL, &[(TOPIC, partition, &records)]);
        let frame = request_frame(acked as i32, PRODUCE, None, &request);
        if std::io::Write::write_all(client.stream(), &frame).is_err() {
            break;
        }
        let Ok(Some(frame)) = client.receive_frame() else { break };
        let response = support::decode::<wire::api::ProduceRequest>(&frame, PRODUCE, acked as i32);
        if response.responses[0].partition_responses[0].error_code != 0 {
            break;
        }
        acked += 1;
    }
    acked
}

fn value(partition: i32, number: usize) -> Vec<u8> {
    let mut value = format!("{partition}/{number}/").into_bytes();
    value.resize(value.len() + number * 37 % 3000, b'x');
    value
}

#[test]
#[ignore = "needs root, FUSE and loop devices, and takes minutes"]
fn acknowledged_records_survive_power_cuts() {
    let seed = std::env::var("POWER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("POWER_SEED={seed}");
    let dir = DataDir::new();
    let root = dir.path().parent().expect("it is in a folder").to_path_buf();
    let fuse = root.join("fuse");
    fs::create_dir_all(&fuse).and_then(|()| fs::create_dir_all(dir.path())).expect("folders can be made");
    let disk = match PowerDisk::start(&root.join("image"), &fuse, DISK_BYTES, seed) {
        Ok(disk) => disk,
        Err(error) => return println!("skipped: no disk of our own through FUSE here: {error}"),
    };
    let mut mounted = match Mounted::new(&disk.file(), &dir.path(), true) {
        Ok(mounted) => Some(mounted),
        Err(error) => return println!("skipped: no ext4 on a loop device here: {error}"),
    };
    let mut acked = vec![0; PARTITIONS as usize];
    let mut lost = 0;
    for round in 0..ROUNDS {
        let broker = Broker::start_in(&dir, 2, &[]);
        if round == 0 {
            broker.client().create_topic(TOPIC, PARTITIONS, &[]);
        }
        let is_cut = AtomicBool::new(false);
        let before: usize = acked.iter().sum();
        acked = std::thread::scope(|scope| {
            let from = acked.clone();
            let producers: Vec<_> = (0..PARTITIONS)
                .zip(from)
                .map(|(partition, from)| {
                    let (client, is_cut) = (broker.client(), &is_cut);
                    scope.spawn(move || produce(client, partition, from, is_cut))
                })
                .collect();
            wait_until("there is something to lose", || {
                broker.metric("partita_appended_records_total", &[]) as u64 >= 50 + round * 150
            });
            disk.cut();
            // The kernel reports EIO, after which nothing may be acknowledged.
            wait_until("the broker ends itself", || broker.log().contains("the disk failed"));
            is_cut.store(true, Ordering::Relaxed);
            // What a producer waits for now never comes, unless it was flushed before the cut.
            broker.kill();
            producers.into_iter().map(|producer| producer.join().expect("it ends")).collect()
        });
        assert!(acked.iter().sum::<usize>() > before, "the round has acknowledged something");
        drop(mounted.take());
        lost += disk.restore();
        mounted = Some(Mounted::new(&disk.file(), &dir.path(), false).expect("ext4 comes back"));
        let broker = Broker::start_in(&dir, 2, &[]);
        for (partition, acked) in (0..PARTITIONS).zip(&mut acked) {
            let read = broker.client().read_all(TOPIC, partition, 0);
            assert!(read.len() >= *acked, "round {round}: {} of {acked} acknowledged records are left", read.len());
            for (number, (offset, found)) in read.iter().enumerate() {
                assert!(*offset == number as i64 && *found == value(partition, number), "offset {offset}");
            }
            // One more may have been flushed and not told.
            *acked = read.len();
        }
        broker.stop();
    }
    println!(
        "{} records acknowledged, {lost} unflushed writes lost, {} flushes",
        acked.iter().sum::<usize>(),
        disk.flushes()
    );
    assert!(lost > 0, "the test is not valid: no cut has lost anything");
    drop(mounted);
}
