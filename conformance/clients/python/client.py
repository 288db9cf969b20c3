"""The kafka-python client of the conformance suite: client.py BOOTSTRAP VERB ARGS…

    create TOPIC PARTITIONS
    delete TOPIC
    produce TOPIC CODEC FILE
    consume TOPIC COUNT OUT                 every partition, assigned by hand, from the beginning
    group TOPIC GROUP COUNT OUT leave|die   reads COUNT records, commits them, then closes or is gone without a word
    admin TOPIC                             the admin scenario (admin.py)
    members                                 hosts group members, commands on standard input (members.py)

The files' form is described in suite/dataset.py.
"""

import os
import sys
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

import admin as scenario
from kafka_python_member import KafkaPythonMember
from kafka_python_poll import poll
from members import host

PATIENCE_SECONDS = 120
# Polls end in the middle of a join: without what kafka_python_poll.py does about it, no group is ever read.
POLL_MS = 5


def parse_bytes(field):
    return None if field == "-" else bytes.fromhex(field)


def format_bytes(data):
    return "-" if data is None else bytes(data).hex()


def parse_headers(field):
    pairs = [pair.split(":") for pair in field.split(",")] if field else []
    return [(bytes.fromhex(name).decode(), parse_bytes(value)) for name, value in pairs]


def format_record(record):
    headers = ",".join(f"{name.encode().hex()}:{format_bytes(value)}" for name, value in record.headers)
    fields = [record.partition, record.offset, record.timestamp, format_bytes(record.key), format_bytes(record.value), headers]
    return "\t".join(map(str, fields)) + "\n"


def create(bootstrap, topic, partitions):
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        # Records with timestamps of years ago are to stay.
        admin.create_topics({topic: {"num_partitions": int(partitions), "replication_factor": 1,
                                     "configs": {"retention.ms": "-1"}}})


def delete(bootstrap, topic):
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.delete_topics([topic])


def produce(bootstrap, topic, codec, path):
    """With the client's defaults: idempotent, acks from all."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec)
    sends = []
    with open(path) as lines:
        for line in lines:
            partition, timestamp, key, value, headers = line.rstrip("\n").split("\t")
            sends.append(producer.send(topic, partition=int(partition), key=parse_bytes(key), value=parse_bytes(value),
                                       headers=parse_headers(headers),
                                       timestamp_ms=None if timestamp == "-" else int(timestamp)))
    producer.flush(PATIENCE_SECONDS)
    following = {}
    for send in sends:
        ack = send.get(timeout=PATIENCE_SECONDS)
        expected = following.get(ack.partition, 0)
        assert ack.offset == expected, f"partition {ack.partition}: acknowledged offset {ack.offset}, expected {expected}"
        following[ack.partition] = expected + 1
    producer.close()


def read(consumer, count, out):
    """Writes the first `count` records that it polls; returns the offset after the last of each partition."""
    done = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while count:
        assert time.monotonic() < deadline, f"{count} records missing"
        for partition, records in poll(consumer, POLL_MS).items():
            for record in records[:count]:
                out.write(format_record(record))
                done[partition] = OffsetAndMetadata(record.offset + 1, "", -1)
            count -= len(records[:count])
    return done


def consume(bootstrap, topic, count, path):
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    partitions = [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    with open(path, "w") as out:
        read(consumer, int(count), out)
    consumer.close()


def group(bootstrap, topic, name, count, path, end):
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=name, enable_auto_commit=False,
                             auto_offset_reset="earliest", session_timeout_ms=10_000, heartbeat_interval_ms=1000)
    with open(path, "w") as out:
        done = read(consumer, int(count), out)
    consumer.commit(done)
    if end == "die":
        # Reads on without committing: those records belong to the next member.
        poll(consumer, POLL_MS)
        os._exit(0)
    consumer.close()


def main():
    bootstrap, verb, *args = sys.argv[1:]
    verbs = {"create": create, "delete": delete, "produce": produce, "consume": consume, "group": group, "admin": scenario.admin,
             "members": lambda bootstrap: host(bootstrap, KafkaPythonMember)}
    verbs[verb](bootstrap, *args)


main()
