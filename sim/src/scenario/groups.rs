//! Groups of a seed: how many, which protocols and timeouts, and what befalls their members.

use std::time::Duration;

use ::broker::config::BrokerConfig;

use super::{FAULTS_WITHIN, MILLISECOND};
use crate::client::Topic;
use crate::client::group::{GroupPlan, Protocol, Versions};
use crate::client::member::assignor::Assignor;
use crate::client::member::script::{End, Ending, Interruption, MemberPlan};
use crate::dice::Dice;

/// Members of a group at most.
const MEMBERS_MAX: u64 = 5;

/// The groups that read some of these topics.
pub(super) fn groups(dice: &Dice, config: &BrokerConfig, topics: &[Topic]) -> Vec<GroupPlan> {
    let count = *dice.pick(&[0, 0, 1, 1, 1, 2]);
    (0..count).map(|number| group(&dice.fork(), number, config, topics)).collect()
}

fn group(dice: &Dice, number: u32, config: &BrokerConfig, topics: &[Topic]) -> GroupPlan {
    let protocol = protocol(dice, config);
    // Static members that miss a rebalance stay, with a generation that is over: where the session is the longer one.
    let outlives_rebalances = protocol == Protocol::Classic && dice.chance(30);
    let session = match protocol {
        Protocol::Classic if outlives_rebalances => 1000,
        Protocol::Classic => *dice.pick(&[150, 400, 1000]),
        Protocol::Consumer { .. } => config.group_consumer_session_timeout_ms as u32,
    } * MILLISECOND;
    let rebalance = if outlives_rebalances { 200 } else { *dice.pick(&[200, 500, 1500]) } * MILLISECOND;
    let versions = match protocol {
        Protocol::Classic if outlives_rebalances => Versions::NEW,
        Protocol::Classic => *dice.pick(&[Versions::NEW, Versions::NEW, Versions::MIDDLE, Versions::OLD]),
        Protocol::Consumer { .. } => Versions::CONSUMER,
    };
    // A static leader that comes back is not told before JoinGroup v9 that it leads: nobody notices that a topic grows then.
    let has_static = ![Versions::MIDDLE, Versions::OLD].contains(&versions) && (outlives_rebalances || dice.chance(50));
    let assignors = match dice.below(5) {
        0 => vec![Assignor::Range],
        1 => vec![Assignor::RoundRobin],
        2 => vec![Assignor::Range, Assignor::RoundRobin],
        _ => vec![Assignor::CooperativeSticky],
    };
    let mut read: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    if dice.chance(50) {
        read.truncate(dice.within(1..=read.len() as u64) as usize);
    }
    let fault_percent = if outlives_rebalances { 80 } else { *dice.pick(&[0, 40, 80]) };
    let member =
        |index| member(dice, (number, index), session, (has_static, protocol == Protocol::Classic), fault_percent);
    GroupPlan {
        number,
        protocol,
        assignors,
        topics: read,
        session,
        rebalance,
        grace: config.group_disconnect_grace_ms.map(|ms| ms as u32 * MILLISECOND),
        heartbeat: match protocol {
            Protocol::Classic => session.min(rebalance) / *dice.pick(&[4, 10]),
            Protocol::Consumer { interval, .. } => interval,
        },
        commit: *dice.pick(&[20, 100, 400]) * MILLISECOND,
        commits_before_revoking: dice.chance(60),
        stubborn_percent: *dice.pick(&[0, 50]),
        fetch_bytes: *dice.pick(&[2_000, 100_000]),
        wait_ms: *dice.pick(&[10, 40]),
        versions,
        members: (0..dice.within(1..=MEMBERS_MAX)).map(member).collect(),
    }
}

fn protocol(dice: &Dice, config: &BrokerConfig) -> Protocol {
    if dice.chance(50) {
        return Protocol::Classic;
    }
    let interval = config.group_consumer_heartbeat_interval_ms as u32 * MILLISECOND;
    Protocol::Consumer { assignor: *dice.pick(&[None, Some("uniform"), Some("range")]), interval }
}

fn member(
    dice: &Dice,
    (group, index): (u32, u64),
    session: Duration,
    (has_static, may_take_over): (bool, bool),
    fault_percent: u64,
) -> MemberPlan {
    let some_time = || Duration::from_micros(dice.below(FAULTS_WITHIN.as_micros() as u64));
    let starts = if dice.chance(60) { dice.delay(&(Duration::ZERO..=100 * MILLISECOND)) } else { some_time() / 2 };
    let mut times: Vec<Duration> = Vec::new();
    while times.len() < 4 && dice.chance(fault_percent) {
        times.push(some_time());
    }
    times.sort();
    let (mut interruptions, mut endings) = (Vec::new(), Vec::new());
    for at in times {
        // As often too short to be noticed as long enough.
        let lasts = session * dice.within(1..=24) as u32 / 10;
        match dice.below(7) {
            0 | 1 => interruptions.push((at, Interruption::Freeze(lasts))),
            2 => interruptions.push((at, Interruption::Offline(lasts))),
            3 => interruptions.push((at, Interruption::Stall(lasts))),
            kind => {
                let how = [End::Die, End::Vanish, End::Leave][kind as usize - 4];
                let back_after = dice.chance(75).then_some(lasts / 2);
                endings.push((at, Ending { how, back_after }));
            }
        }
    }
    // Now and then two have one instance id: the second one takes the first one's place, where the protocol lets it.
    let takes_over = may_take_over && dice.chance(15);
    let instance = has_static.then(|| format!("instance-{}", if takes_over { index / 2 } else { index }));
    MemberPlan { name: format!("member-{group}-{index}"), instance, starts, interruptions, endings }
}
