"""Groups across the death of a member, and across clients: a committed offset is where the next one goes on."""

import time
from collections import defaultdict

from . import dataset
from .clients import PROGRAMS
from .kcat import KCAT
from .roundtrip import CLIENTS, PARTITIONS
from .runner import Test

RECORDS = 5_000


def joined(*files):
    """What several members read, one after the other."""
    read = defaultdict(list)
    for file in files:
        for partition, records in dataset.read_back(file).items():
            read[partition] += records
    return read


def resume(context, client, end):
    """A member reads a part, commits it and ends; the next reads exactly the rest; another group reads everything."""
    topic = context.topic()
    records = client.records(context, RECORDS, PARTITIONS, text_headers=True)
    client.create(context, topic, PARTITIONS)
    started_ms = int(time.time() * 1000)
    client.produce(context, topic, "none", records)
    first, second, again = (context.file(name) for name in ("first", "second", "again"))
    part = RECORDS // 3
    client.group(context, topic, f"{topic}-a", part, first, end)
    client.group(context, topic, f"{topic}-a", RECORDS - part, second, "leave")
    dataset.compare(records, joined(first, second), started_ms)
    client.group(context, topic, f"{topic}-b", RECORDS, again, "leave")
    dataset.compare(records, joined(again), started_ms)
    client.delete(context, topic)


def hand_on(context):
    """Five clients of one group, one after the other: each goes on where the one before had committed."""
    topic = context.topic()
    writer = PROGRAMS[0]
    records = writer.records(context, RECORDS, PARTITIONS, text_headers=True)
    writer.create(context, topic, PARTITIONS)
    started_ms = int(time.time() * 1000)
    writer.produce(context, topic, "none", records)
    files = []
    for client in CLIENTS:
        files.append(context.file(f"read-by-{client.name}"))
        client.group(context, topic, topic, RECORDS // len(CLIENTS), files[-1], "leave")
    dataset.compare(records, joined(*files), started_ms)
    writer.delete(context, topic)


def tests():
    for client in PROGRAMS:
        yield Test(f"{client.name}/group-resumes-after-death", lambda context, client=client: resume(context, client, "die"))
    yield Test("kcat/group-resumes", lambda context: resume(context, KCAT, "leave"))
    yield Test("matrix/group", hand_on)
