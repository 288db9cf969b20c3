//! Serves the floor program on one address until it is ended by a signal. See `benches::floor`.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use benches::floor::{Floor, Settings};
use clap::Parser;

/// What one core and this disk can do for durable produce: raw io_uring, Kafka's Produce v9, nothing else.
#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:19092")]
    listen: SocketAddr,
    /// Folder for the journal and the partitions' files.
    #[arg(long)]
    data_dir: PathBuf,
    /// Number of journal files.
    #[arg(long, default_value_t = 4)]
    journal_files: usize,
    /// MiB of each journal file, zero-filled at the start.
    #[arg(long, default_value_t = 256)]
    journal_file_mib: u64,
    /// Most KiB of one group.
    #[arg(long, default_value_t = 4096)]
    group_kib: usize,
    /// Also copy to per-partition files, in 256 KiB writes without a sync.
    #[arg(long)]
    filing: bool,
    /// Most partitions that filing has memory for.
    #[arg(long, default_value_t = 1000)]
    partitions: usize,
    /// Write without RWF_DSYNC: acknowledged before the device's cache is flushed.
    #[arg(long)]
    no_sync: bool,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.data_dir)?;
    let listener = TcpListener::bind(arguments.listen)?;
    benches::driver::set_congestion_control(&listener, "cubic")?;
    let address = listener.local_addr()?;
    let floor = Floor::new(
        listener,
        &Settings {
            data_dir: arguments.data_dir,
            journal_files: arguments.journal_files,
            journal_file_bytes: arguments.journal_file_mib << 20,
            group_bytes: arguments.group_kib << 10,
            sync: !arguments.no_sync,
            filing: arguments.filing,
            partitions: arguments.partitions,
        },
    )?;
    println!("listening on {address}");
    floor.run()
}
