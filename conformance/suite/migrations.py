"""Groups that go from the classic to the new protocol and back while they live, as members are replaced one by one.

Records flow all the time, and the judge has the last word: no partition ever has two owners, each member begins where its
predecessor has committed, and nothing is lost.
"""

from functools import partial

from .memberships import fair
from .runner import Test
from .stage import Kind, Stage

PARTITIONS = 6
MEMBERS = 3
CONSUMER = ("java", "go", "confluent")
# Without librdkafka's cooperative-sticky: its assignments bear user data, which Kafka does not let go either.
CLASSIC = [("java", "range"), ("java", "cooperative-sticky"), ("go", "range"), ("go", "cooperative-sticky"),
           ("confluent", "range"), ("python", "range")]


def until_type(stage, group, kind):
    stage.until(f"a {kind} group", lambda: stage.operator.ask("type", group=group.name) == kind)


def replace(group, kind):
    """Each member in turn leaves, and one of the other kind comes."""
    for member in list(group.members):
        group.leave(member)
        group.join(kind)
        group.until_shares(*fair(PARTITIONS, MEMBERS))


def rolled(context, classic, consumer):
    """Three members are rolled to the new protocol, one by one, and back."""
    with Stage(context) as stage:
        topic = stage.topic(PARTITIONS)
        group = stage.group(classic, topics=[topic])
        with stage.feeding(topic):
            for count in range(MEMBERS):
                group.join()
                group.until_shares(*fair(PARTITIONS, count + 1))
            until_type(stage, group, "classic")
            replace(group, consumer)
            until_type(stage, group, "consumer")
            replace(group, classic)
            until_type(stage, group, "classic")
        group.judge()


def beside(context, classic, consumer):
    """One member of each protocol side by side, and one comes and goes; the last of the new protocol leaves."""
    with Stage(context) as stage:
        topic = stage.topic(PARTITIONS)
        group = stage.group(classic, topics=[topic])
        with stage.feeding(topic):
            group.join()
            group.until_shares(PARTITIONS)
            modern = group.join(consumer)
            group.until_shares(*fair(PARTITIONS, 2))
            until_type(stage, group, "consumer")
            passing = group.join()
            group.until_shares(*fair(PARTITIONS, 3))
            group.leave(passing)
            group.until_shares(*fair(PARTITIONS, 2))
            group.leave(modern)
            group.until_shares(PARTITIONS)
            until_type(stage, group, "classic")
        group.judge()


def crossing(context):
    """A static member changes its protocol and keeps its partitions; the other one notices nothing."""
    classic, consumer = Kind("java", "classic", "range"), Kind("java", "consumer", "uniform")
    with Stage(context) as stage:
        topic = stage.topic(PARTITIONS)
        group = stage.group(classic, topics=[topic])
        first = group.join(instance="first")
        second = group.join(instance="second")
        group.until_shares(*fair(PARTITIONS, 2))
        group.until_stable(members=2)
        had = set(first.owned)
        stage.produce(topic, 10)
        group.until_read()
        group.leave(first)
        known = len(group.timeline.events)
        first = group.join(consumer, instance="first")
        group.timeline.until("the same partitions", lambda: first.owned == had)
        until_type(stage, group, "consumer")
        stage.produce(topic, 10)
        group.judge()
        context.expect(not second.happened("lost", known), "the other member lost its partitions")


def tests():
    for client, assignor in CLASSIC:
        classic = Kind(client, "classic", assignor)
        consumer = Kind(client if client in CONSUMER else "java", "consumer", "uniform")
        yield Test(f"groups/{classic.name}/rolls-to-the-new-protocol-and-back",
                   partial(rolled, classic=classic, consumer=consumer), parallel=True)
        yield Test(f"groups/{classic.name}/beside-the-new-protocol",
                   partial(beside, classic=classic, consumer=consumer), parallel=True)
    yield Test("groups/java-range/static-member-changes-its-protocol", crossing, parallel=True)
