//! The flags of every command that talks to a broker.

use std::time::Duration;

use clap::Args;
use loadgen::client::Client;

use super::CliError;

/// What brokers log of us.
pub(super) const CLIENT_ID: &str = "partita-cli";

#[derive(Debug, Args)]
pub(super) struct ConnectArgs {
    /// Brokers to begin with, host:port, several separated by commas
    #[arg(
        long,
        visible_alias = "bootstrap-servers",
        value_name = "ADDRESS",
        env = "PARTITA_BOOTSTRAP_SERVER",
        default_value = "localhost:9092"
    )]
    bootstrap_server: String,
    /// How long a broker may take to answer, in ms
    #[arg(long, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..))]
    request_timeout_ms: u64,
}

impl ConnectArgs {
    pub(super) fn connect(&self) -> Result<Client, CliError> {
        self.connect_as(CLIENT_ID)
    }

    /// As [`ConnectArgs::connect`], by another name.
    pub(super) fn connect_as(&self, client_id: &str) -> Result<Client, CliError> {
        Ok(Client::connect(&self.bootstrap_server, client_id, Duration::from_millis(self.request_timeout_ms))?)
    }
}

/// Reads `KEY=VALUE`.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".into()),
    }
}
