//! Loads one broker once with Produce requests and prints what it measured: JSON on stdout, a summary on stderr.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use benches::admin;
use benches::driver::{self, Load};
use benches::measurement::Measurement;
use clap::Parser;

/// Sends pre-encoded Produce requests to a broker, checks every answer, and measures both sides.
#[derive(Parser)]
struct Arguments {
    /// The broker that leads all partitions.
    #[arg(long, default_value = "127.0.0.1:9092")]
    address: SocketAddr,
    /// Topic to produce to.
    #[arg(long, default_value = "drive")]
    topic: String,
    /// Create the topic first.
    #[arg(long)]
    create: bool,
    /// Setting of the created topic, such as flush.messages=1.
    #[arg(long = "config", value_parser = pair, requires = "create")]
    settings: Vec<(String, String)>,
    /// Delete the topic afterwards.
    #[arg(long)]
    delete: bool,
    /// Partitions to send to.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    partitions: u32,
    /// Connections.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Requests in flight on each connection.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    depth: u32,
    /// Bytes of a batch.
    #[arg(long, default_value_t = 65536)]
    batch_bytes: usize,
    /// Bytes of a record's value.
    #[arg(long, default_value_t = 1000)]
    record_bytes: usize,
    /// 1, or -1 for all in-sync replicas.
    #[arg(long, default_value_t = -1, allow_hyphen_values = true, value_parser = acks)]
    acks: i16,
    /// Seconds before the clock starts.
    #[arg(long, default_value_t = 2.0)]
    warm_up: f64,
    /// Seconds of the measured window.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Open loop: MB/s (10^6 bytes) over all connections.
    #[arg(long)]
    rate: Option<f64>,
    /// The broker's process, for its CPU, memory and disk.
    #[arg(long)]
    server_pid: Option<u32>,
}

fn acks(text: &str) -> Result<i16, String> {
    match text {
        "-1" | "all" => Ok(-1),
        "1" => Ok(1),
        _ => Err("1, -1 or all: without an answer there is nothing to measure".to_owned()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("drive: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let load = Load {
        address: arguments.address,
        topic: arguments.topic,
        partitions: arguments.partitions,
        connections: arguments.connections,
        depth: arguments.depth,
        batch_bytes: arguments.batch_bytes,
        record_bytes: arguments.record_bytes,
        acks: arguments.acks,
        warm_up: Duration::try_from_secs_f64(arguments.warm_up)?,
        window: Duration::try_from_secs_f64(arguments.seconds)?,
        rate: arguments.rate.map(|megabytes| megabytes * 1e6),
        server: arguments.server_pid,
    };
    if arguments.create {
        admin::create_topic(load.address, &load.topic, load.partitions as i32, &arguments.settings)?;
    }
    let outcome = driver::run(&load)?;
    if arguments.delete {
        admin::delete_topic(load.address, &load.topic)?;
    }
    let measurement = Measurement::new(&load, &outcome);
    println!("{}", serde_json::to_string_pretty(&measurement)?);
    summarise(&measurement);
    Ok(())
}

fn summarise(measurement: &Measurement) {
    let Measurement { throughput, response, resources, validity, .. } = measurement;
    eprintln!("{:.1} MB/s, {:.0} requests/s", throughput.megabytes_per_second, throughput.requests_per_second);
    let p999 = response.p999_us.map_or("-".to_owned(), |value| format!("{value:.0}"));
    eprintln!(
        "response p50 {:.0} p99 {:.0} p99.9 {p999} max {:.0} us",
        response.p50_us, response.p99_us, response.max_us
    );
    if let Some(cpu) = resources.server_cpu_seconds_per_gigabyte {
        eprintln!("server {cpu:.3} CPU-s/GB");
    }
    eprintln!("{} {}", validity.verdict, validity.reasons.join("; "));
}
