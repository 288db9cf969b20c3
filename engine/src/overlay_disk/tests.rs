//! An overlay behaves as a disk does, and its base stays as it was.

use super::*;
use crate::memory::Chunk;
use crate::memory_disk::{MemoryDisk, NoLatency, Random};
use crate::testing::run;

const PATHS: [&str; 5] = ["/d/a", "/d/b", "/d/e/c", "/d/e/f", "/d/new/g"];

/// One random step, on any disk; what it returned.
fn step<D: Disk>(disk: &D, random: &mut Random) -> String {
    let path = Path::new(PATHS[random.below(5) as usize]);
    let other = Path::new(PATHS[random.below(5) as usize]);
    let dir = path.parent().expect("it has one");
    let position = random.below(4) * BLOCK as u64;
    let (len, fill) = (1 + random.below(3) as usize, random.below(255) as u8);
    let mode = [OpenMode::Read, OpenMode::ReadWrite, OpenMode::Create][random.below(3) as usize];
    let kind = random.below(8);
    let cut = random.below(5 * BLOCK as u64);
    let is_missing = |error: &DiskError| *error == DiskError::NotFound;
    match kind {
        0 => format!("{:?}", run(disk.create_dir(dir)).is_ok()),
        1 if path != other => format!("{:?}", run(disk.rename(path, other)).as_ref().err().is_some_and(is_missing)),
        2 => format!("{:?}", run(disk.remove_file(path)).as_ref().err().is_some_and(is_missing)),
        3 if fill < 30 => format!("{:?}", run(disk.remove_dir(dir)).as_ref().err().is_some_and(is_missing)),
        4 => format!("{:?}", run(disk.list(dir)).ok()),
        _ => match run(disk.open(path, mode)) {
            Err(error) => format!("{}", is_missing(&error)),
            Ok(file) => {
                if mode != OpenMode::Read && fill % 2 == 0 {
                    let chunk = Chunk::padded(&vec![fill; len * BLOCK]);
                    run(file.write(position, vec![chunk.slice(0..chunk.len())], Durability::Volatile))
                        .expect("it fits");
                } else if mode != OpenMode::Read && fill % 3 == 0 {
                    run(file.truncate(cut)).expect("it can be cut");
                }
                format!("{:?} {:?}", run(file.len()), run(file.read(cut / 2, 3 * BLOCK)))
            }
        },
    }
}

#[test]
fn an_overlay_does_what_a_disk_does_and_never_touches_its_base() {
    for seed in 0..60 {
        let (base, plain) = (MemoryDisk::new(1, NoLatency), MemoryDisk::new(1, NoLatency));
        for disk in [&base, &plain] {
            run(disk.create_dir(Path::new("/d/e"))).expect("it can be made");
            let random = &mut Random::new(seed);
            (0..30).for_each(|_| drop(step(disk, random)));
        }
        let before: Vec<_> = PATHS.iter().map(|path| base.contents(Path::new(path))).collect();
        let overlay = OverlayDisk::new(base.clone());
        let (one, other) = (&mut Random::new(!seed), &mut Random::new(!seed));
        for number in 0..60 {
            let (seen, expected) = (step(&overlay, one), step(&plain, other));
            assert_eq!(seen, expected, "seed {seed}, step {number}");
        }
        assert_eq!(PATHS.iter().map(|path| base.contents(Path::new(path))).collect::<Vec<_>>(), before);
    }
}
