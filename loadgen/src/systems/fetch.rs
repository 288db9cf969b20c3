//! What is fetched once and kept: Kafka's jars by Maven, of the version that the conformance suite pins.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::SystemError;
use super::process::end_of;

/// What Maven lays out; one file says the version for the conformance suite and for this.
pub(super) const POM: &str = include_str!("../../../conformance/clients/java/pom.xml");
/// Kafka's warnings go to its stderr.
pub(super) const LOG4J: &str = include_str!("../../../conformance/clients/java/log4j2.xml");

/// Where fetched things are kept: `$XDG_CACHE_HOME/partita-loadgen`, else `~/.cache/partita-loadgen`.
///
/// # Errors
/// When neither variable says where.
pub fn cache_folder() -> io::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| Some(set("HOME")?.join(".cache")))
        .map(|cache| cache.join("partita-loadgen"))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "neither XDG_CACHE_HOME nor HOME is set"))
}

/// The version of Kafka that is fetched.
pub(super) fn kafka_version() -> &'static str {
    let version = POM.split_once("<kafka.version>").and_then(|(_, rest)| rest.split_once('<'));
    version.expect("the pom is part of this program, and a test reads its version").0
}

/// The folder with Kafka's jars and log4j's settings; fetched the first time.
///
/// # Errors
/// Without Maven, or when it fails: then nothing is left behind.
pub(super) fn kafka_jars() -> Result<PathBuf, SystemError> {
    let cache = cache_folder().map_err(SystemError::io("there is no folder for what is fetched"))?;
    // Named after all that makes it, so that a new version is a new folder.
    let folder = cache.join(format!("kafka-{}-{:016x}", kafka_version(), fnv1a(&[POM, LOG4J])));
    if folder.is_dir() {
        return Ok(folder);
    }
    eprintln!("loadgen: fetching Kafka {} by Maven into {}", kafka_version(), folder.display());
    let io = |what: &'static str| SystemError::io(format!("{what} in {}", cache.display()));
    fs::create_dir_all(&cache).map_err(io("cannot make a folder"))?;
    let fresh = TempDir::with_prefix_in("kafka-", &cache).map_err(io("cannot make a folder"))?;
    let pom = fresh.path().join("pom.xml");
    fs::write(&pom, POM)
        .and_then(|()| fs::write(fresh.path().join("log4j2.xml"), LOG4J))
        .map_err(io("cannot write"))?;
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "-f"]).arg(&pom).arg("dependency:copy-dependencies");
    maven.arg(format!("-DoutputDirectory={}", fresh.path().display()));
    run_to_end(maven, "fetching Kafka", || SystemError::Missing {
        program: "Maven",
        system: "kafka",
        remedy: "install it (Debian: apt-get install maven), or give the address of a Kafka that runs",
    })?;
    // Another run may have been faster, and then its folder is as good.
    if fs::rename(fresh.path(), &folder).is_err() && !folder.is_dir() {
        return Err(io("cannot keep what was fetched")(io::ErrorKind::Other.into()));
    }
    Ok(folder)
}

fn fnv1a(texts: &[&str]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = texts.iter().flat_map(|text| text.bytes());
    bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// Runs a program that builds or fetches something; what it says is shown only when it fails.
pub(super) fn run_to_end(
    mut command: Command,
    what: &str,
    missing: impl FnOnce() -> SystemError,
) -> Result<(), SystemError> {
    let log = tempfile::NamedTempFile::new().map_err(SystemError::io("cannot make a file"))?;
    let output = || log.reopen().map_err(SystemError::io("cannot open a file again"));
    let status = match command.stdin(Stdio::null()).stdout(output()?).stderr(output()?).status() {
        Ok(status) => status,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing()),
        Err(error) => return Err(SystemError::Io { what: what.to_owned(), error }),
    };
    if status.success() {
        return Ok(());
    }
    let output = end_of(log.path()).unwrap_or_default();
    Err(SystemError::Failed { what: what.to_owned(), status: status.to_string(), output })
}
