"""A real sink: three members of one group write a topic into PostgreSQL while they, and the broker, are killed at random instants.

In the end the table holds exactly what kcat reads from the topic: nothing is missing, nothing is there twice, no byte differs. A kill
takes effect when the member had read a batch and not committed it, and, where offsets are committed after the rows, when rows were
delivered again; a run without both proves nothing and fails.
"""

import random
import signal
import subprocess
import threading
import time

from . import dataset, parts
from .clients import GO
from .kcat import KCAT
from .kill import DRAIN_SECONDS_MAX, PARTITIONS, RECOVERY_SECONDS_MAX, Load, verify
from .postgres import Postgres
from .runner import Failed, Test
from .storage import own_broker

MEMBERS = 3
MID_BATCH_MIN = 2
ATTEMPTS_MAX = 100  # kills, for those that hit a batch
LIFE_SECONDS = (0.0, 1.0)  # of a member after a batch, before it is killed
BROKER_KILL_EVERY = 3  # kills of members
TABLES = {
    "idempotent": 'CREATE TABLE records (partition int, "offset" bigint, key bytea, value bytea, deliveries int DEFAULT 1, '
                  'PRIMARY KEY (partition, "offset"))',
    "transactional": 'CREATE TABLE records (partition int, "offset" bigint, key bytea, value bytea); '
                     'CREATE TABLE positions (partition int PRIMARY KEY, next bigint)',
}
DELIVERED_AGAIN = {"idempotent": "SELECT count(*) FROM records WHERE deliveries > 1", "transactional": None}
CONTENT = """COPY (SELECT partition, "offset", coalesce(encode(key, 'hex'), '-'), coalesce(encode(value, 'hex'), '-')
    FROM records ORDER BY partition, "offset") TO STDOUT"""


class Member:
    """One sink process, and the last step that it told of."""

    def __init__(self, context, topic, address, mode):
        argv = [parts.get("python"), parts.CLIENTS / "python" / "sink.py", context.bootstrap, topic, topic, address, mode]
        self.errors = open(context.log, "ab")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.batches = 0
        self.step = ""
        self.follower = threading.Thread(target=self._follow, daemon=True)
        self.follower.start()

    def _follow(self):
        for line in self.process.stdout:
            self.step = line.split()[0]
            self.batches += self.step == "read"

    def check(self):
        if self.process.poll() is not None:
            raise Failed(f"a sink ended by itself, with status {self.process.returncode}")

    def kill(self):
        """SIGKILL; returns the step that it had got to."""
        self.check()
        self.process.kill()
        self._ended()
        return self.step

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self._ended()
        if self.process.returncode:
            raise Failed(f"a sink ended with status {self.process.returncode}")

    def _ended(self):
        self.process.wait(DRAIN_SECONDS_MAX)
        self.follower.join()
        self.errors.close()


class Sinks:
    """The group. Its members are replaced when they are killed."""

    def __init__(self, context, topic, address, mode):
        self.start = lambda: Member(context, topic, address, mode)
        self.members = [self.start() for _ in range(MEMBERS)]

    def await_batch(self, rng):
        """A member that has read something since the call; one of several by chance."""
        before = {member: member.batches for member in self.members}
        deadline = time.monotonic() + RECOVERY_SECONDS_MAX
        while True:
            for member in self.members:
                member.check()
            active = [member for member in self.members if member.batches > before[member]]
            if active:
                return rng.choice(active)
            if time.monotonic() > deadline:
                raise Failed(f"no sink has read anything for {RECOVERY_SECONDS_MAX} s")
            time.sleep(0.005)

    def replace(self, member):
        self.members[self.members.index(member)] = self.start()

    def close(self):
        for member in self.members:
            if member.process.poll() is None:
                member.process.kill()
                member.process.wait()


def harass(context, broker, load, sinks, delivered_again):
    """Kills members, and now and then the broker too, until it has shown; returns what the kills hit."""
    rng = random.Random(context.options.seed)
    kills, broker_kills, steps = 0, 0, {"read": 0, "stored": 0}
    while kills < context.options.kills or sum(steps.values()) < MID_BATCH_MIN or delivered_again() == 0:
        if kills >= max(ATTEMPTS_MAX, context.options.kills):
            raise Failed(f"the test is not valid: {kills} kills, mid-batch {steps}, delivered again {delivered_again()}")
        load.await_progress()
        victim = sinks.await_batch(rng)
        time.sleep(rng.uniform(*LIFE_SECONDS))
        if kills % BROKER_KILL_EVERY == BROKER_KILL_EVERY - 1:
            broker.check()
            broker.kill()
            broker_kills += 1
            context.say("# the broker is killed")
        step = victim.kill()
        if broker.process is None:
            broker.start()
        sinks.replace(victim)
        kills += 1
        if step in steps:
            steps[step] += 1
        context.say(f"# kill {kills}: a member whose last step was {step!r}")
    context.expect(broker_kills, "the test is not valid: the broker was never killed")
    return f"{kills} members killed, mid-batch {steps}, {broker_kills} times the broker"


def table_equals_topic(context, database, topic):
    """Raises unless the table is the topic; the sinks get the time to finish it."""
    path = context.file("topic")
    KCAT.consume(context, topic, 0, path)
    expected = [(partition, offset, fields[1], fields[2])
                for partition, records in sorted(dataset.read_back(path).items()) for offset, fields in records]
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    while (count := int(database.query("SELECT count(*) FROM records"))) < len(expected) and time.monotonic() < deadline:
        time.sleep(0.2)
    table = context.file("table")
    database.query(CONTENT, out=table)
    lines = (line.split("\t") for line in table.read_text().splitlines())
    got = [(int(partition), int(offset), key, value) for partition, offset, key, value in lines]
    same(expected, got)
    context.expect(count > 0, "the test is not valid: nothing was written")
    return count


def same(expected, got):
    """Raises unless these rows, ordered by partition and offset, are those records."""
    missing, extra = set(expected) - set(got), set(got) - set(expected)
    if missing:
        raise Failed(f"{len(missing)} records are not in the table, e.g. {[row[:2] for row in sorted(missing)[:5]]}")
    if extra:
        raise Failed(f"{len(extra)} rows are not in the topic, e.g. {[row[:2] for row in sorted(extra)[:5]]}")
    if got != expected:
        raise Failed(f"{len(got)} rows for {len(expected)} records: some are there twice")


def sink(context, mode):
    with own_broker(context) as broker, Postgres(context) as database:
        topic = f"sink-{mode}"
        GO.create(context, topic, PARTITIONS)
        database.query(TABLES[mode])
        load = Load(context, topic, context.folder)
        sinks = Sinks(context, topic, database.address, mode)
        count = DELIVERED_AGAIN[mode]
        delivered_again = (lambda: int(database.query(count))) if count else (lambda: None)
        try:
            told = harass(context, broker, load, sinks, delivered_again)
            load.finish()
            verify(context.folder)
            rows = table_equals_topic(context, database, topic)
            for member in sinks.members:
                member.stop()
            context.expect(int(database.query("SELECT count(*) FROM records")) == rows, "rows were added after the end")
        finally:
            sinks.close()
            load.close()
        context.say(f"# {rows} rows, {delivered_again()} delivered again, {told}, seed {context.options.seed}")
        broker.stop()


def tests():
    for mode in TABLES:
        yield Test(f"sink/{mode}", lambda context, mode=mode: sink(context, mode))
