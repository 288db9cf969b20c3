"""A sink of the conformance suite: a group member that writes what it reads into PostgreSQL, until SIGTERM.

    sink.py BOOTSTRAP TOPIC GROUP DATABASE idempotent|transactional

    idempotent      rows by (partition, offset), inserted once however often they are delivered; the offsets are committed to the
                    group a moment later. A kill between the two delivers again.
    transactional   rows without a key, and the next offset of each partition in the same transaction, moved only from where this
                    member's rows begin: a member that has lost its partition without knowing writes nothing. The group
                    shares the partitions only; a member goes on where the table says.

Standard output has one line a step: `read COUNT`, `stored NEW` (not yet committed), `committed` or `refused ERROR`; a member whose
last line is `read` or `stored` was ended in the middle of something.
"""

import signal
import sys
import time

import psycopg
from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from kafka_python_poll import poll

POLL_MS = 100
BATCH_RECORDS = 500
COMMIT_SECONDS = 0.3
SETTINGS = {"enable_auto_commit": False, "auto_offset_reset": "earliest", "session_timeout_ms": 6000, "heartbeat_interval_ms": 500,
            "max_poll_records": BATCH_RECORDS, "reconnect_backoff_max_ms": 500}

ROWS = "SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bytea[], %s::bytea[])"
# A row that is there already is counted, if it is the same; one that differs is not, and the batch fails for it.
INSERT_ONCE = f"""INSERT INTO records {ROWS} ON CONFLICT (partition, "offset") DO UPDATE SET deliveries = records.deliveries + 1
    WHERE (records.key, records.value) IS NOT DISTINCT FROM (excluded.key, excluded.value) RETURNING deliveries"""
INSERT = f"INSERT INTO records {ROWS}"
MOVE = "UPDATE positions SET next = %s WHERE partition = %s AND next = %s"


class LostPartition(Exception):
    """Another member has written what this one was about to write."""


def say(*words):
    print(*words, flush=True)


def columns(records):
    fields = [(record.partition, record.offset, record.key, record.value) for record in records]
    return [list(column) for column in zip(*fields)]


def ends(batch):
    """Where each partition of a batch begins and where it goes on."""
    return [(partition, records[0].offset, records[-1].offset + 1) for partition, records in batch.items()]


class Idempotent(ConsumerRebalanceListener):
    def __init__(self, consumer, database):
        self.consumer = consumer
        self.database = database
        self.stored = {}
        self.commit_due = time.monotonic()

    def write(self, batch):
        records = [record for records in batch.values() for record in records]
        with self.database.transaction(), self.database.cursor() as cursor:
            cursor.execute(INSERT_ONCE, columns(records))
            deliveries = [row[0] for row in cursor.fetchall()]
            assert len(deliveries) == len(records), "a record was delivered again, and is another one now"
        self.stored.update({partition: OffsetAndMetadata(end, "", -1) for partition, _, end in ends(batch)})
        say("stored", deliveries.count(1))
        if time.monotonic() >= self.commit_due:
            self.commit()

    def commit(self):
        if not self.stored:
            return
        self.commit_due = time.monotonic() + COMMIT_SECONDS
        self.consumer.commit(self.stored)
        self.stored = {}
        say("committed")

    def on_partitions_assigned(self, assigned):
        """The group knows where to go on."""

    def on_partitions_revoked(self, revoked):
        # kafka-python cannot commit here; whoever has the partitions next is delivered these rows again.
        self.stored = {}


class Transactional(ConsumerRebalanceListener):
    def __init__(self, consumer, database):
        self.consumer = consumer
        self.database = database

    def write(self, batch):
        try:
            with self.database.transaction(), self.database.cursor() as cursor:
                for partition, first, end in ends(batch):
                    cursor.execute(MOVE, (end, partition.partition, first))
                    if cursor.rowcount != 1:
                        raise LostPartition(f"partition {partition.partition} is not at {first}")
                cursor.execute(INSERT, columns([record for records in batch.values() for record in records]))
        except LostPartition:
            self.on_partitions_assigned(batch)
            raise
        say("committed")

    def commit(self):
        """Nothing is left to commit after a write."""

    def on_partitions_assigned(self, assigned):
        for partition in assigned:
            with self.database.transaction():
                self.database.execute("INSERT INTO positions VALUES (%s, 0) ON CONFLICT DO NOTHING", [partition.partition])
                row = self.database.execute("SELECT next FROM positions WHERE partition = %s", [partition.partition]).fetchone()
            self.consumer.seek(partition, row[0])

    def on_partitions_revoked(self, revoked):
        """Nothing is kept between batches."""


def main():
    bootstrap, topic, group, address, mode = sys.argv[1:]
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, **SETTINGS)
    with psycopg.connect(address, autocommit=True) as database:
        sink = {"idempotent": Idempotent, "transactional": Transactional}[mode](consumer, database)
        consumer.subscribe([topic], listener=sink)
        while not ending:
            try:
                batch = poll(consumer, POLL_MS)
                if batch:
                    say("read", sum(map(len, batch.values())))
                    sink.write(batch)
                else:
                    sink.commit()
            except (KafkaError, LostPartition) as error:
                say("refused", type(error).__name__)
        consumer.close()


main()
