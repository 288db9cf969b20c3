"""What a broker's settings keep groups from: more members than they may have, offsets that nobody uses any more."""

import time
from functools import partial

from .memberships import expect_committed
from .runner import Test
from .stage import BROKER_SETTINGS, Kind, PARTITA_SETTINGS, Stage
from .storage import own_broker

SETTINGS = {"kafka": BROKER_SETTINGS, "partita": PARTITA_SETTINGS}
# The least that Kafka takes for offsets' retention is a minute.
EXPIRED_SECONDS_MAX = 240
ASK_SECONDS = 1
SIZE_MAX = 2
# As each client says it.
FULL = {"java": ("GroupMaxSizeReachedException",), "go": ("GROUP_MAX_SIZE_REACHED",), "confluent": ("GROUP_MAX_SIZE_REACHED", "maximum size")}
KINDS = [Kind(client, protocol, assignor) for client in FULL for protocol, assignor in (("classic", "range"), ("consumer", "uniform"))]


def full(context, kind):
    """A group that is full turns another member away, and goes on as it was."""
    settings = [f"group.max.size={SIZE_MAX}", f"group.consumer.max.size={SIZE_MAX}"]
    with own_broker(context, settings, SETTINGS), Stage(context) as stage:
        topic = stage.topic(4)
        group = stage.group(kind, topics=[topic])
        for count in range(1, SIZE_MAX + 1):
            group.join(alone=True)
            group.until_shares(*[4 // count] * count)
        stranger = stage.group(kind, group.name, topics=[topic])
        stranger.timeline.errors_expected = True
        error = stranger.join(alone=True).until("error")["error"]
        context.expect(any(words in error for words in FULL[kind.client]), f"turned away with {error}")
        stage.produce(topic, 10)
        group.judge()
        group.until_shares(*[4 // SIZE_MAX] * SIZE_MAX)


def forgotten(context):
    """The offsets of a group without members are kept for a while and then go; those of one with a member stay."""
    settings = ["offsets.retention.minutes=1", "offsets.retention.check.interval.ms=1000"]
    with own_broker(context, settings, SETTINGS), Stage(context) as stage:
        topic, kind = stage.topic(1), Kind("java", "classic", "range")
        stage.produce(topic, 10)
        left, kept = stage.group(kind, topics=[topic]), stage.group(kind, topics=[topic])
        for group in (left, kept):
            group.join(alone=True)
            group.judge()
        left.leave(left.members[0])
        for group in (left, kept):
            expect_committed(stage, group, group.ends)
        deadline = time.monotonic() + EXPIRED_SECONDS_MAX
        while stage.operator.ask("offsets", group=left.name):
            context.expect(time.monotonic() < deadline, "the offsets are still there")
            time.sleep(ASK_SECONDS)
        expect_committed(stage, kept, kept.ends)


def tests():
    for kind in KINDS:
        yield Test(f"groups/{kind.name}/full-group-turns-away", partial(full, kind=kind))
    yield Test("groups/java-range/offsets-expire", forgotten)
