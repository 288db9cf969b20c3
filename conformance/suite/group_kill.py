"""SIGKILL of the broker in the middle of rebalances, while members of several clients join, leave and die in one group.

At every kill the broker has just said that the group is in a rebalance; a run that finds none fails as not valid. After it:

- the group recovers by itself: each partition is read and committed on within `RECOVERY_SECONDS_MAX`, without a change by the test;
- no acknowledged commit is gone: what the group has committed is never less than what any member was told, and never goes back;
- a member that is given a partition begins no earlier than what had been acknowledged as committed before;
- every record whose produce was acknowledged reaches the group, with the value that it has in the log.
"""

import itertools
import random
import time
from collections import Counter, defaultdict

from .clients import GO
from .kill import PARTITIONS, RECOVERY_SECONDS_MAX, Load, read_lines, verify
from .members import Member, Operator, Timeline, now_ms, start_host
from .runner import Failed, Test
from .stage import BROKER_SETTINGS, HEARTBEAT_MS, METADATA_MS, PARTITA_SETTINGS, SESSION_MS
from .storage import own_broker

RATE = 60  # records a second; some members commit each by itself
MEMBERS_MIN, MEMBERS_MAX = 2, 5
# A JVM's start costs as much as several of the others.
CLIENTS = {"classic": ["go", "go", "python", "python", "confluent", "confluent", "java"],
           "consumer": ["go", "go", "confluent", "confluent", "java"]}
SETTINGS = {"kafka": BROKER_SETTINGS, "partita": PARTITA_SETTINGS}
ASSIGNOR = {"classic": "range", "consumer": "uniform"}
REBALANCING = {"PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling"}
REBALANCE_SECONDS_MAX = 120  # for one to be found
CHANGE_SECONDS = (0.1, 1.5)  # between two changes
INTO_REBALANCE_SECONDS = (0.0, 0.3)
# A rebalance is in this state for as long as its leader takes to assign: hard to meet by chance.
BRIEF = "CompletingRebalance"
CLOSE_SECONDS_MAX = 40


class Crowd:
    """The group's members, one process each, and what they did."""

    def __init__(self, context, topic, protocol, rng):
        self.context = context
        self.protocol = protocol
        self.rng = rng
        self.fields = {"group": topic, "topics": [topic], "pattern": None, "instance": None, "reset": "earliest",
                       "session_ms": SESSION_MS, "heartbeat_ms": HEARTBEAT_MS, "max_poll_ms": 60_000, "metadata_ms": METADATA_MS,
                       "commit": "each", "protocol": protocol, "assignor": ASSIGNOR[protocol]}
        # Records are many, and kept in memory.
        self.timeline = Timeline(lambda text: None if '"record"' in text else context.say(text))
        self.timeline.errors_expected = True
        self.members = []
        self.closing = []
        self.changes = Counter()
        self.numbers = itertools.count()

    def change(self):
        """One member more, or one less, with or without a goodbye."""
        self.reap()
        ways = (["join"] if len(self.members) < MEMBERS_MAX else []) + (["leave", "die"] if len(self.members) > MEMBERS_MIN else [])
        way = self.rng.choice(ways)
        self.changes[way] += 1
        if way == "join":
            self.join()
            return
        member = self.members.pop(self.rng.randrange(len(self.members)))
        if way == "die":
            member.kill()
        else:
            member.tell("close")
            self.closing.append((member, time.monotonic()))

    def join(self):
        client = self.rng.choice(CLIENTS[self.protocol])
        host = start_host(client, self.context.bootstrap, self.context.log)
        self.members.append(Member(host, self.timeline, f"{next(self.numbers)}-{client}", self.fields))

    def reap(self):
        """Ends the processes of members that have left; one that cannot leave, its coordinator being dead, is killed."""
        for member, since in list(self.closing):
            overdue = time.monotonic() - since > CLOSE_SECONDS_MAX
            if member.happened("closed") or overdue:
                if overdue:
                    member.mark("killed")
                member.host.kill()
                self.closing.remove((member, since))

    def check(self):
        for member in self.members:
            if member.host.process.poll() is not None:
                raise Failed(f"member {member.name} ended by itself")

    def until_recovered(self, since):
        """Until each partition is committed on after `since`; returns how many seconds that took."""
        started, heard, pending = time.monotonic(), 0, set(range(PARTITIONS))
        while pending:
            self.check()
            if time.monotonic() - started > RECOVERY_SECONDS_MAX:
                raise Failed(f"partitions {sorted(pending)} are not read on {RECOVERY_SECONDS_MAX} s after a restart")
            events = self.timeline.events[heard:]
            heard += len(events)
            for event in events:
                if event["event"] == "committed" and event["at"] > since:
                    pending -= {partition for _, partition, _ in event["offsets"]}
            time.sleep(0.02)
        return time.monotonic() - started

    def end(self):
        for member in [*self.members, *(member for member, _ in self.closing)]:
            member.host.kill()


def ask(operator, do, group):
    """The answer of a broker that may just have come back: connections are broken, and it may be loading."""
    deadline = time.monotonic() + RECOVERY_SECONDS_MAX
    while True:
        try:
            return operator.ask(do, group=group)
        except Failed:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def state_of(operator, group):
    return ask(operator, "describe", group)[0]


def until_rebalance(crowd, operator, group, rng):
    """Changes the group until the broker says that it is in a rebalance; returns the state's name."""
    deadline = time.monotonic() + REBALANCE_SECONDS_MAX
    while time.monotonic() < deadline:
        crowd.change()
        crowd.check()
        next_change = time.monotonic() + rng.uniform(*CHANGE_SECONDS)
        while time.monotonic() < next_change:
            state = state_of(operator, group)
            if state not in REBALANCING:
                continue
            match rng.choice(["at once", "later", "brief"]):
                case "later":
                    time.sleep(rng.uniform(*INTO_REBALANCE_SECONDS))
                    state = state_of(operator, group)
                case "brief":
                    while state in REBALANCING and state != BRIEF and time.monotonic() < deadline:
                        state = state_of(operator, group)
            if state in REBALANCING:
                return state
    raise Failed(f"the test is not valid: no rebalance was seen in {REBALANCE_SECONDS_MAX} s")


def committed(operator, group):
    """partition -> the offset that the group has committed."""
    return {partition: offset for _, partition, offset, _ in ask(operator, "offsets", group)}


def check_commits(events, snapshots):
    """Raises when a commit that a member was told of is gone, or one goes back; `snapshots` are [(at, {partition: offset})]."""
    told, index = defaultdict(int), 0
    acks = sorted((event["at"], partition, offset) for event in events if event["event"] == "committed"
                  for _, partition, offset in event["offsets"])
    before = {}
    for at, offsets in snapshots:
        while index < len(acks) and acks[index][0] <= at:
            _, partition, offset = acks[index]
            told[partition] = max(told[partition], offset)
            index += 1
        for partition, least in told.items():
            if offsets.get(partition, -1) < least:
                raise Failed(f"partition {partition}: committed is {offsets.get(partition)}, a member was told {least}")
        for partition, least in before.items():
            if offsets.get(partition, -1) < least:
                raise Failed(f"partition {partition}: committed went back from {least} to {offsets.get(partition)}")
        before = offsets


def check_tenures(events):
    """Raises when a member that was given a partition begins before what had been acknowledged as committed."""
    told, floors = defaultdict(int), {}
    for event in sorted(events, key=lambda event: event["at"]):
        member = event["member"]
        match event["event"]:
            case "committed":
                for _, partition, offset in event["offsets"]:
                    told[partition] = max(told[partition], offset)
            case "assigned":
                floors.update({(member, partition): told[partition] for _, partition in event["partitions"]})
            case "record":
                floor = floors.pop((member, event["partition"]), 0)
                if event["offset"] < floor:
                    raise Failed(f"{member} began partition {event['partition']} at {event['offset']}, committed was {floor}")


def check_records(events, log):
    """Raises unless the group was given every record of `log`, {partition: [(offset, number)]}, as it is there."""
    given = defaultdict(dict)
    for event in events:
        if event["event"] == "record":
            number = int(event["value"])
            if given[event["partition"]].setdefault(event["offset"], number) != number:
                raise Failed(f"partition {event['partition']} at {event['offset']}: {number}, and another one before")
    for partition, records in log.items():
        for offset, number in records:
            if given[partition].get(offset) != number:
                raise Failed(f"partition {partition} at {offset}: {number} in the log, the group got {given[partition].get(offset)}")


def until_read(crowd, log):
    """Until the group has come to the ends of the log."""
    deadline = time.monotonic() + RECOVERY_SECONDS_MAX
    reached = crowd.timeline.view.reached
    topic = crowd.fields["group"]
    while any(reached[topic, partition] < len(records) for partition, records in log.items()):
        crowd.check()
        if time.monotonic() > deadline:
            raise Failed(f"the group has read up to {dict(reached)}")
        time.sleep(0.05)


def kill_in_rebalances(context, protocol):
    rng = random.Random(context.options.seed)
    with own_broker(context, by_kind=SETTINGS) as broker:
        topic = f"group-killed-{protocol}"
        GO.create(context, topic, PARTITIONS)
        operator, crowd = Operator(context), Crowd(context, topic, protocol, rng)
        load = Load(context, topic, context.folder, rate=RATE)
        states, recoveries, snapshots = Counter(), [], []
        try:
            for _ in range(MEMBERS_MIN + 1):
                crowd.join()
            crowd.until_recovered(0)
            for kill in range(context.options.kills):
                load.await_progress()
                state = until_rebalance(crowd, operator, topic, rng)
                broker.check()
                broker.kill()
                killed_at = now_ms()
                states[state] += 1
                broker.start()
                since = now_ms()
                snapshots.append((killed_at, committed(operator, topic)))
                recoveries.append(crowd.until_recovered(since))
                context.say(f"# kill {kill + 1} in {state}, recovered within {recoveries[-1]:.2f} s")
            load.finish()
            verify(context.folder)
            log = read_lines(context.file("final"))
            until_read(crowd, log)
            snapshots.append((now_ms(), committed(operator, topic)))
            events = list(crowd.timeline.events)
            check_commits(events, snapshots)
            check_tenures(events)
            check_records(events, log)
        finally:
            crowd.end()
            load.close()
            operator.end()
        context.say(f"# {sum(map(len, log.values()))} records, kills in {dict(states)}, changes {dict(crowd.changes)}, recovered within "
                    f"{sorted(recoveries)[len(recoveries) // 2]:.1f} s (median), {max(recoveries):.1f} s (most), seed {context.options.seed}")
        broker.stop()


def tests():
    for protocol in CLIENTS:
        yield Test(f"group-kill/{protocol}", lambda context, protocol=protocol: kill_in_rebalances(context, protocol))
