"""A topic with `cleanup.policy=compact`: consumers from the beginning see the newest value of each key and at most what is not
cleaned yet, DumpLogSegments reads what cleaning wrote, and all of it is still so after a kill.
"""

import time

from .kcat import KCAT
from .runner import Failed, Test
from .storage import dump, own_broker, segments
from .tools import topic_command

TOPIC = "compacted"
KEYS = 50
ROUNDS = 400
VALUE_BYTES = 300
SEGMENT_BYTES = 1 << 20  # the least that Kafka takes
CLEANING_SECONDS_MAX = 120
SETTINGS = ("log.cleaner.backoff.ms=200",)


def kcat(context, *words, **streams):
    return context.run(KCAT._kcat(context, *words), **streams)


def produce(context, first_round, rounds, codec):
    """Each round writes every key once; the value says which round it was."""
    source = context.file("input")
    with open(source, "w") as lines:
        for at in range(first_round, first_round + rounds):
            for key in range(KEYS):
                lines.write(f"key-{key}:{at}-{'x' * VALUE_BYTES}\n")
    kcat(context, "-P", "-t", TOPIC, "-z", codec, "-K", ":", "-l", source)


def consume(context):
    """(offset, key, round) of every record, from the beginning to the end."""
    printed = context.file("read")
    kcat(context, "-C", "-t", TOPIC, "-o", "beginning", "-e", "-f", r"%o %k %s\n", stdout=printed)
    records = []
    for line in printed.read_text().splitlines():
        offset, key, value = line.split(" ")
        records.append((int(offset), key, int(value.split("-")[0])))
    return records


def check(context, records, rounds):
    """The newest of each key is there, at the offset where it was written, and no key goes back."""
    newest = {}
    for offset, key, at in records:
        context.expect(offset == at * KEYS + int(key.split("-")[1]), f"{key} of round {at} is at offset {offset}")
        context.expect(newest.get(key, -1) < at, f"{key}: round {at} follows {newest.get(key)}")
        newest[key] = at
    context.expect(len(newest) == KEYS and set(newest.values()) == {rounds - 1}, f"the newest values are {newest}")


def await_cleaning(context, broker, records_max):
    """Until no more than so many records are left."""
    deadline = time.monotonic() + CLEANING_SECONDS_MAX
    while True:
        broker.check()
        records = consume(context)
        if len(records) <= records_max:
            return records
        if time.monotonic() > deadline:
            raise Failed(f"{len(records)} records are left after {CLEANING_SECONDS_MAX} s")
        time.sleep(0.2)


def newest_of_each_key(context):
    """Overwritten keys are cleaned away, batches of every codec among them; the rest is read, dumped, and survives a kill."""
    with own_broker(context, SETTINGS) as broker:
        topic_command(context, "--create", "--topic", TOPIC, "--partitions", "1", "--config", "cleanup.policy=compact",
                      "--config", f"segment.bytes={SEGMENT_BYTES}", "--config", "min.cleanable.dirty.ratio=0.01")
        codecs = ("none", "gzip", "snappy", "lz4", "zstd")
        for index, codec in enumerate(codecs):
            produce(context, index * ROUNDS, ROUNDS, codec)
        # Uncompressed ones roll segments until all that were compressed are in closed ones.
        rounds = len(codecs) * ROUNDS
        produce(context, rounds, ROUNDS, "none")
        rounds += ROUNDS
        written = rounds * KEYS
        records = await_cleaning(context, broker, written // 10)
        check(context, records, rounds)
        broker.kill()
        broker.start()
        check(context, consume(context), rounds)
        broker.stop()
        text = dump(context, segments(broker, TOPIC, 0), "--deep-iteration")
        context.expect(text.count("| offset: ") <= written // 10, "the segments hold more than a consumer sees")
        logs = segments(broker, TOPIC, 0)
        dump(context, segments(broker, TOPIC, 0, ".index")[:len(logs) - 1], "--index-sanity-check")


def keyless_records(context):
    """A record without a key is refused."""
    with own_broker(context, SETTINGS):
        topic_command(context, "--create", "--topic", TOPIC, "--partitions", "1", "--config", "cleanup.policy=compact")
        source = context.file("input")
        source.write_text("no key\n")
        for codec in ("none", "lz4"):
            # Whether kcat's status tells of it depends on its version.
            kcat(context, "-P", "-t", TOPIC, "-z", codec, "-l", source, status=None)
        context.expect(consume(context) == [], "a record without a key is there")


def tests():
    for run in (newest_of_each_key, keyless_records):
        yield Test(f"compaction/{run.__name__.replace('_', '-')}", run)
