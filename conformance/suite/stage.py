"""What a group scenario acts on: kinds of members, a group whose members are watched, topics with numbered records."""

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

from .broker import HOST, api_keys
from .judge import judge
from .members import KcatMember, Member, Operator, WAIT_SECONDS_MAX, Timeline, start_host
from .runner import Failed, Skip

# Short enough for tests, long enough for two busy cores.
SESSION_MS = 4_000
# Of members whose session no test waits to end: long enough for any machine.
SESSION_MS_LONG = 20_000
HEARTBEAT_MS = 200
# The least that a group may set for itself.
SESSION_MS_MIN = 1_000
HEARTBEAT_MS_MIN = 100
METADATA_MS = 1_000
# The members' settings for the classic protocol, the broker's for the new one.
BROKER_SETTINGS = ["group.min.session.timeout.ms=1000", f"group.consumer.session.timeout.ms={SESSION_MS}",
                   f"group.consumer.heartbeat.interval.ms={HEARTBEAT_MS}", f"group.consumer.min.session.timeout.ms={SESSION_MS_MIN}",
                   f"group.consumer.min.heartbeat.interval.ms={HEARTBEAT_MS_MIN}"]
# How long a lost connection is taken for an accident, beside the three seconds between two heartbeats.
PARTITA_SETTINGS = [*BROKER_SETTINGS, "group.disconnect.grace.ms=200"]
CONSUMER_GROUP_HEARTBEAT = 68
# kcat's events have no clock of their own: they are as old as the suite is slow to hear them.
KCAT_SLACK_MS = 3_000
FEED_SECONDS = 0.05
ASK_SECONDS = 0.1


@dataclass(frozen=True)
class Kind:
    """A client with a protocol and an assignor."""

    client: str
    protocol: str
    assignor: str

    @property
    def name(self):
        return f"{self.client}-{'consumer-' if self.protocol == 'consumer' else ''}{self.assignor.lower()}"

    @property
    def incremental(self):
        """Whether a rebalance leaves alone what does not move."""
        return self.protocol == "consumer" or self.assignor == "cooperative-sticky"


class Group:
    """One group's members and what they did."""

    def __init__(self, stage, name, kind, **fields):
        self.stage = stage
        self.name = name
        self.kind = kind
        self.fields = {"topics": None, "pattern": None, "instance": None, "reset": "earliest", "session_ms": SESSION_MS_LONG,
                       "heartbeat_ms": HEARTBEAT_MS, "max_poll_ms": 60_000, "metadata_ms": METADATA_MS, "commit": "each", **fields}
        self.timeline = Timeline(stage.context.say)
        self.members = []
        self._joined = 0
        self._slack_ms = 0

    def join(self, kind=None, alone=False, **fields):
        """A new member; `alone` in a process of its own, to be killed or frozen."""
        kind = kind or self.kind
        name = f"{self.name}-{self._joined}-{kind.name}"
        self._joined += 1
        given = {"group": self.name, "protocol": kind.protocol, "assignor": kind.assignor, **self.fields, **fields}
        context = self.stage.context
        if kind.client == "kcat":
            self._slack_ms = KCAT_SLACK_MS
            member = KcatMember(context.bootstrap, self.timeline, name, given)
        else:
            host = self.stage.start_host(kind.client) if alone else context.hosts.host(kind.client, context.bootstrap)
            member = Member(host, self.timeline, name, given)
        self.members.append(member)
        return member

    def leave(self, member):
        self.members.remove(member)
        member.close()

    def until_shares(self, *sizes):
        """Until the members have so many partitions each, in any order."""
        self.timeline.until(f"shares of {sizes}", lambda: sorted(len(member.owned) for member in self.members) == sorted(sizes))

    def until_stable(self, members):
        """Until the broker says that the group has so many members, and no rebalance."""
        self.stage.until(f"{members} members", lambda: self.stage.operator.ask("describe", group=self.name) == ["Stable", members])

    def until_read(self):
        """Until every record is read, by whomever."""
        self.timeline.until("the last record", lambda: all(
            self.timeline.view.reached[partition] >= end for partition, end in self.ends.items()))

    @property
    def ends(self):
        topics = self.fields["topics"]
        return {partition: end for partition, end in self.stage.ends.items() if topics is None or partition[0] in topics}

    def judge(self):
        """Every record read, and everything as it may be."""
        self.until_read()
        return judge(self.timeline.events, self.ends, self._slack_ms)

    def end(self):
        for member in self.members:
            member.dismiss()


class Stage:
    """Topics, groups and processes of one scenario, and their end."""

    def __init__(self, context):
        if not context.broker.owned:
            raise Skip("it needs a broker with short session timeouts")
        self.context = context
        self.operator = Operator(context)
        self.ends = {}  # (topic, number) -> records produced
        self.groups = []
        self.hosts = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for group in self.groups:
            group.end()
        for host in self.hosts:
            host.kill()
        self.operator.end()

    def start_host(self, client):
        host = start_host(client, self.context.bootstrap, self.context.log)
        self.hosts.append(host)
        return host

    def until(self, what, reached):
        """Asks until it is so."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not reached():
            if time.monotonic() > deadline:
                raise Failed(f"not within {WAIT_SECONDS_MAX} s: {what}")
            time.sleep(ASK_SECONDS)

    def topic(self, partitions, name=None):
        topic = name or self.context.topic()
        self.operator.ask("create", topic=topic, count=partitions)
        self.ends.update({(topic, number): 0 for number in range(partitions)})
        return topic

    def group(self, kind, name=None, **fields):
        if kind.protocol == "consumer" and CONSUMER_GROUP_HEARTBEAT not in api_keys(HOST, self.context.broker.port):
            raise Skip("the broker does not serve the new consumer protocol")
        group = Group(self, name or self.context.topic(), kind, **fields)
        self.groups.append(group)
        return group

    def grow(self, topic, partitions):
        self.operator.ask("grow", topic=topic, count=partitions)
        for number in range(partitions):
            self.ends.setdefault((topic, number), 0)

    def produce(self, topic, count, partitions=None):
        """So many records for each partition, or for those given."""
        if partitions is None:
            partitions = [number for name, number in self.ends if name == topic]
        self.operator.ask("produce", topic=topic, partitions=partitions, count=count)
        for number in partitions:
            self.ends[topic, number] += count

    @contextmanager
    def feeding(self, topic):
        """Records come all the time."""
        done = threading.Event()
        trouble = []

        def feed():
            try:
                while not done.wait(FEED_SECONDS):
                    self.produce(topic, 1)
            except Exception as error:
                trouble.append(error)

        thread = threading.Thread(target=feed)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        if trouble:
            raise trouble[0]
