"""What lies in the data folder: Kafka's tools read it after a clean stop, and a restarted broker goes on with it.

Each test starts and stops a broker of its own.
"""

import re
import time
from contextlib import contextmanager

from . import dataset
from .clients import GO, JAVA, java
from .groups import joined
from .kcat import KCAT
from .runner import Skip, Test
from .tools import topic_command

RECORDS = 20_000
SEGMENT_BYTES = 1 << 20  # the least that Kafka takes
JITTER_PERCENT = 5  # by which Partita's segments differ from their setting, so that they do not all roll at once
# What DumpLogSegments prints when it does not like what it reads.
COMPLAINT = re.compile(r"(?i)isvalid: false|mismatch|non-consecutive|found.*corrupt|exception|error")


@contextmanager
def own_broker(context, settings=(), by_kind=None):
    """A broker for one test, in the shared one's place while the test runs; `by_kind` has settings for brokers of one name."""
    if context.make_broker is None:
        raise Skip("needs a broker of its own")
    shared, broker = context.broker, context.make_broker(context.folder / "broker", settings)
    context.broker = broker
    broker.settings += (by_kind or {}).get(broker.name, ())
    try:
        yield broker.start()
        broker.remove()
    finally:
        # After a failure the data folder stays, to be looked at.
        broker.end()
        context.broker = shared


def dump(context, files, *args):
    """DumpLogSegments over files of one partition; fails when it complains."""
    printed = context.file("dump")
    names = ",".join(map(str, files))
    context.run(java("org.apache.kafka.tools.DumpLogSegments", *args, "--files", names), stdout=printed)
    text = printed.read_text(errors="replace")
    complaint = COMPLAINT.search("\n".join(line for line in text.splitlines() if not line.startswith("|")))
    context.expect(complaint is None, f"DumpLogSegments says {complaint and complaint[0]!r}: {printed}")
    return text


def segments(broker, topic, partition, suffix=".log"):
    return sorted((broker.data / f"{topic}-{partition}").glob(f"*{suffix}"))


def dump_segments(context):
    """Every segment of every codec, written by Java and by kcat: all records, the codec that was asked for, no complaint."""
    with own_broker(context) as broker:
        written = {}
        for client in (JAVA, KCAT):
            records = client.records(context, RECORDS // 10, 1)
            for codec in dataset.CODECS:
                topic = f"{client.name}-{codec}"
                GO.create(context, topic, 1)
                client.produce(context, topic, codec, records)
                written[topic] = (codec, records.count)
        broker.stop()
        dumped = dump(context, [file for topic in written for file in segments(broker, topic, 0)], "--deep-iteration")
        texts = dict(re.findall(r"^Dumping \S+/(\S+)-0/0+\.log\n(.*?)(?=^Dumping |\Z)", dumped, re.M | re.S))
        for topic, (codec, count) in written.items():
            text = texts[topic]
            counted = len(re.findall(r"^\| offset: ", text, re.M))
            context.expect(counted == count, f"{topic}: {count} records written, {counted} dumped")
            codecs = set(re.findall(r"compresscodec: (\w+)", text))
            # A client may leave a batch plain that compression would make longer.
            context.expect(codec in codecs and codecs <= {codec, "none"}, f"{topic}: batches are {codecs}")


def dump_many_segments(context):
    """Segments that rolled: each begins at the offset of its name, their indexes agree with them."""
    with own_broker(context) as broker:
        topic = "rolled"
        records = JAVA.records(context, RECORDS, 1)
        topic_command(context, "--create", "--topic", topic, "--partitions", "1", "--config", f"segment.bytes={SEGMENT_BYTES}",
                      "--config", "retention.ms=-1")
        JAVA.produce(context, topic, "none", records)
        broker.stop()
        logs = segments(broker, topic, 0)
        context.expect(len(logs) > 1, f"{len(logs)} segment, although {SEGMENT_BYTES} bytes are the limit")
        next_offset = 0
        for log in logs:
            context.expect(log.stat().st_size <= SEGMENT_BYTES * (100 + JITTER_PERCENT) // 100, f"{log} has {log.stat().st_size} bytes")
            context.expect(int(log.stem) == next_offset, f"{log} should begin at {next_offset}")
            next_offset = 1 + max(map(int, re.findall(r"lastOffset: (\d+)", dump(context, [log]))))
        context.expect(next_offset == records.count, f"{records.count} records written, the last segment ends at {next_offset}")
        for suffix in (".index", ".timeindex"):
            closed = segments(broker, topic, 0, suffix)[:len(logs) - 1]
            context.expect(len(closed) == len(logs) - 1, f"{suffix} of a closed segment is missing")
            dump(context, closed, "--index-sanity-check")
            dump(context, closed, "--verify-index-only")


def dump_metadata(context):
    """The catalog is a log of KRaft's records: the topics, their partitions, their configs and their deletion are in it."""
    with own_broker(context) as broker:
        GO.create(context, "kept", 3)
        GO.create(context, "deleted", 2)
        GO.delete(context, "deleted")
        broker.stop()
        log = broker.data / "__cluster_metadata-0" / "00000000000000000000.log"
        text = dump(context, [log], "--cluster-metadata-decoder")
        for topic, partitions in (("kept", 3), ("deleted", 2)):
            found = re.search(rf'"type":"TOPIC_RECORD".*"name":"{topic}","topicId":"([^"]+)"', text)
            context.expect(found, f"no TOPIC_RECORD of {topic}")
            topic_id = re.escape(found[1])
            counted = len(set(re.findall(rf'"type":"PARTITION_RECORD".*"partitionId":(\d+),"topicId":"{topic_id}"', text)))
            context.expect(counted == partitions, f"{counted} PARTITION_RECORDs of {topic}")
            removed = re.search(rf'"type":"REMOVE_TOPIC_RECORD".*"topicId":"{topic_id}"', text)
            context.expect(bool(removed) == (topic == "deleted"), f"REMOVE_TOPIC_RECORD of {topic}: {removed}")
        context.expect(re.search(r'"type":"CONFIG_RECORD".*"resourceName":"kept","name":"retention.ms","value":"-1"', text),
                       "no CONFIG_RECORD of retention.ms")
        context.expect('"type":"REGISTER_BROKER_RECORD"' in text, "no REGISTER_BROKER_RECORD")


def small_files(context):
    """partition.metadata, leader-epoch-checkpoint, the producers' snapshot and meta.properties are Kafka's."""
    with own_broker(context) as broker:
        GO.create(context, "files", 1)
        JAVA.produce(context, "files", "none", JAVA.records(context, RECORDS // 10, 1))
        broker.stop()
        folder = broker.data / "files-0"
        context.expect(re.fullmatch(r"version: 0\ntopic_id: \S{22}\n?", (folder / "partition.metadata").read_text()), "partition.metadata")
        epochs = (folder / "leader-epoch-checkpoint").read_text()
        context.expect(re.fullmatch(r"0\n1\n\d+ 0\n", epochs), f"leader-epoch-checkpoint: {epochs!r}")
        snapshots = segments(broker, "files", 0, ".snapshot")
        context.expect(snapshots, "no snapshot of the producers")
        printed = dump(context, snapshots[-1:])
        # One producer; its last batches, at most five, oldest first: Kafka, which keeps one of each producer, takes the last.
        batches = re.findall(r"producerId: (\d+) producerEpoch: 0 .*lastOffset: (\d+)", printed)
        context.expect(len({producer for producer, _ in batches}) == 1, f"not one producer: {printed}")
        ends = [int(end) for _, end in batches]
        context.expect(len(ends) <= 5 and ends == sorted(ends), f"not its last batches, oldest first: {printed}")
        context.expect(ends[-1] == RECORDS // 10 - 1, f"not its last batch: {printed}")
        properties = dict(line.split("=", 1) for line in (broker.data / "meta.properties").read_text().splitlines()
                          if not line.startswith("#"))
        context.expect({"version", "cluster.id", "node.id", "directory.id"} <= set(properties), f"meta.properties: {properties}")


def restart(context):
    """After a clean stop and after a kill: the same records, topic ids and committed offsets; new records follow the old ones."""
    with own_broker(context) as broker:
        count = RECORDS // 10
        records = JAVA.records(context, count, 2)
        GO.create(context, "restarted", 2)
        started_ms = int(time.time() * 1000)
        JAVA.produce(context, "restarted", "zstd", records)
        files = [context.file(f"read-{i}") for i in range(3)]
        JAVA.group(context, "restarted", "g", count // 3, files[0], "leave")
        described = describe(context, "restarted")
        broker.stop()
        broker.start()
        context.expect(describe(context, "restarted") == described, "described otherwise after a clean stop")
        JAVA.group(context, "restarted", "g", count // 3, files[1], "leave")
        broker.kill()
        broker.start()
        context.expect(describe(context, "restarted") == described, "described otherwise after a kill")
        JAVA.group(context, "restarted", "g", count - 2 * (count // 3), files[2], "leave")
        dataset.compare(records, joined(*files), started_ms)
        broker.stop()


def committed_offsets(context):
    """Committed offsets are records of `__consumer_offsets` in Kafka's form."""
    with own_broker(context) as broker:
        GO.create(context, "committed", 1)
        JAVA.produce(context, "committed", "none", JAVA.records(context, RECORDS // 10, 1))
        JAVA.group(context, "committed", "the-group", 123, context.file("read"), "leave")
        broker.stop()
        logs = [log for log in broker.data.glob("__consumer_offsets-*/*.log") if log.stat().st_size]
        context.expect(logs, "no records in __consumer_offsets")
        text = "".join(dump(context, [log], "--offsets-decoder") for log in logs)
        found = re.search(r'"group":"the-group","topic":"committed","partition":0.*payload: .*"offset":123\b', text)
        context.expect(found, "no commit of offset 123")


def describe(context, topic):
    return topic_command(context, "--describe", "--topic", topic)


def tests():
    for run in (dump_segments, dump_many_segments, dump_metadata, committed_offsets, small_files, restart):
        yield Test(f"storage/{run.__name__.replace('_', '-')}", run)
