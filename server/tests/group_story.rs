//! The story that a newcomer runs, with the binary under test: `examples/group-story` proves its own claims.

use std::path::Path;
use std::process::Command;

#[test]
fn the_story_of_a_group_holds() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/group-story");
    let output = Command::new(script).env("PARTITA", env!("CARGO_BIN_EXE_partita")).output().expect("bash is there");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    for claim in ["none is lost", "stepped up after", "has read all", "All of it held"] {
        assert!(told.contains(claim), "the story says {claim:?}:\n{told}");
    }
}
