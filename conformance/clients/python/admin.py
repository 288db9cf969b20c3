"""kafka-python's admin client: one topic's life, from its creation to its end."""

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import InvalidPartitionsError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

RECORDS = 50


def refused(error, call, *args):
    try:
        call(*args)
    except error:
        return
    raise AssertionError(f"accepted, expected {error.__name__}")


def equal(what, expected, got):
    assert expected == got, f"{what}: expected {expected}, got {got}"


def admin(bootstrap, topic):
    with KafkaAdminClient(bootstrap_servers=bootstrap) as client:
        topics(client, topic)
        configs(client, topic)
        offsets(client, bootstrap, topic)
        client.delete_topics([topic])
        refused(UnknownTopicOrPartitionError, client.delete_topics, [topic])


def topics(client, topic):
    equal("brokers", 1, len(client.describe_cluster()["brokers"]))
    new = {topic: {"num_partitions": 1, "replication_factor": 1}}
    client.create_topics(new)
    refused(TopicAlreadyExistsError, client.create_topics, new)
    client.create_partitions({topic: 3})
    refused(InvalidPartitionsError, client.create_partitions, {topic: 2})
    assert topic in client.list_topics()
    described = client.describe_topics([topic])[0]
    equal("partitions", [0, 1, 2], sorted(partition["partition_index"] for partition in described["partitions"]))


def configs(client, topic):
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "3600000"})])
    described = client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    equal("retention.ms", "3600000", described["topic"][topic]["retention.ms"]["value"])
    equal("segment.bytes", "1073741824", described["topic"][topic]["segment.bytes"]["value"])


def offsets(client, bootstrap, topic):
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for i in range(RECORDS):
        producer.send(topic, partition=0, value=b"v", timestamp_ms=1_700_000_000_000 + i * 1000)
        producer.flush()
    producer.close()
    partition = TopicPartition(topic, 0)

    def listed(spec):
        return client.list_partition_offsets({partition: spec})[partition].offset

    equal("earliest", 0, listed(OffsetSpec.EARLIEST))
    equal("latest", RECORDS, listed(OffsetSpec.LATEST))
    equal("max timestamp", RECORDS - 1, listed(OffsetSpec.MAX_TIMESTAMP))
    equal("by timestamp", 20, listed(1_700_000_020_000))
    client.delete_records({partition: 10})
    equal("earliest after the deletion", 10, listed(OffsetSpec.EARLIEST))
