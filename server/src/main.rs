//! `partita`: the broker's process.

mod serve;
mod world;

use std::process::ExitCode;

use broker::config::BrokerConfig;
use clap::Parser;

/// Runs a Kafka-compatible broker that acknowledges only what is on disk.
#[derive(Parser)]
#[command(name = "partita", version)]
struct Arguments {
    /// What to do.
    #[arg(value_parser = ["serve"], default_value = "serve")]
    command: String,
    /// Where to listen for clients.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// The folder of all data.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// How many cores to use; all by default.
    #[arg(long, value_name = "N")]
    cores: Option<u16>,
    /// Any setting of the broker, by Kafka's name.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    settings: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it has the form KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let mut settings = arguments.settings;
    let flags = [
        ("listeners", arguments.listen.map(|address| format!("PLAINTEXT://{address}"))),
        ("data.dir", arguments.data_dir),
        ("cores", arguments.cores.map(|cores| cores.to_string())),
    ];
    settings.extend(flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    let result = BrokerConfig::parse(settings).map_err(|error| error.to_string());
    match result.and_then(|config| serve::serve(config).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("partita: {error}");
            ExitCode::FAILURE
        }
    }
}
