"""A group member that is kafka-python's consumer."""

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.structs import OffsetAndMetadata

from kafka_python_poll import poll
from members import Member

POLL_MS = 100
ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor,
             "cooperative-sticky": CooperativeStickyAssignor}


class Listener(ConsumerRebalanceListener):
    def __init__(self, member):
        self.member = member

    def on_partitions_assigned(self, assigned):
        self.member.assigned(pairs(assigned))

    def on_partitions_revoked(self, revoked):
        self.member.revoked(pairs(revoked))

    def on_partitions_lost(self, lost):
        self.member.lost(pairs(lost))


class KafkaPythonMember(Member):
    def open(self, join):
        self.consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=join["group"], group_instance_id=join.get("instance"),
            partition_assignment_strategy=[ASSIGNORS[join["assignor"]]], auto_offset_reset=join["reset"],
            session_timeout_ms=join["session_ms"], heartbeat_interval_ms=join["heartbeat_ms"],
            max_poll_interval_ms=join["max_poll_ms"], metadata_max_age_ms=join["metadata_ms"],
            enable_auto_commit=join["commit"] == "auto", auto_commit_interval_ms=50, fetch_max_wait_ms=100)
        self.consumer.subscribe(join.get("topics", ()), pattern=join.get("pattern"), listener=Listener(self))

    def poll(self):
        batches = poll(self.consumer, POLL_MS)
        return [(record.topic, record.partition, record.offset, record.value) for records in batches.values() for record in records]

    def commit_sync(self, offsets, metadata):
        self.consumer.commit(with_metadata(offsets, metadata))

    def commit_async(self, offsets, done):
        self.consumer.commit_async(with_metadata(offsets, ""),
                                   lambda _, answer: done(answer if isinstance(answer, Exception) else None))

    def seek(self, partition, offset):
        self.consumer.seek(TopicPartition(*partition), offset)

    def pause(self, partitions):
        self.consumer.pause(*(TopicPartition(*partition) for partition in partitions))

    def resume(self, partitions):
        self.consumer.resume(*(TopicPartition(*partition) for partition in partitions))

    def shut(self):
        self.consumer.close()


def pairs(partitions):
    return [(partition.topic, partition.partition) for partition in partitions]


def with_metadata(offsets, metadata):
    return {TopicPartition(*partition): OffsetAndMetadata(offset, metadata, -1) for partition, offset in offsets.items()}
