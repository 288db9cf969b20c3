"""Kafka's own command-line tools, as its scripts start them."""

import json
import re

from .clients import java
from .roundtrip import PARTITIONS
from .runner import Test
from .stage import HEARTBEAT_MS, SESSION_MS, SESSION_MS_MIN

PERF_RECORDS = 50_000
# What a broker of this suite must offer, as Kafka 4.3.1 prints it: the whole range of each API (kafka-broker-api-versions).
API_RANGES = {
    "Produce(0)": (0, 13), "Fetch(1)": (4, 18), "ListOffsets(2)": (1, 11), "Metadata(3)": (0, 13), "OffsetCommit(8)": (2, 10),
    "OffsetFetch(9)": (1, 10), "FindCoordinator(10)": (0, 6), "JoinGroup(11)": (0, 9), "Heartbeat(12)": (0, 4),
    "LeaveGroup(13)": (0, 5), "SyncGroup(14)": (0, 5), "ApiVersions(18)": (0, 4), "CreateTopics(19)": (2, 7),
    "DeleteTopics(20)": (1, 6), "DeleteRecords(21)": (0, 2), "InitProducerId(22)": (0, 5), "OffsetForLeaderEpoch(23)": (2, 4),
    "DescribeConfigs(32)": (1, 4), "AlterConfigs(33)": (0, 2), "CreatePartitions(37)": (0, 3), "IncrementalAlterConfigs(44)": (0, 1),
    "DescribeCluster(60)": (0, 2), "DescribeTopicPartitions(75)": (0, 0),
}


def tool(context, name, *args, **options):
    return context.run(java(f"org.apache.kafka.tools.{name}", "--bootstrap-server", context.bootstrap, *args), **options)


def topic_command(context, *args, **options):
    return tool(context, "TopicCommand", *args, **options)


def create(context, partitions=PARTITIONS, *args):
    topic = context.topic()
    topic_command(context, "--create", "--topic", topic, "--partitions", partitions, *args)
    return topic


def delete(context, topic):
    topic_command(context, "--delete", "--topic", topic)


def produce_lines(context, topic, lines, *args):
    source = context.file("lines")
    source.write_text("".join(line + "\n" for line in lines))
    tool(context, "ConsoleProducer", "--topic", topic, *args, stdin=source)


def topics(context):
    """`kafka-topics --create --topic demo_1 --bootstrap-server localhost:9092 --partitions 2`, and the topic's life after it."""
    bootstrap = context.bootstrap.replace("127.0.0.1", "localhost")
    line = ["--create", "--topic", "demo_1", "--bootstrap-server", bootstrap, "--partitions", "2"]
    context.expect("Created topic demo_1." in context.run(java("org.apache.kafka.tools.TopicCommand", *line)), "not said to be created")
    again = topic_command(context, "--create", "--topic", "demo_1", "--partitions", "2", status=1)
    context.expect("already exists" in again, "created twice")
    topic_command(context, "--create", "--topic", "demo_1", "--if-not-exists")
    context.expect("demo_1" in topic_command(context, "--list").split(), "not listed")
    described = topic_command(context, "--describe", "--topic", "demo_1")
    context.expect(re.search(r"Topic: demo_1\s+TopicId: \S{22}\s+PartitionCount: 2\s+ReplicationFactor: 1\b", described), "not described")
    context.expect(len(re.findall(r"Partition: [01]\s+Leader: (\d+)\s+Replicas: \1\s+Isr: \1\b", described)) == 2, "partitions not described")
    context.expect(topic_command(context, "--describe", "--under-replicated-partitions").strip() == "", "under-replicated")
    context.expect(topic_command(context, "--describe", "--unavailable-partitions").strip() == "", "unavailable")
    topic_command(context, "--alter", "--topic", "demo_1", "--partitions", "4")
    context.expect("PartitionCount: 4" in topic_command(context, "--describe", "--topic", "demo_1"), "no more partitions")
    topic_command(context, "--alter", "--topic", "demo_1", "--partitions", "3", status=1)
    delete(context, "demo_1")
    context.expect("demo_1" not in topic_command(context, "--list").split(), "listed although deleted")
    topic_command(context, "--describe", "--topic", "demo_1", status=1)


def console(context):
    """Lines in, lines out; a group reads on where it was."""
    topic = create(context, 1)
    lines = [f"key{i}:value {i}" for i in range(100)]
    produce_lines(context, topic, lines, "--reader-property", "parse.key=true", "--reader-property", "key.separator=:")

    def consume(*args):
        shown = ["--formatter-property", "print.key=true", "--formatter-property", "key.separator=:"]
        return tool(context, "consumer.ConsoleConsumer", "--topic", topic, *shown, *args).splitlines()

    context.expect(consume("--from-beginning", "--max-messages", "100") == lines, "other lines came back")
    context.expect(consume("--partition", "0", "--offset", "90", "--max-messages", "10") == lines[90:], "other lines from offset 90")
    group = ["--group", topic, "--from-beginning", "--max-messages"]
    context.expect(consume(*group, "60") == lines[:60], "other lines for a group")
    context.expect(consume(*group, "40") == lines[60:], "the group did not resume")
    delete(context, topic)


def get_offsets(context):
    topic = create(context, 2)
    produce_lines(context, topic, [f"{i}:v" for i in range(100)], "--reader-property", "parse.key=true",
                  "--reader-property", "key.separator=:")

    def offsets(*args):
        printed = tool(context, "GetOffsetShell", "--topic", topic, *args)
        return [int(line.rsplit(":", 1)[1]) for line in printed.split()]

    latest = offsets()
    context.expect(len(latest) == 2 and sum(latest) == 100, f"latest: {latest}")
    context.expect(offsets("--time", "earliest") == [0, 0], "earliest is not 0")
    context.expect(sum(offsets("--time", "-1")) == 100, "-1 is not the latest")
    greatest = offsets("--time", "max-timestamp")
    context.expect(all(0 <= a < b for a, b in zip(greatest, latest)), f"of the greatest timestamp: {greatest}")
    delete(context, topic)


def delete_records(context):
    topic = create(context, 1)
    produce_lines(context, topic, [f"v{i}" for i in range(10)])
    offsets = context.file("offsets.json")
    offsets.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 4}]}))
    printed = tool(context, "DeleteRecordsCommand", "--offset-json-file", offsets)
    context.expect("low_watermark: 4" in printed, f"no low watermark of 4: {printed}")
    context.expect(tool(context, "GetOffsetShell", "--topic", topic, "--time", "earliest").strip() == f"{topic}:0:4", "earliest is not 4")
    delete(context, topic)


def configs(context):
    topic = create(context, 1, "--config", "retention.ms=111000")

    def command(*args):
        return context.run(java("kafka.admin.ConfigCommand", "--bootstrap-server", context.bootstrap, "--entity-type", "topics",
                                "--entity-name", topic, *args))

    context.expect("retention.ms=111000" in command("--describe"), "config of the creation not described")
    command("--alter", "--add-config", "retention.ms=222000,segment.bytes=2097152")
    described = command("--describe")
    context.expect("retention.ms=222000" in described and "segment.bytes=2097152" in described, "configs not altered")
    command("--alter", "--delete-config", "retention.ms")
    described = command("--describe")
    context.expect("retention.ms" not in described and "segment.bytes=2097152" in described, "config not deleted")
    context.expect(re.search(r"retention\.ms=604800000 ", command("--describe", "--all")), "default not described")
    delete(context, topic)


def group_configs(context):
    """A group's own settings, within the bounds that the broker was started with; the group need not be there."""
    group = context.topic()

    def command(*args, **options):
        return context.run(java("kafka.admin.ConfigCommand", "--bootstrap-server", context.bootstrap, "--entity-type", "groups",
                                "--entity-name", group, *args), **options)

    def refusal(setting):
        before = context.log.stat().st_size
        command("--alter", "--add-config", setting, status=1)
        return context.log.read_bytes()[before:].decode()

    session, heartbeat = "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"
    described = command("--describe", "--all")
    for key, value in ((session, SESSION_MS), (heartbeat, HEARTBEAT_MS)):
        default = rf"{key}={value} sensitive=false synonyms={{STATIC_BROKER_CONFIG:group\.{key}={value}, DEFAULT_CONFIG:group\.{key}=\d+}}"
        context.expect(re.search(default, described), f"what holds for all groups is not described: {key}")
    command("--alter", "--add-config", f"{session}=50000,{heartbeat}=6000")
    described = command("--describe")
    for key, value in ((session, 50_000), (heartbeat, 6_000)):
        own = f"{key}={value} sensitive=false synonyms={{DYNAMIC_GROUP_CONFIG:{key}={value}, STATIC_BROKER_CONFIG:group.{key}="
        context.expect(own in described, f"own setting not described: {key}")
    at_least, at_most = (f"{session} must be {than} than or equal to" for than in ("greater", "less"))
    context.expect(f"{at_least} group.consumer.min.session.timeout.ms" in refusal(f"{session}={SESSION_MS_MIN - 1}"), "too little is taken")
    context.expect(f"{at_most} group.consumer.max.session.timeout.ms" in refusal(f"{session}=60001"), "too much is taken")
    context.expect(f"{session} must be greater than {heartbeat}" in refusal(f"{session}=5999"), "a session without a heartbeat is taken")
    context.expect("Unknown group config name: foo" in refusal("foo=1"), "a key that there is not is taken")
    context.expect(f"{session}=50000" in command("--describe"), "a refused change has changed something")
    command("--alter", "--delete-config", f"{session},{heartbeat}")
    described = command("--describe", "--all")
    context.expect("DYNAMIC_GROUP_CONFIG" not in described and f"{session}={SESSION_MS} " in described, "config not deleted")


def api_versions(context):
    printed = tool(context, "BrokerApiVersionsCommand")
    for api, (low, high) in API_RANGES.items():
        found = re.search(re.escape(api) + r": (\d+)(?: to (\d+))? \[", printed)
        context.expect(found, f"{api} is not offered")
        offered = int(found[1]), int(found[2] or found[1])
        context.expect(offered == (low, high), f"{api} is offered as {offered}, Kafka 4.3.1 has {(low, high)}")


def cluster_id(context):
    printed = context.run(java("org.apache.kafka.tools.ClusterTool", "cluster-id", "--bootstrap-server", context.bootstrap))
    context.expect(re.search(r"Cluster ID: \S{22}\b", printed), f"no cluster id: {printed}")


def perf(context):
    """Not a measurement: the tools' own loops run through."""
    topic = create(context)
    printed = tool(context, "ProducerPerformance", "--topic", topic, "--num-records", PERF_RECORDS, "--record-size", "100",
                   "--throughput", "-1", "--command-property", "acks=all")
    context.expect(f"{PERF_RECORDS} records sent" in printed, "not all records sent")
    printed = tool(context, "ConsumerPerformance", "--topic", topic, "--num-records", PERF_RECORDS, "--timeout", "120000")
    header, line = [[cell.strip() for cell in line.split(",")] for line in printed.splitlines() if "," in line][-2:]
    read = int(line[header.index("data.consumed.in.nMsg")])
    context.expect(read == PERF_RECORDS, f"{read} records read")
    delete(context, topic)


def e2e_latency(context):
    topic = create(context, 1)
    printed = tool(context, "EndToEndLatency", "--topic", topic, "--num-records", "200", "--producer-acks", "all", "--record-size", "100")
    context.expect("Percentiles" in printed, "no latencies")
    delete(context, topic)


def tests():
    for run in (topics, console, get_offsets, delete_records, configs, group_configs, api_versions, cluster_id, perf, e2e_latency):
        yield Test(f"tools/{run.__name__.replace('_', '-')}", run)
