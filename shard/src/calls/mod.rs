//! What a core does when it is asked, by another core or by itself.

mod control;
mod lookup;
mod produce;
mod read;
mod refused;

use std::collections::BTreeMap;
use std::rc::Rc;

use engine::disk::Disk;
use engine::log::Log;
use futures_channel::oneshot;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use wire::TopicPartitionId;

use crate::core::Core;
use crate::mesh::{Call, Reply};
use crate::metrics::PartitionMetrics;
use crate::world::World;

pub(crate) use control::publish;
pub(crate) use produce::{Appending, answer, append_own, proceed};

/// Begins a call. What has to happen in order has happened on return.
pub(crate) fn begin<W: World>(core: &Rc<Core<W>>, call: Call) -> LocalBoxFuture<'static, Reply> {
    let owner = core.clone();
    match call {
        Call::Produce(call) => {
            let answers = produce::begin(core, call);
            async move { Reply::Produce(answered(answers).await) }.boxed_local()
        }
        Call::Read(call) => read::read(owner, call).map(Reply::Read).boxed_local(),
        Call::ListOffsets(queries) => lookup::list_offsets(owner, queries).map(Reply::ListOffsets).boxed_local(),
        Call::DeleteRecords(parts) => lookup::delete_records(owner, parts).map(Reply::DeleteRecords).boxed_local(),
        Call::EpochEnds(queries) => ready(Reply::EpochEnds(lookup::epoch_ends(core, queries))),
        Call::Group(from, request) => {
            let response = ask_groups(core, from, *request);
            async move { Reply::Group(Box::new(answered(response).await)) }.boxed_local()
        }
        Call::Control(request) => {
            let response = ask_controller(core, *request);
            async move { Reply::Control(Box::new(answered(response).await)) }.boxed_local()
        }
        Call::Prepare(change) => control::prepare(owner, change).map(Reply::Done).boxed_local(),
        Call::Show(change) => control::show(owner, change).map(Reply::Done).boxed_local(),
        Call::Metrics => ready(Reply::Metrics(Box::new(measure(core)))),
        Call::Drain => {
            control::drain(core);
            ready(Reply::Done(Ok(())))
        }
        Call::Close => control::close(owner).map(Reply::Done).boxed_local(),
    }
}

fn ready(reply: Reply) -> LocalBoxFuture<'static, Reply> {
    std::future::ready(reply).boxed_local()
}

/// A response that surely comes, unless the core is torn down with everybody who waits.
pub(crate) async fn answered<T>(response: oneshot::Receiver<T>) -> T {
    match response.await {
        Ok(response) => response,
        Err(oneshot::Canceled) => std::future::pending().await,
    }
}

fn ask_groups<W: World>(
    core: &Rc<Core<W>>,
    from: Option<broker::groups::ConnectionId>,
    request: broker::groups::GroupRequest,
) -> oneshot::Receiver<broker::groups::GroupResponse> {
    let (sender, receiver) = oneshot::channel();
    let (now_ms, random) = (core.world().now_ms(), core.world().random());
    let mut state = core.state();
    let token = state.group_calls.insert(sender) as broker::Token;
    state.groups.handle(now_ms, token, from, request, random);
    drop(state);
    core.pump();
    core.signals.timers.notify();
    receiver
}

fn ask_controller<W: World>(
    core: &Rc<Core<W>>,
    request: broker::controller::ControllerRequest,
) -> oneshot::Receiver<broker::controller::ControllerResponse> {
    let (sender, receiver) = oneshot::channel();
    let (now_ms, random) = (core.world().now_ms(), core.world().random());
    let mut state = core.state();
    let token = state.controller_calls.insert(sender) as broker::Token;
    let controller = state.controller.as_mut().expect("only the first core is asked to control");
    controller.handle(now_ms, token, request, random);
    drop(state);
    core.pump();
    receiver
}

fn measure<W: World>(core: &Core<W>) -> crate::metrics::CoreMetrics {
    let mut metrics = core.counters().snapshot();
    metrics.request_bytes = core.budget().used() as u64;
    let state = core.state();
    metrics.groups = state.groups.metrics(core.world().now_ms(), core.limits().described_groups_max);
    metrics.scrub = state.store.scrub_stats();
    let mut rotten: BTreeMap<TopicPartitionId, u64> = BTreeMap::new();
    for (key, _) in state.store.rotten() {
        *rotten.entry(key).or_default() += 1;
    }
    metrics.partitions = state
        .store
        .logs()
        .map(|log| PartitionMetrics {
            topic: log.topic().to_owned(),
            partition: log.key().partition,
            log_start: log.log_start(),
            log_end: log.log_end(),
            high_watermark: state.partitions.status(log.key()).map_or(-1, |status| status.high_watermark),
            size_bytes: log.size_bytes(),
            segments: log.segment_count() as u64,
            dirty_ratio: dirty_ratio(log),
            is_uncleanable: log.is_uncleanable(),
            rotten_batches: rotten.get(&log.key()).copied().unwrap_or(0),
        })
        .collect();
    metrics
}

/// The share of a compacted log's closed segments that no cleaning has been over.
fn dirty_ratio<D: Disk>(log: &Log<D>) -> Option<f64> {
    log.config()
        .compaction
        .map(|_| log.dirtiness(log.flushed_end(), i64::MAX).map_or(0.0, |dirtiness| dirtiness.ratio()))
}
