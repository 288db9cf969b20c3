//! Long polls: a fetch waits on its own core for partitions that any core may own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use broker::Token;
use futures_channel::oneshot;
use slab::Slab;
use wire::TopicPartitionId;

use crate::core::Core;
use crate::mesh::Message;
use crate::world::{CoreId, World};

/// The fetches of this core that wait, by the id that other cores know.
#[derive(Default)]
pub(crate) struct Watchers {
    waiting: RefCell<Slab<Option<oneshot::Sender<()>>>>,
}

impl Watchers {
    /// A partition that the watch `id` names has more. A watch that has gone, or was woken already, does not mind; one that has
    /// got the id since then reads once for nothing.
    pub(crate) fn wake(&self, id: u64) {
        let sender = self.waiting.borrow_mut().get_mut(id as usize).and_then(Option::take);
        if let Some(sender) = sender {
            // The watch that holds the receiver is in the table, so it is there.
            let _ = sender.send(());
        }
    }
}

/// Bits of a token below the core that watches.
const ID_BITS: u32 = 48;

/// The token by which the owner's partitions know another core's watch.
pub(crate) fn token(from: CoreId, id: u64) -> Token {
    assert!(id >> ID_BITS == 0, "a core has fewer than 2^48 fetches");
    (u64::from(from.0) << ID_BITS) | id
}

/// Who watches under a token, and what they call it.
pub(crate) fn watcher(token: Token) -> (CoreId, u64) {
    (CoreId((token >> ID_BITS) as u16), token & ((1 << ID_BITS) - 1))
}

/// A waiting fetch. Dropping it takes the watch back everywhere.
pub(crate) struct Watch<W: World> {
    core: Rc<Core<W>>,
    id: u64,
    owners: Vec<CoreId>,
    receiver: oneshot::Receiver<()>,
}

impl<W: World> Watch<W> {
    /// Asks the owners to wake this core when a partition has more than the end offset seen.
    pub(crate) fn start(core: &Rc<Core<W>>, seen: impl Iterator<Item = (CoreId, TopicPartitionId, i64)>) -> Watch<W> {
        let (sender, receiver) = oneshot::channel();
        let id = core.watchers().waiting.borrow_mut().insert(Some(sender)) as u64;
        let mut by_owner: BTreeMap<CoreId, Vec<(TopicPartitionId, i64)>> = BTreeMap::new();
        for (owner, key, end_offset) in seen {
            by_owner.entry(owner).or_default().push((key, end_offset));
        }
        let owners = by_owner.keys().copied().collect();
        for (owner, partitions) in by_owner {
            core.tell(owner, Message::Watch { from: core.id(), id, partitions });
        }
        Watch { core: core.clone(), id, owners, receiver }
    }

    /// Returns when a partition has more, or is gone.
    pub(crate) async fn woken(&mut self) {
        // The sender goes only with the watch itself.
        let _ = (&mut self.receiver).await;
    }
}

impl<W: World> Drop for Watch<W> {
    fn drop(&mut self) {
        self.core.watchers().waiting.borrow_mut().remove(self.id as usize);
        for &owner in &self.owners {
            self.core.tell(owner, Message::Unwatch { from: self.core.id(), id: self.id });
        }
    }
}
