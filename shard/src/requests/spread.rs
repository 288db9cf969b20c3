//! A request's partitions, spread over the cores that own them, and their answers gathered in the request's order.

use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use futures_util::future::join_all;

use crate::core::Core;
use crate::mesh::{Call, Reply};
use crate::world::{CoreId, World};

/// Parts by the core that owns them, each with its place in the answer.
pub(crate) struct Spread<P> {
    shares: BTreeMap<CoreId, (Vec<usize>, Vec<P>)>,
}

impl<P> Spread<P> {
    pub(crate) fn new() -> Self {
        Spread { shares: BTreeMap::new() }
    }

    /// Adds a part whose answer belongs at `slot`.
    pub(crate) fn add(&mut self, core: CoreId, slot: usize, part: P) {
        let core = probe::mutated!(core, ForwardToWrongCore => CoreId::FIRST);
        let (slots, parts) = self.shares.entry(core).or_default();
        slots.push(slot);
        parts.push(part);
    }

    /// Begins every core's share now. The future puts each answer into its place in `answers`; `open` takes the list of
    /// answers, as long as the list of parts, out of the reply.
    pub(crate) fn begin<W: World, R, C: Fn(Vec<P>) -> Call>(
        self,
        core: &Rc<Core<W>>,
        mut answers: Vec<R>,
        call: C,
        open: fn(Reply) -> Option<Vec<R>>,
    ) -> impl Future<Output = Vec<R>> + use<P, W, R, C> {
        let shares: Vec<_> =
            self.shares.into_iter().map(|(to, (slots, parts))| (slots, core.call(to, call(parts)))).collect();
        async move {
            let (slots, pending): (Vec<_>, Vec<_>) = shares.into_iter().unzip();
            for (slots, reply) in slots.into_iter().zip(join_all(pending).await) {
                let list = open(reply).expect("a call is answered by the reply of its kind");
                assert_eq!(list.len(), slots.len(), "every part has its answer");
                let slots = probe::mutated!(slots, AnswersSwapped => slots.into_iter().rev().collect::<Vec<_>>());
                for (slot, answer) in slots.into_iter().zip(list) {
                    answers[slot] = answer;
                }
            }
            answers
        }
    }
}
