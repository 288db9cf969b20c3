//! Processes that start, do not start, are frozen and are gone, and what is said of them.

use std::fs;
use std::process::Command;

use super::process::free_addresses;
use super::*;

fn options(data: &Path) -> Options {
    Options { data: data.to_owned(), ..Options::new() }
}

#[test]
fn systems_are_known_by_their_names_or_by_an_address() {
    for name in ["partita", "kafka", "kafka-flush"] {
        assert_eq!(name.parse::<System>().unwrap().name(), name);
    }
    let address: System = "a:1,b:2".parse().unwrap();
    assert_eq!(
        (address.name(), address.to_string(), address.durability()),
        ("address", "a:1,b:2".into(), Durability::Unknown)
    );
    let error = "pulsar".parse::<System>().unwrap_err().to_string();
    assert!(error.contains("pulsar") && error.contains("kafka-flush") && error.contains("host:port"), "{error}");
}

#[test]
fn a_process_is_gone_with_its_owner_and_can_be_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = Command::new("sleep");
        command.arg("600");
        ServerProcess::start(command, None, folder.path().join("log")).unwrap()
    };
    let state = |pid: u32| {
        fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|stat| stat.split(' ').nth(2).map(str::to_owned))
    };
    let process = start();
    process.signal(libc::SIGSTOP).unwrap();
    while state(process.pid()).as_deref() != Some("T") {
        std::thread::sleep(POLL);
    }
    let pid = process.pid();
    process.stop().unwrap();
    assert_eq!(state(pid), None, "a frozen process can be ended");
    let process = start();
    process.forget_peak().unwrap();
    let pid = process.pid();
    drop(process);
    assert_eq!(state(pid), None);
}

#[test]
fn a_process_runs_where_it_is_told_and_the_caller_stays_where_it_was() {
    let before = CpuList::allowed().unwrap();
    let one = CpuList::new(vec![before.cpus()[0]]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sleep");
    command.arg("600");
    let process = ServerProcess::start(command, Some(&one), folder.path().join("log")).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned();
    assert_eq!(allowed, one.to_string());
    assert_eq!(CpuList::allowed().unwrap(), before);
}

#[test]
fn a_broker_that_ends_at_its_start_is_reported_with_its_last_words() {
    let folder = tempfile::tempdir().unwrap();
    // A program that does not know the flags of a broker, and says so.
    let binary = PathBuf::from("/bin/ls");
    let options = Options { partita: Some(binary), ..options(folder.path()) };
    let error = Running::start(&System::Partita, &options).unwrap_err();
    assert!(matches!(error, SystemError::Start { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("--listen'") && text.contains("exit status: 2") && text.contains("ls serve --listen"),
        "{text}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "its folder is gone");
}

#[test]
fn a_binary_and_an_address_that_are_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { partita: Some(folder.path().join("nothing")), ..options(folder.path()) };
    let error = Running::start(&System::Partita, &options).unwrap_err().to_string();
    assert!(error.contains("nothing") && error.contains("cargo build"), "{error}");
    let [address] = free_addresses().unwrap();
    let error = Running::start(&System::Address(address.to_string()), &options).unwrap_err().to_string();
    assert!(error.contains(&address.to_string()), "{error}");
}

#[test]
fn a_missing_program_is_named_with_what_to_do() {
    let missing = || SystemError::Missing { program: "Java", system: "kafka", remedy: "install it" };
    let error = fetch::run_to_end(Command::new("/nowhere/java"), "asking", missing).unwrap_err();
    assert_eq!(error.to_string(), "Java is missing, and kafka needs it: install it");
    let mut failing = Command::new("sh");
    failing.args(["-c", "echo cannot resolve >&2; exit 1"]);
    let error = fetch::run_to_end(failing, "fetching", missing).unwrap_err().to_string();
    assert!(error.contains("fetching failed") && error.contains("cannot resolve"), "{error}");
}

#[test]
fn the_page_cache_is_touched_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    warm_page_cache(folder.path(), 3 << 20).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
