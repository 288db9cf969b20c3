//! The floor under the driver, end to end on a real socket and a real disk (the temporary folder must support O_DIRECT).

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::*;
use crate::driver::{self, Load};

const PARTITIONS: u32 = 5;

/// Serves on a free port; the thread ends with the test's process.
fn start(data_dir: &Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let settings = Settings {
        data_dir: data_dir.to_owned(),
        journal_files: 2,
        journal_file_bytes: 4 << 20,
        group_bytes: 1 << 20,
        sync: true,
        filing: true,
        partitions: PARTITIONS as usize,
    };
    // A ring of one issuer belongs to the thread that made it.
    thread::spawn(move || Floor::new(listener, &settings).unwrap().run().unwrap());
    address
}

fn load(address: SocketAddr, batch_bytes: usize) -> Load {
    Load {
        address,
        topic: "floor".to_owned(),
        partitions: PARTITIONS,
        connections: 3,
        depth: 4,
        batch_bytes,
        record_bytes: 100,
        acks: -1,
        warm_up: Duration::ZERO,
        window: Duration::from_millis(200),
        rate: None,
        server: None,
    }
}

#[test]
fn batches_of_every_size_are_acknowledged_and_filed() {
    let folder = tempfile::tempdir().unwrap();
    let address = start(folder.path());
    for batch_bytes in [200, 16 << 10, 64 << 10, 600 << 10] {
        // A busy machine's disk may take most of a second for the largest.
        let load = Load { window: Duration::from_secs(2), ..load(address, batch_bytes) };
        let outcome = driver::run(&load).unwrap();
        assert!(outcome.requests > 0, "no batch of {batch_bytes} bytes was acknowledged");
        assert!(outcome.response.len() >= outcome.requests, "an answer has no latency");
    }
    let filed = fs::read_dir(folder.path().join("partitions")).unwrap().count();
    assert_eq!(filed, PARTITIONS as usize);
    let journal = fs::read(folder.path().join("journal/0000")).unwrap();
    assert!(journal.iter().any(|&byte| byte != 0), "nothing reached the journal");
}

#[test]
fn an_open_loop_sends_what_was_due_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut load = load(start(folder.path()), 1000);
    load.rate = Some(200_000.0);
    let outcome = driver::run(&load).unwrap();
    assert!(outcome.offered > 0);
    assert!(outcome.requests <= outcome.offered + outcome.offered / 2 + 3, "{outcome:?}");
}

#[test]
fn a_client_that_sends_garbage_is_closed_and_the_others_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let address = start(folder.path());
    let mut corrupt = crate::batch::build(2, 100, 0, 1);
    *corrupt.last_mut().unwrap() ^= 1;
    let mut request = produce::request_prefix("floor", 0, corrupt.len(), -1);
    request.extend_from_slice(&corrupt);
    request.extend_from_slice(&produce::SUFFIX);
    for garbage in [&request[..], &[0xff; 64][..], &[0, 0, 0, 4, 1, 2, 3, 4][..]] {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(garbage).unwrap();
        assert_eq!(socket.read(&mut [0; 16]).unwrap_or(0), 0, "the floor answered garbage");
    }
    let load = Load { window: Duration::from_secs(2), ..load(address, 1000) };
    assert!(driver::run(&load).is_ok_and(|outcome| outcome.requests > 0));
}
