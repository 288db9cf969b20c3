//! What befalls a member, and the member through its lives.

use std::rc::Rc;
use std::time::Duration;

use super::{Ended, Member};
use crate::client::Shared;
use crate::client::group::Group;
use crate::coverage::Reached;

/// A member of a group, through all its lives.
#[derive(Clone, Debug)]
pub struct MemberPlan {
    /// Its name in traces and towards the broker.
    pub name: String,
    /// Its instance id, if it is a static member.
    pub instance: Option<String>,
    /// When it starts, counted from the beginning of the load.
    pub starts: Duration,
    /// What happens to its connections and its time, in order, counted likewise.
    pub interruptions: Vec<(Duration, Interruption)>,
    /// How its lives end, in order, counted likewise.
    pub endings: Vec<(Duration, Ending)>,
}

/// Something that a member lives through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// It stands still, then goes on with what it knew.
    Freeze(Duration),
    /// Its connections are cut, and for a time it gets no new ones.
    Offline(Duration),
    /// Nothing arrives for a time, then everything does.
    Stall(Duration),
}

/// The end of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// In which way.
    pub how: End,
    /// When another life begins, with the same instance id if it has one.
    pub back_after: Option<Duration>,
}

/// In which way a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It dies, and its connections are closed.
    Die,
    /// It dies, and nobody closes its connections.
    Vanish,
    /// It says goodbye.
    Leave,
}

/// A member through all its lives, until the run stops consumers.
pub async fn inhabit(shared: Rc<Shared>, group: Rc<Group>, plan: MemberPlan) {
    let begin_ns = shared.clock.now_ns();
    let at_ns = |after: Duration| begin_ns + after.as_nanos() as u64;
    shared.clock.sleep_until(at_ns(plan.starts)).await;
    let interruptions = plan.interruptions.iter().map(|(after, what)| (at_ns(*after), *what)).collect();
    let mut member =
        Member::new(shared.clone(), group.clone(), plan.name.clone(), plan.instance.clone(), interruptions);
    for (after, ending) in &plan.endings {
        let left = Duration::from_nanos(at_ns(*after).saturating_sub(shared.clock.now_ns()));
        if let Some(Ended) = shared.clock.timeout(left, member.live()).await {
            return member.bury();
        }
        shared.trace.event(format_args!("{} ends: {ending:?}", plan.name));
        // A request may be under way: its connection is of no use to anybody else.
        let links = member.take_links();
        match ending.how {
            End::Die => shared.reached(Reached::Died),
            End::Vanish => {
                shared.reached(Reached::Vanished);
                group.graveyard.borrow_mut().extend(links);
            }
            // Cut short by the next ending's time: a member that cannot reach anybody is as good as dead.
            End::Leave => drop(shared.clock.timeout(group.plan.session, member.leave()).await),
        }
        let Some(pause) = ending.back_after else { return member.bury() };
        member = member.reborn();
        shared.clock.sleep_until(shared.fault_ends_ns(pause)).await;
        shared.trace.event(format_args!("{} is back", plan.name));
    }
    member.live().await;
    member.bury();
}
