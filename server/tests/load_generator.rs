//! The load generator starts this broker, stops it where it is, lets it go on, and leaves nothing behind.

mod support;

use std::path::Path;
use std::time::Duration;

use loadgen::client::Client;
use loadgen::systems::{Options, Running, System};

fn create_topic(running: &Running, name: &str) {
    let mut client = Client::connect(running.bootstrap(), "test", Duration::from_secs(60)).unwrap();
    client.create_topic(name, Some(2), None, &[]).unwrap();
}

#[test]
fn a_broker_is_started_frozen_and_ended_by_the_load_generator() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        data: folder.path().to_owned(),
        partita: Some(support::binary().into()),
        settings: vec![("group.initial.rebalance.delay.ms".into(), "0".into())],
        ..Options::new()
    };
    let mut running = Running::start(&System::Partita, &options).unwrap();
    let info = running.info();
    assert_eq!((info.name.as_str(), info.version.as_str()), ("partita", env!("CARGO_PKG_VERSION")));
    let folder_name = folder.path().to_str().unwrap();
    assert!(running.conf().contains("group.initial.rebalance.delay.ms=0") && !running.conf().contains(folder_name));
    create_topic(&running, "before");
    running.freeze().unwrap();
    running.thaw().unwrap();
    create_topic(&running, "after");
    assert!(running.is_alive());
    let pid = running.pids()[0];
    running.stop().unwrap();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "its data is gone");
}
