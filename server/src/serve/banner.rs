//! What a starting broker tells the person who started it.

use broker::config::BrokerConfig;

use super::flush::FlushClass;

/// Prints where the broker listens, what it runs on, and what an acknowledgement means here.
pub(super) fn print(config: &BrokerConfig, addresses: &[String], cores: u16, flush: FlushClass) {
    eprintln!("partita {} is ready", env!("CARGO_PKG_VERSION"));
    eprintln!("  listening on  {}", addresses.join(", "));
    eprintln!("  cores         {cores}");
    eprintln!("  data folder   {}", config.data_dir);
    if let Some(journal_dir) = &config.journal_dir {
        eprintln!("  journal       {journal_dir}");
    }
    eprintln!(
        "  durability    acks=1 and acks=all are sent when the records are flushed to the device; acks=0 promises nothing"
    );
    eprintln!("  flush class   {flush}");
    if let Some(metrics) = &config.metrics_listen {
        eprintln!("  metrics       http://{metrics}/metrics, health at /healthz");
    }
}
