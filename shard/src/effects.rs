//! Carrying out what the state machines want, until they want nothing more.

use std::rc::Rc;

use broker::Token;
use broker::controller::{Controller, ControllerEffect};
use broker::groups::GroupEffect;
use broker::partition::PartitionEffect;
use engine::log::Log;
use engine::store::StoreEvent;
use wire::{ErrorCode, TopicPartitionId};

use crate::calls;
use crate::cleaning;
use crate::core::{Core, State};
use crate::mesh::{Change, Message};
use crate::waiters::{Appended, Settled};
use crate::watches;
use crate::world::World;

impl<W: World> Core<W> {
    /// Carries out every effect that is waiting, and wakes the tasks that have something to do.
    pub(crate) fn pump(self: &Rc<Self>) {
        while self.is_open() && self.carry_out_one() {}
        self.signals.journal.notify();
        self.signals.background.notify();
    }

    /// Carries out one effect; false when there is none.
    fn carry_out_one(self: &Rc<Self>) -> bool {
        let mut guard = self.state();
        let state = &mut *guard;
        if let Some(event) = state.store.poll_event() {
            self.handle_store_event(state, event);
        } else if let Some(effect) = state.partitions.poll_effect() {
            drop(guard);
            self.carry_out_partition(effect);
        } else if let Some(effect) = state.groups.poll_effect() {
            self.carry_out_groups(state, effect);
        } else if let Some(effect) = state.controller.as_mut().and_then(Controller::poll_effect) {
            self.carry_out_controller(state, effect);
        } else {
            return false;
        }
        true
    }

    fn handle_store_event(&self, state: &mut State<W>, event: StoreEvent) {
        match event {
            StoreEvent::Flushed { key, end_offset } => state.partitions.flushed(key, end_offset),
            StoreEvent::LogStartMoved { key, log_start } => {
                state.partitions.set_log_start(key, log_start);
                if state.store.log(key).is_some_and(Log::wants_producer_snapshot) {
                    let (offset, producers) = state.partitions.producer_snapshot(key);
                    state.store.set_producer_snapshot(key, offset, producers);
                }
                let arrived = state.log_starts.extract_if(.., |waiter| waiter.key == key && waiter.offset <= log_start);
                for waiter in arrived {
                    // A client that has gone does not mind.
                    let _ = waiter.sender.send(log_start);
                }
            }
            StoreEvent::Full => tracing::error!(
                core = self.id().0,
                "the disk is full: appends are refused until there is space again; reads go on"
            ),
            StoreEvent::Cleaned { key, stats, error } => cleaning::cleaned(self, state, key, stats, error),
            StoreEvent::Rotten { key, path, rotten } => tracing::error!(
                topic = state.store.log(key).map_or("?", |log| log.topic()),
                partition = key.partition,
                file = %path.display(),
                position = rotten.position,
                first_offset = rotten.offsets.start,
                last_offset = rotten.offsets.end - 1,
                reason = rotten.what,
                "P0401: the disk has damaged a record batch: readers of these offsets are told CORRUPT_MESSAGE, the rest \
                 is served"
            ),
            StoreEvent::RemovalFailed { key, error } => tracing::warn!(
                topic = %key.topic,
                partition = key.partition,
                %error,
                "a segment's files could not be removed; the next start removes what is left"
            ),
            StoreEvent::SpaceBack => tracing::info!(core = self.id().0, "there is space again: appends go on"),
        }
    }

    fn carry_out_partition(self: &Rc<Self>, effect: PartitionEffect) {
        match effect {
            PartitionEffect::Acked { token, .. } => self.settle(token, None),
            PartitionEffect::Closed { token, key } => self.settle(token, Some(key)),
            PartitionEffect::Wake { token } => {
                let (watcher, id) = watches::watcher(token);
                self.tell(watcher, Message::Wake { id });
            }
        }
    }

    fn settle(&self, token: Token, closed: Option<TopicPartitionId>) {
        let settled = self.state().waiters.settle(token, closed);
        self.settled(settled);
    }

    /// What was appended is acknowledged, or its partitions were closed.
    pub(crate) fn settled(&self, settled: Option<Settled>) {
        let Some(Settled { then, closed }) = settled else { return };
        let result = if closed.is_empty() { Ok(()) } else { Err(ErrorCode::NotLeaderOrFollower) };
        let mut state = self.state();
        match then {
            // A client that has gone does not mind.
            Appended::Produce { answers, sender } => drop(sender.send(calls::answer(answers, &closed))),
            Appended::Groups(write_id) => state.groups.appended(self.world().now_ms(), write_id, result),
            Appended::Controller(write_id) => {
                if let Some(controller) = &mut state.controller {
                    controller.appended(write_id, result);
                }
            }
        }
    }

    fn carry_out_groups(&self, state: &mut State<W>, effect: GroupEffect) {
        match effect {
            GroupEffect::Respond { token, response } => {
                let sender = state.group_calls.remove(usize::try_from(token).expect("tokens are indexes"));
                // A member whose connection has ended does not mind.
                drop(sender.send(response));
            }
            GroupEffect::Append { write_id, offsets_partition, batch } => {
                let key = self.catalog().key_of(broker::catalog::OFFSETS_TOPIC, offsets_partition);
                let appended = key
                    .ok_or(ErrorCode::NotCoordinator)
                    .and_then(|key| calls::append_own(self, state, key, batch, Appended::Groups(write_id)));
                if let Err(error) = appended {
                    state.groups.appended(self.world().now_ms(), write_id, Err(error));
                }
            }
        }
    }

    fn carry_out_controller(&self, state: &mut State<W>, effect: ControllerEffect) {
        match effect {
            ControllerEffect::Respond { token, response } => {
                let sender = state.controller_calls.remove(usize::try_from(token).expect("tokens are indexes"));
                // A client that has gone does not mind.
                drop(sender.send(response));
            }
            ControllerEffect::Append { write_id, batch } => {
                let key = TopicPartitionId::CLUSTER_METADATA;
                let appended = calls::append_own(self, state, key, batch, Appended::Controller(write_id));
                if let (Err(error), Some(controller)) = (appended, &mut state.controller) {
                    controller.appended(write_id, Err(error));
                }
            }
            ControllerEffect::Publish { write_id, catalog, created, deleted, reconfigured } => {
                state.changes.push_back(Change { write_id, catalog, created, deleted, reconfigured });
                self.signals.publish.notify();
            }
            ControllerEffect::Started => self.registered(Ok(())),
            ControllerEffect::StartFailed { error } => self.registered(Err(error)),
        }
    }
}
