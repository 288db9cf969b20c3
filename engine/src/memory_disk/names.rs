//! The names on the disk, as they are now and as they would be after a crash, which keeps any subset of the changes that
//! no sync of their folder has covered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::random::Random;
use crate::disk::DiskError;

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Node {
    Dir,
    File(u64),
}

type Tree = BTreeMap<PathBuf, Node>;

#[derive(Clone)]
enum Change {
    Create(PathBuf, Node),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Change {
    fn concerns(&self, dir: &Path) -> bool {
        match self {
            Change::Create(path, _) | Change::Remove(path) => path.parent() == Some(dir),
            Change::Rename(from, to) => from.parent() == Some(dir) || to.parent() == Some(dir),
        }
    }

    /// Carries the change out; false where what it builds on is not there.
    fn apply(&self, tree: &mut Tree) -> bool {
        let has_parent = |tree: &Tree, path: &Path| path.parent().is_none_or(|dir| tree.get(dir) == Some(&Node::Dir));
        match self {
            Change::Create(path, node) if has_parent(tree, path) => {
                tree.entry(path.clone()).or_insert(*node);
                true
            }
            Change::Rename(from, to) if tree.contains_key(from) && has_parent(tree, to) => {
                let moved: Vec<_> = tree.keys().filter(|path| path.starts_with(from)).cloned().collect();
                remove(tree, to);
                for path in moved {
                    let node = tree.remove(&path).expect("it was listed");
                    let rest = path.strip_prefix(from).expect("it was filtered");
                    // Joining an empty path would add a slash.
                    let target = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                    tree.insert(target, node);
                }
                true
            }
            Change::Remove(path) => {
                remove(tree, path);
                true
            }
            Change::Create(..) | Change::Rename(..) => false,
        }
    }
}

fn remove(tree: &mut Tree, path: &Path) {
    tree.retain(|name, _| !name.starts_with(path));
}

/// A change that is not certain to survive.
struct Pending {
    ticket: u64,
    /// Its folder was synced, but what it builds on is not stable itself yet.
    synced: bool,
    change: Change,
}

/// All names.
pub struct Names {
    now: Tree,
    stable: Tree,
    pending: Vec<Pending>,
    ticket: u64,
}

impl Names {
    /// Only the root folders `/` and `` exist.
    pub fn new() -> Names {
        let tree = Tree::from([(PathBuf::from("/"), Node::Dir), (PathBuf::new(), Node::Dir)]);
        Names { now: tree.clone(), stable: tree, pending: Vec::new(), ticket: 0 }
    }

    pub fn get(&self, path: &Path) -> Option<Node> {
        self.now.get(path).copied()
    }

    /// All files that a name or a surviving name can lead to.
    pub fn files(&self) -> impl Iterator<Item = u64> {
        self.now.values().filter_map(|node| match node {
            Node::File(file) => Some(*file),
            Node::Dir => None,
        })
    }

    pub fn children<'a>(&'a self, dir: &'a Path) -> impl Iterator<Item = (String, Node)> + 'a {
        let inside = self.now.range(dir.to_path_buf()..).take_while(move |(path, _)| path.starts_with(dir));
        inside
            .filter(move |(path, _)| path.parent() == Some(dir))
            .filter_map(|(path, node)| path.file_name().map(|name| (name.to_string_lossy().into_owned(), *node)))
    }

    pub fn create(&mut self, path: &Path, node: Node) -> Result<(), DiskError> {
        let parent = path.parent().unwrap_or(Path::new(""));
        if self.get(parent) != Some(Node::Dir) {
            return Err(DiskError::NotFound);
        }
        self.change(Change::Create(path.to_path_buf(), node));
        Ok(())
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let parent = to.parent().unwrap_or(Path::new(""));
        if self.get(from).is_none() || self.get(parent) != Some(Node::Dir) {
            return Err(DiskError::NotFound);
        }
        self.change(Change::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    pub fn remove(&mut self, path: &Path) -> Result<(), DiskError> {
        self.get(path).ok_or(DiskError::NotFound)?;
        self.change(Change::Remove(path.to_path_buf()));
        Ok(())
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.ticket += 1;
        self.pending.push(Pending { ticket: self.ticket, synced: false, change });
    }

    /// What a sync that starts now will cover.
    pub fn covered(&self) -> u64 {
        self.ticket
    }

    /// Makes the changes directly in `dir` up to `covered` stable.
    pub fn sync(&mut self, dir: &Path, covered: u64) {
        let stable = &mut self.stable;
        self.pending.retain_mut(|pending| {
            pending.synced |= pending.ticket <= covered && pending.change.concerns(dir);
            !(pending.synced && pending.change.apply(stable))
        });
    }

    /// The power goes and comes back.
    pub fn crash(&mut self, random: &mut Random) {
        for pending in self.pending.drain(..) {
            if pending.synced || random.chance(50) {
                pending.change.apply(&mut self.stable);
            }
        }
        self.now = self.stable.clone();
    }
}
