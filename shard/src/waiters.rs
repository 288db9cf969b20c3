//! Who waits for what on a core: appends until they are acknowledged, log starts until they have moved.

use broker::Token;
use futures_channel::oneshot;
use slab::Slab;
use wire::TopicPartitionId;
use wire::api::k00_produce::PartitionProduceResponse;

/// Something that was appended and is answered once it is acknowledged.
pub(crate) enum Appended {
    /// A produce call: the answer for each part, as it is when nothing goes wrong any more.
    Produce {
        /// One for each part.
        answers: Vec<(TopicPartitionId, PartitionProduceResponse)>,
        /// Gets them.
        sender: oneshot::Sender<Vec<PartitionProduceResponse>>,
    },
    /// A write of the groups.
    Groups(u64),
    /// A write of the controller.
    Controller(u64),
}

struct Waiter {
    /// Partitions that are not acknowledged yet, and one more while parts are still being appended.
    open: usize,
    closed: Vec<TopicPartitionId>,
    then: Option<Appended>,
}

/// An append all of whose partitions are acknowledged or closed.
pub(crate) struct Settled {
    pub(crate) then: Appended,
    /// Partitions that were closed meanwhile.
    pub(crate) closed: Vec<TopicPartitionId>,
}

/// The appends that wait, by token.
#[derive(Default)]
pub(crate) struct Waiters {
    waiters: Slab<Waiter>,
}

impl Waiters {
    /// A token for an append that is about to begin. [`Waiters::complete`] is to follow.
    pub(crate) fn begin(&mut self) -> Token {
        self.waiters.insert(Waiter { open: 1, closed: Vec::new(), then: None }) as Token
    }

    /// One more partition is to be waited for.
    pub(crate) fn park(&mut self, token: Token) {
        self.waiter(token).open += 1;
    }

    /// Everything is appended: `then` is to happen when it is settled, which may be now.
    pub(crate) fn complete(&mut self, token: Token, then: Appended) -> Option<Settled> {
        self.waiter(token).then = Some(then);
        self.release(token)
    }

    /// One of the token's partitions is acknowledged, or closed.
    pub(crate) fn settle(&mut self, token: Token, closed: Option<TopicPartitionId>) -> Option<Settled> {
        self.waiter(token).closed.extend(closed);
        self.release(token)
    }

    fn release(&mut self, token: Token) -> Option<Settled> {
        let waiter = self.waiter(token);
        waiter.open -= 1;
        if waiter.open > 0 {
            return None;
        }
        let Waiter { closed, then, .. } = self.waiters.remove(index(token));
        Some(Settled { then: then.expect("an append is complete before its last partition is settled"), closed })
    }

    fn waiter(&mut self, token: Token) -> &mut Waiter {
        self.waiters.get_mut(index(token)).expect("a token lives until its last partition is settled")
    }
}

fn index(token: Token) -> usize {
    usize::try_from(token).expect("tokens are indexes")
}

/// Who waits for a log start to be durably moved.
pub(crate) struct LogStartWaiter {
    pub(crate) key: TopicPartitionId,
    /// The log start that is wanted, or any beyond it.
    pub(crate) offset: i64,
    /// Gets the log start.
    pub(crate) sender: oneshot::Sender<i64>,
}
