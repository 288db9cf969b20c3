"""`poll` of kafka-python's consumer, for members of groups.

kafka-python 3.0.12 may forget a join, with Kafka too. A leader that joins again because its topics' metadata has changed takes note of
the new metadata when it assigns; if the poll ends before SyncGroup is answered, no later poll sees a reason to join: the answer is
never looked at, nothing is fetched, and the heartbeats stay off. A disk that flushes for long is enough. So a member that a poll leaves
in the middle of a rebalance is told that it has to join; the next poll takes up what is under way.
"""

from kafka.structs import MemberState


def poll(consumer, timeout_ms):
    records = consumer.poll(timeout_ms)
    if consumer.group_metadata().state is MemberState.REBALANCING:
        consumer._coordinator.request_rejoin()
    return records
