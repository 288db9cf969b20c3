"""The confluent-kafka client of the conformance suite, on the librdkafka that its wheel brings: confluent.py BOOTSTRAP members."""

import sys
from collections import deque

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from members import Member, host

POLL_SECONDS = 0.05



class ConfluentMember(Member):
    def open(self, join):
        self.commits = deque()
        config = {"bootstrap.servers": self.bootstrap, "group.id": join["group"], "group.protocol": join["protocol"],
                  "auto.offset.reset": "error" if join["reset"] == "none" else join["reset"],
                  "max.poll.interval.ms": join["max_poll_ms"], "topic.metadata.refresh.interval.ms": join["metadata_ms"],
                  "enable.auto.commit": join["commit"] == "auto", "auto.commit.interval.ms": 50, "fetch.wait.max.ms": 100,
                  "on_commit": self.on_commit}
        if join.get("instance"):
            config["group.instance.id"] = join["instance"]
        if join["protocol"] == "consumer":
            config["group.remote.assignor"] = join["assignor"]
        else:
            config |= {"partition.assignment.strategy": join["assignor"], "heartbeat.interval.ms": join["heartbeat_ms"],
                       "session.timeout.ms": join["session_ms"]}
        self.consumer = Consumer(config)
        topics = [join["pattern"]] if join.get("pattern") else join["topics"]
        self.consumer.subscribe(topics, on_assign=lambda _, partitions: self.assigned(pairs(partitions)),
                                on_revoke=lambda _, partitions: self.revoked(pairs(partitions)),
                                on_lost=lambda _, partitions: self.lost(pairs(partitions)))

    def poll(self):
        message = self.consumer.poll(POLL_SECONDS)
        if message is None:
            return
        if message.error():
            if message.error().code() != KafkaError._MAX_POLL_EXCEEDED:
                raise KafkaException(message.error())
            self.say("error", error=message.error().name())  # whoever polls on joins again
            return
        yield message.topic(), message.partition(), message.offset(), message.value()

    def commit_sync(self, offsets, metadata):
        for partition in self.consumer.commit(offsets=with_metadata(offsets, metadata), asynchronous=False):
            if partition.error:
                raise KafkaException(partition.error)

    def commit_async(self, offsets, done):
        self.commits.append(done)
        self.consumer.commit(offsets=with_metadata(offsets, ""), asynchronous=True)

    def on_commit(self, error, _partitions):
        # The callback belongs to the consumer; commits are answered in order.
        if self.commits:
            self.commits.popleft()(error and KafkaException(error))

    def seek(self, partition, offset):
        self.consumer.seek(TopicPartition(*partition, offset))

    def pause(self, partitions):
        self.consumer.pause([TopicPartition(*partition) for partition in partitions])

    def resume(self, partitions):
        self.consumer.resume([TopicPartition(*partition) for partition in partitions])

    def shut(self):
        self.consumer.close()


def pairs(partitions):
    return [(partition.topic, partition.partition) for partition in partitions]


def with_metadata(offsets, metadata):
    return [TopicPartition(*partition, offset, metadata) for partition, offset in offsets.items()]


assert sys.argv[2:] == ["members"], sys.argv
host(sys.argv[1], ConfluentMember)
