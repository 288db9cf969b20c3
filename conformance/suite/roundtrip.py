"""Round trips: what one client wrote is what it, or another one, reads, byte for byte."""

import time

from . import dataset
from .clients import JAVA, PROGRAMS
from .kcat import KCAT
from .runner import Failed, Test

CLIENTS = [*PROGRAMS, KCAT]
PARTITIONS = 4
MATRIX_RECORDS = 2_000
# The producers that are not Java's and kcat's default.
JAVA_VARIANTS = {"acks-0": ["acks=0", "enable.idempotence=false"], "acks-1": ["acks=1", "enable.idempotence=false"],
                 "acks-all-not-idempotent": ["enable.idempotence=false"]}
KCAT_VARIANTS = {"acks-0": ["acks=0"], "acks-1": ["acks=1"], "idempotent": ["enable.idempotence=true"]}
VARIANT_RECORDS = 20_000


def round_trip(context, writer, codec, count, properties=(), readers=None, **kinds):
    """Creates a topic, writes, reads with each reader and compares, deletes the topic."""
    topic = context.topic()
    records = writer.records(context, count, PARTITIONS, **kinds)
    writer.create(context, topic, PARTITIONS)
    if "acks=0" in properties:
        # What a broker that does not lead yet is sent is lost without a word: it leads where it answers a fetch.
        KCAT.consume(context, topic, 0, context.file("empty"))
    started_ms = int(time.time() * 1000)
    writer.produce(context, topic, codec, records, *properties)
    for reader in readers or [writer]:
        out = context.file(f"read-by-{reader.name}")
        context.say(f"# {writer.name} wrote, {reader.name} reads")
        reader.consume(context, topic, count, out)
        try:
            dataset.compare(records, dataset.read_back(out), started_ms)
        except dataset.Mismatch as mismatch:
            raise Failed(f"written by {writer.name}, read by {reader.name}: {mismatch}; {out}") from None
        out.unlink()
    writer.delete(context, topic)


def tests():
    for client in CLIENTS:
        for codec in client.codecs:
            yield Test(f"{client.name}/round-trip/{codec}", lambda context, client=client, codec=codec:
                       round_trip(context, client, codec, context.options.records))
    for client, variants in ((JAVA, JAVA_VARIANTS), (KCAT, KCAT_VARIANTS)):
        for name, properties in variants.items():
            yield Test(f"{client.name}/{name}", lambda context, client=client, properties=properties:
                       round_trip(context, client, "lz4", min(VARIANT_RECORDS, context.options.records), properties))
    for client in PROGRAMS[1:]:
        yield Test(f"{client.name}/admin", client.admin)


def matrix():
    """Written by each, read by each; every writer with another codec."""
    for writer, codec in zip(CLIENTS, dataset.CODECS, strict=True):
        yield Test(f"matrix/{writer.name}-{codec}", lambda context, writer=writer, codec=codec:
                   round_trip(context, writer, codec, MATRIX_RECORDS, readers=CLIENTS, text_headers=True))
