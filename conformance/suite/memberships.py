"""Groups of real members, each client with each of its protocols and assignors, through what happens to groups.

Every scenario ends with the judge's verdict on all that the members did (judge.py), and adds what it is about.
"""

from functools import partial

from .runner import Test
from .stage import Kind, Stage

CLASSIC = {
    "java": ["range", "roundrobin", "sticky", "cooperative-sticky"],
    "go": ["range", "roundrobin", "sticky", "cooperative-sticky"],
    "confluent": ["range", "roundrobin", "cooperative-sticky"],
    "python": ["range", "roundrobin", "sticky", "cooperative-sticky"],
    "node": ["RoundRobinAssigner"],
    "kcat": ["range", "cooperative-sticky"],
}
CONSUMER = {"java": ["uniform", "range"], "go": ["uniform", "range"], "confluent": ["uniform", "range"]}
KINDS = [Kind(client, protocol, assignor) for protocol, clients in (("classic", CLASSIC), ("consumer", CONSUMER))
         for client, assignors in clients.items() for assignor in assignors]
# One of each client's ways to rebalance: where the assignor does not matter.
WAYS = [kind for kind in KINDS if kind.assignor in ("range" if kind.protocol == "classic" else "uniform", "cooperative-sticky",
                                                     "RoundRobinAssigner")]


def kinds(among, *clients):
    return [kind for kind in among if kind.client in clients]


def without(among, *others):
    return [kind for kind in among if kind not in others]


def share(context, kind, others=()):
    """Members come one by one, each takes its share while records flow, one leaves; a second group reads everything again."""
    with Stage(context) as stage:
        topic = stage.topic(4)
        group = stage.group(kind, topics=[topic])
        with stage.feeding(topic):
            joining = [kind, *others] if others else [kind] * 4
            for count, each in enumerate(joining, start=1):
                group.join(each)
                group.until_shares(*fair(4, count))
            if kind.client != "kcat":
                group.leave(group.members[1])
                group.until_shares(*fair(4, len(group.members)))
        if kind.client == "kcat":  # told to end, it keeps to itself what it has in hand, and commits it
            group.until_read()
            group.leave(group.members[1])
            group.until_shares(*fair(4, len(group.members)))
            stage.produce(topic, 10)
        group.judge()
        again = stage.group(kind, topics=[topic])
        again.join()
        again.judge()


def fair(partitions, members):
    return [partitions // members + (i < partitions % members) for i in range(members)]


def step_up(context, kind):
    """With as many members as partitions one more idles; when one of the others is killed it steps up, at what was committed."""
    with Stage(context) as stage:
        topic = stage.topic(2)
        group = stage.group(kind, topics=[topic], session_ms=6000)
        first, second = group.join(alone=True), group.join(alone=True)
        group.until_shares(1, 1)
        group.join()
        group.until_stable(members=3)
        group.until_shares(0, 1, 1)
        with stage.feeding(topic):
            group.timeline.until("records of both", lambda: min(map(group.timeline.view.reached.get, stage.ends, [0, 0])) > 0)
            victim = first if first.owned else second
            victim.kill()
            group.until_shares(0, 1, 1)
        tenures = group.judge().tenures
        idle_ms = min(tenure.begin for member_tenures in tenures.values() for tenure in member_tenures
                      if tenure.begin > victim.happened("killed")[0]["at"]) - victim.happened("killed")[0]["at"]
        context.say(f"# stepped up after {idle_ms:.0f} ms")


def frozen(context, kind):
    """A member that freezes beyond its session is put out; another goes on at what was committed; it comes back as a new one."""
    with Stage(context) as stage:
        topic = stage.topic(2)
        group = stage.group(kind, topics=[topic], session_ms=1500)
        group.timeline.errors_expected = True
        freezes, stays = group.join(alone=True), group.join()
        group.until_shares(1, 1)
        stage.produce(topic, 10)
        group.until_read()
        freezes.freeze()
        stage.produce(topic, 10)
        group.timeline.until("all with the other", lambda: len(stays.owned) == 2)
        group.until_read()
        freezes.thaw()
        group.timeline.until("its loss", lambda: freezes.happened("lost") or freezes.happened("revoked"))
        group.until_shares(1, 1)
        stage.produce(topic, 10)
        group.judge()


def slow_poller(context, kind):
    """A member that does not poll within max.poll.interval.ms is put out although it sends heartbeats, and its commit is fenced."""
    with Stage(context) as stage:
        topic = stage.topic(2)
        group = stage.group(kind, topics=[topic], session_ms=1500, max_poll_ms=1500)
        group.timeline.errors_expected = True
        slow, other = group.join(commit="never"), group.join(max_poll_ms=60_000)
        group.until_shares(1, 1)
        stage.produce(topic, 10)
        group.until_read()
        slow.mark("frozen")
        slow.tell("sleep", ms=8000)
        slow.tell("commit", metadata="")
        group.timeline.until("all with the other", lambda: len(other.owned) == 2)
        group.timeline.until("the slow one's records", lambda: any(event["offset"] == 9 for event in other.happened("record")
                                                                  if [event["topic"], event["partition"]] in first_share(slow)))
        slow.until("commit-failed")
        slow.until("lost")
        context.expect(not slow.happened("committed"), "the slow member's commit was taken")
        group.until_shares(1, 1)
        group.judge()


def first_share(member):
    return member.happened("assigned")[0]["partitions"]


def static_member(context, kind):
    """A static member that comes back within its session finds its partition and disturbs nobody; two cannot be one."""
    with Stage(context) as stage:
        topic = stage.topic(2)
        group = stage.group(kind, topics=[topic])
        stays, leaves = group.join(instance="stays"), group.join(instance="leaves")
        group.until_shares(1, 1)
        group.until_stable(members=2)
        stage.produce(topic, 10)
        group.until_read()
        had = set(leaves.owned)
        disturbed = len(stays.happened("revoked")), len(stays.happened("assigned"))
        group.leave(leaves)
        # kafka-python keeps a whole core busy from when it is fenced: in a process of its own, which ends with the test.
        returns = group.join(instance="leaves", alone=kind.client == "python")
        group.until_shares(1, 1)
        context.expect(returns.owned == had, f"it had {had}, and comes back to {returns.owned}")
        stage.produce(topic, 10)
        group.until_read()
        again = len(stays.happened("revoked")), len(stays.happened("assigned"))
        context.expect(again == disturbed, f"(revoked, assigned) {again} times, {disturbed} before the other came back")
        group.judge()
        group.timeline.errors_expected = True
        second = group.join(instance="leaves")
        refused, expected = (second, UNRELEASED) if kind.protocol == "consumer" else (returns, FENCED)
        if kind.client == "python":  # it does not say so before it commits
            second.until("assigned")
            stage.produce(topic, 10)
        error = refused.until("commit-failed" if kind.client == "python" else "error")["error"]
        context.expect(any(name in error for name in expected), f"{error}, expected one of {expected}")


def incremental(context, kind):
    """When a member joins, what does not move to it goes on undisturbed: no other partition is revoked, and its records come."""
    with Stage(context) as stage:
        topic = stage.topic(4)
        group = stage.group(kind, topics=[topic])
        first = group.join()
        group.until_shares(4)
        with stage.feeding(topic):
            second = group.join()
            group.until_shares(2, 2)
        verdict = group.judge()
        moved = {tuple(partition) for event in first.happened("revoked") for partition in event["partitions"]}
        context.expect(moved == second.owned, f"{moved} were revoked, {second.owned} moved")
        for partition, tenures in verdict.tenures.items():
            context.expect(len(tenures) == 1 + (partition in moved), f"{partition} changed hands: {tenures}")


def commits(context, kind):
    """Committed with metadata, synchronously and not: the broker says it again; what was never committed is absent."""
    with Stage(context) as stage:
        topic = stage.topic(2)
        group = stage.group(kind, topics=[topic], commit="never")
        member = group.join()
        group.until_shares(2)
        stage.produce(topic, 7, [0])
        group.until_read()
        member.tell("commit", metadata="a note")
        member.until("committed")
        # confluent-kafka sends the text's closing zero along.
        expect_offsets(stage, group, [topic, 0, 7, "a note\0" if kind.client == "confluent" else "a note"])
        if kind.client != "node":
            heard = len(group.timeline.events)
            stage.produce(topic, 5)
            group.until_read()
            member.tell("commit-async")
            member.until("committed", after=heard)
            expect_committed(stage, group, group.ends)
        group.judge()


def expect_offsets(stage, group, *expected):
    found = stage.operator.ask("offsets", group=group.name)
    stage.context.expect(found == list(expected), f"committed: {found}, expected {list(expected)}")


def automatic(context, kind):
    """The client's own commits: as far as it was read is committed when a member leaves, and the next goes on there."""
    with Stage(context) as stage:
        topic = stage.topic(2)
        group = stage.group(kind, topics=[topic], commit="auto")
        first = group.join()
        stage.produce(topic, 20)
        group.until_read()
        group.leave(first)
        expect_committed(stage, group, group.ends)
        group.join()
        stage.produce(topic, 20)
        group.judge()


def expect_committed(stage, group, expected):
    found = {(topic, partition): offset for topic, partition, offset, _ in stage.operator.ask("offsets", group=group.name)}
    stage.context.expect(found == expected, f"committed: {found}, expected {expected}")


def seek_and_pause(context, kind):
    """A paused partition brings nothing while others go on; a sought one goes on at that offset; resumed, nothing is missing."""
    with Stage(context) as stage:
        topic = stage.topic(2)
        group = stage.group(kind, topics=[topic], commit="never")
        member = group.join()
        group.until_shares(2)
        stage.produce(topic, 10)
        group.until_read()
        member.tell("pause", topic=topic, partitions=[0])
        member.until("paused")
        stage.produce(topic, 5, [0])
        for _ in range(2):
            stage.produce(topic, 5, [1])
            group.timeline.until("the other partition", lambda: group.timeline.view.reached[topic, 1] == stage.ends[topic, 1])
        context.expect(group.timeline.view.reached[topic, 0] == 10, "records of a paused partition")
        heard = len(group.timeline.events)
        member.tell("seek", topic=topic, partitions=[1], offset=3)
        found = member.until("record", after=heard)
        context.expect((found["partition"], found["offset"]) == (1, 3), f"after the seek came {found}")
        member.tell("resume", topic=topic, partitions=[0])
        group.until_read()
        again = [event["offset"] for event in member.happened("record") if event["partition"] == 0]
        context.expect(again == list(range(15)), f"the paused partition brought {again}")


def grown(context, kind):
    """A topic that grows: its new partitions are shared out, and read from their first record."""
    with Stage(context) as stage:
        topic = stage.topic(1)
        group = stage.group(kind, topics=[topic])
        group.join()
        group.join()
        group.until_shares(0, 1)
        stage.produce(topic, 10)
        group.until_read()
        stage.grow(topic, 4)
        stage.produce(topic, 10)
        group.until_shares(2, 2)
        group.judge()


def pattern(context, kind):
    """Subscribed to a regular expression: a new topic that matches is read, one that does not is left alone."""
    with Stage(context) as stage:
        prefix = context.topic()
        first = stage.topic(2, f"{prefix}-a")
        expression = f"{prefix}-.*" if kind.protocol == "consumer" and kind.client == "java" else f"^{prefix}-.*"
        group = stage.group(kind, pattern=expression)
        group.join()
        group.join()
        group.until_shares(1, 1)
        stage.produce(first, 10)
        group.until_read()
        second = stage.topic(2, f"{prefix}-b")
        stage.produce(second, 10)
        group.until_shares(2, 2)
        group.judge()
        other = stage.topic(1, f"other-{prefix}-c")
        stage.produce(other, 10)
        stage.produce(second, 10)
        group.timeline.until("the last record", lambda: group.timeline.view.reached[second, 0] == 20)
        context.expect(not group.timeline.view.reached[other, 0], "records of a topic that does not match")


def deleted(context, kind):
    """A group with members is not deleted; an empty one is, and one of its name begins anew."""
    with Stage(context) as stage:
        topic = stage.topic(2)
        stage.produce(topic, 10)
        group = stage.group(kind, topics=[topic])
        member = group.join()
        group.judge()
        stage.operator.ask("delete-group", group=group.name, refused="NON_EMPTY_GROUP")
        group.leave(member)
        expect_committed(stage, group, group.ends)
        stage.operator.ask("delete-group", group=group.name)
        expect_offsets(stage, group)
        again = stage.group(kind, group.name, topics=[topic])
        again.join()
        again.judge()


def reset(context, kind):
    """auto.offset.reset decides only where no offset is committed: earliest, latest, or not at all."""
    with Stage(context) as stage:
        topic = stage.topic(2)
        resets = ["earliest", "latest", *(["none"] if kind.client not in ("node", "kcat") else [])]
        stage.produce(topic, 10, [0])
        names = {}
        for how in resets:
            group = stage.group(kind, topics=[topic], commit="auto" if kind.client == "kcat" else "each")
            group.join()
            group.until_read()
            names[how] = group
        for group in names.values():
            group.leave(group.members[0])
            expect_committed(stage, group, {(topic, 0): 10})
        stage.produce(topic, 10)
        for how, before in names.items():
            group = stage.group(kind, before.name, topics=[topic], reset=how, commit="never")
            group.timeline.errors_expected = how == "none"
            member = group.join()
            if how == "none":
                error = member.until("error")["error"]
                context.expect(error in NO_OFFSET, f"{error}, expected one of {NO_OFFSET}")
                continue
            group.until_shares(2)
            if how == "latest":
                # Where the end was when it looked nobody knows; records come until it has one of them.
                stage.until("a record", lambda: stage.produce(topic, 1, [1]) or group.timeline.view.reached[topic, 1])
            group.until_read()
            first = {}
            for event in member.happened("record"):
                first.setdefault(event["partition"], event["offset"])
            context.expect(first[0] == 10, f"{how}: began at {first[0]}, 10 was committed")
            context.expect(first[1] >= 10 if how == "latest" else first[1] == 0, f"{how}: began at {first[1]} where nothing was committed")


def refused(context):
    """kafkajs' assignor is its own: in a group of others it is told that it does not fit, and disturbs nobody."""
    with Stage(context) as stage:
        topic = stage.topic(2)
        group = stage.group(Kind("java", "classic", "roundrobin"), topics=[topic])
        member = group.join()
        group.until_shares(2)
        strangers = stage.group(Kind("node", "classic", "RoundRobinAssigner"), group.name, topics=[topic])
        strangers.timeline.errors_expected = True
        stranger = strangers.join()
        error = stranger.until("error")["error"]
        context.expect(error == "INCONSISTENT_GROUP_PROTOCOL", f"refused with {error}")
        stage.produce(topic, 10)
        group.judge()
        context.expect(not member.happened("revoked"), "the stranger caused a rebalance")


def mixed(protocol, assignor, clients):
    first, *others = (Kind(client, protocol, assignor) for client in clients)
    return lambda context: share(context, first, others)


# As each client says it.
FENCED = ("FencedInstanceIdException", "FENCED_INSTANCE_ID", "FencedInstanceIdError", "fenced")
UNRELEASED = ("UnreleasedInstanceIdException", "UNRELEASED_INSTANCE_ID", "instance ID is still used")
NO_OFFSET = ("NoOffsetForPartitionException", "partition has no prior committed offset", "_AUTO_OFFSET_RESET", "NoOffsetForPartitionError")

# What clients get wrong, as the exchange shows that they had with the broker. kafka-python joins again with what it has lost, and
# its assignor believes it.
CLAIMS_WHAT_IT_LOST = Kind("python", "classic", "cooperative-sticky")
# kafkajs may end with a TypeError when it is assigned a partition that its metadata does not have.
STUMBLES_OVER_GROWTH = Kind("node", "classic", "RoundRobinAssigner")
# librdkafka with the new protocol leaves only when it is polled again.
LEAVES_LATE = Kind("confluent", "consumer", "uniform")
# franz-go with the new protocol closes and comes back to find its instance id still in use.
KEEPS_INSTANCE = Kind("go", "consumer", "uniform")
PROGRAMS = ("java", "go", "confluent", "python", "node")
SCENARIOS = [
    ("members-share-partitions", share, KINDS),
    ("idle-member-steps-up", step_up, KINDS),
    ("frozen-member-is-put-out", frozen, without(WAYS, CLAIMS_WHAT_IT_LOST)),
    ("slow-poller-is-put-out", slow_poller, without(kinds(WAYS, "java", "confluent", "python"), CLAIMS_WHAT_IT_LOST, LEAVES_LATE)),
    ("static-member-returns", static_member, without(kinds(WAYS, "java", "go", "confluent", "python"), KEEPS_INSTANCE)),
    ("unmoved-partitions-go-on", incremental, [kind for kind in KINDS if kind.incremental]),
    ("commits", commits, kinds(WAYS, *PROGRAMS)),
    ("automatic-commits", automatic, WAYS),
    ("seek-and-pause", seek_and_pause, kinds(WAYS, *PROGRAMS)),
    ("topic-grows", grown, without(WAYS, STUMBLES_OVER_GROWTH)),
    ("pattern-finds-new-topic", pattern, [kind for kind in WAYS if kind.client != "node"]),
    ("deleted-and-reused", deleted, kinds(WAYS, *PROGRAMS)),
    ("reset-decides-only-without-offset", reset, WAYS),
]
MIXED = [("classic", "range", ["java", "go", "confluent", "python", "kcat"]),
         ("classic", "roundrobin", ["python", "confluent", "go", "java"]),
         ("classic", "cooperative-sticky", ["confluent", "java", "go", "python", "kcat"]),
         ("consumer", "uniform", ["java", "go", "confluent"])]


def tests():
    for kind in KINDS:
        for name, scenario, among in SCENARIOS:
            if kind in among:
                yield Test(f"groups/{kind.name}/{name}", partial(scenario, kind=kind), parallel=True)
    for protocol, assignor, clients in MIXED:
        name = f"groups/mixed/{'consumer-' if protocol == 'consumer' else ''}{assignor}"
        yield Test(name, mixed(protocol, assignor, clients), parallel=True)
    yield Test("groups/mixed/kafkajs-is-refused", refused, parallel=True)
