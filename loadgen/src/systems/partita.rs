//! Partita: the binary beside this one, built by cargo when it is missing or older than its sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::fetch::run_to_end;
use super::process::{ServerProcess, free_addresses, kept};
use super::{Options, Running, System, SystemError, wait_until_answering};
use crate::result::SystemInfo;

const NAME: &str = "partita";

pub(super) fn start(options: &Options) -> Result<Running, SystemError> {
    let binary = match &options.partita {
        Some(given) => given.clone(),
        None => beside_this_one()?,
    };
    if !binary.is_file() {
        return Err(SystemError::NoBinary(binary));
    }
    let home = TempDir::with_prefix_in("loadgen-partita-", &options.data)
        .map_err(SystemError::io(format!("cannot make a folder in {}", options.data.display())))?;
    let [address] = free_addresses().map_err(SystemError::io("cannot find a free port"))?;
    let mut command = Command::new(&binary);
    command.args(["serve", "--listen", &address.to_string(), "--data-dir"]).arg(home.path().join("data"));
    // As Kafka is started here.
    command.args(["--set", "group.initial.rebalance.delay.ms=0"]);
    if let Some(cpus) = &options.cpus {
        command.args(["--cores", &cpus.len().to_string()]);
    }
    for (key, value) in &options.settings {
        command.args(["--set", &format!("{key}={value}")]);
    }
    let mut process = ServerProcess::start(command, options.cpus.as_ref(), home.path().join("log"))
        .map_err(SystemError::io(format!("cannot start {}", binary.display())))?;
    wait_until_answering(&mut process, NAME, &address.to_string())?;
    let info = SystemInfo {
        name: NAME.to_owned(),
        version: version(&binary)?,
        revision: revision(),
        durability: System::Partita.durability(),
    };
    let conf = format!("{}\n", kept(process.command()));
    Ok(Running {
        system: System::Partita,
        bootstrap: address.to_string(),
        info,
        conf,
        process: Some(process),
        data: Some(home),
    })
}

/// The word behind the name in what `--version` prints.
fn version(binary: &Path) -> Result<String, SystemError> {
    let output = Command::new(binary)
        .arg("--version")
        .output()
        .map_err(SystemError::io(format!("cannot ask {} for its version", binary.display())))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().nth(1).unwrap_or_default().to_owned())
}

/// The binary in this one's folder, of the same profile, and not older than what it is made from.
fn beside_this_one() -> Result<PathBuf, SystemError> {
    let own = std::env::current_exe().map_err(SystemError::io("cannot find this program's own file"))?;
    let folder = profile_folder(&own);
    let binary = folder.join(NAME);
    if binary.is_file() && !is_stale(&binary) {
        return Ok(binary);
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if !workspace.join("server/Cargo.toml").is_file() {
        // Without sources what is there has to do.
        return if binary.is_file() { Ok(binary) } else { Err(SystemError::NoBinary(binary)) };
    }
    eprintln!("loadgen: building the broker, because {} is missing or older than its sources", binary.display());
    let profile = if folder.ends_with("debug") { "dev" } else { "release" };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&workspace).args(["build", "-p", "server", "--profile", profile]);
    if let Some(target) = folder.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    run_to_end(cargo, "building the broker", || SystemError::Missing {
        program: "cargo",
        system: NAME,
        remedy: "install Rust from https://rustup.rs, or name a binary with --partita",
    })?;
    if binary.is_file() { Ok(binary) } else { Err(SystemError::NoBinary(binary)) }
}

/// Where cargo puts a profile's binaries; tests are in a folder below it.
fn profile_folder(executable: &Path) -> PathBuf {
    let folder = executable.parent().unwrap_or(Path::new("."));
    let is_deps = folder.file_name().is_some_and(|name| name == "deps");
    folder.parent().filter(|_| is_deps).unwrap_or(folder).to_owned()
}

/// Whether a source that cargo says the binary is made from (the file `partita.d` beside it) is newer, or gone. Without that file
/// nothing is known against it.
fn is_stale(binary: &Path) -> bool {
    let Ok(list) = fs::read_to_string(binary.with_extension("d")) else { return false };
    let modified = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let sources = list.split_once(':').map_or("", |(_, sources)| sources);
    let built = modified(binary);
    // Blanks within a path are escaped; a path that has some is split here, found missing, and the binary built once more than needed.
    sources.split_whitespace().any(|source| modified(Path::new(source)).is_none_or(|changed| Some(changed) > built))
}

/// The commit of this program's sources, with `-dirty` when they differ from it; empty outside a repository.
pub fn revision() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    // Keeping a result changes the index: that is no other source.
    let changes = git(&["status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,top)results"]);
    if changes.is_empty() { commit } else { format!("{commit}-dirty") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_is_stale_when_one_of_its_sources_is_newer_or_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let touch = |name: &str, seconds: u64| {
            let file = fs::File::create(path(name)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
        };
        touch("partita", 100);
        touch("old.rs", 50);
        assert!(!is_stale(&path("partita")), "nothing is known");
        let list = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| path(name).display().to_string()).collect();
            fs::write(path("partita.d"), format!("{}: {}\n", path("partita").display(), names.join(" "))).unwrap();
        };
        list(&["old.rs"]);
        assert!(!is_stale(&path("partita")));
        touch("new.rs", 150);
        list(&["old.rs", "new.rs"]);
        assert!(is_stale(&path("partita")));
        list(&["old.rs", "gone.rs"]);
        assert!(is_stale(&path("partita")));
    }

    #[test]
    fn the_profile_folder_is_found_from_programs_and_from_tests() {
        assert_eq!(profile_folder(Path::new("/t/release/loadgen")), Path::new("/t/release"));
        assert_eq!(profile_folder(Path::new("/t/debug/deps/loadgen-1a")), Path::new("/t/debug"));
    }
}
